"""Access control lists, which are off: the bucket's owner has all that is in it (BucketOwnerEnforced).

AWS: "Controlling ownership of objects and disabling ACLs for your bucket". A read returns the owner's full control, and
an ACL that says just that is accepted. Every other one is refused, in AWS's words.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from fuin.s3.request import xml
from fuin.s3.request.faults import S3Fault

if TYPE_CHECKING:
    from collections.abc import Mapping

    from fuin.s3.request.xml import Node

NEW_BUCKET = "InvalidBucketAclWithObjectOwnership"  # AWS's code for a new bucket with an ACL
_NOT_SUPPORTED = "AccessControlListNotSupported"
_CANNED = b"x-amz-acl"
_GRANT = b"x-amz-grant-"
_FULL_CONTROL = "FULL_CONTROL"
_OF_OWNER = {"private", "bucket-owner-full-control", "bucket-owner-read"}  # what the owner may do anyway
_ONE_ID = re.compile(r'id="?([^",]+)"?')


def check_headers(headers: Mapping[bytes, bytes], owner: str, code: str = _NOT_SUPPORTED) -> bool:
    """Refuse an ACL in headers that gives anything to anybody but `owner`; return whether there is an ACL at all."""
    canned = headers.get(_CANNED)
    granting = [name for name in headers if name.startswith(_GRANT) and headers[name]]
    if canned and canned.decode("latin-1") not in _OF_OWNER:
        raise S3Fault(code)
    for name in granting:
        one = _ONE_ID.fullmatch(headers[name].decode("latin-1").strip())
        if name != _GRANT + b"full-control" or one is None or one[1] != owner:
            raise S3Fault(code)
    return bool(canned or granting)


def content(account: str) -> tuple[str, str]:
    """Return the content of an ACL's document: the owner, and its full control."""
    owner = xml.text("ID", account)
    kind = 'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:type="CanonicalUser"'
    grant = xml.tag("Grant", f"<Grantee {kind}>{owner}</Grantee>", xml.text("Permission", _FULL_CONTROL))
    return xml.tag("Owner", owner), xml.tag("AccessControlList", grant)


def check_document(root: Node, owner: str) -> None:
    """Refuse an ACL but the owner's full control; raises MalformedXML for another document."""
    root.refuse_others("Owner", "AccessControlList")
    named, entries = root.find_child("Owner"), root.find_child("AccessControlList")
    if named is None or entries is None:
        raise S3Fault("MalformedXML")
    entries.refuse_others("Grant")
    grants = [(_grantee(grant), grant.get("Permission")) for grant in entries.find_children("Grant")]
    if named.get("ID") != owner or grants != [(owner, _FULL_CONTROL)]:
        raise S3Fault(_NOT_SUPPORTED)


def _grantee(grant: Node) -> str | None:
    """Return the canonical id that a grant names, or None for a group or an address."""
    grantee = grant.find_child("Grantee")
    if grantee is None:
        raise S3Fault("MalformedXML")
    return grantee.get("ID") if not grantee.find_children("URI") and not grantee.find_children("EmailAddress") else None
