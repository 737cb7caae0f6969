"""Uses the key service through aiobotocore; the endpoint comes from the environment alone.

`python aiobotocore_kms.py KEY-ARN` makes five data keys, opens each of them ten times, all fifty at once, and fails
unless every answer is the plaintext of its own ciphertext.
"""

import asyncio
import sys
from typing import Any

from aiobotocore.config import AioConfig
from aiobotocore.session import get_session
from botocore.exceptions import ClientError

_KEYS, _TIMES = 5, 10


async def _make(kms: Any, key_arn: str, number: int) -> dict[str, Any]:
    context = {"number": str(number), "größe": "日本"}
    made: dict[str, Any] = await kms.generate_data_key(KeyId=key_arn, KeySpec="AES_256", EncryptionContext=context)
    assert made["KeyId"] == key_arn
    assert len(made["Plaintext"]) == 32
    return {"plaintext": made["Plaintext"], "blob": made["CiphertextBlob"], "context": context}


async def _open(kms: Any, made: dict[str, Any]) -> None:
    answer = await kms.decrypt(CiphertextBlob=made["blob"], EncryptionContext=made["context"])
    assert answer["Plaintext"] == made["plaintext"]


async def _code(kms: Any, made: dict[str, Any], context: dict[str, str]) -> str:
    try:
        await kms.decrypt(CiphertextBlob=made["blob"], EncryptionContext=context)
    except ClientError as error:
        return str(error.response["Error"]["Code"])
    return ""


async def main(key_arn: str) -> None:
    """Make the keys, then open them all in parallel."""
    async with get_session().create_client("kms", config=AioConfig(max_pool_connections=50)) as kms:
        made = [await _make(kms, key_arn, number) for number in range(_KEYS)]
        assert len({one["plaintext"] for one in made}) == _KEYS
        await asyncio.gather(*(_open(kms, one) for one in made * _TIMES))
        assert await _code(kms, made[0], {"number": "other"}) == "InvalidCiphertextException"
    sys.stdout.write("equal\n")


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
