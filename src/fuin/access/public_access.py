"""Public access blocks of buckets, and the rule for which bucket policies are public.

Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage", with "The meaning of 'public'". If the
guide does not say, a policy counts as public.
"""

from __future__ import annotations

import ipaddress
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

# Operators that hold only if the request has the key with one of the policy's values.
_MATCHING = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"})
_ANY = "ForAnyValue:"
_SOURCE_IP = "aws:sourceip"
# A statement with a fixed value for one of these keys lets in only callers that its author knows.
_IDENTIFYING_KEYS = frozenset({
    "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:sourceaccount", "aws:sourcearn",
    "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid", "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn", "s3:x-amz-server-side-encryption-aws-kms-key-id",
})  # fmt: skip
_ANYBODY = "anonymous"  # the value of aws:PrincipalAccount and aws:userid in unsigned requests
_BROADEST = {4: 8, 6: 32}  # prefix lengths; a broader network counts as public


class PublicAccessBlock(msgspec.Struct, frozen=True, rename="pascal"):
    """The four settings; a setting that a request does not name is off."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False

    def column(self) -> str:
        """Return the settings as JSON, as the store holds them."""
        return msgspec.json.encode(self).decode()


SETTING = "publicAccessBlock"  # its name in the store, that of the sub-resource
ALL_BLOCKED = PublicAccessBlock(True, True, True, True)
NOTHING_BLOCKED = PublicAccessBlock()
_decode = msgspec.json.Decoder(PublicAccessBlock).decode


def parse_setting(document: str | None) -> PublicAccessBlock:
    """Return the public access block of a bucket; a bucket without one blocks nothing."""
    return NOTHING_BLOCKED if document is None else _decode(document)


def is_restricted(block: PublicAccessBlock, policy: str | None) -> bool:
    """Return whether a bucket's policy is public, and so lets in only its own account and AWS's services."""
    return policy is not None and block.restrict_public_buckets and is_public(policy)


@lru_cache(maxsize=1024)
def is_public(policy: str) -> bool:
    """Return whether a stored bucket policy gives a right to the public.

    Deny statements do not matter: in S3 too, a policy that allows everyone and denies most is public.
    """
    raw = json.loads(policy)["Statement"]
    return any(_is_open(statement) for statement in _as_list(raw))


def _is_open(statement: Mapping[str, Any]) -> bool:
    if statement["Effect"] != "Allow" or not _names_everyone(statement):
        return False
    return not any(
        _confines(operator, key.lower(), _as_list(values))
        for operator, keys in statement.get("Condition", {}).items()
        for key, values in keys.items()
    )


def _names_everyone(statement: Mapping[str, Any]) -> bool:
    named = statement.get("Principal", "*")  # NotPrincipal names nearly everyone
    return named == "*" or (isinstance(named, dict) and "*" in _as_list(named.get("AWS", [])))


def _confines(operator: str, key: str, values: list[str]) -> bool:
    """Return whether a condition lets in only callers or networks that the policy lists."""
    name = operator.removeprefix(_ANY)
    if key == _SOURCE_IP:
        return name == "IpAddress" and all(_is_network(value) for value in values)
    return name in _MATCHING and key in _IDENTIFYING_KEYS and all(_is_fixed(value) for value in values)


def _is_fixed(value: object) -> bool:
    if not isinstance(value, str) or value.lower() in ("", _ANYBODY):
        return False
    return not any(mark in value for mark in ("*", "?", "${"))


def _is_network(value: object) -> bool:
    try:
        network = ipaddress.ip_network(str(value), strict=False)
    except ValueError:
        return False
    return network.prefixlen >= _BROADEST[network.version]


def _as_list(value: object) -> list[Any]:
    return value if isinstance(value, list) else [value]
