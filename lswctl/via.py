"""Running a program by a daemon that serves us: over its socket, or through the device.

The program gets our standard streams, working directory, environment and arguments; signals are passed on to it; its
end is ours. All of that takes little more than the interpreter's own start, so nothing slow may be imported here: not
socket, signal, json, re, enum, nor anything of lswd that brings them along.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # signal, socket: three times as slow, for enum
import _socket
import os
import select
import sys
from errno import EACCES, EAGAIN, EINVAL, ENOSYS, ENOTTY, EPERM, ESHUTDOWN, ESRCH, EUSERS

from lswctl.report import line, report, say
from lswd.device.packet import (
    GOODBYE,
    MAX_PACKET,
    REPLY,
    REQUEST,
    SYSTEM_SOCKET,
    USER_SOCKET,
    BadPacket,
    Packet,
    unpack,
)
from lswd.service.exit_codes import EXIT_INTERNAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from types import TracebackType
    from typing import Any, Protocol, Self

    from lswctl.launch import Request
    from lswd.session.order import Ending

    class Link(Protocol):
        """A way to tell the program of events."""

        def send(self, number: int, /) -> int | None:
            """Tell it SIGNAL_*; returns 0, -errno, or None when the answer comes later."""
            ...


_SO_PEERCRED_SIZE = 12
_LAUNCH = 1  # its sequence; signals follow
_AGAIN_MILLISECONDS = 20
# With these answers nothing has been started, and we may as well do it ourselves.
_REFUSALS = (EACCES, EAGAIN, EINVAL, ENOSYS, ENOTTY, EPERM, ESHUTDOWN, EUSERS)


class Refused(Exception):
    """The daemon does not run it, and has not begun to. The message tells why."""


class Lost(Exception):
    """The daemon went away while the program ran. The message tells how."""


def run(request: Request) -> int | None:
    """Run the program by the first daemon that serves us, in the way asked for.

    Returns:
        What lswctl exits with; None when there is no daemon and the user has not insisted on one.
    """
    from lswctl.launch import AUTO, DEVICE, SOCKET

    ways = {SOCKET: _by_socket, DEVICE: _by_device}
    wanted = list(ways) if request.via == AUTO else [request.via]
    why_not = _peculiar(request) if request.via == AUTO else ""
    for way in wanted:
        try:
            if why_not:
                raise Refused(why_not)
            return ways[way](request)
        except Refused as refusal:
            if request.via != AUTO:
                say(f"{request.program}: {refusal}")
                return EXIT_INTERNAL
            if request.verbose:
                line(f"INFO  not by {way}: {refusal}")
        except Lost as loss:
            say(f"{request.program}: {loss}")
            return EXIT_INTERNAL
    return None


def _by_socket(request: Request) -> int:
    """Raises Refused, Lost."""
    connection = connect(os.environ)
    try:
        ending = _launch(connection, request)
    finally:
        connection.close()
    if ending.message:
        say(ending.message)
    else:
        report(request.program, ending, verbose=request.verbose, json=request.json)
    return ending.exit_code


def _by_device(request: Request) -> int:
    """Raises Refused, Lost."""
    from lswctl import device

    return device.run(request)


def _peculiar(request: Request) -> str:
    """What a daemon could not do as this process can, or ""."""
    if request.trace not in ("", "-") and not os.path.isfile(request.trace):
        return "the trace goes to no regular file"  # /dev/fd/63 means something here only
    if request.report and not os.path.isfile(request.report):
        return "the report goes to no regular file"
    try:
        if os.getpgrp() != os.tcgetpgrp(0):
            return "in the background"  # where the terminal must not be read, and only a shell's own child is told so
    except OSError:  # stdin is no terminal, or not ours
        pass
    return ""


def paths(environ: Mapping[str, str]) -> list[str]:
    """Where a daemon's socket may be, the likeliest first."""
    given = environ.get("LSW_SOCKET", "")
    if given:
        return [given]
    directory = environ.get("XDG_RUNTIME_DIR", "")
    return [*([os.path.join(directory, USER_SOCKET)] if directory else []), SYSTEM_SOCKET]


def connect(environ: Mapping[str, str]) -> Any:
    """A socket connected to a daemon. Raises Refused: there is none, or it is somebody else's."""
    why = []
    for path in paths(environ):
        connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_SEQPACKET | _socket.SOCK_CLOEXEC)
        try:
            connection.connect(path)
            credentials = connection.getsockopt(_socket.SOL_SOCKET, _socket.SO_PEERCRED, _SO_PEERCRED_SIZE)
            server = int.from_bytes(credentials[4:8], sys.byteorder)
        except OSError as error:
            connection.close()
            why.append(f"{path}: {error.strerror or error}")
            continue
        # It gets our files and our environment: it must be root's, or our own. sudo may keep XDG_RUNTIME_DIR.
        if server in (0, os.geteuid()):
            return connection
        connection.close()
        why.append(f"{path} is served by user {server}")
    raise Refused(f"no lswd serves us ({'; '.join(why)}); start one with `lswd --user`, or leave out --via socket")


def _launch(connection: Any, request: Request) -> Ending:
    """Have the program run to its end. Raises Refused, Lost."""
    from lswd.ioctl.numbers import LAUNCH_PE

    order = _order(request)
    files: list[int] = []
    terminal = _Terminal()
    with Signals() as signals:
        try:
            files.append(os.open(".", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC))
            files.append(os.memfd_create("order"))
            _write(files[1], order)
            rights = b"".join(number.to_bytes(4, sys.byteorder) for number in (0, 1, 2, *files))
            packet = Packet(LAUNCH_PE, REQUEST, _LAUNCH, 0)
            connection.sendmsg([packet.pack()], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, rights)])
        except (BrokenPipeError, ConnectionResetError):
            raise Refused(_farewell(connection)) from None
        except OSError as error:
            raise Refused(f"lswd does not take the program: {error.strerror}") from None
        finally:
            for number in files:
                os.close(number)
        try:
            reply = _wait(connection, signals)
            ending = _ending(reply, verbose=request.verbose or request.json)
        except Lost:
            terminal.restore()
            raise
        if ending.reason != 1:
            terminal.restore()
        return ending


def _farewell(connection: Any) -> str:
    """What a daemon that has closed the connection said before it did."""
    try:
        packet = unpack(_last_words(connection))
    except BadPacket:
        return "lswd has closed the connection"
    return f"lswd refuses: {packet.data.decode(errors='replace')}"


def _last_words(connection: Any) -> bytes:
    """What a connection that is closed has still to give, or nothing."""
    for _ in range(2):
        try:
            return bytes(connection.recv(MAX_PACKET))
        except OSError:
            pass
    return b""


def _order(request: Request) -> bytes:
    """Raises Refused: it is too large."""
    from lswd.session.order import Order, OrderError

    umask = os.umask(0)
    os.umask(umask)
    order = Order(
        request.program,
        request.arguments,
        environ=os.environ,
        environment=request.environment,
        confine=request.confine,
        cwd=request.cwd,
        drives=request.drives,
        engine=request.engine,
        limit=request.limit,
        network=request.network,
        prefix=request.prefix,
        report=os.path.abspath(request.report) if request.report else "",
        trace=request.trace if request.trace in ("", "-") else os.path.abspath(request.trace),
        umask=umask,
        userland=request.userland,
        verbose=request.verbose,
        windows_version=request.windows_version,
    )
    try:
        return order.to_bytes()
    except OrderError as error:
        raise Refused(str(error)) from None


def _write(descriptor: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(descriptor, view) :]


def _wait(connection: Any, signals: Signals) -> Packet:
    """The launch's reply; signals that come meanwhile go to the program. Raises Refused, Lost."""
    link = _Link(connection)
    poll = select.poll()
    poll.register(connection, select.POLLIN)
    poll.register(signals.wakeup, select.POLLIN)
    while True:
        for descriptor, _ in poll.poll(signals.patience()) or [(signals.wakeup, 0)]:
            if descriptor == signals.wakeup:
                signals.deliver(link)
                continue
            try:
                message = connection.recv(MAX_PACKET)
            except ConnectionResetError:
                message = _last_words(connection)  # Linux tells of the reset before it gives them
            if not message:
                raise Lost("lswd has gone, and the program with it")
            try:
                packet = unpack(message)
            except BadPacket as error:
                raise Lost(f"lswd sent nonsense: {error}") from None
            if packet.flags == GOODBYE:
                raise Refused(f"lswd refuses: {packet.data.decode(errors='replace')}")
            if packet.flags == REPLY and packet.sequence != _LAUNCH:
                if packet.sequence in link.sent:
                    signals.answered(link.sent.pop(packet.sequence), packet.result)
                continue
            if -packet.result in _REFUSALS:
                raise Refused(f"lswd does not run the program: {os.strerror(-packet.result)}")
            if packet.result < 0:
                raise Lost(f"lswd lost the program: {os.strerror(-packet.result)}")
            return packet


def _ending(packet: Packet, *, verbose: bool) -> Ending:
    """How the program ended; the particulars only if somebody may want them, for unpacking them takes its time."""
    from struct import Struct

    from lswd.ioctl.numbers import ENDING, LAUNCH_SIZE, REASON_EXITED
    from lswd.session.order import Ending, OrderError

    head = Struct(ENDING)
    if len(packet.data) != LAUNCH_SIZE:
        raise Lost("lswd sent nonsense: no answer to a launch")
    exit_status, reason, exit_code, size = head.unpack_from(packet.data)
    if reason == REASON_EXITED and not exit_status and not verbose:
        return Ending(exit_status, reason, exit_code)
    try:
        return Ending.from_bytes(packet.data[head.size :][:size])
    except OrderError:
        return Ending(exit_status, reason, exit_code)


class _Link:
    """The connection as signals see it."""

    def __init__(self, connection: Any) -> None:
        self.connection = connection
        self.sent: dict[int, int] = {}  # sequence: event
        self._sequence = _LAUNCH

    def send(self, number: int) -> int | None:
        """Tell the program of an event; the answer comes later."""
        from lswd.ioctl import commands

        self._sequence += 1
        self.sent[self._sequence] = number
        data = commands.Signal(pid=0, event=number).pack(commands.WORD)
        try:
            self.connection.send(Packet(commands.SIGNAL_PE.number, REQUEST, self._sequence, 0, data).pack())
        except OSError:  # it has gone, which reading will notice
            pass
        return None


class Signals:
    """Those that a shell or a person sends to the program they started, passed on to it.

    Ones that are ignored (nohup, a shell's background jobs) stay ignored.

    Attributes:
        wakeup: readable when there are some.
    """

    def __init__(self) -> None:
        from lswd.ioctl import numbers

        self._events = {
            _signal.SIGINT: numbers.SIGNAL_CTRL_C,
            _signal.SIGQUIT: numbers.SIGNAL_CTRL_BREAK,
            _signal.SIGTERM: numbers.SIGNAL_CLOSE,
            _signal.SIGHUP: numbers.SIGNAL_CLOSE,
            _signal.SIGWINCH: numbers.SIGNAL_RESIZED,
            _signal.SIGCONT: numbers.SIGNAL_CONTINUE,
            _signal.SIGTSTP: numbers.SIGNAL_STOP,
        }
        self._previous: dict[int, Any] = {}
        self._previous_wakeup = -1
        self._again: list[int] = []  # events for a program that was not there yet
        self.wakeup = self._write = -1

    def __enter__(self) -> Self:
        self.wakeup, self._write = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        self._previous_wakeup = _signal.set_wakeup_fd(self._write, warn_on_full_buffer=False)
        for number in self._events:
            if _signal.getsignal(number) not in (_signal.SIG_IGN, None):
                self._previous[number] = _signal.signal(number, _noted)
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._previous.items():
            _signal.signal(number, handler)
        _signal.set_wakeup_fd(self._previous_wakeup)
        os.close(self.wakeup)
        os.close(self._write)

    def patience(self) -> int | None:
        """For how many milliseconds to wait before ``deliver`` has something to do; None: until ``wakeup``."""
        return _AGAIN_MILLISECONDS if self._again else None

    def deliver(self, link: Link) -> None:
        """Pass on what has come."""
        events, self._again = self._again, []
        for event in events:
            self._send(link, event)
        try:
            numbers = os.read(self.wakeup, 4096)
        except BlockingIOError:
            return
        for number in numbers:
            if number in self._events:
                self._send(link, self._events[number])
            if number == _signal.SIGTSTP:  # Ctrl-Z: the program stops, then we do, and our shell takes over
                _signal.signal(number, _signal.SIG_DFL)
                os.kill(os.getpid(), number)
                _signal.signal(number, _noted)

    def answered(self, event: int, result: int) -> None:
        """What came of telling the program: when there is no program yet, the event is for later."""
        if result in (-ESRCH, -EAGAIN):
            self._again.append(event)

    def _send(self, link: Link, event: int) -> None:
        result = link.send(event)
        if result is not None:
            self.answered(event, result)


def _noted(_number: int, _frame: object) -> None:
    """The wake-up descriptor has it already."""


class _Terminal:
    """The line discipline as we found it, for a program that ends too suddenly to put it back."""

    def __init__(self) -> None:
        self._descriptor = next((number for number in (0, 1, 2) if os.isatty(number)), -1)
        self._found: Any = None
        if self._descriptor >= 0:
            import termios

            try:
                self._found = termios.tcgetattr(self._descriptor)
            except termios.error:
                pass

    def restore(self) -> None:
        """Put it back, if the terminal is still ours."""
        if self._found is None:
            return
        import termios

        try:
            if os.tcgetpgrp(self._descriptor) == os.getpgrp():
                termios.tcsetattr(self._descriptor, termios.TCSANOW, self._found)
        except (OSError, termios.error):
            pass


__all__ = ["Lost", "Refused", "Signals", "connect", "paths", "run"]
