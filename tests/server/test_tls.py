"""The self-signed certificate of `fuin serve --tls-self-signed`."""

from pathlib import Path

import pytest
from cryptography import x509

from fuin.server import tls


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
