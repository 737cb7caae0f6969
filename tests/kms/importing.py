"""The client's side of an import, through the wire."""

import datetime
import os
from typing import Any

from tests.keyholder.wrapping import wrapped

FOR_EVER = {"ExpirationModel": "KEY_MATERIAL_DOES_NOT_EXPIRE"}
NEW, EXISTING = {"ImportType": "NEW_KEY_MATERIAL"}, {"ImportType": "EXISTING_KEY_MATERIAL"}
OAEP, KEY_WRAP = "RSAES_OAEP_SHA_256", "RSA_AES_KEY_WRAP_SHA_256"


def fresh() -> bytes:
    """Return material of a symmetric encryption key."""
    return os.urandom(32)


def soon(**ahead: float) -> dict[str, Any]:
    """Return the members that let material expire after so much time, by default a day."""
    date = datetime.datetime.now(datetime.UTC) + datetime.timedelta(**(ahead or {"days": 1}))
    return {"ValidTo": date.replace(microsecond=0)}


def brought(kms: Any, key_id: str, material: bytes, algorithm: str = OAEP, spec: str = "RSA_2048") -> dict[str, Any]:
    """Return the members of an ImportKeyMaterial that bring material, freshly wrapped."""
    answer = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm=algorithm, WrappingKeySpec=spec)
    encrypted = wrapped(answer["PublicKey"], algorithm, material)
    return {"KeyId": key_id, "ImportToken": answer["ImportToken"], "EncryptedKeyMaterial": encrypted}


def bring(kms: Any, key_id: str, material: bytes, **members: Any) -> dict[str, Any]:
    """Import material, by default for ever; return the answer."""
    more = members if "ValidTo" in members else FOR_EVER | members
    answer: dict[str, Any] = kms.import_key_material(**brought(kms, key_id, material), **more)
    return answer
