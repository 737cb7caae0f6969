"""`fuin encrypt` and `fuin decrypt` as processes: files, pipes, refusals, exit statuses."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from tests.envelope.kms_stand_in import ALIAS, ARN, KmsStandIn

MAIN = """
import sys, typer
from fuin.cli import encrypt
from fuin.errors import FuinError
app = typer.Typer(rich_markup_mode="markdown", pretty_exceptions_enable=False)
app.command("encrypt")(encrypt.encrypt)
app.command("decrypt")(encrypt.decrypt)
try:
    app()
except (FuinError, OSError) as error:
    sys.exit(f"fuin: {error}")
"""
PLAINTEXT = bytes(index % 253 for index in range(700_000))
WRITE = ("--key", ALIAS, "--region", "eu-central-1")


def fuin(
    *arguments: str | Path, stdin: bytes = b"", status: int = 0, folder: Path | None = None
) -> subprocess.CompletedProcess[bytes]:
    """Run a command with the two verbs, as cli/main.py registers them, and check its exit status."""
    command = [sys.executable, "-c", MAIN, *map(str, arguments)]
    done = subprocess.run(command, input=stdin, capture_output=True, cwd=folder, timeout=60, check=False)
    assert done.returncode == status, done.stderr.decode()
    return done


@pytest.fixture
def plain(tmp_path: Path) -> Path:
    """Give a file to encrypt."""
    path = tmp_path / "report.pdf"
    path.write_bytes(PLAINTEXT)
    return path


def test_file_and_back(kms: KmsStandIn, plain: Path) -> None:
    """FILE becomes FILE.fuin and comes back; off a terminal, both are silent."""
    done = fuin("encrypt", plain, *WRITE, "--context", "team=finance", "--context", "formula=a=b")
    assert (done.stdout, done.stderr) == (b"", b"")
    assert kms.requests[0][1]["EncryptionContext"] == {"team": "finance", "formula": "a=b"}
    sealed = plain.with_name("report.pdf.fuin")
    assert PLAINTEXT[:1000] not in sealed.read_bytes()
    plain.unlink()
    done = fuin("decrypt", sealed, "--key", ARN, "--context", "team=finance")
    assert (done.stdout, done.stderr) == (b"", b"")
    assert plain.read_bytes() == PLAINTEXT


def test_pipes(kms: KmsStandIn) -> None:
    """Standard input goes to standard output unless -o says otherwise."""
    sealed = fuin("encrypt", "-", *WRITE, stdin=PLAINTEXT).stdout
    assert fuin("decrypt", "-", stdin=sealed).stdout == PLAINTEXT


def test_output_option(kms: KmsStandIn, plain: Path, tmp_path: Path) -> None:
    """The output may have any name, or be standard output."""
    fuin("encrypt", plain, "-o", tmp_path / "sealed.bin", *WRITE)
    assert fuin("decrypt", tmp_path / "sealed.bin", "-o", "-").stdout == PLAINTEXT
    fuin("decrypt", "-", "-o", tmp_path / "again", stdin=(tmp_path / "sealed.bin").read_bytes())
    assert (tmp_path / "again").read_bytes() == PLAINTEXT


def test_endpoint_option(kms: KmsStandIn, plain: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """--endpoint-url goes before the environment."""
    monkeypatch.setenv("AWS_ENDPOINT_URL_KMS", "http://127.0.0.1:9")
    fuin("encrypt", plain, *WRITE, "--endpoint-url", kms.url)
    fuin("decrypt", f"{plain}.fuin", "--force", "--endpoint-url", kms.url)


def test_existing_output_needs_force(kms: KmsStandIn, plain: Path) -> None:
    """An existing output is refused before KMS is asked; --force replaces it."""
    sealed = plain.with_name("report.pdf.fuin")
    sealed.write_bytes(b"precious")
    done = fuin("encrypt", plain, *WRITE, status=1)
    assert b"--force" in done.stderr
    assert sealed.read_bytes() == b"precious"
    assert kms.requests == []
    fuin("encrypt", plain, *WRITE, "--force")
    fuin("decrypt", sealed, status=1)
    fuin("decrypt", sealed, "--force")


@pytest.mark.parametrize("change", ["flip", "cut", "extend"])
def test_damaged_file_leaves_no_output(kms: KmsStandIn, plain: Path, tmp_path: Path, change: str) -> None:
    """A message that is not genuine to its last byte leaves no file at all."""
    fuin("encrypt", plain, *WRITE)
    plain.unlink()
    sealed = plain.with_name("report.pdf.fuin")
    message = bytearray(sealed.read_bytes())
    message[-1] ^= change == "flip"
    sealed.write_bytes({"flip": message, "cut": message[:-1], "extend": message + b"\0"}[change])
    done = fuin("decrypt", sealed, status=1)
    says = (
        b"the message was cut off after byte " if change == "cut" else b"the message was changed or damaged, at byte "
    )
    assert done.stderr.startswith(b"fuin: " + says)
    assert done.stderr.count(b"\n") == 1
    assert list(tmp_path.iterdir()) == [sealed]


def test_damaged_stream_says_incomplete(kms: KmsStandIn) -> None:
    """On standard output only genuine frames appear, and the end says that they are not all."""
    plaintext = PLAINTEXT * 5
    message = bytearray(fuin("encrypt", "-", *WRITE, stdin=plaintext).stdout)
    message[-1] ^= 1
    done = fuin("decrypt", "-", stdin=bytes(message), status=1)
    assert b"incomplete" in done.stderr
    assert plaintext.startswith(done.stdout)
    assert 0 < len(done.stdout) < len(plaintext)


def test_refused_stream_writes_nothing(kms: KmsStandIn) -> None:
    """When KMS refuses, nothing was begun, so nothing is incomplete."""
    message = fuin("encrypt", "-", *WRITE, stdin=PLAINTEXT).stdout
    kms.refuse = "AccessDeniedException"
    done = fuin("decrypt", "-", stdin=message, status=1)
    assert done.stdout == b""
    assert b"AccessDeniedException" in done.stderr
    assert b"incomplete" not in done.stderr


def test_reader_that_goes_away(kms: KmsStandIn, plain: Path) -> None:
    """A closed pipe ends the command with one line and status 1."""
    fuin("encrypt", plain, *WRITE)
    command = [sys.executable, "-c", MAIN, "decrypt", f"{plain}.fuin", "-o", "-"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        line = process.stderr.read()
        assert process.wait(60) == 1
    assert line == b"fuin: the reader of standard output has gone away\n"


@pytest.mark.parametrize(
    ("arguments", "status", "words"),
    [
        (("decrypt", "report.pdf"), 1, "-o"),
        (("decrypt", ".fuin"), 1, "-o"),
        (("encrypt", "report.pdf"), 2, "--key"),
        (("encrypt", "report.pdf", *WRITE, "--context", "team"), 2, "KEY=VALUE"),
        (("encrypt", "report.pdf", *WRITE, "--context", "=x"), 2, "KEY=VALUE"),
        (("encrypt", "report.pdf", *WRITE, "--context", "a=1", "--context", "a=2"), 2, "twice"),
        (("encrypt", "missing", *WRITE), 1, "missing"),
        (("encrypt", ".", "-o", "out", *WRITE), 1, "directory"),
        (("encrypt", "report.pdf", "-o", ".", *WRITE), 1, "folder"),
        (("encrypt", "report.pdf", "-o", "nowhere/out", *WRITE), 1, "nowhere"),
        (("decrypt", "report.pdf", "-o", "out"), 1, "version"),
        (("decrypt", os.devnull, "-o", "out"), 1, "header"),
    ],
)
def test_wrong_use_is_refused(
    kms: KmsStandIn, plain: Path, arguments: tuple[str, ...], status: int, words: str
) -> None:
    """What cannot work says why, and makes no file."""
    done = fuin(*arguments, status=status, folder=plain.parent)
    assert words in done.stderr.decode()
    assert list(plain.parent.iterdir()) == [plain]


def test_ciphertext_stays_off_terminals(kms: KmsStandIn, plain: Path) -> None:
    """Standard output that is a terminal gets no ciphertext; standard error on one gets a progress bar."""
    leader, follower = pty.openpty()
    try:
        command = [sys.executable, "-c", MAIN, "encrypt", str(plain), *WRITE]
        to_terminal = subprocess.run(
            [*command, "-o", "-"], stdout=follower, stderr=subprocess.PIPE, check=False, timeout=120
        )
        with_bar = subprocess.run(
            command, stderr=follower, check=False, timeout=120, env={**os.environ, "TERM": "xterm"}
        )
        shown = os.read(leader, 65536)
    finally:
        os.close(follower)
        os.close(leader)
    assert to_terminal.returncode == 1
    assert b"terminal" in to_terminal.stderr
    assert with_bar.returncode == 0
    assert b"encrypting" in shown


@pytest.mark.parametrize("verb", ["encrypt", "decrypt"])
def test_help_has_examples(verb: str) -> None:
    """Each verb shows how it is used."""
    text = fuin(verb, "--help").stdout.decode()
    assert text.count(f"fuin {verb}") >= 3
