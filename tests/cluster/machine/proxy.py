"""A TCP proxy that can delay, hold, cut and reset the connections of one way between two parts.

To *cut* refuses and resets, as a stopped program does; to *hold* swallows everything in silence, as a broken cable
does, and what was swallowed goes on when the way is open again, as TCP's repetitions do.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import socket
import threading
from typing import TYPE_CHECKING, Any

from tests.cluster.machine import packets

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    from tests.cluster.machine.processes import Machine

_PIECE = 65536
_PENDING = 256  # pieces that one direction may have under way while it is delayed


class Proxy:
    """One way: who connects to `port` reaches `target`."""

    def __init__(self, target: int, port: int = 0) -> None:
        self.target = target
        self._delay = self._resets = 0.0
        self._choice = random.Random(target)
        self._connections: set[asyncio.StreamWriter] = set()
        self._loop = asyncio.new_event_loop()
        self._open = asyncio.Event()
        self._open.set()
        self._refusing = False
        self._socket = socket.create_server(("127.0.0.1", port), backlog=256)
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._run, name=f"proxy to {target}", daemon=True)
        self._thread.start()

    def delay(self, seconds: float) -> None:
        """Let every piece arrive later by some seconds, in both directions."""
        self._call(lambda: setattr(self, "_delay", seconds))

    def reset_some(self, rate: float) -> None:
        """Reset a connection at each piece with this probability, from 0 to 1."""
        self._call(lambda: setattr(self, "_resets", rate))

    def cut(self) -> None:
        """Reset all connections, and each new one at once."""
        self._call(self._cut)

    def hold(self) -> None:
        """Swallow everything in silence, of new connections too."""
        self._call(self._open.clear)

    def heal(self) -> None:
        """Let everything through again, at once."""
        self._call(self._heal)

    def close(self) -> None:
        """End the proxy and its connections."""
        self._call(self._cut)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._socket.close()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        server = self._loop.run_until_complete(asyncio.start_server(self._serve, sock=self._socket))
        try:
            self._loop.run_forever()
        finally:
            server.close()
            tasks = asyncio.all_tasks(self._loop)
            for task in tasks:
                task.cancel()
            self._loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
            self._loop.close()

    def _call(self, action: Callable[[], object]) -> None:
        """Run an action on the proxy's loop, and return when it is done."""

        async def run() -> None:
            action()

        asyncio.run_coroutine_threadsafe(run(), self._loop).result()

    def _cut(self) -> None:
        self._refusing = True
        for writer in self._connections:
            writer.transport.abort()

    def _heal(self) -> None:
        self._refusing = False
        self._delay = self._resets = 0.0
        self._open.set()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if self._refusing:
            writer.transport.abort()
            return
        self._connections.add(writer)
        try:
            await self._open.wait()
            await self._join(reader, writer)
        except OSError:
            writer.transport.abort()
        finally:
            self._connections.discard(writer)

    async def _join(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self.target)
        self._connections.add(far_writer)
        try:
            await _both(self._carry(reader, far_writer), self._carry(far_reader, writer))
        finally:
            self._connections.discard(far_writer)
            for each in (writer, far_writer):
                each.transport.abort() if self._refusing else each.close()

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Carry one direction to its end; the other end then learns that nothing more follows."""
        pieces: asyncio.Queue[tuple[float, bytes]] = asyncio.Queue(_PENDING)
        await _both(self._take(reader, pieces), self._give(writer, pieces))

    async def _take(self, reader: asyncio.StreamReader, pieces: asyncio.Queue[tuple[float, bytes]]) -> None:
        piece = b"?"
        while piece:
            piece = await reader.read(_PIECE)
            if piece and self._choice.random() < self._resets:
                raise ConnectionResetError
            await pieces.put((self._loop.time() + self._delay, piece))

    async def _give(self, writer: asyncio.StreamWriter, pieces: asyncio.Queue[tuple[float, bytes]]) -> None:
        while True:
            due, piece = await pieces.get()
            if due > (now := self._loop.time()):
                await asyncio.sleep(due - now)
            await self._open.wait()
            if not piece:
                with contextlib.suppress(OSError):
                    writer.write_eof()
                return
            writer.write(piece)
            await writer.drain()


async def _both(first: Coroutine[Any, Any, None], second: Coroutine[Any, Any, None]) -> None:
    """Run both to their ends; when one fails, the other ends as well."""
    tasks = [asyncio.ensure_future(first), asyncio.ensure_future(second)]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class Ways:
    """All ways into or out of one part, so that it can be parted from the others as a whole."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self.proxies: list[Proxy] = []

    def add(self, target: int, port: int = 0) -> Proxy:
        """Return a new way to a port; it ends with the machine."""
        proxy = Proxy(target, port)
        self.proxies.append(proxy)
        self._machine.on_close(proxy.close)
        return proxy

    def cut(self) -> None:
        """Reset everything on all ways."""
        for proxy in self.proxies:
            proxy.cut()

    def hold(self) -> None:
        """Swallow everything on all ways."""
        for proxy in self.proxies:
            proxy.hold()

    def delay(self, seconds: float) -> None:
        """Delay everything on all ways."""
        for proxy in self.proxies:
            proxy.delay(seconds)

    def part(self) -> None:
        """Drop all packets on all ways; swallow everything instead where that cannot be."""
        if packets.can_be_dropped():
            packets.part(self._ports)
        else:
            self.hold()

    def lose_some(self) -> None:
        """Drop some of the packets on all ways; delay them a little instead where that cannot be."""
        if packets.can_be_dropped():
            packets.lose_some(self._ports)
        else:
            self.delay(0.05)

    def heal(self) -> None:
        """Open all ways."""
        for proxy in self.proxies:
            proxy.heal()
        if packets.can_be_dropped():
            packets.heal(self._ports)

    @property
    def _ports(self) -> list[int]:
        return [proxy.port for proxy in self.proxies]
