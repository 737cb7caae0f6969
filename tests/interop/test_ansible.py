"""Ansible's collection amazon.aws. Each task takes a second or more, so there is one playbook, over http only."""

import pytest

from tests.interop.place import EncryptedBucket, payload
from tests.support.server import REPOSITORY, run

PROGRAM = REPOSITORY / ".venv-ansible" / "bin" / "ansible-playbook"
PLAYBOOK = REPOSITORY / "tests" / "interop" / "clients" / "playbook.yml"
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(not PROGRAM.exists(), reason="Ansible is not installed (make .venv-ansible/.done)"),
]


@pytest.mark.parametrize("place", ["http"], indirect=True)
def test_ansible_makes_what_it_is_told_and_changes_nothing_twice(place: EncryptedBucket) -> None:
    """A key, a bucket with encryption and a policy, an object and a user; a second run finds all as it should be."""
    unique, content = f"{place.bucket}-ansible", payload(64).decode()
    variables = place.server.client_environment() | {"ANSIBLE_PIPELINING": "1", "LC_ALL": "C.UTF-8"}
    told = ["--inventory", "localhost,", "--extra-vars", f"unique={unique} content={content}"]
    run([str(PROGRAM), *told, str(PLAYBOOK)], variables)
    s3, kms = place.server.client("s3"), place.server.client("kms")
    key = kms.describe_key(KeyId=f"alias/{unique}")["KeyMetadata"]["Arn"]
    found = s3.get_object(Bucket=unique, Key="folder/a b+c.txt")
    assert (found["Body"].read().decode(), found["SSEKMSKeyId"]) == (content, key)
    [rule] = s3.get_bucket_encryption(Bucket=unique)["ServerSideEncryptionConfiguration"]["Rules"]
    assert rule["ApplyServerSideEncryptionByDefault"]["KMSMasterKeyID"] == key
    block = s3.get_public_access_block(Bucket=unique)["PublicAccessBlockConfiguration"]
    assert block["BlockPublicPolicy"] is True
    assert s3.get_bucket_tagging(Bucket=unique)["TagSet"] == [{"Key": "team", "Value": "größe"}]
    assert s3.get_object_tagging(Bucket=unique, Key="folder/a b+c.txt")["TagSet"] == [{"Key": "stage", "Value": "test"}]
