"""The process that makes sessions: forked from the daemon before it has threads, an event loop or the device.

So no session ever inherits the descriptor of the device, and forking is safe. It keeps the daemon's privileges, and
does nothing but fork and let the child become the caller. What all sessions need is imported here once.
"""

from __future__ import annotations

import errno
import gc
import os
import signal
import socket
import sys

from lswd.host.parent_death import die_with_parent
from lswd.session import messages as m
from lswd.session.identity import Identity, IdentityError, become, join, set_dumpable, view_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

    from lswd.session.program import Launcher

_FIRST_FD = 3
_LARGEST_FD = 1 << 20
_LARGEST_TEXT = 1000


_EVENTS = (
    signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP, signal.SIGCONT, signal.SIGWINCH,
    signal.SIGCHLD,
)  # fmt: skip
"""What programs are told by signals. Whoever started the daemon may have had some ignored, as a shell does."""


class Spawner:
    """The daemon's side. ``pid``: the process."""

    def __init__(self, connection: socket.socket, pid: int) -> None:
        self.pid = pid
        self._connection = connection
        self._lock: object = None

    async def spawn(
        self, identity: Identity, tid: int, limits: tuple[int, int]
    ) -> tuple[int, socket.socket, socket.socket]:
        """A new session for ``identity``, which thread ``tid`` has now.

        Args:
            limits: how many native calls may wait, and how many handles an opener may hold.

        Returns:
            Its process, and the sockets to what runs programs and to what serves native calls.

        Raises:
            OSError: it cannot be made; EPIPE: the spawner is gone.
        """
        import json

        import trio

        if self._lock is None:
            self._lock = trio.Lock()
        assert isinstance(self._lock, trio.Lock)
        async with self._lock:
            self._connection.setblocking(False)
            request = json.dumps([identity.to_list(), tid, list(limits)]).encode()
            with trio.CancelScope(shield=True):  # half an exchange would leave its answer to the next
                await trio.lowlevel.wait_writable(self._connection)
                self._connection.send(request)
                await trio.lowlevel.wait_readable(self._connection)
            data, descriptors = m.receive_with(self._connection)
        if len(descriptors) != 2:
            for fd in descriptors:
                os.close(fd)
            if not data:
                raise OSError(errno.EPIPE, "the process that makes sessions has ended")
            code, message = json.loads(data)
            raise OSError(code, message)
        zygote, worker = (socket.socket(fileno=fd) for fd in descriptors)
        return int(json.loads(data)), zygote, worker

    def close(self) -> None:
        """End it, and with it all sessions."""
        self._connection.close()
        try:
            os.kill(self.pid, signal.SIGKILL)  # it may be waiting for a session that is slow to start
            os.waitpid(self.pid, 0)
        except ChildProcessError:
            pass


def start(launcher: Launcher) -> Spawner:
    """Fork the spawner. Call this first of all: before threads, trio, and the device.

    Args:
        launcher: what runs programs: the module ``lswd.service.program``.
    """
    ours, its = m.pair()
    parent = os.getpid()
    sys.stdout.flush()
    sys.stderr.flush()
    pid = os.fork()
    if pid:
        its.close()
        return Spawner(ours, pid)
    try:
        gc.freeze()  # what is the parent's is not ours to finalise
        os.setsid()  # no terminal's signals, and nobody's foreground
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # the daemon says when to end, by closing the socket
        signal.signal(signal.SIGCHLD, signal.SIG_IGN)
        signal.set_wakeup_fd(-1)
        die_with_parent(parent)
        its = _keep_only(its)
        launcher.preload()
        _serve(its, launcher)
    except BaseException as error:
        _report(error)
    finally:
        os._exit(0)


def _report(error: BaseException, connection: socket.socket | None = None) -> None:
    """A bug of ours, where somebody may see it: the daemon's log, through ``connection``, or standard error."""
    import traceback

    text = "".join(traceback.format_exception(error)).encode("utf-8", "replace")
    try:
        if connection is None:
            os.write(2, text)
        else:
            connection.send(m.pack(m.LOG, 0, 0, text[-_LARGEST_TEXT:]))
    except OSError:
        pass


def _keep_only(connection: socket.socket) -> socket.socket:
    """Close every descriptor but standard error and this one, which moves to 3; standard input and output are empty."""
    null = os.open(os.devnull, os.O_RDWR)
    os.dup2(null, 0)
    os.dup2(null, 1)
    fd = connection.detach()
    if fd != _FIRST_FD:
        os.dup2(fd, _FIRST_FD)
    os.closerange(_FIRST_FD + 1, _LARGEST_FD)
    os.set_inheritable(_FIRST_FD, False)
    return socket.socket(fileno=_FIRST_FD)


def _serve(connection: socket.socket, launcher: Launcher) -> None:
    import importlib
    import json

    # A session may have another root directory, where nothing can be imported any more.
    importlib.import_module("lswd.session.worker")
    from lswd.session import zygote

    zygote.prepare()
    parent = os.getpid()
    while True:
        data, descriptors = m.receive_with(connection)
        if not data:
            return
        for fd in descriptors:
            os.close(fd)
        values, tid, limits = json.loads(data)
        pairs = m.pair(), m.pair()
        status, report = os.pipe()
        pid = os.fork()
        if not pid:
            os.close(status)
            connection.close()
            for ours, _ in pairs:
                ours.close()
            _become_session(parent, Identity.from_list(values), tid, limits, pairs[0][1], pairs[1][1], report, launcher)
        os.close(report)
        for _, its in pairs:
            its.close()
        failure = os.read(status, 4096)  # ends when the session is ready, or has failed
        os.close(status)
        if failure == b"ready":
            m.send_with(connection, json.dumps(pid).encode(), [ours.fileno() for ours, _ in pairs])
        else:
            connection.send(failure or json.dumps([errno.EIO, "the session died at once"]).encode())
        for ours, _ in pairs:
            ours.close()


def _become_session(
    parent: int, identity: Identity, tid: int, limits: list[int], programs: socket.socket, natives: socket.socket,
    report: int, launcher: Launcher,
) -> NoReturn:  # fmt: skip
    """In the child: turn into the session."""
    import json

    from lswd.ioctl.native.process_files import open_proc
    from lswd.session.zygote import Zygote, prepare

    try:
        for number in _EVENTS:
            signal.signal(number, signal.default_int_handler if number == signal.SIGINT else signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_SETMASK, ())
        os.umask(0o022)
        os.chdir("/")
        try:
            proc = open_proc()
            join(proc, tid, identity.view)
            become(identity, proc)
            if not os.geteuid() and view_of(proc, tid) != identity.view:
                raise IdentityError("the caller has changed its root")
        except OSError as error:
            os.write(report, json.dumps([error.errno or errno.EIO, str(error)]).encode())
            os._exit(1)
        except IdentityError as error:
            os.write(report, json.dumps([errno.EPERM, str(error)]).encode())
            os._exit(1)
        die_with_parent(parent)
        set_dumpable(False)
        _fork_worker(identity, limits, programs, natives, proc, report)
        natives.close()
        os.write(report, b"ready")
        os.close(report)
        os.dup2(0, 2)
        prepare()
        Zygote(programs, proc, launcher).run()
    except BaseException as error:
        _report(error, programs)
    finally:
        os._exit(0)


def _fork_worker(
    identity: Identity, limits: list[int], programs: socket.socket, natives: socket.socket, proc: int, report: int
) -> None:
    """The process of the session that serves native calls."""
    parent = os.getpid()
    if os.fork():
        return
    try:
        die_with_parent(parent)
        programs.close()
        os.close(report)
        os.dup2(0, 2)
        import trio

        from lswd.session import worker

        trio.run(worker.run, natives, proc, identity, limits[0], limits[1])
    except BaseException as error:
        _report(error, natives)
    finally:
        os._exit(0)
