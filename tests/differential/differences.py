"""What the other evaluator is known to decide otherwise, each settled from AWS's documentation.

A world that touches such a point is not left out: it is told to the other evaluator in another form that means the same
by the documentation. So everything else in it is compared. docs/reference/evaluation-differences.md has the reasons.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from fuin.access.principal import Principal
from fuin.access.question import Question
from tests.access.builders import ACCOUNT
from tests.differential.worlds import World

_Statement = dict[str, Any]
_NO_RESOURCE, _NO_VALUE = "arn:aws:none:::none", "equal to nothing"
_VARIABLE = re.compile(r"\$\{([a-zA-Z][^,}']*)\}")  # without a default


def adapted(world: World) -> World:
    """Return the world in the form that the other evaluator takes rightly."""
    known = set(Question(world.principal, world.action, world.resource, world.context).facts())
    return _each(world, lambda one: _in_networks(_without_lost_variables(_spelled_out(one, world), known)))


def unlimited(world: World) -> World | None:
    """Return the world without its session policy's silence, where that does not limit what a resource's policy gives.

    Its denials stay, as those of an identity policy. None where the session policy limits everything.
    """
    if world.session is None or world.principal.account != ACCOUNT:
        return None
    allowed = world.decided()
    if not allowed.allowed or [cause.origin[0] for cause in allowed.causes] != ["resource-based policy"]:
        return None
    denials = [one for one in world.session["Statement"] if one["Effect"] == "Deny"]
    own = (*world.own, {**world.session, "Statement": denials}) if denials else world.own
    return replace(world, session=None, own=own)


def _each(world: World, change: Callable[[_Statement], _Statement]) -> World:
    def changed(document: dict[str, Any] | None) -> dict[str, Any] | None:
        if document is None:
            return None
        return {**document, "Statement": [change(copy.deepcopy(one)) for one in document["Statement"]]}

    own = tuple(document for each in world.own if (document := changed(each)) is not None)
    return replace(
        world, naming=changed(world.naming), own=own, boundary=changed(world.boundary), session=changed(world.session)
    )  # fmt: skip


def _in_networks(one: _Statement) -> _Statement:
    """Write addresses as networks of one address, and the networks of all addresses as two halves."""
    for operator, keys in one.get("Condition", {}).items():
        if "IpAddress" in operator:
            for key, values in keys.items():
                keys[key] = [network for value in _listed(values) for network in _networks(value)]
    return one


def _networks(value: str) -> list[str]:
    halves = {"0.0.0.0/0": ["0.0.0.0/1", "128.0.0.0/1"], "::/0": ["::/1", "8000::/1"]}
    if "/" in value:
        return halves.get(value, [value])
    return [f"{value}/128" if ":" in value else f"{value}/32"]


def _without_lost_variables(one: _Statement, known: set[str]) -> _Statement:
    """Write what a variable without a value stands in as a text that nothing is equal to or like: it is null."""

    def is_lost(value: str) -> bool:
        return any(name.lower() not in known for name in _VARIABLE.findall(value))

    for element in ("Resource", "NotResource"):
        if element in one:
            one[element] = [_NO_RESOURCE if is_lost(value) else value for value in _listed(one[element])]
    for keys in one.get("Condition", {}).values():
        for key, values in keys.items():
            keys[key] = [_NO_VALUE if is_lost(value) else value for value in _listed(values)]
    return one


def _spelled_out(one: _Statement, world: World) -> _Statement:
    """Write NotPrincipal, which the documentation tells apart by account, role and session, as who is meant."""
    if "NotPrincipal" not in one or world.boundary is not None:  # with which it denies whomever it names
        return one
    spared = one.pop("NotPrincipal")
    one["Principal"] = {"Service": "nobody.amazonaws.com"} if _is_spared(spared, world.principal) else "*"
    return one


def _is_spared(spared: dict[str, Any], principal: Principal) -> bool:
    if principal.kind == "service":
        return principal.arn in _listed(spared.get("Service", []))
    names = _listed(spared.get("AWS", []))
    account = {principal.account, f"arn:aws:iam::{principal.account}:root"}
    itself = {name for name in (principal.arn, principal.identity_arn) if name} - account
    return bool(account & set(names)) and itself <= set(names)


def _listed(values: Any) -> list[str]:
    return list(values) if isinstance(values, list) else [values]
