"""Makes the vectors of the keyholder's formats anew: `python -m tests.formats.make_vectors`.

Salts, ids and keys are fixed here, so the files do not change unless a format does.
"""

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fuin.formats import blob, context, frames, record, wrapped
from fuin.keyholder.sealed import sealing
from fuin.keyholder.sealed.audit_signature import AuditSigner
from fuin.keyholder.sealed.root_key import RootKey

FOLDER = Path(__file__).parents[1] / "vectors"
SALT = bytes(range(32))
KEY = bytes(range(32, 64))
ROOT = bytes(range(64, 96))
MATERIAL_ID = bytes(range(96, 128))
KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ab"
OTHER_KEY_ID = "1234abcd-12ab-34cd-56ef-1234567890ac"
MULTI_REGION = "mrk-1234abcd12ab34cd56ef1234567890ab"
SPEC = "SYMMETRIC_DEFAULT"
ACCESS_KEY_ID = "AKIAIOSFODNN7EXAMPLE"
SECRET = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"  # AWS's own example
PAIRS = {"aws:s3:arn": "arn:aws:s3:::bucket/key", "purpose": "test"}
TIME = 1_700_000_000_000_000_000

Case = dict[str, Any]
Cases = dict[str, Case]


def flipped(data: bytes, at: int) -> bytes:
    """Return `data` with one bit changed in the byte at `at`."""
    changed = bytearray(data)
    changed[at] ^= 1
    return bytes(changed)


def write(folder: str, cases: Cases) -> None:
    """Replace the vectors of a folder."""
    for old in (FOLDER / folder).glob("*.json"):
        old.unlink()
    for name, case in cases.items():
        text = json.dumps(case, indent=1, default=bytes.hex)
        (FOLDER / folder / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def contexts() -> Cases:
    """Return the vectors of the encryption context."""

    def good(comment: str, pairs: dict[str, str]) -> Case:
        return {"comment": comment, "context": pairs, "bytes": context.encode(pairs)}

    def bad(comment: str, data: bytes) -> Case:
        return {"comment": comment, "bytes": data, "error": "format"}

    def unencodable(comment: str, pairs: dict[str, str]) -> Case:
        return {"comment": comment, "context": pairs, "error": "format"}

    ab = context.encode({"a": "b"})
    two = context.encode({"a": "1", "b": "2"})
    return {
        "empty": good("No pairs.", {}),
        "one-pair": good("One pair.", {"a": "bc"}),
        "other-split": good("The same letters as one-pair, split elsewhere: other bytes.", {"ab": "c"}),
        "sorted": good("Pairs are sorted by their keys' bytes, whatever order they came in.", {"b": "2", "a": "1"}),
        "sorted-by-bytes": good(
            "U+FF5E comes before U+10000 in UTF-8, though not in UTF-16.", {"\U00010000": "late", "\uff5e": "early"}
        ),
        "empty-texts": good("Key and value may be empty.", {"": ""}),
        "nothing": bad("No bytes.", b""),
        "count-cut": bad("Half a count.", b"\x00"),
        "count-too-large": bad("Two pairs are announced, one is there.", b"\x00\x02" + ab[2:]),
        "count-too-small": bad("One pair is announced, two are there.", b"\x00\x01" + two[2:]),
        "key-length-cut": bad("Half a key's length.", b"\x00\x01\x00"),
        "key-cut": bad("A key ends early.", b"\x00\x01\x00\x05abcd"),
        "value-missing": bad("A key without a value.", b"\x00\x01\x00\x01a"),
        "value-cut": bad("A value ends early.", ab[:-1]),
        "byte-after": bad("A byte after the last pair.", ab + b"\x00"),
        "unsorted": bad("Pairs in descending order.", two[:2] + two[8:] + two[2:8]),
        "key-twice": bad("One key twice.", b"\x00\x02" + ab[2:] + ab[2:]),
        "key-not-utf-8": bad("A key that is not UTF-8.", ab.replace(b"a", b"\xff")),
        "value-not-utf-8": bad("A value that is an encoded surrogate.", b"\x00\x01\x00\x01a\x00\x03\xed\xa0\x80"),
        "overlong-utf-8": bad("A slash in two bytes.", b"\x00\x01\x00\x02\xc0\xaf\x00\x00"),
        "lone-surrogate": unencodable("Half a surrogate pair is no Unicode text.", {"a": "\ud800"}),
        "surrogate-key": unencodable("The same in a key.", {"\udfff": "a"}),
        "too-long": unencodable("More than 65,535 bytes in all.", {"a": "x" * 65_530}),
    }


def seal_blob(plaintext: bytes, key_id: str = KEY_ID, pairs: dict[str, str] = PAIRS, key: bytes = KEY) -> bytes:
    """Return a ciphertext blob with the fixed salt."""
    return sealing.seal_with_salt(
        SALT, key, sealing.LABEL_BLOB, blob.name(key_id, MATERIAL_ID), context.encode(pairs), plaintext
    )


def blobs() -> Cases:
    """Return the vectors of the ciphertext blob."""
    plaintext = bytes(range(128, 160))
    data = seal_blob(plaintext)
    base: Case = {"key": KEY, "key_id": KEY_ID, "material_id": MATERIAL_ID, "context": PAIRS}

    def good(comment: str, plain: bytes, **more: Any) -> Case:
        case = {"comment": comment, **base, **more}
        return {**case, "blob": seal_blob(plain, case["key_id"], case["context"]), "plaintext": plain}

    def tampered(comment: str, changed: bytes, **more: Any) -> Case:
        return {"comment": comment, **base, **more, "blob": changed, "error": "tampered"}

    def malformed(comment: str, changed: bytes) -> Case:
        return {"comment": comment, **base, "blob": changed, "error": "format"}

    other_label = sealing.seal_with_salt(
        SALT, KEY, sealing.LABEL_MATERIAL, data[:50], context.encode(PAIRS), plaintext
    )  # fmt: skip
    derived = bytearray(64)
    sealing.derive_into(KEY, sealing.LABEL_BLOB, SALT, derived)
    header, binding = data[:82] + bytes(32), context.encode(PAIRS)
    associated = header + struct.pack(">I", len(binding)) + binding
    uncommitted = header + AESGCM(bytes(derived[:32])).encrypt(bytes(12), plaintext, associated)
    return {
        "data-key": good("A 32-byte data key: 162 bytes.", plaintext),
        "one-byte": good("The shortest plaintext.", b"x"),
        "longest": good("The longest plaintext, 4,096 bytes.", bytes(4096)),
        "no-context": good("No encryption context.", plaintext, context={}),
        "multi-region": good("A multi-Region key.", plaintext, key_id=MULTI_REGION),
        "key-id-changed": tampered("The key id in the blob.", flipped(data, 17)),
        "key-kind-changed": tampered("The same digits, as a multi-Region key.", flipped(data, 1)),
        "material-id-changed": tampered("The material id in the blob.", flipped(data, 18)),
        "salt-changed": tampered("A bit of the salt.", flipped(data, 50)),
        "commitment-changed": tampered("A bit of the commitment.", flipped(data, 82)),
        "ciphertext-changed": tampered("A bit of the ciphertext.", flipped(data, 114)),
        "tag-changed": tampered("A bit of the tag.", flipped(data, -1)),
        "commitment-of-another-key": tampered(
            "All right but the commitment: AES-GCM alone would open it.", uncommitted
        ),
        "named-for-another-key": tampered(
            "This key's own work, under another key's name.", seal_blob(plaintext, OTHER_KEY_ID)
        ),
        "byte-cut": tampered("The last byte is missing.", data[:-1]),
        "byte-after": tampered("A byte after the tag.", data + b"\x00"),
        "context-missing": tampered("Opened without the context.", data, context={}),
        "context-value": tampered("Opened with another value.", data, context={**PAIRS, "purpose": "Test"}),
        "context-pair-more": tampered("Opened with one pair more.", data, context={**PAIRS, "more": ""}),
        "context-pair-less": tampered("Opened with one pair less.", data, context={"purpose": "test"}),
        "other-key": tampered("Opened with other key material.", data, key=flipped(KEY, 0)),
        "other-label": tampered("Sealed with the label of wrapped material.", other_label),
        "version-0": malformed("Version 0.", b"\x00" + data[1:]),
        "version-2": malformed("Version 2.", b"\x02" + data[1:]),
        "key-kind-unknown": malformed("A kind of key id that does not exist.", data[:1] + b"\x02" + data[2:]),
        "nothing": malformed("No bytes.", b""),
        "header-cut": malformed("Half a header.", data[:60]),
        "no-ciphertext": malformed("Header and tag with nothing between.", data[:114] + data[-16:]),
        "too-long": malformed("4,097 bytes of ciphertext.", data[:114] + bytes(4097 + 16)),
        "aws": malformed("How AWS's own blobs begin.", bytes.fromhex("01020200") + bytes(160)),
    }


def materials() -> Cases:
    """Return the vectors of wrapped material and sealed secret access keys."""
    header = bytes((wrapped.VERSION, wrapped.Kind.MATERIAL))
    secret_header = bytes((wrapped.VERSION, wrapped.Kind.SECRET_ACCESS_KEY))
    binding = wrapped.binding(KEY_ID, MATERIAL_ID, SPEC)
    secret_binding = bytes((len(ACCESS_KEY_ID),)) + ACCESS_KEY_ID.encode()
    data = sealing.seal_with_salt(SALT, ROOT, sealing.LABEL_MATERIAL, header, binding, KEY)
    secret = sealing.seal_with_salt(SALT, ROOT, sealing.LABEL_SECRET, secret_header, secret_binding, SECRET.encode())
    base: Case = {"root_key": ROOT, "key_id": KEY_ID, "material_id": MATERIAL_ID, "spec": SPEC}
    base_secret: Case = {"root_key": ROOT, "access_key_id": ACCESS_KEY_ID}

    def bad(comment: str, changed: bytes, error: str = "tampered", **more: Any) -> Case:
        return {"comment": comment, **base, **more, "wrapped": changed, "error": error}

    def bad_secret(comment: str, changed: bytes, **more: Any) -> Case:
        return {"comment": comment, **base_secret, **more, "wrapped": changed, "error": "tampered"}

    return {
        "material": {"comment": "Material of an AES-256 key.", **base, "wrapped": data, "key": KEY},
        "secret": {"comment": "A secret access key.", **base_secret, "wrapped": secret, "key": SECRET.encode()},
        "version-0": bad("Version 0.", b"\x00" + data[1:]),
        "version-2": bad("Version 2.", b"\x02" + data[1:]),
        "kind-changed": bad("Called a secret access key.", data[:1] + b"\x02" + data[2:]),
        "kind-unknown": bad("A kind that does not exist.", data[:1] + b"\x00" + data[2:]),
        "salt-changed": bad("A bit of the salt.", flipped(data, 2)),
        "commitment-changed": bad("A bit of the commitment.", flipped(data, 34)),
        "ciphertext-changed": bad("A bit of the ciphertext.", flipped(data, 66)),
        "tag-changed": bad("A bit of the tag.", flipped(data, -1)),
        "byte-cut": bad("The last byte is missing.", data[:-1]),
        "byte-after": bad("A byte after the tag.", data + b"\x00"),
        "nothing": bad("No bytes.", b"", "format"),
        "no-ciphertext": bad("Header and tag with nothing between.", data[:66] + data[-16:], "format"),
        "other-root-key": bad("Opened under another root key.", data, root_key=flipped(ROOT, 0)),
        "other-key-id": bad("Moved to another key.", data, key_id=OTHER_KEY_ID),
        "other-material-id": bad("Moved to another material id.", data, material_id=flipped(MATERIAL_ID, 0)),
        "other-spec": bad("Moved to another spec.", data, spec="HMAC_256"),
        "spec-empty": bad("A spec without letters.", data, "format", spec=""),
        "key-id-upper-case": bad("A key id in another spelling.", data, "format", key_id=KEY_ID.upper()),
        "material-id-short": bad("A material id of 31 bytes.", data, "format", material_id=MATERIAL_ID[1:]),
        "secret-as-material": bad("A sealed secret in the place of key material.", secret),
        "material-as-secret": bad_secret("Wrapped material in the place of a secret.", data),
        "secret-of-another": bad_secret("Moved to another access key.", secret, access_key_id="AKIAI44QH8DHBEXAMPLE"),
        "secret-salt-changed": bad_secret("A bit of the salt.", flipped(secret, 2)),
    }


def frame_cases() -> Cases:
    """Return the vectors of the keyholder frames."""
    one = frames.encode(7, 5, [b"material", b"", b"blob"])

    def good(comment: str, *parts: tuple[int, int, list[bytes]]) -> Case:
        shown = [{"correlation": c, "code": code, "fields": fields} for c, code, fields in parts]
        return {"comment": comment, "bytes": b"".join(frames.encode(*part) for part in parts), "frames": shown}

    def bad(comment: str, data: bytes) -> Case:
        return {"comment": comment, "bytes": data, "error": "format"}

    def raw(body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + body

    return {
        "no-fields": good("A request without fields.", (1, 20, [])),
        "three-fields": good("Three fields, one of them empty.", (7, 5, [b"material", b"", b"blob"])),
        "two-frames": good("Two frames in a row.", (1, 20, []), (2**64 - 1, 0, [b"x"])),
        "sixteen-fields": good("As many fields as there may be.", (3, 1, [bytes((n,)) for n in range(16)])),
        "length-0": bad("A length of zero.", struct.pack(">I", 0)),
        "length-9": bad("Too short for correlation, code and count.", raw(bytes(9))),
        "length-too-large": bad("One byte more than 1 MiB, refused before it is there.", struct.pack(">I", 2**20 + 1)),
        "length-of-http": bad("An HTTP request.", b"GET / HTTP/1.1\r\n\r\n"),
        "count-17": bad("Seventeen fields.", raw(struct.pack(">QBB", 1, 1, 17) + bytes(4 * 17))),
        "count-too-large": bad("More fields announced than fit.", raw(struct.pack(">QBB", 1, 1, 3) + bytes(8))),
        "field-too-long": bad("A field longer than its frame.", raw(struct.pack(">QBBI", 1, 1, 1, 5) + b"abcd")),
        "field-too-short": bad("Bytes after the last field.", raw(struct.pack(">QBBI", 1, 1, 1, 3) + b"abcd")),
        "field-huge": bad("A field of 4 GiB.", raw(struct.pack(">QBBI", 1, 1, 1, 2**32 - 1))),
        "lengths-wrap": bad(
            "Two lengths whose sum is right only modulo 2^32.", raw(struct.pack(">QBBII", 1, 1, 2, 2**32 - 1, 2) + b"a")
        ),
        "second-frame-bad": bad("A good frame, then a bad one.", one + struct.pack(">I", 1) + b"\x00"),
    }


def records() -> Cases:
    """Return the vectors of the audit record: single entries, and whole segments."""
    draft = b'{"request":"r-1","operation":"kms:Decrypt"}'
    plain = record.Record(5, TIME, record.DECRYPT, record.TAMPERED, KEY_ID, MATERIAL_ID, draft)
    note = record.Record(1, TIME, record.NOTE, record.DONE, "", b"", b"{}")
    previous = bytes(range(200, 232))
    data = record.encode(plain)

    def entry_of(value: record.Record, before: bytes) -> bytes:
        return record.entry(record.encode(value), record.link(before, record.encode(value)))

    def good(comment: str, value: record.Record, before: bytes) -> Case:
        fields = {name: getattr(value, name) for name in ("sequence", "time", "use", "outcome", "key_id")}
        fields |= {"material_id": value.material_id, "draft": value.draft.decode()}
        return {"comment": comment, "previous": before, "entry": entry_of(value, before), "record": fields}

    def bad(comment: str, changed: bytes, error: str = "tampered", before: bytes = previous) -> Case:
        return {"comment": comment, "previous": before, "entry": changed, "error": error}

    def malformed(comment: str, changed: bytes) -> Case:
        return bad(comment, record.entry(changed, record.link(previous, changed)), "format")

    whole = entry_of(plain, previous)
    return {
        "key-use": good("A use of a key, refused.", plain, previous),
        "note": good("The first record, no use of a key.", note, record.ZERO),
        "other-previous": bad("After another record.", whole, before=bytes(32)),
        "sequence-changed": bad("Another number.", flipped(whole, 12)),
        "time-changed": bad("Another time.", flipped(whole, 20)),
        "use-changed": bad("Another use.", flipped(whole, 21)),
        "outcome-changed": bad("Another outcome.", flipped(whole, 22)),
        "key-id-changed": bad("Another key.", flipped(whole, 30)),
        "material-id-changed": bad("Another material.", flipped(whole, 70)),
        "draft-changed": bad("Another draft.", whole.replace(b"r-1", b"r-2")),
        "hash-changed": bad("A bit of the hash.", flipped(whole, -1)),
        "version-0": malformed("Version 0.", b"\x00" + data[1:]),
        "version-2": malformed("Version 2.", b"\x02" + data[1:]),
        "byte-after": malformed("A byte after the draft.", data + b"\x00"),
        "draft-cut": malformed("The draft ends early.", data[:-1]),
        "ids-cut": malformed("The key id ends early.", data[:30]),
        "fixed-cut": malformed("Half of the fixed part.", data[:10]),
        "key-id-not-utf-8": malformed(
            "A key id that is not UTF-8.", data.replace(b"1234abcd-12ab", b"\xff234abcd-12ab")
        ),
        **segment_cases(),
    }


def segment_cases() -> Cases:
    """Return the vectors of whole segments."""
    signer = AuditSigner(RootKey(bytearray(ROOT)))
    other = AuditSigner(RootKey(bytearray(KEY)))

    def segment(drafts: list[bytes], sign: Callable[[bytes], bytes] = signer.sign) -> list[bytes]:
        parts = [record.encode_segment_header(1, record.ZERO)]
        head, sequence = record.ZERO, 0
        for draft in drafts:
            sequence += 1
            data = record.encode_parts(sequence, TIME, record.NOTE, record.DONE, "", b"", draft)
            head = record.link(head, data)
            parts.append(record.entry(data, head))
        signature = sign(record.signed_bytes(sequence, head))
        signed = record.encode_checkpoint(record.Checkpoint(sequence, head, signature))
        data = record.encode_parts(sequence + 1, TIME, record.CHECKPOINT, record.DONE, "", b"", signed)
        return [*parts, record.entry(data, record.link(head, data))]

    parts = segment([b'{"n":1}', b'{"n":2}', b'{"n":3}'])
    header, one, two, three, check = parts

    def case(comment: str, *pieces: bytes, **more: Any) -> Case:
        return {"comment": comment, "public_key": signer.public_key, "segment": b"".join(pieces), **more}

    def bad(comment: str, *pieces: bytes) -> Case:
        return case(comment, *pieces, error="tampered")

    return {
        "segment": case("Three records and their checkpoint.", *parts, records=4),
        "segment-growing": case("A record that is not signed yet does not count.", *parts, one, records=4),
        "segment-changed": bad("A changed record.", header, one, two.replace(b":2}", b":9}"), three, check),
        "segment-removed": bad("A removed record.", header, one, three, check),
        "segment-swapped": bad("Two records in the wrong order.", header, two, one, three, check),
        "segment-inserted": bad("A record twice.", header, one, one, two, three, check),
        "segment-rechained": bad("Another log, signed by another key.", *segment([b"{}"], other.sign)),
        "segment-length-changed": bad("A length that hides what follows.", header, one, flipped(two, 0), three, check),
        "segment-magic": bad("Another magic.", flipped(header, 0), one, two, three, check),
        "segment-previous": bad("A first segment that follows something.", flipped(header, -1), one, two, three, check),
        "segment-first": bad(
            "A first segment that does not start with 1.", flipped(header, 31), one, two, three, check
        ),
        "segment-empty": bad("No bytes."),
    }


MAKERS: dict[str, Callable[[], Cases]] = {
    "encryption-context": contexts,
    "ciphertext-blob": blobs,
    "wrapped-material": materials,
    "frames": frame_cases,
    "audit-record": records,
}


def main() -> None:
    """Write all vectors."""
    for folder, make in MAKERS.items():
        write(folder, make())


if __name__ == "__main__":
    main()
