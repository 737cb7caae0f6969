"""`fuin init`: make an installation of many nodes in an empty PostgreSQL database."""

from __future__ import annotations

from typing import TYPE_CHECKING

from fuin.blobs.configuration import configured_store
from fuin.errors import FuinError
from fuin.keyholder.wire.client import Keyholder
from fuin.server import agreement, agreement_notes, children, first_start, joining, keyholding, process
from fuin.server.data_lock import lock_data
from fuin.store.engine import installation
from fuin.store.engine.configuration import configured_engine
from fuin.store.store import Store

if TYPE_CHECKING:
    from collections.abc import Callable

    from fuin.secret import Secret
    from fuin.server.first_start import RootAccess
    from fuin.settings import Settings


async def install(settings: Settings, passphrase: Callable[[], Secret | None]) -> RootAccess:
    """Make the schema, the sealed root key, the first account and its root access key; return that key.

    The log of the node in the data folder has the record of it. The root key goes into the database together with the
    account, and only if a passphrase seals it. Raises FuinError when there is an installation, which is not changed.
    """
    process.forbid_core_dumps()  # it holds the passphrase
    process.learn_how_children_end()
    engine = configured_engine(settings)
    found = engine.look()
    if found is not None:
        installation.require_finished_move(found.moving, engine.place)
    if found is not None and found.account:
        raise FuinError(f"{engine.place} holds an installation already, with the account {found.account}: no change")
    joining.claim_folder(settings)
    if settings.root_key.exists():
        keyholding.read_sealed_root_key(settings)
    with lock_data(settings), keyholding.Listener(settings) as listener:
        await agreement.check(settings)
        secret = passphrase()
        engine.prepare(create=True)
        child = await keyholding.starter(settings, listener, secret)()
        try:
            return await _fill(settings)
        finally:
            await children.stop(child)
            child.close()


async def _fill(settings: Settings) -> RootAccess:
    shared = {
        joining.ROOT_KEY: keyholding.read_sealed_root_key(settings).hex(),
        joining.BLOBS: settings.blobs_url,
        joining.ENDPOINT: settings.blobs_endpoint,
    }
    access = await first_start.ensure_account(settings, shared)
    if access is None:
        raise FuinError("another `fuin init` was faster: nothing was changed")
    store, keyholder = Store.open(settings), Keyholder(settings.keyholder_socket)
    try:
        await agreement_notes.note_log(store, keyholder, settings.member)
        if settings.blobs_url:
            await agreement_notes.mark(configured_store(settings), store)
    finally:
        await keyholder.close()
        store.close()
    return access
