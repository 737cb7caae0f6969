"""DeriveSharedSecret: elliptic curve Diffie-Hellman with a key of a NIST curve (SP 800-56A, section 5.7.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.data_keys import check_recipient
from fuin.kms.faults import DryRunOperationException, ValidationException
from fuin.kms.grant_tokens import check_grant_tokens
from fuin.kms.key import Use, open_key
from fuin.kms.shapes import Input, Output, RecipientInfo
from fuin.kms.specs import KEY_AGREEMENT
from fuin.kms.uses import used

if TYPE_CHECKING:
    from fuin.gate.call import Call

_ECDH = "ECDH"  # the only algorithm
_DERIVE = Use("kms:DeriveSharedSecret", KEY_AGREEMENT, _ECDH)


class DeriveSharedSecretInput(Input, frozen=True):
    """What DeriveSharedSecret takes; the public key is the peer's, SubjectPublicKeyInfo in DER."""

    KeyId: str | None = None
    KeyAgreementAlgorithm: str | None = None
    PublicKey: bytes | None = None
    GrantTokens: list[str] | None = None
    DryRun: bool | None = None
    Recipient: RecipientInfo | None = None


class DeriveSharedSecretOutput(Output, frozen=True):
    """The raw shared secret: the x coordinate of the common point, as long as the curve's field."""

    KeyId: str | None = None
    SharedSecret: bytes | None = None
    CiphertextForRecipient: bytes | None = None
    KeyAgreementAlgorithm: str | None = None
    KeyOrigin: str | None = None

    def __repr__(self) -> str:
        return f"DeriveSharedSecretOutput({self.KeyId})"


async def derive_shared_secret(call: Call, p: DeriveSharedSecretInput) -> DeriveSharedSecretOutput:
    """Return the secret that the key shares with the holder of another key on the same curve."""
    check_recipient(p.Recipient)
    await call.consult(check_grant_tokens, p.GrantTokens)
    opened = await call.consult(open_key, p.KeyId or "", _DERIVE)
    if p.DryRun:
        raise DryRunOperationException
    keyholder = call.services.keyholder
    secret = await used(
        call,
        keyholder.derive_shared_secret(opened.material, p.PublicKey or b"", opened.draft(call)),
        invalid=ValidationException(None),  # AWS sends no message
    )
    return DeriveSharedSecretOutput(
        KeyId=opened.arn, SharedSecret=secret, KeyAgreementAlgorithm=_ECDH, KeyOrigin=opened.key.origin
    )
