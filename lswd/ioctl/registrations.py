"""The table of registered images: whose they are, who may speak of them, and what became of their programs."""

from __future__ import annotations

import errno
from collections import deque

import trio

from lswd.ioctl.commands import REASON_NOT_STARTED, REASON_RUNNING, STILL_ACTIVE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.device.transport import Caller
    from lswd.ioctl.commands import PeInfo
    from lswd.ioctl.hop import Program

_REMEMBERED = 64  # ended executions a user can still ask about
_LARGEST_DELTA = 1 << 20


class Opener:
    """One open file of the device, or connection.

    Attributes:
        pid: the process that opened it. inner: what that is called in its own pid namespace, 0 when that is ours.
        zero: registrations minus unregistrations of pid 0, which the module counts and otherwise ignores.
    """

    __slots__ = ("closed", "executions", "id", "inner", "pid", "registrations", "uid", "zero")

    def __init__(self, identifier: int, uid: int, pid: int, inner: int) -> None:
        self.id = identifier
        self.uid = uid
        self.pid = pid
        self.inner = inner
        self.zero = 0
        self.closed = False
        self.registrations: set[Registration] = set()
        self.executions: set[Execution] = set()

    def count_zero(self, step: int) -> None:
        """pid 0 came or went."""
        self.zero = max(-_LARGEST_DELTA, min(_LARGEST_DELTA, self.zero + step))


class Execution:
    """A program's run, from before it starts until somebody has asked how it ended.

    Attributes:
        starting: it has begun, and ``program`` will be there soon; ``early`` are the signals that came before.
        interrupted: it has been sent Ctrl-C, for the one who waited for it was interrupted.
        paused: the one who waited for it is being stopped, and will wait again. absences: how often he was.
    """

    __slots__ = (
        "absences", "early", "ended", "exit_status", "interrupted", "opener", "paused", "pid", "program", "reason",
        "starting", "uid",
    )  # fmt: skip

    def __init__(self, uid: int, pid: int, opener: Opener) -> None:
        self.uid = uid
        self.pid = pid
        self.opener = opener
        self.program: Program | None = None
        self.starting = False
        self.interrupted = False
        self.paused = False
        self.absences = 0
        self.early: list[int] = []
        self.exit_status = STILL_ACTIVE
        self.reason = REASON_RUNNING
        self.ended = trio.Event()

    def signal(self, number: int) -> None:
        """Send a signal, once there is a program."""
        if self.program is not None:
            self.program.signal(number)
        elif number not in self.early:
            self.early.append(number)

    def end(self, exit_status: int, reason: int) -> None:
        """It is over."""
        if not self.ended.is_set():
            self.exit_status = exit_status & 0xFFFF_FFFF
            self.reason = reason
            self.ended.set()


class Registration:
    """One REGISTER_PE."""

    __slots__ = ("execution", "info", "opener", "pid", "uid")

    def __init__(self, uid: int, pid: int, info: PeInfo, opener: Opener) -> None:
        self.uid = uid
        self.pid = pid
        self.info = info
        self.opener = opener
        self.execution = Execution(uid, pid, opener)


def may(caller: Caller, uid: int) -> bool:
    """May the caller act on what belongs to ``uid``?"""
    return caller.uid in (0, uid)


class Registrations:
    """See the module's docstring."""

    def __init__(self) -> None:
        self.count = 0
        self.of_user: dict[int, int] = {}
        self._by_pid: dict[int, list[Registration]] = {}
        self._running: dict[int, set[Execution]] = {}  # by user
        self._ended: dict[int, deque[Execution]] = {}  # by user

    def add(self, registration: Registration) -> None:
        """A new one, behind those of the same pid."""
        self.count += 1
        self.of_user[registration.uid] = self.of_user.get(registration.uid, 0) + 1
        self._by_pid.setdefault(registration.pid, []).append(registration)
        registration.opener.registrations.add(registration)

    def find(self, pid: int, caller: Caller, *, newest: bool = False) -> Registration:
        """The first (or newest) registration of ``pid`` that the caller may act on.

        Raises:
            OSError: ESRCH: there is none. EPERM: there is, but of another user.
        """
        found = self._by_pid.get(pid)
        if not found:
            raise ProcessLookupError(errno.ESRCH, "not registered")
        for registration in reversed(found) if newest else found:
            if may(caller, registration.uid):
                return registration
        raise PermissionError(errno.EPERM, "registered by another user")

    def has(self, pid: int) -> bool:
        """Is anything registered for ``pid``?"""
        return pid in self._by_pid

    def remove(self, registration: Registration) -> None:
        """Forget one; an execution that has not begun never will."""
        found = self._by_pid.get(registration.pid, [])
        if registration not in found:
            return
        found.remove(registration)
        if not found:
            del self._by_pid[registration.pid]
        self.count -= 1
        left = self.of_user[registration.uid] - 1
        if left:
            self.of_user[registration.uid] = left
        else:
            del self.of_user[registration.uid]
        registration.opener.registrations.discard(registration)
        execution = registration.execution
        if execution.program is None and not execution.starting:
            execution.end(0, REASON_NOT_STARTED)

    def remove_pid(self, pid: int) -> None:
        """The process is gone."""
        for registration in tuple(self._by_pid.get(pid, ())):
            self.remove(registration)

    # ---- programs

    def started(self, execution: Execution) -> None:
        """An execution has begun."""
        self._running.setdefault(execution.uid, set()).add(execution)
        execution.opener.executions.add(execution)

    def finished(self, execution: Execution) -> None:
        """It is over; how it ended can be asked for a while."""
        running = self._running.get(execution.uid)
        if running is not None:
            running.discard(execution)
            if not running:
                del self._running[execution.uid]
        execution.opener.executions.discard(execution)
        self._ended.setdefault(execution.uid, deque(maxlen=_REMEMBERED)).append(execution)

    def running(self, uid: int) -> int:
        """How many programs of the user run."""
        return len(self._running.get(uid, ()))

    def executions(self) -> list[Execution]:
        """All that run."""
        return [execution for group in self._running.values() for execution in group]

    def find_execution(self, pid: int, caller: Caller, *, ended: bool) -> Execution:
        """What runs, or ran, for ``pid``: the process that registered it, or the program's own Linux process.

        Args:
            ended: those that have ended or not begun will do, too.

        Raises:
            OSError: ESRCH, EPERM.
        """
        foreign = False
        if not pid:
            raise ProcessLookupError(errno.ESRCH, "no program runs for process 0")
        for execution in self.executions():
            if pid in (execution.pid, execution.program.host_pid if execution.program else 0):
                if may(caller, execution.uid):
                    return execution
                foreign = True
        registered = self._by_pid.get(pid, [])
        for registration in reversed(registered):
            if ended and may(caller, registration.uid):
                return registration.execution
        if ended:
            for uid, past in self._ended.items():
                for execution in reversed(past) if may(caller, uid) else ():
                    if pid in (execution.pid, execution.program.host_pid if execution.program else 0):
                        return execution
        if foreign or (registered and not any(may(caller, r.uid) for r in registered)):
            raise PermissionError(errno.EPERM, "of another user")
        raise ProcessLookupError(errno.ESRCH, "no program runs for this process")
