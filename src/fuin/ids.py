"""Identifiers and ARNs: how they are made, written and read. AWS: "Amazon Resource Names", KMS "Key identifiers"."""

import base64
import itertools
import os
import re
import uuid

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_MULTI_REGION = re.compile(r"mrk-[0-9a-f]{32}")


# Drawn once: an id for each request needs no system call. A version 4 UUID up to its last dash.
_PROCESS = str(uuid.UUID(bytes=os.urandom(16), version=4))[:24]
_requests = itertools.count(int.from_bytes(os.urandom(5)))


def request_id() -> str:
    """Return a fresh request id in the form of a UUID: of this process, and a number that counts its requests.

    It is a name to look a request up by, and no secret.
    """
    return _PROCESS + f"{next(_requests):012x}"


def new_key_id() -> str:
    """Return a fresh KMS key id, a version 4 UUID."""
    return str(uuid.uuid4())


def new_multi_region_key_id() -> str:
    """Return a fresh id of a multi-Region key: mrk- and 32 hex digits."""
    return f"mrk-{os.urandom(16).hex()}"


def is_key_id(text: str) -> bool:
    """Return whether `text` has the form of a key id: a UUID with dashes, or mrk- with 32 hex digits."""
    return bool(_UUID.fullmatch(text) or _MULTI_REGION.fullmatch(text))


def key_id_bytes(key_id: str) -> bytes:
    """Return the 17-byte binary form of a key id: a kind (0 single-Region, 1 multi-Region) and 16 bytes.

    Raises ValueError when `key_id` is neither form.
    """
    if key_id.startswith("mrk-"):
        raw, kind = bytes.fromhex(key_id[4:]), b"\x01"
    else:
        raw, kind = bytes.fromhex(key_id.replace("-", "")), b"\x00"
    if len(raw) != 16:
        raise ValueError("not a key id")
    return kind + raw


def key_id_text(raw: bytes) -> str:
    """Return the text of a key id's 17-byte binary form; raises ValueError on any other."""
    if len(raw) != 17 or raw[0] > 1:
        raise ValueError("not a binary key id")
    text = raw[1:].hex()
    if raw[0] == 1:
        return f"mrk-{text}"
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"


def key_arn(account: str, region: str, key_id: str) -> str:
    """Return the ARN of a KMS key."""
    return f"arn:aws:kms:{region}:{account}:key/{key_id}"


def alias_arn(account: str, region: str, name: str) -> str:
    """Return the ARN of an alias; `name` starts with alias/."""
    return f"arn:aws:kms:{region}:{account}:{name}"


def bucket_arn(bucket: str) -> str:
    """Return the ARN of a bucket."""
    return f"arn:aws:s3:::{bucket}"


def object_arn(bucket: str, key: str) -> str:
    """Return the ARN of an object; SSE-KMS binds it in the encryption context."""
    return f"arn:aws:s3:::{bucket}/{key}"


def root_arn(account: str) -> str:
    """Return the ARN of an account's root."""
    return f"arn:aws:iam::{account}:root"


def user_arn(account: str, name: str) -> str:
    """Return the ARN of a user without a path."""
    return f"arn:aws:iam::{account}:user/{name}"


def iam_arn(account: str, kind: str, path: str, name: str) -> str:
    """Return the ARN of a user, group, role, policy or instance profile (`kind`); a path has a slash at each end."""
    return f"arn:aws:iam::{account}:{kind}{path}{name}"


def session_arn(account: str, role: str, session: str) -> str:
    """Return the ARN of a role's session; the role's path is not in it."""
    return f"arn:aws:sts::{account}:assumed-role/{role}/{session}"


def federated_arn(account: str, name: str) -> str:
    """Return the ARN of a federated user."""
    return f"arn:aws:sts::{account}:federated-user/{name}"


def _random_id(prefix: str) -> str:
    return prefix + base64.b32encode(os.urandom(10)).decode("ascii")


def new_access_key_id() -> str:
    """Return a fresh access key id: AKIA and 16 base-32 characters."""
    return _random_id("AKIA")


def new_session_key_id() -> str:
    """Return a fresh access key id of temporary credentials: ASIA and 16 base-32 characters."""
    return _random_id("ASIA")


def new_user_id() -> str:
    """Return a fresh unique id of a user: AIDA and 16 base-32 characters."""
    return _random_id("AIDA")


def new_group_id() -> str:
    """Return a fresh unique id of a group: AGPA and 16 base-32 characters."""
    return _random_id("AGPA")


def new_role_id() -> str:
    """Return a fresh unique id of a role: AROA and 16 base-32 characters."""
    return _random_id("AROA")


def new_policy_id() -> str:
    """Return a fresh unique id of a managed policy: ANPA and 16 base-32 characters."""
    return _random_id("ANPA")


def new_instance_profile_id() -> str:
    """Return a fresh unique id of an instance profile: AIPA and 16 base-32 characters."""
    return _random_id("AIPA")
