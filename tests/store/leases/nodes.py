"""Nodes of one installation on a real PostgreSQL: keepers as processes, and the stores of workers in this process."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fuin.errors import StoreUnavailable
from fuin.server.config import KeeperConfig, encode
from fuin.settings import Settings
from fuin.store.engine.leases.page import Page
from fuin.store.s3 import buckets
from fuin.store.store import Store
from tests.support.processes import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from tests.support.postgres import PostgresServer


class Node:
    """One node: its keeper and one worker's store."""

    def __init__(self, folder: Path, url: str, name: str, bound: float) -> None:
        self.name = name
        self.settings = replace(
            Settings(data=folder / name), database_url=url, node=name, revocation_bound=bound, workers=1
        )
        self.settings.prepare()
        self._keeper: subprocess.Popen[bytes] | None = None
        self.store: Store

    def start(self) -> None:
        """Start the keeper and wait until it has a lease, and may write."""
        self.launch()
        self.wait_until_ready()

    def launch(self) -> None:
        """Start the keeper."""
        self._ready, end = os.pipe()
        self._keeper = subprocess.Popen(
            [sys.executable, "-m", "fuin.server.lease_keeper"], pass_fds=(end,), stdin=subprocess.PIPE
        )
        os.close(end)
        assert self._keeper.stdin is not None
        self._keeper.stdin.write(encode(KeeperConfig(self.settings, end, os.getpid())))
        self._keeper.stdin.close()

    def wait_until_ready(self) -> None:
        """Wait until the keeper has a lease, and may write; fail with its reason when it cannot."""
        line = os.read(self._ready, 4096)
        os.close(self._ready)
        assert line.startswith(b"ready"), line
        self.page = Page.open(self.settings.lease_page)

    def open_store(self) -> Store:
        """Open the store of a worker."""
        self.store = Store.open(self.settings, has_lease=True)
        return self.store

    def signal(self, number: signal.Signals) -> None:
        """Send a signal to the keeper."""
        assert self._keeper is not None
        self._keeper.send_signal(number)
        if number in (signal.SIGKILL, signal.SIGTERM):
            self._keeper.wait(20)

    def has_ended(self) -> bool:
        """Return whether the keeper has ended by itself."""
        return self._keeper is not None and self._keeper.poll() is not None

    def has_lease(self) -> bool:
        """Return whether the page shows a living lease."""
        try:
            self.page.epoch()
        except StoreUnavailable:
            return False
        return True

    def close(self) -> None:
        """End the keeper and the store."""
        if self._keeper is not None and self._keeper.poll() is None:
            self._keeper.kill()
            self._keeper.wait(20)
        if hasattr(self, "store"):
            self.store.close()

    async def policy(self) -> int:
        """Return the number in the policy of the bucket, by this node's memory."""
        return await self.store.consult(self._policy)

    def _policy(self) -> int:
        bucket = self.store.catalog().bucket("bucket")
        assert bucket is not None
        return int(bucket.policy or "0")

    async def set_policy(self, number: int) -> None:
        """Change that number."""
        await self.store.change(buckets.set_policy, "bucket", str(number))


class Nodes:
    """Three nodes, on a database of their own."""

    def __init__(self, folder: Path, postgres: PostgresServer, database: str, bound: float) -> None:
        self.postgres, self.database = postgres, database
        url = postgres.url(database)
        self.all = [Node(folder, url, f"n{number}", bound) for number in range(3)]
        try:
            for node in self.all:
                node.launch()
            for node in self.all:
                node.wait_until_ready()
                node.open_store()
        except BaseException:
            self.close()
            raise

    def __getitem__(self, number: int) -> Node:
        """Return one of them."""
        return self.all[number]

    def rows(self) -> dict[str, int]:
        """Return the names of the nodes in the database, with the epoch that each has acknowledged."""
        rows: list[Any] = self.postgres.execute("SELECT name, acked FROM nodes", self.database)
        return dict(rows)

    def wait_for_leases(self) -> None:
        """Wait until all of them have a lease, and a row."""
        wait_until(lambda: all(node.has_lease() for node in self.all) and len(self.rows()) == 3, 30, "all have a lease")

    def close(self) -> None:
        """End all processes and stores."""
        for node in self.all:
            node.close()
