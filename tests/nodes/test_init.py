"""`fuin init`, and what a node refuses before it joins."""

from __future__ import annotations

import os

import psycopg

from tests.nodes.conftest import Installation
from tests.support.fake_s3 import BUCKET


def test_installation_is_made_once(empty: Installation) -> None:
    """Before it no node serves; a second one says so and changes nothing; the root key in the database is sealed."""
    assert "fuin init" in empty.refused_start("a")
    assert not empty.data("a").exists()
    _, said = empty.init()
    assert "The installation is made" in said
    before = _meta(empty)
    assert bytes.fromhex(before["root_key"]) == (empty.data("a") / "root.key").read_bytes()
    assert before["root_key"][len(b"fuin root key v1\n") * 2 :].startswith("01"), "sealed by a passphrase"
    for node in ("a", "b"):
        status, said = empty.init(node=node, check=False)
        assert status == 1
        assert "holds an installation already" in said
    assert _meta(empty) == before
    wrong = empty.folder / "wrong"
    wrong.write_text("another passphrase")
    assert "the passphrase does not open the root key" in empty.refused_start("b", "--passphrase-file", str(wrong))
    assert (empty.data("b") / "root.key").read_bytes() == (empty.data("a") / "root.key").read_bytes()


def test_node_refuses_what_is_not_its_own(empty: Installation) -> None:
    """Another node's folder, another root key, other blobs, and a missing log are refused, each with its reason."""
    empty.init()
    assert "belongs to the node a, and not to b" in empty.refused_start("b", "--data", str(empty.data("a")))
    assert f"stores its blobs in s3://{BUCKET}/blobs" in empty.refused_start("b", "--blobs", f"s3://{BUCKET}/other")
    key = empty.data("b") / "root.key"
    content = bytearray((empty.data("a") / "root.key").read_bytes())
    content[-1] ^= 1
    key.unlink(missing_ok=True)
    key.write_bytes(content)
    key.chmod(0o600)
    assert "is not the root key of this installation" in empty.refused_start("b")
    (empty.data("a") / "audit").rename(empty.folder / "log-that-is-gone")
    assert "is in use by the node a: restore the log" in empty.refused_start("a")


def test_bare_root_key_is_refused(empty: Installation) -> None:
    """A key that no passphrase seals is not put into a database, and nothing is made."""
    data = empty.data("a")
    data.mkdir(parents=True, mode=0o700)
    key = data / "root.key"
    key.write_bytes(b"fuin root key v1\n\x00" + os.urandom(32))
    key.chmod(0o600)
    status, said = empty.init(check=False)
    assert status == 1
    assert "bare root key" in said
    with psycopg.connect(empty.url) as conn:
        assert conn.execute("SELECT count(*) FROM pg_tables WHERE schemaname = 'public'").fetchone() == (0,)


def _meta(installation: Installation) -> dict[str, str]:
    with psycopg.connect(installation.url) as conn:
        return dict(conn.execute("SELECT name, value FROM meta").fetchall())
