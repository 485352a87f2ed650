"""The part of a session that runs programs: a plain loop that forks a process for each, with all it needs loaded.

No threads and no event loop, so that forking is safe. The daemon's end of the socket is its life line.
"""

from __future__ import annotations

import errno
import gc
import os
import select
import signal
import socket

from lswd.host.parent_death import die_with_parent
from lswd.ioctl.commands import REASON_CRASHED, REASON_KILLED, REASON_NOT_STARTED, WORD, PeInfo
from lswd.session import messages as m
from lswd.session.caller_image import retire
from lswd.session.order import Ending, OrderError
from lswd.session.program import run_image, run_order
from lswd.session.spare import Spare, Spares, wait_for_work, warm_up

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.session.program import Launcher

_CRASHED_STATUS = 0xC000_0005
_KILLED_STATUS = 0xC000_013A
_EXIT_BY_SIGNAL = 128
_CONTROL_C = (signal.SIGINT,)


class _Child:
    """A program's process.

    Attributes:
        reading: the pipe its report comes through; -1 when that has been read.
        answered: the daemon knows how it ended.
        kill_status: what KILL_PE said it ends with, -1 as long as nobody did.
    """

    __slots__ = ("answered", "identifier", "info", "kill_status", "loader", "pid", "reading")

    def __init__(self, identifier: int, pid: int, reading: int, loader: int, info: PeInfo | None) -> None:
        self.identifier = identifier
        self.reading = reading
        self.pid = pid
        self.loader = loader
        self.info = info
        self.kill_status = -1
        self.answered = False


class Zygote:
    """See the module's docstring. ``proc``: a descriptor of /proc."""

    def __init__(self, connection: socket.socket, proc: int, launcher: Launcher) -> None:
        self._connection = connection
        self._proc = proc
        self._launcher = launcher
        self._children: dict[int, _Child] = {}  # by pidfd
        self._reports: dict[int, _Child] = {}  # by pipe
        self._poll = select.poll()
        self._spares = Spares(self._poll)

    def run(self) -> None:
        """Serve until the daemon closes its end; then every program ends."""
        self._poll.register(self._connection, select.POLLIN)
        try:
            while True:
                events = self._poll.poll(self._spares.patience(len(self._reports)))
                if not events:
                    self._get_ready()
                for fd, _ in events:
                    if fd == self._connection.fileno():
                        if not self._receive():
                            return
                    elif fd in self._children:
                        self._reap(fd)
                    elif fd in self._reports:
                        self._read_report(self._reports[fd])
                    else:
                        self._spares.noticed(fd)
        finally:
            for child in self._children.values():
                os.kill(child.pid, signal.SIGKILL)
            self._spares.end()

    def _receive(self) -> bool:
        packet, descriptors = m.receive_with(self._connection)
        if not packet:
            return False
        kind, identifier, value, _ = m.unpack(packet)
        try:
            if kind in (m.START_IMAGE, m.START_ORDER):
                self._start(packet, descriptors)
            elif kind in (m.SIGNAL, m.KILL):
                self._signal(identifier, kind, value)
        finally:
            for fd in descriptors:
                os.close(fd)
        return True

    def _signal(self, identifier: int, kind: int, value: int) -> None:
        for child in self._children.values():
            if child.identifier == identifier:
                if kind == m.KILL:
                    child.kill_status = value
                os.kill(child.pid, signal.SIGKILL if kind == m.KILL else value)

    def _start(self, packet: bytes, descriptors: list[int]) -> None:
        """Run a program: in the spare if there is one, else in a new process."""
        kind, identifier, _, data = m.unpack(packet)
        loader, info = _image(data) if kind == m.START_IMAGE else (0, None)
        self._spares.wanted = True
        spare = self._spares.take()  # one that is still getting ready is left to it
        if spare is not None:
            if spare.start(packet, descriptors):
                self._adopt(_Child(identifier, spare.pid, spare.reading, loader, info), spare.pidfd)
                return
            spare.end()
        self._fork(identifier, lambda: _run(self._launcher, self._proc, packet, descriptors), loader, info)

    def _get_ready(self) -> None:
        """Nothing is to be done now."""
        if self._spares.is_to_warm_up():
            warm_up(self._launcher)
            self._spares.warm = True
            return
        if self._spares.heat():
            return
        self._spares.add(self._make_spare())

    def _make_spare(self) -> Spare | None:
        """Fork a process that gets ready for the next program. It matters little if that fails."""
        warm = self._spares.warm
        reading, writing = os.pipe2(os.O_CLOEXEC)
        ours, its = m.pair()
        parent = os.getpid()

        def run() -> Ending:
            ours.close()
            packet, descriptors = wait_for_work(its, self._launcher, warm=warm)
            its.close()
            if not packet:
                os._exit(0)
            return _run(self._launcher, self._proc, packet, descriptors)

        try:
            pid = _fork()
        except OSError:
            for fd in (reading, writing):
                os.close(fd)
            ours.close()
            its.close()
            return None
        if not pid:
            self._in_child(parent, reading, writing, run)
        os.close(writing)
        its.close()
        return Spare(pid, reading, ours)

    def _fork(self, identifier: int, run: Callable[[], Ending], loader: int, info: PeInfo | None) -> None:
        reading, writing = os.pipe2(os.O_CLOEXEC)
        parent = os.getpid()
        try:
            pid = _fork()
        except OSError as error:
            os.close(reading)
            os.close(writing)
            self._ended(identifier, Ending(0, REASON_NOT_STARTED, 125, f"cannot start a process: {error.strerror}"))
            return
        if not pid:
            self._in_child(parent, reading, writing, run)
        os.close(writing)
        self._adopt(_Child(identifier, pid, reading, loader, info), os.pidfd_open(pid))

    def _adopt(self, child: _Child, pidfd: int) -> None:
        """A program runs: tell, and watch it."""
        os.set_blocking(child.reading, False)
        self._children[pidfd] = self._reports[child.reading] = child
        self._poll.register(pidfd, select.POLLIN)
        self._poll.register(child.reading, select.POLLIN)
        self._send(m.pack(m.STARTED, child.identifier, child.pid))

    def _in_child(self, parent: int, reading: int, writing: int, run: Callable[[], Ending]) -> None:
        code = 1
        try:
            die_with_parent(parent)
            self._connection.close()
            os.close(reading)
            for fd in (*self._children, *self._reports):
                os.close(fd)
            for spare in self._spares:
                spare.connection.close()
                os.close(spare.reading)
                os.close(spare.pidfd)
            ending = _run_interruptibly(run)
            data = ending.to_bytes(m.LARGEST_REPORT)
            while data:
                data = data[os.write(writing, data) :]
            code = 0
        finally:
            os._exit(code)

    def _read_report(self, child: _Child, *, gone: bool = False) -> None:
        """A program has reported its end. Its process may still take a while to go: nobody need wait for that."""
        try:
            report = os.read(child.reading, m.LARGEST_REPORT)  # written at once: it is smaller than a pipe
        except BlockingIOError:
            if not gone:
                return  # an event of another pipe that had this number
            report = b""
        self._poll.unregister(child.reading)
        del self._reports[child.reading]
        os.close(child.reading)
        child.reading = -1
        if child.info is None and report:  # whoever gets it will check it
            child.answered = True
            self._send(m.pack(m.ENDED, child.identifier, 0, report))
            return
        try:
            self._end(child, Ending.from_bytes(report))
        except OrderError:
            pass  # the process ended, or will, without one

    def _reap(self, pidfd: int) -> None:
        child = self._children.pop(pidfd)
        self._poll.unregister(pidfd)
        os.close(pidfd)
        if child.reading >= 0:
            self._read_report(child, gone=True)
        _, status = os.waitpid(child.pid, 0)
        if not child.answered:
            self._end(child, _judge(child, os.waitstatus_to_exitcode(status)))

    def _end(self, child: _Child, ending: Ending) -> None:
        child.answered = True
        if child.info is not None:
            retire(self._proc, child.loader, child.info, ending.exit_status)
        self._ended(child.identifier, ending)

    def _ended(self, identifier: int, ending: Ending) -> None:
        self._send(m.pack(m.ENDED, identifier, 0, ending.to_bytes(m.LARGEST_REPORT)))

    def _send(self, packet: bytes) -> None:
        try:
            self._connection.sendall(packet)
        except OSError as error:
            if error.errno not in (errno.EPIPE, errno.ECONNRESET):
                raise


def _fork() -> int:
    """os.fork(), but Ctrl-C waits in the child: it is the program's, and must not end what the child is a copy of."""
    signal.pthread_sigmask(signal.SIG_BLOCK, _CONTROL_C)
    pid = -1
    try:
        pid = os.fork()
    finally:
        if pid:
            signal.pthread_sigmask(signal.SIG_UNBLOCK, _CONTROL_C)
    return pid


def _run_interruptibly(run: Callable[[], Ending]) -> Ending:
    """In a program's process: the only place where Ctrl-C is met as an exception."""
    try:
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _CONTROL_C)
        ending = run()
        signal.pthread_sigmask(signal.SIG_BLOCK, _CONTROL_C)
    except KeyboardInterrupt:
        ending = Ending(_KILLED_STATUS, REASON_KILLED, _EXIT_BY_SIGNAL + signal.SIGINT)
    return ending


def _image(data: bytes) -> tuple[int, PeInfo]:
    """Of a START_IMAGE packet: the process that registered the image, and what it said."""
    (loader,) = m.IMAGE.unpack_from(data)
    return loader, PeInfo.unpack(WORD, data, m.IMAGE.size)


def _run(launcher: Launcher, proc: int, packet: bytes, descriptors: list[int]) -> Ending:
    """In a program's process: act on a START packet."""
    kind, _, _, data = m.unpack(packet)
    if kind == m.START_ORDER:
        return run_order(launcher, list(descriptors), data.decode())
    loader, info = _image(data)
    return run_image(launcher, proc, loader, info, data[m.IMAGE.size + PeInfo.size(WORD) :].decode())


def _judge(child: _Child, code: int) -> Ending:
    """How a program ended that left no report, from its process's exit code (negative: a signal)."""
    if child.kill_status >= 0:
        return Ending(child.kill_status, REASON_KILLED, _EXIT_BY_SIGNAL + signal.SIGKILL)
    ending = Ending(_CRASHED_STATUS, REASON_CRASHED, 125)
    if code in (-signal.SIGKILL, -signal.SIGTERM, -signal.SIGINT, -signal.SIGHUP, -signal.SIGQUIT):
        ending = Ending(_KILLED_STATUS, REASON_KILLED, _EXIT_BY_SIGNAL - code)
    how = f"signal {-code}" if code < 0 else f"exit code {code}"
    ending.failure = f"the process that ran it ended with {how}"
    return ending


def prepare() -> None:
    """What is there now stays: the collector need not look at it in each child and so copy its pages."""
    gc.collect()
    gc.freeze()
