"""The buckets of the clients' tests, and the table at their end."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.interop.storage import sheet
from tests.interop.storage.vault import Vault
from tests.support.server import Server


@pytest.fixture(params=["http", "http, bucket key", "tls", "tls, bucket key"])
def vault(request: pytest.FixtureRequest, unique: Callable[[str], str]) -> Vault:
    """Give a fresh bucket with versions whose default encryption is `aws:kms` with a fresh key."""
    server: Server = request.getfixturevalue("tls_server" if request.param.startswith("tls") else "server")
    bucket_key = request.param.endswith("bucket key")
    arn = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3, bucket = server.client("s3"), unique("vault")
    s3.create_bucket(Bucket=bucket)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Enabled"})
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}
    rule = {"ApplyServerSideEncryptionByDefault": default, "BucketKeyEnabled": bucket_key}
    s3.put_bucket_encryption(Bucket=bucket, ServerSideEncryptionConfiguration={"Rules": [rule]})
    return Vault(server, bucket, arn, bucket_key)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty folder for files to send."""
    (tmp_path / "files").mkdir()
    return tmp_path / "files"


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print the table of what each client did."""
    if sheet.ROWS:
        terminalreporter.section("clients")
        terminalreporter.write_line("\n".join(sheet.table(sheet.ROWS)))
