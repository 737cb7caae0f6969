"""What a backend of the keyholder gives: key material to be used, made, imported and sealed, and secret access keys.

The loop knows backends by this interface only. What takes long runs in the key maker thread: `make_material`,
`make_pair`, `make_wrapping_key` and `unwrap` touch nothing that is shared. Everything else runs in the loop's thread.
"""

from typing import Any, NamedTuple, Protocol

from fuin.formats.wrapped import Material


class Pair(NamedTuple):
    """A fresh key pair: the private key as PKCS#8 DER (wiped by its owner), the public one as SPKI DER."""

    private: bytearray
    public: bytes

    def __repr__(self) -> str:
        return "Pair(...)"


class UsableMaterial(Protocol):
    """Key material of one spec, ready to be used.

    An operation that its kind of key does not have raises FormatError. Signatures, MACs and ciphertexts that do not
    hold raise TamperedError. A parameter is an encryption context, or the name of an encryption algorithm for RSA.
    """

    name: str
    material_id: bytes

    def seal_data_key(self, parameter: bytes, plaintext: bytes | bytearray) -> bytes:
        """Return the ciphertext blob of a data key or a pair's private key, under an encryption context."""

    def encrypt(self, parameter: bytes, plaintext: bytes) -> bytes:
        """Return a ciphertext."""

    def decrypt(self, parameter: bytes, ciphertext: bytes) -> bytes:
        """Return a plaintext."""

    def sign(self, algorithm: str, message_type: str, message: bytes) -> bytes:
        """Return the signature of a message, which may be a digest by its message type."""

    def verify(self, algorithm: str, message_type: str, message: bytes, signature: bytes) -> None:
        """Raise TamperedError unless the signature is this key's over this message."""

    def generate_mac(self, algorithm: str, message: bytes) -> bytes:
        """Return the message's MAC."""

    def verify_mac(self, algorithm: str, message: bytes, mac: bytes) -> None:
        """Raise TamperedError unless the MAC is this key's over this message."""

    def derive_shared_secret(self, peer: bytes) -> bytes:
        """Return the raw shared secret with a peer's public key, which is SPKI DER."""

    def encapsulate(self) -> tuple[bytes, bytes]:
        """Return a fresh shared secret and the ciphertext that gives it back."""

    def decapsulate(self, ciphertext: bytes) -> bytes:
        """Return a ciphertext's shared secret."""

    def public_key(self) -> bytes:
        """Return the public key as SPKI DER."""


class Backend(Protocol):
    """Makes, seals, opens and uses key material; only a backend knows the content of sealed bytes."""

    # Key material

    def check_new_material(self, key_id: str, spec: str) -> None:
        """Raise FormatError unless material of this spec can be made for a key of this id."""

    def make_material(self, spec: str) -> Any:
        """Return fresh key material in the form that `seal_material` takes; may run in the key maker thread."""

    def seal_material(self, key_id: str, spec: str, made: Any) -> Material:
        """Return fresh key material wrapped, with a new material id; the backend disposes of `made`."""

    def material(self, encoded: bytes) -> UsableMaterial:
        """Return wrapped material ready to be used; raises FormatError, or MaterialDamaged when it does not open."""

    def forget(self, key_id: str) -> None:
        """Wipe the cached material of a key."""

    def wipe_unused(self) -> None:
        """Wipe the cached keys that were not used for long; called about once a second."""

    def make_pair(self, spec: str) -> Pair:
        """Return a fresh data key pair; may run in the key maker thread. Raises FormatError for an unknown spec."""

    # Import of key material

    def check_import_parameters(self, scope: bytes, wrapping_spec: str) -> None:
        """Raise FormatError unless a token of this scope, and a wrapping key of this spec, can be made."""

    def make_wrapping_key(self, wrapping_spec: str) -> Pair:
        """Return a fresh wrapping key; may run in the key maker thread."""

    def seal_import_token(self, scope: bytes, expires: int, private: bytearray) -> bytes:
        """Return the import token of a wrapping key's private half, which is wiped; `expires`: seconds since 1970."""

    def open_import_token(self, scope: bytes, token: bytes, now: float) -> Any:
        """Return the wrapping key of a token; raises TamperedError or ImportTokenExpired."""

    def check_import(self, spec: str, algorithm: str) -> None:
        """Raise FormatError unless the key spec and the wrapping algorithm exist."""

    def unwrap(self, wrapping_key: Any, algorithm: str, encrypted: bytes, spec: str) -> Any:
        """Return imported material, checked; may run in the key maker thread. Raises FormatError."""

    def seal_imported(self, key_id: str, spec: str, imported: Any) -> Material:
        """Return imported material wrapped; the same material of the same key always has the same material id."""

    # Secret access keys

    def new_secret(self, access_key_id: str) -> tuple[bytes, bytes]:
        """Return a fresh secret access key of 40 base-64 characters, and its sealed form."""

    def seal_secret(self, access_key_id: str, secret: bytes) -> bytes:
        """Return a secret access key's sealed form; raises FormatError on a length that no such key has."""

    def signing_key(self, sealed: bytes, access_key_id: str, scope: tuple[str, str, str]) -> bytes:
        """Return the Signature V4 signing key of (date, region, service); raises MaterialDamaged or FormatError."""

    def wipe(self) -> None:
        """Wipe everything that is open, the root key too."""
