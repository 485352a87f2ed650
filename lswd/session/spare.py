"""A process that is ready before a program is asked for: forked from the zygote while nothing else is to be done.

It has launched a small program already, so it need not copy, compute or look up what the first launch in a process has
to. What it then runs is told by the packet that the zygote would have acted on itself.
"""

from __future__ import annotations

import gc
import os
import signal
import socket

from lswd.session import messages as m

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.session.program import Launcher

IDLE_MILLISECONDS = 100  # how long nothing is to be done before a spare is made
_READY = b"ready"


class Spare:
    """The zygote's side.

    Attributes:
        pid, pidfd: the process. reading: the pipe its report will come through.
        connection: where to it is told what to run; readable when it is ready, or has died.
    """

    __slots__ = ("connection", "pid", "pidfd", "reading")

    def __init__(self, pid: int, reading: int, connection: socket.socket) -> None:
        self.pid = pid
        self.pidfd = os.pidfd_open(pid)
        self.reading = reading
        self.connection = connection

    def is_ready(self) -> bool | None:
        """Can it begin at once? None when it has died."""
        try:
            return True if self.connection.recv(len(_READY), socket.MSG_DONTWAIT) == _READY else None
        except BlockingIOError:
            return False
        except OSError:
            return None

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


def wait_for_work(connection: socket.socket, launcher: Launcher) -> tuple[bytes, list[int]]:
    """In the spare: get ready, say so, wait. Returns the packet and its descriptors; b"" when there will be none."""
    environ = dict(os.environ)
    try:
        launcher.warm_up()
    except Exception:  # a program that is to run here will say what is wrong
        pass
    os.environ.clear()
    os.environ.update(environ)
    os.chdir("/")
    gc.collect()
    gc.freeze()
    connection.send(_READY)
    return m.receive_with(connection)
