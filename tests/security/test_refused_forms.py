"""Forms that strangers send to IAM and STS: what is refused is forgotten."""

import gc
import tracemalloc
from collections.abc import Iterator

import pytest

from fuin.audit import reader
from fuin.gate.query_form import Tree
from fuin.identity.wire import query
from fuin.identity.wire.faults import QueryFault
from tests.support.place import ACCOUNT, Place

_MEBIBYTE = 1024 * 1024


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """Give all services."""
    made = Place(tmp_path_factory.mktemp("forms") / "data")
    yield made
    made.close()


@pytest.mark.parametrize("begin", [b"Action=%ff&x=", b"Action=a&Action=b&x=", "Action=ü&x=".encode(), b"a&" * 5000])
def test_refused_forms_are_forgotten(begin: bytes) -> None:
    """Nobody who sends forms that are none, for which no signature is needed, fills the memory with them."""

    def send() -> None:
        with pytest.raises(QueryFault):
            query.parse(b"", begin + b"y" * _MEBIBYTE)

    send()
    tracemalloc.start()
    try:
        for _ in range(16):
            send()
        gc.collect()
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert kept < _MEBIBYTE


def test_unsigned_forms_are_not_taken_apart(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    """What costs work, such as a megabyte of percent signs, is done for those who have signed only."""
    parsed: list[bytes] = []
    parse = query.parse

    def noted(*forms: bytes) -> Tree:
        parsed.extend(forms)
        return parse(*forms)

    monkeypatch.setattr(query, "parse", noted)
    form = b"Action=GetCallerIdentity&Version=2011-06-15&x=" + b"%41" * 300_000
    status, text = place.form(form, signed=False)
    assert (status, "<Code>MissingAuthenticationToken</Code>" in text) == (403, True)
    assert parsed == []
    status, _ = place.form(form, service="sts")
    assert (status, parsed) == (200, [b"", form])


def test_a_megabyte_of_parameters_fits_the_record(place: Place) -> None:
    """Who may nothing cannot ask for so much that the refusal has no record: quotation marks are escaped there."""
    user = place.add_user(None, ACCOUNT)
    policies = b"".join(b"&PolicyInputList.member.%d=%b" % (number, b'"' * 8000) for number in range(1, 128))
    form = b"Action=SimulateCustomPolicy&Version=2010-05-08&ActionNames.member.1=kms:Decrypt" + policies
    status, text = place.form(form, user=user)
    assert (status, "<Code>AccessDenied</Code>" in text) == (403, True)
    draft = reader.last(place.settings.audit, 1)[0].draft
    assert (draft["operation"], draft["error"]) == ("iam:SimulateCustomPolicy", "AccessDenied")
    assert draft["facts"]["parameters"]["PolicyInputList"]["bytes"] > 32 * 1024
