"""`fuin audit` and `fuin explain`: what happened can be read, and a changed log is seen."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from botocore.exceptions import ClientError

from tests.support.policies import allow
from tests.support.server import Server


def explain(server: Server, request: str) -> str:
    """Return the steps that `fuin explain` tells, on one line."""
    return " ".join(server.fuin("explain", request, "--data", str(server.data)).stdout.split())


def test_an_upload_is_explained_step_by_step(server: Server, unique: Callable[[str], str]) -> None:
    """Who asked, what the bucket's default named, why it was allowed, what was encrypted and where it lies."""
    s3, bucket = server.client("s3"), unique("told")
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3.create_bucket(Bucket=bucket)
    rule = {"ApplyServerSideEncryptionByDefault": {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key}}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    user = server.add_user(unique("teller"), allow("s3:PutObject", "kms:GenerateDataKey"))
    put = server.client("s3", user).put_object(Bucket=bucket, Key="a.txt", Body=b"x" * 20_000)
    told = explain(server, put["ResponseMetadata"]["RequestId"])
    for part in (
        f"user/{user.name} asked for s3:PutObject on s3://{bucket}/a.txt",
        "the bucket's default encryption names it",
        key,
        f"aws:s3:arn=arn:aws:s3:::{bucket}/a.txt",
        "kms:GenerateDataKey",
        'statement "Allowed"',
        "encrypted 20,000 bytes with AES-256-GCM",
        "dropped the plaintext data key",
        "encrypted data key (162 bytes)",
        "Answered with success",
    ):
        assert part in told, (part, told)
    stored = [path.name for path in server.blobs()]
    assert any(name in told for name in stored)


def test_a_refusal_is_explained(server: Server, unique: Callable[[str], str]) -> None:
    """The right that is missing, on which key, and that no policy gives it."""
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    user = server.add_user(unique("refused"), allow("kms:Encrypt", resource=key))
    with pytest.raises(ClientError) as error:
        server.client("kms", user, retry=False).generate_data_key(KeyId=key, KeySpec="AES_256")
    told = explain(server, error.value.response["ResponseMetadata"]["RequestId"])
    assert f"kms:GenerateDataKey on {key}: REFUSED" in told
    assert "kms:Encrypt is granted, but this needs kms:GenerateDataKey" in told
    assert "error AccessDeniedException" in told


def test_an_unknown_request_is_an_error(server: Server) -> None:
    """There is nothing to tell of a request that never was."""
    done = server.fuin("explain", "00000000-0000-0000-0000-000000000000", "--data", str(server.data), check=False)
    assert done.returncode == 1
    assert "no record" in done.stderr


def test_show_filters(server: Server, unique: Callable[[str], str]) -> None:
    """Records can be chosen by operation, principal and refusal."""
    user = server.add_user(unique("shown"))
    with pytest.raises(ClientError):
        server.client("kms", user, retry=False).list_keys()
    shown = server.fuin(
        "audit", "show", "--data", str(server.data), "--principal", user.name, "--refused", "--json"
    ).stdout.splitlines()
    assert len(shown) == 1
    record = json.loads(shown[0])
    assert (record["operation"], record["error"]) == ("kms:ListKeys", "AccessDeniedException")


def test_a_changed_log_does_not_verify(server: Server, tmp_path: Path) -> None:
    """One changed byte in a copy of the log is found, and so is a cut-off end where the head was noted."""
    head = next(line for line in server.verify_audit().splitlines() if line.startswith("head ")).split()[1]
    copy = tmp_path / "data"
    shutil.copytree(server.data / "audit", copy / "audit")
    server.fuin("audit", "verify", "--data", str(copy), "--expect", head)
    segment = next((copy / "audit").glob("*.log"))
    whole = segment.read_bytes()
    segment.write_bytes(whole[: len(whole) // 2].replace(b"kms:", b"KMS:", 1) + whole[len(whole) // 2 :])
    assert server.fuin("audit", "verify", "--data", str(copy), check=False).returncode == 1
