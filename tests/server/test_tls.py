"""The self-signed certificate of `fuin serve --tls-self-signed`."""

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest
from botocore.exceptions import ClientError
from cryptography import x509

from fuin.server import tls
from tests.support.server import Server


def test_certificate_is_no_authority(tmp_path: Path) -> None:
    """It is a server's and not an authority's: rustls refuses an authority in a server's place (CaUsedAsEndEntity)."""
    certificate, _ = tls.self_signed(tmp_path, "127.0.0.1")
    extensions = x509.load_pem_x509_certificate(certificate.read_bytes()).extensions
    assert not extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost"]


def test_the_certificate_is_kept_while_it_serves(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Clients trust the file, so it stays; near its end, or beside another key, it is made anew."""
    first = tls.self_signed(tmp_path, "127.0.0.1")[0].read_bytes()
    assert tls.self_signed(tmp_path, "127.0.0.1")[0].read_bytes() == first
    monkeypatch.setattr(tls, "RENEWED", tls.DAYS)
    second = tls.self_signed(tmp_path, "127.0.0.1")[0].read_bytes()
    assert second != first
    monkeypatch.undo()
    (tmp_path / "cert.pem").write_bytes(first)  # as a crash in the middle of a renewal leaves it
    assert tls.self_signed(tmp_path, "127.0.0.1")[0].read_bytes() not in (first, second)


def test_a_certificate_of_a_wrong_clock_is_made_anew(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A certificate that a clock far ahead has made is not valid yet: with the right clock no client would take it."""

    class Ahead(datetime.datetime):
        """A year later."""

        @classmethod
        def now(cls, tz: datetime.tzinfo | None = None) -> "Ahead":
            """Return the time a year from now."""
            return cls.fromtimestamp(datetime.datetime.now(tz).timestamp() + 365 * 86400, tz)

    with monkeypatch.context() as patch:
        patch.setattr(tls, "datetime", SimpleNamespace(datetime=Ahead, UTC=datetime.UTC, timedelta=datetime.timedelta))
        wrong = tls.self_signed(tmp_path, "127.0.0.1")[0].read_bytes()
        assert tls.self_signed(tmp_path, "127.0.0.1")[0].read_bytes() == wrong
    made = x509.load_pem_x509_certificate(tls.self_signed(tmp_path, "127.0.0.1")[0].read_bytes())
    assert made.not_valid_before_utc < datetime.datetime.now(datetime.UTC)


def test_the_certificate_names_the_domains_of_buckets(tmp_path: Path) -> None:
    """A domain and what is below it; for a domain that is new the certificate is made anew, for one fewer it stays."""

    def made(*domains: str) -> bytes:
        return tls.self_signed(tmp_path, "127.0.0.1", domains)[0].read_bytes()

    first = made()
    second = made("s3.example.com")
    assert second != first
    extensions = x509.load_pem_x509_certificate(second).extensions
    names = extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["localhost", "s3.example.com", "*.s3.example.com"]
    assert made("s3.example.com") == made() == second


def test_what_needs_tls_goes_over_it(tls_server: Server, unique: Callable[[str], str]) -> None:
    """The shared server demands TLS for SSE-KMS and SSE-C, and its clients have it."""
    s3, bucket = tls_server.client("s3"), unique("tls")
    s3.create_bucket(Bucket=bucket)
    rule = {"BlockedEncryptionTypes": {"EncryptionType": ["NONE"]}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    key = {"SSECustomerAlgorithm": "AES256", "SSECustomerKey": b"k" * 32}
    for name, written, read in (("kms", {"ServerSideEncryption": "aws:kms"}, {}), ("own", key, key)):
        s3.put_object(Bucket=bucket, Key=name, Body=b"x", **written)
        with s3.get_object(Bucket=bucket, Key=name, **read)["Body"] as body:
            assert body.read() == b"x"


def test_the_version_is_a_condition_key(tls_server: Server, unique: Callable[[str], str]) -> None:
    """s3:TlsVersion is that of the connection, and aws:SecureTransport is true."""
    s3, bucket = tls_server.client("s3"), unique("tls")
    s3.create_bucket(Bucket=bucket)
    for at_least, allowed in (("1.3", True), ("1.4", False)):
        statement = {
            "Effect": "Deny", "Principal": "*", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{bucket}",
            "Condition": {"NumericLessThan": {"s3:TlsVersion": at_least}, "Bool": {"aws:SecureTransport": "true"}},
        }  # fmt: skip
        s3.put_bucket_policy(Bucket=bucket, Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
        if allowed:
            s3.list_objects_v2(Bucket=bucket)
        else:
            with pytest.raises(ClientError, match="explicit deny"):
                s3.list_objects_v2(Bucket=bucket)
