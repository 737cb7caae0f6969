"""What clients read of a bucket before anything else: the `aws` command line, and tools that keep infrastructure."""

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.support.server import AWS, Server, run

pytestmark = pytest.mark.real

# What each command of s3api prints for a new bucket, or the code of the error that it tells.
COMMANDS: dict[str, str] = {
    "get-bucket-abac": '"Status": "Disabled"', "get-bucket-accelerate-configuration": "",
    "get-bucket-acl": '"Permission": "FULL_CONTROL"', "get-bucket-cors": "NoSuchCORSConfiguration",
    "get-bucket-encryption": '"SSEAlgorithm": "AES256"',
    "get-bucket-lifecycle-configuration": "NoSuchLifecycleConfiguration",
    "get-bucket-location": '"LocationConstraint": null', "get-bucket-logging": "",
    "get-bucket-metadata-configuration": "MetadataConfigurationNotFound", "get-bucket-notification-configuration": "",
    "get-bucket-ownership-controls": '"ObjectOwnership": "BucketOwnerEnforced"',
    "get-bucket-policy": "NoSuchBucketPolicy", "get-bucket-policy-status": "NoSuchBucketPolicy",
    "get-bucket-replication": "ReplicationConfigurationNotFoundError",
    "get-bucket-request-payment": '"Payer": "BucketOwner"', "get-bucket-tagging": "NoSuchTagSet",
    "get-bucket-versioning": "", "get-bucket-website": "NoSuchWebsiteConfiguration",
    "get-object-lock-configuration": "ObjectLockConfigurationNotFoundError",
    "get-public-access-block": '"RestrictPublicBuckets": true',
    "list-bucket-analytics-configurations": '"IsTruncated": false',
    "list-bucket-intelligent-tiering-configurations": '"IsTruncated": false',
    "list-bucket-inventory-configurations": '"IsTruncated": false',
    "list-bucket-metrics-configurations": '"IsTruncated": false',
}  # fmt: skip
# Runs many commands in one process, which is twenty times as quick as a process for each.
_SCRIPT = """
import contextlib, io, json, sys
from awscli.clidriver import create_clidriver
driver, told = create_clidriver(), {}
for command in json.loads(sys.argv[1]):
    with contextlib.redirect_stdout(io.StringIO()) as out, contextlib.redirect_stderr(out):
        driver.main(["s3api", command, "--bucket", sys.argv[2], "--output", "json"])
    told[command] = out.getvalue()
print(json.dumps(told))
"""


def test_every_setting_is_read_by_the_command_line(server: Server, unique: Callable[[str], str]) -> None:
    """The `aws` command line over all settings of a new bucket, as somebody who looks around would run it."""
    bucket = unique("settings")
    server.client("s3").create_bucket(Bucket=bucket)
    python = AWS.with_name("python")
    done = run([str(python), "-c", _SCRIPT, json.dumps(list(COMMANDS)), bucket], server.client_environment())
    told = json.loads(done.stdout)
    assert {command: expected in told[command] for command, expected in COMMANDS.items()} == dict.fromkeys(
        COMMANDS, True
    )
    assert [command for command, expected in COMMANDS.items() if not expected and told[command].strip()] == []


# What Terraform's provider reads of each aws_s3_bucket, in its order, and the errors that it takes for "not set".
READS: tuple[tuple[str, str], ...] = (
    ("head_bucket", ""), ("get_bucket_policy", "NoSuchBucketPolicy"), ("get_bucket_acl", ""),
    ("get_bucket_cors", "NoSuchCORSConfiguration"), ("get_bucket_website", "NoSuchWebsiteConfiguration"),
    ("get_bucket_versioning", ""), ("get_bucket_accelerate_configuration", ""), ("get_bucket_request_payment", ""),
    ("get_bucket_logging", ""), ("get_bucket_lifecycle_configuration", "NoSuchLifecycleConfiguration"),
    ("get_bucket_replication", "ReplicationConfigurationNotFoundError"), ("get_bucket_encryption", ""),
    ("get_object_lock_configuration", "ObjectLockConfigurationNotFoundError"), ("get_bucket_location", ""),
    ("get_bucket_tagging", "NoSuchTagSet"), ("get_bucket_notification_configuration", ""),
)  # fmt: skip


def _read(s3: Any, bucket: str) -> dict[str, str]:
    found = {}
    for name, _ in READS:
        try:
            getattr(s3, name)(Bucket=bucket)
        except ClientError as error:
            found[name] = error.response["Error"]["Code"]
        else:
            found[name] = ""
    return found


def test_infrastructure_tools_read_put_and_remove(server: Server, unique: Callable[[str], str]) -> None:
    """The life of a private bucket under such a tool: made, read, hardened, read back, taken down again."""
    s3, bucket = server.client("s3"), unique("managed")
    s3.create_bucket(Bucket=bucket)
    assert _read(s3, bucket) == dict(READS)
    block = {
        "BlockPublicAcls": True,
        "IgnorePublicAcls": True,
        "BlockPublicPolicy": True,
        "RestrictPublicBuckets": True,
    }
    rules = {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}
    s3.put_public_access_block(Bucket=bucket, PublicAccessBlockConfiguration=block)
    s3.put_bucket_ownership_controls(Bucket=bucket, OwnershipControls=rules)
    s3.put_bucket_versioning(Bucket=bucket, VersioningConfiguration={"Status": "Suspended"})
    s3.put_bucket_acl(Bucket=bucket, ACL="private")
    assert s3.get_public_access_block(Bucket=bucket)["PublicAccessBlockConfiguration"] == block
    assert s3.get_bucket_ownership_controls(Bucket=bucket)["OwnershipControls"] == rules
    assert s3.get_bucket_versioning(Bucket=bucket)["Status"] == "Suspended"
    assert _read(s3, bucket) == dict(READS)
    for remove in (
        s3.delete_public_access_block, s3.delete_bucket_ownership_controls, s3.delete_bucket_tagging,
        s3.delete_bucket_cors, s3.delete_bucket_lifecycle, s3.delete_bucket_website, s3.delete_bucket_replication,
        s3.delete_bucket_policy, s3.delete_bucket_encryption, s3.delete_bucket,
    ):  # fmt: skip
        remove(Bucket=bucket)
