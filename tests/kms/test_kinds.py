"""CreateKey for every key spec and usage."""

from pathlib import Path
from typing import Any

import pytest

from tests.kms.asking import KeptKey, arn_of, refusal
from tests.kms.kinds import ALGORITHMS_MEMBER, KINDS, SPECS, USAGES


@pytest.mark.parametrize(("spec", "usage"), KINDS)
def test_create(kms: Any, kept_key: KeptKey, spec: str, usage: str) -> None:
    """A key of each spec and usage shows both, and the algorithms of this usage alone."""
    key_id = kept_key(spec, usage)
    shown = kms.describe_key(KeyId=key_id)["KeyMetadata"]
    assert (shown["KeySpec"], shown["CustomerMasterKeySpec"], shown["KeyUsage"]) == (spec, spec, usage)
    assert (shown["KeyState"], shown["Enabled"], shown["Origin"]) == ("Enabled", True, "AWS_KMS")
    assert {name for name in shown if name.endswith("Algorithms")} == {ALGORITHMS_MEMBER[usage]}
    assert sorted(shown[ALGORITHMS_MEMBER[usage]]) == sorted(KINDS[spec, usage])
    assert ("CurrentKeyMaterialId" in shown) is (spec == "SYMMETRIC_DEFAULT")
    assert shown["Arn"] == arn_of(key_id)


@pytest.mark.parametrize(
    ("spec", "usage"), [(spec, usage) for spec in SPECS for usage in USAGES if (spec, usage) not in KINDS]
)
def test_usages_that_a_spec_does_not_have(kms: Any, spec: str, usage: str) -> None:
    """Every other usage of a spec is refused, as recorded from AWS."""
    assert refusal(kms.create_key, KeySpec=spec, KeyUsage=usage) == (
        "ValidationException",
        f"KeyUsage {usage} is not compatible with KeySpec {spec}",
    )


@pytest.mark.parametrize("spec", [spec for spec in SPECS if spec != "SYMMETRIC_DEFAULT"])
def test_usage_must_be_given(kms: Any, spec: str) -> None:
    """Only symmetric encryption keys have a default usage."""
    assert refusal(kms.create_key, KeySpec=spec) == (
        "ValidationException",
        "You must specify a KeyUsage value for all KMS keys except for symmetric encryption keys.",
    )


@pytest.mark.parametrize("usage", ["ENCRYPT_DECRYPT", "SIGN_VERIFY", "KEY_AGREEMENT"])
def test_sm2_is_refused(kms: Any, usage: str) -> None:
    """SM2 is in the model, and of China Regions only."""
    assert refusal(kms.create_key, KeySpec="SM2", KeyUsage=usage)[0] == "UnsupportedOperationException"


def test_page() -> None:
    """The compatibility page names every key spec and every algorithm that there is."""
    page = (Path(__file__).parents[2] / "docs" / "reference" / "kms-compatibility.md").read_text(encoding="utf-8")
    named = {spec for spec, _ in KINDS} | {algorithm for listed in KINDS.values() for algorithm in listed}
    short = {f"RSASSA_{scheme}_SHA_{bits}" for scheme in ("PSS", "PKCS1_V1_5") for bits in (384, 512)}
    assert [name for name in sorted(named - short) if f"`{name}`" not in page] == []
