"""An account that is full of everything: all services in one place, and rows by the thousand."""

import json
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import urllib3
from botocore.auth import S3SigV4Auth, SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials
from sqlalchemy import Connection, select

from fuin.settings import MIB
from fuin.store.engine import epoch, schema
from tests.support.place import ANYTHING, REGION, Place
from tests.support.rows import multiply
from tests.support.server import User

OBJECTS, UPLOADS, PARTS, BUCKETS, KEYS, USERS, POLICIES = 3000, 3000, 10_000, 10_000, 1500, 3000, 1200


class FullPlace(Place):
    """Has a bucket `big` with objects, uploads and an upload of 10,000 parts, keys, users in a group, policies."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self._pool = urllib3.PoolManager()
        s3, kms, iam = (self.service(name) for name in ("s3", "kms", "iam"))
        s3.create_bucket(Bucket="big")
        s3.put_object(Bucket="big", Key="seed", Body=b"x")
        self.upload = s3.create_multipart_upload(Bucket="big", Key="mp")["UploadId"]
        self.etag = s3.upload_part(Bucket="big", Key="mp", UploadId=self.upload, PartNumber=1, Body=b"x")["ETag"]
        self.key = kms.create_key()["KeyMetadata"]["KeyId"]
        self.user = iam.create_user(UserName="first")["User"]["Arn"]
        group = iam.create_group(GroupName="all")["Group"]["GroupId"]
        self.policy = iam.create_policy(PolicyName="all", PolicyDocument=json.dumps(ANYTHING))["Policy"]
        self.services.store.change_sync(self._fill, group)

    def _fill(self, conn: Connection, group: str) -> None:
        multiply(conn, schema.objects, ({"key": b"d%05d/%05d" % (n // 2, n)} for n in range(OBJECTS)), key=b"seed")
        multiply(
            conn,
            schema.uploads,
            ({"upload_id": f"u{n:05}", "key": b"u%05d/x" % (n // 2)} for n in range(UPLOADS)),
            upload_id=self.upload,
        )
        part = schema.upload_parts
        conn.execute(part.update().where(part.c.upload_id == self.upload).values(size=5 * MIB))
        numbers = range(2, PARTS + 1)
        multiply(conn, part, ({"number": n, "blob": secrets.token_hex(32)} for n in numbers), upload_id=self.upload)
        multiply(conn, schema.buckets, ({"name": f"full-{n:05}"} for n in range(BUCKETS)), name="big")
        ids = [f"{n:08x}-0000-4000-8000-000000000000" for n in range(KEYS)]
        multiply(conn, schema.keys, ({"key_id": key_id} for key_id in ids), key_id=self.key)
        users = [{"id": f"AIDA{n:016}", "name": f"u{n:05}", "folded": f"u{n:05}"} for n in range(USERS)]
        multiply(conn, schema.identities, users, name="first")
        conn.execute(schema.memberships.insert(), [{"user_id": user["id"], "group_id": group} for user in users])
        policy = self.policy["PolicyId"]
        conn.execute(schema.attachments.insert(), [{"id": user["id"], "policy": policy} for user in users])
        more = [{"id": f"ANPA{n:016}", "name": f"p{n:05}", "folded": f"p{n:05}"} for n in range(POLICIES)]
        multiply(conn, schema.identities, more, id=policy)
        for table in (schema.managed_policies, schema.policy_versions):
            multiply(conn, table, ({"id": one["id"]} for one in more), id=policy)

    def copy_parts(self, conn: Connection, upload: str) -> None:
        """Give another upload the parts of the first one, with blobs of its own."""
        part = schema.upload_parts
        rows = conn.execute(select(part).where(part.c.upload_id == self.upload)).mappings().all()
        conn.execute(part.insert(), [{**row, "upload_id": upload, "blob": secrets.token_hex(32)} for row in rows])

    def forget(self) -> None:
        """Let the catalog forget everything, as any change to keys or identities does."""
        self.services.store.write_sync(epoch.bump_epoch, takes_rights=False)

    def ask(
        self,
        service: str,
        method: str,
        path: str,
        body: bytes = b"",
        headers: Mapping[str, str] | None = None,
        user: User | None = None,
    ) -> tuple[int, bytes]:
        """Send a request made by hand, so that the client does little in this process; return status and body."""
        who = user or self.root
        request = AWSRequest(method, self.url + path, headers=dict(headers or {}), data=body)
        signer = S3SigV4Auth if service == "s3" else SigV4Auth
        signer(Credentials(who.access_key_id, who.secret_access_key), service, REGION).add_auth(request)
        answer = self._pool.request(
            method, self.url + path, headers=dict(request.prepare().headers), body=body, retries=False
        )
        return answer.status, answer.data

    def iam(self, action: str, user: User | None = None, **members: str) -> tuple[int, bytes]:
        """Ask IAM."""
        form = urlencode({"Action": action, "Version": "2010-05-08", **members}).encode()
        return self.ask("iam", "POST", "/", form, {"Content-Type": "application/x-www-form-urlencoded"}, user)

    def ask_kms(self, operation: str, user: User | None = None, **members: Any) -> tuple[int, bytes]:
        """Ask KMS."""
        headers = {"X-Amz-Target": f"TrentService.{operation}", "Content-Type": "application/x-amz-json-1.1"}
        return self.ask("kms", "POST", "/", json.dumps(members).encode(), headers, user)
