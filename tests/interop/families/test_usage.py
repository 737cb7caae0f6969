"""DryRun, which uses nothing, and GetKeyLastUsage."""

import pytest

from tests.interop.families.callers import Caller, code_of

pytestmark = pytest.mark.real


def test_dry_run_and_last_use(kms: Caller) -> None:
    """DryRun answers with its own error and uses nothing; GetKeyLastUsage tells of the first real use."""
    key = kms("CreateKey")["KeyMetadata"]["KeyId"]
    assert code_of(kms, "Encrypt", KeyId=key, Plaintext=b"text", DryRun=True) == "DryRunOperationException"
    assert "Timestamp" not in kms("GetKeyLastUsage", KeyId=key).get("KeyLastUsage", {})
    kms("Encrypt", KeyId=key, Plaintext=b"text")
    used = kms("GetKeyLastUsage", KeyId=key)["KeyLastUsage"]
    assert used["Operation"] == "Encrypt"
