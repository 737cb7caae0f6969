"""The operations table of KMS equals botocore's model, member by member."""

import inspect
import typing
from typing import Any

import msgspec
import pytest

from fuin.kms.model.service import service_model
from fuin.kms.operations import OPERATIONS, KmsOperation

BUILT = sorted(OPERATIONS)
TYPES = {"string": str, "blob": bytes, "integer": int, "boolean": bool, "timestamp": float}


def output_of(operation: KmsOperation) -> type[msgspec.Struct] | None:
    """Return what an operation's function says that it returns."""
    module = inspect.getmodule(operation.function)
    assert module is not None
    annotation = operation.function.__annotations__["return"]
    found: type[msgspec.Struct] | None = eval(annotation, vars(module))
    return found


def differences(struct: type[msgspec.Struct], shape: Any, path: str) -> list[str]:
    """Return where a Struct's members differ from a shape's, by name or by type, at any depth."""
    module = inspect.getmodule(struct)
    hints = {name: eval(text, vars(module)) if isinstance(text, str) else text for name, text in _annotations(struct)}
    found = [f"{path}: {name} is not in the model" for name in hints.keys() - shape.members.keys()]
    found += [f"{path}: {name} is missing" for name in shape.members.keys() - hints.keys()]
    for name in hints.keys() & shape.members.keys():
        (kind,) = [option for option in typing.get_args(hints[name]) if option is not type(None)]
        found += _type_differences(kind, shape.members[name], f"{path}.{name}")
    return found


def _annotations(struct: type[msgspec.Struct]) -> list[tuple[str, Any]]:
    """Return the annotations of a Struct's members, also of those that it inherits."""
    found = (item for base in struct.__mro__ for item in vars(base).get("__annotations__", {}).items())
    return [(name, text) for name, text in found if name in struct.__struct_fields__]


def _type_differences(kind: Any, shape: Any, path: str) -> list[str]:
    if typing.get_origin(kind) is typing.Annotated:  # with its constraints
        kind = kind.__origin__
    if shape.type_name == "structure":
        return differences(kind, shape, path)
    if shape.type_name == "list":
        return _type_differences(typing.get_args(kind)[0], shape.member, path)
    if shape.type_name == "map":
        return [] if kind == dict[str, str] else [f"{path} is {kind}"]
    return [] if kind is TYPES[shape.type_name] else [f"{path} is {kind}, not {shape.type_name}"]


def test_table_holds_every_operation_of_the_model() -> None:
    """No operation of the model is missing, and none is made up."""
    assert sorted(OPERATIONS) == sorted(service_model().operation_names)


def test_table_names_each_operation_by_its_own_name() -> None:
    """Each row stands under its own name and says at least one IAM action, all of kms."""
    for name, operation in OPERATIONS.items():
        assert operation.name == name
        assert operation.actions
        assert all(action.startswith("kms:") for action in operation.actions)


@pytest.mark.parametrize("name", BUILT)
def test_inputs_equal_the_model(name: str) -> None:
    """The input Struct of an operation has the model's members with the model's types."""
    shape = service_model().operation_model(name).input_shape
    assert differences(OPERATIONS[name].input, shape, name) == []


@pytest.mark.parametrize("name", BUILT)
def test_outputs_equal_the_model(name: str) -> None:
    """The output Struct of an operation has the model's members; operations without output return nothing."""
    shape = service_model().operation_model(name).output_shape
    struct = output_of(OPERATIONS[name])
    if shape is None:
        assert struct is None
    else:
        assert struct is not None
        assert differences(struct, shape, name) == []


def test_differences_are_found() -> None:
    """The check itself sees a missing member, a made-up one and a wrong type."""

    class Wrong(msgspec.Struct):
        KeyId: int | None = None
        Extra: str | None = None

    found = differences(Wrong, service_model().operation_model("EnableKey").input_shape, "EnableKey")
    assert len(found) == 2
    missing = differences(Wrong, service_model().operation_model("CreateAlias").input_shape, "CreateAlias")
    assert len(missing) == 4
