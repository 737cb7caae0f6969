"""pgBackRest's backups and logs in an encrypted bucket: what is stored, what KMS is asked, what a key decides."""

import json
import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.databases.place import Service, missing
from tests.support.processes import wait_until
from tests.support.server import FUIN, REGION, Server, User, run

pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif((reason := missing("pgbackrest")) is not None, reason=str(reason)),
]
BUCKET = "shop-backups"
REPOSITORY = f"arn:aws:s3:::{BUCKET}/pgbackrest/"
_ARCHIVE = "archive_mode = on\narchive_command = 'pgbackrest --stanza=shop archive-push %p'\n"
_CONFIGURATION = """[global]
repo1-type=s3
repo1-path=/pgbackrest
repo1-s3-bucket={bucket}
repo1-s3-endpoint=localhost
repo1-storage-port={port}
repo1-storage-ca-file={certificate}
repo1-s3-region=us-east-1
repo1-s3-uri-style=path
repo1-s3-key={user.access_key_id}
repo1-s3-key-secret={user.secret_access_key}
repo1-bundle=y
repo1-retention-full=2
start-fast=y

[shop]
pg1-path={data}
"""


def policy(*keys: str, without: str = "") -> dict[str, Any]:
    """Return what pgBackRest's user must be allowed, and nothing else, without one of the actions."""

    def allow(actions: list[str], resource: str | list[str], **more: Any) -> dict[str, Any]:
        return {"Effect": "Allow", "Action": actions, "Resource": resource} | more

    via = {"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}}
    objects = ["s3:GetObject", "s3:PutObject", "s3:DeleteObject"]
    statements = [
        allow(["s3:ListBucket"], f"arn:aws:s3:::{BUCKET}"),
        allow(objects, REPOSITORY + "*"),
        allow(["kms:GenerateDataKey", "kms:Decrypt"], list(keys), Condition=via),
    ]
    for statement in statements:
        statement["Action"] = [action for action in statement["Action"] if action != without]
    return {"Version": "2012-10-17", "Statement": [statement for statement in statements if statement["Action"]]}


def new_place(database: Service, **words: Any) -> None:
    """Tell pgBackRest by its environment what a service would find in Debian's folders."""
    folder = database.folder
    database.variables |= {
        "PGBACKREST_CONFIG": str(
            database.own(folder / "pgbackrest.conf", _CONFIGURATION.format(data=database.data, **words))
        ),
        "PGBACKREST_PG1_PORT": str(database.port),
        "PGBACKREST_PG1_SOCKET_PATH": str(folder),
        "PGBACKREST_LOCK_PATH": str(folder / "lock"),
        "PGBACKREST_LOG_LEVEL_FILE": "off",
        "PGBACKREST_COMPRESS_TYPE": "none",  # or the search for plaintext would prove nothing
    }


@dataclass(frozen=True, slots=True)
class Shop:
    """A database whose backups are in a bucket of a server, the bucket's key, and a text in the database."""

    server: Server
    database: Service
    user: User
    key_arn: str
    text: str
    all_keys: list[str]  # of the objects in the bucket

    def pgbackrest(self, *words: object, check: bool = True) -> CompletedProcess[str]:
        """Run pgBackRest as the database's user."""
        return self.database.run("pgbackrest", "--stanza=shop", *words, check=check)

    def query(self, statement: str) -> list[Any]:
        """Run one statement; return its rows."""
        return self.database.execute(statement)

    def set_default(self, key_arn: str) -> None:
        """Let new objects of the bucket be encrypted under a key."""
        default = {"SSEAlgorithm": "aws:kms", "KMSMasterKeyID": key_arn}
        rules = {"Rules": [{"ApplyServerSideEncryptionByDefault": default}]}
        self.server.client("s3").put_bucket_encryption(Bucket=BUCKET, ServerSideEncryptionConfiguration=rules)

    def uses(self) -> list[dict[str, Any]]:
        """Return the records of the uses of keys for pgBackRest's user."""
        shown = ("audit", "show", "--data", str(self.server.data), "--principal", "user/pgbackrest", "--json")
        records = map(json.loads, self.server.fuin(*shown, "--tail", "5000").stdout.splitlines())
        return [record for record in records if "use" in record]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """Give a database with one backup in an encrypted bucket, and its log archived there."""
    server = Server(tmp_path_factory.mktemp("shop"), workers=1, tls=True)
    database = Service(_ARCHIVE)
    try:
        server.start()
        arn = server.client("kms").create_key()["KeyMetadata"]["Arn"]
        server.client("s3").create_bucket(Bucket=BUCKET)
        user = server.add_user("pgbackrest", policy(arn))
        assert server.certificate is not None
        certificate = database.own(database.folder / "fuin.pem", server.certificate.read_bytes())
        new_place(database, bucket=BUCKET, port=server.port, certificate=certificate, user=user)
        one = Shop(server, database, user, arn, secrets.token_hex(16), [arn])
        one.set_default(arn)
        database.start()
        one.query(f"CREATE TABLE letters AS SELECT 1 AS id, '{one.text}' AS body")
        one.pgbackrest("stanza-create")
        one.pgbackrest("backup")
        yield one
        server.stop()
    finally:
        database.remove()
        server.kill()


def files(folder: Path) -> Iterator[Path]:
    """Yield all files below a folder."""
    return (path for path in folder.rglob("*") if path.is_file())


def test_only_ciphertext_is_stored(shop: Shop) -> None:
    """Each object is under the bucket's key, and no byte of the table is anywhere in the server's data folder."""
    s3 = shop.server.client("s3")
    contents: list[bytes] = []
    for entry in s3.list_objects_v2(Bucket=BUCKET)["Contents"]:
        got = s3.get_object(Bucket=BUCKET, Key=entry["Key"])
        assert (got["ServerSideEncryption"], got["SSEKMSKeyId"]) == ("aws:kms", shop.key_arn)
        contents.append(got["Body"].read())
    text = shop.text.encode()
    assert sum(text in content for content in contents) >= 2, "in the table's file and in the log"
    stored = list(files(shop.server.data))
    assert sum(path.stat().st_size for path in stored) > sum(map(len, contents))
    assert [path for path in stored if text in path.read_bytes()] == []


def test_kms_is_asked_for_each_object(shop: Shop) -> None:
    """A data key for each object, decrypted for each part and each read, through S3 and with the object's ARN."""
    uses = shop.uses()
    assert {(use["operation"], use["use"]) for use in uses} >= {
        ("s3:PutObject", "kms:GenerateDataKey"),
        ("s3:CreateMultipartUpload", "kms:GenerateDataKey"),
        ("s3:UploadPart", "kms:Decrypt"),
        ("s3:GetObject", "kms:Decrypt"),
    }
    assert {use["use"] for use in uses} == {"kms:GenerateDataKey", "kms:Decrypt"}
    for use in uses:
        assert (use["key"], use["via"]) == (shop.key_arn, f"s3.{REGION}.amazonaws.com")
        assert list(use["context"]) == ["aws:s3:arn"]
        assert use["context"]["aws:s3:arn"] == f"arn:aws:s3:::{BUCKET}/{use['facts']['key']}"
    made = {use["context"]["aws:s3:arn"] for use in uses if use["use"] == "kms:GenerateDataKey"}
    assert any(arn.startswith(REPOSITORY + "archive/shop/15") and len(arn) > 100 for arn in made), (
        "a segment of the log"
    )
    assert any("/bundle/" in arn for arn in made), "the tables' files"


def refusal(done: CompletedProcess[str], arn: str) -> str:
    """Return pgBackRest's last error; it failed, and says that the key is disabled."""
    said = done.stdout + done.stderr
    assert done.returncode != 0
    assert f"<Code>KMS.DisabledException</Code><Message>{arn} is disabled.</Message>" in said
    return [line for line in said.splitlines() if line.startswith("ERROR: ")][-1]


def test_disabled_key(shop: Shop) -> None:
    """Nothing is backed up, archived or restored; the database goes on, and its log waits until the key is enabled."""
    kms, wal = shop.server.client("kms"), shop.database.data / "pg_wal"
    refusals = "SELECT failed_count > 0, last_failed_wal FROM pg_stat_archiver"
    elsewhere = shop.database.folder / "elsewhere"
    kms.disable_key(KeyId=shop.key_arn)
    try:
        text = refusal(shop.pgbackrest("backup", check=False), shop.key_arn)
        assert "[039]: unable to load info file" in text
        shop.query("INSERT INTO letters VALUES (2, 'while the key was disabled')")
        shop.query("SELECT pg_switch_wal()")
        wait_until(lambda: shop.query(refusals)[0][0], 60, "a segment is refused")
        segment = shop.query(refusals)[0][1]
        text = refusal(shop.pgbackrest("archive-push", wal / segment, check=False), shop.key_arn)
        assert "[103]: unable to find a valid repository" in text
        assert (wal / segment).exists()
        shop.database.run("mkdir", "-m", "700", elsewhere)
        text = refusal(shop.pgbackrest("restore", f"--pg1-path={elsewhere}", check=False), shop.key_arn)
        assert text == "ERROR: [075]: no backup set found to restore"
        assert list(elsewhere.iterdir()) == []
        assert shop.query("SELECT count(*) FROM letters") == [(2,)]
    finally:
        kms.enable_key(KeyId=shop.key_arn)
    shop.query("SELECT pg_logical_emit_message(false, '', ''), pg_switch_wal()")  # wakes the archiver at once
    archived = f"SELECT last_archived_wal > '{segment}' FROM pg_stat_archiver"
    wait_until(lambda: shop.query(archived) == [(True,)], 60, "the segments are archived")
    assert "KMS.DisabledException" in (shop.database.folder / "log").read_text()


def restore(shop: Shop, moment: str) -> None:
    """Bring the database back to a moment."""
    shop.database.stop()
    shop.pgbackrest("restore", "--delta", "--type=time", f"--target={moment}", "--target-action=promote")
    shop.database.start()
    wait_until(lambda: shop.query("SELECT pg_is_in_recovery()") == [(False,)], 60, "the recovery ends")


def test_point_in_time_under_another_key(shop: Shop) -> None:
    """After a re-wrap the first key may be disabled: backup and log still give the moment that is asked for."""
    kms = shop.server.client("kms")
    shop.query("INSERT INTO letters VALUES (3, 'before the mistake')")
    ((moment,),) = shop.query("SELECT clock_timestamp()::text")
    shop.query("DELETE FROM letters")
    second = kms.create_key()["KeyMetadata"]["Arn"]
    shop.all_keys.append(second)
    shop.server.set_policy("pgbackrest", policy(*shop.all_keys))
    shop.set_default(second)
    shop.database.stop()  # its last log is archived under the second key
    words = ("rewrap", f"s3://{BUCKET}/", "--to", second, "--all-versions", "--data", str(shop.server.data))
    run([str(FUIN), *words], shop.server.client_environment())
    kms.disable_key(KeyId=shop.key_arn)
    before = len(shop.uses())
    try:
        restore(shop, moment)
    finally:
        kms.enable_key(KeyId=shop.key_arn)
    assert shop.query("SELECT body FROM letters WHERE id IN (1, 3) ORDER BY id") == [
        (shop.text,),
        ("before the mistake",),
    ]
    later = shop.uses()[before:]
    assert {use["key"] for use in later} == {second}
    assert {use["operation"] for use in later} >= {"s3:GetObject"}


@pytest.mark.databases
@pytest.mark.parametrize(
    ("action", "command"),
    [
        ("s3:ListBucket", ("check",)),
        ("s3:GetObject", ("check",)),
        ("s3:PutObject", ("archive-push", "SEGMENT")),
        ("s3:DeleteObject", ("expire", "--repo1-retention-full=1")),
        ("kms:GenerateDataKey", ("archive-push", "SEGMENT")),
        ("kms:Decrypt", ("check",)),
    ],
)
def test_each_right_is_needed(shop: Shop, action: str, command: tuple[str, ...]) -> None:
    """Without one of the actions of the policy a command is refused, and says which action is missing."""
    shop.query("SELECT pg_logical_emit_message(true, '', 'so that the segment is a new one')")
    segment = shop.query("SELECT pg_walfile_name(pg_current_wal_lsn())")[0][0]
    if action == "s3:DeleteObject":  # which deletes the older of two backups
        shop.pgbackrest("backup", "--type=full")
    shop.server.set_policy("pgbackrest", policy(*shop.all_keys, without=action))
    try:
        path = str(shop.database.data / "pg_wal" / segment)
        done = shop.pgbackrest(*(path if word == "SEGMENT" else word for word in command), check=False)
    finally:
        shop.server.set_policy("pgbackrest", policy(*shop.all_keys))
    assert done.returncode != 0
    assert f"is not authorized to perform: {action} on resource" in done.stdout + done.stderr


def test_no_right_beside_the_bucket(shop: Shop) -> None:
    """With the same credentials KMS gives no data key, since the policy allows KMS through S3 only."""
    kms = shop.server.client("kms", shop.user)
    with pytest.raises(ClientError, match="kms:GenerateDataKey") as refused:
        kms.generate_data_key(KeyId=shop.key_arn, KeySpec="AES_256")
    assert refused.value.response["Error"]["Code"] == "AccessDeniedException"
