"""To which actions S3's condition keys belong: what S3 asks of a bucket policy's statement when it is put.

Source: Service Authorization Reference, "Amazon S3". Keys that are not here, such as s3:authType, belong to all.
"""

from __future__ import annotations


def _of_s3(names: str) -> frozenset[str]:
    return frozenset(f"s3:{name}" for name in names.split())


_CREATING = "putobject bypassgovernanceretention"
_GRANTING = _of_s3(f"{_CREATING} createbucket putbucketacl putobjectacl putobjectversionacl")
_LISTING = _of_s3("listbucket listbucketversions")
_LOCKING = _of_s3("putobject putobjectretention")
_EVENT_HOLD = _LOCKING | _of_s3("replicateobject")
_ENCRYPTING = _of_s3(f"{_CREATING} replicateobject updateobjectencryption")
_COPYING = _of_s3(_CREATING)
_PUTTING = _of_s3("putobject")
_ANNOTATIONS = _of_s3("listobjectannotations listobjectversionannotations")
_VENDED = _of_s3("allowvendedlogdeliveryforresource")
_TAGS_OF_REQUEST = _of_s3(f"{_CREATING} putobjecttagging putobjectversiontagging")
_TAGS_OF_OBJECT = _ANNOTATIONS | _of_s3("""
    deleteobjectannotation deleteobjecttagging deleteobjectversionannotation deleteobjectversiontagging getobject
    getobjectacl getobjectannotation getobjectattributes getobjecttagging getobjectversion getobjectversionacl
    getobjectversionannotation getobjectversionattributes getobjectversiontagging putobjectacl putobjectannotation
    putobjecttagging putobjectversionacl putobjectversionannotation putobjectversiontagging updateobjectencryption
""")
_VERSIONS = _of_s3("""
    deleteobjectversion deleteobjectversionannotation deleteobjectversiontagging getobjectversion getobjectversionacl
    getobjectversionannotation getobjectversionattributes getobjectversiontagging getobjectversiontorrent
    listobjectversionannotations putobjectversionacl putobjectversionannotation putobjectversiontagging
""")

# Names in lower case; those that end with / are families.
APPLIES: dict[str, frozenset[str]] = {
    "s3:annotation-prefix": _ANNOTATIONS,
    "s3:deliverysourcearn": _VENDED,
    "s3:delimiter": _LISTING,
    "s3:destinationregion": _of_s3("pausereplication"),
    "s3:existingobjecttag/": _TAGS_OF_OBJECT,
    "s3:if-match": _of_s3("deleteobject putobject"),
    "s3:if-none-match": _PUTTING,
    "s3:inventoryaccessibleoptionalfields": _of_s3("putinventoryconfiguration"),
    "s3:isreplicationpauserequest": _of_s3("putreplicationconfiguration"),
    "s3:locationconstraint": _of_s3("createbucket"),
    "s3:logtype": _VENDED,
    "s3:max-annotation-results": _ANNOTATIONS,
    "s3:max-keys": _LISTING,
    "s3:object-lock-event-hold": _EVENT_HOLD,
    "s3:object-lock-event-hold-duration-days": _EVENT_HOLD,
    "s3:object-lock-legal-hold": _of_s3("putobject putobjectlegalhold"),
    "s3:object-lock-mode": _LOCKING,
    "s3:object-lock-remaining-retention-days": _LOCKING,
    "s3:object-lock-retain-until-date": _LOCKING,
    "s3:objectcreationoperation": _PUTTING,
    "s3:prefix": _LISTING,
    "s3:requestobjecttag/": _TAGS_OF_REQUEST,
    "s3:requestobjecttagkeys": _TAGS_OF_REQUEST,
    "s3:resourcearnbeingauthorized": _VENDED,
    "s3:versionid": _VERSIONS,
    "s3:x-amz-acl": _GRANTING,
    "s3:x-amz-bucket-namespace": _of_s3("createbucket"),
    "s3:x-amz-copy-source": _COPYING,
    "s3:x-amz-grant-full-control": _GRANTING,
    "s3:x-amz-grant-read": _GRANTING,
    "s3:x-amz-grant-read-acp": _GRANTING,
    "s3:x-amz-metadata-directive": _COPYING,
    "s3:x-amz-object-annotation-directive": _PUTTING,
    "s3:x-amz-object-if-match": _of_s3("""
        deleteobjectannotation deleteobjectversionannotation putobjectannotation putobjectversionannotation
    """),
    "s3:x-amz-object-ownership": _of_s3("createbucket"),
    "s3:x-amz-server-side-encryption": _ENCRYPTING,
    "s3:x-amz-server-side-encryption-aws-kms-key-id": _ENCRYPTING,
    "s3:x-amz-server-side-encryption-customer-algorithm": _COPYING | _of_s3("replicateobject"),
    "s3:x-amz-storage-class": _COPYING | _of_s3("putobjectacl putobjectversionacl"),
    "s3:x-amz-website-redirect-location": _COPYING,
}


def applies_to(key: str) -> frozenset[str] | None:
    """Return the actions, in lower case, that a condition key in lower case belongs to; None is all of S3's."""
    return APPLIES.get(f"{key.partition('/')[0]}/" if "/" in key else key)
