"""Processes that are ready before programs are asked for: forked from the zygote when it has time.

Each has an engine started, and comes from a zygote that has launched a small program: so it need not compute or look
up what the first launch in a process has to. A *hot* one has launched the program itself and need not copy what it has
from the zygote either. What it then runs is told by the packet that the zygote would have acted on itself.
"""

from __future__ import annotations

import gc
import os
import select
import signal
import socket
import time

from lswd.session import messages as m

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lswd.session.program import Launcher

# Milliseconds from when one could be made, the zygote warm up, or one become hot, until that is done.
_MAKE, _WARM, _HEAT_UP = 1, 10, 100
_PROGRAMS_MATTER = 20  # so much later while programs run: most are short, and want the processors
_ONE_PROCESSOR = 200  # the same where that is the program's own processor, and a spare is left that can begin at once
READY_SPARES = 2  # that can begin at once; one more may be getting hot
MOST_SPARES = READY_SPARES + 1
MOST_FAILURES = 5  # deaths since one was of use, after which no more are made
_READY = b"ready"
_HEAT = m.pack(m.HEAT, 0)


class Spare:
    """The zygote's side.

    Attributes:
        pid, pidfd: the process. reading: the pipe its report will come through.
        connection: where it is told what to run; readable when it is ready, or has died.
        ready: it has said that it is. hot: it has launched something, or has been told to.
    """

    __slots__ = ("connection", "hot", "pid", "pidfd", "reading", "ready")

    def __init__(self, pid: int, reading: int, connection: socket.socket) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.reading = reading
        self.connection = connection
        self.ready = False
        self.hot = False

    def is_ready(self) -> bool | None:
        """Can it begin at once? None when it has died."""
        try:
            if self.connection.recv(len(_READY), socket.MSG_DONTWAIT) != _READY:
                return None
        except BlockingIOError:
            return self.ready
        except OSError:
            return None
        self.ready = True
        return True

    def heat(self) -> None:
        """Have it launch something small; until it is ready again nothing else can be asked of it."""
        self.ready = False
        self.hot = True
        try:
            self.connection.send(_HEAT)
        except OSError:  # it has died, which will be noticed
            pass

    def start(self, packet: bytes, descriptors: list[int]) -> bool:
        """Have it act on a START packet; False when it cannot."""
        try:
            m.send_with(self.connection, packet, descriptors)
        except OSError:
            return False
        self.connection.close()
        return True

    def end(self) -> None:
        """It is not needed."""
        self.connection.close()
        os.close(self.reading)
        os.close(self.pidfd)
        try:
            os.kill(self.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
        os.waitpid(self.pid, 0)


class Spares:
    """Those there are, and when to make more: one at a time, and no more if they only die."""

    def __init__(self, poll: select.poll) -> None:
        """``poll``: what the zygote waits with."""
        self.wanted = False  # somebody has asked for a program: some sessions only serve native calls
        self.warm = False  # the zygote has launched something itself
        self._poll = poll
        self._one_processor = len(os.sched_getaffinity(0)) == 1
        self._spares: list[Spare] = []
        self._failures = 0
        self._waiting_for: int | None = None
        self._since = 0.0

    def __iter__(self) -> Iterator[Spare]:
        return iter(self._spares)

    def add(self, spare: Spare | None) -> None:
        """One more; None: it could not be made."""
        if spare is None:
            self._failures += 1
        else:
            self._spares.append(spare)
            self._poll.register(spare.connection, select.POLLIN)

    def _remove(self, spare: Spare) -> None:
        self._spares.remove(spare)
        self._poll.unregister(spare.connection)

    def take(self) -> Spare | None:
        """One that can begin at once, if there is one."""
        for spare in sorted(self._spares, key=lambda spare: not spare.hot):
            if self._look_at(spare):
                self._remove(spare)
                self._failures = 0
                return spare
        return None

    def noticed(self, fd: int) -> None:
        """There is something to read from this descriptor, which may be a spare's."""
        for spare in tuple(self._spares):
            if spare.connection.fileno() == fd:
                self._look_at(spare)

    def _look_at(self, spare: Spare) -> bool:
        """Is it ready? One that has died is forgotten."""
        ready = spare.is_ready()
        if ready is None:
            self._remove(spare)
            self._failures += 1
            spare.end()
        return bool(ready)

    def patience(self, programs: int) -> int | None:
        """For how many milliseconds to wait, while this many programs run, before one is made or something warmed up.
        None: there is nothing to do."""
        delay = self._delay()
        if delay != self._waiting_for or (delay == _HEAT_UP and programs):
            self._waiting_for, self._since = delay, time.monotonic()
        if delay is None or (delay == _HEAT_UP and programs):
            return None
        passed = int((time.monotonic() - self._since) * 1000)
        if programs:
            one_left = self._one_processor and any(spare.ready for spare in self._spares)
            delay += _ONE_PROCESSOR if one_left else _PROGRAMS_MATTER
        return max(0, delay - passed)

    def _delay(self) -> int | None:
        """The delay of what is to be done next."""
        if not self.wanted or self._failures >= MOST_FAILURES or self._being_made():
            return None
        if not self.warm:
            return _WARM
        if sum(spare.ready for spare in self._spares) < READY_SPARES:
            return _MAKE
        return None if all(spare.hot for spare in self._spares) or self._getting_hot() else _HEAT_UP

    def _being_made(self) -> bool:
        return any(not spare.ready and not spare.hot for spare in self._spares)

    def _getting_hot(self) -> bool:
        return any(not spare.ready and spare.hot for spare in self._spares)

    def is_to_warm_up(self) -> bool:
        """The first spare has shown that it works: what it did once, the zygote can do for all others."""
        return not self.warm and bool(self._spares)

    def heat(self) -> bool:
        """Have one become hot; False when there are too few that could begin at once."""
        if sum(spare.ready for spare in self._spares) < READY_SPARES:
            return False
        for spare in self._spares:
            if not spare.hot:
                spare.heat()
                break
        return True

    def end(self) -> None:
        """None is needed any more."""
        for spare in tuple(self._spares):
            self._remove(spare)
            spare.end()


def warm_up(launcher: Launcher) -> None:
    """Have the launcher launch something, and leave no trace of it but what it has learnt."""
    environ = dict(os.environ)
    try:
        launcher.warm_up()
    except Exception:  # a program that is to run here will say what is wrong
        pass
    os.environ.clear()
    os.environ.update(environ)
    os.chdir("/")
    while len(os.listdir("/proc/self/task")) > 1:  # a thread of the launch is on its way out
        time.sleep(0.001)
    gc.collect()
    gc.freeze()


def wait_for_work(connection: socket.socket, launcher: Launcher, *, warm: bool) -> tuple[bytes, list[int]]:
    """In the spare: get ready, say so, wait. Returns the packet and its descriptors; b"" when there will be none.

    Args:
        warm: the zygote has warmed up before.
    """
    packet, descriptors = b"" if warm else _HEAT, list[int]()
    while True:
        if packet == _HEAT:
            warm_up(launcher)
        try:
            launcher.prepare()
        except Exception:  # a program that is to run here will say what is wrong
            pass
        gc.freeze()
        connection.send(_READY)
        packet, descriptors = m.receive_with(connection)
        if packet != _HEAT:
            return packet, descriptors
