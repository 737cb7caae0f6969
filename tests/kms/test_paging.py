"""The lists of KMS: bounds of Limit, markers, and what the last page leaves out."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.kms.asking import NewKey, refusal
from tests.kms.related import ROOT
from tests.support.place import Place

# Each list: how it is asked for, and the member that holds the items.
LISTS: dict[str, tuple[Callable[[Any, str], dict[str, Any]], str]] = {
    "describe_custom_key_stores": (lambda kms, key: {}, "CustomKeyStores"),
    "list_aliases": (lambda kms, key: {"KeyId": key}, "Aliases"),
    "list_grants": (lambda kms, key: {"KeyId": key}, "Grants"),
    "list_key_rotations": (lambda kms, key: {"KeyId": key, "IncludeKeyMaterial": "ALL_KEY_MATERIAL"}, "Rotations"),
    "list_keys": (lambda kms, key: {}, "Keys"),
    "list_resource_tags": (lambda kms, key: {"KeyId": key}, "Tags"),
    "list_retirable_grants": (lambda kms, key: {"RetiringPrincipal": ROOT}, "Grants"),
}
FILLED = sorted(set(LISTS) - {"describe_custom_key_stores"})


@pytest.fixture(scope="module")
def full(place: Place) -> str:
    """Give a key with five of everything."""
    kms = place.kms()
    key: str = kms.create_key(Tags=[{"TagKey": f"t{number}", "TagValue": ""} for number in range(5)])["KeyMetadata"][
        "KeyId"
    ]
    for number in range(5):
        kms.create_alias(AliasName=f"alias/{key}/{number}", TargetKeyId=key)
        kms.create_grant(KeyId=key, GranteePrincipal=ROOT, RetiringPrincipal=ROOT, Operations=["Decrypt"])
    for _ in range(4):
        kms.rotate_key_on_demand(KeyId=key)
    return key


@pytest.mark.parametrize("name", [*LISTS, "list_key_policies"])
def test_bounds(kms: Any, new_key: NewKey, name: str) -> None:
    """Limit is 1 to 1000, and a marker has a character at least and 1024 at most, in every list."""
    asked = {"KeyId": new_key()} if name == "list_key_policies" else LISTS[name][0](kms, new_key())
    for limit in (1, 1000):
        getattr(kms, name)(**asked, Limit=limit)
    for bad in ({"Limit": 0}, {"Limit": 1001}, {"Limit": -1}, {"Marker": ""}, {"Marker": "x" * 1025}):
        assert refusal(getattr(kms, name), **asked, **bad)[0] == "ValidationException"


@pytest.mark.parametrize("name", sorted(LISTS))
def test_wrong_markers(kms: Any, new_key: NewKey, name: str) -> None:
    """What no list has given out is InvalidMarkerException, and so is another list's marker."""
    asked = LISTS[name][0](kms, new_key())
    new_key()
    other = kms.list_keys(Limit=1)["NextMarker"] if name != "list_keys" else "YWxpYXNlczphbGlhcy94"
    for marker in ("x", "====", other):
        assert refusal(getattr(kms, name), **asked, Marker=marker)[0] == "InvalidMarkerException"


@pytest.mark.parametrize("limit", [1, 2, 5])
@pytest.mark.parametrize("name", FILLED)
def test_pages(kms: Any, full: str, name: str, limit: int) -> None:
    """All pages together hold every item once; the last page has no NextMarker, also when it is full."""
    asked, items = LISTS[name][0](kms, full), LISTS[name][1]
    whole = getattr(kms, name)(**asked)[items]
    assert len(whole) >= 5
    seen: list[Any] = []
    page = getattr(kms, name)(**asked, Limit=limit)
    while page["Truncated"] and len(seen) < 2 * limit:
        assert len(page[items]) == limit
        seen += page[items]
        page = getattr(kms, name)(**asked, Limit=limit, Marker=page["NextMarker"])
    seen += page[items]
    assert seen == whole[: len(seen)]
    assert len(seen) > min(limit, 4)
    assert ("NextMarker" in page) == page["Truncated"]


@pytest.mark.parametrize("name", FILLED)
def test_last_page(kms: Any, full: str, name: str) -> None:
    """A page that holds all that there is says so."""
    page = getattr(kms, name)(**LISTS[name][0](kms, full), Limit=50)
    assert page["Truncated"] is (name in {"list_keys", "list_retirable_grants"} and len(page[LISTS[name][1]]) == 50)
    assert ("NextMarker" in page) == page["Truncated"]
