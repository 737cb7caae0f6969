"""DeriveSharedSecret: elliptic curve Diffie-Hellman with a key of a NIST curve (SP 800-56A, section 5.7.1.2)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.kms.model.faults import KmsFault
from fuin.kms.model.shapes_uses import DeriveSharedSecretInput, DeriveSharedSecretOutput
from fuin.kms.model.specs import KEY_AGREEMENT
from fuin.kms.reach.grant_tokens import consult_grant_tokens
from fuin.kms.reach.key import open_key
from fuin.kms.reach.keyholder_errors import keyholder_answer
from fuin.kms.reach.use import Use
from fuin.kms.uses.data_keys import check_recipient

if TYPE_CHECKING:
    from fuin.gate.call import Call

_ECDH = "ECDH"  # the only algorithm
_DERIVE = Use("kms:DeriveSharedSecret", KEY_AGREEMENT, _ECDH)


async def derive_shared_secret(call: Call, input: DeriveSharedSecretInput) -> DeriveSharedSecretOutput:
    """Return the secret that the key shares with the holder of another key on the same curve."""
    check_recipient(input.Recipient)
    await consult_grant_tokens(call, input.GrantTokens)
    opened = await call.consult(open_key, input.KeyId or "", _DERIVE)
    if input.DryRun:
        raise KmsFault("DryRunOperationException")
    keyholder = call.services.keyholder
    secret = await keyholder_answer(
        call,
        keyholder.derive_shared_secret(opened.material, input.PublicKey or b"", opened.draft(call)),
        invalid=KmsFault("ValidationException", None),  # AWS sends no message
    )
    return DeriveSharedSecretOutput(
        KeyId=opened.arn, SharedSecret=secret, KeyAgreementAlgorithm=_ECDH, KeyOrigin=opened.key.origin
    )
