"""Wrapped material and sealed secrets: their vectors, their binding, and that no changed bit opens."""

import hmac
from pathlib import Path
from typing import Any

import pytest
from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from hypothesis import given
from hypothesis import strategies as st

from fuin.errors import FormatError, MaterialDamaged, TamperedError
from fuin.formats import wrapped
from fuin.formats.wrapped import Envelope, Kind, Material
from fuin.keyholder.backends.software.backend import SoftwareBackend
from fuin.keyholder.sealed.root_key import RootKey
from tests.formats import vectors
from tests.formats.make_vectors import KEY_ID, MULTI_REGION, ROOT

PATHS = vectors.paths("wrapped-material")
ERRORS = {"format": FormatError, "tampered": MaterialDamaged}
SCOPE = ("20260102", "us-east-1", "kms")


def read(path: Path) -> dict[str, Any]:
    """Return a vector."""
    return vectors.read(path, "root_key", "material_id", "wrapped", "key")


def open_case(case: dict[str, Any]) -> bytes:
    """Open a vector in the keyholder's backend."""
    backend = SoftwareBackend(RootKey(bytearray(case["root_key"])))
    if "access_key_id" in case:
        return backend.signing_key(case["wrapped"], case["access_key_id"], SCOPE)
    material = Material(case["key_id"], case["material_id"], case["spec"], case["wrapped"])
    backend.material(material.encoded)  # a spec that there is not shows here
    return bytes(backend.key_bytes(material))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_vector(path: Path) -> None:
    """Each vector opens to its key, or fails with its kind of error."""
    case = read(path)
    if "error" in case:
        with pytest.raises(ERRORS[case["error"]]):
            open_case(case)
    elif "access_key_id" not in case:
        assert open_case(case) == case["key"]


def test_secret_gives_the_day_key_that_aws_derives() -> None:
    """The sealed secret's vector gives the signing key that botocore derives from the secret itself."""
    case = read(vectors.FOLDER / "wrapped-material" / "secret.json")
    request = AWSRequest("POST", "http://x/")
    request.context["timestamp"] = "20260102T030405Z"
    auth = SigV4Auth(Credentials("x", case["key"].decode()), "kms", "us-east-1")
    assert hmac.digest(open_case(case), b"text", "sha256").hex() == auth.signature("text", request)


def test_failures_outnumber_successes() -> None:
    """The vectors say more about what is refused than about what is taken."""
    failed, succeeded = vectors.failures("wrapped-material")
    assert failed > 10 * succeeded


@pytest.mark.parametrize("name", ["material", "secret"])
def test_every_changed_bit_is_refused(name: str) -> None:
    """Neither opens after any one of its bits was changed."""
    case = read(vectors.FOLDER / "wrapped-material" / f"{name}.json")
    for bit in range(8 * len(case["wrapped"])):
        changed = bytearray(case["wrapped"])
        changed[bit // 8] ^= 1 << bit % 8
        with pytest.raises((FormatError, TamperedError)):
            open_case({**case, "wrapped": bytes(changed)})


@given(
    st.sampled_from(list(Kind)), st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32),
    st.binary(min_size=17, max_size=60),
)  # fmt: skip
def test_envelope_round_trip(kind: Kind, salt: bytes, commitment: bytes, sealed: bytes) -> None:
    """An envelope parses to the parts that it was made of."""
    envelope = Envelope(kind, salt, commitment, sealed)
    assert wrapped.parse(wrapped.encode(envelope)) == envelope


@given(
    st.sampled_from([KEY_ID, MULTI_REGION]), st.binary(min_size=32, max_size=32), st.binary(min_size=83, max_size=99)
)
def test_material_round_trip(key_id: str, material_id: bytes, sealed: bytes) -> None:
    """What travels to the keyholder names the same material there."""
    material = Material(key_id, material_id, "SYMMETRIC_DEFAULT", sealed)
    assert wrapped.parse_material(material.encoded) == material


@given(st.binary(max_size=220))
def test_parsing_material_takes_canonical_bytes_only(data: bytes) -> None:
    """Whatever parses is exactly what encoding gives, and nothing else is taken."""
    try:
        material = wrapped.parse_material(b"\x24" + KEY_ID.encode() + data)
    except FormatError:
        return
    assert material.encoded == b"\x24" + KEY_ID.encode() + data


@pytest.mark.parametrize(("version", "kind"), [(0, 0), (2, 6), (255, 255)])
def test_unknown_version_is_refused(version: int, kind: int) -> None:
    """An envelope of another version is refused, and so is an unknown kind."""
    good = wrapped.encode(Envelope(Kind.MATERIAL, bytes(32), bytes(32), bytes(48)))
    with pytest.raises(FormatError):
        wrapped.parse(bytes((version,)) + good[1:])
    with pytest.raises(FormatError):
        wrapped.parse(good[:1] + bytes((kind,)) + good[2:])


def test_repr_shows_no_wrapped_bytes() -> None:
    """A material in a log line does not show its wrapped bytes."""
    material = Material(KEY_ID, bytes(32), "SYMMETRIC_DEFAULT", b"\xaa" * 114)
    assert "aa" not in repr(material)
    assert ROOT.hex() not in repr(RootKey(bytearray(ROOT)))
