"""Which values of settings are accepted: those that this server honours. Others name a missing capability.

Each function takes the document's root and returns the JSON to store, or None for a value that every bucket has. It
raises MalformedXML for another document, and NotImplemented.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from fuin.access import public_access
from fuin.access.public_access import PublicAccessBlock
from fuin.access.vocabulary.missing_capabilities import (
    ACCESS_LOGGING,
    ACLS,
    BUCKET_ABAC,
    EVENT_NOTIFICATIONS,
    REQUESTER_PAYS,
    TRANSFER_ACCELERATION,
)
from fuin.s3.request import locks, tags, xml
from fuin.s3.request.faults import S3Fault, not_implemented

if TYPE_CHECKING:
    from fuin.access.vocabulary.missing_capabilities import Capability
    from fuin.s3.request.xml import Node

_ENFORCED = "BucketOwnerEnforced"
_WITH_ACLS = ("BucketOwnerPreferred", "ObjectWriter")
_FLAGS = {"true": True, "false": False}
OWNERSHIP = "ownershipControls"
TAGGING = "tagging"


def _json(members: dict[str, str]) -> str:
    return msgspec.json.encode(members).decode()


# As on AWS since April 2023: no ACLs, and no public policy until the block is changed.
_OF_NEW_BUCKETS = (
    (OWNERSHIP, _json({"ObjectOwnership": _ENFORCED})),
    (public_access.SETTING, public_access.ALL_BLOCKED.column()),
)


def new_bucket_settings(given: tags.Tags, *, locked: bool) -> tuple[tuple[str, str], ...]:
    """Return the settings of a new bucket with these tags, and with Object Lock if it is `locked`."""
    kept = tags.column(given)
    found = _OF_NEW_BUCKETS if kept is None else (*_OF_NEW_BUCKETS, (TAGGING, kept))
    return (*found, (locks.SETTING, locks.Configuration().column())) if locked else found


def _checked_text(root: Node, name: str, taken: str, others: tuple[str, ...], capability: Capability) -> str:
    """Return the text of an element if it is `taken`; `others` are texts that ask for a missing capability."""
    value = (root.get(name) or "").strip()
    if value in others:
        raise not_implemented(capability)
    if value != taken:
        raise S3Fault("MalformedXML")
    return value


def acceleration(root: Node) -> str:
    """Accept Suspended: nothing accelerates."""
    root.refuse_others("Status")
    return _json({"Status": _checked_text(root, "Status", "Suspended", ("Enabled",), TRANSFER_ACCELERATION)})


def ownership(root: Node) -> str:
    """Accept BucketOwnerEnforced: ACLs are always off."""
    root.refuse_others("Rule")
    rule = root.find_child("Rule")
    if rule is None:
        raise S3Fault("MalformedXML")
    rule.refuse_others("ObjectOwnership")
    return _json({"ObjectOwnership": _checked_text(rule, "ObjectOwnership", _ENFORCED, _WITH_ACLS, ACLS)})


def public_access_block(root: Node) -> str:
    """Accept all four settings: those about policies are enforced, those about ACLs hold since ACLs are off."""
    names = dict(zip(PublicAccessBlock.__struct_encode_fields__, PublicAccessBlock.__struct_fields__, strict=True))
    root.refuse_others(*names)
    chosen: dict[str, bool] = {}
    for element, member in names.items():
        value = root.get(element)
        flag = False if value is None else _FLAGS.get(value.strip().lower())
        if flag is None:
            raise S3Fault("MalformedXML")
        chosen[member] = flag
    return PublicAccessBlock(**chosen).column()


def payer(root: Node) -> None:
    """Accept BucketOwner: nobody pays."""
    root.refuse_others("Payer")
    _checked_text(root, "Payer", "BucketOwner", ("Requester",), REQUESTER_PAYS)


def attribute_based_access(root: Node) -> None:
    """Accept Disabled: buckets have no tags that policies could use."""
    root.refuse_others("Status")
    _checked_text(root, "Status", "Disabled", ("Enabled",), BUCKET_ABAC)


def logging(root: Node) -> None:
    """Accept the status without a target, which ends logging."""
    root.refuse_others("LoggingEnabled")
    if root.children:
        raise not_implemented(ACCESS_LOGGING)


def notifications(root: Node) -> None:
    """Accept the empty configuration, which ends notifications."""
    if root.children:
        raise not_implemented(EVENT_NOTIFICATIONS)


def bucket_tags(root: Node) -> str | None:
    """Accept up to 50 tags; the empty set removes those that are there."""
    return tags.column(tags.parse_document(root, tags.OF_BUCKETS))


def elements(document: str) -> str:
    """Return a stored document as XML: an element for each member."""
    members: dict[str, str | bool] = msgspec.json.decode(document)
    return "".join(xml.text(name, value) for name, value in members.items())


def rule_of_elements(document: str) -> str:
    """Return a stored document as XML, in a Rule."""
    return xml.tag("Rule", elements(document))
