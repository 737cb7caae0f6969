"""TLS for trying out: a self-signed certificate for the names and addresses of this machine's loopback interface."""

import datetime
import ipaddress
import os
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

DAYS = 825  # the longest validity that common clients accept
RENEWED = 30  # days before its end


def self_signed(folder: Path, host: str, domains: tuple[str, ...] = ()) -> tuple[Path, Path]:
    """Return the paths of a certificate and its key in `folder`, made on first use and again a month before it expires.

    The certificate is for `localhost`, `127.0.0.1`, `::1` and `host`: some clients match names only, some need a dot.
    It is also for each of the `domains` with the names below it, and is made again when it lacks one.
    """
    certificate, key = folder / "cert.pem", folder / "key.pem"
    if _serve(certificate, key, domains):
        return certificate, key
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = ec.generate_private_key(ec.SECP256R1())
    _write(
        key,
        private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        ),
    )
    _write(certificate, _certificate(private, host, domains).public_bytes(serialization.Encoding.PEM))
    return certificate, key


def read_end(certificate: Path) -> float:
    """Return the time at which a certificate ends; raises OSError, and ValueError for a file that is no certificate."""
    return x509.load_pem_x509_certificate(certificate.read_bytes()).not_valid_after_utc.timestamp()


def _serve(certificate: Path, key: Path, domains: tuple[str, ...]) -> bool:
    """Return whether the two files exist, belong together, are valid long enough, and name the domains.

    A crash may have left one old file and one new.
    """
    try:
        made = x509.load_pem_x509_certificate(certificate.read_bytes())
        private = serialization.load_pem_private_key(key.read_bytes(), None)
    except (OSError, ValueError):
        return False
    ends = made.not_valid_after_utc - datetime.timedelta(days=RENEWED)
    begins = made.not_valid_before_utc  # after now, when it was made by a clock that was ahead
    named = made.extensions.get_extension_for_class(x509.SubjectAlternativeName).value.get_values_for_type(x509.DNSName)
    if not set(_names(domains)).issubset(named):
        return False
    return made.public_key() == private.public_key() and begins <= datetime.datetime.now(datetime.UTC) < ends


def _names(domains: tuple[str, ...]) -> list[str]:
    return [name for domain in domains for name in (domain, f"*.{domain}")]


def _certificate(private: ec.EllipticCurvePrivateKey, host: str, domains: tuple[str, ...]) -> x509.Certificate:
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Fuin, self-signed")])
    now = datetime.datetime.now(datetime.UTC)
    alternatives: list[x509.GeneralName] = [
        x509.DNSName("localhost"),
        x509.IPAddress(ipaddress.ip_address("127.0.0.1")),
        x509.IPAddress(ipaddress.ip_address("::1")),
    ]
    if host not in {"127.0.0.1", "::1", "localhost", "0.0.0.0", "::"}:  # noqa: S104  (compared, not bound)
        alternatives.append(_alternative(host))
    alternatives += [x509.DNSName(name) for name in _names(domains)]
    return (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=DAYS))
        .add_extension(x509.SubjectAlternativeName(alternatives), critical=False)
        # Not an authority: rustls, and so all Rust clients, refuse one as a server's certificate (CaUsedAsEndEntity).
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .sign(private, hashes.SHA256())
    )


def _alternative(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(host))
    except ValueError:
        return x509.DNSName(host)


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
