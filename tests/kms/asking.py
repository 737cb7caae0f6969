"""How the tests of the key service ask, and read what is refused."""

from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.kms.model.faults import KmsFault
from tests.kms import outside
from tests.support.place import ACCOUNT, REGION

# How AWS refuses whoever must not learn whether a key of another account exists.
UNSEEN = (
    "because the resource does not exist in this Region, no resource-based policies allow access, "
    "or a resource-based policy explicitly denies access"
)
NewKey = Callable[..., str]
KeptKey = Callable[[str, str], str]  # of a spec and a usage
DRY_RUN = ("DryRunOperationException", "The request would have succeeded, but the DryRun option is set.")


def refusal(call: Callable[..., Any], **members: Any) -> tuple[str, str]:
    """Return the code and message of the error that a call is answered with."""
    with pytest.raises(ClientError) as caught:
        call(**members)
    error = caught.value.response["Error"]
    return error["Code"], error["Message"]


def raises(code: str) -> pytest.RaisesExc[KmsFault]:
    """Expect the fault with this code."""
    return pytest.raises(KmsFault, check=lambda fault: fault.code == code)


def arn_of(key_id: str, account: str = ACCOUNT, region: str = REGION) -> str:
    """Return a key's ARN."""
    return f"arn:aws:kms:{region}:{account}:key/{key_id}"


def members(answer: dict[str, Any]) -> dict[str, Any]:
    """Return an answer's own members."""
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}


def import_key(kms: Any, material: bytes, **kind: str) -> str:
    """Return the id of a new key with imported material."""
    key_id: str = kms.create_key(Origin="EXTERNAL", **kind)["KeyMetadata"]["KeyId"]
    wrapping = "RSAES_OAEP_SHA_256"
    given = kms.get_parameters_for_import(KeyId=key_id, WrappingAlgorithm=wrapping, WrappingKeySpec="RSA_2048")
    kms.import_key_material(
        KeyId=key_id,
        ImportToken=given["ImportToken"],
        EncryptedKeyMaterial=outside.encrypt(given["PublicKey"], wrapping, material),
        ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    return key_id
