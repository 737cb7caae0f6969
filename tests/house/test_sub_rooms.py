"""The rooms inside a room import downwards only, by a table; what stands beside them puts them together."""

import pytest

from tests.house.source import Module, modules, names

# For each room: what each of its parts, a folder or a module, may import of the others. A part that is not in the table
# stands on top (`app`, `operations`): it may import all, and no part may import it.
ALLOWED: dict[str, dict[str, tuple[str, ...]]] = {
    "keyholder": {
        "wire": (),
        "sealed": (),
        "command": (),
        "hardening": (),
        "last_uses": ("sealed",),
        "offline": ("sealed",),
        "backends": ("sealed",),
        "loop": ("wire", "sealed", "backends.interface", "last_uses"),
    },
    "store": {
        "errors": (),
        "engine": ("errors",),
        "kms": ("engine", "errors"),
        "s3": ("engine", "errors"),
        "volumes": ("engine", "errors", "s3.upload_intents"),
        "identity": ("engine", "errors", "kms", "volumes.hosts"),
    },
    "blobs": {
        "interface": (),
        "waiting": (),
        "files": ("interface",),
        "s3": ("interface",),
    },
    "kms": {
        "model": (),
        "parameters": (),
        "dependents": ("model",),
        "reach": ("model",),
        "grants": ("model", "reach"),
        "key_stores": ("dependents", "model", "reach"),
        "keys": ("dependents", "model", "reach", "key_stores"),
        "uses": ("model", "reach", "key_stores", "keys"),
        "material": ("dependents", "model", "reach", "keys"),
    },
    "s3": {
        "request": (),
        "payload": ("request",),
        "sealing": ("request",),
        "lifecycle": ("request", "payload"),
        "objects": ("request", "payload", "sealing", "lifecycle"),
        "buckets": ("request", "payload", "sealing", "objects"),
        "multipart": ("request", "payload", "sealing", "lifecycle", "objects", "buckets"),
    },
    "identity": {
        "wire": (),
        "iam": ("wire",),
        "sts": ("wire",),
    },
}


def part_of(module: Module) -> str:
    """Return the part of its room to which a module belongs; empty for the room itself."""
    return module.name.removeprefix(module.room).removeprefix(".").split(".")[0]


def forbidden(module: Module, known: frozenset[str]) -> list[str]:
    """Return the imports of a module that the table does not allow, each as a readable line."""
    parts, part = ALLOWED.get(module.room, {}), part_of(module)
    if part not in parts:
        return []
    found = []
    for line, full in module.imports(known):
        target = full.removeprefix(f"fuin.{module.room}.")
        allowed = (part, *parts[part])
        if target != full and not any(target == entry or target.startswith(f"{entry}.") for entry in allowed):
            found.append(f"{module.name}:{line} imports {target}")
    return found


def test_parts_import_downwards_only() -> None:
    """No part of a room imports one above or beside it."""
    known = names(modules())
    found = [line for module in modules() for line in forbidden(module, known)]
    assert not found, "\n".join(found)


def test_tables_point_down() -> None:
    """No part reaches itself: each names only parts that stand before it in the table."""
    for room, parts in ALLOWED.items():
        order = list(parts)
        for part, entries in parts.items():
            for entry in entries:
                below = entry.split(".", maxsplit=1)[0]
                assert order.index(below) < order.index(part), f"{room}: {part} stands before {below}"


def test_every_part_exists_and_every_permission_is_used() -> None:
    """A part that is gone, or a permission that nothing needs, is taken off the table."""
    known = names(modules())
    for room, parts in ALLOWED.items():
        for part, entries in parts.items():
            mine = [module for module in modules() if module.room == room and part_of(module) == part]
            assert mine, f"{room} has no {part}"
            imported = {full.removeprefix(f"fuin.{room}.") for module in mine for _, full in module.imports(known)}
            for entry in entries:
                assert any(name == entry or name.startswith(f"{entry}.") for name in imported), (
                    f"{room}.{part} does not import {entry}"
                )


def test_folders_are_in_the_table() -> None:
    """A new folder in one of these rooms says what it may import."""
    for room, parts in ALLOWED.items():
        folders = {part_of(module) for module in modules() if module.room == room and module.name.count(".") > 1}
        assert folders - {"migrations"} <= set(parts), f"{room}: {folders - set(parts)}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("keyholder.wire.client", "from fuin.keyholder.sealed.memory import wipe"),
        ("keyholder.sealed.sealing", "from fuin.keyholder.backends.interface import Backend"),
        ("keyholder.loop.service", "from fuin.keyholder.backends.software.backend import Software"),
        ("keyholder.backends.software.backend", "from fuin.keyholder.loop.service import Service"),
        ("kms.reach.key", "from fuin.kms.uses import ciphers"),
        ("kms.model.specs", "from fuin.kms import operations"),
        ("s3.objects.get", "from fuin.s3.multipart.uploads import find"),
        ("s3.request.rights", "def f() -> None:\n    from fuin.s3 import app"),
        ("store.kms.keys", "from fuin.store.store import Store"),
    ],
)
def test_wrong_import_is_found(name: str, text: str) -> None:
    """The check itself sees a wrong import."""
    assert forbidden(Module(name, text), names(modules()))
