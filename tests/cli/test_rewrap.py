"""`fuin rewrap` beside a running server, on both engines."""

import contextlib
import json
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fuin.cli import rewrap_requests
from fuin.cli.whole import app
from fuin.errors import FuinError
from fuin.store.engine import installation
from fuin.store.s3 import dependents
from fuin.testing.kit import ACCOUNT, REGION, User
from tests.support.place import Place
from tests.support.policies import allow
from tests.support.postgres import PostgresServer

DATA = os.urandom(1000)
NOTHING = "objects 0, older versions 0, uploads under way 0"
NEEDED = ("s3:UpdateObjectEncryption", "kms:ReEncryptFrom", "kms:ReEncryptTo")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def place(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Place]:  # fmt: skip
    """Give a server on each engine."""
    folder = tmp_path_factory.mktemp("rewrap") / "data"
    with contextlib.ExitStack() as stack:
        url = ""
        if request.param == "postgres":
            server: PostgresServer = request.getfixturevalue("postgres")
            url = server.socket_url(stack.enter_context(server.database()))
        made = Place(folder, url)
        stack.callback(made.close)
        first = installation.Meta(ACCOUNT, REGION, 1.0)
        made.run(made.services.store.change(installation.insert_meta, first))
        yield made


@pytest.fixture(autouse=True)
def caller(place: Place, monkeypatch: pytest.MonkeyPatch) -> User:
    """Give the user whose credentials the command finds: one with no right but the needed ones."""
    user = place.add_user(allow(*NEEDED))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", user.access_key_id)
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", user.secret_access_key)
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", place.url)
    monkeypatch.setenv("AWS_CONFIG_FILE", os.devnull)
    return user


def run(place: Place, *words: str, status: int = 0, is_refused: bool = False) -> Result:
    """Run the command about a server's data; an error of it fails the test with its text, unless it is asked for."""
    there = ["--data", str(place.settings.data)]
    if place.settings.database_url:
        there += ["--database", place.settings.database_url]
    done = CliRunner().invoke(app, ["rewrap", *words, *there])
    assert done.exit_code == status, (done.output, done.exception)
    assert isinstance(done.exception, FuinError if is_refused else SystemExit | None), repr(done.exception)
    return done


def put(place: Place, bucket: str, name: str, arn: str, **more: Any) -> dict[str, Any]:
    """Write an object under a KMS key."""
    made: dict[str, Any] = place.s3().put_object(
        Bucket=bucket, Key=name, Body=DATA, **{"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": arn, **more}
    )
    return made


def material(place: Place, arn: str) -> str:
    """Return the id of the newest key material of a key."""
    listed = place.kms().list_key_rotations(KeyId=arn, IncludeKeyMaterial="ALL_KEY_MATERIAL")["Rotations"]
    (current,) = [one["KeyMaterialId"] for one in listed if one["KeyMaterialState"] == "CURRENT"]
    found: str = current
    return found


def read(place: Place, bucket: str, name: str, **more: str) -> bytes:
    """Read an object."""
    found: bytes = place.s3().get_object(Bucket=bucket, Key=name, **more)["Body"].read()
    return found


def test_to_another_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every scheme under KMS below the prefix, over pages; what is elsewhere or under other schemes stays."""
    monkeypatch.setattr("fuin.cli.rewrap._PAGE", 2)
    old, new, bucket = place.new_key(), place.new_key(), place.bucket()
    place.kms().create_alias(AliasName=f"alias/to-{bucket}", TargetKeyId=new)
    put(place, bucket, "p/layers", old, ServerSideEncryption="aws:kms:dsse")
    put(place, bucket, "p/bucket-key", old, BucketKeyEnabled=True)
    for number in range(3):
        put(place, bucket, f"p/\x1b{number}", old)
    put(place, bucket, "p/there", new)
    put(place, bucket, "q/elsewhere", old)
    place.s3().put_object(Bucket=bucket, Key="p/s3", Body=DATA)
    before = place.s3().list_objects_v2(Bucket=bucket)["Contents"]
    done = run(place, f"s3://{bucket}/p/", "--to", f"alias/to-{bucket}")
    assert done.stdout.splitlines() == [
        "re-wrapped: 5 (5,000 bytes, none of them moved)",
        "as they are: 1 under AES256",
        f"0 left on {material(place, old)} of {old} in s3://{bucket}/p/: {NOTHING}",
        f"0 left in s3://{bucket}/p/ on anything but {material(place, new)} of {new}",
    ]
    assert place.s3().list_objects_v2(Bucket=bucket)["Contents"] == before
    assert place.run(place.services.store.read(dependents.count, old)).objects == 1
    place.kms().disable_key(KeyId=old)
    assert [read(place, bucket, each["Key"]) == DATA for each in before if each["Key"] != "q/elsewhere"] == [True] * 7
    again = run(place, f"s3://{bucket}/p/", "--to", new)
    assert again.stdout.splitlines()[0] == "re-wrapped: 0 (0 bytes, none of them moved)"
    taken = json.loads(run(place, f"s3://{bucket}/p/", "--to", new, "--sse-s3", "--json").stdout)
    assert (taken["rewrapped"], taken["asTheyAre"], [one["objects"] for one in taken["left"]]) == (1, {}, [0])
    assert read(place, bucket, "p/s3") == DATA


def test_from_a_key_material(place: Place) -> None:
    """After a rotation, in all buckets; older versions only where they are asked for, and uploads are counted."""
    arn, bucket, other = place.new_key(), place.bucket(), place.bucket()
    s3 = place.s3()
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    first = put(place, bucket, "a", arn)["VersionId"]
    put(place, bucket, "a", arn)
    put(place, bucket, "gone", arn)
    s3.delete_object(Bucket=bucket, Key="gone")
    put(place, other, "b", arn)
    upload = s3.create_multipart_upload(Bucket=other, Key="u", ServerSideEncryption="aws:kms", SSEKMSKeyId=arn)
    old = material(place, arn)
    refused = run(place, "s3://", "--from-material", old, status=1, is_refused=True)
    assert "is the newest key material" in str(refused.exception)
    place.kms().rotate_key_on_demand(KeyId=arn)
    put(place, bucket, "newer", arn)
    done = run(place, f"s3://{bucket}", "--from-material", old, status=1)
    assert done.stdout.splitlines() == [
        "re-wrapped: 1 (1,000 bytes, none of them moved)",
        (
            f"2 left on {old} of {arn} in s3://{bucket}: objects 0, older versions 2 (--all-versions takes them), "
            "uploads under way 0"
        ),
        f"4 left on {old} in all buckets",
    ]
    found = json.loads(run(place, "s3://", "--from-material", old, "--all-versions", "--json", status=1).stdout)
    assert (found["rewrapped"], found["leftInAllBuckets"]) == (3, 1)
    assert found["left"] == [{"key": arn, "material": old, "objects": 0, "olderVersions": 0, "uploads": 1}]
    s3.abort_multipart_upload(Bucket=other, Key="u", UploadId=upload["UploadId"])
    done = run(place, "s3://", "--from-material", old, "--all-versions")
    assert done.stdout.splitlines()[-1] == f"0 left on {old} in all buckets"
    assert [one["versionId"] for one in found["named"]] == []
    assert read(place, bucket, "a", VersionId=first) == DATA
    assert read(place, other, "b") == DATA


def test_what_is_refused_is_named_and_left(place: Place, caller: User) -> None:
    """With the object, its version and the server's reason; the others are done. A second run goes on."""
    old, new, bucket = place.new_key(), place.new_key(), place.bucket()
    for name in ("a", "b", "c"):
        put(place, bucket, name, old)
    policy = allow(*NEEDED)
    denied = {"Effect": "Deny", "Action": "s3:*", "Resource": [f"arn:aws:s3:::{bucket}/{name}" for name in "ab"]}
    place.set_policy(caller, {**policy, "Statement": [*policy["Statement"], denied]})
    done = run(place, f"s3://{bucket}/", "--to", new, "--limit", "1", status=1)
    lines = done.stdout.splitlines()
    assert re.match(rf"s3://{bucket}/[ab], version null: AccessDenied: User: .*s3:UpdateObjectEncryption", lines[0])
    assert lines[1:3] == [
        "re-wrapped: 1 (1,000 bytes, none of them moved)", "refused: 2; changed meanwhile: 0",
    ]  # fmt: skip
    assert lines[3].startswith(f"2 left on {material(place, old)} of {old}")
    assert len(lines) == 4
    place.set_policy(caller, policy)
    assert run(place, f"s3://{bucket}/", "--to", new).stdout.startswith("re-wrapped: 2 ")


def test_what_has_changed_meanwhile_is_no_failure(place: Place, caller: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """An object that was replaced, and one that was deleted, after the ledger was read."""
    place.set_policy(caller, allow(*NEEDED, "s3:ListBucket"))  # without it, what is missing is an AccessDenied
    old, new, third, bucket = place.new_key(), place.new_key(), place.new_key(), place.bucket()
    put(place, bucket, "replaced", old)
    put(place, bucket, "deleted", old)
    real = rewrap_requests.Server.send

    def late(server: rewrap_requests.Server, change: rewrap_requests.Change) -> rewrap_requests.Outcome:
        if change.name.key == "replaced":
            put(place, bucket, "replaced", third)
        else:
            place.s3().delete_object(Bucket=bucket, Key="deleted")
        return real(server, change)

    monkeypatch.setattr(rewrap_requests.Server, "send", late)
    done = run(place, f"s3://{bucket}/", "--to", new, status=1)
    assert "refused: 0; changed meanwhile: 2" in done.stdout
    assert f"1 left on {material(place, third)} of {third}" in done.stdout
    done = run(place, f"s3://{bucket}/", "--from-material", material(place, old), "--to", new)
    assert done.stdout.splitlines()[-1] == f"0 left on {material(place, old)} in all buckets"


def test_rate_and_many_refusals(place: Place, caller: User, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pace is kept by a clock; a thousand refusals in a row end the run, since the next would be the same."""
    old, new, bucket = place.new_key(), place.new_key(), place.bucket()
    for number in range(6):
        put(place, bucket, str(number), old)
    pauses: list[float] = []
    monkeypatch.setattr("fuin.cli.rewrap_requests.sleep", pauses.append)
    monkeypatch.setattr("fuin.cli.rewrap_requests.monotonic", lambda: 100.0)
    run(place, f"s3://{bucket}/", "--to", new, "--rate", "4")
    assert pauses == [0.25, 0.5, 0.75, 1.0, 1.25]
    monkeypatch.setattr(rewrap_requests, "_IN_A_ROW", 3)
    place.set_policy(caller, allow("s3:GetObject"))
    done = run(place, f"s3://{bucket}/", "--to", old, "--parallel", "1", status=1, is_refused=True)
    assert "3 requests in a row were refused, the last one with AccessDenied" in str(done.exception)
    assert place.run(place.services.store.read(dependents.count, new)).objects == 6


def test_wrong_requests(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is one sentence, and nothing has happened."""
    old, new, bucket = place.new_key(), place.new_key(), place.bucket()
    put(place, bucket, "k", old)
    scope = f"s3://{bucket}/"
    for words, said in (
        ([bucket, "--to", new], "does not begin with s3://"),
        ([scope], "give --to KEY, or --from-material ID"),
        ([scope, "--sse-s3", "--from-material", "0" * 64], "--sse-s3 needs --to"),
        (["s3://none-such/", "--to", new], "there is no bucket none-such"),
        ([scope, "--to", "alias/none-such"], "there is no key alias/none-such"),
        ([scope, "--from-material", "xyz"], "takes the 64 digits"),
        ([scope, "--from-material", "0" * 64], "no key has the key material"),
    ):
        assert said in str(run(place, *words, status=1, is_refused=True).exception)
    monkeypatch.delenv("AWS_ENDPOINT_URL_S3")
    assert "Give --endpoint-url" in str(run(place, scope, "--to", new, status=1, is_refused=True).exception)
    monkeypatch.setattr(rewrap_requests, "_TRIES", 1)
    away = run(place, scope, "--to", new, "--endpoint-url", "http://127.0.0.1:9", status=1, is_refused=True)
    assert "the server cannot be asked" in str(away.exception)
    assert place.run(place.services.store.read(dependents.count, old)).objects == 1


def test_data_folder_without_a_server(tmp_path: Path) -> None:
    """As with every command about a server's data."""
    done = CliRunner().invoke(app, ["rewrap", "s3://b/", "--to", "k", "--data", str(tmp_path)])
    assert (done.exit_code, "holds no Fuin server's data" in str(done.exception)) == (1, True)
