"""Inputs and answers have the names of AWS's model, as botocore has it."""

import typing
from typing import Any

import msgspec
import pytest
from botocore.loaders import Loader
from botocore.model import ServiceModel

from fuin.ec2.operations import OPERATIONS
from fuin.ec2.wire import form
from tests.support.place import Place

BUILT = sorted(name for name, operation in OPERATIONS.items() if not operation.is_for_hosts)
TYPES = {"string": str, "integer": int, "boolean": bool}


@pytest.fixture(scope="module")
def model() -> ServiceModel:
    """Give botocore's model of EC2."""
    return ServiceModel(Loader().load_service_model("ec2", "service-2"), "ec2")


def wire_names(shape: Any) -> dict[str, Any]:
    """Return the members of an input by their names on the wire."""
    found = {}
    for name, member in shape.members.items():
        serialized = member.serialization.get("queryName")
        if serialized is None:
            serialized = member.serialization.get("name", name)
            serialized = serialized[0].upper() + serialized[1:]
        found[serialized] = member
    return found


def differences(struct: type[msgspec.Struct], shape: Any, path: str) -> list[str]:
    """Return where an input differs from the model: names on the wire, and types, at any depth."""
    members, hints = wire_names(shape), typing.get_type_hints(struct)
    more = {name for name in hints.keys() - members.keys() if not name.startswith("Fuin")}
    found = [f"{path}: {name} is not in the model" for name in more]
    found += [f"{path}: {name} is missing" for name in members.keys() - hints.keys()]
    for name in hints.keys() & members.keys():
        found += _type_differences(hints[name], members[name], f"{path}.{name}")
    return found


def _type_differences(kind: Any, shape: Any, path: str) -> list[str]:
    options = [one for one in typing.get_args(kind) if one is not type(None)]
    if type(None) in typing.get_args(kind):
        (kind,) = options
    if shape.type_name == "list":
        return _type_differences(typing.get_args(kind)[0], shape.member, path)
    if typing.get_origin(kind) is typing.Literal:
        return [] if set(typing.get_args(kind)) <= set(shape.enum) else [f"{path} takes other words"]
    if shape.type_name == "structure":
        return [] if typing.get_origin(kind) is dict else differences(kind, shape, path)
    return [] if kind is TYPES.get(shape.type_name, str) else [f"{path} is {kind}, not {shape.type_name}"]


@pytest.mark.parametrize("name", BUILT)
def test_inputs_equal_the_model(model: ServiceModel, name: str) -> None:
    """Each member of AWS's input is known by its name on the wire, so nothing is ignored in silence."""
    assert differences(OPERATIONS[name].input, model.operation_model(name).input_shape, name) == []


def test_differences_are_found(model: ServiceModel) -> None:
    """The check itself sees a missing member, a made-up one and a wrong type."""

    class Wrong(form.Input):
        VolumeId: int = 0
        Extra: str = ""

    found = differences(Wrong, model.operation_model("DeleteVolume").input_shape, "DeleteVolume")
    assert len(found) == 2
    assert len(differences(form.Input, model.operation_model("DeleteVolume").input_shape, "DeleteVolume")) == 1


def names_of_answer(shape: Any) -> dict[str, Any]:
    """Return the members of an output by their names on the wire."""
    return {member.serialization.get("name", name): member for name, member in shape.members.items()}


def unknown(output: Any, shape: Any, path: str) -> list[str]:
    """Return the members of an answer that clients would not understand."""
    if isinstance(output, dict):
        members = names_of_answer(shape)
        return [
            line
            for name, value in output.items()
            for line in ([f"{path}.{name}"] if name not in members else unknown(value, members[name], f"{path}.{name}"))
        ]
    if isinstance(output, list):
        return [line for item in output for line in unknown(item, shape.member, path)]
    return []


def test_answers_have_names_of_the_model(model: ServiceModel, place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every member of every answer in the life of a volume is one that clients know."""
    from fuin.ec2.wire import answers

    given: dict[str, Any] = {}
    write = answers.response

    def keep(operation: str, output: Any, request_id: str) -> bytes:
        given[operation] = output
        return write(operation, output, request_id)

    monkeypatch.setattr("fuin.ec2.wire.answers.response", keep)
    live(place)
    assert {name for name in given if not name.startswith("Fuin")} == set(BUILT)
    for name, output in given.items():
        if not name.startswith("Fuin"):
            shape = model.operation_model(name).output_shape
            assert unknown(output, shape, name) == [] if shape is not None else output == {"return": True}, name


def live(place: Place) -> None:
    """Call each operation about volumes once."""
    from tests.ec2.hosts import TestHost

    ec2, host = place.client("ec2"), TestHost(place)
    key = place.client("kms").create_key()["KeyMetadata"]["Arn"]
    name = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, VolumeType="gp3")["VolumeId"]
    ec2.create_tags(Resources=[name], Tags=[{"Key": "a", "Value": "b"}])
    ec2.attach_volume(VolumeId=name, InstanceId=host.id, Device="/dev/sdf")
    host.report(name, "attached")
    ec2.modify_volume(VolumeId=name, Size=2, VolumeType="gp3", Iops=4000, Throughput=250)
    for describe in ("volumes", "volume_status", "volumes_modifications", "tags", "regions", "availability_zones"):
        getattr(ec2, f"describe_{describe}")()
    ec2.describe_volume_attribute(VolumeId=name, Attribute="autoEnableIO")
    ec2.modify_ebs_default_kms_key_id(KmsKeyId=key)
    ec2.get_ebs_default_kms_key_id()
    ec2.reset_ebs_default_kms_key_id()
    ec2.disable_ebs_encryption_by_default()
    ec2.get_ebs_encryption_by_default()
    ec2.enable_ebs_encryption_by_default()
    ec2.delete_tags(Resources=[name])
    _live_snapshots(ec2, host.id, key)
    ec2.detach_volume(VolumeId=name, Force=True)
    ec2.delete_volume(VolumeId=name)


def _live_snapshots(ec2: Any, host: str, key: str) -> None:
    """Call each operation about snapshots once."""
    ec2.create_snapshots(InstanceSpecification={"InstanceId": host})
    name = ec2.create_volume(AvailabilityZone="us-east-1a", Size=1, Encrypted=True, KmsKeyId=key)["VolumeId"]
    snapshot = ec2.create_snapshot(VolumeId=name)["SnapshotId"]
    ec2.copy_snapshot(SourceSnapshotId=snapshot, SourceRegion="us-east-1", Encrypted=True, KmsKeyId=key)
    ec2.describe_snapshots(OwnerIds=["self"])
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "a", "Value": "b"}]}]
    filled = ec2.create_volume(AvailabilityZone="us-east-1a", SnapshotId=snapshot, TagSpecifications=tags)["VolumeId"]
    ec2.delete_volume(VolumeId=filled, DryRun=False)
    share = {"Attribute": "createVolumePermission", "OperationType": "add", "UserIds": ["111122223333"]}
    ec2.modify_snapshot_attribute(SnapshotId=snapshot, **share)
    ec2.describe_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    ec2.reset_snapshot_attribute(SnapshotId=snapshot, Attribute="createVolumePermission")
    ec2.delete_snapshot(SnapshotId=snapshot)
    ec2.delete_volume(VolumeId=name)
