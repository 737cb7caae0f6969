"""Every request of the keyholder, over the socket, and the record that it leaves."""

import asyncio
import hmac

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

from fuin.audit import reader
from fuin.audit.reader import Entry
from fuin.audit.verify import verify
from fuin.errors import FormatError, FuinError, MaterialDamaged, TamperedError
from fuin.formats import blob as blobs
from fuin.formats import context
from fuin.formats.wrapped import Material
from fuin.keyholder.offline import audit_checker
from fuin.keyholder.wire.client import Keyholder
from tests.keyholder.process import KEY_ID, OTHER_KEY_ID, Holder, draft, play

CONTEXT = context.encode({"aws:s3:arn": "arn:aws:s3:::bucket/key"})
OTHER_CONTEXT = context.encode({"aws:s3:arn": "arn:aws:s3:::bucket/other"})


def recorded(holder: Holder, number: int) -> list[tuple[str, str, str]]:
    """Return use, outcome and key id of the records with the draft of `number`."""
    return [(entry.use, entry.outcome, entry.key_id) for entry in found(holder, number)]


def found(holder: Holder, number: int) -> list[Entry]:
    """Return the records with the draft of `number`."""
    return reader.find(holder.audit, f"r-{number}")


async def made(client: Keyholder, key_id: str = KEY_ID) -> Material:
    """Return fresh material."""
    return await client.create_material(key_id, "SYMMETRIC_DEFAULT", b"{}")


def test_data_key(holder: Holder) -> None:
    """A data key comes twice, in the clear and sealed; only key, material and context together open it again."""

    async def story(client: Keyholder) -> None:
        material = await made(client)
        plaintext, blob = await client.data_key(material, CONTEXT, 32, draft(10))
        again, other_blob = await client.data_key(material, CONTEXT, 32, draft(10))
        assert len(plaintext) == 32
        assert plaintext != again
        assert len(blob) <= 184
        assert plaintext not in blob
        parsed = blobs.parse(blob)
        assert (parsed.key_id, parsed.material_id) == (KEY_ID, material.material_id)
        assert parsed.salt != blobs.parse(other_blob).salt
        assert await client.decrypt(material, CONTEXT, blob, draft(11)) == plaintext

    play(holder, story)
    assert recorded(holder, 10) == [("data-key", "ok", KEY_ID)] * 2
    assert recorded(holder, 11) == [("decrypt", "ok", KEY_ID)]


def test_records_name_the_material(holder: Holder) -> None:
    """A record says which material was used, as 64 hex digits, and when, and keeps the draft as it came."""

    async def story(client: Keyholder) -> Material:
        material = await made(client)
        await client.encrypt(material, CONTEXT, b"text", b'{"request":"r-20","facts":{"bucket":"b"}}')
        return material

    material = play(holder, story)
    (entry,) = found(holder, 20)
    assert entry.material_id == material.material_id.hex()
    assert entry.draft == {"request": "r-20", "facts": {"bucket": "b"}}
    assert 1_600_000_000 < entry.time < 4_000_000_000


def test_data_key_without_plaintext(holder: Holder) -> None:
    """The sealed data key alone comes, and opens to as many bytes as were asked for."""

    async def story(client: Keyholder) -> bytes:
        material = await made(client, OTHER_KEY_ID)
        blob = await client.data_key_without_plaintext(material, CONTEXT, 1024, draft(30))
        return await client.decrypt(material, CONTEXT, blob, draft(31))

    assert len(play(holder, story)) == 1024
    assert recorded(holder, 30) == [("data-key-without-plaintext", "ok", OTHER_KEY_ID)]


@pytest.mark.parametrize("length", [1, 32, 4096])
def test_encrypt(holder: Holder, length: int) -> None:
    """One to 4,096 bytes are encrypted, and come back."""

    async def story(client: Keyholder) -> bytes:
        material = await made(client)
        blob = await client.encrypt(material, context.EMPTY, bytes(length), draft(40))
        return await client.decrypt(material, context.EMPTY, blob, draft(41))

    assert play(holder, story) == bytes(length)


def test_wrong_context_is_refused_and_recorded(holder: Holder) -> None:
    """A blob does not open under another context, and the attempt is in the log."""

    async def story(client: Keyholder) -> None:
        material = await made(client)
        blob = await client.encrypt(material, CONTEXT, b"text", b"{}")
        with pytest.raises(TamperedError):
            await client.decrypt(material, OTHER_CONTEXT, blob, draft(50))

    play(holder, story)
    assert recorded(holder, 50) == [("decrypt", "tampered", KEY_ID)]


def test_other_material_is_refused(holder: Holder) -> None:
    """A blob does not open with other material of the same key."""

    async def story(client: Keyholder) -> None:
        one, other = await made(client), await made(client)
        blob = await client.encrypt(one, CONTEXT, b"text", b"{}")
        with pytest.raises(TamperedError):
            await client.decrypt(other, CONTEXT, blob, draft(60))

    play(holder, story)
    assert recorded(holder, 60) == [("decrypt", "tampered", KEY_ID)]


def test_re_encrypt_leaves_two_records(holder: Holder) -> None:
    """A blob moves to another key without its plaintext leaving the keyholder; both keys' uses are recorded."""

    async def story(client: Keyholder) -> bytes:
        source, target = await made(client), await made(client, OTHER_KEY_ID)
        blob = await client.encrypt(source, CONTEXT, b"text", b"{}")
        moved = await client.re_encrypt(source, CONTEXT, blob, target, OTHER_CONTEXT, draft(70), draft(71))
        with pytest.raises(TamperedError):
            await client.decrypt(source, CONTEXT, moved, b"{}")
        return await client.decrypt(target, OTHER_CONTEXT, moved, b"{}")

    assert play(holder, story) == b"text"
    assert recorded(holder, 70) == [("re-encrypt-from", "ok", KEY_ID)]
    assert recorded(holder, 71) == [("re-encrypt-to", "ok", OTHER_KEY_ID)]


def test_failed_re_encrypt_does_not_touch_the_target(holder: Holder) -> None:
    """When the source does not open, the target is not used and has no record."""

    async def story(client: Keyholder) -> None:
        source, target = await made(client), await made(client, OTHER_KEY_ID)
        blob = await client.encrypt(source, CONTEXT, b"text", b"{}")
        with pytest.raises(TamperedError):
            await client.re_encrypt(source, OTHER_CONTEXT, blob, target, CONTEXT, draft(80), draft(81))

    play(holder, story)
    assert recorded(holder, 80) == [("re-encrypt-from", "tampered", KEY_ID)]
    assert recorded(holder, 81) == []


def test_random(holder: Holder) -> None:
    """Random bytes come in the length asked for, never twice the same."""

    async def story(client: Keyholder) -> list[bytes]:
        return [await client.random(length, draft(90)) for length in (1, 32, 32, 1024)]

    answers = play(holder, story)
    assert [len(answer) for answer in answers] == [1, 32, 32, 1024]
    assert answers[1] != answers[2]
    assert recorded(holder, 90) == [("random", "ok", "")] * 4


@pytest.mark.parametrize("length", [0, 1025, 2**32 - 1])
def test_lengths_out_of_range_are_refused_and_recorded(holder: Holder, length: int) -> None:
    """AWS's limits hold in the keyholder too; the attempt is in the log."""
    number = 100 + length % 1000

    async def story(client: Keyholder) -> None:
        material = await made(client)
        with pytest.raises(FormatError):
            await client.random(length, draft(number))
        with pytest.raises(FormatError):
            await client.data_key(material, CONTEXT, length, draft(number))

    play(holder, story)
    assert recorded(holder, number) == [("random", "invalid", ""), ("data-key", "invalid", KEY_ID)]


def test_material_of_another_key_is_refused_and_recorded(holder: Holder) -> None:
    """Wrapped material that a row of the store claims for another key does not open."""

    async def story(client: Keyholder) -> None:
        material = await made(client)
        moved = Material(OTHER_KEY_ID, material.material_id, material.spec, material.wrapped)
        with pytest.raises(MaterialDamaged):
            await client.data_key(moved, CONTEXT, 32, draft(110))
        with pytest.raises(MaterialDamaged):
            await client.decrypt(
                Material(KEY_ID, bytes(32), material.spec, material.wrapped), CONTEXT, bytes(162), draft(111)
            )  # fmt: skip

    play(holder, story)
    assert recorded(holder, 110) == [("data-key", "damaged", OTHER_KEY_ID)]
    assert recorded(holder, 111) == [("decrypt", "damaged", KEY_ID)]


@pytest.mark.parametrize(("key_id", "spec"), [(KEY_ID, "SM2"), ("not-a-key-id", "RSA_4096")])
def test_unknown_spec_or_key_id_is_refused(holder: Holder, key_id: str, spec: str) -> None:
    """No material is made for what this keyholder does not have."""

    async def story(client: Keyholder) -> None:
        with pytest.raises(FormatError):
            await client.create_material(key_id, spec, draft(120))

    play(holder, story)
    assert recorded(holder, 120)[-1] == ("create-material", "invalid", "")


def test_create_material_is_recorded(holder: Holder) -> None:
    """The record of new material names it; two are never the same."""

    async def story(client: Keyholder) -> list[Material]:
        return [await client.create_material(KEY_ID, "SYMMETRIC_DEFAULT", draft(130)) for _ in range(2)]

    one, other = play(holder, story)
    assert one.material_id != other.material_id
    assert one.wrapped != other.wrapped
    assert [entry.material_id for entry in found(holder, 130)] == [one.material_id.hex(), other.material_id.hex()]


def test_record(holder: Holder) -> None:
    """A note is in the log when the call returns."""
    play(holder, lambda client: client.record(draft(140)))
    assert recorded(holder, 140) == [("record", "ok", "")]


def test_signing_key_is_aws_own(holder: Holder) -> None:
    """The day key of a sealed secret signs as botocore signs with the secret itself, and leaves no record."""

    async def story(client: Keyholder) -> tuple[str, bytes, int]:
        secret, sealed = await client.new_secret("AKIAIOSFODNN7EXAMPLE")
        before = (await client.status()).sequence
        key = await client.signing_key(sealed, "AKIAIOSFODNN7EXAMPLE", "20260102", "eu-central-1", "s3")
        return secret, key, (await client.status()).sequence - before

    secret, key, records = play(holder, story)
    assert len(secret) == 40
    request = AWSRequest("PUT", "http://x/")
    request.context["timestamp"] = "20260102T030405Z"
    expected = SigV4Auth(Credentials("x", secret), "s3", "eu-central-1").signature("text", request)
    assert hmac.digest(key, b"text", "sha256").hex() == expected
    assert records == 0


def test_sealed_secret_belongs_to_its_access_key(holder: Holder) -> None:
    """A sealed secret under another access key id, or changed, gives no day key; cached ones neither."""

    async def story(client: Keyholder) -> None:
        sealed = await client.seal_secret("AKIAONE", "a-secret-of-some-length")
        good = await client.signing_key(sealed, "AKIAONE", "20260102", "us-east-1", "kms")
        assert good == await client.signing_key(sealed, "AKIAONE", "20260102", "us-east-1", "kms")
        with pytest.raises(MaterialDamaged):
            await client.signing_key(sealed, "AKIATWO", "20260102", "us-east-1", "kms")
        with pytest.raises(MaterialDamaged):
            await client.signing_key(sealed[:-1] + b"\0", "AKIAONE", "20260102", "us-east-1", "kms")
        for scope in (("2026", "r", "s"), ("2026010x", "r", "s"), ("20260102", "", "s"), ("20260102", "r", "x" * 129)):
            with pytest.raises(FormatError):
                await client.signing_key(sealed, "AKIAONE", *scope)

    play(holder, story)


def test_forget(holder: Holder) -> None:
    """Material that was forgotten still works: it is unwrapped again."""

    async def story(client: Keyholder) -> bytes:
        material = await made(client)
        plaintext, blob = await client.data_key(material, CONTEXT, 32, b"{}")
        await client.forget(KEY_ID)
        await client.forget("unknown")
        assert plaintext == await client.decrypt(material, CONTEXT, blob, b"{}")
        return plaintext

    play(holder, story)


def test_status_is_the_head_of_the_log(holder: Holder) -> None:
    """The status names the last durable record and the key that signs; the log verifies up to exactly there."""
    status = play(holder, lambda client: client.status())
    report = verify(holder.audit, audit_checker(holder.audit), (status.sequence, status.head))
    assert (report.sequence, report.head) == (status.sequence, status.head)
    assert status.public_key.hex() == (holder.audit / "public.key").read_text().strip()


def test_many_at_once(holder: Holder) -> None:
    """Three hundred calls in flight, good and bad mixed, each get their own answer, under few checkpoints."""

    async def story(client: Keyholder) -> tuple[int, int]:
        material = await made(client)
        before = (await client.status()).sequence

        async def one(number: int) -> int:
            text = b"%d" % number
            blob = await client.encrypt(material, CONTEXT, text, b"{}")
            if number % 3 == 0:
                with pytest.raises(TamperedError):
                    await client.decrypt(material, OTHER_CONTEXT, blob, b"{}")
                return 1
            assert await client.decrypt(material, CONTEXT, blob, b"{}") == text
            return 1

        done = sum(await asyncio.gather(*(one(number) for number in range(300))))
        return done, (await client.status()).sequence - before

    done, records = play(holder, story)
    assert done == 300
    assert 600 < records < 700  # one record for each of 600 uses, and a checkpoint for each of a few turns


def test_errors_say_nothing_secret(holder: Holder) -> None:
    """What a failing request says holds no byte of what was asked or of any key."""
    texts: list[str] = []

    async def story(client: Keyholder) -> None:
        material = await made(client)
        for call in (
            client.decrypt(material, b"secret-context", b"\x01" + b"s" * 161, b"secret-draft"),
            client.data_key(Material(KEY_ID, bytes(32), "SECRET_SPEC", b"\x01\x01" + b"s" * 120), b"", 32, b"secret"),
            client.seal_secret("AKIASECRET", "secret"),
        ):
            with pytest.raises(FuinError) as caught:
                await call
            texts.append(str(caught.value))

    play(holder, story)
    assert len(texts) == 3
    assert not any("secret" in text.replace("a secret access key has", "").lower() for text in texts)
