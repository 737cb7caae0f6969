"""Barman's cloud commands and WAL-G with an encrypted bucket, where they are installed."""

import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import ServerFactory
from tests.databases.place import Service, missing
from tests.support.processes import wait_until
from tests.support.server import REGION, Server, User

pytestmark = [pytest.mark.real, pytest.mark.databases]
BUCKET = "shop-backups"


def writer_policy(key_arn: str, *more: str) -> dict[str, Any]:
    """Return what a writer of backups must be allowed, with more actions on the objects."""
    objects = ["s3:PutObject", "s3:AbortMultipartUpload", *more]
    via = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    statements: list[dict[str, Any]] = [
        {"Effect": "Allow", "Action": "s3:ListBucket", "Resource": f"arn:aws:s3:::{BUCKET}"},
        {"Effect": "Allow", "Action": objects, "Resource": f"arn:aws:s3:::{BUCKET}/*"},
        {"Effect": "Allow", "Action": ["kms:GenerateDataKey", "kms:Decrypt"], "Resource": key_arn, "Condition": via},
    ]
    return {"Version": "2012-10-17", "Statement": statements}


def new_bucket(server: Server) -> str:
    """Make the bucket, and return the ARN of the KMS key that its default names."""
    arn: str = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    s3 = server.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": arn}
    rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
    s3.put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=rules)
    return arn


def is_sealed(server: Server, arn: str, text: str) -> bool:
    """Return whether each object of the bucket is under the key, and no file of the server has the text."""
    s3 = server.client("s3")
    objects = [s3.get_object(Bucket=BUCKET, Key=one["Key"]) for one in s3.list_objects_v2(Bucket=BUCKET)["Contents"]]
    assert {one["SSEKMSKeyId"] for one in objects} == {arn}
    files = (path for path in server.data.rglob("*") if path.is_file())
    return not any(text.encode() in path.read_bytes() for path in files)


@pytest.fixture
def database() -> Iterator[Service]:
    """Give a PostgreSQL that is not started."""
    service = Service("archive_mode = on\narchive_command = 'false'\n")
    try:
        yield service
    finally:
        service.remove()


def configure(database: Service, server: Server, profiles: dict[str, User]) -> None:
    """Write the configuration of AWS's clients of the database's user."""
    assert server.certificate is not None
    certificate = database.own(database.folder / "fuin.pem", server.certificate.read_bytes())
    text = ""
    for name, user in profiles.items():
        text += (
            f"[{name}]\naws_access_key_id = {user.access_key_id}\naws_secret_access_key = {user.secret_access_key}\n"
        )
        text += f"region = {REGION}\nca_bundle = {certificate}\ns3 =\n  addressing_style = path\n"
    (database.folder / ".aws").mkdir()
    shutil.chown(database.folder / ".aws", "postgres")
    database.own(database.folder / ".aws" / "config", text.replace("[reader]", "[profile reader]"))


@pytest.mark.skipif((reason := missing("barman-cloud-backup")) is not None, reason=str(reason))
def test_barman(new_server: ServerFactory, database: Service) -> None:
    """A writer that cannot read backs up and archives; a reader restores; both say that a key is disabled."""
    server, text = new_server(tls=True).start(), secrets.token_hex(16)
    arn, kms = new_bucket(server), server.client("kms")
    profiles = {"default": server.add_user("writer", writer_policy(arn))}
    profiles["reader"] = server.add_user("reader", writer_policy(arn, "s3:GetObject"))
    configure(database, server, profiles)
    endpoint = ("--endpoint-url", server.url)
    archive = f"barman-cloud-wal-archive --endpoint-url {server.url} s3://{BUCKET} shop %p"
    (database.data / "postgresql.auto.conf").write_text(f"archive_command = '{archive}'\n")
    database.start()
    database.execute(f"CREATE TABLE letters AS SELECT '{text}' AS body")
    backup = ("barman-cloud-backup", "--immediate-checkpoint", *endpoint, f"s3://{BUCKET}", "shop")
    database.run(*backup)
    database.execute("INSERT INTO letters VALUES ('after the backup')")
    ((moment,),) = database.execute("SELECT clock_timestamp()::text")
    database.execute("DELETE FROM letters")
    database.stop()  # it archives its last log
    assert is_sealed(server, arn, text)
    listed = database.run("barman-cloud-backup-list", *endpoint, "-P", "reader", f"s3://{BUCKET}", "shop").stdout
    backup_id = listed.splitlines()[1].split()[0]
    restore = ("barman-cloud-restore", *endpoint, "-P", "reader", f"s3://{BUCKET}", "shop", backup_id, database.data)
    shutil.rmtree(database.data)
    done = database.run(*restore[:3], *restore[5:], check=False)
    assert done.returncode != 0
    assert "s3:GetObject" in done.stderr, "the writer cannot read"
    kms.disable_key(KeyId=arn)
    done = database.run(*restore, check=False)
    assert done.returncode != 0
    assert "KMS.DisabledException" in done.stderr
    kms.enable_key(KeyId=arn)
    database.run(*restore)
    fetch = f"barman-cloud-wal-restore --endpoint-url {server.url} -P reader s3://{BUCKET} shop %f %p"
    recovery = f"restore_command = '{fetch}'\nrecovery_target_time = '{moment}'\nrecovery_target_action = 'promote'\n"
    with (database.data / "postgresql.auto.conf").open("a") as file:
        file.write(recovery + "archive_mode = off\n")
    database.own(database.data / "recovery.signal", "")
    database.start()
    wait_until(lambda: database.execute("SELECT pg_is_in_recovery()") == [(False,)], 60, "the recovery ends")
    assert database.execute("SELECT body FROM letters") == [(text,), ("after the backup",)]
    database.stop()
    server.stop()


@pytest.mark.skipif((lack := missing("wal-g")) is not None, reason=str(lack))
def test_wal_g(new_server: ServerFactory, database: Service) -> None:
    """WAL-G backs up, archives and fetches, and says that a key is disabled."""
    server, text = new_server(tls=True).start(), secrets.token_hex(16)
    arn, kms = new_bucket(server), server.client("kms")
    user = server.add_user("wal-g", writer_policy(arn, "s3:GetObject"))
    configure(database, server, {"default": user})
    settings = {"WALG_S3_PREFIX": f"s3://{BUCKET}/shop", "AWS_ENDPOINT": server.url, "AWS_REGION": REGION}
    settings |= {"AWS_S3_FORCE_PATH_STYLE": "true", "WALG_S3_CA_CERT_FILE": str(database.folder / "fuin.pem")}
    settings |= user.variables  # its compression, lz4, leaves a random text as it is
    words = [f"{name}={value}" for name, value in settings.items()]

    def wal_g(*arguments: object, check: bool = True) -> Any:
        return database.run("env", *words, "wal-g", *arguments, check=check)

    database.start()
    database.execute(f"CREATE TABLE letters AS SELECT '{text}' AS body")
    wal_g("backup-push", database.data)
    assert is_sealed(server, arn, text)
    kms.disable_key(KeyId=arn)
    elsewhere = Path(database.folder / "elsewhere")
    for arguments in (("backup-push", database.data), ("backup-fetch", elsewhere, "LATEST")):
        done = wal_g(*arguments, check=False)
        assert done.returncode != 0
        assert "KMS.DisabledException" in done.stderr
    kms.enable_key(KeyId=arn)
    wal_g("backup-fetch", elsewhere, "LATEST")
    assert any(text.encode() in path.read_bytes() for path in elsewhere.rglob("*") if path.is_file())
    database.stop()
    server.stop()
