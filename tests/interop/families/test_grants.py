"""Grants: a token that works at once, listing, retiring and revoking."""

import pytest

from tests.interop.families.callers import Caller, code_of

pytestmark = pytest.mark.real


def test_grant_works_at_once_and_ends(kms: Caller, somebody: tuple[str, Caller]) -> None:
    """A grant bound to a context gives its grantee Decrypt, is listed, and ends when it is retired or revoked."""
    arn, other = somebody
    key = kms("CreateKey")["KeyMetadata"]["Arn"]
    context = {"purpose": "grant"}
    sealed = kms("Encrypt", KeyId=key, Plaintext=b"text", EncryptionContext=context)["CiphertextBlob"]
    use = {"CiphertextBlob": sealed, "EncryptionContext": context}
    assert code_of(other, "Decrypt", **use) == "AccessDeniedException"
    asked = {
        "KeyId": key,
        "GranteePrincipal": arn,
        "RetiringPrincipal": arn,
        "Operations": ["Decrypt", "RetireGrant"],
        "Constraints": {"EncryptionContextEquals": context},
        "Name": "family",
    }
    made = kms("CreateGrant", **asked)
    assert kms("CreateGrant", **asked)["GrantId"] == made["GrantId"]
    assert other("Decrypt", **use, GrantTokens=[made["GrantToken"]])["Plaintext"] == b"text"
    assert other("Decrypt", **use)["Plaintext"] == b"text"
    [listed] = kms("ListGrants", KeyId=key)["Grants"]
    assert (listed["GrantId"], listed["GranteePrincipal"], listed["Constraints"]) == (
        made["GrantId"], arn, asked["Constraints"],
    )  # fmt: skip
    retirable = kms("ListRetirableGrants", RetiringPrincipal=arn)["Grants"]
    assert [one["GrantId"] for one in retirable if one["KeyId"] == key] == [made["GrantId"]]
    other("RetireGrant", GrantToken=made["GrantToken"])
    assert code_of(other, "Decrypt", **use) == "AccessDeniedException"
    again = kms("CreateGrant", **asked)["GrantId"]
    kms("RevokeGrant", KeyId=key, GrantId=again)
    assert kms("ListGrants", KeyId=key)["Grants"] == []
    assert code_of(other, "Decrypt", **use) == "AccessDeniedException"
