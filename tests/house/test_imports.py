"""Rooms may import downwards only, by an explicit table."""

import subprocess
import sys

import pytest

from tests.house.source import Module, modules, names

# The floor: what knows nothing of keys, requests or files. It counts as one entry.
LOW = ("errors", "secret", "ids", "numbers", "settings", "crash", "clock", "standard_error")

# Who may import whom. A room may always import itself; an entry with a dot means that module alone.
# A room that is not in the table may not exist: add it here, with what it needs. What nothing needs is not allowed.
ALLOWED: dict[str, tuple[str, ...]] = {
    "": (),
    "errors": (),
    "secret": (),
    "ids": (),
    "numbers": (),
    "crash": (),
    "standard_error": (),
    "clock": (),
    "settings": ("clock",),
    "formats": ("errors", "ids", "secret"),
    "signing": LOW,
    "access": LOW,
    "audit": ("formats", *LOW),
    # An access key's row names its principal, and a grant's row is the grant that decisions weigh.
    "store": ("formats", "access.principal", "access.grants", *LOW),
    "keyholder": ("audit", "formats", *LOW),
    # The copies of the nodes' logs are beside the blobs, in the same bucket and by the same client.
    "blobs": ("audit.copies", "audit.segments", *LOW),
    "gate": (
        "signing", "access", "store", "blobs.interface", "blobs.waiting", "keyholder.wire", "xks.client", "formats",
        *LOW,
    ),
    "xks": ("signing", "keyholder.wire", *LOW),
    "advice": ("access", "store", "formats", *LOW),
    "kms": ("gate", "signing", "access", "store", "keyholder.wire", "xks", "formats", *LOW),
    "s3": (
        "gate", "signing", "access", "store", "formats", "envelope", "kms.bucket_keys", "kms.on_behalf",
        "blobs.interface", "blobs.memory", "blobs.waiting", *LOW,
    ),
    "identity": ("gate", "advice", "signing", "access", "store", "keyholder.wire", "formats", *LOW),
    # The blocks of snapshots, for the two services that speak of them.
    "snapshots": (
        "gate", "access.principal", "store", "envelope.snapshot_key", "blobs.interface", "blobs.waiting", *LOW,
    ),
    "ebs": (
        "snapshots", "envelope.snapshot_key", "gate", "signing", "access", "store", "blobs.interface",
        "kms.snapshot_keys", "kms.volume_keys", *LOW,
    ),
    "ec2": (
        "snapshots", "gate", "signing", "access", "store", "kms.model.region_names", "kms.volume_keys",
        *LOW,
    ),
    "server": (
        "gate", "kms", "s3", "identity", "ebs", "ec2", "snapshots", "signing", "audit", "store", "keyholder.wire",
        "blobs.interface", "blobs.configuration", "envelope.buffers", *LOW,
    ),
    "move": (
        "server", "identity.administration", "audit", "store", "keyholder.wire", "blobs.interface",
        "blobs.configuration", *LOW,
    ),
    "ledger": ("store", "blobs.interface", "blobs.memory", "blobs.configuration", "formats", *LOW),
    # Looks at what the object store has written with the object store's own eyes, and opens data keys as the operator.
    "proof": (
        "ledger", "s3", "kms.operator", "kms.on_behalf", "gate", "keyholder.wire", "envelope", "store",
        "blobs.interface", "blobs.memory", "blobs.waiting", "formats", *LOW,
    ),
    "envelope": ("formats", "secret", "errors"),
    # The side of a volume that only its host sees. It asks the server on the wire, as any client does.
    "host": ("errors", "secret"),
    "cli": (
        "server", "move", "ledger", "proof", "identity", "advice", "envelope", "host", "access", "audit", "store",
        "keyholder.wire", "xks.addresses", "formats", *LOW,
    ),
    "testing": (),
}  # fmt: skip

# module -> what it alone may import beyond its room, and why.
EXCEPTIONS: dict[str, tuple[tuple[str, ...], str]] = {
    "testing.kit.place": (
        (
            "audit.reader",
            "blobs.configuration",
            "blobs.interface",
            "ids",
            "keyholder.wire.client",
            "gate.services",
            "settings",
            "store.identity.access_keys",
            "store.identity.accounts",
            "store.store",
            "store.identity.users",
        ),
        "puts a whole server together, as the command line and a worker do, and looks into it",
    ),
    "testing.kit.http": (
        ("gate.authentication", "gate.http", "gate.services", "server.application", "server.protocol"),
        "is its HTTP edge",
    ),
    "testing.kit.keyholding": (("keyholder.command", "keyholder.wire.sockets", "settings"), "starts its keyholder"),
    "testing.kit.leasing": (
        (
            "settings",
            "store.engine.leases.keeper",
            "store.engine.leases.page",
            "store.engine.leases.rows",
            "store.engine.postgres.address",
        ),
        "keeps its lease",
    ),
    "server.keyholding": (
        ("keyholder.command", "keyholder.offline"),
        "starts the keyholder: its command line, and its root key's file, sealed or bare",
    ),
    "cli.audit": (("keyholder.offline",), "verifies the log's signatures; only the keyholder has the primitives"),
}

# What of the keyholder a worker's process may hold: the client and what that needs, nothing that touches a key.
IN_WORKERS = {
    "wire", "wire.client", "wire.codecs", "wire.connection", "wire.line", "wire.requests", "wire.sockets",
    "wire.statuses",
}  # fmt: skip


def forbidden(module: Module, known: frozenset[str]) -> list[str]:
    """Return the imports of a module that the table does not allow, each as a readable line."""
    if module.room not in ALLOWED:
        return [f"{module.name}: the room {module.room!r} is not in the table"]
    allowed = (module.room, *ALLOWED[module.room], *EXCEPTIONS.get(module.name, ((), ""))[0])
    found = []
    for line, full in module.imports(known):
        if full.split(".")[0] != "fuin":
            continue
        target = full.removeprefix("fuin").removeprefix(".")
        if target and not any(target == entry or target.startswith(f"{entry}.") for entry in allowed):
            found.append(f"{module.name}:{line} imports {target}")
    return found


def test_rooms_import_downwards_only() -> None:
    """No module imports a room above or beside its own, not even for types or inside a function."""
    known = names(modules())
    found = [line for module in modules() for line in forbidden(module, known)]
    assert not found, "\n".join(found)


def unused(among: tuple[Module, ...]) -> list[str]:
    """Return the entries of the table that no module needs, each as a readable line."""
    known = names(among)
    targets: dict[str, set[str]] = {}
    for module in among:
        of_fuin = {full.removeprefix("fuin.") for _, full in module.imports(known) if full.startswith("fuin.")}
        exceptions = EXCEPTIONS.get(module.name, ((), ""))[0]
        targets.setdefault(module.room, set()).update(of_fuin.difference(exceptions))
    found = [f"the room {room!r} does not exist" for room in ALLOWED if room not in targets]
    for room in ALLOWED.keys() & targets.keys():
        prefixes = {".".join(full.split(".")[:count]) for full in targets[room] for count in (1, 2, 3)}
        if set(LOW) <= set(ALLOWED[room]) and not prefixes.intersection(LOW):
            found.append(f"{room} imports nothing of the floor")
        found += [f"{room} does not import {entry}" for entry in ALLOWED[room] if entry not in {*prefixes, *LOW}]
    return found


def test_every_permission_is_used() -> None:
    """What nothing needs any longer is taken off the table."""
    found = unused(modules())
    assert not found, "\n".join(found)


def test_permission_that_nothing_uses_is_found() -> None:
    """The check itself sees a room that is gone, and an entry that one import less makes useless."""
    assert "the room 'xks' does not exist" in unused(tuple(module for module in modules() if module.room != "xks"))
    without = tuple(module for module in modules() if not (module.room == "kms" and "fuin.xks" in module.text))
    assert "kms does not import xks" in unused(without)


def test_every_exception_is_used() -> None:
    """An exception that nothing needs any more is taken off the list."""
    known = names(modules())
    used = {(module.name, full.removeprefix("fuin.")) for module in modules() for _, full in module.imports(known)}
    for name, (entries, _) in EXCEPTIONS.items():
        for entry in entries:
            assert (name, entry) in used, f"{name} does not import {entry}"


def test_workers_load_only_the_keyholders_client() -> None:
    """A process that has imported everything of a worker holds no module of the keyholder but its client's."""
    script = "import sys, fuin.server.worker; print(*(name for name in sys.modules if name.startswith('fuin.')))"
    loaded = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout.split()
    of_keyholder = {name.removeprefix("fuin.keyholder.") for name in loaded if name.startswith("fuin.keyholder.")}
    assert {"fuin.kms.app", "fuin.s3.app"} <= set(loaded), "this is not what a worker loads"
    assert of_keyholder <= IN_WORKERS, f"workers load {of_keyholder - IN_WORKERS}"


def test_table_has_no_cycle() -> None:
    """The table itself only points down: no room can be reached from itself."""
    for room, entries in ALLOWED.items():
        seen: set[str] = set()
        todo = [entry.split(".")[0] for entry in entries]
        while todo:
            below = todo.pop()
            if below not in seen:
                seen.add(below)
                todo += [entry.split(".")[0] for entry in ALLOWED[below]]
        assert room not in seen, f"{room} reaches itself"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("formats.blob", "from fuin.keyholder.wire import client"),
        ("access.decide", "import fuin.store.store"),
        ("kms.uses.data_keys", "from fuin.s3.app import handle"),
        ("kms.uses.data_keys", "from fuin.keyholder.sealed.sealing import unwrap"),
        ("kms.uses.data_keys", "from fuin.keyholder.sealed import sealing"),
        ("s3.objects.objects", "from fuin.kms.reach.key import open_key"),
        ("s3.objects.objects", "def f() -> None:\n    from fuin.kms import key"),
        ("s3.objects.objects", "if TYPE_CHECKING:\n    from fuin.server import application"),
        ("envelope.stream", "from fuin import settings"),
        ("s3.objects.index", "from fuin.blobs.files.store import FileBlobs"),
        ("s3.objects.index", "from fuin.blobs.configuration import configured_store"),
        ("store.keys", "from ..gate import Call"),
        ("store.keys", "from fuin.access.decide import Ask"),
        ("newroom.thing", "import os"),
    ],
)
def test_wrong_import_is_found(name: str, text: str) -> None:
    """The check itself sees each kind of wrong import."""
    known = names(modules()) | {"kms.reach.key", "settings", "server.application"}
    assert forbidden(Module(name, text), known)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("s3.objects.objects", "from fuin.kms import on_behalf\nfrom fuin.errors import Fault"),
        ("kms.uses.data_keys", "from fuin.keyholder.wire.client import Keyholder\nfrom fuin.gate.call import Call"),
        ("store.keys", "from .store import Store\nfrom fuin.access.principal import Principal"),
    ],
)
def test_right_import_is_allowed(name: str, text: str) -> None:
    """The check does not cry at imports that the table allows."""
    known = names(modules()) | {"kms.on_behalf", "kms.model.faults", "keyholder.wire.client"}
    assert forbidden(Module(name, text), known) == []
