"""The rows of the condition keys of EC2 (ec2:…). Service Authorization Reference, "Amazon EC2".

Keys of instances, networks and images are left out: nothing here asks for their actions.
"""

from __future__ import annotations

from fuin.access.vocabulary.key_row import ConditionKey, never

_ALL = ("ec2:*",)
# The actions that have a volume as their resource, besides CreateTags and DeleteTags.
_ON_VOLUMES = (
    "ec2:AttachVolume", "ec2:CreateSnapshot", "ec2:CreateSnapshots", "ec2:CreateVolume", "ec2:DeleteVolume",
    "ec2:DescribeVolumeAttribute", "ec2:DetachVolume", "ec2:ModifyVolume",
)  # fmt: skip
_SNAPSHOTS = (
    "ec2:CopySnapshot", "ec2:CreateSnapshot", "ec2:CreateSnapshots", "ec2:CreateVolume", "ec2:DeleteSnapshot",
    "ec2:DescribeSnapshotAttribute", "ec2:ModifySnapshotAttribute", "ec2:ResetSnapshotAttribute",
)  # fmt: skip
_BOTH = tuple(sorted({*_ON_VOLUMES, *_SNAPSHOTS}))
_MISSING_TYPE = "if its type has none"
_OTHERS = "when the resource is not there, or is none with this key"

ROWS = (
    ConditionKey("ec2:Region", "String", _ALL, "the Region of the request"),
    ConditionKey("ec2:ResourceTag/NAME", "String", _ALL, "the tag of the volume or snapshot", "without the tag"),
    ConditionKey("ec2:AvailabilityZone", "String", _ON_VOLUMES, "the zone of the volume or host", _OTHERS),
    ConditionKey("ec2:CreateAction", "String", ("ec2:CreateTags",), "the operation that makes what gets the tags",
                 "if the request is for CreateTags itself"),
    ConditionKey("ec2:Encrypted", "Bool", _BOTH, "`true`", _OTHERS),
    ConditionKey("ec2:InstanceID", "String", ("ec2:AttachVolume", "ec2:CreateSnapshots", "ec2:DetachVolume"),
                 "the host's id",
                 "for the volume"),
    ConditionKey("ec2:ParentSnapshot", "ARN", _ON_VOLUMES, "the snapshot that the volume was made from",
                 "of other volumes"),
    ConditionKey("ec2:SnapshotID", "String", _SNAPSHOTS, "the snapshot's id", "for other resources"),
    ConditionKey("ec2:TargetIops", "Numeric", ("ec2:ModifyVolume",), "the IOPS that the volume is to have",
                 "when the request does not say it"),
    ConditionKey("ec2:TargetThroughput", "Numeric", ("ec2:ModifyVolume",), "the throughput that it is to have",
                 "when the request does not say it"),
    ConditionKey("ec2:TargetVolumeSize", "Numeric", ("ec2:ModifyVolume",), "the size that it is to have, in GiB",
                 "when the request does not say it"),
    ConditionKey("ec2:TargetVolumeType", "String", ("ec2:ModifyVolume",), "the type that it is to have",
                 "when the request does not say it"),
    ConditionKey("ec2:VolumeID", "String", _ON_VOLUMES, "the volume's id", "for other resources, and new volumes"),
    ConditionKey("ec2:VolumeIops", "Numeric", _ON_VOLUMES, "the volume's IOPS", _MISSING_TYPE),
    ConditionKey("ec2:VolumeSize", "Numeric", _BOTH, "the size in GiB", _OTHERS),
    ConditionKey("ec2:VolumeThroughput", "Numeric", _ON_VOLUMES, "the volume's throughput", _MISSING_TYPE),
    ConditionKey("ec2:VolumeType", "String", _ON_VOLUMES, "the volume's type", _OTHERS),
    ConditionKey("ec2:Owner", "String", _SNAPSHOTS, "the account that owns the snapshot", "for other resources"),
    ConditionKey("ec2:ParentVolume", "ARN", _SNAPSHOTS, "the volume that the snapshot was taken of",
                 "for other resources"),
    ConditionKey("ec2:SnapshotTime", "Date", _SNAPSHOTS, "when the snapshot was begun", "for other resources"),
    never("ec2:KmsKeyId", "String", "KMS asks for the right to the key itself", actions=_ALL),
)  # fmt: skip
