"""The part of a session that serves native calls: a trio loop that no call can hold up."""

from __future__ import annotations

import errno
import socket
from collections import deque

import trio

from lswd.ioctl.native.caller_memory import DIRECT
from lswd.ioctl.native.declare import answer
from lswd.ioctl.native.holdings import Holdings
from lswd.ioctl.native.process_files import CallerFiles, StaleSession
from lswd.ioctl.native.serve import INTERRUPTED, serve
from lswd.session import messages as m
from lswd.session.identity import Identity, view_of
from lswd.session.lend import LentMemory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lswd.session.lend import Ask

REQUEST_SIZE = 88
_FAIR_SHARE = 32


class Worker:
    """Serves packets; ``send`` takes its answers. Knows no socket, so that tests and fuzzers can drive it directly.

    Args:
        ask: asks the daemon for memory that is closed to us.
        proc: a descriptor of /proc. identity: whom it acts for; None to believe every caller.
        limit: how many calls may wait at once, and how many things of a kind an opener may hold.
    """

    def __init__(
        self,
        send: Callable[[bytes], None],
        proc: int,
        identity: Identity | None,
        limit: int,
        holdings: int,
        ask: Ask | None = None,
    ) -> None:
        self._send = send
        self._ask = ask
        self._proc = proc
        self._identity = identity
        self._limit = limit
        self._holdings_limit = holdings
        self._openers: dict[int, Holdings] = {}
        self._waiting: dict[int, tuple[trio.CancelScope, int]] = {}
        self.nursery: trio.Nursery | None = None

    @property
    def waiting(self) -> int:
        """How many calls wait."""
        return len(self._waiting)

    def _is_ours(self, tid: int, fields: dict[bytes, bytes]) -> bool:
        return self._identity is None or self._identity.allows(fields, view_of(self._proc, tid))

    def handle(self, packet: bytes) -> None:
        """One packet of the daemon's. Never raises for what a caller did."""
        try:
            kind, identifier, value, data = m.unpack(packet)
        except ValueError:
            return
        if kind == m.REQUEST and len(data) == m.NATIVE.size + REQUEST_SIZE:
            opener, tid = m.NATIVE.unpack_from(data)
            self._serve(identifier, value, opener, tid, data[m.NATIVE.size :])
        elif kind == m.CANCEL and identifier in self._waiting:
            self._waiting[identifier][0].cancel()
        elif kind == m.CLOSED:
            for scope, opener in tuple(self._waiting.values()):
                if opener == identifier:
                    scope.cancel()
            holdings = self._openers.pop(identifier, None)
            if holdings is not None:
                holdings.close()

    def _serve(self, identifier: int, command: int, opener: int, tid: int, request: bytes) -> None:
        holdings = self._openers.get(opener)
        if holdings is None:
            holdings = self._openers[opener] = Holdings(self._holdings_limit)
        caller = CallerFiles(tid, self._proc, self._is_ours if self._identity else None)
        try:
            memory = LentMemory(self._ask, identifier) if self._ask else DIRECT
            served = serve(request, command, tid, holdings, caller, memory)
        except StaleSession:
            self._send(m.pack(m.STALE, identifier))
            return
        except Exception as error:
            self._failed(identifier, error)
            return
        if isinstance(served, tuple):
            self._send(m.pack(m.ANSWER, identifier, *served))
        elif len(self._waiting) >= self._limit:
            served.close()  # type: ignore[attr-defined]  # a coroutine that has not begun
            self._send(m.pack(m.ANSWER, identifier, 0, answer(request, 0, errno.ENOMEM)))
        else:
            assert self.nursery is not None
            self._waiting[identifier] = trio.CancelScope(), opener
            self.nursery.start_soon(self._wait, identifier, served, request)

    async def _wait(self, identifier: int, served: Awaitable[tuple[int, bytes]], request: bytes) -> None:
        scope = self._waiting[identifier][0]
        result = 0, answer(request, 0, INTERRUPTED)
        try:
            with scope:
                result = await served
        except StaleSession:
            self._send(m.pack(m.STALE, identifier))
            return
        except Exception as error:
            self._failed(identifier, error)
            return
        finally:
            del self._waiting[identifier]
        self._send(m.pack(m.ANSWER, identifier, *result))

    def _failed(self, identifier: int, error: Exception) -> None:
        self._send(m.pack(m.LOG, 0, 0, f"a native call failed: {type(error).__name__}: {error}".encode()[:1024]))
        self._send(m.pack(m.ANSWER, identifier, -errno.EIO))

    def close(self) -> None:
        """Give everything back."""
        for holdings in self._openers.values():
            holdings.close()
        self._openers.clear()


async def run(connection: socket.socket, proc: int, identity: Identity, limit: int, holdings: int) -> None:
    """Serve until the daemon closes its end.

    When no call waits, nothing can happen but the next request, so that is waited for without trio: half the time.
    """
    unsent: list[bytes] = []
    more = trio.Event()

    def send(packet: bytes) -> None:
        if not unsent:
            try:
                connection.send(packet, socket.MSG_DONTWAIT)
                return
            except BlockingIOError:
                more.set()
        unsent.append(packet)

    async def send_later() -> None:
        nonlocal more
        while True:
            await more.wait()
            more = trio.Event()
            while unsent:
                try:
                    connection.send(unsent[0], socket.MSG_DONTWAIT)
                    del unsent[0]
                except BlockingIOError:
                    await trio.lowlevel.wait_writable(connection)

    backlog: deque[bytes] = deque()

    def ask(kind: int, identifier: int, data: bytes) -> tuple[int, bytes]:
        """Have the daemon do something for a request, while it waits for just that."""
        send(m.pack(kind, identifier, 0, data))
        while True:
            packet = connection.recv(m.LARGEST)
            if not packet:
                return errno.EIO, b""
            if len(packet) >= m.HEADER.size:
                what, whose, value, answered = m.unpack(packet)
                if (what, whose) == (m.MEMORY, identifier):
                    return value, answered
            backlog.append(packet)

    worker = Worker(send, proc, identity, limit, holdings, ask)
    async with trio.open_nursery() as nursery:
        worker.nursery = nursery
        nursery.start_soon(send_later)
        count = 0
        while True:
            try:
                if backlog:
                    packet = backlog.popleft()
                else:
                    packet = connection.recv(m.LARGEST, socket.MSG_DONTWAIT if worker.waiting or unsent else 0)
            except BlockingIOError:
                count = 0
                await trio.lowlevel.wait_readable(connection)
                continue
            if not packet:
                break
            worker.handle(packet)
            count += 1
            if count % _FAIR_SHARE == 0:
                await trio.lowlevel.checkpoint()
        nursery.cancel_scope.cancel()
    worker.close()
