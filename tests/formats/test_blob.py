"""The ciphertext blob: its vectors, an independent reading of its construction, and that no changed bit opens."""

import hashlib
import hmac
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import FormatError, TamperedError
from fuin.formats import blob, context
from fuin.keyholder.sealed import sealing
from tests.formats import vectors
from tests.formats.make_vectors import KEY, KEY_ID, MATERIAL_ID, MULTI_REGION, PAIRS, seal_blob

PATHS = vectors.paths("ciphertext-blob")
ERRORS = {"format": FormatError, "tampered": TamperedError}


def read(path: Path) -> dict[str, Any]:
    """Return a vector."""
    return vectors.read(path, "key", "material_id", "blob", "plaintext")


def open_case(case: dict[str, Any]) -> bytes:
    """Open a vector's blob as Decrypt does: read its names, then unseal it under the named key."""
    blob.parse(case["blob"])
    prefix = blob.name(case["key_id"], case["material_id"])
    return sealing.open_sealed(
        case["key"], sealing.LABEL_BLOB, prefix, context.encode(case["context"]), case["blob"]
    )  # fmt: skip


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    """Each vector opens to its plaintext, or fails with its kind of error."""
    case = read(path)
    if "error" in case:
        with pytest.raises(ERRORS[case["error"]]):
            open_case(case)
        return
    assert open_case(case) == case["plaintext"]
    assert blob.parse(case["blob"]).key_id == case["key_id"]
    assert blob.encode(blob.parse(case["blob"])) == case["blob"]


@pytest.mark.parametrize("name", ["data-key", "one-byte", "longest", "no-context", "multi-region"])
def test_page_is_right(name: str) -> None:
    """The page's construction, written down with other primitives, opens the vectors."""
    case = read(vectors.FOLDER / "ciphertext-blob" / f"{name}.json")
    data, binding = case["blob"], context.encode(case["context"])
    fixed = b"fuin ciphertext blob v1" + b"\0" + data[50:82] + (512).to_bytes(4, "big")
    derived = b"".join(hmac.digest(case["key"], n.to_bytes(4, "big") + fixed, hashlib.sha256) for n in (1, 2))
    assert derived[32:] == data[82:114]
    associated = data[:114] + len(binding).to_bytes(4, "big") + binding
    assert AESGCM(derived[:32]).decrypt(bytes(12), data[114:], associated) == case["plaintext"]


def test_failures_outnumber_successes() -> None:
    """The vectors say more about what is refused than about what is taken."""
    failed, succeeded = vectors.failures("ciphertext-blob")
    assert failed > 2 * succeeded >= 10


def test_size_of_a_data_key() -> None:
    """The blob of a 32-byte data key is not longer than AWS's, which has 184 bytes."""
    assert len(seal_blob(bytes(32))) <= 184


def test_every_changed_bit_is_refused() -> None:
    """No blob opens, or even parses, after any one of its bits was changed."""
    data = seal_blob(bytes(32))
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        case = {"blob": bytes(changed), "key": KEY, "key_id": KEY_ID, "material_id": MATERIAL_ID, "context": PAIRS}
        with pytest.raises((FormatError, TamperedError)):
            open_case(case)


@given(st.binary(min_size=1, max_size=80), st.dictionaries(st.text(max_size=5), st.text(max_size=5), max_size=3))
def test_round_trip(plaintext: bytes, pairs: dict[str, str]) -> None:
    """Whatever is sealed opens under the same names, key and context."""
    data = seal_blob(plaintext, MULTI_REGION, pairs)
    case = {"blob": data, "key": KEY, "key_id": MULTI_REGION, "material_id": MATERIAL_ID, "context": pairs}
    assert open_case(case) == plaintext


@given(st.binary(max_size=200))
def test_parsing_takes_canonical_bytes_only(data: bytes) -> None:
    """Whatever parses is exactly what encoding gives."""
    try:
        parsed = blob.parse(b"\x01\x00" + data)
    except FormatError:
        return
    assert blob.encode(parsed) == b"\x01\x00" + data


@given(st.binary(max_size=200) | st.binary(max_size=200).map(lambda rest: b"\x01\x00" + rest))
def test_names_are_those_of_the_whole(data: bytes) -> None:
    """Whose a blob is, is read from the bytes that parse, and from no others."""
    try:
        parsed = blob.parse(data)
    except FormatError:
        with pytest.raises(FormatError):
            blob.parse_ids(data)
        return
    assert blob.parse_ids(data) == (parsed.key_id, parsed.material_id)


def test_parts_of_wrong_length_are_refused() -> None:
    """A blob is not written with a part that it could not be read with."""
    good = blob.parse(seal_blob(b"x"))
    for changes in (
        {"salt": b""}, {"commitment": bytes(31)}, {"tag": bytes(15)}, {"ciphertext": b""}, {"material_id": bytes(31)},
        {"key_id": "alias/aws/s3"}, {"ciphertext": bytes(4097)},
    ):  # fmt: skip
        parts = {name: getattr(good, name) for name in good.__slots__} | changes
        with pytest.raises(FormatError):
            blob.encode(blob.ParsedBlob(**parts))
