"""`fuin simulate`: decide a question beforehand, with the policies and grants that are in force."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fuin.access.kinds import PolicyKind
from fuin.access.policy import parse_policy
from fuin.access.question import Question
from fuin.advice import holders, targets
from fuin.advice.case import LabelledPolicy
from fuin.advice.explain import explain
from fuin.advice.repairs import smallest_changes
from fuin.advice.retrace import Retraced
from fuin.cli import evaluation
from fuin.cli.options import DEFAULT_DATA, Data, Database, Json, settings_of
from fuin.cli.reading import reading
from fuin.cli.terminal_escape import escape
from fuin.cli.text_file import read_text
from fuin.errors import FuinError
from fuin.store.engine import installation

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from fuin.advice.case import Case
    from fuin.advice.holders import PrincipalInForce
    from fuin.advice.targets import Right, Values

Who = Annotated[str, typer.Option("--principal", help="A user's or role's ARN, user/NAME, role/NAME, or root.")]
Actions = Annotated[list[str], typer.Option("--action", help="An action; may be given several times.")]
Target = Annotated[
    str, typer.Option("--resource", help="A key (id, ARN or alias), s3://bucket/key, a bucket's ARN, or * for none.")
]
Context = Annotated[
    list[str] | None, typer.Option("--context", metavar="KEY=VALUE", help="A condition key; repeat it for more values.")
]
With = Annotated[
    Path | None,
    typer.Option("--with-policy", exists=True, dir_okay=False, help="Decide as if the principal also had this policy."),
]
Instead = Annotated[
    Path | None,
    typer.Option("--resource-policy", exists=True, dir_okay=False, help="Decide as if the resource had this policy."),
]


def simulate(
    principal: Who,
    action: Actions,
    resource: Target = "*",
    context: Context = None,
    with_policy: With = None,
    resource_policy: Instead = None,
    data: Data = DEFAULT_DATA,
    database: Database = "",
    json_output: Json = False,
) -> None:
    """Show what would be decided, and why, without doing anything; the exit status is 1 if anything is refused.

    The principal's policies, groups and boundary, the resource's policy and the grants are those now in force. For an
    object under SSE-KMS both rights are checked. A condition key that --context does not give is absent.

    **Example**: `fuin simulate --principal user/alice --action s3:GetObject --resource s3://papers/a.txt`
    """
    facts = _facts(context or [])
    extra = None if with_policy is None else read_text(with_policy)
    instead = None if resource_policy is None else read_text(resource_policy)
    with reading(settings_of(data, database)) as store:
        holder = store.read_sync(_holder, principal)
        if extra is not None:
            parse_policy(extra, PolicyKind.MANAGED)
            policy = LabelledPolicy(f"policy {with_policy}", PolicyKind.MANAGED, extra)
            holder = replace(holder, policies=(*holder.policies, policy))
        rights = [right for one in action for right in store.read_sync(targets.rights, one, resource)]
        found = [(right, _retrace(right, holder, facts, instead)) for right in rights]
    if json_output:
        typer.echo(json.dumps([_object(right, one) for right, one in found], indent=1))
    else:
        for right, one in found:
            for line in _lines(right, one):
                typer.echo(line)
    if not all(one.evaluation.decision.allowed for _, one in found):
        raise typer.Exit(1)


def _holder(conn: Connection, text: str) -> PrincipalInForce:
    """Return the principal of an ARN or short name; raises FuinError."""
    known = installation.find_meta(conn)
    account = known.account if known else ""
    arn = text if text.startswith("arn:") else f"arn:aws:iam::{account}:{text}"
    holder = holders.find(conn, arn)
    if holder is None:
        raise FuinError(f"the principal {text} does not exist")
    return holder


def _facts(pairs: list[str]) -> Values:
    """Return the condition keys of KEY=VALUE pairs; a repeated key has several values. Raises FuinError."""
    facts: Values = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key:
            raise FuinError(f"--context takes KEY=VALUE, not {pair}")
        before = facts.get(key)
        facts[key] = value if before is None else (*((before,) if isinstance(before, str) else before), value)
    return facts


def _retrace(right: Right, holder: PrincipalInForce, facts: Values, instead: str | None) -> Retraced:
    case = right.case(holder)
    if instead is not None:
        case = _with_resource_policy(case, right, instead)
    question = Question(holder.principal, right.action, right.resource, {**right.facts, **facts})
    found = explain(case, question)
    return Retraced(case, found, smallest_changes(case, question), frozenset(), 0, found.decision.allowed)


def _with_resource_policy(case: Case, right: Right, document: str) -> Case:
    """Return the case with another resource policy: for --resource itself, not for an object's key."""
    kind = case.resource.kind
    if kind is None or (kind is PolicyKind.KEY and "kms:ViaService" in right.facts):
        return case
    parse_policy(document, kind)
    return replace(case, resource_policy=LabelledPolicy(kind.value, kind, document))


def _lines(right: Right, found: Retraced) -> list[str]:
    verdict = "ALLOWED" if found.evaluation.decision.allowed else "REFUSED"
    note = f" ({right.note})" if right.note else ""
    return [escape(f"{right.action} on {right.resource}: {verdict}{note}"), *evaluation.body(found), ""]


def _object(right: Right, found: Retraced) -> dict[str, Any]:
    values = evaluation.as_object(found)
    values.pop("samePolicies")
    return {"action": right.action, "resource": right.resource, "allowed": values.pop("allowedNow"), **values}
