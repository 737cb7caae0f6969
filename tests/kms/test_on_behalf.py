"""What the object store asks of KMS: data keys as the caller, and service-owned keys that no API shows."""

import asyncio
import json
import time
from typing import Any

import msgspec
import pytest

from fuin.access.principal import account_root
from fuin.errors import AccessDenied
from fuin.gate.call import Call
from fuin.gate.record import RequestRecord
from fuin.kms import on_behalf
from tests.kms.asking import UNSEEN, NewKey, arn_of, raises, refusal
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, REGION, Place
from tests.support.policies import allow
from tests.support.server import User

CONTEXT = {"aws:s3:arn": "arn:aws:s3:::bucket/key"}


def call_of(place: Place, user: User | None = None, region: str = REGION, account: str = ACCOUNT) -> Call:
    """Return a PutObject call of a user, or of an account's root."""
    principal = account_root(account)
    if user is not None:

        async def find() -> Any:
            return place.services.store.catalog().access_key(user.access_key_id)

        principal = place.run(find()).principal
    return Call(place.services, "request-1", "s3", "PutObject", principal, "AKIA", region, time.time())


def test_data_key_of_a_named_key(place: Place, new_key: NewKey) -> None:
    """A data key under a named key opens again with the same context and with no other."""
    key_id = new_key()
    call = call_of(place)
    made = place.run(on_behalf.data_key(call, key_id, CONTEXT))
    assert (len(made.plaintext), made.key_arn) == (32, arn_of(key_id))
    assert place.run(on_behalf.open_data_key(call, made.blob, CONTEXT)) == made.plaintext
    assert str(made.plaintext) not in repr(made)
    with raises("InvalidCiphertextException"):
        place.run(on_behalf.open_data_key(call, made.blob, {}))


def test_the_callers_own_right(place: Place, kms: Any, new_key: NewKey) -> None:
    """The data key is asked for as the caller: kms:GenerateDataKey to write, kms:Decrypt to read."""
    key_id = new_key()
    writer = call_of(place, place.add_user(allow("kms:GenerateDataKey", resource=arn_of(key_id))))
    reader = call_of(place, place.add_user(allow("kms:Decrypt", resource=arn_of(key_id))))
    encrypter = call_of(place, place.add_user(allow("kms:Encrypt", "s3:*")))
    made = place.run(on_behalf.data_key(writer, key_id, CONTEXT))
    assert place.run(on_behalf.open_data_key(reader, made.blob, CONTEXT)) == made.plaintext
    with pytest.raises(AccessDenied) as caught:
        place.run(on_behalf.data_key(encrypter, key_id, CONTEXT))
    assert "kms:GenerateDataKey" in caught.value.sentence
    assert arn_of(key_id) in caught.value.sentence
    with pytest.raises(AccessDenied) as caught:
        place.run(on_behalf.open_data_key(writer, made.blob, CONTEXT))
    assert "kms:Decrypt" in caught.value.sentence
    assert writer.facts["refusedUse"]["use"] == "kms:Decrypt"
    refused = writer.decisions[-1]
    assert isinstance(refused, dict)
    assert refused["allowed"] is False
    kms.disable_key(KeyId=key_id)
    with raises("DisabledException"):
        place.run(on_behalf.open_data_key(reader, made.blob, CONTEXT))


def test_via_service_is_a_condition(place: Place, new_key: NewKey) -> None:
    """A policy may allow a key's use through S3 only."""
    key_id = new_key()
    statement = allow("kms:GenerateDataKey")
    statement["Statement"][0]["Condition"] = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    user = place.add_user(statement)
    place.run(on_behalf.data_key(call_of(place, user), key_id, CONTEXT))
    assert refusal(place.kms(user).generate_data_key, KeyId=key_id, KeySpec="AES_256")[0] == "AccessDeniedException"


def test_use_is_recorded_with_what_the_service_knows(place: Place, new_key: NewKey) -> None:
    """The record of the use holds the service's facts, the key, the context and the way it came."""
    key_id = new_key()
    call = msgspec.structs.replace(
        call_of(place), request_id="12345678-behalf", record=RequestRecord({"bucket": "bucket"})
    )
    place.run(on_behalf.data_key(call, key_id, CONTEXT))
    (record,) = place.record("12345678-behalf")
    assert record.key_id == key_id
    assert record.draft["operation"] == "s3:PutObject"
    assert record.draft["use"] == "kms:GenerateDataKey"
    assert record.draft["via"] == f"s3.{REGION}.amazonaws.com"
    assert record.draft["context"] == CONTEXT
    assert record.draft["facts"] == {"bucket": "bucket"}


def test_managed_key_is_made_on_first_use(place: Place) -> None:
    """Without a key, alias/aws/s3 is used; it is made once, however many ask at the same time."""
    region = "eu-north-1"
    calls = [call_of(place, region=region) for _ in range(8)]

    async def together() -> list[on_behalf.DataKey]:
        return list(await asyncio.gather(*(on_behalf.data_key(call, None, CONTEXT) for call in calls)))

    arns = {made.key_arn for made in place.run(together())}
    assert len(arns) == 1
    client = place.kms(region=region)
    (entry,) = [one for one in client.list_aliases()["Aliases"] if "TargetKeyId" in one]
    assert entry["AliasName"] == "alias/aws/s3"
    assert arns == {f"arn:aws:kms:{region}:{ACCOUNT}:key/{entry['TargetKeyId']}"}
    assert [key["KeyId"] for key in client.list_keys()["Keys"]] == [entry["TargetKeyId"]]
    shown = client.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert (shown["KeyManager"], shown["Enabled"]) == ("AWS", True)


def test_managed_key_serves_s3_only(place: Place) -> None:
    """The AWS-managed key can be used by everybody in the account through S3, by nobody directly, nor changed."""
    region = "eu-south-1"
    user = place.add_user(allow("s3:*"))
    made = place.run(on_behalf.data_key(call_of(place, user, region), None, CONTEXT))
    assert place.run(on_behalf.open_data_key(call_of(place, user, region), made.blob, CONTEXT)) == made.plaintext
    root = place.kms(region=region)
    key_id = made.key_arn.rsplit("/", 1)[1]
    policy = json.loads(root.get_key_policy(KeyId=key_id)["Policy"])
    assert policy["Id"] == "auto-s3-2"
    conditions = policy["Statement"][0]["Condition"]["StringEquals"]
    assert conditions == {"kms:ViaService": f"s3.{region}.amazonaws.com", "kms:CallerAccount": ACCOUNT}
    refused: list[tuple[Any, dict[str, Any]]] = [
        (root.generate_data_key, {"KeySpec": "AES_256"}),
        (root.encrypt, {"Plaintext": b"x"}),
        (root.disable_key, {}),
        (root.enable_key, {}),
        (root.schedule_key_deletion, {}),
        (root.put_key_policy, {"Policy": json.dumps(policy), "BypassPolicyLockoutSafetyCheck": True}),
        (root.tag_resource, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        (root.update_key_description, {"Description": "x"}),
    ]
    for call, members in refused:
        assert refusal(call, KeyId=key_id, **members)[0] == "AccessDeniedException", call
    assert refusal(root.create_alias, AliasName="alias/own", TargetKeyId=key_id)[0] == "AccessDeniedException"
    assert refusal(root.decrypt, CiphertextBlob=made.blob, EncryptionContext=CONTEXT)[0] == "AccessDeniedException"


def test_described_alias_makes_its_key(place: Place) -> None:
    """DescribeKey of alias/aws/s3 makes the key of that region, for whoever may describe keys."""
    region = "ap-southeast-4"
    client = place.kms(region=region)
    missing = f"Alias arn:aws:kms:{region}:{ACCOUNT}:alias/aws/s3 is not found."
    assert refusal(client.encrypt, KeyId="alias/aws/s3", Plaintext=b"x") == ("NotFoundException", missing)
    stranger = place.kms(place.add_user(), region)
    assert refusal(stranger.describe_key, KeyId="alias/aws/s3")[0] == "AccessDeniedException"
    assert client.list_keys()["Keys"] == []
    described = client.describe_key(KeyId="alias/aws/s3")["KeyMetadata"]
    assert described["KeyManager"] == "AWS"
    made = place.run(on_behalf.data_key(call_of(place, region=region), None, CONTEXT))
    assert made.key_arn == described["Arn"]
    arn = f"arn:aws:kms:{region}:{ACCOUNT}:alias/aws/s3"
    assert client.describe_key(KeyId=arn)["KeyMetadata"] == described


def test_managed_key_is_the_accounts_own(place: Place) -> None:
    """Another account has its own alias/aws/s3 and cannot open what ours encrypted."""
    made = place.run(on_behalf.data_key(call_of(place), None, CONTEXT))
    other = call_of(place, account=OTHER_ACCOUNT)
    theirs = place.run(on_behalf.data_key(other, None, CONTEXT))
    assert theirs.key_arn != made.key_arn
    with pytest.raises(AccessDenied) as caught:
        place.run(on_behalf.open_data_key(other, made.blob, CONTEXT))
    assert caught.value.sentence.endswith(f"on the resource associated with this ciphertext {UNSEEN}")


def test_service_key_is_hidden(place: Place) -> None:
    """The service-owned key of SSE-S3 is in no list, has no alias, and is as if it did not exist for every caller."""
    region = "me-south-1"
    nobody = place.add_user()
    call = call_of(place, nobody, region)
    made = place.run(on_behalf.service_data_key(call, ACCOUNT, CONTEXT))
    assert place.run(on_behalf.open_service_data_key(call, made.blob, CONTEXT)) == made.plaintext
    again = place.run(on_behalf.service_data_key(call, ACCOUNT, CONTEXT))
    assert again.key_arn == made.key_arn
    root = place.kms(region=region)
    key_id = made.key_arn.rsplit("/", 1)[1]
    assert root.list_keys()["Keys"] == []
    assert not any("TargetKeyId" in one for one in root.list_aliases()["Aliases"])
    missing = ("NotFoundException", f"Key '{made.key_arn}' does not exist")
    assert refusal(root.describe_key, KeyId=key_id) == missing
    assert refusal(root.describe_key, KeyId=made.key_arn) == missing
    assert refusal(root.put_key_policy, KeyId=key_id, Policy="{}") == missing
    assert refusal(root.schedule_key_deletion, KeyId=key_id) == missing
    assert refusal(root.generate_data_key, KeyId=key_id, KeySpec="AES_256") == missing
    assert refusal(root.create_alias, AliasName="alias/x", TargetKeyId=key_id) == missing
    code, message = refusal(root.decrypt, CiphertextBlob=made.blob, EncryptionContext=CONTEXT)
    assert code == "AccessDeniedException"
    assert message.endswith(f"on the resource associated with this ciphertext {UNSEEN}")
    assert place.kms(region=region).list_keys()["Keys"] == []


def test_service_key_opens_its_own_blobs_only(place: Place, new_key: NewKey) -> None:
    """A blob of a customer's key does not open as a service's, nor the other way round, and contexts bind."""
    call = call_of(place)
    customer = place.run(on_behalf.data_key(call, new_key(), CONTEXT))
    service = place.run(on_behalf.service_data_key(call, ACCOUNT, CONTEXT))
    for blob, context in ((customer.blob, CONTEXT), (service.blob, {}), (b"no blob", CONTEXT)):
        with raises("InvalidCiphertextException"):
            place.run(on_behalf.open_service_data_key(call, blob, context))
    with pytest.raises(AccessDenied):
        place.run(on_behalf.open_data_key(call, service.blob, CONTEXT))


def test_service_key_is_recorded(place: Place) -> None:
    """The use of a service-owned key has its record, with the caller who was the cause."""
    call = msgspec.structs.replace(call_of(place, place.add_user()), request_id="87654321-service")
    place.run(on_behalf.service_data_key(call, ACCOUNT, CONTEXT))
    record = place.record("87654321-service")[-1]
    assert (record.draft["use"], record.draft["manager"]) == ("kms:GenerateDataKey", "SERVICE")
    assert record.draft["principal"] == call.principal.arn


def test_bucket_region_counts(place: Place) -> None:
    """The bucket's region decides where the key is, whatever region the request was signed for."""
    made = place.run(on_behalf.data_key(call_of(place), None, CONTEXT, region="ca-central-1"))
    assert ":ca-central-1:" in made.key_arn
    call = call_of(place)
    assert place.run(on_behalf.open_data_key(call, made.blob, CONTEXT, region="ca-central-1")) == made.plaintext
    assert call.region == REGION
