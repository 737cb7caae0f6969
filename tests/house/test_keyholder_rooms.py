"""The keyholder's own folders import downwards only, and its loop knows no backend but by the interface."""

import pytest

from tests.house.source import Module, modules, names

# What each part of the keyholder may import of the others; `__main__` puts all of them together.
ALLOWED: dict[str, tuple[str, ...]] = {
    "wire": (),
    "sealed": (),
    "command": (),
    "hardening": (),
    "last_uses": ("sealed",),
    "offline": ("sealed",),
    "backends": ("sealed",),
    "loop": ("wire", "sealed", "backends.interface", "last_uses"),
}


def forbidden(module: Module, known: frozenset[str]) -> list[str]:
    """Return the imports of a module of the keyholder that the table does not allow, each as a readable line."""
    part = module.name.removeprefix("keyholder").removeprefix(".").split(".")[0]
    if part in ("", "__main__"):
        return []
    found = []
    for line, full in module.imports(known):
        target = full.removeprefix("fuin.keyholder.")
        allowed = (part, *ALLOWED[part])
        if target != full and not any(target == entry or target.startswith(f"{entry}.") for entry in allowed):
            found.append(f"{module.name}:{line} imports {target}")
    return found


def test_parts_import_downwards_only() -> None:
    """No part of the keyholder imports one above or beside it."""
    known = names(modules())
    found = [line for module in modules() if module.room == "keyholder" for line in forbidden(module, known)]
    assert not found, "\n".join(found)


def test_every_permission_is_used() -> None:
    """A permission that nothing needs is taken off the table."""
    known = names(modules())
    for part, entries in ALLOWED.items():
        mine = [module for module in modules() if module.name.startswith(f"keyholder.{part}")]
        imported = {full.removeprefix("fuin.keyholder.") for module in mine for _, full in module.imports(known)}
        for entry in entries:
            assert any(name == entry or name.startswith(f"{entry}.") for name in imported), f"{part}: {entry}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("keyholder.wire.client", "from fuin.keyholder.sealed.memory import wipe"),
        ("keyholder.sealed.sealing", "from fuin.keyholder.backends.interface import Backend"),
        ("keyholder.loop.service", "from fuin.keyholder.backends.software.backend import Software"),
        ("keyholder.backends.software.backend", "from fuin.keyholder.loop.service import Service"),
    ],
)
def test_wrong_import_is_found(name: str, text: str) -> None:
    """The check itself sees a wrong import."""
    assert forbidden(Module(name, text), names(modules()))
