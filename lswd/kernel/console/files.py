"""The file objects of the console device: the console itself, connections to it, its input and its screen buffers.

``Input`` and ``Output`` handles mean whatever console the calling process is attached to at the time; a screen buffer
opened by itself stays that one. Source: wine/condrv.h; Microsoft "Console Handles".
"""

from __future__ import annotations

from lswd.kernel.console import protocol
from lswd.kernel.console.controls import INPUT, OUTPUT, Request
from lswd.kernel.console.protocol import RECORD_SIZE, required_access
from lswd.kernel.file import FileObject
from lswd.kernel.object import MAXIMUM_ALLOWED
from lswd.ntdef.file import (
    FILE_ALL_ACCESS,
    FILE_DEVICE_CONSOLE,
    FILE_OPENED,
    FILE_READ_DATA,
    FILE_SYNCHRONOUS_IO_NONALERT,
    FILE_WRITE_DATA,
)
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.console.console import Console
    from lswd.kernel.console.screen import ScreenBuffer
    from lswd.kernel.file import OpenParameters
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.kernel.wait import Wait

_PIECE = 1 << 16  # a long text is written in pieces
_MOST_INPUT = 64 << 20  # no IOCTL's parameters are larger: MOST_CELLS cells fit
_ATTACH_PARENT_PROCESS = 0xFFFFFFFF


class ConsoleFile(FileObject):
    """What they share."""

    device_type = FILE_DEVICE_CONSOLE

    def __init__(self, parameters: OpenParameters) -> None:
        access = parameters.access
        if access & MAXIMUM_ALLOWED:
            access = access & ~MAXIMUM_ALLOWED | FILE_ALL_ACCESS
        super().__init__(access, parameters.options | FILE_SYNCHRONOUS_IO_NONALERT)
        parameters.information = FILE_OPENED

    def path(self) -> str:
        return "\\Device\\ConDrv"

    def _console(self, process: Process) -> Console:
        """The console the handle is about, when ``process`` uses it."""
        if process.console is None:
            raise NtError(STATUS_INVALID_HANDLE)
        console: Console = process.console
        return console

    def _check(self, code: int) -> None:
        needed = required_access(code)
        if needed & protocol.FILE_READ_ACCESS and not self.access & FILE_READ_DATA:
            raise NtError(STATUS_ACCESS_DENIED)
        if needed & protocol.FILE_WRITE_ACCESS and not self.access & FILE_WRITE_DATA:
            raise NtError(STATUS_ACCESS_DENIED)


def _request(thread: Thread, address: int, length: int, room: int) -> Request:
    if length > _MOST_INPUT:
        raise NtError(STATUS_INVALID_PARAMETER)
    return Request(thread.process, bytes(thread.process.space.read(address, length)) if length else b"", room)


def _answer(thread: Thread, address: int, room: int, data: bytes) -> int:
    data = data[:room]
    if data:
        thread.process.space.write(address, data)
    return len(data)


class _Waits(dict["Wait", None]):
    """Who waits for a handle; the terminal is only read while somebody does."""

    def __init__(self, console: Console) -> None:
        super().__init__()
        self._console = console

    def __setitem__(self, wait: Wait, nothing: None) -> None:
        super().__setitem__(wait, nothing)
        self._console.input.demand_changed()

    def pop(self, wait: Wait, *default: None) -> None:  # type: ignore[override]
        super().pop(wait, *default)
        self._console.input.demand_changed()


class SignalledFile(ConsoleFile):
    """A handle that is signalled while there is input."""

    def __init__(self, parameters: OpenParameters, console: Console) -> None:
        super().__init__(parameters)
        self._opened_on = console
        self.waits = _Waits(console)
        console.files.append(self)

    def is_signalled(self, thread: Thread) -> bool:
        return self._opened_on.input.ready()

    def cleanup(self) -> None:
        if self in self._opened_on.files:
            self._opened_on.files.remove(self)


class InputFile(SignalledFile):
    """A handle to a console's input; what asks about the console as a whole goes to one, too."""

    async def read(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        thread.process.space.probe_write(address, length)
        data = await self._console(thread.process).input.read_bytes(length)
        return _answer(thread, address, length, data)

    async def flush(self, thread: Thread, *, data_only: bool = False) -> None:
        self._console(thread.process).input.flush()

    async def device_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        console = self._console(thread.process)
        action = INPUT.get(code)
        if action is not None:
            self._check(code)
            data = action(console, _request(thread, address, length, out_length))
            return _answer(thread, out_address, out_length, data)
        if code not in _READS:
            raise NtError(STATUS_INVALID_HANDLE)
        self._check(code)
        if out_length:
            thread.process.space.probe_write(out_address, out_length)
        if code == protocol.READ_FILE:
            data = await console.input.read_bytes(out_length)
        elif code == protocol.READ_CONSOLE:
            data = await console.input.read_text(out_length)
        elif code == protocol.READ_INPUT:
            if out_length % RECORD_SIZE:
                raise NtError(STATUS_INVALID_PARAMETER)
            data = await console.input.read_records(out_length // RECORD_SIZE) if out_length else b""
        else:
            data = await self._read_control(console, _request(thread, address, length, out_length))
        return _answer(thread, out_address, out_length, data)

    @staticmethod
    async def _read_control(console: Console, request: Request) -> bytes:
        """ReadConsole with a CONSOLE_READCONSOLE_CONTROL: a mask of control characters that end the read (which a
        terminal's own line editing does not know), then text to begin with; the answer begins with the key state.
        """
        if len(request.data) < 4 or len(request.data) & 1 or request.room < len(request.data):
            raise NtError(STATUS_INVALID_PARAMETER)
        initial = request.data[4:]
        return bytes(4) + initial + await console.input.read_text(request.room - 4 - len(initial))


_READS = frozenset((protocol.READ_FILE, protocol.READ_CONSOLE, protocol.READ_INPUT, protocol.READ_CONSOLE_CONTROL))


class ReferenceFile(InputFile):
    """A handle to one console, attached or not: PEB's ConsoleHandle, and CONIN$."""

    def __init__(self, parameters: OpenParameters, console: Console) -> None:
        super().__init__(parameters, console)
        self.console = console

    def _console(self, process: Process) -> Console:
        return self.console

    def open_relative(self, process: Process, name: str, parameters: OpenParameters) -> FileObject:
        if name.lower() != "connection":
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        if process.console not in (None, self.console):
            raise NtError(STATUS_ACCESS_DENIED)
        attach(process, self.console)
        return ConnectionFile(process, parameters)


class ConnectionFile(ConsoleFile):
    """A process's attachment to a console: closing it detaches the process."""

    def __init__(self, process: Process, parameters: OpenParameters) -> None:
        super().__init__(parameters)
        self._process = process

    def open_relative(self, process: Process, name: str, parameters: OpenParameters) -> FileObject:
        if name.lower() != "reference":
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        return ReferenceFile(parameters, self._console(process))

    async def device_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        """AttachConsole: the console of another process, or the one this process was started from."""
        if code != protocol.BIND_PID:
            raise NtError(STATUS_INVALID_HANDLE)
        pid = _request(thread, address, length, out_length).number()
        if thread.process.console is not None:
            raise NtError(STATUS_INVALID_HANDLE)
        from lswd.kernel.console.attach import Terminals

        if pid == _ATTACH_PARENT_PROCESS:
            console = thread.process.system.part(Terminals).console
        else:
            other = thread.process.system.processes.get(pid)
            if other is None or other.ended:
                raise NtError(STATUS_INVALID_PARAMETER)
            console = other.console
        if console is None:
            raise NtError(STATUS_ACCESS_DENIED)
        attach(thread.process, console)
        return 0

    def cleanup(self) -> None:
        detach(self._process)


class OutputFile(SignalledFile):
    """A handle to the active screen buffer of the process's console."""

    def _screen(self, process: Process) -> ScreenBuffer:
        return self._console(process).screen

    async def write(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        self._write_pieces(thread, protocol.WRITE_FILE, address, length)
        return length

    async def device_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        action = OUTPUT.get(code)
        if action is None:
            raise NtError(STATUS_INVALID_HANDLE)
        self._check(code)
        if code in (protocol.WRITE_CONSOLE, protocol.WRITE_FILE):
            self._write_pieces(thread, code, address, length)
            return length if code == protocol.WRITE_FILE else 0
        screen = self._screen(thread.process)
        return _answer(thread, out_address, out_length, action(screen, _request(thread, address, length, out_length)))

    def _write_pieces(self, thread: Thread, code: int, address: int, length: int) -> None:
        screen, action = self._screen(thread.process), OUTPUT[code]
        for at in range(0, length, _PIECE):
            action(screen, _request(thread, address + at, min(_PIECE, length - at), 0))


class ScreenFile(OutputFile):
    """A handle to one screen buffer: CONOUT$, CreateConsoleScreenBuffer."""

    def __init__(self, parameters: OpenParameters, console: Console, screen: ScreenBuffer) -> None:
        super().__init__(parameters, console)
        self.screen = screen
        screen.opens += 1

    def _screen(self, process: Process) -> ScreenBuffer:
        return self.screen

    def cleanup(self) -> None:
        super().cleanup()
        self.screen.opens -= 1
        if not self.screen.opens:
            self.screen.console.screen_closed(self.screen)


def attach(process: Process, console: Console) -> None:
    """Make ``console`` the process's console."""
    process.console = console
    if process not in console.processes:
        console.processes.append(process)


def detach(process: Process) -> None:
    """Take its console from a process."""
    console, process.console = process.console, None
    if console is not None and process in console.processes:
        console.processes.remove(process)
