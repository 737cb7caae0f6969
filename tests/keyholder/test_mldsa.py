"""ML-DSA material: known answers, and pycryptodome on the other side."""

import pytest
from Crypto.PublicKey import MLDSA
from Crypto.Signature import mldsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSAMuHasher

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.software.kinds.encodings import parse_spki, pkcs8
from fuin.keyholder.backends.software.kinds.mldsa import MlDsa
from tests.keyholder.answers import FOLDER, answers
from tests.keyholder.opened import made, opened

ALGORITHM = "ML_DSA_SHAKE_256"
LENGTHS = {"ML_DSA_44": 2420, "ML_DSA_65": 3309, "ML_DSA_87": 4627}  # FIPS 204 table 2
SPECS = list(LENGTHS)


@pytest.mark.parametrize("spec", SPECS)
def test_known_answers(spec: str) -> None:
    """Seeds give the known public keys, and the known signatures hold over the representatives of their messages."""
    cases = list(answers(f"asymmetric/MLDSA/kat_{spec.replace('ML_', 'ML', 1)}_det_pure.rsp", "count"))
    for case in cases:
        key = opened(spec, bytes.fromhex(case["xi"]))
        public, message = key.public_key(), bytes.fromhex(case["msg"])
        assert public.endswith(bytes.fromhex(case["pk"]))
        hasher = MLDSAMuHasher(parse_spki(public, spec), bytes.fromhex(case["ctx"]))  # type: ignore[arg-type]
        hasher.update(message)
        mu = hasher.finalize()
        signature = bytes.fromhex(case["sm"])[: LENGTHS[spec]]
        key.verify(ALGORITHM, "EXTERNAL_MU", mu, signature)
        with pytest.raises(TamperedError):
            key.verify(ALGORITHM, "RAW", message, signature)  # signed with a context, which AWS does not have
        with pytest.raises(TamperedError):
            key.verify(ALGORITHM, "EXTERNAL_MU", mu[::-1], signature)
    assert len(cases) == 100


@pytest.mark.parametrize("spec", SPECS)
def test_pycryptodome_agrees(spec: str) -> None:
    """Another implementation verifies what is signed here in both message types, and signs what holds here."""
    key = opened(spec)
    theirs = MLDSA.import_key(key.public_key())
    hasher = MLDSAMuHasher(parse_spki(key.public_key(), spec))  # type: ignore[arg-type]
    hasher.update(b"one message")
    mu = hasher.finalize()
    raw = key.sign(ALGORITHM, "RAW", b"one message")
    external = key.sign(ALGORITHM, "EXTERNAL_MU", mu)
    for signature in (raw, external):
        mldsa.new(theirs).verify(b"one message", signature)
        key.verify(ALGORITHM, "RAW", b"one message", signature)
        key.verify(ALGORITHM, "EXTERNAL_MU", mu, signature)
    assert raw != external  # hedged: no two signatures are the same
    private = MLDSA.construct(param_set=getattr(MLDSA, spec), seed=made(spec))
    key.verify(ALGORITHM, "RAW", b"one message", mldsa.new(private).sign(b"one message"))


@pytest.mark.parametrize("spec", SPECS)
def test_wrong_signatures(spec: str) -> None:
    """Another message or key, and signatures that are none, do not hold."""
    key = opened(spec)
    signature = key.sign(ALGORITHM, "RAW", b"x")
    for message, given in ((b"y", signature), (b"x", signature[:-1]), (b"x", signature + b"\0"), (b"x", b"")):
        with pytest.raises(TamperedError):
            key.verify(ALGORITHM, "RAW", message, given)
    with pytest.raises(TamperedError):
        opened(spec, bytes(32)).verify(ALGORITHM, "RAW", b"x", signature)


@pytest.mark.parametrize("spec", SPECS)
def test_wrong_forms(spec: str) -> None:
    """There is one algorithm, a representative has 64 bytes, and digests are not signed."""
    key = opened(spec)
    for wrong in (
        ("ECDSA_SHA_256", "RAW", b"x"), (ALGORITHM, "DIGEST", bytes(64)), (ALGORITHM, "EXTERNAL_MU", bytes(63)),
        (ALGORITHM, "", b"x"),
    ):  # fmt: skip
        with pytest.raises(FormatError):
            key.sign(*wrong)
        with pytest.raises(FormatError):
            key.verify(*wrong, bytes(LENGTHS[spec]))
    with pytest.raises(FormatError):
        opened(spec, bytes(31))
    with pytest.raises(FormatError):
        key.encapsulate()


def test_import() -> None:
    """A foreign private key in PKCS#8 with its seed is taken for its own parameters; one without is not."""
    private = bytearray((FOLDER / "asymmetric/MLDSA/mldsa44_priv.der").read_bytes())
    seed = MlDsa.import_material("ML_DSA_44", private)
    assert opened("ML_DSA_44", bytes(seed)).public_key() == (FOLDER / "asymmetric/MLDSA/mldsa44_pub.der").read_bytes()
    no_seed = bytearray((FOLDER / "asymmetric/MLDSA/mldsa65_noseed_priv.der").read_bytes())
    for spec, wrong in (
        ("ML_DSA_65", private), ("ML_DSA_65", no_seed), ("ML_DSA_44", pkcs8(Ed25519PrivateKey.generate())),
    ):  # fmt: skip
        with pytest.raises(FormatError):
            MlDsa.import_material(spec, wrong)
