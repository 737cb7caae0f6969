"""The rows of the condition keys of the EBS direct APIs (ebs:…).

Source: Service Authorization Reference, "Amazon Elastic Block Store".
"""

from __future__ import annotations

from fuin.access.vocabulary.key_row import ConditionKey

_ALL = ("ebs:*",)
_MISSING = "when the snapshot is not there"

ROWS = (
    ConditionKey("ebs:Description", "String", _ALL, "the description of the snapshot", "without one"),
    ConditionKey("ebs:ParentSnapshot", "ARN", _ALL, "the snapshot from which this one was begun", "without a parent"),
    ConditionKey("ebs:VolumeSize", "Numeric", _ALL, "the size of the volume in GiB", _MISSING),
)
