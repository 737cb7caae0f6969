"""What a server holds before it is moved, and the questions that both sides must answer alike."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass, field
from typing import Any

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding

from tests.support.server import ACCOUNT, Server

BUCKET = "moved-bucket"
CONTEXT = {"purpose": "move"}
TRUSTED = {
    "Version": "2012-10-17",
    "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{ACCOUNT}:root"}, "Action": "sts:AssumeRole"}
    ],
}
ALLOWED = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*"}]}
MIB = 1024 * 1024
SPECS: dict[str, dict[str, Any]] = {
    "plain": {},
    "disabled": {},
    "ending": {},
    "imported": {"Origin": "EXTERNAL"},
    "waiting": {"Origin": "EXTERNAL"},
    "sign": {"KeySpec": "ECC_NIST_P256", "KeyUsage": "SIGN_VERIFY"},
    "mac": {"KeySpec": "HMAC_256", "KeyUsage": "GENERATE_VERIFY_MAC"},
    "multi": {"MultiRegion": True},
}


@dataclass
class Content:
    """What `fill` has made: keys by name, ciphertexts, bodies of objects, and an upload under way."""

    keys: dict[str, str] = field(default_factory=dict)
    ciphertexts: dict[str, bytes] = field(default_factory=dict)
    bodies: dict[str, bytes] = field(default_factory=dict)
    upload: dict[str, Any] = field(default_factory=dict)


def fill(server: Server) -> Content:
    """Make keys in all states, grants, users, roles, policies, buckets, objects and an upload under way."""
    content = Content()
    fill_kms(server, content)
    fill_identity(server)
    fill_s3(server, content)
    return content


def fill_kms(server: Server, content: Content) -> None:
    """Make keys of every kind, each in its state, with what belongs to a key."""
    kms = server.client("kms")
    for name, options in SPECS.items():
        tags = [{"TagKey": "name", "TagValue": name}]
        made = kms.create_key(Description=f"{name} é", Tags=tags, **options)["KeyMetadata"]["KeyId"]
        content.keys[name] = made
    keys = content.keys
    wanted = kms.get_parameters_for_import(
        KeyId=keys["imported"], WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    public = serialization.load_der_public_key(wanted["PublicKey"])
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    kms.import_key_material(
        KeyId=keys["imported"], ImportToken=wanted["ImportToken"], ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE",
        EncryptedKeyMaterial=public.encrypt(os.urandom(32), oaep),  # type: ignore[union-attr]
    )  # fmt: skip
    for name in ("plain", "disabled", "ending", "imported", "multi"):
        answer = kms.encrypt(KeyId=keys[name], Plaintext=name.encode(), EncryptionContext=CONTEXT)
        content.ciphertexts[name] = answer["CiphertextBlob"]
    kms.rotate_key_on_demand(KeyId=keys["plain"])
    kms.enable_key_rotation(KeyId=keys["multi"], RotationPeriodInDays=100)
    kms.create_alias(AliasName="alias/moved", TargetKeyId=keys["plain"])
    kms.create_grant(
        KeyId=keys["plain"], GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:root", Operations=["Decrypt", "Encrypt"],
        Constraints={"EncryptionContextSubset": CONTEXT}, Name="moved",
    )  # fmt: skip
    kms.disable_key(KeyId=keys["disabled"])
    kms.schedule_key_deletion(KeyId=keys["ending"], PendingWindowInDays=7)


def fill_identity(server: Server) -> None:
    """Make a user with a boundary, a role, a group and policies, some of which refer to others."""
    iam = server.client("iam")
    policy = iam.create_policy(PolicyName="moved", PolicyDocument=json.dumps(ALLOWED))["Policy"]["Arn"]
    iam.create_user(UserName="ann", PermissionsBoundary=policy, Tags=[{"Key": "team", "Value": "blue"}])
    iam.create_access_key(UserName="ann")
    iam.attach_user_policy(UserName="ann", PolicyArn=policy)
    iam.create_group(GroupName="movers")
    iam.add_user_to_group(GroupName="movers", UserName="ann")
    iam.create_role(RoleName="moving", AssumeRolePolicyDocument=json.dumps(TRUSTED))
    iam.put_role_policy(RoleName="moving", PolicyName="inline", PolicyDocument=json.dumps(ALLOWED))


def fill_s3(server: Server, content: Content) -> None:
    """Make objects of each kind, and an upload under way."""
    s3 = server.client("s3")
    s3.create_bucket(Bucket=BUCKET)
    content.bodies = {
        "small": b"small",
        "large": os.urandom(3 * MIB),
        "under-kms": os.urandom(70_000),
        "empty": b"",
        "gone": os.urandom(70_000),
    }
    for name, body in content.bodies.items():
        options = {"ServerSideEncryption": "aws:kms", "SSEKMSKeyId": content.keys["multi"]} if "kms" in name else {}
        s3.put_object(Bucket=BUCKET, Key=name, Body=body, Metadata={"made": "before"}, **options)
    first, second = os.urandom(5 * MIB), os.urandom(1000)
    begun = s3.create_multipart_upload(Bucket=BUCKET, Key="many/parts")["UploadId"]
    parts = [put_part(s3, "many/parts", begun, number, body) for number, body in ((1, first), (2, second))]
    s3.complete_multipart_upload(Bucket=BUCKET, Key="many/parts", UploadId=begun, MultipartUpload={"Parts": parts})
    content.bodies["many/parts"] = first + second
    under_way = s3.create_multipart_upload(Bucket=BUCKET, Key="later")["UploadId"]
    content.upload = {"id": under_way, "parts": [put_part(s3, "later", under_way, 1, first)]}
    content.bodies["later"] = first


def put_part(s3: Any, key: str, upload: str, number: int, body: bytes) -> dict[str, Any]:
    """Upload a part, and return it as CompleteMultipartUpload takes it."""
    tag = s3.upload_part(Bucket=BUCKET, Key=key, UploadId=upload, PartNumber=number, Body=body)["ETag"]
    return {"PartNumber": number, "ETag": tag}


def answers(server: Server, content: Content) -> dict[str, Any]:
    """Return a server's answers to many questions, without what differs from request to request."""
    kms, iam, s3 = server.client("kms"), server.client("iam"), server.client("s3")
    found: dict[str, Any] = {
        "keys": kms.list_keys(), "aliases": kms.list_aliases(), "users": iam.list_users(), "roles": iam.list_roles(),
        "buckets": s3.list_buckets(), "objects": s3.list_objects_v2(Bucket=BUCKET),
        "uploads": s3.list_multipart_uploads(Bucket=BUCKET),
        "parts": s3.list_parts(Bucket=BUCKET, Key="later", UploadId=content.upload["id"]),
        "account": iam.get_account_authorization_details(),
        "user keys": iam.list_access_keys(UserName="ann"),
    }  # fmt: skip
    for name, key in content.keys.items():
        found[f"key {name}"] = kms.describe_key(KeyId=key)
        found[f"policy {name}"] = kms.get_key_policy(KeyId=key)
        found[f"grants {name}"] = kms.list_grants(KeyId=key)
        found[f"tags {name}"] = kms.list_resource_tags(KeyId=key)
    found["rotations"] = kms.list_key_rotations(KeyId=content.keys["plain"], IncludeKeyMaterial="ALL_KEY_MATERIAL")
    for name in ("plain", "imported", "multi"):
        opened = kms.decrypt(CiphertextBlob=content.ciphertexts[name], EncryptionContext=CONTEXT)
        assert opened["Plaintext"] == name.encode()
        found[f"decrypt {name}"] = opened
    for name, body in content.bodies.items():
        if name != "later":
            answer = s3.get_object(Bucket=BUCKET, Key=name)
            assert answer["Body"].read() == body
            found[f"object {name}"] = {key: value for key, value in answer.items() if key != "Body"}
    return {name: _without_request(answer) for name, answer in found.items()}


def _without_request(answer: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in answer.items() if name != "ResponseMetadata"}
