"""Makes the vectors of external keys' ciphertext blobs anew: `python -m tests.formats.make_external_vectors`."""

import hashlib
from typing import Any

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from fuin.formats import blob, context
from tests.formats.make_vectors import (
    KEY,
    KEY_ID,
    MATERIAL_ID,
    MULTI_REGION,
    OTHER_KEY_ID,
    PAIRS,
    Case,
    Cases,
    flipped,
    seal_blob,
    write,
)  # fmt: skip

FOLDER = "external-ciphertext-blob"
EXTERNAL_KEY = bytes(range(160, 192))
IV, METADATA = bytes(range(12)), b"\x01"


def additional_data(key_id: str, pairs: dict[str, str]) -> bytes:
    """Return what binds the external ciphertext to the blob's names and its context."""
    named = bytes((2,)) + blob.name(key_id, MATERIAL_ID)[1:]
    return b"fuin external " + named + hashlib.sha256(context.encode(pairs)).digest()


def associated(additional: bytes, metadata: bytes) -> bytes:
    """Return the associated data of AES-GCM as the proxy specification tells the external key manager."""
    return len(additional).to_bytes(2, "big") + additional + len(metadata).to_bytes(1, "big") + metadata


def seal(
    plaintext: bytes,
    key_id: str = KEY_ID,
    pairs: dict[str, str] = PAIRS,
    *,
    inner: bytes | None = None,
    metadata: bytes = METADATA,
    iv: bytes = IV,
) -> bytes:
    """Return a version 2 blob with fixed salt and nonce; `inner` replaces the version 1 blob in it."""
    inner = inner or seal_blob(plaintext, key_id, pairs)
    sealed = AESGCM(EXTERNAL_KEY).encrypt(iv, inner, associated(additional_data(key_id, pairs), metadata))
    parts = blob.ExternalBlob(key_id, MATERIAL_ID, metadata, iv, sealed[-16:], sealed[:-16])
    return blob.encode_external(parts)


def cases() -> Cases:
    """Return the vectors."""
    plaintext = bytes(range(128, 160))
    data = seal(plaintext)
    base: Case = {
        "key": KEY, "external_key": EXTERNAL_KEY, "key_id": KEY_ID, "material_id": MATERIAL_ID, "context": PAIRS,
    }  # fmt: skip

    def good(comment: str, plain: bytes, blob_: bytes, **more: Any) -> Case:
        return {"comment": comment, **base, **more, "blob": blob_, "plaintext": plain}

    def bad(comment: str, error: str, changed: bytes, **more: Any) -> Case:
        return {"comment": comment, **base, **more, "blob": changed, "error": error}

    def malformed(comment: str, changed: bytes) -> Case:
        return bad(comment, "format", changed)

    multi = seal(plaintext, MULTI_REGION, {})
    return {
        "data-key": good("A 32-byte data key.", plaintext, data),
        "longest": good("The longest plaintext, with the longest parts.", bytes(4096), seal(
            bytes(4096), metadata=bytes(20), iv=bytes(16))),
        "no-metadata": good("A proxy that sends no metadata.", plaintext, seal(plaintext, metadata=b"")),
        "multi-region": good("Another kind of key id, no context.", plaintext, multi, key_id=MULTI_REGION, context={}),
        "inner-of-another-key": bad("Fuin's blob in it names another key.", "tampered", seal(
            b"", inner=seal_blob(plaintext, OTHER_KEY_ID))),
        "inner-changed": bad("Fuin's blob in it does not open.", "tampered", seal(
            b"", inner=flipped(seal_blob(plaintext), -1))),
        "inner-of-another-context": bad("Fuin's blob in it has another context.", "tampered", seal(
            b"", inner=seal_blob(plaintext, KEY_ID, {}))),
        "key-of-fuin": bad("Opened with other key material.", "tampered", data, key=flipped(KEY, 0)),
        "external-key": bad("Opened with another external key.", "external", data,
                            external_key=flipped(EXTERNAL_KEY, 0)),
        "context-changed": bad("Opened with another context.", "external", data, context={}),
        "metadata-changed": bad("A bit of the metadata.", "external", flipped(data, 51)),
        "iv-changed": bad("A bit of the initialization vector.", "external", flipped(data, 53)),
        "tag-changed": bad("A bit of the tag.", "external", flipped(data, 65)),
        "ciphertext-changed": bad("A bit of the ciphertext.", "external", flipped(data, -1)),
        "key-id-changed": bad("The key id in the blob.", "names", flipped(data, 17)),
        "material-id-changed": bad("The material id in the blob.", "names", flipped(data, 18)),
        "version-1": malformed("Called version 1.", b"\x01" + data[1:]),
        "version-3": malformed("Version 3.", b"\x03" + data[1:]),
        "plain-version-1": malformed("A version 1 blob.", seal_blob(plaintext)),
        "key-kind-unknown": malformed("A kind of key id that does not exist.", data[:1] + b"\x02" + data[2:]),
        "metadata-too-long": malformed("21 bytes of metadata.", data[:50] + b"\x15" + bytes(21) + data[52:]),
        "iv-of-11": malformed("A vector of 11 bytes.", data[:52] + b"\x0b" + bytes(11) + data[65:]),
        "metadata-without-end": malformed("A length past the end.", data[:50] + b"\xff" + data[51:60]),
        "ciphertext-length": malformed("A ciphertext shorter than it says.", flipped(data, 82)),
        "ciphertext-too-short": malformed("Less than any version 1 blob.", data[:81] + b"\x00\x82" + bytes(130)),
        "ciphertext-too-long": malformed("More than any version 1 blob.", data[:81] + b"\x10\x83" + bytes(4227)),
        "byte-after": malformed("A byte after the end.", data + b"\x00"),
        "byte-cut": malformed("The last byte is missing.", data[:-1]),
        "names-only": malformed("Nothing after the names.", data[:50]),
        "nothing": malformed("No bytes.", b""),
    }  # fmt: skip


def main() -> None:
    """Write the vectors."""
    write(FOLDER, cases())


if __name__ == "__main__":
    main()
