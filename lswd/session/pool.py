"""The daemon's side of sessions: one for each identity, made when it is needed, ended when it is idle.

A session that ends fails what it was doing, and the next request makes a new one.
"""

from __future__ import annotations

import errno
import os

import trio

from lswd.host.process_memory import read_some
from lswd.ioctl.commands import WORD
from lswd.session import messages as m
from lswd.session.caller_image import STATUS_CONTROL_C_EXIT
from lswd.session.identity import Identity, IdentityError, identify
from lswd.session.lend import RESTRICTED, retire_for, tracing_is_restricted
from lswd.session.session import Program, Session

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lswd.device.transport import Answer, Caller
    from lswd.ioctl.commands import PeInfo
    from lswd.ioctl.settings import Settings
    from lswd.session.link import Pending
    from lswd.session.spawner import Spawner

_MOST_KNOWN = 256  # callers of one opener
_IDLE_LOOKS = 4  # in the time after which a session is idle


class SpawnerLost(Exception):
    """The daemon cannot go on; starting it anew can help."""


class Sessions:
    """All sessions (ioctl.hop.Sessions)."""

    def __init__(self, spawner: Spawner, settings: Settings, log: Callable[[str, str], None]) -> None:
        self._spawner = spawner
        self._settings = settings
        self._log = log
        self._sessions: dict[Identity, Session] = {}
        self._all: set[Session] = set()
        self._making: dict[Identity, trio.Event] = {}
        self._known: dict[int, dict[tuple[int, int, int], Session]] = {}  # by opener; then thread, uid, gid
        self._nursery: trio.Nursery | None = None
        self._closing = False

    async def run(self, nursery: trio.Nursery) -> None:
        """Start what runs in the background."""
        self._nursery = nursery
        nursery.start_soon(self._end_idle)
        nursery.start_soon(self._watch_spawner)

    async def _watch_spawner(self) -> None:
        """Raises SpawnerLost: it has ended, which nobody asked for."""
        pidfd = os.pidfd_open(self._spawner.pid)
        try:
            await trio.lowlevel.wait_readable(pidfd)
        finally:
            os.close(pidfd)
        if not self._closing:
            raise SpawnerLost("the process that makes sessions has ended, and without it nothing can be served")

    async def close(self) -> None:
        """End all sessions, and the process that makes them."""
        self._closing = True
        for session in tuple(self._all):
            session.close()
        self._spawner.close()

    async def _end_idle(self) -> None:
        while True:
            await trio.sleep(max(0.05, self._settings.session_idle / _IDLE_LOOKS))
            for session in tuple(self._all):
                if not session.busy and trio.current_time() - session.last_used >= self._settings.session_idle:
                    session.close()

    # ---- finding and making

    async def _session(self, caller: Caller) -> Session:
        """The caller's session. Raises OSError."""
        try:
            identity = identify(caller.tid, caller.uid, caller.gid)
        except IdentityError as error:
            self._log("info", f"pid {caller.tid}, uid {caller.uid}: refused: {error}")
            raise OSError(errno.EPERM, str(error)) from None
        while True:
            session = self._sessions.get(identity)
            if session is not None and session.alive:
                return session
            making = self._making.get(identity)
            if making is None:
                return await self._make(identity, caller.tid)
            await making.wait()

    async def _make(self, identity: Identity, tid: int) -> Session:
        if self._closing or self._nursery is None:
            raise OSError(errno.ESHUTDOWN, "the daemon is ending")
        if identity.uid and not self._make_room(identity.uid):
            raise OSError(errno.EAGAIN, "too many sessions of this user")
        making = self._making[identity] = trio.Event()
        try:
            limits = self._settings.pending, self._settings.handles
            pid, programs, natives = await self._spawner.spawn(identity, tid, limits)
        except OSError as error:
            self._log("warning", f"no session for {identity}: {error.strerror}")
            raise
        finally:
            del self._making[identity]
            making.set()
        session = Session(identity, pid, programs, natives, self._log)
        self._sessions[identity] = session
        self._all.add(session)
        self._log("debug", f"session of {identity} started, pid {pid}")
        self._nursery.start_soon(self._run, session)
        return session

    def _make_room(self, uid: int) -> bool:
        """May the user have one session more? One that nobody needs makes way."""
        own = [session for session in self._all if session.identity.uid == uid]
        if len(own) < self._settings.sessions:
            return True
        idle = [session for session in own if not session.busy]
        for session in idle[:1]:
            session.close()
            self._forget(session)
        return bool(idle)

    async def _run(self, session: Session) -> None:
        try:
            await session.run()
        finally:
            self._forget(session)
            self._log("debug", f"session of {session.identity} ended, pid {session.pid}")

    def _forget(self, session: Session) -> None:
        self._all.discard(session)
        if self._sessions.get(session.identity) is session:
            del self._sessions[session.identity]
        for known in self._known.values():
            for key in [key for key, value in known.items() if value is session]:
                del known[key]

    # ---- what the service asks for

    def native(self, caller: Caller, opener: int, command: int, data: bytes) -> Answer | Awaitable[Answer]:
        """Serve SYSCALL as the caller."""
        known = self._known.get(opener)
        session = known.get((caller.tid, caller.uid, caller.gid)) if known else None
        if session is None or not session.alive:
            return self._native(caller, opener, command, data)
        pending = session.begin(opener, caller.tid, command, data)
        if pending.done and pending.answer is not None:
            return pending.answer
        return self._finish(session, pending, caller, opener, command, data)

    async def _finish(
        self, session: Session, pending: Pending, caller: Caller, opener: int, command: int, data: bytes
    ) -> Answer:
        answer = await session.finish(pending)
        if answer is not None:
            return answer
        self._known[opener].pop((caller.tid, caller.uid, caller.gid), None)
        return await self._native(caller, opener, command, data)

    async def _native(self, caller: Caller, opener: int, command: int, data: bytes) -> Answer:
        """The same for a caller whose session is not known, or no longer his."""
        session = await self._session(caller)
        known = self._known.setdefault(opener, {})
        if len(known) >= _MOST_KNOWN:  # threads come and go
            known.clear()
        known[caller.tid, caller.uid, caller.gid] = session
        answer = await session.finish(session.begin(opener, caller.tid, command, data))
        if answer is None:
            raise OSError(errno.EPERM, "the caller keeps changing")
        return answer

    async def execute(self, caller: Caller, pid: int, info: PeInfo) -> Program:
        """Run the image that process ``pid`` has registered."""
        session = await self._session(caller)
        if os.geteuid() and info.base:
            self._check_reachable(pid, info.base)
        restricted = tracing_is_restricted()
        if restricted:
            retire_for(session.identity.uid, pid, info, STATUS_CONTROL_C_EXIT)
        program = session.start(m.START_IMAGE, m.IMAGE.pack(pid) + info.pack(WORD) + self._engine())
        if restricted:
            program.on_end = lambda ending: retire_for(session.identity.uid, pid, info, ending.exit_status)
        return program

    def _check_reachable(self, pid: int, base: int) -> None:
        """Nobody runs a program whose entry point cannot be retired: its loader would run it once more.

        Raises OSError (EPERM).
        """
        try:
            read_some(pid, base, 1)
        except PermissionError:
            self._log("info", f"pid {pid} is not executed: {RESTRICTED}")
            raise
        except OSError:
            pass  # there is no image

    async def launch(self, caller: Caller, descriptors: Sequence[int]) -> Program:
        """Run an order."""
        session = await self._session(caller)
        return session.start(m.START_ORDER, self._engine(), descriptors)

    def _engine(self) -> bytes:
        return self._settings.engine.encode()[:64]

    def closed(self, opener: int) -> None:
        """An open file of the device is gone."""
        self._known.pop(opener, None)
        for session in self._all:
            if opener in session.openers:
                session.openers.discard(opener)
                session.last_used = trio.current_time()
                session.forget_opener(opener)
