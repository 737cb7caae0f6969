"""Each right of KMS and EC2 taken away at each step of a volume's life; hosts without their own grant."""

import base64
import json
from collections.abc import Iterator
from typing import Any

import pytest
from botocore.exceptions import ClientError

from fuin.testing.kit.users import ACCOUNT, REGION
from tests.ec2.hosts import Refused, TestHost, ask
from tests.ec2.test_volumes import ZONE
from tests.ec2.test_wire import code_of
from tests.support.place import Place
from tests.support.policies import allow

# What a caller needs for the life of a volume: AWS, EBS user guide, "Amazon EBS encryption".
MAKE, GRANT = "kms:GenerateDataKeyWithoutPlaintext", "kms:CreateGrant"
VIA = {"StringEquals": {"kms:ViaService": f"ec2.{REGION}.amazonaws.com"}}


@pytest.fixture(scope="module")
def host(place: Place) -> TestHost:
    """Give a host."""
    return TestHost(place)


@pytest.fixture
def key(kms: Any) -> str:
    """Give the ARN of a key that identity policies decide about."""
    arn: str = kms.create_key()["KeyMetadata"]["Arn"]
    return arn


@pytest.fixture
def volume(ec2: Any, key: str) -> Iterator[str]:
    """Give a volume under the key."""
    name: str = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=key)["VolumeId"]
    yield name
    if ec2.describe_volumes(VolumeIds=[name])["Volumes"][0]["Attachments"]:
        ec2.detach_volume(VolumeId=name, Force=True)
    ec2.delete_volume(VolumeId=name)


def with_rights(place: Place, *statements: dict[str, Any]) -> Any:
    """Return the client of a new user with these policies."""
    whole = {"Version": "2012-10-17", "Statement": [one for policy in statements for one in policy["Statement"]]}
    for number, statement in enumerate(whole["Statement"]):
        statement.pop("Sid", None)
        statement["Sid"] = f"S{number}"
    return place.client("ec2", place.add_user(whole))


def exists(ec2: Any, volume: str) -> bool:
    """Return whether there is a volume."""
    found = ec2.describe_volumes(Filters=[{"Name": "volume-id", "Values": [volume]}])["Volumes"]
    return bool(found)


@pytest.mark.parametrize(
    ("rights", "is_made"),
    [
        ([allow(MAKE)], True),
        ([allow(MAKE, condition=VIA)], True),
        ([allow(MAKE, condition={"StringLike": {"kms:EncryptionContext:aws:ebs:id": "vol-*"}})], True),
        ([allow("kms:GenerateDataKey", "kms:Decrypt", GRANT)], False),
        ([allow(MAKE, condition={"StringEquals": {"kms:ViaService": f"s3.{REGION}.amazonaws.com"}})], False),
        ([], False),
    ],
)
def test_volume_is_made_as_the_caller(place: Place, ec2: Any, key: str, rights: list[Any], is_made: bool) -> None:
    """Without the right the answer is the same, and the volume vanishes: nobody may ever see it."""
    user = with_rights(place, allow("ec2:CreateVolume"), *rights)
    answer = user.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=key)
    assert answer["State"] == "creating"
    assert exists(ec2, answer["VolumeId"]) is is_made
    if is_made:
        ec2.delete_volume(VolumeId=answer["VolumeId"])


@pytest.mark.parametrize("change", ["disable_key", "schedule_key_deletion"])
def test_volume_of_a_key_that_cannot_be_used(ec2: Any, kms: Any, key: str, change: str) -> None:
    """The volume vanishes; with the key enabled again the next one is made."""
    getattr(kms, change)(KeyId=key)
    answer = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=key)
    assert answer["KmsKeyId"] == key
    assert not exists(ec2, answer["VolumeId"])
    with pytest.raises(ClientError) as error:
        ec2.delete_volume(VolumeId=answer["VolumeId"])
    assert code_of(error) == "InvalidVolume.NotFound"


def test_key_that_is_no_key(ec2: Any) -> None:
    """A key that does not exist is found out after the answer, too."""
    answer = ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId="alias/nothing")
    assert not exists(ec2, answer["VolumeId"])


@pytest.mark.parametrize(
    ("rights", "code"),
    [
        ([allow(GRANT)], ""),
        ([allow(GRANT, condition={"Bool": {"kms:GrantIsForAWSResource": "true"}})], ""),
        ([allow(GRANT, condition={"StringLike": {"kms:GranteePrincipal": "arn:aws:sts::*:assumed-role/aws:*"}})], ""),
        ([allow(GRANT, condition={"Bool": {"kms:GrantIsForAWSResource": "false"}})], "CustomerKeyHasBeenRevoked"),
        ([allow(MAKE, "kms:Decrypt")], "CustomerKeyHasBeenRevoked"),
        ([], "CustomerKeyHasBeenRevoked"),
    ],
)
def test_volume_is_attached_as_the_caller(
    place: Place, ec2: Any, host: TestHost, volume: str, rights: list[Any], code: str
) -> None:
    """AttachVolume needs kms:CreateGrant on the key, and no other right to it."""
    user = with_rights(place, allow("ec2:AttachVolume"), *rights)
    if not code:
        user.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
        return
    with pytest.raises(ClientError) as error:
        user.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    assert code_of(error) == code
    assert error.value.response["Error"]["Message"] == (
        f"Volume {volume} cannot be attached. The encrypted volume was unable to access the KMS master key."
    )
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "available"


def open_key(host: TestHost, blob: bytes, context: str) -> bytes:
    """Ask KMS for a data key as a host does."""
    context_of = {"aws:ebs:id": context}
    plaintext: bytes = host.client("kms").decrypt(CiphertextBlob=blob, EncryptionContext=context_of)["Plaintext"]
    return plaintext


def refusal(host: TestHost, blob: bytes, context: str) -> str:
    """Return the code with which KMS refuses."""
    with pytest.raises(ClientError) as error:
        open_key(host, blob, context)
    return code_of(error)


def test_host_opens_only_what_is_attached_to_it(place: Place, ec2: Any, kms: Any, host: TestHost, key: str) -> None:
    """Neither another host's volume, nor one that is not attached any longer, nor one with an exchanged token."""
    other = TestHost(place)
    made = [ec2.create_volume(AvailabilityZone=ZONE, Size=1, Encrypted=True, KmsKeyId=key)["VolumeId"] for _ in "12"]
    mine, others = made
    ec2.attach_volume(VolumeId=mine, InstanceId=host.id, Device="/dev/sdf")
    ec2.attach_volume(VolumeId=others, InstanceId=other.id, Device="/dev/sdf")
    blobs = {name: base64.b64decode(owner.task(name)["dataKey"]) for name, owner in ((mine, host), (others, other))}
    assert open_key(host, blobs[mine], mine) != open_key(other, blobs[others], others)
    assert refusal(host, blobs[others], others) == "AccessDeniedException"
    # The token of another disk: its blob with the context that the grant is for does not open.
    assert refusal(host, blobs[others], mine) == "InvalidCiphertextException"
    assert refusal(host, blobs[mine], others) == "AccessDeniedException"
    for action in (MAKE, "kms:Encrypt", GRANT):
        with pytest.raises(ClientError) as error:
            _ask_for(host, action, key, mine)
        assert code_of(error) == "AccessDeniedException", action
    (grant,) = [one["GrantId"] for one in kms.list_grants(KeyId=key, GranteePrincipal=host.row.principal.arn)["Grants"]]
    kms.revoke_grant(KeyId=key, GrantId=grant)
    assert refusal(host, blobs[mine], mine) == "AccessDeniedException"
    host.report(mine, "attached")  # what is open stays open, and a revoked grant does not keep a volume attached
    host.report(mine, "detached")
    ec2.detach_volume(VolumeId=others, Force=True)
    assert refusal(other, blobs[others], others) == "AccessDeniedException"
    for name in made:
        ec2.delete_volume(VolumeId=name)


def _ask_for(host: TestHost, action: str, key: str, context: str) -> None:
    client, given = host.client("kms"), {"KeyId": key}
    if action == MAKE:
        client.generate_data_key_without_plaintext(**given, NumberOfBytes=64, EncryptionContext={"aws:ebs:id": context})
    elif action == GRANT:
        client.create_grant(**given, GranteePrincipal=host.row.principal.arn, Operations=["Decrypt"])
    else:
        client.encrypt(**given, Plaintext=b"x", EncryptionContext={"aws:ebs:id": context})


def test_disabled_key_is_known_before_the_disk(ec2: Any, kms: Any, host: TestHost, volume: str, key: str) -> None:
    """An attached volume stays; the host cannot open it again, nobody can attach it; enabled, all goes on."""
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    blob = base64.b64decode(host.task(volume)["dataKey"])
    opened = open_key(host, blob, volume)
    host.report(volume, "attached", Formatted="true")
    kms.disable_key(KeyId=key)
    assert refusal(host, blob, volume) == "DisabledException"
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "in-use"
    ec2.detach_volume(VolumeId=volume)
    host.report(volume, "detached")
    with pytest.raises(ClientError) as error:
        ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    assert code_of(error) == "CustomerKeyHasBeenRevoked"
    kms.enable_key(KeyId=key)
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    assert open_key(host, blob, volume) == opened


def test_key_of_alias_aws_ebs_is_for_ec2_only(place: Place, ec2: Any, kms: Any) -> None:
    """Everybody in the account may use it through EC2, and nobody directly, as AWS's key policy says."""
    user = with_rights(place, allow("ec2:CreateVolume"))
    answer = user.create_volume(AvailabilityZone=ZONE, Size=1)
    assert exists(ec2, answer["VolumeId"])
    ec2.delete_volume(VolumeId=answer["VolumeId"])
    with pytest.raises(ClientError) as error:
        kms.generate_data_key_without_plaintext(KeyId="alias/aws/ebs", NumberOfBytes=64)
    assert code_of(error) == "AccessDeniedException"


@pytest.mark.parametrize(
    ("action", "resource", "condition", "is_allowed"),
    [
        ("ec2:DeleteVolume", "arn:aws:ec2:*:*:volume/*", None, True),
        ("ec2:DeleteVolume", f"arn:aws:ec2:{REGION}:{ACCOUNT}:volume/vol-0", None, False),
        ("ec2:DeleteVolume", "*", {"StringEquals": {"ec2:ResourceTag/team": "a"}}, True),
        ("ec2:DeleteVolume", "*", {"StringEquals": {"aws:ResourceTag/team": "b"}}, False),
        ("ec2:DeleteVolume", "*", {"NumericLessThan": {"ec2:VolumeSize": "2"}}, True),
        ("ec2:DeleteVolume", "*", {"NumericGreaterThan": {"ec2:VolumeSize": "2"}}, False),
        ("ec2:DeleteVolume", "*", {"Bool": {"ec2:Encrypted": "true"}}, True),
        ("ec2:DeleteVolume", "*", {"StringEquals": {"ec2:AvailabilityZone": "us-east-1b"}}, False),
        ("ec2:DeleteSnapshot", "*", None, False),
    ],
)
def test_rights_to_volumes(
    place: Place, ec2: Any, action: str, resource: str, condition: Any, is_allowed: bool
) -> None:
    """By action, by ARN, by tags and by the properties of the volume; DryRun tells without doing."""
    name = ec2.create_volume(
        AvailabilityZone=ZONE, Size=1,
        TagSpecifications=[{"ResourceType": "volume", "Tags": [{"Key": "team", "Value": "a"}]}],
    )["VolumeId"]  # fmt: skip
    user = with_rights(place, allow(action, resource=resource, condition=condition))
    with pytest.raises(ClientError) as error:
        user.delete_volume(VolumeId=name, DryRun=True)
    assert code_of(error) == ("DryRunOperation" if is_allowed else "UnauthorizedOperation")
    ec2.delete_volume(VolumeId=name)


def test_right_comes_before_existence(place: Place) -> None:
    """Who may not delete volumes does not learn which there are; other accounts' are as those that do not exist."""
    user = with_rights(place, allow("ec2:DescribeVolumes"))
    with pytest.raises(ClientError) as error:
        user.delete_volume(VolumeId="vol-00000000000000000")
    assert code_of(error) == "UnauthorizedOperation"
    other = place.client("ec2", place.other_root)
    made = other.create_volume(AvailabilityZone=ZONE, Size=1)["VolumeId"]
    with pytest.raises(ClientError) as error:
        place.client("ec2").delete_volume(VolumeId=made)
    assert code_of(error) == "InvalidVolume.NotFound"
    other.delete_volume(VolumeId=made)


def test_tags_at_creation_need_their_own_right(place: Place, ec2: Any) -> None:
    """ec2:CreateTags with ec2:CreateAction, and conditions on the tags of the request."""
    tags = [{"ResourceType": "volume", "Tags": [{"Key": "team", "Value": "a"}]}]
    given = {"AvailabilityZone": ZONE, "Size": 1, "TagSpecifications": tags}
    with pytest.raises(ClientError) as error:
        with_rights(place, allow("ec2:CreateVolume")).create_volume(**given)
    assert code_of(error) == "UnauthorizedOperation"
    assert "ec2:CreateTags" in str(error.value)
    user = with_rights(
        place,
        allow("ec2:CreateVolume", condition={"StringEquals": {"aws:RequestTag/team": "a"}}),
        allow("ec2:CreateTags", condition={"StringEquals": {"ec2:CreateAction": "CreateVolume"}}),
    )
    ec2.delete_volume(VolumeId=user.create_volume(**given)["VolumeId"])


def test_report_about_a_volume_of_another_host(place: Place, ec2: Any, host: TestHost, volume: str) -> None:
    """A host says nothing about the disks of others, and a removed host says nothing at all."""
    other = TestHost(place)
    ec2.attach_volume(VolumeId=volume, InstanceId=host.id, Device="/dev/sdf")
    with pytest.raises(Refused) as refused:
        other.report(volume, "detached")
    assert refused.value.code == "InvalidAttachment.NotFound"
    assert ec2.describe_volumes(VolumeIds=[volume])["Volumes"][0]["State"] == "in-use"
    place.run(_remove(place, other))
    with pytest.raises(Refused) as refused:
        other.ask("FuinDescribeHostTasks")
    assert refused.value.code == "AuthFailure"


async def _remove(place: Place, host: TestHost) -> None:
    from fuin.identity import host_administration

    services = place.services
    await host_administration.remove_host(services.store, services.keyholder, ACCOUNT, host.id)


def test_role_with_the_name_of_hosts_cannot_be_made(place: Place, host: TestHost) -> None:
    """So nobody's own session has the principal of a host; a user with its name in a policy is no host either."""
    document = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": ACCOUNT}, "Action": "sts:AssumeRole"}]})  # fmt: skip
    with pytest.raises(ClientError) as error:
        place.client("iam").create_role(RoleName="aws:ec2-infrastructure", AssumeRolePolicyDocument=document)
    assert code_of(error) == "ValidationError"
    user = place.add_user(allow("*"))
    with pytest.raises(Refused) as refused:
        ask(place, user, "FuinDescribeHostTasks")
    assert refused.value.code == "UnauthorizedOperation"


def test_only_ec2_gives_a_key_to_a_host(place: Place, kms: Any, key: str, host: TestHost) -> None:
    """Nobody's grant or key policy names a host, so that it never takes a stranger's key for that of its volume."""
    arn, theirs = host.row.principal.arn, place.client("kms", place.other_root)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": [f"arn:aws:iam::{ACCOUNT}:root", arn]}, "Action": "kms:*",
         "Resource": "*"}]})  # fmt: skip
    for client, name in ((kms, key), (theirs, theirs.create_key()["KeyMetadata"]["Arn"])):
        for more in ({}, {"DryRun": True}):
            with pytest.raises(ClientError) as error:
                client.create_grant(KeyId=name, GranteePrincipal=arn, Operations=["Decrypt"], **more)
            assert code_of(error) == "InvalidArnException"
        me = f"arn:aws:iam::{name.split(':')[4]}:root"
        with pytest.raises(ClientError) as error:
            client.create_grant(KeyId=name, GranteePrincipal=me, RetiringPrincipal=arn, Operations=["Decrypt"])
        assert code_of(error) == "InvalidArnException"
        assert client.list_grants(KeyId=name)["Grants"] == []
        with pytest.raises(ClientError) as error:
            client.put_key_policy(KeyId=name, PolicyName="default", Policy=policy.replace(f"{ACCOUNT}:root", me[13:]))
        assert code_of(error) == "MalformedPolicyDocumentException"
        assert "principals" in str(error.value)


def test_grant_to_the_account_of_a_host_is_not_for_the_host(place: Place, host: TestHost) -> None:
    """Another account's grant or key policy for the whole account, or for everybody, does not reach the host."""
    theirs = place.client("kms", place.other_root)
    policy = json.dumps({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": {"AWS": "*"}, "Action": "kms:*", "Resource": "*"}]})  # fmt: skip
    key = theirs.create_key(Policy=policy)["KeyMetadata"]["Arn"]
    theirs.create_grant(KeyId=key, GranteePrincipal=f"arn:aws:iam::{ACCOUNT}:root", Operations=["Decrypt"])
    blob = theirs.encrypt(KeyId=key, Plaintext=b"x" * 64)["CiphertextBlob"]
    with pytest.raises(ClientError) as error:
        host.client("kms").decrypt(CiphertextBlob=blob)
    assert code_of(error) == "AccessDeniedException"
