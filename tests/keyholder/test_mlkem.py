"""ML-KEM material: known answers with implicit rejection, and the other library on the other side."""

import pytest
from Crypto.PublicKey import MLKEM
from cryptography.hazmat.primitives.asymmetric.mlkem import MLKEM768PrivateKey, MLKEM1024PrivateKey

from fuin.errors import FormatError, TamperedError
from fuin.keyholder.backends.software.kinds.encodings import pkcs8
from fuin.keyholder.backends.software.kinds.mlkem import MlKem
from tests.keyholder.answers import FOLDER, answers
from tests.keyholder.opened import made, opened

LENGTHS = {"ML_KEM_512": 768, "ML_KEM_768": 1088, "ML_KEM_1024": 1568}  # FIPS 203 table 3
SPECS = list(LENGTHS)


@pytest.mark.parametrize("spec", SPECS)
def test_known_answers(spec: str) -> None:
    """Seeds give the known public keys, ciphertexts their secrets, and wrong ones the secrets of implicit rejection."""
    name = spec.replace("ML_KEM", "MLKEM")
    cases = list(answers(f"asymmetric/MLKEM/kat_{name}.rsp", "count"))[:200]
    for case in cases:
        key = opened(spec, bytes.fromhex(case["d"] + case["z"]))
        assert key.public_key().endswith(bytes.fromhex(case["pk"]))
        assert key.decapsulate(bytes.fromhex(case["ct"])) == bytes.fromhex(case["ss"])
        assert key.decapsulate(bytes.fromhex(case["ct_n"])) == bytes.fromhex(case["ss_n"])
    assert len(cases) == 200


@pytest.mark.parametrize("spec", SPECS)
def test_pycryptodome_agrees(spec: str) -> None:
    """Another implementation (for 512, the same from outside) opens what is encapsulated here, and the other way."""
    key = opened(spec)
    secret, ciphertext = key.encapsulate()
    assert (len(secret), len(ciphertext)) == (32, LENGTHS[spec])
    theirs = MLKEM.construct(param_set=getattr(MLKEM, spec), seed=made(spec))
    assert theirs._decaps(ciphertext) == secret
    shared, sent = MLKEM.import_key(key.public_key())._encaps()
    assert key.decapsulate(sent) == shared
    assert key.encapsulate() != (secret, ciphertext)


@pytest.mark.parametrize("spec", SPECS)
def test_implicit_rejection(spec: str) -> None:
    """A wrong ciphertext of the right length gives another secret, always the same; a wrong length is an error."""
    key = opened(spec)
    secret, ciphertext = key.encapsulate()
    wrong = bytes([ciphertext[0] ^ 1]) + ciphertext[1:]
    rejected = key.decapsulate(wrong)
    assert len(rejected) == 32
    assert rejected != secret
    assert key.decapsulate(wrong) == rejected
    assert opened(spec, bytes(64)).decapsulate(wrong) != rejected
    for length in {0, 1, *LENGTHS.values(), LENGTHS[spec] - 1, LENGTHS[spec] + 1} - {LENGTHS[spec]}:
        with pytest.raises(TamperedError):
            key.decapsulate(bytes(length))


@pytest.mark.parametrize("spec", SPECS)
def test_import(spec: str) -> None:
    """A foreign private key in PKCS#8 with its seed is taken for its own parameters only."""
    encoded = {name: MLKEM.construct(param_set=getattr(MLKEM, name), seed=made(name)).export_key() for name in SPECS}
    assert MlKem.import_material(spec, bytearray(encoded[spec])) == made(spec)
    for name, wrong in encoded.items():
        if name != spec:
            with pytest.raises(FormatError):
                MlKem.import_material(spec, bytearray(wrong))
    parameters, seed = getattr(MLKEM, spec), made(spec)
    whole = MLKEM.construct(param_set=parameters, seed=seed).expanded_dk
    expanded = MLKEM.construct(param_set=parameters, expanded_dk=whole)
    for wrong in (b"", b"none", made(spec), expanded.export_key()):
        with pytest.raises(FormatError):
            MlKem.import_material(spec, bytearray(wrong))
    for length in (0, 63, 65):
        with pytest.raises(FormatError):
            opened(spec, bytes(length))


def test_both_libraries_encode_alike() -> None:
    """The library that makes ML_KEM_512 writes the larger sets as the other one does, so all three look the same."""
    for spec, kind in (("ML_KEM_768", MLKEM768PrivateKey), ("ML_KEM_1024", MLKEM1024PrivateKey)):
        theirs = MLKEM.construct(param_set=getattr(MLKEM, spec), seed=made(spec))
        assert theirs.export_key() == pkcs8(kind.from_seed_bytes(made(spec)))
        assert theirs.public_key().export_key() == opened(spec).public_key()
    private = bytearray((FOLDER / "asymmetric/MLKEM/mlkem768.der").read_bytes())
    assert len(MlKem.import_material("ML_KEM_768", private)) == 64


def test_other_operations_are_refused() -> None:
    """ML-KEM keys only encapsulate."""
    key = opened("ML_KEM_768")
    for call in (
        lambda: key.encrypt(b"", b"x"), lambda: key.sign("ML_DSA_SHAKE_256", "RAW", b"x"),
        lambda: key.verify("ML_DSA_SHAKE_256", "RAW", b"x", b""), lambda: key.derive_shared_secret(key.public_key()),
        lambda: key.seal_data_key(b"", b"x"),
    ):  # fmt: skip
        with pytest.raises(FormatError):
            call()
