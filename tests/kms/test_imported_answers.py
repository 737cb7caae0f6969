"""Known answers through the wire: the published key is imported, and does what the publication says."""

from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from tests.keyholder.answers import answers, curve_key, rsa_key
from tests.kms.asking import NewKey, refusal
from tests.kms.importing import FOR_EVER, KEY_WRAP, brought

MACS = {"HMAC_224": ("sha224", 28), "HMAC_256": ("sha256", 32), "HMAC_384": ("sha384", 48), "HMAC_512": ("sha512", 64)}
CURVES: dict[str, tuple[str, ec.EllipticCurve, str]] = {
    "ECC_NIST_P256": ("P-256,SHA-256", ec.SECP256R1(), "ECDSA_SHA_256"),
    "ECC_NIST_P384": ("P-384,SHA-384", ec.SECP384R1(), "ECDSA_SHA_384"),
    "ECC_NIST_P521": ("P-521,SHA-512", ec.SECP521R1(), "ECDSA_SHA_512"),
}
Bring = Callable[[str, str, bytes], str]


@pytest.fixture
def bring_key(kms: Any, new_key: NewKey) -> Bring:
    """Give a maker of keys with imported material."""

    def make(spec: str, usage: str, material: bytes) -> str:
        key_id = new_key(Origin="EXTERNAL", KeySpec=spec, KeyUsage=usage)
        kms.import_key_material(**brought(kms, key_id, material, KEY_WRAP), **FOR_EVER)
        return key_id

    return make


@pytest.mark.parametrize("spec", MACS)
def test_rfc_4231(kms: Any, bring_key: Bring, spec: str) -> None:
    """RFC 4231: keys that are shorter than the spec's are filled with zeros, which HMAC does to them anyway."""
    name, length = MACS[spec]
    algorithm = spec.replace("HMAC_", "HMAC_SHA_")
    tried = 0
    for case in answers(f"HMAC/rfc-4231-{name}.txt", "Len"):
        key, message, mac = (bytes.fromhex(case[part]) for part in ("Key", "Msg", "MD"))
        if len(key) > length:
            continue
        key_id = bring_key(spec, "GENERATE_VERIFY_MAC", key.ljust(length, b"\0"))
        assert kms.generate_mac(KeyId=key_id, Message=message, MacAlgorithm=algorithm)["Mac"] == mac
        assert kms.verify_mac(KeyId=key_id, Message=message, MacAlgorithm=algorithm, Mac=mac)["MacValid"]
        tried += 1
    assert tried >= 4


@pytest.mark.parametrize("spec", CURVES)
def test_nist_ecdsa(kms: Any, bring_key: Bring, spec: str) -> None:
    """NIST, FIPS 186-3 SigGen: the signature that was published with a private key holds with that key here."""
    section, curve, algorithm = CURVES[spec]
    cases = [
        case
        for case in answers("asymmetric/ECDSA/FIPS_186-3/SigGen.txt", "Msg")
        if case["section"] == section
    ]  # fmt: skip
    for case in cases[:2]:
        key_id = bring_key(spec, "SIGN_VERIFY", curve_key(curve, int(case["d"], 16)))
        signature = encode_dss_signature(int(case["R"], 16), int(case["S"], 16))
        asked = {"KeyId": key_id, "Message": bytes.fromhex(case["Msg"]), "SigningAlgorithm": algorithm}
        assert kms.verify(**asked, Signature=signature)["SignatureValid"]
        assert kms.verify(**asked, Signature=kms.sign(**asked)["Signature"])["SignatureValid"]
    assert len(cases) > 2


@pytest.mark.parametrize("digest", ["SHA256", "SHA384", "SHA512"])
def test_nist_rsa(kms: Any, bring_key: Bring, digest: str) -> None:
    """NIST, SigVer15: a PKCS #1 v1.5 signature has no chance in it, so ours equals the published one that holds."""
    algorithm = f"RSASSA_PKCS1_V1_5_SHA_{digest[3:]}"
    cases = [
        case
        for case in answers("asymmetric/RSA/FIPS_186-2/SigVer15_186-3.rsp", "SHAAlg", ("n",))
        if (case["section"], case["SHAAlg"]) == ("mod = 2048", digest)
        and "e changed" not in case["Result"]  # there is no private key with that
    ]
    for case in cases:
        signature = bytes.fromhex(case["S"])
        key_id = bring_key("RSA_2048", "SIGN_VERIFY", rsa_key(*(int(case[part], 16) for part in ("n", "e", "d"))))
        asked = {"KeyId": key_id, "Message": bytes.fromhex(case["Msg"]), "SigningAlgorithm": algorithm}
        if case["Result"].startswith("P"):
            assert kms.sign(**asked)["Signature"] == signature
            assert kms.verify(**asked, Signature=signature)["SignatureValid"]
        else:
            assert refusal(kms.verify, **asked, Signature=signature)[0] == "KMSInvalidSignatureException"
    assert {case["Result"][0] for case in cases} == {"P", "F"}
