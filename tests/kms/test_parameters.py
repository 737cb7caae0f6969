"""What the audit records of KMS requests show of their parameters, and what they never show."""

import json
import secrets
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.formats import notes
from fuin.kms.model.service import service_model
from fuin.kms.operations import OPERATIONS
from fuin.kms.parameters import RECORDED
from tests.support.place import OTHER_ACCOUNT, Place

# Secrets and data, tokens, what has a member of its own in the record, and paging.
NEVER = {
    "CiphertextBlob", "EncryptedKeyMaterial", "GrantToken", "GrantTokens", "ImportToken", "KeyStorePassword", "Mac",
    "Message", "Plaintext", "PublicKey", "Recipient", "SharedSecretCiphertextBlob", "Signature",
    "TrustAnchorCertificate", "XksProxyAuthenticationCredential",
    "DryRun", "DryRunModifiers", "EncryptionContext", "IncludeKeyMaterial", "Limit", "Marker", "ResourceOwners",
}  # fmt: skip
OF_THE_FREQUENT = {
    "DestinationEncryptionAlgorithm", "DestinationEncryptionContext", "DestinationKeyId", "EncryptionAlgorithm",
    "NumberOfBytes", "SourceEncryptionAlgorithm", "SourceEncryptionContext", "SourceKeyId",
}  # fmt: skip


def recorded(place: Place, answer: Any) -> list[dict[str, Any]]:
    """Return the drafts of the records of a request, by its answer or its error."""
    return [dict(entry.draft) for entry in place.record(answer["ResponseMetadata"]["RequestId"])]


def parameters(place: Place, answer: Any) -> Any:
    """Return what the last record of a request shows of its parameters."""
    return recorded(place, answer)[-1].get("facts", {}).get("parameters")


def test_every_member_of_the_model_is_shown_or_not_on_purpose() -> None:
    """A new member of the model must be put on one list; secrets and blobs can be on none but NEVER."""
    for name in service_model().operation_names:
        shape = service_model().operation_model(name).input_shape
        for member, below in shape.members.items() if shape else ():
            assert (member in RECORDED) + (member in NEVER) + (member in OF_THE_FREQUENT) == 1, (name, member)
            if below.type_name == "blob" or below.metadata.get("sensitive"):
                assert member in NEVER, (name, member)
        assert not set(OPERATIONS[name].recorded) & NEVER


def test_signing(place: Place) -> None:
    """Sign and Verify name the algorithm and the message type; neither message nor signature is on the record."""
    kms, message = place.kms(), secrets.token_hex(32).encode()
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    given = {"KeyId": key, "SigningAlgorithm": "ECDSA_SHA_256"}
    signed = kms.sign(Message=message, MessageType="RAW", **given)
    verified = kms.verify(Message=message, Signature=signed["Signature"], **given)
    assert parameters(place, signed) == given | {"MessageType": "RAW"}
    assert parameters(place, verified) == given
    with pytest.raises(ClientError, match="KMSInvalidSignature") as error:
        kms.verify(Message=b"other", Signature=signed["Signature"], **given)
    assert parameters(place, error.value.response) == given
    text = json.dumps([recorded(place, signed), recorded(place, verified)])
    assert message.decode() not in text
    assert set(recorded(place, signed)[-1]["facts"]) <= {"parameters", "kmsKey"}


def test_macs(place: Place) -> None:
    """GenerateMac and VerifyMac name the algorithm."""
    kms = place.kms()
    key = kms.create_key(KeySpec="HMAC_384", KeyUsage="GENERATE_VERIFY_MAC")["KeyMetadata"]["KeyId"]
    given = {"KeyId": key, "MacAlgorithm": "HMAC_SHA_384"}
    made = kms.generate_mac(Message=b"m", **given)
    assert parameters(place, made) == given
    assert parameters(place, kms.verify_mac(Message=b"m", Mac=made["Mac"], **given)) == given


def test_rsa(place: Place) -> None:
    """An algorithm other than SYMMETRIC_DEFAULT is named; that one goes without saying."""
    kms = place.kms()
    key = kms.create_key(KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")["KeyMetadata"]["KeyId"]
    plain = kms.create_key()["KeyMetadata"]["KeyId"]
    given = {"EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
    made = kms.encrypt(KeyId=key, Plaintext=b"x", **given)
    assert parameters(place, made) == given
    assert parameters(place, kms.decrypt(KeyId=key, CiphertextBlob=made["CiphertextBlob"], **given)) == given
    moved = kms.re_encrypt(
        CiphertextBlob=made["CiphertextBlob"], SourceKeyId=key, DestinationKeyId=plain,
        SourceEncryptionAlgorithm="RSAES_OAEP_SHA_256",
    )  # fmt: skip
    assert parameters(place, moved) == {
        "SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_256", "DestinationEncryptionAlgorithm": "SYMMETRIC_DEFAULT",
    }  # fmt: skip
    assert parameters(place, kms.encrypt(KeyId=plain, Plaintext=b"x")) is None


def test_policies_and_grants(place: Place) -> None:
    """What changes rights is on the record with what it says: a policy's text, a grant's constraints."""
    kms = place.kms()
    key = kms.create_key(Description="for grants", Tags=[{"TagKey": "a", "TagValue": "b"}])
    assert parameters(place, key) == {"Description": "for grants", "Tags": [{"TagKey": "a", "TagValue": "b"}]}
    key_id = key["KeyMetadata"]["KeyId"]
    policy = kms.get_key_policy(KeyId=key_id)["Policy"]
    put = kms.put_key_policy(KeyId=key_id, Policy=policy)
    assert parameters(place, put) == {"KeyId": key_id, "Policy": policy}
    grant = {
        "KeyId": key_id, "GranteePrincipal": f"arn:aws:iam::{OTHER_ACCOUNT}:root", "Operations": ["Decrypt"],
        "Constraints": {"EncryptionContextSubset": {"tenant": "a"}}, "Name": "one",
    }  # fmt: skip
    created = kms.create_grant(**grant)
    assert parameters(place, created) == grant
    assert created["GrantToken"] not in json.dumps(recorded(place, created))
    retired = kms.retire_grant(GrantToken=created["GrantToken"])
    assert created["GrantToken"] not in json.dumps(recorded(place, retired))
    alias = kms.create_alias(AliasName="alias/parameters", TargetKeyId=key_id)
    assert parameters(place, alias) == {"AliasName": "alias/parameters", "TargetKeyId": key_id}
    described = kms.describe_key(KeyId="alias/parameters")  # as it was named; the fact kmsKey has the ARN
    assert parameters(place, described) == {"KeyId": "alias/parameters"}


def test_a_long_policy_is_known_by_its_hash(place: Place) -> None:
    """A text of more than 8,192 characters is on the record as its note; refused requests have theirs as well."""
    kms = place.kms()
    key_id = kms.create_key()["KeyMetadata"]["KeyId"]
    document = json.loads(kms.get_key_policy(KeyId=key_id)["Policy"])
    policy = json.dumps(document | {"Id": "x" * 8192})
    put = kms.put_key_policy(KeyId=key_id, Policy=policy)
    assert parameters(place, put)["Policy"] == notes.text_note(policy)
    with pytest.raises(ClientError, match="MalformedPolicyDocument") as error:
        kms.put_key_policy(KeyId=key_id, Policy="{}")
    assert parameters(place, error.value.response) == {"KeyId": key_id, "Policy": "{}"}


def test_a_megabyte_of_parameters_fits_the_record(place: Place) -> None:
    """Who may nothing cannot fill the log, nor ask for so much that the refusal has no record at all."""
    user, room = place.add_user(), place.settings.kms_body_limit - 400
    tag = {"TagKey": "k" * 128, "TagValue": "v" * 256}
    many = [tag] * (room // (len(json.dumps(tag, separators=(",", ":"))) + 1))
    lists: dict[str, Any] = {
        "CreateKey": {"Tags": many, "Description": "d" * 300},
        "TagResource": {"KeyId": "alias/a", "Tags": many},
        "UntagResource": {"KeyId": "alias/a", "TagKeys": ["k" * 128] * 7900},
        "CreateGrant": {"KeyId": "a", "GranteePrincipal": "b", "Operations": ["Decrypt"] * 100_000},
    }
    for operation, given in lists.items():
        body = json.dumps(given, separators=(",", ":")).encode()
        status, answer, headers = place.post(f"TrentService.{operation}", body, user=user)
        assert (status, answer["__type"] != "InternalFailure") == (400, True)
        draft = place.record(headers["x-amzn-requestid"])[-1].draft
        assert draft["error"] == answer["__type"]
        assert len(json.dumps(draft)) < 4096
        if operation == "CreateKey":
            listed = json.dumps(many, separators=(",", ":")).encode()
            expected = {"Description": "d" * 300, "Tags": notes.json_note(json.loads(listed))}
            assert draft["facts"]["parameters"] == expected
