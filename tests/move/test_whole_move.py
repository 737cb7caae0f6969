"""A whole server moves into an installation, while it serves and is killed on the way, and back again."""

from __future__ import annotations

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.move.conftest import Move
from tests.move.content import BUCKET, CONTEXT, Content, answers, fill
from tests.nodes.conftest import Installation
from tests.support.server import Server

pytestmark = pytest.mark.real


def test_server_moves_in_and_back(
    tmp_path: Path, installation: Installation, embedded: Server, move_in: Move, move_out: Move
) -> None:
    """A first run is killed twice, a second one goes on while the server serves, a third one finishes; then back."""
    content = fill(embedded)
    for point in ("move.rows.keys", "move.blob"):
        assert move_in(check=False, FUIN_CRASH_POINT=point)[0] == -9
    said = move_in()[1]
    assert "not usable yet" in said
    _change(embedded, content)
    before = answers(embedded, content)
    embedded.stop()
    assert move_in(check=False, FUIN_CRASH_POINT="move.before_finish")[0] == -9
    _refuse_unfinished(installation)
    assert answers(embedded.start(), content) == before  # the source is as it was
    embedded.stop()
    assert move_in(check=False, FUIN_CRASH_POINT="move.marked")[0] == -9
    _refuse_unfinished(installation)
    _refuse_moved(installation, embedded)  # so neither side serves
    said = move_in()[1]
    assert "The move has finished" in said
    _refuse_moved(installation, embedded)
    assert answers(installation.start("a"), content) == before
    _check_logs(installation)
    _work(installation.node("a"), content)
    after = answers(installation.node("a"), content)
    _move_back(tmp_path, installation, content, after, move_out)


def _refuse_moved(installation: Installation, embedded: Server) -> None:
    """No server starts with the data that was moved."""
    status, said = installation.fuin("serve", "--data", str(embedded.data), check=False)
    assert status == 1
    assert "was moved to" in said


def _change(server: Server, content: Content) -> None:
    """Change what the first run has copied: rows and blobs that are new, changed, replaced and gone."""
    s3, iam, kms = server.client("s3"), server.client("iam"), server.client("kms")
    content.bodies["small"] = b"replaced"
    s3.put_object(Bucket=BUCKET, Key="small", Body=b"replaced")
    content.bodies["large"] = os.urandom(70_000)
    s3.put_object(Bucket=BUCKET, Key="large", Body=content.bodies["large"])
    for key in ("empty", "gone"):
        s3.delete_object(Bucket=BUCKET, Key=key)
        del content.bodies[key]
    iam.create_user(UserName="zed")
    iam.update_user(UserName="zed", NewUserName="yves")
    iam.create_user(UserName="zed")
    kms.update_alias(AliasName="alias/moved", TargetKeyId=content.keys["multi"])
    kms.update_key_description(KeyId=content.keys["plain"], Description="changed")


def _refuse_unfinished(installation: Installation) -> None:
    """No command takes a database into which a move has not finished."""
    place = ["--database", installation.url, "--node", "a", "--data", str(installation.data("a"))]
    secret = ["--passphrase-file", str(installation.passphrase)]
    for status, said in (
        installation.fuin("serve", *place, *secret, check=False), installation.init(check=False),
    ):  # fmt: skip
        assert status == 1
        assert "being filled by `fuin move`" in said


def _check_logs(installation: Installation) -> None:
    """The embedded server's log is one of the installation's, whole, with the record of the move in it."""
    place = ["--data", str(installation.data("a"))]
    verified = installation.fuin("audit", "verify", *place)[1]
    assert "embedded-" in verified
    shown = installation.fuin("audit", "show", *place, "--operation", "fuin:MoveOut", "--json")[1]
    records = [json.loads(line) for line in shown.splitlines()]
    assert [record.get("about") for record in records] == ["change", "change", "change", None]  # two runs were killed
    facts = records[-1]["facts"]
    assert (facts["blobs"], facts["rows"] > 50) == (5, True)  # "small" went with its row
    assert len(facts["sha256"]) == 64


def _work(node: Server, content: Content) -> None:
    """Use what has moved: new keys and objects, the upload under way, the key that must stay unusable."""
    s3, kms = node.client("s3"), node.client("kms")
    s3.complete_multipart_upload(
        Bucket=BUCKET, Key="later", UploadId=content.upload["id"],
        MultipartUpload={"Parts": content.upload["parts"]},
    )  # fmt: skip
    assert s3.get_object(Bucket=BUCKET, Key="later")["Body"].read() == content.bodies["later"]
    content.upload = {"id": s3.create_multipart_upload(Bucket=BUCKET, Key="later")["UploadId"]}
    content.keys["new"] = kms.create_key()["KeyMetadata"]["KeyId"]  # its row has a number of its own
    s3.put_object(Bucket=BUCKET, Key="new", Body=b"new")
    content.bodies["new"] = b"new"
    with pytest.raises(ClientError, match="DisabledException"):
        kms.decrypt(CiphertextBlob=content.ciphertexts["disabled"], EncryptionContext=CONTEXT)


def _take_back(installation: Installation) -> None:
    """A node starts with the old database only after somebody has taken it back, knowingly."""
    place = ["--database", installation.url, "--node", "a", "--data", str(installation.data("a"))]
    secret = ["--passphrase-file", str(installation.passphrase)]
    status, said = installation.fuin("serve", *place, *secret, check=False)
    assert status == 1
    assert "was moved to" in said
    assert "may start" in installation.fuin("move", "--take-back", "--from-database", installation.url)[1]
    assert "was not moved" in installation.fuin("move", "--take-back", "--from-database", installation.url)[1]
    installation.start("a").stop()


def _move_back(
    tmp_path: Path, installation: Installation, content: Content, before: dict[str, Any], move_out: Move
) -> None:
    data = tmp_path / "back" / "data"
    assert "not usable yet" in move_out(data)[1]  # the node runs
    installation.node("a").stop()
    assert move_out(data, check=False, FUIN_CRASH_POINT="move.before_finish")[0] == -9
    secret = ["--passphrase-file", str(installation.passphrase)]
    status, said = installation.fuin("serve", "--data", str(data), *secret, check=False)
    assert status == 1
    assert "being filled by `fuin move`" in said
    installation.start("a").stop()  # the source is as it was
    assert move_out(data, check=False, FUIN_CRASH_POINT="move.closed")[0] == -9
    assert "was moved to" in installation.refused_start("a")
    assert "The move has finished" in move_out(data)[1]
    status, said = move_out(data, check=False)
    assert status == 1
    assert "was moved to" in said
    _take_back(installation)
    server = Server(tmp_path / "back", workers=1, options=secret)
    server.root = installation.root
    try:
        assert answers(server.start(), content) == before
        server.client("s3").put_object(Bucket=BUCKET, Key="again", Body=b"again")
        server.stop()
        server.start()  # database, log and blobs agree
    finally:
        server.kill()
    with closing(sqlite3.connect(data / "fuin.db")) as conn:
        assert [conn.execute(f"SELECT count(*) FROM {name}").fetchone()[0] for name in ("gates", "nodes")] == [0, 0]
