"""Re-wrap of a volume: its data key comes under another KMS key, and stays the same."""

from collections.abc import Iterator
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from fuin.cli.whole import app
from tests.ec2.hosts import Refused, TestHost, ask
from tests.ec2.test_attachments import open_key
from tests.ec2.test_volumes import ZONE
from tests.support.place import Place
from tests.support.policies import allow


@pytest.fixture
def keys(kms: Any) -> list[str]:
    """Give the ARNs of two keys."""
    return [kms.create_key()["KeyMetadata"]["Arn"] for _ in "12"]


@pytest.fixture
def volume(ec2: Any, keys: list[str]) -> Iterator[str]:
    """Give a volume under the first key."""
    name: str = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=keys[0])["VolumeId"]
    yield name
    ec2.delete_volume(VolumeId=name)


def key_of(ec2: Any, volume: str) -> str:
    """Return the ARN of the key of a volume."""
    arn: str = ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["KmsKeyId"]
    return arn


def opened_by(ec2: Any, host: TestHost, volume: str) -> bytes:
    """Attach a volume, return its data key as the host opens it, and detach it."""
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    try:
        return open_key(host, volume)
    finally:
        ec2.detach_volume(VolumeId=volume, Force=True)


def test_data_key_is_the_same_under_another_key(place: Place, ec2: Any, kms: Any, keys: list[str], volume: str) -> None:
    """No right to see the data key is needed, and the first key may end then."""
    host = TestHost(place)
    before = opened_by(ec2, host, volume)
    user = place.add_user(allow("ec2:ModifyVolume", "kms:ReEncrypt*"))
    answer = ask(place, user, "ModifyVolume", VolumeId=volume, FuinKmsKeyId=keys[1])
    assert answer["volumeModification"]["modificationState"] == "completed"
    assert key_of(ec2, volume) == keys[1]
    kms.schedule_key_deletion(KeyId=keys[0])
    assert opened_by(ec2, host, volume) == before


def test_command_line(place: Place, ec2: Any, keys: list[str], volume: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """`fuin rewrap vol-… --to KEY`, with the caller's own credentials; a refusal is said."""

    def run(*words: str) -> Result:
        return CliRunner().invoke(app, ["rewrap", volume, "--endpoint-url", place.url, *words])

    for name, value in place.root.variables.items():
        monkeypatch.setenv(name, value)
    assert run("--to", keys[1]).stdout == f"{volume}  {keys[1]}\n"
    assert key_of(ec2, volume) == keys[1]
    assert "--to" in str(run().exception)
    assert "InvalidKmsKeyId" in str(run("--to", "alias/nothing").exception)


@pytest.mark.parametrize("actions", [["kms:ReEncryptFrom"], ["kms:ReEncryptTo"], ["kms:Decrypt", "kms:Encrypt"]])
def test_rights_to_both_keys_are_needed(
    place: Place, ec2: Any, keys: list[str], volume: str, actions: list[str]
) -> None:
    """Without one of them nothing changes."""
    user = place.add_user(allow("ec2:ModifyVolume", *actions))
    with pytest.raises(Refused) as refused:
        ask(place, user, "ModifyVolume", VolumeId=volume, FuinKmsKeyId=keys[1])
    assert refused.value.code == "InvalidKmsKeyId"
    assert "is not authorized to perform: kms:ReEncrypt" in refused.value.message
    assert key_of(ec2, volume) == keys[0]


def test_attached_volume_stays(place: Place, ec2: Any, keys: list[str], volume: str) -> None:
    """Its host has a grant for the present key; and a request changes either the key or the shape."""
    host = TestHost(place)
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    with pytest.raises(Refused) as refused:
        ask(place, place.root, "ModifyVolume", VolumeId=volume, FuinKmsKeyId=keys[1])
    assert refused.value.code == "IncorrectState"
    ec2.detach_volume(VolumeId=volume, Force=True)
    with pytest.raises(Refused) as refused:
        ask(place, place.root, "ModifyVolume", VolumeId=volume, FuinKmsKeyId=keys[1], Size="2")
    assert refused.value.code == "InvalidParameterCombination"
    assert key_of(ec2, volume) == keys[0]
