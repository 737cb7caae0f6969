"""Volumes, attachments, hosts, modifications, defaults and tags, on both engines."""

from dataclasses import replace

import pytest

from fuin.store.errors import AlreadyExists, NotFound, StillUsed, TooManyTags
from fuin.store.identity import principals
from fuin.store.store import Store
from fuin.store.volumes import attachments, dependents, ebs_defaults, ec2_tags, hosts, modifications, volumes
from fuin.store.volumes.attachments import Attachment
from fuin.store.volumes.dependents import VolumeTotals
from fuin.store.volumes.ebs_defaults import EbsDefaults
from fuin.store.volumes.modifications import Modification
from tests.store.values import ACCOUNT, REGION, host, volume


def test_volume_is_as_it_was_put(store: Store) -> None:
    """A row comes back whole; what is changed later is changed alone."""
    one = volume(client_token="once", kms_material_id=b"material", is_filled=False, snapshot_id="snap-1")
    store.write_sync(volumes.insert_volume, one)
    assert store.read_sync(volumes.find_volume, one.volume_id) == one
    assert store.read_sync(volumes.find_by_token, ACCOUNT, REGION, "once") == one
    assert store.read_sync(volumes.find_unfilled, "snap-1") == one.volume_id
    with pytest.raises(AlreadyExists):
        store.write_sync(volumes.insert_volume, volume(client_token="once"))
    store.write_sync(volumes.set_disk, one.volume_id, "i-1", is_formatted=True, is_filled=True)
    store.write_sync(volumes.set_state, one.volume_id, volumes.IN_USE)
    store.write_sync(volumes.set_shape, one.volume_id, 9, "gp3", 3000, 125)
    changed = replace(
        one, home="i-1", is_formatted=True, is_filled=True, state="in-use", size=9, volume_type="gp3", iops=3000,
        throughput=125,
    )  # fmt: skip
    assert store.read_sync(volumes.find_volume, one.volume_id) == changed
    assert store.read_sync(volumes.find_unfilled, "snap-1") is None
    store.write_sync(volumes.delete_volume, one.volume_id)
    with pytest.raises(NotFound):
        store.write_sync(volumes.delete_volume, one.volume_id)


def test_volumes_are_listed_by_id(store: Store) -> None:
    """In pages, of one account and Region only."""
    named = [volume(volume_id=f"vol-{number:017x}") for number in range(5)]
    for one in (*reversed(named), volume(region="eu-west-1")):
        store.write_sync(volumes.insert_volume, one)
    assert store.read_sync(volumes.list_volumes, ACCOUNT, REGION) == named
    assert store.read_sync(volumes.list_volumes, ACCOUNT, REGION, named[1].volume_id, 2) == named[2:4]


def test_attachment_is_one_and_keeps_its_host(store: Store) -> None:
    """A volume has one attachment, and a host with attachments stays."""
    one, machine = volume(), host()
    store.write_sync(volumes.insert_volume, one)
    store.change_sync(hosts.insert_host, machine)
    made = Attachment(
        one.volume_id, machine.host_id, "/dev/sdf", "attaching", "grant", "arn", 7.5, fill_grant_id="more"
    )
    store.write_sync(attachments.insert_attachment, made)
    with pytest.raises(AlreadyExists):
        store.write_sync(attachments.insert_attachment, made)
    assert store.read_sync(attachments.find_of_volumes, [one.volume_id]) == {one.volume_id: made}
    assert store.read_sync(attachments.is_device_taken, machine.host_id, "/dev/sdf")
    store.write_sync(attachments.set_state, one.volume_id, "busy", "mounted")
    store.write_sync(attachments.forget_fill_grant, one.volume_id)
    changed = replace(made, state="busy", message="mounted", fill_grant_id="")
    assert store.read_sync(attachments.list_of_host, machine.host_id) == [changed]
    with pytest.raises(StillUsed):
        store.change_sync(hosts.delete_host, machine.host_id)
    store.write_sync(attachments.delete_attachment, one.volume_id)
    store.change_sync(hosts.delete_host, machine.host_id)
    assert store.read_sync(hosts.find_host, machine.host_id) is None


def test_host_is_a_principal_as_long_as_it_is_there(store: Store) -> None:
    """Its credentials are found with those of users, and grants may name it."""
    machine = host()
    store.change_sync(hosts.insert_host, machine)
    with pytest.raises(AlreadyExists):
        store.change_sync(hosts.insert_host, replace(host(), name=machine.name))
    arn = f"arn:aws:sts::{ACCOUNT}:assumed-role/aws:ec2-infrastructure/{machine.host_id}"
    assert store.read_sync(hosts.list_hosts, ACCOUNT) == [machine]
    assert not store.read_sync(principals.exists, arn)
    assert store.read_sync(principals.exists, arn, with_hosts=True)
    assert not store.read_sync(principals.exists, arn.replace(ACCOUNT, "210987654321"), with_hosts=True)
    assert machine.principal.arn == arn
    assert machine.principal.identity_arn == f"arn:aws:iam::{ACCOUNT}:role/aws:ec2-infrastructure"
    found = store.catalog().access_key(machine.access_key_id)
    assert found is not None
    assert (found.principal, found.sealed_secret) == (machine.principal, b"sealed")
    store.change_sync(hosts.delete_host, machine.host_id)
    assert store.catalog().access_key(machine.access_key_id) is None
    assert not store.read_sync(principals.exists, arn, with_hosts=True)


def test_modifications_are_in_their_order(store: Store) -> None:
    """Each volume's, the oldest first; they go with the volume."""
    one = volume()
    store.write_sync(volumes.insert_volume, one)
    made = [
        Modification(one.volume_id, number, "completed", 1.0 * number, None, 8, "gp2", 100, 0, 9, "gp3", 3000, 125)
        for number in (1, 2)
    ]
    for each in reversed(made):
        store.write_sync(modifications.insert_modification, each)
    assert store.read_sync(modifications.list_modifications, [one.volume_id]) == {one.volume_id: made}
    store.write_sync(volumes.delete_volume, one.volume_id)
    assert store.read_sync(modifications.list_modifications, [one.volume_id]) == {}


def test_defaults_are_encrypted(store: Store) -> None:
    """Without a row encryption by default is on; the two settings do not disturb each other."""
    assert store.read_sync(ebs_defaults.find_defaults, ACCOUNT, REGION) == EbsDefaults(True, "")
    store.write_sync(ebs_defaults.set_key, ACCOUNT, REGION, "arn")
    store.write_sync(ebs_defaults.set_by_default, ACCOUNT, REGION, False)
    assert store.read_sync(ebs_defaults.find_defaults, ACCOUNT, REGION) == EbsDefaults(False, "arn")
    assert store.read_sync(ebs_defaults.find_defaults, ACCOUNT, "eu-west-1") == EbsDefaults(True, "")


def test_tags_of_resources(store: Store) -> None:
    """They are listed by resource and key; a value may be asked for when one is removed; there are 50 at most."""
    store.write_sync(ec2_tags.set_tags, ACCOUNT, REGION, "vol-2", {"b": "2", "a": "1"})
    store.write_sync(ec2_tags.set_tags, ACCOUNT, REGION, "vol-1", {"a": "x"})
    found = store.read_sync(ec2_tags.list_tags, ACCOUNT, REGION)
    assert [(tag.resource_id, tag.key, tag.value) for tag in found] == [
        ("vol-1", "a", "x"), ("vol-2", "a", "1"), ("vol-2", "b", "2"),
    ]  # fmt: skip
    assert store.read_sync(ec2_tags.list_tags, ACCOUNT, REGION, ("vol-1", "a"), 1) == found[1:2]
    store.write_sync(ec2_tags.remove_tags, ACCOUNT, REGION, "vol-2", [("a", "other"), ("b", None)])
    assert store.read_sync(ec2_tags.find_tags, ACCOUNT, REGION, ["vol-2"]) == {"vol-2": {"a": "1"}}
    with pytest.raises(TooManyTags):
        store.write_sync(ec2_tags.set_tags, ACCOUNT, REGION, "vol-2", {f"k{number}": "" for number in range(50)})
    store.write_sync(ec2_tags.remove_all_tags, ACCOUNT, REGION, "vol-2")
    assert store.read_sync(ec2_tags.find_tags, ACCOUNT, REGION, ["vol-2"]) == {}


def test_dependents_of_a_key(store: Store) -> None:
    """Volumes are counted with the size of their disks, and listed in pages."""
    arn = "arn:aws:kms:us-east-1:123456789012:key/k"
    made = sorted(volume(kms_key_arn=arn, size=3).volume_id for _ in range(3))
    for name in made:
        store.write_sync(volumes.insert_volume, volume(volume_id=name, kms_key_arn=arn, size=3))
    assert store.read_sync(dependents.count, arn) == VolumeTotals(3, 9, 0, 0)
    assert store.read_sync(dependents.has_any, arn)
    assert not store.read_sync(dependents.has_any, arn + "x")
    assert [one.resource_id for one in store.read_sync(dependents.list_volumes, arn, made[0], 1)] == made[1:2]
