"""S3 Bucket Keys: KMS is asked seldom, the right to the KMS key is decided for every request all the same."""

import base64
import hmac
import json
import os
import sqlite3
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from sqlalchemy import Connection, text

from fuin.envelope import bucket_key as wrapping
from fuin.envelope.stream import parse_header
from fuin.errors import TamperedError
from fuin.formats import context
from fuin.gate.bucket_keys import BucketKeys
from fuin.keyholder.wire import line
from tests.s3.test_encryption import default
from tests.security.test_held_bodies import finish, held
from tests.support.place import ACCOUNT, Place, Reply
from tests.support.policies import Policy, allow

SSE = "x-amz-server-side-encryption"
DATA = os.urandom(300_000)
FROM_KMS, FROM_MEMORY = "KMS", "memory"


@pytest.fixture
def new_key(place: Place) -> str:
    """Give the ARN of a KMS key of this test's own."""
    return place.new_key()


@pytest.fixture
def keyed(place: Place, bucket: str, new_key: str) -> str:
    """Give a bucket whose default encryption has a bucket key under the test's KMS key."""
    default(place, bucket, "aws:kms", new_key, BucketKeyEnabled=True)
    return bucket


@pytest.fixture(autouse=True)
def cold(place: Place) -> None:
    """Let no test find bucket keys of another one in memory."""
    place.services.bucket_keys = BucketKeys()


def put(place: Place, bucket: str, key: str = "k", body: bytes = DATA, **options: Any) -> Reply:
    """Write an object."""
    return place.send("PUT", f"/{bucket}/{key}", options.pop("headers", {}), body, **options)


def get(place: Place, bucket: str, key: str = "k", **options: Any) -> Reply:
    """Read an object."""
    return place.send(options.pop("method", "GET"), f"/{bucket}/{key}", options.pop("headers", {}), **options)


def uses(place: Place, reply: Reply) -> list[str]:
    """Return the uses of KMS keys that the records of a request hold."""
    return [draft["use"] for draft in place.drafts(reply.headers["x-amz-request-id"]) if "use" in draft]


def last_facts(place: Place, reply: Reply) -> dict[str, Any]:
    """Return the facts of a request's last record."""
    facts: dict[str, Any] = place.drafts(reply.headers["x-amz-request-id"])[-1]["facts"]
    return facts


def test_kms_is_asked_once_for_many_objects(place: Place, keyed: str, new_key: str) -> None:
    """Once to write and once to read; each request has its own record, which names the KMS key and the bucket key."""
    bound = {"aws:s3:arn": f"arn:aws:s3:::{keyed}"}
    stored = [put(place, keyed, str(number)) for number in range(3)]
    assert [uses(place, reply) for reply in stored] == [["kms:GenerateDataKey"], [], []]
    fetched = [get(place, keyed, str(number)) for number in range(3)]
    assert [uses(place, reply) for reply in fetched] == [["kms:Decrypt"], [], []]
    for reply in stored + fetched:
        assert (reply.status, reply.headers[SSE]) == (200, "aws:kms")
        assert reply.headers[f"{SSE}-aws-kms-key-id"] == new_key
        assert reply.headers[f"{SSE}-bucket-key-enabled"] == "true"
        facts = last_facts(place, reply)
        assert (facts["keyArn"], facts["context"]) == (new_key, bound)
        (used,) = facts["bucketKeys"]
        assert used["key"] == new_key
        assert used["from"] == (FROM_KMS if reply in (stored[0], fetched[0]) else FROM_MEMORY)
        assert used["use"] == ("kms:GenerateDataKey" if reply in stored else "kms:Decrypt")
    assert all(reply.body == DATA for reply in fetched)
    asked = place.drafts(stored[0].headers["x-amz-request-id"])[0]
    assert (asked["use"], asked["key"], asked["context"]) == ("kms:GenerateDataKey", new_key, bound)
    for reply in stored[1:] + fetched[1:]:
        allowed = [one["action"] for one in place.drafts(reply.headers["x-amz-request-id"])[-1]["decisions"]]
        assert allowed[-1] in ("kms:GenerateDataKey", "kms:Decrypt"), "the right was decided for this request"


def test_a_write_is_on_the_record_before_it_is_made(place: Place, keyed: str) -> None:
    """Also without a use of the KMS key."""
    put(place, keyed)
    before, after = place.drafts(put(place, keyed).headers["x-amz-request-id"])
    assert (before["about"], before["facts"]["bucketKeys"][0]["from"]) == ("change", FROM_MEMORY)
    assert "etag" not in before["facts"]
    assert "etag" in after["facts"]


def test_each_caller_and_bucket_has_its_own(place: Place, keyed: str, new_key: str) -> None:
    """KMS hears of every principal, bucket, key and context once."""
    other = place.bucket()
    default(place, other, "aws:kms", new_key, BucketKeyEnabled=True)
    user = place.add_user(allow("*"))
    tenant = base64.b64encode(b'{"tenant":"7"}').decode()
    pairs = {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": new_key, f"{SSE}-context": tenant}
    put(place, keyed)
    for options in ({"user": user}, {"headers": {SSE: "aws:kms"}}, {"headers": pairs}):
        assert uses(place, put(place, keyed, **options))[-1:] == ["kms:GenerateDataKey"]
        assert uses(place, put(place, keyed, **options)) == []
    assert uses(place, put(place, other)) == ["kms:GenerateDataKey"]
    assert last_facts(place, put(place, keyed, headers=pairs))["context"]["tenant"] == "7"
    assert get(place, keyed).body == DATA
    assert uses(place, get(place, keyed, user=user)) == ["kms:Decrypt"]
    assert uses(place, get(place, keyed)) == []


def test_the_header_and_the_bucket_choose(place: Place, keyed: str, new_key: str) -> None:
    """A header goes before the bucket's setting, which also holds for a key that the request names."""
    flag, named = f"{SSE}-bucket-key-enabled", {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": new_key}
    plain = place.bucket()
    for bucket, headers, has in (
        (keyed, {}, True), (keyed, named, True), (keyed, {flag: "false"}, False),
        (keyed, named | {flag: "False"}, False), (keyed, {SSE: "AES256", flag: "true"}, False),
        (plain, named, False), (plain, named | {flag: "true"}, True), (plain, {flag: "true"}, False),
    ):  # fmt: skip
        stored = put(place, bucket, headers=headers)
        for reply in (stored, get(place, bucket), get(place, bucket, method="HEAD")):
            assert reply.status == 200
            assert (reply.headers.get(flag) == "true") is has, (bucket, headers)
    default(place, keyed, "aws:kms", new_key)
    assert flag not in put(place, keyed).headers


def test_the_managed_key_has_bucket_keys_too(place: Place, bucket: str) -> None:
    """Without a key, alias/aws/s3 is used."""
    default(place, bucket, "aws:kms", BucketKeyEnabled=True)
    first, second = put(place, bucket), put(place, bucket)
    arn = place.kms().describe_key(KeyId="alias/aws/s3")["KeyMetadata"]["Arn"]
    assert [reply.headers[f"{SSE}-aws-kms-key-id"] for reply in (first, second)] == [arn, arn]
    assert uses(place, second) == []


def _denied(place: Place, key: str) -> None:
    statements = [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "kms:*", "Resource": "*"},
        {"Effect": "Deny", "Principal": "*", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": "*"},
    ]
    policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
    place.kms().put_key_policy(KeyId=key, PolicyName="default", Policy=policy)


def _deleted(place: Place, key: str) -> None:
    allowed = [{"TagKey": "fuin:allow-deletion-with-dependents", "TagValue": "true"}]
    place.kms().tag_resource(KeyId=key, Tags=allowed)
    place.kms().schedule_key_deletion(KeyId=key)


REVOCATIONS = [
    ("the policy of the user", lambda place, key, user: place.set_policy(user, allow("s3:*")), "AccessDenied"),
    ("the key policy", lambda place, key, user: _denied(place, key), "AccessDenied"),
    ("DisableKey", lambda place, key, user: place.kms().disable_key(KeyId=key), "KMS.DisabledException"),
    ("deletion", lambda place, key, user: _deleted(place, key), "KMS.KMSInvalidStateException"),
]


@pytest.mark.parametrize(("how", "revoke", "code"), REVOCATIONS, ids=[how for how, *_ in REVOCATIONS])
def test_revocation_is_exact(place: Place, keyed: str, new_key: str, how: str, revoke: Any, code: str) -> None:
    """The very next read and write is refused, however warm the bucket key is, and its plaintext is wiped."""
    user = place.add_user(allow("s3:*", "kms:*"))
    for _ in range(2):
        assert put(place, keyed, user=user).status == 200
        assert get(place, keyed, user=user).body == DATA
    kept = list(place.services.bucket_keys._keys.values())
    assert len(kept) == 2
    revoke(place, new_key, user)
    refused = put(place, keyed, "other", user=user), get(place, keyed, user=user)
    assert [reply.code for reply in refused] == [code, code]
    assert place.send("GET", f"/{keyed}/other").status == 404
    assert [one.plaintext.reveal() for one in kept] == [bytes(32), bytes(32)]
    assert len(place.services.bucket_keys) == 0
    for reply in refused:
        assert uses(place, reply) == []
        assert "bucketKeys" not in last_facts(place, reply)


def test_a_key_that_is_enabled_again_serves_again(place: Place, keyed: str, new_key: str) -> None:
    """KMS is asked anew."""
    put(place, keyed)
    place.kms().disable_key(KeyId=new_key)
    assert put(place, keyed).code == "KMS.DisabledException"
    place.kms().enable_key(KeyId=new_key)
    assert uses(place, put(place, keyed)) == ["kms:GenerateDataKey"]
    assert get(place, keyed).body == DATA


def _bound(arn: str) -> Policy:
    policy = allow("s3:*")
    condition = {"StringLike": {"kms:EncryptionContext:aws:s3:arn": arn}}
    policy["Statement"].append({"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition})
    return policy


def test_another_process_disables_the_key(place: Place, keyed: str, new_key: str) -> None:
    """Its commit is the moment of revocation for this worker, too: no message has to arrive."""
    put(place, keyed)
    assert get(place, keyed).body == DATA
    with closing(sqlite3.connect(place.settings.data / "fuin.db")) as database, database:
        key_id = new_key.rpartition("/")[2]
        assert database.execute("UPDATE keys SET state = 'Disabled' WHERE key_id = ?", [key_id]).rowcount == 1
        database.execute("UPDATE epoch SET value = value + 1")
    assert [put(place, keyed).code, get(place, keyed).code] == ["KMS.DisabledException"] * 2
    assert len(place.services.bucket_keys) == 0


def test_a_grant_for_the_bucket(place: Place, keyed: str, new_key: str) -> None:
    """A constraint on the context is met by the bucket's ARN; a revoked grant counts at once."""
    user = place.add_user(allow("s3:*"))
    for arn, status in ((f"arn:aws:s3:::{keyed}/k", 403), (f"arn:aws:s3:::{keyed}", 200)):
        grant = place.kms().create_grant(
            KeyId=new_key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:user/{user.name}",
            Operations=["GenerateDataKey", "Decrypt"], Constraints={"EncryptionContextSubset": {"aws:s3:arn": arn}},
        )  # fmt: skip
        assert [put(place, keyed, user=user).status for _ in range(2)] == [status, status]
    assert get(place, keyed, user=user).body == DATA
    place.kms().revoke_grant(KeyId=new_key, GrantId=grant["GrantId"])
    assert [put(place, keyed, user=user).code, get(place, keyed, user=user).code] == ["AccessDenied"] * 2


def test_what_the_index_holds(place: Place, keyed: str, new_key: str) -> None:
    """Without a bucket key the row is as it always was; with one it has one member more, and names the material."""
    put(place, keyed, "with")
    put(place, keyed, "without", headers={f"{SSE}-bucket-key-enabled": "false"})

    def read(conn: Connection) -> list[Any]:
        found = conn.execute(
            text("SELECT encryption, kms_key_arn, kms_material_id FROM objects WHERE bucket = :b ORDER BY key"),
            {"b": keyed},
        )
        return list(found)

    rows = place.run(place.services.store.read(read))
    assert [set(json.loads(row[0])) for row in rows] == [
        {"algorithm", "key", "context", "blob", "wrapped"}, {"algorithm", "key", "context", "blob"},
    ]  # fmt: skip
    assert {row[1] for row in rows} == {new_key}
    assert rows[0][2] == rows[1][2] is not None


def test_the_context_is_the_buckets_arn(place: Place, keyed: str) -> None:
    """A policy that demands an object's ARN refuses bucket keys, as on AWS; one that demands the bucket's allows."""
    user = place.add_user(_bound(f"arn:aws:s3:::{keyed}/*"))
    assert put(place, keyed, user=user).code == "AccessDenied"
    assert put(place, keyed, headers={f"{SSE}-bucket-key-enabled": "false"}, user=user).status == 200
    place.set_policy(user, _bound(f"arn:aws:s3:::{keyed}"))
    for _ in range(2):
        assert put(place, keyed, user=user).status == 200
        assert get(place, keyed, user=user).body == DATA
    assert put(place, keyed, headers={f"{SSE}-bucket-key-enabled": "false"}, user=user).code == "AccessDenied"


def test_a_condition_is_evaluated_for_every_request(place: Place, keyed: str) -> None:
    """A right that depends on the request holds for that request only, whatever is in memory."""
    policy = allow("s3:*")
    condition = {"StringEquals": {"aws:UserAgent": "trusted"}}
    policy["Statement"].append({"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Condition": condition})
    user = place.add_user(policy)
    assert put(place, keyed, headers={"user-agent": "trusted"}, user=user).status == 200
    assert put(place, keyed, headers={"user-agent": "other"}, user=user).code == "AccessDenied"
    assert put(place, keyed, headers={"user-agent": "trusted"}, user=user).status == 200


def test_rotation_brings_a_new_bucket_key(place: Place, keyed: str, new_key: str) -> None:
    """At once; what was written before opens as before."""
    put(place, keyed, "before")
    place.kms().rotate_key_on_demand(KeyId=new_key)
    after = put(place, keyed, "after")
    assert uses(place, after) == ["kms:GenerateDataKey"]
    assert uses(place, put(place, keyed, "after")) == []
    materials = {entry.material_id for name in ("before", "after") for entry in _opened(place, keyed, name)}
    assert len(materials) == 2


def _opened(place: Place, bucket: str, key: str) -> list[Any]:
    reply = get(place, bucket, key)
    assert reply.body == DATA
    return [entry for entry in place.record(reply.headers["x-amz-request-id"]) if "use" in entry.draft]


def test_an_alias_that_is_moved(place: Place, keyed: str, new_key: str) -> None:
    """The next object is under the key that the alias names now."""
    alias, other = f"alias/{keyed}", place.new_key()
    place.kms().create_alias(AliasName=alias, TargetKeyId=new_key)
    headers = {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": alias}
    assert put(place, keyed, headers=headers).headers[f"{SSE}-aws-kms-key-id"] == new_key
    place.kms().update_alias(AliasName=alias, TargetKeyId=other)
    assert put(place, keyed, headers=headers).headers[f"{SSE}-aws-kms-key-id"] == other
    assert get(place, keyed).body == DATA


@pytest.mark.parametrize("lost", ["the right", "the key", "nothing"])
def test_the_commit_asks_for_the_right_again(place: Place, keyed: str, new_key: str, lost: str) -> None:
    """A right to the KMS key that is lost while the body comes lets no object in that memory has served."""
    user = place.add_user(allow("s3:*", "kms:*"))
    put(place, keyed, user=user)
    target, body = f"/{keyed}/late", b"late"
    with held(place, target, place.signed("PUT", target, {}, body, user=user), body) as connection:
        if lost == "the right":
            place.set_policy(user, allow("s3:*"))
        elif lost == "the key":
            place.kms().disable_key(KeyId=new_key)
        else:
            place.set_policy(user, allow("s3:PutObject", "kms:GenerateDataKey"))
        status = {"the right": b" 403 ", "the key": b" 400 ", "nothing": b" 200 "}[lost]
        assert status in finish(connection, body)
    found = place.s3().list_objects_v2(Bucket=keyed)
    assert [entry["Key"] for entry in found["Contents"]] == (["k", "late"] if lost == "nothing" else ["k"])


@pytest.mark.parametrize("lost", [True, False])
def test_an_alias_that_moves_while_the_body_comes(place: Place, keyed: str, new_key: str, lost: bool) -> None:
    """The object is under the key from before, so it is the right to that one that counts."""
    alias, other = f"alias/late-{keyed}", place.new_key()
    place.kms().create_alias(AliasName=alias, TargetKeyId=new_key)
    user = place.add_user(allow("s3:*", "kms:*"))
    headers = {SSE: "aws:kms", f"{SSE}-aws-kms-key-id": alias}
    put(place, keyed, headers=headers, user=user)
    target, body = f"/{keyed}/late", b"late"
    with held(place, target, place.signed("PUT", target, headers, body, user=user), body) as connection:
        place.kms().update_alias(AliasName=alias, TargetKeyId=other)
        if lost:
            place.kms().disable_key(KeyId=new_key)
        assert (b" 400 " if lost else b" 200 ") in finish(connection, body)
    assert get(place, keyed, "late").status == (404 if lost else 200)


def test_copies_between_all_ways(place: Place, keyed: str, new_key: str) -> None:
    """To and from bucket keys; the record names the uses for the source and for the copy."""
    plain = place.bucket()
    put(place, keyed)
    put(place, keyed)
    get(place, keyed)
    source = {"x-amz-copy-source": f"{keyed}/k"}
    within = place.send("PUT", f"/{keyed}/copy", source)
    assert within.headers[f"{SSE}-bucket-key-enabled"] == "true"
    served = [(one["use"], one["from"]) for one in last_facts(place, within)["bucketKeys"]]
    assert served == [("kms:Decrypt", FROM_MEMORY), ("kms:GenerateDataKey", FROM_MEMORY)]
    assert place.drafts(within.headers["x-amz-request-id"])[0]["about"] == "change"
    out = place.send("PUT", f"/{plain}/copy", source)
    assert (out.headers[SSE], out.headers.get(f"{SSE}-bucket-key-enabled")) == ("AES256", None)
    back = place.send("PUT", f"/{keyed}/back", {"x-amz-copy-source": f"{plain}/copy"})
    assert back.headers[f"{SSE}-bucket-key-enabled"] == "true"
    own = place.send("PUT", f"/{keyed}/own", source | {f"{SSE}-bucket-key-enabled": "false"})
    assert f"{SSE}-bucket-key-enabled" not in own.headers
    for bucket, key in ((keyed, "copy"), (plain, "copy"), (keyed, "back"), (keyed, "own")):
        assert get(place, bucket, key).body == DATA
    reader = place.add_user(allow("s3:*", "kms:GenerateDataKey"))
    assert place.send("PUT", f"/{plain}/refused", source, user=reader).code == "AccessDenied"


def test_uploads_in_parts(place: Place, keyed: str, new_key: str) -> None:
    """One bucket key for creation and parts; each step needs kms:Decrypt; a part is recorded before it is put."""
    user = place.add_user(allow("s3:*", "kms:GenerateDataKey", "kms:Decrypt"))
    put(place, keyed, user=user)
    path, first, last = f"/{keyed}/parts", os.urandom(5 * 1024 * 1024), b"the end"
    created = place.send("POST", f"{path}?uploads", user=user)
    assert uses(place, created) == []
    assert created.headers[f"{SSE}-bucket-key-enabled"] == "true"
    target = f"{path}?uploadId={created.text('UploadId')}"
    parts = ""
    for number, data in ((1, first), (2, last)):
        done = place.send("PUT", f"{target}&partNumber={number}", {}, data, user=user)
        assert done.headers[f"{SSE}-bucket-key-enabled"] == "true"
        assert uses(place, done) == (["kms:Decrypt"] if number == 1 else [])
        parts += f"<Part><PartNumber>{number}</PartNumber><ETag>{done.headers['etag']}</ETag></Part>"
    assert place.drafts(done.headers["x-amz-request-id"])[0]["about"] == "change"
    copied = place.send("PUT", f"{target}&partNumber=3", {"x-amz-copy-source": f"{keyed}/k"}, user=user)
    assert copied.status == 200
    assert place.send("GET", target, user=user).status == 200
    place.set_policy(user, allow("s3:*", "kms:GenerateDataKey"))
    for method, step, data in (("PUT", f"{target}&partNumber=2", last), ("GET", target, b"")):
        assert place.send(method, step, {}, data, user=user).code == "AccessDenied"
    body = f"<CompleteMultipartUpload>{parts}</CompleteMultipartUpload>".encode()
    complete = place.send("POST", target, {}, body, user=user)
    assert complete.headers[f"{SSE}-bucket-key-enabled"] == "true"
    for reply in (get(place, keyed, "parts"), get(place, keyed, "parts", method="HEAD")):
        assert reply.headers[f"{SSE}-bucket-key-enabled"] == "true"
    assert get(place, keyed, "parts").body == first + last
    part = get(place, keyed, "parts", headers={"range": f"bytes={len(first) - 3}-{len(first) + 2}"})
    assert part.body == (first + last)[len(first) - 3 : len(first) + 3]


def test_the_checksum_needs_the_right(place: Place, keyed: str, new_key: str) -> None:
    """HEAD needs no key; with the checksum it does, from memory as well."""
    put(place, keyed)
    user, mode = place.add_user(allow("s3:GetObject", "kms:Decrypt")), {"x-amz-checksum-mode": "ENABLED"}
    assert get(place, keyed, method="HEAD", headers=mode, user=user).status == 200
    place.set_policy(user, allow("s3:GetObject"))
    assert get(place, keyed, method="HEAD", headers=mode, user=user).status == 403
    assert get(place, keyed, method="HEAD", user=user).status == 200


def test_a_data_key_opens_for_its_own_object(place: Place, keyed: str) -> None:
    """Neither its ciphertext nor the whole row opens under another name, nor with a changed byte."""
    put(place, keyed, "a")
    put(place, keyed, "b")
    assert get(place, keyed, "a").body == DATA
    move = "UPDATE objects SET encryption = (SELECT encryption FROM objects WHERE bucket = :b AND key = :from) "
    place.sql(move + "WHERE bucket = :b AND key = :to", **{"b": keyed, "from": b"a", "to": b"b"})
    reply = get(place, keyed, "b")
    assert (reply.status, DATA[:16] in reply.body) == (500, False)
    place.sql("UPDATE objects SET encryption = replace(encryption, '\"wrapped\":\"', '\"wrapped\":\"AAAA') "
              "WHERE bucket = :b AND key = :to", b=keyed, to=b"a")  # fmt: skip
    assert get(place, keyed, "a").status == 500


def test_what_lies_on_the_disk(place: Place, keyed: str, new_key: str) -> None:
    """Ciphertext; the header names KMS key and bucket key, and no file or record holds a plaintext key."""
    before = set(place.blobs())
    put(place, keyed, body=os.urandom(16) + DATA)
    get(place, keyed)
    (blob,) = set(place.blobs()) - before
    raw = blob.read_bytes()
    assert DATA[:16] not in raw
    header = parse_header(raw)
    (entry,) = header.encrypted_data_keys
    assert (entry.provider, entry.info) == (wrapping.PROVIDER, new_key.encode())
    assert header.context == {"aws:s3:arn": f"arn:aws:s3:::{keyed}/k"}
    size = int.from_bytes(entry.ciphertext[:2], "big")
    kms_blob, wrapped = entry.ciphertext[2 : 2 + size], entry.ciphertext[2 + size :]
    kept = list(place.services.bucket_keys._keys.values())
    assert {one.blob for one in kept} == {kms_blob}
    secrets = {one.plaintext.reveal() for one in kept}
    assert len(secrets) == 1
    opened = place.kms().decrypt(CiphertextBlob=kms_blob, EncryptionContext={"aws:s3:arn": f"arn:aws:s3:::{keyed}"})
    assert secrets == {opened["Plaintext"]}
    secrets.add(wrapping.unwrap(opened["Plaintext"], wrapped, header.context))
    for path in Path(place.settings.data).rglob("*"):
        held_bytes = path.read_bytes() if path.is_file() else b""
        for secret in secrets:
            for form in (secret, secret.hex().encode(), base64.b64encode(secret)):
                assert form not in held_bytes, path
    assert all(repr(secret)[2:-1] not in repr(kept) for secret in secrets)


def test_callers_that_come_together_ask_once(place: Place, keyed: str) -> None:
    """One asks KMS; the others wait for it, and decide anew."""
    with ThreadPoolExecutor(8) as pool:
        replies = list(pool.map(lambda number: put(place, keyed, str(number)), range(16)))
    assert sorted(use for reply in replies for use in uses(place, reply)) == ["kms:GenerateDataKey"]
    assert {reply.status for reply in replies} == {200}
    for reply in replies:
        actions = [one["action"] for one in place.drafts(reply.headers["x-amz-request-id"])[-1]["decisions"]]
        assert actions.count("kms:GenerateDataKey") == 1


def _open_blobs(place: Place) -> list[str]:
    links = [f"/proc/self/fd/{name}" for name in os.listdir("/proc/self/fd")]
    targets = [os.readlink(link) for link in links if os.path.exists(link)]
    return [target for target in targets if target.startswith(str(place.settings.blobs))]


def test_without_the_keyholder_nothing_is_served(place: Place, keyed: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """A warm bucket key serves no request that cannot be recorded."""
    monkeypatch.setattr(line, "CONNECT_LIMIT", 0.5)
    put(place, keyed)
    assert get(place, keyed).body == DATA
    place.stop_keyholder()
    try:
        assert get(place, keyed).status == 503
        assert _open_blobs(place) == [], "an answer that is not given is closed"
        assert put(place, keyed, "new").status == 503
    finally:
        place.start_keyholder()
    assert get(place, keyed, "new").status == 404
    assert get(place, keyed).body == DATA


def test_the_page_of_the_format_suffices() -> None:
    """A data key opens by what the page says, with HMAC and AES-GCM alone."""
    bucket_key, data_key, pairs = os.urandom(32), os.urandom(32), {"aws:s3:arn": "arn:aws:s3:::b/k", "a": "b"}
    wrapped = wrapping.wrap(bucket_key, data_key, pairs)
    salt, sealed = wrapped[:32], wrapped[32:]
    fixed = b"fuin bucket key 1" + b"\0" + salt + (256).to_bytes(4, "big")
    derived = hmac.digest(bucket_key, (1).to_bytes(4, "big") + fixed, "sha256")
    assert AESGCM(derived).decrypt(bytes(12), sealed, context.encode(pairs)) == data_key
    assert len(wrapped) == 80


def test_a_data_key_opens_for_its_bucket_key_and_context_only() -> None:
    """And each wrapping is another one."""
    key, other, data_key, own = os.urandom(32), os.urandom(32), os.urandom(32), {"aws:s3:arn": "arn:aws:s3:::b/k"}
    wrapped = wrapping.wrap(key, data_key, own)
    assert wrapping.unwrap(key, wrapped, own) == data_key
    assert wrapping.wrap(key, data_key, own) != wrapped
    changed = bytes((wrapped[0] ^ 1,)) + wrapped[1:]
    for chosen, blob, pairs in (
        (other, wrapped, own), (key, wrapped, {}), (key, changed, own), (key, wrapped[:-1], own),
        (key, b"", own),
    ):  # fmt: skip
        with pytest.raises(TamperedError):
            wrapping.unwrap(chosen, blob, pairs)
