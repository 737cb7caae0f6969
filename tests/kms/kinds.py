"""All kinds of keys, as AWS's pages list them, apart from the product's own table."""

_RSA_SIGNING = tuple(
    f"{scheme}_{digest}"
    for scheme in ("RSASSA_PKCS1_V1_5", "RSASSA_PSS")
    for digest in ("SHA_256", "SHA_384", "SHA_512")
)
_OAEP = ("RSAES_OAEP_SHA_1", "RSAES_OAEP_SHA_256")
RSA = ("RSA_2048", "RSA_3072", "RSA_4096")
NIST = ("ECC_NIST_P256", "ECC_NIST_P384", "ECC_NIST_P521")
ML_DSA = ("ML_DSA_44", "ML_DSA_65", "ML_DSA_87")
ML_KEM = ("ML_KEM_512", "ML_KEM_768", "ML_KEM_1024")
EDWARDS = "ECC_NIST_EDWARDS25519"
PAIRS = (*RSA, *NIST, "ECC_SECG_P256K1", EDWARDS, *ML_KEM)

# (key spec, key usage) -> algorithms
KINDS: dict[tuple[str, str], tuple[str, ...]] = {
    ("SYMMETRIC_DEFAULT", "ENCRYPT_DECRYPT"): ("SYMMETRIC_DEFAULT",),
    **{(spec, "ENCRYPT_DECRYPT"): _OAEP for spec in RSA},
    **{(spec, "SIGN_VERIFY"): _RSA_SIGNING for spec in RSA},
    ("ECC_NIST_P256", "SIGN_VERIFY"): ("ECDSA_SHA_256",),
    ("ECC_NIST_P384", "SIGN_VERIFY"): ("ECDSA_SHA_384",),
    ("ECC_NIST_P521", "SIGN_VERIFY"): ("ECDSA_SHA_512",),
    ("ECC_SECG_P256K1", "SIGN_VERIFY"): ("ECDSA_SHA_256",),
    (EDWARDS, "SIGN_VERIFY"): ("ED25519_SHA_512", "ED25519_PH_SHA_512"),
    **{(spec, "KEY_AGREEMENT"): ("ECDH",) for spec in NIST},
    **{(f"HMAC_{bits}", "GENERATE_VERIFY_MAC"): (f"HMAC_SHA_{bits}",) for bits in (224, 256, 384, 512)},
    **{(spec, "SIGN_VERIFY"): ("ML_DSA_SHAKE_256",) for spec in ML_DSA},
    **{(spec, "ENCAPSULATE_DECAPSULATE"): ("ML_KEM",) for spec in ML_KEM},
}
ALGORITHMS_MEMBER = {
    "ENCRYPT_DECRYPT": "EncryptionAlgorithms",
    "SIGN_VERIFY": "SigningAlgorithms",
    "GENERATE_VERIFY_MAC": "MacAlgorithms",
    "KEY_AGREEMENT": "KeyAgreementAlgorithms",
    "ENCAPSULATE_DECAPSULATE": "EncapsulationAlgorithms",
}
USAGES = tuple(ALGORITHMS_MEMBER)
SPECS = tuple(dict.fromkeys(spec for spec, _ in KINDS))
ASYMMETRIC = [kind for kind in KINDS if kind[0] != "SYMMETRIC_DEFAULT" and not kind[0].startswith("HMAC")]
SIGNING = [
    (spec, algorithm) for (spec, usage), listed in KINDS.items() if usage == "SIGN_VERIFY" for algorithm in listed
]
DIGESTS = {"SHA_256": 32, "SHA_384": 48, "SHA_512": 64}  # bytes
