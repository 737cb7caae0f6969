"""`aws ec2`, boto3's waiters and `fuin host` with the real server: the life of a volume up to its host."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.exceptions import ClientError

from tests.support.server import REGION, Server

pytestmark = pytest.mark.real


def aws(server: Server, *arguments: str) -> Any:
    """Run `aws ec2`, and return its JSON."""
    out = server.aws("ec2", *arguments, "--output", "json").stdout
    return json.loads(out) if out.strip() else None


def test_life_of_a_volume_by_the_command_line(server: Server, unique: Callable[[str], str]) -> None:
    """Made, tagged, waited for, attached to a host that `fuin host` has added, detached by force, deleted."""
    name, data = unique("host"), ("--data", str(server.data))
    added = json.loads(server.fuin("host", "add", *data, name, "--endpoint-url", server.url).stdout)
    assert set(added) == {"host_id", "access_key_id", "secret_access_key", "endpoint_url", "region"}
    key = server.client("kms").create_key()["KeyMetadata"]["Arn"]
    volume = aws(
        server, "create-volume", "--availability-zone", f"{REGION}a", "--size", "8", "--volume-type", "gp3",
        "--encrypted", "--kms-key-id", key,
        "--tag-specifications", "ResourceType=volume,Tags=[{Key=Name,Value=pg}]",
    )["VolumeId"]  # fmt: skip
    aws(server, "wait", "volume-available", "--volume-ids", volume)
    found = aws(server, "describe-volumes", "--filters", "Name=tag:Name,Values=p*", f"Name=volume-id,Values={volume}")
    assert [one["KmsKeyId"] for one in found["Volumes"]] == [key]
    aws(server, "attach-volume", "--volume-id", volume, "--instance-id", added["host_id"], "--device", "/dev/sdf")
    aws(server, "wait", "volume-in-use", "--volume-ids", volume)
    refused = server.fuin("host", "remove", *data, added["host_id"], check=False)
    assert "volumes are attached" in refused.stderr
    aws(server, "detach-volume", "--volume-id", volume, "--force")
    aws(server, "delete-volume", "--volume-id", volume)
    aws(server, "wait", "volume-deleted", "--volume-ids", volume)
    listed = json.loads(server.fuin("host", "list", *data, "--json").stdout)["Hosts"]
    assert added["host_id"] in [host["HostId"] for host in listed]
    session = boto3.Session(added["access_key_id"], added["secret_access_key"], region_name=REGION)
    sts = session.client("sts", endpoint_url=server.url, verify=False)
    arn = sts.get_caller_identity()["Arn"]
    assert arn.endswith(f":assumed-role/aws:ec2-infrastructure/{added['host_id']}")
    server.fuin("host", "remove", *data, added["host_id"])
    with pytest.raises(ClientError):
        sts.get_caller_identity()


def test_defaults_by_the_command_line(server: Server) -> None:
    """Encryption by default is on, in each Region."""
    assert aws(server, "get-ebs-encryption-by-default")["EbsEncryptionByDefault"] is True
    assert aws(server, "get-ebs-default-kms-key-id")["KmsKeyId"] == "alias/aws/ebs"
    zones = aws(server, "describe-availability-zones", "--query", "AvailabilityZones[].ZoneName")
    assert zones == [f"{REGION}{letter}" for letter in "abc"]
