"""The account as a whole: its alias, its summary, and what there is nothing of."""

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from tests.identity.assuming import allow, refused
from tests.support.place import ACCOUNT, Place

Names = Callable[[str], str]
DENIED = (403, "AccessDenied")


@pytest.fixture
def alias(iam: Any, unique: Names) -> Iterator[str]:
    """Give the account an alias."""
    name = unique("alias").lower()
    iam.create_account_alias(AccountAlias=name)
    yield name
    for left in iam.list_account_aliases()["AccountAliases"]:
        iam.delete_account_alias(AccountAlias=left)


def test_alias(iam: Any, alias: str) -> None:
    """One at most: another takes its place; only the one that there is is deleted."""
    assert iam.list_account_aliases()["AccountAliases"] == [alias]
    iam.create_account_alias(AccountAlias=f"{alias}-2")
    assert iam.list_account_aliases()["AccountAliases"] == [f"{alias}-2"]
    assert refused(iam.delete_account_alias, AccountAlias=alias)[:2] == (404, "NoSuchEntity")
    iam.delete_account_alias(AccountAlias=f"{alias}-2")
    assert iam.list_account_aliases()["AccountAliases"] == []
    assert refused(iam.delete_account_alias, AccountAlias=f"{alias}-2")[:2] == (404, "NoSuchEntity")


def test_an_alias_is_one_account_s(place: Place, iam: Any, alias: str) -> None:
    """What is taken is refused, also to the account that has it; another account neither sees nor deletes it."""
    other = place.service("iam", place.other_root)
    taken = (409, "EntityAlreadyExists", f"The account alias {alias} already exists.")
    assert refused(iam.create_account_alias, AccountAlias=alias) == taken
    assert refused(other.create_account_alias, AccountAlias=alias) == taken
    assert other.list_account_aliases()["AccountAliases"] == []
    assert refused(other.delete_account_alias, AccountAlias=alias)[:2] == (404, "NoSuchEntity")
    iam.delete_account_alias(AccountAlias=alias)
    other.create_account_alias(AccountAlias=alias)
    other.delete_account_alias(AccountAlias=alias)


@pytest.mark.parametrize("name", ["ab", "a" * 64, "Upper", "-a-b", "a-b-", "a--b", "a_b"])
def test_wrong_aliases(iam: Any, name: str) -> None:
    """AWS: 3 to 63 lower-case letters, digits and hyphens, which do not begin, end or follow each other."""
    assert refused(iam.create_account_alias, AccountAlias=name)[:2] == (400, "ValidationError")


def test_aliases_take_a_right(place: Place) -> None:
    """Each of the three its own."""
    iam = place.service("iam", place.new_user(allow("iam:ListAccountAliases")))
    iam.list_account_aliases()
    for call in (iam.create_account_alias, iam.delete_account_alias):
        assert refused(call, AccountAlias="some-alias")[:2] == DENIED
    assert refused(iam.get_account_password_policy)[:2] == DENIED


def test_summary(place: Place, iam: Any, unique: Names) -> None:
    """What there is is counted, in the account that asks; what there cannot be is 0; the quotas are AWS's."""
    before = iam.get_account_summary()["SummaryMap"]
    arn = iam.create_policy(PolicyName=unique("p"), PolicyDocument=json.dumps(allow("*")))["Policy"]["Arn"]
    iam.create_policy_version(PolicyArn=arn, PolicyDocument=json.dumps(allow("*")))
    iam.create_user(UserName=unique("u"))
    after = iam.get_account_summary()["SummaryMap"]
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert grown == {"Policies": 1, "PolicyVersionsInUse": 2, "Users": 1}
    assert after["AccountAccessKeysPresent"] == 1
    assert (after["PoliciesQuota"], after["AccessKeysPerUserQuota"]) == (1500, 2)
    for name in ("MFADevices", "AccountMFAEnabled", "AccountPasswordPresent", "Providers"):
        assert after[name] == 0
    other = place.service("iam", place.other_root).get_account_summary()["SummaryMap"]
    assert other["Policies"] < after["Policies"]


def test_what_there_is_nothing_of(place: Place, iam: Any, unique: Names) -> None:
    """MFA, certificates, identity providers: an error that says so, and no secret in its record."""
    user = unique("user")
    iam.create_user(UserName=user)
    for name, given in (
        ("create_virtual_mfa_device", {"VirtualMFADeviceName": "m"}),
        ("enable_mfa_device", {"UserName": user, "SerialNumber": "arn:aws:iam::1:mfa/m"}),
        ("create_saml_provider", {"SAMLMetadataDocument": "x" * 1000, "Name": "p"}),
        ("create_open_id_connect_provider", {"Url": "https://example.com"}),
        ("upload_server_certificate", {"ServerCertificateName": "c", "CertificateBody": "x", "PrivateKey": "secret"}),
        ("upload_ssh_public_key", {"UserName": user, "SSHPublicKeyBody": "ssh-rsa x"}),
    ):  # fmt: skip
        status, code, text = refused(getattr(iam, name), **given)
        assert (status, code) == (400, "InvalidAction"), name
        assert text.endswith("is not built in this server.")
        assert "secret" not in json.dumps(place.last_record().draft)


def test_empty_lists(place: Place, iam: Any) -> None:
    """What audits of accounts ask for is empty here, page by page too; it takes the right to the list."""
    user = place.new_user(allow("iam:GetUser"))
    asking = place.service("iam", user)
    for name, member, resource in (
        ("list_virtual_mfa_devices", "VirtualMFADevices", "mfa/"),
        ("list_server_certificates", "ServerCertificateMetadataList", "server-certificate/"),
        ("list_saml_providers", "SAMLProviderList", "saml-provider/*"),
        ("list_open_id_connect_providers", "OpenIDConnectProviderList", "oidc-provider/*"),
    ):
        assert getattr(iam, name)()[member] == []
        if iam.can_paginate(name):
            assert iam.get_paginator(name).paginate().build_full_result()[member] == []
        text = refused(getattr(asking, name))[2]
        assert f" on resource: arn:aws:iam::{ACCOUNT}:{resource} because no identity-based policy" in text


def test_root_is_meant_where_nobody_is_named(place: Place, iam: Any) -> None:
    """The root has no MFA devices; a user without a name of its own is not looked for."""
    assert iam.list_mfa_devices()["MFADevices"] == []
    user = place.new_user(allow("iam:ListMFADevices"))
    assert place.service("iam", user).list_mfa_devices()["MFADevices"] == []
