"""The reference page of the condition keys, which is made from their table.

`python -m fuin.access.vocabulary.reference docs/reference/condition-keys.md` writes it; a test compares page and table.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from fuin.access.vocabulary.condition_keys import TABLE
from fuin.access.vocabulary.kms_keys import ON_KEYS

if TYPE_CHECKING:
    from collections.abc import Iterable

    from fuin.access.vocabulary.key_row import ConditionKey

_HEAD = """# Condition keys

Made by `python -m fuin.access.vocabulary.reference` of the table in `src/fuin/access/vocabulary/condition_keys.py`.
Tests compare the table with the keys that requests bring, for every operation of KMS and S3
(`tests/kms/test_condition_table.py`, `tests/s3/test_condition_table.py`).

[The policy language](policies.md) explains conditions, and how their operators treat an absent key. Names of condition
keys are not case-sensitive. A key with *several* values needs `ForAllValues:` or `ForAnyValue:`. A policy may name any
key; a key that is not on this page is always absent, and `fuin policy lint` warns about it.

Fuin looks up these values only if a condition asks for one; costly values (all aliases of a key, its last use) only if
a condition asks for exactly that value.
"""

_NOTES = """## When a service asks for the caller

The object store and EC2 ask KMS as the caller (AWS: a forward access session). Then KMS sees the caller's principal,
session and tags, its address, and whether it used TLS; `aws:ViaAWSService` is `true`, `kms:ViaService` is
`s3.REGION.amazonaws.com` or `ec2.REGION.amazonaws.com`, and `aws:CalledVia` (also `…First` and `…Last`) is
`s3.amazonaws.com` or `ec2.amazonaws.com`. `aws:RequestedRegion` is the bucket's Region. For a user without a session
`aws:MultiFactorAuthPresent` is `false` there, as in AWS; the keys of the S3 request (`s3:…`, `aws:referer`) are not
passed on.

## What is different from AWS

* `kms:ResourceAliases` works in key policies as well; in AWS it works in identity policies only.
* Changes of tags and aliases hold at once; in AWS they can take five minutes.
* `kms:RequestAlias` and `kms:ResourceAliases` belong to operations on keys, as in AWS: for operations on aliases the
  condition keys are those of the key that the alias names.
* `s3:x-amz-server-side-encryption-aws-kms-key-id` is compared as the client sent it: an id or alias is not resolved.
* `kms:EncapsulationAlgorithm` is named after its siblings; AWS has not documented a condition key of Encapsulate yet.
"""

_PARTS = (
    ("Global", "aws:"),
    ("KMS", "kms:"),
    ("S3", "s3:"),
    ("IAM", "iam:"),
    ("STS", "sts:"),
    ("EC2", "ec2:"),
    ("EBS", "ebs:"),
)


def page() -> str:
    """Return the page as Markdown."""
    parts = [_HEAD]
    for title, prefix in _PARTS:
        keys = [key for key in TABLE if key.brought and key.name.startswith(prefix)]
        parts.append(f"## {title}\n\n| key | type | actions | value | absent |\n| --- | --- | --- | --- | --- |")
        parts += [_row(key) for key in keys]
        parts.append("")
    parts.append(_NOTES)
    parts.append(
        "## Never here\n\nThese are keys of AWS that no request brings to this server. They are always absent.\n"
    )
    parts.append("| key | type | why |\n| --- | --- | --- |")
    parts += [f"| `{key.name}` | {_kind(key)} | {key.holds} |" for key in TABLE if not key.brought]
    return "\n".join(parts) + "\n"


def _row(key: ConditionKey) -> str:
    return f"| `{key.name}` | {_kind(key)} | {_actions(key)} | {key.holds} | {key.absent or 'never'} |"


def _kind(key: ConditionKey) -> str:
    return f"{key.kind}, several" if key.many else key.kind


def _actions(key: ConditionKey) -> str:
    """Return the actions in words: all, all of a service, operations on a key, or their names."""
    actions = set(key.actions)
    if "*" in actions:
        return "all"
    words = []
    if set(ON_KEYS) <= actions:
        words.append("operations on a key")
        actions -= set(ON_KEYS)
    return ", ".join([*words, *_names(actions)])


def _names(actions: Iterable[str]) -> list[str]:
    named = sorted(actions)
    return [f"all of {name[:-2].upper()}" if name.endswith(":*") else f"`{name}`" for name in named]


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
