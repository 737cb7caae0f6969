"""What the random requests may name: keys of every kind that is quick to make, ciphertexts, tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from fuin.kms.model.specs import SPECS
from tests.fuzz.inputs import SLOW_TO_MAKE, Pool

if TYPE_CHECKING:
    from tests.support.place import Place

GRANTEE = "arn:aws:iam::123456789012:root"


def furnish(place: Place) -> Pool:
    """Make the keys and what they give."""
    kms = place.kms()
    pool = Pool()
    for spec in SPECS.values():
        if spec.name not in SLOW_TO_MAKE:
            for usage in spec.usages:
                made = kms.create_key(KeySpec=spec.name, KeyUsage=usage)["KeyMetadata"]
                pool.keys += [made["KeyId"], made["Arn"]]
    for number in range(20):
        symmetric = kms.create_key(MultiRegion=number % 2 == 0)["KeyMetadata"]["KeyId"]
        pool.spare.append(symmetric)
        kms.create_alias(AliasName=f"alias/fuzz-{number}", TargetKeyId=pool.keys[0])
    pool.keys += ["alias/fuzz-0", "alias/aws/s3"]
    _ciphertexts(kms, pool)
    _tokens(kms, pool)
    return pool


def _ciphertexts(kms: Any, pool: Pool) -> None:
    for context in ({}, {"tenant": "1"}):
        for key in pool.keys:
            for algorithm in ("SYMMETRIC_DEFAULT", "RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256"):
                asked = {"KeyId": key, "Plaintext": b"plain", "EncryptionAlgorithm": algorithm}
                try:
                    pool.blobs.append(kms.encrypt(**asked, EncryptionContext=context)["CiphertextBlob"])
                except ClientError:  # not this key's algorithm
                    continue
    for key in pool.keys:
        try:
            pool.blobs.append(kms.get_public_key(KeyId=key)["PublicKey"])
        except ClientError:  # a symmetric key
            continue


def _tokens(kms: Any, pool: Pool) -> None:
    for spec, usage in (("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"), ("HMAC_256", "GENERATE_VERIFY_MAC")):
        key = kms.create_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)["KeyMetadata"]["KeyId"]
        pool.keys.append(key)
        wanted = kms.get_parameters_for_import(
            KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
        )
        pool.import_tokens.append(wanted["ImportToken"])
    for _ in range(3):
        grant = kms.create_grant(KeyId=pool.keys[0], GranteePrincipal=GRANTEE, Operations=["Decrypt", "Encrypt"])
        pool.grant_tokens.append(grant["GrantToken"])
        pool.grant_ids.append(grant["GrantId"])
