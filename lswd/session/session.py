"""The daemon's side of one session.

What comes back from a session is checked: it runs as its user and may be in his hands. A session that ends fails what
it was doing.
"""

from __future__ import annotations

import errno

import trio

from lswd.ioctl.commands import REASON_LOST, REASON_RUNNING
from lswd.session import messages as m
from lswd.session.lend import serve as serve_loan
from lswd.session.link import Link, Pending
from lswd.session.log_limit import LimitedLog
from lswd.session.order import Ending, OrderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Sequence

    from lswd.device.transport import Answer
    from lswd.session.identity import Identity

_REQUEST_SIZE = 88
_LARGEST_ERRNO = 511  # beyond are the kernel's own
_CANCEL_SECONDS = 0.25
_EXIT_INTERNAL = 125
# Calls that wait for something else than the session: NtWaitForSingleObject, NtDelayExecution,
# NtWaitForMultipleObjects and the console's.
_SLOW = frozenset((0x04, 0x33, 0x58, 0x1002, 0x1003))
_FEWEST_WITHOUT, _MOST_WITHOUT = 64, 8192


class Program:
    """A program that a session runs (ioctl.hop.Program)."""

    def __init__(self, session: Session, identifier: int) -> None:
        self._session = session
        self._identifier = identifier
        self.host_pid = 0
        self.ended = trio.Event()
        self.on_end: Callable[[Ending], None] | None = None  # called first
        self.ending = Ending(0, REASON_RUNNING)

    def signal(self, number: int) -> None:
        """Send a signal."""
        if not self.ended.is_set():
            self._session.tell_programs(m.pack(m.SIGNAL, self._identifier, number))

    def kill(self, exit_status: int) -> None:
        """End it with this status."""
        if not self.ended.is_set():
            self._session.tell_programs(m.pack(m.KILL, self._identifier, exit_status))

    def end(self, ending: Ending) -> None:
        """It is over."""
        if not self.ended.is_set():
            self.ending = ending
            if self.on_end is not None:
                self.on_end(ending)
            self.ended.set()


class Session:
    """One session. ``alive``: it takes new requests."""

    def __init__(
        self, identity: Identity, pid: int, programs: socket.socket, natives: socket.socket,
        log: Callable[[str, str], None],
    ) -> None:  # fmt: skip
        self.identity = identity
        self.pid = pid
        self.alive = True
        self.openers: set[int] = set()
        self.last_used = trio.current_time()
        self._log = LimitedLog(lambda line: log("warning", f"session of {identity}: {line}"))
        self._next = 1
        self._without = 0  # native calls until the next that is waited for without the event loop
        self._penalty = _FEWEST_WITHOUT
        self._pending: dict[int, Pending] = {}
        self._programs: dict[int, Program] = {}
        self._program_link = Link(programs, self._from_programs)
        self._native_link = Link(natives, self._from_natives)

    @property
    def busy(self) -> bool:
        """Does anybody need it?"""
        return bool(self._pending or self._programs or self.openers)

    async def run(self) -> None:
        """Serve until it ends."""
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._run_natives)
            try:
                await self._program_link.run()
            finally:
                self._lost_programs()
                self._log.tell_left_out()
            nursery.cancel_scope.cancel()

    async def _run_natives(self) -> None:
        try:
            await self._native_link.run()
        finally:
            self.alive = False
            for pending in self._pending.values():
                pending.end()
            self._pending.clear()
        self.close_when_idle()

    def _lost_programs(self) -> None:
        self.alive = False
        for program in tuple(self._programs.values()):
            ending = Ending(0, REASON_LOST, _EXIT_INTERNAL)
            ending.failure = "the session that ran it has ended"
            program.end(ending)
        self._programs.clear()

    def close(self) -> None:
        """End it, and its programs."""
        self.alive = False
        for link in (self._program_link, self._native_link):
            try:
                link.connection.shutdown(2)
            except OSError:
                pass  # it has ended already

    def close_when_idle(self) -> None:
        """No new requests; it ends when its programs have."""
        self.alive = False
        if not self._programs:
            self.close()

    # ---- requests

    def begin(self, opener: int, tid: int, command: int, data: bytes) -> Pending:
        """Have a native call served. It may be done already: most are, faster than the event loop could tell."""
        self.openers.add(opener)
        self.last_used = trio.current_time()
        identifier = self._next
        self._next += 1
        pending = self._pending[identifier] = Pending(identifier, tid)
        self._native_link.send(m.pack(m.REQUEST, identifier, command, m.NATIVE.pack(opener, tid) + data))
        if self._without:
            self._without -= 1
        elif int.from_bytes(data[:4], "little") not in _SLOW:
            self._native_link.receive_soon(pending)
            if pending.done:
                self._penalty = _FEWEST_WITHOUT
            else:  # it is held up, or plays games: not again for a while, which gets longer
                self._without = self._penalty
                self._penalty = min(2 * self._penalty, _MOST_WITHOUT)
        return pending

    async def finish(self, pending: Pending) -> Answer | None:
        """The answer of a native call; None when the caller is not who he was."""
        try:
            await pending.wait()
        except trio.Cancelled:
            self._native_link.send(m.pack(m.CANCEL, pending.identifier))
            with trio.move_on_after(_CANCEL_SECONDS, shield=True):
                await pending.wait()
            if not pending.done:
                raise
        finally:
            self._pending.pop(pending.identifier, None)
        return pending.answer

    def forget_opener(self, opener: int) -> None:
        """An open file of the device is gone: what it held here is freed."""
        self._native_link.send(m.pack(m.CLOSED, opener))

    def _from_natives(self, packet: bytes) -> None:
        try:
            kind, identifier, value, data = m.unpack(packet)
        except ValueError:
            return
        if kind == m.LOG:
            self._say(data)
        elif kind in (m.BORROW, m.GIVE_BACK):
            asking = self._pending.get(identifier)
            code, lent = serve_loan(kind, asking.tid, self.identity.uid, data) if asking else (errno.EPERM, b"")
            self._native_link.send(m.pack(m.MEMORY, identifier, code, lent))
        elif kind == m.STALE or (kind == m.ANSWER and len(data) in (0, _REQUEST_SIZE)):
            pending = self._pending.pop(identifier, None)
            if pending is None:
                return
            result = value - (1 << 32) if value >> 31 else value
            if kind == m.STALE:
                pending.answer = None
            elif -_LARGEST_ERRNO <= result <= 0:
                pending.answer = result, data
            pending.end()

    def start(self, kind: int, data: bytes, descriptors: Sequence[int] = ()) -> Program:
        """Start a program."""
        self.last_used = trio.current_time()
        identifier = self._next
        self._next += 1
        program = self._programs[identifier] = Program(self, identifier)
        self._program_link.send(m.pack(kind, identifier, 0, data), descriptors)
        return program

    def tell_programs(self, packet: bytes) -> None:
        """Send a packet to what runs programs."""
        self._program_link.send(packet)

    def _from_programs(self, packet: bytes) -> None:
        try:
            kind, identifier, value, data = m.unpack(packet)
        except ValueError:
            return
        if kind == m.LOG:
            self._say(data)
        program = self._programs.get(identifier)
        if program is None:
            return
        if kind == m.STARTED:
            program.host_pid = value
        elif kind == m.ENDED:
            del self._programs[identifier]
            self.last_used = trio.current_time()
            try:
                program.end(Ending.from_bytes(data))
            except OrderError:
                program.end(Ending(0, REASON_LOST, _EXIT_INTERNAL))
            if not self.alive:
                self.close_when_idle()

    def _say(self, data: bytes) -> None:
        self._log.say("".join(c if c.isprintable() else "?" for c in data[:1024].decode("utf-8", "replace")))
