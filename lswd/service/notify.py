"""What systemd wants to hear from a service, and the sockets it hands over.

Source: sd_notify(3), sd_listen_fds(3), sd_watchdog_enabled(3). All of it does nothing when systemd did not start us.
"""

from __future__ import annotations

import os
import socket
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_FIRST_PASSED = 3


class Notifier:
    """Tells systemd how we are, at the address in NOTIFY_SOCKET."""

    def __init__(self, environ: Mapping[str, str], pid: int | None = None) -> None:
        """``pid``: this process, unless a test has another idea."""
        address = environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        self.watchdog_seconds = _watchdog_seconds(environ, os.getpid() if pid is None else pid)

    def tell(self, *lines: str) -> bool:
        """Send assignments such as "READY=1"; True when somebody got them."""
        if not self._address.startswith(("/", "\0")):
            return False
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as out:
            out.setblocking(False)  # a systemd that does not listen must not hold up our clients
            try:
                out.connect(self._address)
                out.sendall("\n".join(lines).encode())
            except OSError:
                return False
        return True

    def ready(self, status: str) -> None:
        """We serve; also the end of a reload."""
        self.tell("READY=1", f"STATUS={status}")

    def reloading(self) -> None:
        """The configuration is being read again."""
        self.tell("RELOADING=1", f"MONOTONIC_USEC={time.clock_gettime_ns(time.CLOCK_MONOTONIC) // 1000}")

    def stopping(self, status: str) -> None:
        """We are about to end."""
        self.tell("STOPPING=1", f"STATUS={status}")

    def alive(self) -> None:
        """Sent at least every ``watchdog_seconds``, or systemd starts us anew."""
        self.tell("WATCHDOG=1")


def _watchdog_seconds(environ: Mapping[str, str], pid: int) -> float:
    """0 when there is no watchdog."""
    if environ.get("WATCHDOG_PID", str(pid)) != str(pid):
        return 0.0
    try:
        return max(0, int(environ.get("WATCHDOG_USEC", "0"))) / 1e6
    except ValueError:
        return 0.0


def passed_sockets(environ: Mapping[str, str], pid: int | None = None) -> list[socket.socket]:
    """The listening SEQPACKET Unix sockets that systemd opened for us (socket activation).

    Raises:
        OSError: what was passed is none. The message tells which descriptor.
    """
    if environ.get("LISTEN_PID") != str(os.getpid() if pid is None else pid):
        return []
    try:
        count = int(environ.get("LISTEN_FDS", "0"))
    except ValueError:
        return []
    sockets = []
    for descriptor in range(_FIRST_PASSED, _FIRST_PASSED + max(0, min(count, 64))):
        os.set_inheritable(descriptor, False)
        passed = socket.socket(fileno=descriptor)
        if (passed.family, passed.type) != (socket.AF_UNIX, socket.SOCK_SEQPACKET):
            raise OSError(f"descriptor {descriptor} from systemd is no SEQPACKET Unix socket (ListenSequentialPacket=)")
        sockets.append(passed)
    return sockets
