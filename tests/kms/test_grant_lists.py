"""ListGrants and ListRetirableGrants over HTTP, with boto3."""

import datetime
import secrets
from typing import Any

import pytest

from tests.kms.asking import UNSEEN, NewKey, arn_of, refusal
from tests.kms.granting import give, somebody
from tests.support.place import ACCOUNT, OTHER_ACCOUNT, Place
from tests.support.policies import allow

DENIED = "AccessDeniedException"
ROOT = f"arn:aws:iam::{ACCOUNT}:root"
USER = f"arn:aws:iam::{ACCOUNT}:user"


def test_listed_grant(kms: Any, new_key: NewKey) -> None:
    """A grant is listed as it was asked for; without a name it has an empty one, and what it lacks is left out."""
    key_id = new_key()
    constraints = {"EncryptionContextSubset": {"b": "2", "a": "1"}}
    before = datetime.datetime.now(datetime.UTC) - datetime.timedelta(seconds=1)
    full = give(
        kms, arn_of(key_id), f"{USER}/ann", "Decrypt", "Encrypt",
        Name="full/one", RetiringPrincipal=ROOT, Constraints=constraints,
    )  # fmt: skip
    plain = give(kms, key_id, f"{USER}/ann", "DescribeKey")
    entries = {entry["GrantId"]: entry for entry in kms.list_grants(KeyId=key_id)["Grants"]}
    assert before < entries[full].pop("CreationDate") <= entries[plain].pop("CreationDate")
    common = {"KeyId": arn_of(key_id), "GranteePrincipal": f"{USER}/ann", "IssuingAccount": ROOT}
    assert entries[full] == {
        **common, "GrantId": full, "Name": "full/one", "RetiringPrincipal": ROOT,
        "Operations": ["Decrypt", "Encrypt"], "Constraints": constraints,
    }  # fmt: skip
    assert entries[plain] == {**common, "GrantId": plain, "Name": "", "Operations": ["DescribeKey"]}


def test_filters(kms: Any, new_key: NewKey) -> None:
    """A list may be of one grant, of one grantee, or both."""
    key_id = new_key()
    ann, bob = (give(kms, key_id, f"{USER}/{name}") for name in ("ann", "bob"))

    def listed(**members: Any) -> list[str]:
        return [entry["GrantId"] for entry in kms.list_grants(KeyId=key_id, **members)["Grants"]]

    assert listed() == sorted([ann, bob])
    assert listed(GrantId=bob) == listed(GranteePrincipal=f"{USER}/bob") == [bob]
    assert listed(GrantId=ann, GranteePrincipal=f"{USER}/ann") == [ann]
    assert listed(GrantId=ann, GranteePrincipal=f"{USER}/bob") == []
    assert listed(GranteePrincipal=f"{USER}/none") == listed(GrantId=secrets.token_hex(32)) == []
    assert listed(GrantId=give(kms, new_key(), ROOT)) == []
    assert refusal(kms.list_grants, KeyId=key_id, GrantId="x")[0] == "InvalidGrantIdException"
    service = {"GranteeServicePrincipal": "rds.amazonaws.com"}
    assert "service principals" in refusal(kms.list_grants, KeyId=key_id, **service)[1]
    assert "not both" in refusal(kms.list_grants, KeyId=key_id, GranteePrincipal=ROOT, **service)[1]


def test_pages(kms: Any, new_key: NewKey) -> None:
    """All pages together hold every grant once, by id; a page has 50 unless told, and at most 100."""
    key_id = new_key()
    made = sorted(give(kms, key_id, ROOT, RetiringPrincipal=f"{USER}/pages") for _ in range(102))
    for call, given in (
        (kms.list_grants, {"KeyId": key_id}),
        (kms.list_retirable_grants, {"RetiringPrincipal": f"{USER}/pages"}),
    ):
        assert len(call(**given)["Grants"]) == 50
        page = call(**given, Limit=1000)
        assert len(page["Grants"]) == 100
        seen = [entry["GrantId"] for entry in page["Grants"]]
        while page["Truncated"]:
            page = call(**given, Limit=1, Marker=page["NextMarker"])
            seen += [entry["GrantId"] for entry in page["Grants"]]
        assert seen == made
        assert "NextMarker" not in page
        assert refusal(call, **given, Marker="x")[0] == "InvalidMarkerException"
        assert refusal(call, **given, Limit=0)[0] == refusal(call, **given, Limit=1001)[0] == "ValidationException"
    marker = kms.list_grants(KeyId=key_id)["NextMarker"]
    found = refusal(kms.list_retirable_grants, RetiringPrincipal=ROOT, Marker=marker)
    assert found == ("InvalidMarkerException", "Could not deserialize marker")
    grantee = kms.list_grants(KeyId=key_id, GranteePrincipal=ROOT, Limit=60)
    assert len(kms.list_grants(KeyId=key_id, GranteePrincipal=ROOT, Marker=grantee["NextMarker"])["Grants"]) == 42


def test_listing_is_a_right_on_the_key(place: Place, kms: Any, new_key: NewKey) -> None:
    """ListGrants is for whom the key's policy allows it, and no grant gives it."""
    key_id, ann = new_key(), somebody(place)
    give(kms, key_id, ann.arn, "DescribeKey", "CreateGrant")
    assert "kms:ListGrants" in refusal(ann.kms.list_grants, KeyId=key_id)[1]
    assert UNSEEN in refusal(place.kms(place.other_root).list_grants, KeyId=arn_of(key_id))[1]
    place.kms(place.add_user(allow("kms:ListGrants"))).list_grants(KeyId=key_id)
    assert refusal(kms.list_grants, KeyId="alias/none")[0] == "InvalidArnException"
    assert refusal(kms.list_grants)[0] == "ValidationException"


def test_retirable_grants(place: Place, kms: Any, new_key: NewKey) -> None:
    """All grants of a Region's keys, of any account, that one principal may retire; with that principal as resource."""
    mine, eve = new_key(), somebody(place, OTHER_ACCOUNT)
    other = place.kms(place.other_root)
    theirs = other.create_key()["KeyMetadata"]["KeyId"]
    made = {give(kms, mine, ROOT, RetiringPrincipal=eve.arn), give(other, theirs, ROOT, RetiringPrincipal=eve.arn)}
    give(kms, mine, ROOT, RetiringPrincipal=ROOT)
    give(kms, mine, eve.arn, "RetireGrant")
    ask = {"RetiringPrincipal": eve.arn}
    listed = other.list_retirable_grants(**ask)["Grants"]
    assert {entry["GrantId"] for entry in listed} == made
    assert {entry["KeyId"] for entry in listed} == {arn_of(mine), arn_of(theirs, OTHER_ACCOUNT)}
    assert refusal(eve.kms.list_retirable_grants, **ask)[0] == DENIED
    place.set_policy(eve.user, allow("kms:ListRetirableGrants", resource=eve.arn), OTHER_ACCOUNT)
    assert len(eve.kms.list_retirable_grants(**ask)["Grants"]) == 2
    root = f"arn:aws:iam::{OTHER_ACCOUNT}:root"
    assert refusal(eve.kms.list_retirable_grants, RetiringPrincipal=root)[0] == DENIED
    assert refusal(kms.list_retirable_grants, **ask)[0] == DENIED
    assert place.kms(region="eu-west-1").list_retirable_grants(RetiringPrincipal=ROOT)["Grants"] == []


@pytest.mark.parametrize(
    ("given", "code", "text"),
    [
        ({}, "ValidationException", "either RetiringPrincipal or RetiringServicePrincipal"),
        (
            {"RetiringPrincipal": ROOT, "RetiringServicePrincipal": "rds.amazonaws.com"},
            "ValidationException",
            "but not both",
        ),
        ({"RetiringServicePrincipal": "rds.amazonaws.com"}, "ValidationException", "are service principals"),
        ({"RetiringPrincipal": "ann"}, "InvalidArnException", "Invalid arn ann"),
        ({"RetiringPrincipal": ""}, "ValidationException", "greater than or equal to 1"),
    ],
)
def test_retirable_by_nobody(kms: Any, given: dict[str, str], code: str, text: str) -> None:
    """One principal is asked for, by a valid ARN; services' own grants are for services to list."""
    found = refusal(kms.list_retirable_grants, **given)
    assert found[0] == code
    assert text in found[1]
