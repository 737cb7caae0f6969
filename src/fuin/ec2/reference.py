"""The reference page of the EC2 operations, made of the table of operations.

`python -m fuin.ec2.reference docs/reference/ec2-operations.md` writes it; a test holds the file and this equal.
"""

from __future__ import annotations

import sys
from pathlib import Path

from fuin.access.vocabulary.actions import EC2_KEYLESS
from fuin.ec2.operations import OPERATIONS

_HEAD = """# EC2 operations: volumes and snapshots

Made by `python -m fuin.ec2.reference` from the table of operations (`src/fuin/ec2/operations.py`).

{built} operations of EC2 are built: those for volumes, their snapshots and tags. The others are answered with
`InvalidAction`, "The operation … is not built in this server.". The protocol is EC2's own: Query, version 2016-11-15,
signed for the service `ec2`. Each operation needs the action of its own name. Rights are asked for before it shows
whether a resource exists. What the server has of a volume, and what its host has: [decision
0031](../decisions/0031-volumes-and-their-hosts.md). How to use volumes: [the how-to](../how-to/volumes.md). The blocks
of snapshots come and go by the [EBS direct APIs](ebs-operations.md) (service `ebs`).

| operation | resources of its action | rights to the key |
| --- | --- | --- |
"""

_RESOURCES = {
    "AttachVolume": "the volume and the host (`instance/i-…`)",
    "CreateTags": "each volume and snapshot",
    "CreateVolume": "`volume/*`, and the snapshot; with tags also `ec2:CreateTags`",
    "DeleteTags": "each volume and snapshot",
    "DescribeVolumeAttribute": "the volume",
    "DetachVolume": "the volume and the host",
    "CopySnapshot": "`snapshot/*` and the source; with tags also `ec2:CreateTags`",
    "CreateSnapshot": "`snapshot/*` and the volume; with tags also `ec2:CreateTags`",
    "CreateSnapshots": "`snapshot/*`, each volume and the host; with tags also `ec2:CreateTags`",
}
_KEYS = {
    "AttachVolume": "`kms:CreateGrant`; also on the snapshot's key, for a volume from a snapshot under another key",
    "CopySnapshot": "`kms:Decrypt` on the source's key; under another key also `kms:GenerateDataKeyWithoutPlaintext` "
                    "on that one",
    "CreateVolume": "`kms:GenerateDataKeyWithoutPlaintext`; from a snapshot under the same key `kms:ReEncryptFrom` and "
                    "`kms:ReEncryptTo`",
    "ModifyEbsDefaultKmsKeyId": "`kms:DescribeKey`",
}  # fmt: skip

_HOSTS = """
## For hosts

Hosts are made by [`fuin host add`](command-line.md#fuin-host-add). Their principal is
`arn:aws:sts::ACCOUNT:assumed-role/aws:ec2-infrastructure/i-…`, as that of the hosts of AWS. They have no policies. Three
actions that EC2 does not have are for them, and are refused to everybody else with `UnauthorizedOperation`:

| action | parameters | what it does |
| --- | --- | --- |
| FuinDescribeHostTasks | | the attachments of the host, each with its state, size, encrypted data key and the snapshot to fill it from; the pending snapshots of their volumes |
| FuinReportAttachment | VolumeId, State (`attached`, `busy`, `detached`, `failed`), Message, Formatted, Filled | `attached`: the disk is open. `busy`: it cannot be closed. `detached`, and `failed` while attaching: the attachment and its grants end |
| FuinReportSnapshot | SnapshotId, State (`error`), Message | the blocks of a pending snapshot cannot be sent |

The host asks KMS for `Decrypt` with its own credentials, with the encryption context `{"aws:ebs:id": contextId}`.

"""  # noqa: E501 - a row of a table

_NOTES = """## The data key

A volume has a data key of 64 bytes, for AES-256-XTS. KMS makes it when the volume is made, and nobody sees it then: its
ciphertext is stored with the volume, bound to the volume's id by the encryption context `aws:ebs:id`. EC2 asks KMS as
the caller (`kms:ViaService` is `ec2.REGION.amazonaws.com`). AttachVolume makes a grant for the host: `Decrypt`, with an
encryption context that includes this id. DetachVolume ends it.

* **The key of a volume** is `KmsKeyId`, else the default key of the account in the Region, else `alias/aws/ebs`. A
  volume from a snapshot has the snapshot's key, if none is given. Under the same key it has the snapshot's data key as
  well, which KMS binds to the volume's id by `ReEncrypt`: AWS does not document by which call it does that.
* **A key that cannot be used**: CreateVolume answers `creating` with an id, and there is no such volume, as on AWS; the
  request's record says why, and `fuin explain` shows it. AttachVolume answers `CustomerKeyHasBeenRevoked`. A volume
  that is attached goes on, and cannot be opened again.
* **Deletion of keys**: volumes and snapshots count as what depends on a key, and the
  [guard](../how-to/delete-keys-safely.md) counts them.

## What is different from AWS, or not built

* **Encryption by default is on.** Volumes without encryption are refused with `UnsupportedOperation`, and the text says
  how to switch the default on again.
* **States**: a volume is `available` as soon as CreateVolume is answered, and gone as soon as DeleteVolume is. An
  attachment is `attaching` until its host says that the disk is open, and `busy` while the host cannot close it.
* **Detaching by force** ends the grant at once and asks no host. The host keeps the disk open if it is still alive.
* **Deleting a volume** deletes its data key. What the host's disk still holds cannot be opened again, unless a
  snapshot holds the same data key.
* **Modifications** are `completed` when they are answered; the host's disk follows by `fuin volume resize`. Type, IOPS
  and throughput are checked, stored and shown, but nothing here is faster or slower for them. A volume can be modified
  four times within 24 hours.
* **Re-wrap**, which AWS has not: ModifyVolume takes `FuinKmsKeyId`, alone. The data key of a volume that is not
  attached comes under that KMS key, or the newest material of its own. It needs `kms:ReEncryptFrom` and
  `kms:ReEncryptTo`. No data are moved, and anyone who once had the data key can still read the disk.
  `fuin rewrap vol-… --to KEY` does it. Its next snapshot is a whole one.
* **A snapshot of another account** must be copied before a volume is made from it.
* **A snapshot stays** (`InvalidSnapshot.InUse`) while the disk of a volume is still to be filled from it.
* **Not built**: Multi-Attach, Outposts, volumes' initialization rate (taken and ignored), the recycle bin, archived
  snapshots, fast snapshot restore, CopyVolumes. Every Region has three zones, `a` to `c`.
* **Describe operations** show what the caller's account has, and shared snapshots. `DescribeVolumeStatus` always says
  `ok`: the server does not see the disks. Filters are AWS's, with wildcards.
* **A parameter that is not known** is `UnknownParameter`; AWS ignores some.
"""


def page() -> str:
    """Return the page as Markdown."""
    own = [operation for operation in OPERATIONS.values() if not operation.is_for_hosts]
    lines = [_HEAD.format(built=len(own)).rstrip("\n")]
    for operation in sorted(own, key=lambda one: one.name):
        lines.append(f"| {operation.name} | {_resources(operation.name)} | {_KEYS.get(operation.name, '')} |")
    return "\n".join(lines) + "\n" + _HOSTS + _NOTES


def _resources(name: str) -> str:
    if f"ec2:{name.lower()}" in EC2_KEYLESS:
        return "`*`"
    return _RESOURCES.get(name, "the snapshot" if "Snapshot" in name else "the volume")


if __name__ == "__main__":
    Path(sys.argv[1]).write_text(page(), encoding="utf-8")
