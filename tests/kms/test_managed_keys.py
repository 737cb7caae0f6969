"""AWS-managed keys: listed before they are made, made when first described, and nobody's to use or to change."""

import asyncio
import json
from typing import Any

import pytest

from fuin.errors import AccessDenied
from fuin.kms import on_behalf
from fuin.kms.keys import managed
from fuin.kms.keys.managed_services import ALIASES, MANAGED
from tests.kms.asking import refusal
from tests.kms.test_on_behalf import call_of
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, Place
from tests.support.policies import allow

REGION = "ca-west-1"
NAMES = sorted(ALIASES + service for service in MANAGED)


@pytest.fixture
def client(place: Place) -> Any:
    """Give a client of a Region that only this file uses."""
    return place.kms(region=REGION)


def test_aliases_are_listed_before_their_keys(place: Place) -> None:
    """AWS: predefined aliases have no TargetKeyId until their key is made; the pages hold each once."""
    client = place.kms(region="mx-central-1")
    listed = client.list_aliases(Limit=100)["Aliases"]
    assert [one["AliasName"] for one in listed] == NAMES
    arn = f"arn:aws:kms:mx-central-1:{ACCOUNT}:"
    assert all(one == {"AliasName": one["AliasName"], "AliasArn": arn + one["AliasName"]} for one in listed)
    assert client.list_keys()["Keys"] == []
    made = client.describe_key(KeyId="alias/aws/rds")["KeyMetadata"]["KeyId"]
    own = client.create_key()["KeyMetadata"]["KeyId"]
    for name in ("alias/aaa", "alias/aws-own", "alias/zzz"):
        client.create_alias(AliasName=name, TargetKeyId=own)
    pages = client.get_paginator("list_aliases").paginate(PaginationConfig={"PageSize": 4})
    found = [(one["AliasName"], one.get("TargetKeyId")) for page in pages for one in page["Aliases"]]
    targets = {"alias/aaa": own, "alias/aws-own": own, "alias/zzz": own, "alias/aws/rds": made}
    every = sorted([*NAMES, "alias/aaa", "alias/aws-own", "alias/zzz"])
    assert found == [(name, targets.get(name)) for name in every]
    assert [one["AliasName"] for one in client.list_aliases(KeyId=made)["Aliases"]] == ["alias/aws/rds"]


@pytest.mark.parametrize("service", MANAGED)
def test_described_alias_makes_the_key_of_its_service(client: Any, service: str) -> None:
    """Its metadata and its policy are those of AWS-managed keys: through the service, in the Region, by the account."""
    shown = client.describe_key(KeyId=ALIASES + service)["KeyMetadata"]
    assert (shown["KeyManager"], shown["KeyState"], shown["KeySpec"]) == ("AWS", "Enabled", "SYMMETRIC_DEFAULT")
    assert shown["Description"].startswith("Default key that protects my ")
    arn = f"arn:aws:kms:{REGION}:{ACCOUNT}:{ALIASES}{service}"
    assert client.describe_key(KeyId=arn)["KeyMetadata"] == shown
    policy = json.loads(client.get_key_policy(KeyId=shown["KeyId"])["Policy"])
    through, directly = policy["Statement"]
    assert through["Condition"]["StringEquals"] == {
        "kms:ViaService": f"{'ec2' if service == 'ebs' else service}.{REGION}.amazonaws.com",
        "kms:CallerAccount": ACCOUNT,
    }
    assert ("kms:CreateGrant" in through["Action"]) is ("kms:RevokeGrant" in directly["Action"])
    assert client.get_key_rotation_status(KeyId=shown["KeyId"])["KeyRotationEnabled"] is True


def test_nobody_uses_or_changes_the_key(place: Place, client: Any) -> None:
    """Also the root is refused: the service is not here, and the key is not the account's to change."""
    key = client.describe_key(KeyId="alias/aws/ebs")["KeyMetadata"]["KeyId"]
    policy = client.get_key_policy(KeyId=key)["Policy"]
    refused: list[tuple[Any, dict[str, Any]]] = [
        (client.encrypt, {"Plaintext": b"x"}),
        (client.generate_data_key, {"KeySpec": "AES_256"}),
        (client.create_grant, {"GranteePrincipal": f"arn:aws:iam::{ACCOUNT}:root", "Operations": ["Decrypt"]}),
        (client.disable_key, {}),
        (client.disable_key_rotation, {}),
        (client.rotate_key_on_demand, {}),
        (client.schedule_key_deletion, {}),
        (client.put_key_policy, {"Policy": policy}),
        (client.tag_resource, {"Tags": [{"TagKey": "a", "TagValue": "b"}]}),
        (client.update_key_description, {"Description": "x"}),
    ]
    able = place.kms(place.add_user(allow("kms:*")), REGION)
    for call, given in refused:
        assert refusal(call, KeyId=key, **given)[0] == "AccessDeniedException", call
    assert refusal(able.encrypt, KeyId=key, Plaintext=b"x")[0] == "AccessDeniedException"
    with pytest.raises(AccessDenied):  # S3 is here, but the key is another service's
        place.run(on_behalf.data_key(call_of(place, region=REGION), "alias/aws/ebs", {}))
    for name in ("update_alias", "create_alias"):
        given = {"AliasName": "alias/aws/ebs", "TargetKeyId": key}
        assert refusal(getattr(client, name), **given)[0] == "NotAuthorizedException"
    assert refusal(client.delete_alias, AliasName="alias/aws/ebs")[0] == "NotAuthorizedException"


def test_key_is_made_by_whom_may_describe_it(place: Place) -> None:
    """Nothing is made for strangers, for other operations, for unknown services or in other accounts' names."""
    region = "ap-east-2"
    client, stranger = place.kms(region=region), place.kms(place.add_user(), region)
    assert refusal(stranger.describe_key, KeyId="alias/aws/sqs")[0] == "AccessDeniedException"
    missing = f"Alias arn:aws:kms:{region}:{ACCOUNT}:alias/aws/sqs is not found."
    assert refusal(client.encrypt, KeyId="alias/aws/sqs", Plaintext=b"x") == ("NotFoundException", missing)
    for name in (
        "alias/aws/nothing", "alias/aws/", "alias/aws/SQS", "alias/aws/sqs/x", "alias/sqs",
        f"arn:aws:kms:eu-west-3:{ACCOUNT}:alias/aws/sqs",
    ):  # fmt: skip
        assert refusal(client.describe_key, KeyId=name)[0] == "NotFoundException", name
    theirs = f"arn:aws:kms:{region}:{OTHER_ACCOUNT}:alias/aws/sqs"
    assert refusal(client.describe_key, KeyId=theirs)[0] == "AccessDeniedException"
    assert managed.managed_service(call_of(place, region=region), theirs) is None
    assert client.list_keys()["Keys"] == []
    assert place.kms(place.other_root, region).list_keys()["Keys"] == []


def test_key_is_made_once(place: Place) -> None:
    """However many describe it at the same time; each account has its own."""
    region = "ap-southeast-7"
    client = place.kms(region=region)

    async def together() -> list[str]:
        asked = [asyncio.to_thread(client.describe_key, KeyId="alias/aws/sns") for _ in range(6)]
        return [answer["KeyMetadata"]["KeyId"] for answer in await asyncio.gather(*asked)]

    made = set(asyncio.run(together()))
    assert len(made) == 1
    assert [key["KeyId"] for key in client.list_keys()["Keys"]] == list(made)
    other = place.kms(place.other_root, region)
    assert other.describe_key(KeyId="alias/aws/sns")["KeyMetadata"]["KeyId"] not in made
