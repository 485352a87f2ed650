"""Running a program through the device, as a loader does: registering this process and asking for its execution.

The daemon takes streams, working directory and environment from this process, and as arguments what follows the first
``--`` of its command line. Where ours is another, we start ourselves anew with one that fits.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]
import _thread
import fcntl
import os
import select
import sys

from lswctl.report import exit_code, report, say
from lswctl.via import Lost, Refused, Signals
from lswd.ioctl import commands as c
from lswd.service.exit_codes import EXIT_INTERNAL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswctl.launch import Request

PATH = "/dev/lsw"
_LONGEST_PROGRAM = 255
_UNFIT = ("confine", "drives", "engine", "limit", "network", "report", "trace", "verbose", "windows_version")
_AGAIN = "from lswctl.device import main; main()"


class Device:
    """The open device."""

    def __init__(self, path: str = PATH) -> None:
        """Raises OSError."""
        self._fd = os.open(path, os.O_RDWR | os.O_CLOEXEC)

    def command(self, command: c.Command, argument: int = 0, data: bytes = b"") -> tuple[int, bytes]:
        """Send a command; returns its result and struct. Raises OSError."""
        if command.by_value:
            # fcntl takes what an int of C holds.
            return fcntl.ioctl(self._fd, command.number, argument), b""
        buffer = bytearray(data or bytes(command.out_size))
        return fcntl.ioctl(self._fd, command.number, buffer), bytes(buffer)

    def close(self) -> None:
        """Give it back; what was registered through it is forgotten."""
        os.close(self._fd)

    def send(self, number: int) -> int:
        """Tell the program of an event (SIGNAL_*); returns 0 or -errno."""
        try:
            self.command(c.SIGNAL_PE, 0, c.Signal(pid=os.getpid(), event=number).pack(c.WORD))
        except OSError as error:
            return -(error.errno or 1)
        return 0


def run(request: Request) -> int:
    """Run the program; returns what lswctl exits with. Raises Refused: it was not started."""
    unfit = [name for name in _UNFIT if getattr(request, name)]
    if unfit:
        option = {
            "drives": "--drive",
            "engine": "--engine (or the setting engine)",
            "verbose": "-v",
            "windows_version": "--windows-version (or the setting windows_version)",
        }
        raise Refused(f"{option.get(unfit[0], '--' + unfit[0])} does not reach a program through {PATH}")
    device = _open()
    try:
        if not os.path.isfile(request.program) and not _is_dos(request.program):
            # A registration without a file and without an image in memory is nothing to run, and no failure. What is
            # wrong with the path is for whoever would have run it to say.
            from lswctl.embedded import run as explain

            return explain(request, None)
        if request.cwd:
            if not _is_dos(request.program):
                request.program = os.path.abspath(request.program)
            os.chdir(request.cwd)
        if len(os.fsencode(request.program)) > _LONGEST_PROGRAM:
            raise Refused(f"its path has more than the {_LONGEST_PROGRAM} bytes that {PATH} takes")
        _fit(request)
        return _execute(device, request.program, json=request.json)
    finally:
        device.close()


def _is_dos(program: str) -> bool:
    return "\\" in program or program[1:2] == ":"


def _open() -> Device:
    """The device, if it is a daemon's that runs programs. Raises Refused."""
    try:
        device = Device()
    except OSError as error:
        raise Refused(f"{PATH}: {error.strerror}") from None
    try:
        _, data = device.command(c.INFO)
    except OSError:
        device.close()
        raise Refused(f"{PATH} is no lswd's") from None
    if not c.Info.unpack(c.WORD, data).features & c.FEATURE_EMULATE:
        device.close()
        raise Refused(f"{PATH} only acknowledges programs (execute = acknowledge)")
    return device


def _fit(request: Request) -> None:
    """Become a process whose command line and environment are right for the program, unless this one is."""
    environ = dict(os.environ, **request.environment)
    if request.prefix:
        environ["LSW_PREFIX"] = os.path.abspath(request.prefix)
    if request.userland:
        environ["LSW_USERLAND"] = request.userland
    if not request.arguments and "--" not in sys.orig_argv and environ == dict(os.environ):
        return
    root = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    code = f"import sys; sys.path.insert(0, {root!r}); {_AGAIN}"
    json = "--json" if request.json else "--no-json"
    words = [sys.executable, "-IS", "-c", code, json, request.program, "--", *request.arguments]
    sys.stdout.flush()
    sys.stderr.flush()
    os.execve(sys.executable, words, environ)


def main() -> None:
    """What ``_fit`` starts: sys.argv is -c, --json or --no-json, PROGRAM, --, and what it is not ours to read."""
    try:
        code = _execute(_open(), sys.argv[2], json=sys.argv[1] == "--json")
    except (Refused, Lost) as error:
        say(f"{sys.argv[2]}: {error}")
        code = EXIT_INTERNAL
    except KeyboardInterrupt:
        code = 130
    sys.exit(code)


def _execute(device: Device, program: str, *, json: bool) -> int:
    """Raises Refused, Lost."""
    from lswd.session.order import Ending

    pid = os.getpid()
    info = c.PeInfo(base=0, entry=0, image_size=0, pid=pid, is_64bit=1, path=os.fsencode(program))
    try:
        device.command(c.REGISTER_PE, 0, info.pack(c.WORD))
    except OSError as error:
        raise Refused(f"{PATH} does not take the program: {error.strerror}") from None
    failure = _wait(device, pid)
    if failure:
        raise Lost(f"lswd lost the program: {os.strerror(failure)}")
    try:
        _, data = device.command(c.WAIT_PE, 0, c.Wait(pid=pid, timeout_ms=0).pack(c.WORD))
    except OSError as error:
        raise Lost(f"lswd has lost how the program ended: {error.strerror}") from None
    end = c.Wait.unpack(c.WORD, data)
    if json:
        report(program, Ending(end.exit_status, end.reason), verbose=False, json=True)
    return exit_code(end.exit_status)


def _wait(device: Device, pid: int) -> int:
    """Have the program run to its end; returns 0 or an errno.

    A thread of its own waits, with all signals blocked: one that interrupted EXECUTE, were it only the terminal's new
    size, would be the program's Ctrl-C. Signals come to this thread, which tells the program what they are.
    """
    reading, writing = os.pipe2(os.O_CLOEXEC)
    failures: list[int] = []

    def execute() -> None:
        _signal.pthread_sigmask(_signal.SIG_BLOCK, _signal.valid_signals())
        try:
            device.command(c.EXECUTE_PE, pid)
        except OSError as error:
            failures.append(error.errno or EXIT_INTERNAL)
        finally:
            os.close(writing)

    with Signals() as signals:
        _thread.start_new_thread(execute, ())
        poll = select.poll()
        poll.register(reading, select.POLLIN)
        poll.register(signals.wakeup, select.POLLIN)
        while reading not in [descriptor for descriptor, _ in poll.poll(signals.patience())]:
            signals.deliver(device)
    os.close(reading)
    return failures[0] if failures else 0


__all__ = ["PATH", "Device", "main", "run"]
