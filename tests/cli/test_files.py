"""`fuin ls`, `cp`, `cat`, `rm` and `bucket` against the real server."""

import io
import json
import os
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from fuin.cli.files import download, parts, upload
from fuin.cli.files.address import Address
from fuin.cli.wire.client import Client
from fuin.errors import FuinError
from tests.cli.daily import Daily, new_user
from tests.support.policies import allow
from tests.support.server import Server

SMALL = 64 * 1024


@pytest.fixture
def fuin(server: Server, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Daily:
    """Give the commands, as the account's root."""
    return Daily(monkeypatch, capfd).use(server)


@pytest.fixture
def bucket(server: Server, unique: Callable[[str], str]) -> str:
    """Give a new bucket."""
    name = unique("daily")
    server.client("s3").create_bucket(Bucket=name)
    return name


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Give a file that needs several parts and a shorter one, and one that needs none."""
    folder = tmp_path / "data"
    (folder / "deep").mkdir(parents=True)
    (folder / "large").write_bytes(os.urandom(11 * 1024 * 1024 + 7))
    (folder / "deep" / "small.txt").write_bytes(b"small")
    (folder / "empty").touch()
    return folder


def contents(folder: Path) -> dict[str, bytes]:
    """Return the files below a folder."""
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_folder_there_and_back(
    fuin: Daily, bucket: str, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files of all sizes come back as they were, in parts and in one piece; objects copy within S3 too."""
    monkeypatch.setattr("fuin.cli.files.upload.PART", 5 * parts.MIB)
    monkeypatch.setattr("fuin.cli.files.upload.WHOLE_COPY", 6 * parts.MIB)
    monkeypatch.setattr("fuin.cli.files.upload.COPY_PART", 5 * parts.MIB)
    monkeypatch.setattr("fuin.cli.files.download.PART", 4 * parts.MIB)
    fuin("cp", "-r", data, f"s3://{bucket}/a")
    fuin("cp", "-r", f"s3://{bucket}/a", f"s3://{bucket}/b/")
    fuin("cp", "-r", f"s3://{bucket}/b", tmp_path / "back")
    assert contents(tmp_path / "back") == contents(data)
    listed = fuin("ls", "-r", f"s3://{bucket}", "--json").out.splitlines()
    names = {json.loads(line)["key"] for line in listed}
    assert names == {f"{start}/{name}" for start in "ab" for name in contents(data)}
    assert "folder  a/deep/" in fuin("ls", f"s3://{bucket}/a/").out
    assert bucket in fuin("ls").out


def test_names_of_targets(fuin: Daily, bucket: str, data: Path, tmp_path: Path) -> None:
    """A folder, a bucket and a key that ends in / keep the source's name; else the target is the name."""
    small = data / "deep" / "small.txt"
    for target in (f"s3://{bucket}", f"s3://{bucket}/x/", f"s3://{bucket}/y.txt"):
        fuin("cp", small, target)
    fuin("cp", f"s3://{bucket}/x/small.txt", f"s3://{bucket}/y.txt", tmp_path)
    fuin("cp", f"s3://{bucket}/small.txt", tmp_path / "third")
    assert {name for name in contents(tmp_path) if not name.startswith("data/")} == {"small.txt", "y.txt", "third"}


def test_streams(fuin: Daily, bucket: str, data: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Standard input of any length becomes an object, and objects go to standard output."""
    monkeypatch.setattr("fuin.cli.files.upload.PART", 5 * parts.MIB)
    for text in (b"short", (data / "large").read_bytes()):
        monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(text)))
        fuin("cp", "-", f"s3://{bucket}/stream")
        fuin("cp", f"s3://{bucket}/stream", tmp_path / "out", "--force")
        assert (tmp_path / "out").read_bytes() == text
    fuin("cp", data / "deep" / "small.txt", f"s3://{bucket}/")
    assert fuin("cat", f"s3://{bucket}/small.txt", f"s3://{bucket}/small.txt").out == "smallsmall"
    assert fuin("cp", f"s3://{bucket}/small.txt", "-").out == "small"


def test_key_of_an_object_and_a_bucket(fuin: Daily, server: Server, unique: Callable[[str], str], data: Path) -> None:
    """A bucket's default key and `cp --key` name the key under which objects are encrypted."""
    alias, name = unique("alias/daily"), unique("keyed")
    arn = fuin("key", "create", "--alias", alias).out.strip()
    fuin("bucket", "create", name, "--key", alias, "--versions", "--bucket-key")
    shown = fuin("bucket", "show", name).out
    assert alias in shown
    assert "Enabled" in shown
    plain = unique("plain")
    fuin("bucket", "create", plain)
    for where, more in ((name, ()), (plain, ("--key", arn))):
        fuin("cp", data / "empty", f"s3://{where}/", *more)
        assert server.client("s3").head_object(Bucket=where, Key="empty")["SSEKMSKeyId"] == arn
    fuin("rm", f"s3://{plain}/empty")
    fuin("bucket", "remove", f"s3://{plain}")
    assert plain not in fuin("bucket", "list").out


def test_remove(fuin: Daily, bucket: str, data: Path) -> None:
    """One object goes without a question, all below a key with --yes."""
    fuin("cp", "-r", data, f"s3://{bucket}/a")
    fuin("rm", f"s3://{bucket}/a/empty")
    assert "There is no terminal to ask at: give --yes" in fuin.refuse("rm", "-r", f"s3://{bucket}/a/")
    fuin("rm", "-r", f"s3://{bucket}/a/", "--yes")
    assert fuin("ls", f"s3://{bucket}").out == ""


def test_errors_of_files(fuin: Daily, bucket: str, data: Path, tmp_path: Path) -> None:
    """Each says which file or object it is about, and what is wrong."""
    small = data / "deep" / "small.txt"
    fuin("cp", small, f"s3://{bucket}/")
    there = tmp_path / "there"
    there.write_bytes(b"old")
    place = f"s3://{bucket}"
    for words, says in (
        (("cp", tmp_path / "nothing", place), f"{tmp_path}/nothing does not exist"),
        (("cp", data, place), f"{data} is a folder; -r copies the files in it"),
        (("cp", "-r", small, place), f"{small} is not a folder; without -r a file is copied"),
        (("cp", f"{place}/nothing", tmp_path), f"{place}/nothing does not exist"),
        (("cp", f"{place}/small.txt", there), f"{there} exists; --force replaces it"),
        (("cp", f"{place}/small.txt", tmp_path / "no" / "x"), f"the folder {tmp_path}/no does not exist"),
        (("cp", small, "elsewhere"), "source or target must be in S3: write s3://BUCKET/KEY"),
        (("cp", small, f"{place}-no/"), f"{place}-no/small.txt is in a bucket that does not exist"),
        (("cp", "-r", f"{place}/none", tmp_path), f"there is no object below {place}/none/"),
        (("cat", place), f"{place} is a bucket, not an object: write {place}/KEY"),
        (("cat", "small.txt"), "small.txt is no place in S3: write s3://BUCKET/KEY"),
        (("cat", f"{place}/nothing"), f"{place}/nothing does not exist"),
        (("rm", f"{place}/nothing"), f"{place}/nothing does not exist"),
        (("ls", f"{place}-no"), f"bucket {bucket}-no does not exist"),
        (("ls", f"{place}/none"), f"there is nothing at {place}/none"),
        (("bucket", "create", bucket), f"bucket {bucket} exists already"),
        (("bucket", "create", f"{bucket}-k", "--key", "alias/none"), "key alias/none does not exist"),
        (("bucket", "remove", bucket),
         f"bucket {bucket} is not empty: remove its objects first, with `fuin rm --recursive`"),
        (("bucket", "show", f"{bucket}-no"), f"bucket {bucket}-no does not exist"),
    ):  # fmt: skip
        assert fuin.refuse(*words) == says
    assert there.read_bytes() == b"old"
    assert f"{bucket}-k" not in fuin("bucket", "list").out


def test_upload_that_fails_leaves_nothing(
    fuin: Daily, server: Server, bucket: str, data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """When a part is refused, or the file changes meanwhile, the upload ends, and its parts with it."""
    real = upload._send_part

    def fail(target: upload.Target, upload_id: str, number: int, *rest: Any) -> Any:
        if number == 2:
            raise FuinError("part 2 fails")
        return real(target, upload_id, number, *rest)

    def touch(target: upload.Target, upload_id: str, number: int, *rest: Any) -> Any:
        os.utime(data / "large", (number, number))
        return real(target, upload_id, number, *rest)

    large = data / "large"
    for act, says in ((fail, "part 2 fails"), (touch, f"{large} was changed while it was read; copy it again")):
        monkeypatch.setattr(upload, "_send_part", act)
        assert fuin.refuse("cp", large, f"s3://{bucket}/large") == says
        assert "Uploads" not in server.client("s3").list_multipart_uploads(Bucket=bucket)
    assert fuin("ls", f"s3://{bucket}").out == ""


def test_object_that_is_replaced_meanwhile(
    fuin: Daily, server: Server, bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A download is one version of the object or nothing."""
    s3 = server.client("s3")
    s3.put_object(Bucket=bucket, Key="x", Body=b"first")

    def look(client: Client, source: Address) -> download.Seen:
        seen = real(client, source)
        s3.put_object(Bucket=bucket, Key="x", Body=b"other")
        return seen

    real = download.look
    monkeypatch.setattr("fuin.cli.files.copy_command.look", look)
    says = f"s3://{bucket}/x was changed while it was read; try it again"
    assert fuin.refuse("cp", f"s3://{bucket}/x", tmp_path) == says
    assert list(tmp_path.iterdir()) == []


def test_key_that_leads_out_of_the_folder(fuin: Daily, server: Server, bucket: str, tmp_path: Path) -> None:
    """An object's key may not choose a place outside the target."""
    server.client("s3").put_object(Bucket=bucket, Key="a/../../out", Body=b"x")
    assert "cannot be the name of a file" in fuin.refuse("cp", "-r", f"s3://{bucket}", tmp_path / "in")
    assert not (tmp_path / "out").exists()


def test_refused_caller(
    fuin: Daily, server: Server, bucket: str, data: Path, tmp_path: Path, unique: Callable[[str], str]
) -> None:
    """What the caller may not do is one line; of many files each has its own, and the others are copied."""
    fuin("cp", "-r", data, f"s3://{bucket}/a")
    arns = [f"arn:aws:s3:::{bucket}", f"arn:aws:s3:::{bucket}/a/deep/*"]
    user = new_user(server, unique("reader"), allow("s3:ListBucket", "s3:GetObject", resource=arns))
    fuin.use(server, user)
    assert "is refused: User: " in fuin.refuse("cp", data / "empty", f"s3://{bucket}/a/")
    done = fuin("cp", "-r", f"s3://{bucket}/a", tmp_path / "some", status=1)
    assert done.err.splitlines()[-1] == "fuin: 2 of 3 were not copied"
    assert contents(tmp_path / "some") == {"deep/small.txt": b"small"}
    fuin.use(server)


@pytest.mark.parametrize(
    ("size", "count"), [(0, 0), (1, 1), (parts.PART, 1), (parts.PART + 1, 2), (parts.LARGEST, 10_000)]
)
def test_parts(size: int, count: int) -> None:
    """The parts follow each other, are no more than AWS takes, and are the whole."""
    spans = parts.split(size)
    assert len(spans) == count
    assert sum(span.length for span in spans) == size
    assert all(first.start + first.length == second.start for first, second in pairwise(spans))
