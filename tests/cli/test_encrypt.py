"""`fuin encrypt` and `fuin decrypt` against the real server's KMS, as a user runs them."""

import hashlib
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.policies import allow
from tests.support.server import FUIN, REPOSITORY, Server, User, run

SIZE = 3 * 1024 * 1024 + 17


@pytest.fixture
def alias(server: Server, unique: Callable[[str], str]) -> str:
    """Give the alias of a new key."""
    kms, name = server.client("kms"), f"alias/{unique('files')}"
    kms.create_alias(AliasName=name, TargetKeyId=kms.create_key()["KeyMetadata"]["KeyId"])
    return name


def fuin(server: Server, *arguments: str, user: User | None = None) -> subprocess.CompletedProcess[str]:
    """Run a verb as a user of the server's KMS, and return how it ended."""
    return run([str(FUIN), *arguments], server.client_environment(user), check=False)


def test_a_file_goes_and_comes_back(server: Server, alias: str, tmp_path: Path) -> None:
    """The encrypted file holds nothing of the plain one, and what comes back is equal."""
    plain = tmp_path / "plain.bin"
    plain.write_bytes(os.urandom(SIZE))
    made = fuin(server, "encrypt", str(plain), "--key", alias, "--context", "purpose=test")
    assert made.returncode == 0, made.stderr
    sealed = tmp_path / "plain.bin.fuin"
    assert plain.read_bytes()[1000:1064] not in sealed.read_bytes()
    back = tmp_path / "back.bin"
    done = fuin(server, "decrypt", str(sealed), "-o", str(back), "--context", "purpose=test")
    assert done.returncode == 0, done.stderr
    assert back.read_bytes() == plain.read_bytes()
    other = fuin(server, "decrypt", str(sealed), "-o", str(tmp_path / "no"), "--context", "purpose=other")
    assert other.returncode == 1
    assert not (tmp_path / "no").exists()


def test_the_official_sdk_opens_it(server: Server, alias: str, tmp_path: Path) -> None:
    """A file of `fuin encrypt` is a message of the AWS Encryption SDK."""
    plain = tmp_path / "plain.txt"
    plain.write_bytes(b"for the other side")
    fuin(server, "encrypt", str(plain), "--key", alias)
    arn = server.client("kms").describe_key(KeyId=alias)["KeyMetadata"]["Arn"]
    script = REPOSITORY / "demo" / "open_with_sdk.py"
    arguments = [sys.executable, str(script), str(tmp_path / "plain.txt.fuin"), arn]
    opened = run(arguments, server.client_environment()).stdout
    assert hashlib.sha256(b"for the other side").hexdigest() in opened


def test_who_may_not_decrypt_gets_nothing(
    server: Server, alias: str, unique: Callable[[str], str], tmp_path: Path
) -> None:
    """A user who may only make data keys encrypts, and is refused the way back by name of the right."""
    writer = server.add_user(unique("writer"), allow("kms:GenerateDataKey"))
    plain = tmp_path / "plain.txt"
    plain.write_text("mine")
    assert fuin(server, "encrypt", str(plain), "--key", alias, user=writer).returncode == 0
    plain.unlink()
    refused = fuin(server, "decrypt", f"{plain}.fuin", user=writer)
    assert refused.returncode == 1
    assert "kms:Decrypt" in refused.stderr
    assert not plain.exists()
