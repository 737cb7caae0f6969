"""The ciphertext blob of a key in an external key store: its vectors, and that it takes both keys to open it."""

from pathlib import Path
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import FormatError, TamperedError
from fuin.formats import blob, context
from fuin.keyholder.sealed import sealing
from tests.formats import vectors
from tests.formats.make_external_vectors import FOLDER, additional_data, associated, cases, seal
from tests.formats.make_vectors import MATERIAL_ID

PATHS = vectors.paths(FOLDER)
ERRORS: dict[str, type[Exception]] = {
    "format": FormatError,
    "external": InvalidTag,
    "names": LookupError,
    "tampered": TamperedError,
}


def open_case(case: dict[str, Any]) -> bytes:
    """Open a vector's blob: its names, the external key manager, the keyholder."""
    parts = blob.parse_external(case["blob"])
    if (parts.key_id, parts.material_id) != (case["key_id"], case["material_id"]):
        raise LookupError
    additional = additional_data(case["key_id"], case["context"])
    inner = AESGCM(case["external_key"]).decrypt(
        parts.iv, parts.ciphertext + parts.tag, associated(additional, parts.metadata)
    )
    prefix = blob.name(case["key_id"], case["material_id"])
    return sealing.open_sealed(case["key"], sealing.LABEL_BLOB, prefix, context.encode(case["context"]), inner)


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    """Each vector opens to its plaintext, or fails with its kind of error."""
    case = vectors.read(path, "key", "external_key", "material_id", "blob", "plaintext")
    if "error" in case:
        with pytest.raises(ERRORS[case["error"]]):
            open_case(case)
        return
    assert open_case(case) == case["plaintext"]
    assert blob.parse_ids(case["blob"]) == (case["key_id"], case["material_id"])
    assert blob.encode_external(blob.parse_external(case["blob"])) == case["blob"]


def test_vectors_are_those_of_their_maker() -> None:
    """The files are what the maker writes: none is missing, none is left over."""
    assert {path.stem for path in PATHS} == set(cases())


def test_failures_outnumber_successes() -> None:
    """The vectors say more about what is refused than about what is taken."""
    failed, succeeded = vectors.failures(FOLDER)
    assert failed > 2 * succeeded >= 8


def test_longest_fits_the_wire() -> None:
    """No blob is longer than AWS lets a CiphertextBlob be, and none longer than the format's own limit."""
    longest = seal(bytes(4096), metadata=bytes(20), iv=bytes(16))
    assert len(longest) == blob.EXTERNAL_LIMIT <= 6144


def test_every_changed_bit_is_refused() -> None:
    """No blob opens, or even parses, after any one of its bits was changed."""
    case = cases()["data-key"]
    data = case["blob"]
    for bit in range(8 * len(data)):
        changed = bytearray(data)
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((FormatError, InvalidTag, LookupError, TamperedError)):
            open_case({**case, "blob": bytes(changed)})


@given(st.binary(max_size=300) | st.binary(max_size=300).map(lambda rest: b"\x02\x00" + rest))
def test_parsing_takes_canonical_bytes_only(data: bytes) -> None:
    """Whatever parses is exactly what encoding gives, and its names are those of the whole."""
    try:
        parsed = blob.parse_external(data)
    except FormatError:
        if data[:1] == b"\x02":
            with pytest.raises(FormatError):
                blob.parse_ids(data)
        return
    assert blob.encode_external(parsed) == data
    assert blob.parse_ids(data) == (parsed.key_id, parsed.material_id)


@pytest.mark.parametrize(
    "changes",
    [
        {"metadata": bytes(21)}, {"iv": bytes(13)}, {"tag": bytes(15)}, {"ciphertext": bytes(130)},
        {"ciphertext": bytes(4227)}, {"material_id": bytes(31)}, {"key_id": "alias/aws/s3"},
    ],
)  # fmt: skip
def test_parts_of_wrong_length_are_refused(changes: dict[str, Any]) -> None:
    """A blob is not written with a part that it could not be read with."""
    good = blob.parse_external(seal(b"x"))
    assert good.material_id == MATERIAL_ID
    parts = {name: getattr(good, name) for name in good.__slots__} | changes
    with pytest.raises(FormatError):
        blob.encode_external(blob.ExternalBlob(**parts))
