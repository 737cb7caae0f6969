"""Policy documents as JSON.

A member may occur only once, nesting must not be deep, and all text must be valid Unicode. Numbers keep their digits.
"""

import json
from decimal import Decimal

from fuin.access.shorten import shorten
from fuin.errors import DuplicateElement, MalformedPolicy, NotJson

LONGEST = 131_072  # characters: policyDocumentType of the IAM service model, PolicyType of KMS


def load(document: str) -> dict[str, object]:
    """Return a document's members; raises MalformedPolicy."""
    if len(document) > LONGEST:
        raise MalformedPolicy(f"the policy is longer than {LONGEST} characters")
    try:
        value = json.loads(document, object_pairs_hook=_collect_members, parse_constant=_refuse, parse_float=Decimal)
        if "\\ud" in document.lower() or not document.isascii():
            json.dumps(value, ensure_ascii=False, default=str).encode()  # a record cannot hold half a surrogate pair
    except RecursionError:
        raise MalformedPolicy("the policy is nested too deeply") from None
    except UnicodeEncodeError:
        raise MalformedPolicy("the policy holds text that is not Unicode") from None
    except (ValueError, ArithmeticError) as error:
        raise NotJson(f"the policy is not valid JSON: {shorten(str(error))}") from None
    if not isinstance(value, dict):
        raise MalformedPolicy("the policy must be a JSON object")
    return value


def _collect_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    members: dict[str, object] = {}
    for name, value in pairs:
        if name in members:
            raise DuplicateElement(shorten(name))
        members[name] = value
    return members


def _refuse(text: str) -> object:
    raise MalformedPolicy(f"a policy holds no such number: {shorten(text)}")
