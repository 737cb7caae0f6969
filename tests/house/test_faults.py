"""The tables of faults: what each service answers stays what it was, and each code that is raised has a row."""

import ast
import json
import logging
from pathlib import Path

import pytest

from fuin import errors
from fuin.ebs.faults import EbsFault
from fuin.ec2.wire.faults import Ec2Fault
from fuin.errors import AuthReason, Fault
from fuin.gate.http import BodyTooLarge, ClientGone
from fuin.gate.throttle import Throttled
from fuin.identity.wire.faults import QueryFault
from fuin.identity.wire.faults import from_error as identity_fault
from fuin.kms.model.faults import (
    GENERAL,
    MODELLED,
    InvalidArnException,
    InvalidKeyUsageException,
    KmsFault,
    NotFoundException,
)
from fuin.kms.model.faults import from_error as kms_fault
from fuin.kms.model.service import service_model
from fuin.s3.request.faults import S3Fault
from fuin.s3.request.faults import from_error as s3_fault
from tests.house.source import Module, modules

# service -> a code or an error -> code, HTTP status and message of the answer, as they were before there was one table.
ANSWERS = json.loads(Path(__file__).with_name("faults.json").read_text(encoding="utf-8"))
FAULTS: dict[str, type[Fault]] = {"kms": KmsFault, "s3": S3Fault, "iam": QueryFault}
FROM_ERROR = {
    "kms": lambda error: kms_fault(error, "id"),
    "s3": lambda error: s3_fault(error, "id"),
    "iam": identity_fault,
}
ERRORS: dict[str, Exception] = {
    **{
        f"AuthenticationFailed {reason.value}": errors.AuthenticationFailed(reason, "detail")
        for reason in AuthReason
    },
    "AccessDenied": errors.AccessDenied("sentence"),
    "MalformedPolicy": errors.MalformedPolicy(sentence="Words"),
    "malformedPolicy": errors.MalformedPolicy("words"),
    "KeyholderUnavailable": errors.KeyholderUnavailable("x"),
    "StoreUnavailable": errors.StoreUnavailable("x"),
    "MaterialDamaged": errors.MaterialDamaged("x"),
    "ValueError": ValueError("x"),
    "FormatError": errors.FormatError("x"),
    "Throttled": Throttled(),
    "BodyTooLarge": BodyTooLarge("too large"),
    "ClientGone": ClientGone("gone"),
}  # fmt: skip
NAMED = {kind.__name__: kind for kind in (InvalidArnException, InvalidKeyUsageException, NotFoundException)}
# EC2 and EBS have come later: nothing was recorded before their tables.
CLASSES: dict[str, type[Fault]] = {kind.__name__: kind for kind in (*FAULTS.values(), Ec2Fault, EbsFault)}


def answer(fault: Fault) -> list[object]:
    """Return the code, status and message that a fault is sent with."""
    return [fault.code, fault.status, fault.message]


def rowless(module: Module) -> list[str]:
    """Return the faults of a module whose code is not in their table, or is caught by a class of its own."""
    found = []
    for node in ast.walk(module.tree):
        match node:
            case ast.Call(func=ast.Name(id=name), args=[ast.Constant(value=str() as code), *_]) if name in CLASSES:
                if code not in CLASSES[name].table or code in NAMED:
                    found.append(f"{module.name}:{node.lineno} {code}")
    return found


@pytest.mark.parametrize("service", FAULTS)
def test_every_row_is_answered_as_before(service: str) -> None:
    """Code, status and text of each fault are those of the recording, and nothing has been added unseen."""
    rows = {name: row for name, row in ANSWERS[service].items() if not name.startswith("error: ")}
    kind = FAULTS[service]
    for code, expected in rows.items():
        message = "text" if service == "iam" else None
        assert answer(kind(code, message)) == expected, code
    of_errors = {code for name, (code, _, _) in ANSWERS[service].items() if name.startswith("error: ")}
    assert rows.keys() <= kind.table.keys()
    assert kind.table.keys() - rows.keys() - of_errors == MORE[service]


# Rows of the query protocol that were written where they are raised.
MORE = {
    "kms": set(),
    "s3": set(),
    "iam": {
        "InvalidAction", "InvalidAuthorizationMessageException", "InvalidParameterValue", "MalformedQueryString",
        "PackedPolicyTooLarge",
    },
}  # fmt: skip


@pytest.mark.parametrize("service", FAULTS)
def test_every_error_is_answered_as_before(service: str, caplog: pytest.LogCaptureFixture) -> None:
    """Errors of the domain become the same faults as before, in each service."""
    caplog.set_level(logging.CRITICAL)
    expected = {name.removeprefix("error: "): row for name, row in ANSWERS[service].items() if ": " in name}
    assert {name: answer(FROM_ERROR[service](error)) for name, error in ERRORS.items()} == expected


def test_rows_of_kms_are_the_models() -> None:
    """KMS's table has each error of the service model, with 500 for those that the model calls faults."""
    shapes = {shape.name: shape for shape in service_model().error_shapes}
    assert MODELLED.keys() == shapes.keys()
    assert not MODELLED.keys() & GENERAL.keys()
    faults = {name for name, shape in shapes.items() if shape._shape_model.get("fault")}  # botocore does not show it
    assert {name for name, row in MODELLED.items() if row.status == 500} == faults


@pytest.mark.parametrize(("code", "kind"), NAMED.items())
def test_faults_with_a_class_have_their_row(code: str, kind: type[KmsFault]) -> None:
    """What is caught by its class is raised by it, with its code."""
    assert answer(kind("text")) == [code, 400, "text"]


def test_every_code_that_is_raised_has_a_row() -> None:
    """No service raises a fault whose status it does not know."""
    found = [line for module in modules() for line in rowless(module)]
    assert not found, "\n".join(found)


def test_fault_without_a_row_is_found() -> None:
    """The check itself sees a misspelled code, and one that has a class."""
    assert rowless(Module("kms.keys.keys", "raise KmsFault('NoSuchException')"))
    assert rowless(Module("kms.keys.keys", "raise KmsFault('NotFoundException', 'text')"))
    assert rowless(Module("s3.objects.objects", "raise S3Fault('NoSuchKeys')"))
    assert rowless(Module("s3.objects.objects", "raise S3Fault('NoSuchKey')")) == []


def texts(module: Module) -> set[object]:
    """Return the texts of a module, without the keys of its tables; the codes that it raises are among them."""
    keys = {key for node in ast.walk(module.tree) if isinstance(node, ast.Dict) for key in node.keys}
    return {node.value for node in ast.walk(module.tree) if isinstance(node, ast.Constant) and node not in keys}


@pytest.mark.parametrize(
    ("kind", "room"), [(S3Fault, "s3"), (QueryFault, "identity"), (Ec2Fault, "ec2"), (EbsFault, "ebs")]
)
def test_every_row_is_used(kind: type[Fault], room: str) -> None:
    """A row that nothing raises is taken off the table; those of KMS are the model's."""
    found = set().union(*(texts(module) for module in modules() if module.room == room))
    assert kind.table.keys() - found == set()
