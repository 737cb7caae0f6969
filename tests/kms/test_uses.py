"""What becomes of the keyholder's refusals, and what the inputs and outputs of uses show of themselves."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import msgspec
import pytest

from fuin.errors import FormatError, TamperedError
from fuin.gate.call import Call
from fuin.gate.record import RequestRecord
from fuin.kms.model import shapes_uses
from fuin.kms.reach.keyholder_errors import keyholder_answer
from tests.kms.asking import NewKey, raises, refusal
from tests.support.place import Place

KEM = {"KeySpec": "ML_KEM_768", "KeyUsage": "ENCAPSULATE_DECAPSULATE"}
MAC = {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"}
RSA = {"KeySpec": "RSA_2048", "KeyUsage": "ENCRYPT_DECRYPT"}
SIGNER = {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"}
ECDSA = {"Message": b"x", "SigningAlgorithm": "ECDSA_SHA_256"}
OAEP = {"CiphertextBlob": bytes(256), "EncryptionAlgorithm": "RSAES_OAEP_SHA_256"}
MOVED = {
    "CiphertextBlob": bytes(256),
    "SourceEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
    "DestinationEncryptionAlgorithm": "RSAES_OAEP_SHA_256",
}

Ask = Callable[[Any, str], Any]
USES: dict[str, tuple[dict[str, str], Ask]] = {
    "Sign": (SIGNER, lambda kms, key: kms.sign(KeyId=key, **ECDSA)),
    "Verify": (SIGNER, lambda kms, key: kms.verify(KeyId=key, Signature=b"x", **ECDSA)),
    "VerifyMac": (
        MAC,
        lambda kms, key: kms.verify_mac(KeyId=key, Message=b"x", Mac=b"x", MacAlgorithm="HMAC_SHA_256"),
    ),
    "Decapsulate": (
        KEM,
        lambda kms, key: kms.decapsulate(KeyId=key, SharedSecretCiphertextBlob=b"x", EncapsulationAlgorithm="ML_KEM"),
    ),
    "Decrypt": (RSA, lambda kms, key: kms.decrypt(KeyId=key, **OAEP)),
    "ReEncrypt": (RSA, lambda kms, key: kms.re_encrypt(SourceKeyId=key, DestinationKeyId=key, **MOVED)),
}


@pytest.mark.parametrize("operation", USES)
def test_damaged_material(place: Place, kms: Any, new_key: NewKey, operation: str) -> None:
    """Material that the database has damaged is the server's fault: nobody is told that a signature does not hold."""
    kind, ask = USES[operation]
    key_id = new_key(**kind)
    place.sql(
        "UPDATE sealed_materials SET wrapped = zeroblob(length(wrapped)) "
        "WHERE id IN (SELECT id FROM materials WHERE key_id = :id)",
        id=key_id,
    )
    place.run(place.services.keyholder.forget(key_id))
    assert refusal(lambda: ask(kms, key_id))[0] == "KMSInternalException"
    assert place.last_record().draft["error"] == "KMSInternalException"


class Recorded:
    """As much of a call as `keyholder_answer` touches."""

    via = None

    use = Call.use

    def __init__(self) -> None:
        self.record = RequestRecord()


async def refuse(error: Exception) -> None:
    """Answer as the keyholder does when it refuses."""
    raise error


def test_what_the_keyholder_does_not_take() -> None:
    """Input that the service let through and the keyholder refuses is the caller's error, recorded by the service."""
    call = Recorded()
    with raises("ValidationException") as caught:
        asyncio.run(keyholder_answer(cast(Call, call), refuse(FormatError("inner words"))))
    assert caught.value.message == "The request is not valid for this key."
    assert call.record.is_open
    assert not call.record.refused


def test_what_nobody_expects_is_not_hidden() -> None:
    """Where nothing can be tampered with, such an answer stays what it is."""
    with pytest.raises(TamperedError):
        asyncio.run(keyholder_answer(cast(Call, Recorded()), refuse(TamperedError("inner words"))))


SECRET = b"secret bytes"
SHOWN: list[msgspec.Struct] = [
    shapes_uses.SignInput(KeyId="key", Message=SECRET),
    shapes_uses.VerifyInput(KeyId="key", Message=SECRET),
    shapes_uses.GenerateMacInput(KeyId="key", Message=SECRET),
    shapes_uses.GenerateMacOutput(KeyId="key", Mac=SECRET),
    shapes_uses.VerifyMacInput(KeyId="key", Message=SECRET, Mac=SECRET),
    shapes_uses.DeriveSharedSecretOutput(KeyId="key", SharedSecret=SECRET),
    shapes_uses.EncapsulateOutput(KeyId="key", SharedSecret=SECRET),
    shapes_uses.DecapsulateOutput(KeyId="key", SharedSecret=SECRET),
    shapes_uses.GenerateDataKeyPairOutput(KeyId="key", PrivateKeyPlaintext=SECRET),
    shapes_uses.EncryptInput(KeyId="key", Plaintext=SECRET),
    shapes_uses.DecryptOutput(KeyId="key", Plaintext=SECRET),
]


@pytest.mark.parametrize("struct", SHOWN, ids=lambda struct: type(struct).__name__)
def test_secrets_do_not_show(struct: msgspec.Struct) -> None:
    """Messages and secrets are not in what a log or a traceback would show."""
    assert repr(struct) == f"{type(struct).__name__}(KeyId='key')"
