"""Settings that are put: what holds here is taken and given back, and the rest is refused, naming what is not built."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.place import Place, error_of

NONE: dict[str, Any] = {}

# operation, what is put, and what is read afterwards (None: what was put)
TAKEN: list[tuple[str, dict[str, Any], dict[str, Any] | None]] = [
    ("bucket_versioning", {"Status": "Suspended"}, None),
    ("bucket_versioning", {"Status": "Suspended", "MFADelete": "Disabled"}, {"Status": "Suspended"}),
    ("bucket_versioning", {"Status": "Enabled"}, None),
    ("bucket_accelerate_configuration", {"Status": "Suspended"}, None),
    ("bucket_ownership_controls", {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}, None),
    ("bucket_request_payment", {"Payer": "BucketOwner"}, None),
    ("bucket_abac", {"Status": "Disabled"}, None),
    ("bucket_logging", NONE, None),
    ("bucket_notification_configuration", NONE, None),
]
REFUSED: list[tuple[str, dict[str, Any], str]] = [
    ("bucket_versioning", {"Status": "Suspended", "MFADelete": "Enabled"}, "MFA delete"),
    ("bucket_accelerate_configuration", {"Status": "Enabled"}, "Transfer acceleration"),
    ("bucket_ownership_controls", {"Rules": [{"ObjectOwnership": "ObjectWriter"}]}, "ACLs"),
    ("bucket_ownership_controls", {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}, "ACLs"),
    ("bucket_request_payment", {"Payer": "Requester"}, "Requester Pays"),
    ("bucket_abac", {"Status": "Enabled"}, "Attribute-based access control"),
    ("bucket_logging", {"LoggingEnabled": {"TargetBucket": "b", "TargetPrefix": ""}}, "Server access logging"),
    ("bucket_notification_configuration", {"EventBridgeConfiguration": {}}, "Event notifications"),
    (
        "bucket_notification_configuration",
        {"QueueConfigurations": [{"QueueArn": "arn:aws:sqs:us-east-1:1:q", "Events": ["s3:ObjectCreated:*"]}]},
        "Event notifications",
    ),
]
# The member that holds the document, where it is not all of the answer.
PARAMETER = {
    "bucket_abac": "AbacStatus", "bucket_accelerate_configuration": "AccelerateConfiguration",
    "bucket_logging": "BucketLoggingStatus", "bucket_notification_configuration": "NotificationConfiguration",
    "bucket_ownership_controls": "OwnershipControls", "bucket_request_payment": "RequestPaymentConfiguration",
    "bucket_tagging": "Tagging", "bucket_versioning": "VersioningConfiguration", "object_tagging": "Tagging",
}  # fmt: skip
WRAPPED = ("bucket_abac", "bucket_ownership_controls")


def _put(place: Place, bucket: str, name: str, document: dict[str, Any]) -> Any:
    members = {"Bucket": bucket, PARAMETER[name]: document, **({"Key": "k"} if name.startswith("object") else {})}
    return getattr(place.s3(), f"put_{name}")(**members)


def _get(place: Place, bucket: str, name: str) -> dict[str, Any]:
    members = {"Bucket": bucket, **({"Key": "k"} if name.startswith("object") else {})}
    answer = getattr(place.s3(), f"get_{name}")(**members)
    del answer["ResponseMetadata"]
    found: dict[str, Any] = answer[PARAMETER[name]] if name in WRAPPED else answer
    return found


@pytest.mark.parametrize(("name", "document", "read"), TAKEN, ids=[row[0] for row in TAKEN])
def test_what_holds_here_is_taken_and_given_back(
    place: Place, bucket: str, name: str, document: dict[str, Any], read: dict[str, Any] | None
) -> None:
    """Put by boto3, it is read again as it was put, also of another bucket that knows nothing of it as before."""
    other = place.bucket()
    before = _get(place, other, name)
    _put(place, bucket, name, document)
    assert _get(place, bucket, name) == (document if read is None else read)
    assert _get(place, other, name) == before


@pytest.mark.parametrize(("name", "document", "what"), REFUSED)
def test_what_is_not_built_is_refused_and_not_kept(
    place: Place, bucket: str, name: str, document: dict[str, Any], what: str
) -> None:
    """501 with a sentence that names it, and what is read afterwards is what was read before."""
    place.s3().put_object(Bucket=bucket, Key="k", Body=b"x")

    def read() -> object:
        try:
            return _get(place, bucket, name)
        except ClientError as error:
            return error_of(error)

    before = read()
    with pytest.raises(ClientError) as error:
        _put(place, bucket, name, document)
    status, code, message = error_of(error.value)
    assert (status, code) == (501, "NotImplemented")
    assert message.startswith(what)
    assert read() == before


MALFORMED = [
    ("versioning", "<VersioningConfiguration><Status>On</Status></VersioningConfiguration>", "MalformedXML"),
    ("versioning", "<VersioningConfiguration/>", "IllegalVersioningConfigurationException"),
    ("versioning", "<VersioningConfiguration><Status>Suspended</Status><X/></VersioningConfiguration>", "MalformedXML"),
    ("versioning", "<Other/>", "MalformedXML"),
    ("versioning", "", "MalformedXML"),
    ("accelerate", "<AccelerateConfiguration/>", "MalformedXML"),
    ("ownershipControls", "<OwnershipControls/>", "MalformedXML"),
    ("ownershipControls", "<OwnershipControls><Rule/></OwnershipControls>", "MalformedXML"),
    ("requestPayment", "<RequestPaymentConfiguration><Payer>Me</Payer></RequestPaymentConfiguration>", "MalformedXML"),
    ("logging", "<BucketLoggingStatus><X/></BucketLoggingStatus>", "MalformedXML"),
    ("tagging", "<Tagging><TagSet><X/></TagSet></Tagging>", "MalformedXML"),
]


@pytest.mark.parametrize(("name", "body", "code"), MALFORMED)
def test_what_is_no_such_document(place: Place, bucket: str, name: str, body: str, code: str) -> None:
    """What S3's schema does not know is MalformedXML; documents come with their digest."""
    reply = place.send("PUT", f"/{bucket}?{name}", place.md5(body.encode()), body.encode())
    assert (reply.status, reply.code) == (400, code)
    if name != "accelerate":  # whose model asks for none
        assert place.send("PUT", f"/{bucket}?{name}", {}, body.encode()).code == "InvalidRequest"


def test_a_setting_stands_in_the_audit_log(place: Place, bucket: str) -> None:
    """A change is announced before it is made, and its record says what was put."""
    put = _put(place, bucket, "bucket_versioning", {"Status": "Suspended"})
    first, last = place.drafts(put["ResponseMetadata"]["RequestId"])
    assert first["about"] == "change"
    assert first["facts"]["settings"] == last["facts"]["settings"] == {"versioning": {"Status": "Suspended"}}
    gone = place.s3().delete_public_access_block(Bucket=bucket)
    first, _ = place.drafts(gone["ResponseMetadata"]["RequestId"])
    assert first["facts"]["settings"] == {"publicAccessBlock": None}


def test_removed_ownership_controls_turn_no_acl_on(place: Place, bucket: str) -> None:
    """They are not found afterwards, as in AWS; but there are still no ACLs, and they can be put again."""
    s3 = place.s3()
    s3.delete_bucket_ownership_controls(Bucket=bucket)
    assert place.send("GET", f"/{bucket}?ownershipControls").code == "OwnershipControlsNotFoundError"
    with pytest.raises(ClientError, match="AccessControlListNotSupported"):
        s3.put_bucket_acl(Bucket=bucket, ACL="public-read")
    _put(place, bucket, "bucket_ownership_controls", {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]})
    assert place.send("GET", f"/{bucket}?ownershipControls").status == 200


def test_a_bucket_that_is_made_again_has_none_of_the_old_settings(place: Place) -> None:
    """Settings end with their bucket, and a bucket with settings can be deleted."""
    bucket = place.bucket("again")
    _put(place, bucket, "bucket_versioning", {"Status": "Suspended"})
    place.s3().delete_public_access_block(Bucket=bucket)
    place.s3().delete_bucket(Bucket=bucket)
    place.s3().create_bucket(Bucket=bucket)
    assert _get(place, bucket, "bucket_versioning") == {}
    assert place.send("GET", f"/{bucket}?publicAccessBlock").status == 200
    place.s3().delete_public_access_block(Bucket=bucket)
    place.s3().create_bucket(Bucket=bucket)  # one's own again, which changes nothing
    assert place.send("GET", f"/{bucket}?publicAccessBlock").status == 404
