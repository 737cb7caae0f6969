"""Public access blocks of buckets, and which bucket policies are public.

Source: Amazon S3 User Guide, "Blocking public access to your Amazon S3 storage", with "The meaning of 'public'". Where
that leaves something open, a policy counts as public.
"""

from __future__ import annotations

import ipaddress
import json
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from collections.abc import Mapping

# Operators that hold only for a request that has the key with one of the values that stand there.
_MATCHING = frozenset({"StringEquals", "StringEqualsIgnoreCase", "StringLike", "ArnEquals", "ArnLike"})
_ANY = "ForAnyValue:"
_SOURCE_IP = "aws:sourceip"
# With a fixed value of one of these a statement lets in only whom its author knows.
_KNOWN = frozenset({
    "aws:principalaccount", "aws:principalarn", "aws:principalorgid", "aws:sourceaccount", "aws:sourcearn",
    "aws:sourceowner", "aws:sourcevpc", "aws:sourcevpce", "aws:userid", "s3:dataaccesspointaccount",
    "s3:dataaccesspointarn", "s3:x-amz-server-side-encryption-aws-kms-key-id",
})  # fmt: skip
_ANYBODY = "anonymous"  # aws:PrincipalAccount and aws:userid of requests without a signature
_BROADEST = {4: 8, 6: 32}  # prefix lengths; whatever is broader is the public


class PublicAccessBlock(msgspec.Struct, frozen=True, rename="pascal"):
    """The four settings; what is not named in a request is off."""

    block_public_acls: bool = False
    ignore_public_acls: bool = False
    block_public_policy: bool = False
    restrict_public_buckets: bool = False

    def column(self) -> str:
        """Return the JSON that is kept."""
        return msgspec.json.encode(self).decode()


SETTING = "publicAccessBlock"  # its name in the store, that of the sub-resource
ALL_BLOCKED = PublicAccessBlock(True, True, True, True)
NOTHING_BLOCKED = PublicAccessBlock()
_decode = msgspec.json.Decoder(PublicAccessBlock).decode


def parse_setting(document: str | None) -> PublicAccessBlock:
    """Return the block that a bucket keeps; a bucket without one blocks nothing."""
    return NOTHING_BLOCKED if document is None else _decode(document)


def is_restricted(block: PublicAccessBlock, policy: str | None) -> bool:
    """Return whether a bucket's policy, being public, lets in nobody but its own account and services of AWS."""
    return policy is not None and block.restrict_public_buckets and is_public(policy)


@lru_cache(maxsize=1024)
def is_public(policy: str) -> bool:
    """Return whether a bucket policy, which was put and hence holds together, gives a right to the public.

    Denials are not looked at: a policy that allows everybody and denies most of them is public, as S3 has it.
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
    """Return whether a condition lets in only callers or networks that are written down."""
    name = operator.removeprefix(_ANY)
    if key == _SOURCE_IP:
        return name == "IpAddress" and all(_is_network(value) for value in values)
    return name in _MATCHING and key in _KNOWN and all(_is_fixed(value) for value in values)


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
