"""A script for Windows, signed by jsign with a key that never leaves KMS."""

import base64
import datetime
import shutil
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tests.interop.jsign import way
from tests.support.certificates import Authority
from tests.support.server import REGION, REPOSITORY, Server, run

FOLDER = REPOSITORY / ".venv-jsign"
NAME = f"kms.{REGION}.amazonaws.com"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        shutil.which("java") is None or not (FOLDER / ".done").exists(),
        reason="java or jsign is not installed (make .venv-jsign/.done)",
    ),
]


def test_script_is_signed_by_a_key_of_kms(server: Server, tmp_path: Path) -> None:
    """jsign signs with DescribeKey and Sign, as the owner of the key; the signature is the certified key's."""
    kms, authority = server.client("kms"), Authority(tmp_path / "authority")
    key = kms.create_key(KeySpec="ECC_NIST_P256", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    public = serialization.load_der_public_key(kms.get_public_key(KeyId=key)["PublicKey"])
    assert isinstance(public, ec.EllipticCurvePublicKey)
    (tmp_path / "chain.pem").write_bytes(_certificate(public))
    script = tmp_path / "hello.ps1"
    script.write_text("Write-Output 'hello'\r\n")
    way.write_trust(authority, tmp_path / "trust.p12")
    java = ["java", "-XX:TieredStopAtLevel=1", f"-Djavax.net.ssl.trustStore={tmp_path / 'trust.p12'}"]
    java += [f"-Djavax.net.ssl.trustStorePassword={way.PASSWORD}", "-jar", str(next(FOLDER.glob("jsign-*.jar")))]
    told = ["--storetype", "AWS", "--keystore", REGION, "--alias", key, "--certfile", str(tmp_path / "chain.pem")]
    with way.proxied(authority, NAME, server.port) as proxy:
        run([*java, *told, "--proxyUrl", proxy, str(script)], server.client_environment())
    lines = script.read_text(encoding="utf-8-sig").splitlines()
    start, end = lines.index("# SIG # Begin signature block"), lines.index("# SIG # End signature block")
    attributes, signature = _signed(base64.b64decode("".join(line[2:] for line in lines[start + 1 : end])))
    public.verify(signature, attributes, ec.ECDSA(hashes.SHA256()))


def _certificate(public: ec.EllipticCurvePublicKey) -> bytes:
    """Return a certificate for signing code with a public key, from somebody who made up a key for it."""
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Tests' own publisher")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder(name, name, public, x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]), critical=False)
        .sign(ec.generate_private_key(ec.SECP256R1()), hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)


def _signed(message: bytes) -> tuple[bytes, bytes]:
    """Return the signed attributes of a CMS message's one signer, as they were signed, and the signature (RFC 5652)."""
    [content_info] = _members(message)
    [_, (_, wrapped)] = _members(content_info[1])
    [(_, signed_data)] = _members(wrapped)
    [(_, signer)] = _members(_members(signed_data)[-1][1])
    fields = _members(signer)
    [attributes] = [value for tag, value in fields if tag == 0xA0]
    [signature] = [value for tag, value in fields if tag == 0x04]
    return b"\x31" + _length(len(attributes)) + attributes, signature


def _length(size: int) -> bytes:
    """Return a length in DER."""
    octets = size.to_bytes((size.bit_length() + 7) // 8 or 1, "big")
    return octets if size < 0x80 else bytes([0x80 | len(octets)]) + octets


def _members(data: bytes) -> list[tuple[int, bytes]]:
    """Return the elements of DER that follow each other, as tags and contents."""
    found, at = [], 0
    while at < len(data):
        tag, size, at = data[at], data[at + 1], at + 2
        if size & 0x80:
            width = size & 0x7F
            size, at = int.from_bytes(data[at : at + width], "big"), at + width
        found.append((tag, data[at : at + size]))
        at += size
    return found
