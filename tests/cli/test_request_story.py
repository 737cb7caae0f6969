"""What `fuin explain` tells of audit records: steps in the order in which things happened, and nothing untrue."""

from typing import Any

import pytest

from fuin.audit.reader import Entry
from fuin.cli.audit import filter_entries
from fuin.cli.request_story import request_steps

KEY = "arn:aws:kms:us-east-1:123456789012:key/1ae927d7-589b-474b-b85a-8b35488e1038"
OTHER = "arn:aws:kms:us-east-1:123456789012:key/00000000-589b-474b-b85a-8b35488e1038"
OBJECT = "arn:aws:s3:::papers/a.txt"
CONTEXT = {"aws:s3:arn": OBJECT}
PLACE = {"bucket": "papers", "key": "a.txt"}
USE: dict[str, Any] = {"use": "kms:Decrypt", "key": KEY, "context": CONTEXT}
BOUND = "{aws:s3:arn=arn:aws:s3:::papers/a.txt}"
SEALED = "the encrypted data key (162 bytes)"


def entry(
    operation: str,
    *,
    did: str = "record",
    outcome: str = "ok",
    sequence: int = 7,
    access_key: str = "AKIA",
    **more: Any,
) -> Entry:
    """Return one record; a use of a key names the key's material as the keyholder does."""
    key, material = (KEY.rpartition("/")[2], "7e56c34ea806" + "0" * 52) if did != "record" else ("", "")
    draft = {"operation": operation, "principal": "arn:aws:iam::123456789012:user/w", "accessKey": access_key, **more}
    return Entry(sequence, 1_700_000_000.25, did, outcome, key, material, draft)


def decision(action: str, resource: str, *because: str, allowed: bool = True) -> dict[str, Any]:
    """Return a decision as the gate notes it."""
    return {"action": action, "resource": resource, "allowed": allowed, "because": list(because)}


OBJECT_RIGHT = decision("s3:PutObject", OBJECT, f"identity policy, statement 1, allows s3:PutObject on {OBJECT}")
KEY_RIGHT = decision("kms:GenerateDataKey", KEY, f"statement 2, allows kms:GenerateDataKey on {KEY}")


def upload() -> list[Entry]:
    """Return the records of an upload: the use of the key, then its outcome, which repeats what was known."""
    chosen = {**PLACE, "encryption": "aws:kms", "encryptionChosenBy": "bucket default", "context": CONTEXT}
    sealed = {"keyArn": KEY, "encryptedDataKeyBytes": 162, "frameLength": 262144}
    stored = {**chosen, **sealed, "plaintextBytes": 1000, "storedBytes": 1428, "blob": "03e4"}
    rights = [OBJECT_RIGHT, KEY_RIGHT]
    use = {**USE, "use": "kms:GenerateDataKey"}
    return [
        entry("s3:PutObject", did="data-key", facts=chosen, decisions=rights, **use),
        entry("s3:PutObject", facts=stored, decisions=rights, sequence=9),
    ]


def read_facts(**more: Any) -> dict[str, Any]:
    """Return the facts of a download."""
    kept = {"encryption": "aws:kms", "keyArn": KEY, "context": CONTEXT}
    return {**PLACE, "objectBytes": 20_000_000, "parts": 3, "blobs": ["aa", "bb", "cc"], **kept, **more}


def one(entries: list[Entry], start: str) -> str:
    """Return the one step that starts so."""
    (step,) = [step for step in request_steps(entries) if step.startswith(start)]
    return step


def test_nothing_is_told_of_nothing() -> None:
    """No records, no steps."""
    assert request_steps([]) == []


def test_an_upload_is_told_in_the_order_of_events() -> None:
    """The right to the object, the choice of the key, the right to the key, its use, the bytes, the answer."""
    starts = (
        "arn:aws:iam::123456789012:user/w asked for s3:PutObject on s3://papers/a.txt, signed with access key AKIA",
        "s3:PutObject on",
        "Encryption is aws:kms",
        "kms:GenerateDataKey on",
        "kms:GenerateDataKey: the keyholder made a data key",
        "The worker encrypted 1,000 bytes",
        f"1,428 bytes of ciphertext were stored, {SEALED} in the header: 03e4.",
        "Answered with success",
    )
    steps = request_steps(upload())
    assert len(steps) == len(starts)
    assert all(step.startswith(start) for step, start in zip(steps, starts, strict=True)), steps


def test_the_default_names_its_key() -> None:
    """The step that says who chose the encryption says which key that is, once."""
    assert one(upload(), "Encryption") == (
        f"Encryption is aws:kms with the key {KEY}: the bucket's default encryption names it."
    )


def test_the_key_is_asked_for_as_the_caller() -> None:
    """The object store has no right of its own, and the step about the key says so; the resource is said once."""
    assert one(upload(), "kms:GenerateDataKey on") == (
        f"kms:GenerateDataKey on {KEY}, asked for by the object store as this caller: allowed, "
        "because statement 2, allows kms:GenerateDataKey on it."
    )


def test_a_direct_request_to_kms_is_nobody_elses() -> None:
    """Who asks KMS directly asks for themselves."""
    told = request_steps([entry("kms:Decrypt", did="decrypt", decisions=[decision("kms:Decrypt", KEY, "so")], **USE)])
    assert not any("object store" in step for step in told)
    assert any("opened a ciphertext made under the KMS key" in step for step in told)


def test_stars_in_reasons_stay() -> None:
    """A resource of * is no name that could be said shorter."""
    told = request_steps(
        [entry("kms:ListKeys", decisions=[decision("kms:ListKeys", "*", "statement 1, allows kms:* on *")])]
    )
    assert told[1].endswith("because statement 1, allows kms:* on *.")


@pytest.mark.parametrize(
    ("content_range", "said"),
    [
        (None, "decrypts all 20,000,000 bytes, verifies"),
        ("bytes 8388600-8388699/20000000", "decrypts 100 of 20,000,000 bytes (from 8,388,600 to 8,388,699, counted"),
        ("bytes 0-0/20000000", "decrypts 1 of 20,000,000 bytes (from 0 to 0, counted"),
        ("something else", "decrypts the range something else, verifies"),
    ],
)
def test_a_download_says_what_is_decrypted(content_range: str | None, said: str) -> None:
    """How many bytes of which range, of how many parts, and that each frame is verified before it leaves."""
    facts = read_facts() if content_range is None else read_facts(range=content_range)
    steps = request_steps([entry("s3:GetObject", did="decrypt", facts=facts, **USE)])
    assert "The object has 20,000,000 bytes in 3 parts, each a message of its own: aa, bb, cc." in steps
    assert any(said in step for step in steps), steps
    assert any("opened the encrypted data key that lies beside the ciphertext" in step for step in steps)
    assert f"Encryption is aws:kms with the key {KEY}: as the object is stored." in steps


def test_looking_at_an_object_decrypts_nothing() -> None:
    """HeadObject has the same facts and uses no key."""
    assert not any("decrypt" in step for step in request_steps([entry("s3:HeadObject", facts=read_facts())]))


def test_a_download_that_failed_later_decrypts_nothing() -> None:
    """When an error follows the use of the key, the error is the end."""
    facts = read_facts()
    failed = entry("s3:GetObject", facts=facts, error="InternalError")
    steps = request_steps([entry("s3:GetObject", did="decrypt", facts=facts, **USE), failed])
    assert not any("worker then decrypts" in step for step in steps)
    assert steps[-1] == "Answered with the error InternalError."


def test_a_part_is_told_as_one() -> None:
    """A part says its number, and that it carries the data key of its upload."""
    facts = {**PLACE, "encryption": "aws:kms", "keyArn": KEY, "context": CONTEXT, "part": 2, "frameLength": 262144}
    done = {**facts, "plaintextBytes": 8_388_608, "storedBytes": 8_390_057, "blob": "9d9b"}
    uses = entry("s3:UploadPart", did="decrypt", facts=facts, **USE)
    steps = request_steps([uses, entry("s3:UploadPart", facts=done, sequence=9)])
    assert "s3://papers/a.txt, part 2 of an upload, signed" in steps[0]
    assert f"Encryption is aws:kms with the key {KEY}: as its upload was begun." in steps
    assert "8,390,057 bytes of ciphertext were stored, the upload's encrypted data key in the header: 9d9b." in steps


def test_a_begun_upload_keeps_its_data_key() -> None:
    """Nothing is encrypted yet; the encrypted data key waits for the parts."""
    facts = {**PLACE, "encryption": "aws:kms", "keyArn": KEY, "encryptedDataKeyBytes": 162}
    assert one([entry("s3:CreateMultipartUpload", facts=facts)], "The encrypted") == (
        f"The {SEALED[4:]} was kept with the upload, and the plaintext one dropped."
    )


def test_a_completed_upload_says_what_it_is_made_of() -> None:
    """The parts become the object as they are; of many, the first are named."""
    step = one([entry("s3:CompleteMultipartUpload", facts=read_facts(parts=10_000))], "The object")
    assert "in 10,000 parts, each a message of its own: aa, bb, cc and 9,997 more. Nothing was moved" in step


def test_a_repeated_completion_changed_nothing() -> None:
    """The second request is no second object."""
    facts = {**PLACE, "repeated": True}
    assert "The upload had been completed before: nothing was changed." in request_steps(
        [entry("s3:CompleteMultipartUpload", facts=facts)]
    )


def test_a_copy_names_the_key_of_each_side() -> None:
    """The second record's facts still hold the source's key; its own key is the target's."""
    facts = {**PLACE, "copySource": "other/b.txt", "encryption": "aws:kms", "keyArn": OTHER}
    target = {**facts, "encryptionChosenBy": "request header"}
    source = entry("s3:CopyObject", did="decrypt", facts=facts, **{**USE, "key": OTHER})
    steps = request_steps([source, entry("s3:CopyObject", did="data-key", facts=target, sequence=9, **USE)])
    assert "s3://papers/a.txt, a copy of s3://other/b.txt, signed" in steps[0]
    chosen = [step for step in steps if step.startswith("Encryption")]
    assert chosen == [
        f"Encryption is aws:kms with the key {OTHER}: as the object is stored.",
        f"Encryption is aws:kms with the key {KEY}: the request named it.",
    ]


def test_the_services_own_key_needs_no_right() -> None:
    """Under SSE-S3 the steps have no decision about the key, and say why."""
    facts = {**PLACE, "encryption": "AES256", "encryptionChosenBy": "service default"}
    step = one([entry("s3:PutObject", did="data-key", facts=facts, **USE)], "Encryption")
    assert "the object store's own, for which the caller needs no right: neither the request nor the bucket" in step


def test_a_refused_use_says_that_the_key_was_not_used() -> None:
    """The key that was refused, what for, and that the keyholder was not asked."""
    refused = decision("kms:Decrypt", KEY, f"no identity-based policy allows kms:Decrypt on {KEY}", allowed=False)
    facts = read_facts(refusedUse=USE)
    record = entry("s3:GetObject", facts=facts, decisions=[refused], error="AccessDenied", message="No.")
    steps = request_steps([record])
    assert "REFUSED, because no identity-based policy allows kms:Decrypt on it." in steps[2]
    assert steps[3:] == [
        f"kms:Decrypt, bound to the encryption context {BOUND}: the keyholder was not asked, and the key was not used.",
        "Answered with the error AccessDenied: No.",
    ]


def test_what_the_keyholder_refused_is_an_error() -> None:
    """A ciphertext that does not open is shown as refused by the keyholder."""
    steps = request_steps([entry("kms:Decrypt", did="decrypt", outcome="tampered", **USE)])
    assert "the keyholder REFUSED to do what was asked: tampered" in steps[1]
    assert steps[-1] == "Answered with an error: tampered."


def test_a_buckets_default_is_told() -> None:
    """Putting a default says which key it is from now on."""
    facts = {"bucket": "papers", "encryption": "aws:kms", "defaultKey": KEY}
    steps = request_steps([entry("s3:PutBucketEncryption", facts=facts)])
    assert " on s3://papers, signed" in steps[0]
    assert steps[1] == f"The bucket's default encryption is now aws:kms, with the key {KEY}."


def test_a_buckets_setting_is_told() -> None:
    """What was put, or that it was removed; not where the request was refused."""
    facts = {"bucket": "papers", "settings": {"versioning": {"Status": "Suspended"}}}
    steps = request_steps([entry("s3:PutBucketVersioning", facts=facts)])
    assert steps[1] == """The bucket's versioning is now {"Status": "Suspended"}."""
    facts = {"bucket": "papers", "settings": {"publicAccessBlock": None}}
    assert (
        request_steps([entry("s3:DeletePublicAccessBlock", facts=facts)])[1]
        == "The bucket's publicAccessBlock is now not set."
    )
    assert (
        len(request_steps([entry("s3:DeletePublicAccessBlock", facts=facts, error="AccessDenied", message="No.")])) == 2
    )


@pytest.mark.parametrize(
    ("operation", "said"), [("fuin:PutUserPolicy", "on the server's own machine"), ("s3:GetObject", ", unsigned")]
)
def test_who_signs_nothing(operation: str, said: str) -> None:
    """Commands on the server sign nothing and are not strangers; a request without signature is one."""
    assert said in request_steps([entry(operation, access_key="")])[0]


@pytest.mark.parametrize(
    "unfinished",
    [upload()[:1], [entry("kms:DisableKey", about="change")], [entry("kms:CreateKey", did="create-material")]],
)
def test_without_a_closing_record_nothing_is_a_success(unfinished: list[Entry]) -> None:
    """An announced or begun change is not shown as done."""
    assert request_steps(unfinished)[-1].startswith("There is no record of the outcome")


@pytest.mark.parametrize(("about", "said"), [("change", "change"), ("delete", "deletion")])
def test_an_announced_change_is_told_with_its_outcome(about: str, said: str) -> None:
    """The record before the change is a step, and the closing one the end."""
    steps = request_steps([entry("kms:DisableKey", about=about), entry("kms:DisableKey", sequence=9)])
    assert steps[1:] == [
        f"The {said} was put on the record before it was done: audit record 7.",
        "Answered with success; this record was on the disk before the answer left.",
    ]


def test_a_command_is_recorded_before_it_is_done() -> None:
    """Of what is done on the server's machine, the log knows that it was begun."""
    assert request_steps([entry("fuin:PutUserPolicy", access_key="")])[-1] == (
        "This was put on the record before it was done; the command says whether it was."
    )


def test_temporary_credentials_are_named() -> None:
    """A session's access key is shown with its role and with who asked for it; so are issued credentials."""
    role, alice = "arn:aws:iam::123456789012:role/reader", "arn:aws:iam::123456789012:user/alice"
    session = {"of": role, "name": "night", "issuer": alice, "issuerAccessKey": "AKIAALICE", "sourceIdentity": "al"}
    issued = {"accessKey": "ASIANEXT", "until": "2026-01-31T12:00:00Z"}
    facts = {"session": session, "issued": issued}
    told = request_steps([entry("sts:AssumeRole", access_key="ASIAONE", facts=facts)])
    assert told[1] == (
        f"These are temporary credentials of {role}, given to {alice}, who signed with access key AKIAALICE; "
        "the source identity is al."
    )
    assert told[-2] == "Temporary credentials were given: access key ASIANEXT, until 2026-01-31T12:00:00Z."
    refused = request_steps([entry("sts:AssumeRole", facts=facts, error="AccessDenied")])
    assert not any("were given" in step for step in refused)


def test_a_request_in_pieces_is_told_once() -> None:
    """A long list shows some names, with the decision about them; a missing closing record is reported."""
    many = {**decision("s3:DeleteObject", f"{OBJECT}/0", f"statement 1, allows it on {OBJECT}/0"),
            "resources": [f"{OBJECT}/{number}" for number in range(40)]}  # fmt: skip
    more: dict[str, Any] = {"pieces": 1, "facts": {"bucket": "papers", "objects": 40}}
    piece = entry("s3:DeleteObjects", decisions=[many], about="delete", piece=1)
    announced = entry("s3:DeleteObjects", about="delete", sequence=8, **more)
    told = request_steps([piece, announced, entry("s3:DeleteObjects", sequence=9, **more)])
    others = ", ".join(f"{OBJECT}/{number}" for number in range(1, 11))
    assert told[1] == (
        f"s3:DeleteObject on {OBJECT}/0, and the same on {others} and 29 more (--json names them all): allowed, "
        "because statement 1, allows it on it."
    )
    assert told[2] == "The deletion was put on the record before it was done: audit record 8."
    assert told[3:] == ["Answered with success; this record was on the disk before the answer left."]
    assert request_steps([piece])[-1].startswith("There is no record of the outcome")


def test_long_values_are_told_by_what_is_known_of_them() -> None:
    """A note is shown by its beginning, its length and its hash, in every place."""
    note = {"sha256": "0" * 64, "bytes": 1024, "begins": "abc"}
    known = f"abc… (1,024 bytes, SHA-256 {'0' * 64})"
    reasons = {"sha256": "1" * 64, "bytes": 9000, "items": 2, "holds": ["one", note]}
    refused = {"action": "s3:GetObject", "resource": note, "allowed": False, "because": reasons}
    told = request_steps(
        [entry("s3:GetObject", facts={"bucket": "b", "key": note}, decisions=[refused], error="X", message=note)]
    )
    assert f"on s3://b/{known}, signed with" in told[0]
    assert told[1].startswith(
        f"s3:GetObject on {known}: REFUSED, because one; {known}; all of the reasons: (9,000 bytes"
    )
    assert told[-1] == f"Answered with the error X: {known}"


def test_a_success_that_refused_a_part_says_so() -> None:
    """DeleteObjects answers 200 even if it deletes nothing; a search for attempts must find it."""
    partly = entry("s3:DeleteObjects", facts={"bucket": "papers", "objects": 30, "refused": 29})
    assert request_steps([partly])[-1] == "Answered with 200, but 29 of 30 were refused in it."
    whole = entry("s3:DeleteObjects", facts={"bucket": "papers", "objects": 30, "refused": 0})
    failed = entry("s3:GetObject", error="AccessDenied")
    assert list(filter_entries([partly, whole, failed], None, None, refused=True)) == [partly, failed]


def test_what_still_needs_a_key_is_told() -> None:
    """Of a refused deletion, and of a key that was disabled all the same."""
    needed = {"objects": 3, "versions": 1, "uploads": 0, "buckets": 2, "bytes": 4096}
    steps = request_steps([entry("kms:DisableKey", facts={"kmsKey": KEY, "dependents": needed})])
    assert (
        "The key is still needed; objects: 3, older versions of objects: 1, uploads under way: 0, in all 4096 bytes; "
        "buckets with it as their default: 2."
    ) in steps


def test_bucket_keys_are_told() -> None:
    """Where the bucket key came from, for a read as for a write; a read from memory has its download steps."""
    for source, said in (("memory", "KMS was not asked, since the worker had it in memory"), ("KMS", "KMS was asked.")):
        used = [{"use": "kms:Decrypt", "key": KEY, "from": source}]
        did = "decrypt" if source == "KMS" else "record"
        steps = request_steps([entry("s3:GetObject", did=did, facts=read_facts(bucketKeys=used))])
        assert any(step.startswith(f"kms:Decrypt for the bucket key under {KEY}: {said}") for step in steps), steps
        assert any("worker then decrypts" in step for step in steps)
    head = request_steps([entry("s3:HeadObject", facts=read_facts(bucketKeys=used))])
    assert not any("decrypts" in step for step in head)


def test_a_rewrap_names_both_keys() -> None:
    """Once, whichever record says it, and the outcome only if there is one."""
    facts = {
        **PLACE, "encryption": "aws:kms", "keyArn": OTHER, "context": CONTEXT,
        "before": {"encryption": "aws:kms:dsse", "keyArn": KEY, "bucketKey": False},
    }  # fmt: skip
    use = {**USE, "use": "kms:ReEncryptTo"}
    records = [
        entry("s3:UpdateObjectEncryption", did="re-encrypt-to", facts=facts, **use),
        entry("s3:UpdateObjectEncryption", facts={**facts, "objectBytes": 10, "parts": 1, "etag": "e"}, sequence=9),
    ]
    assert one(records, "The object's data key") == (
        f"The object's data key is under aws:kms:dsse with the key {KEY}, and comes under aws:kms with "
        f"the key {OTHER}. "
        "No byte of the object is moved."
    )
    assert request_steps(records)[-1].startswith("Answered with success")
    assert request_steps(records[:1])[-1].startswith("There is no record of the outcome")
