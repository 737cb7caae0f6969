"""Tags of keys over HTTP, with boto3."""

from typing import Any

import pytest

from tests.kms.asking import NewKey, arn_of, refusal
from tests.support.place import Place
from tests.support.policies import allow


def tags(**values: str) -> list[dict[str, str]]:
    """Return tags as AWS writes them."""
    return [{"TagKey": name, "TagValue": value} for name, value in values.items()]


def listed(kms: Any, key_id: str) -> list[dict[str, str]]:
    """Return a key's tags."""
    answer = kms.list_resource_tags(KeyId=key_id)
    assert answer["Truncated"] is False
    found: list[dict[str, str]] = answer["Tags"]
    return found


def test_tags_are_added_changed_and_removed(kms: Any, new_key: NewKey) -> None:
    """TagResource adds and replaces by name, UntagResource removes; names are case-sensitive."""
    key_id = new_key(Tags=tags(b="2", a="1"))
    assert listed(kms, key_id) == tags(a="1", b="2")
    kms.tag_resource(KeyId=arn_of(key_id), Tags=tags(a="new", A="", c="3"))
    assert listed(kms, key_id) == tags(A="", a="new", b="2", c="3")
    kms.untag_resource(KeyId=key_id, TagKeys=["a", "b", "not there"])
    assert listed(kms, key_id) == tags(A="", c="3")
    kms.untag_resource(KeyId=key_id, TagKeys=["A", "c"])
    assert listed(kms, key_id) == []


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (tags(**{"aws:own": ""}), "Tags beginning with aws: are reserved"),
        (tags(**{"AWS:own": ""}), "Tags beginning with aws: are reserved"),
        (tags(a="1") + tags(a="2"), "Duplicate tag keys"),
        (tags(**{f"t{n}": "" for n in range(51)}), "Too many tags"),
    ],
)
def test_tags_that_are_none(kms: Any, new_key: NewKey, given: list[dict[str, str]], message: str) -> None:
    """Reserved, doubled and too many tags are TagException in AWS's words, also in CreateKey."""
    key_id = new_key()
    assert refusal(kms.tag_resource, KeyId=key_id, Tags=given) == ("TagException", message)
    assert refusal(kms.create_key, Tags=given) == ("TagException", message)
    assert listed(kms, key_id) == []


def test_reserved_names_are_not_removed(kms: Any, new_key: NewKey) -> None:
    """UntagResource refuses AWS's names as well, and more than a key has."""
    assert refusal(kms.untag_resource, KeyId=new_key(), TagKeys=["aws:own"])[0] == "TagException"
    names = [str(number) for number in range(51)]
    assert refusal(kms.untag_resource, KeyId=new_key(), TagKeys=names) == ("TagException", "Too many tags")


def test_a_key_has_at_most_50_tags(kms: Any, new_key: NewKey) -> None:
    """The 51st tag is refused and changes nothing; replacing one of 50 is not adding one."""
    full = tags(**{f"t{n:02}": "" for n in range(50)})
    key_id = new_key(Tags=full)
    assert refusal(kms.tag_resource, KeyId=key_id, Tags=tags(more="", t00="x"))[0] == "LimitExceededException"
    assert listed(kms, key_id) == full
    kms.tag_resource(KeyId=key_id, Tags=tags(t00="x"))


def test_list_tags_in_pages(kms: Any, new_key: NewKey) -> None:
    """All pages together hold every tag once, by name."""
    full = tags(**{f"t{n}": str(n) for n in range(5)})
    key_id = new_key(Tags=full)
    first = kms.list_resource_tags(KeyId=key_id, Limit=2)
    second = kms.list_resource_tags(KeyId=key_id, Limit=3, Marker=first["NextMarker"])
    assert first["Truncated"] is True
    assert second["Truncated"] is False
    assert "NextMarker" not in second
    assert first["Tags"] + second["Tags"] == full
    assert refusal(kms.list_resource_tags, KeyId=key_id, Marker="x")[0] == "InvalidMarkerException"


def test_tags_need_their_rights(place: Place, new_key: NewKey) -> None:
    """Tagging, untagging and listing are rights of their own, and the request's tags can be conditions."""
    key_id = new_key()
    statement = allow("kms:TagResource")
    statement["Statement"][0]["Condition"] = {"StringEquals": {"aws:RequestTag/team": "blue"}}
    client = place.kms(place.add_user(statement))
    client.tag_resource(KeyId=key_id, Tags=tags(team="blue"))
    assert refusal(client.tag_resource, KeyId=key_id, Tags=tags(team="red"))[0] == "AccessDeniedException"
    assert "kms:UntagResource" in refusal(client.untag_resource, KeyId=key_id, TagKeys=["team"])[1]
    assert "kms:ListResourceTags" in refusal(client.list_resource_tags, KeyId=key_id)[1]
