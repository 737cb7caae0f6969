"""The services for which AWS manages a key in every account, and the key policy that such a key has.

Each service's own guide names its alias, alias/aws/NAME; the form of its requests is in the KMS
developer guide, "kms:ViaService". Of them S3 and EBS are here, so nothing uses the keys of the others.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from fuin import ids

ALIASES = "alias/aws/"  # how the names of their aliases begin
_USE = ("kms:Encrypt", "kms:Decrypt", "kms:ReEncrypt*", "kms:GenerateDataKey*")


class Managed(NamedTuple):
    """A service as its key describes it: its name, and the data that the key protects.

    `granting` services get grants, which the account may revoke. `via` is how the service's requests to KMS name it,
    where that is not the name of the alias, and `policy_id` the policy's Id where that is not auto-NAME-1.
    """

    label: str
    protects: str
    granting: bool = False
    via: str = ""
    policy_id: str = ""


MANAGED = {
    "acm": Managed("ACM", "ACM private keys", granting=True),
    "backup": Managed("Backup", "Backup data", granting=True),
    "codeartifact": Managed("CodeArtifact", "CodeArtifact data", granting=True),
    "codecommit": Managed("CodeCommit", "CodeCommit repositories"),
    "dms": Managed("DMS", "DMS data", granting=True),
    "dynamodb": Managed("Amazon DynamoDB", "DynamoDB data", granting=True),
    "ebs": Managed("EBS", "EBS volumes", granting=True, via="ec2", policy_id="auto-ebs-2"),
    "ecr": Managed("Amazon ECR", "ECR repositories", granting=True),
    "elasticfilesystem": Managed("EFS", "EFS filesystems", granting=True),
    "es": Managed("Elasticsearch Service", "Elasticsearch data", granting=True),
    "fsx": Managed("FSx", "FSx resources", granting=True),
    "glue": Managed("Glue", "Glue data"),
    "kafka": Managed("MSK", "MSK data", granting=True),
    "kinesis": Managed("Kinesis", "Kinesis data"),
    "kinesisvideo": Managed("Kinesis Video Streams", "Kinesis Video Streams data"),
    "lambda": Managed("Lambda", "Lambda functions", granting=True),
    "lightsail": Managed("Lightsail", "Lightsail data", granting=True),
    "mq": Managed("Amazon MQ", "MQ data", granting=True),
    "rds": Managed("RDS", "RDS database volumes", granting=True),
    "redshift": Managed("Redshift", "Redshift clusters", granting=True),
    "s3": Managed("S3", "S3 objects", policy_id="auto-s3-2"),
    "secretsmanager": Managed("AWS Secrets Manager", "Secrets Manager data", granting=True),
    "ses": Managed("SES", "SES data"),
    "sns": Managed("SNS", "SNS data"),
    "sqs": Managed("SQS", "SQS messages"),
    "ssm": Managed("SSM", "SSM parameters"),
    "timestream": Managed("Timestream", "Timestream data", granting=True),
    "workspaces": Managed("WorkSpaces", "WorkSpaces volumes", granting=True),
    "xray": Managed("X-Ray", "X-Ray data"),
}


def description(service: str) -> str:
    """Return the description of the key of a service."""
    return f"Default key that protects my {MANAGED[service].protects} when no other key is defined"


def key_policy(service: str, account: str, region: str) -> str:
    """Return the policy of a service's key: use through the service by all of the account, metadata directly."""
    managed = MANAGED[service]
    via = f"{managed.via or service}.{region}.amazonaws.com"
    granting, revoking = (("kms:CreateGrant",), ("kms:RevokeGrant",)) if managed.granting else ((), ())
    who = f"all principals in the account that are authorized to use {managed.label}"
    through = {
        "Sid": f"Allow access through {managed.label} for {who}",
        "Effect": "Allow",
        "Principal": {"AWS": "*"},
        "Action": [*_USE, *granting, "kms:DescribeKey"],
        "Resource": "*",
        "Condition": {"StringEquals": {"kms:ViaService": via, "kms:CallerAccount": account}},
    }
    directly: dict[str, Any] = {
        "Sid": "Allow direct access to key metadata to the account",
        "Effect": "Allow",
        "Principal": {"AWS": ids.root_arn(account)},
        "Action": ["kms:Describe*", "kms:Get*", "kms:List*", *revoking],
        "Resource": "*",
    }
    name = managed.policy_id or f"auto-{service}-1"
    return json.dumps({"Version": "2012-10-17", "Id": name, "Statement": [through, directly]})
