"""Standard handles of a new process: a console for those that are a terminal, files for the rest.

A program whose standard streams are all redirected has no console, as under Wine: GetConsoleMode and opening CONOUT$
fail, and output goes out as the bytes it is.
"""

from __future__ import annotations

import os

from lswd.kernel.console.device import ConsoleDevice
from lswd.kernel.file_device import standard_file
from lswd.ntdef.file import (
    FILE_GENERIC_READ,
    FILE_GENERIC_WRITE,
    FILE_OPEN,
    FILE_READ_ATTRIBUTES,
    FILE_READ_DATA,
    FILE_SYNCHRONOUS_IO_NONALERT,
    FILE_WRITE_ATTRIBUTES,
    FILE_WRITE_DATA,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from lswd.kernel.console.console import Console
    from lswd.kernel.file import FileObject
    from lswd.kernel.process import Process
    from lswd.kernel.system import System

# RTL_USER_PROCESS_PARAMETERS.ConsoleHandle of a process that was started from Unix without a terminal
# (wine/condrv.h CONSOLE_HANDLE_SHELL_NO_WINDOW).
NO_CONSOLE = 0xFFFF_FFFF_FFFF_FFFC

_CODE_PAGES = "\\Registry\\Machine\\System\\CurrentControlSet\\Control\\Nls\\CodePage"
_REDIRECTED = (FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_WRITE)
_SYNCHRONIZE = 0x00100000
_CONSOLE = FILE_READ_DATA | FILE_WRITE_DATA | FILE_READ_ATTRIBUTES | FILE_WRITE_ATTRIBUTES | _SYNCHRONIZE


class Terminals:
    """The console that programs are started from: the host's terminal. A part of the System."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.console: Console | None = None
        self._oem_code_page = 0

    def oem_code_page(self) -> int:
        """The system's OEM code page, which consoles begin with."""
        if not self._oem_code_page:
            from lswd.ntdef.status import NtError

            try:
                key = self.system.registry.open(_CODE_PAGES)
                text = key.query_value("OEMCP").data.decode("utf-16-le", "replace").rstrip("\0")
                self._oem_code_page = int(text)
            except (NtError, ValueError):
                self._oem_code_page = 437
        return self._oem_code_page

    def open(self, fds: tuple[int, int, int], terminals: tuple[bool, bool, bool]) -> Console:
        """The console on the terminal that some of ``fds`` are."""
        from lswd.host.terminal import Terminal
        from lswd.kernel.console.console import Console

        stdin, stdout, stderr = (fd if is_tty else -1 for fd, is_tty in zip(fds, terminals, strict=True))
        output = next((fd for fd in (stdout, stderr, stdin) if fd >= 0 and _opened_for(fd, os.O_WRONLY)), -1)
        source = next((fd for fd in (stdin, stdout, stderr) if fd >= 0 and _opened_for(fd, os.O_RDONLY)), -1)
        if self.console is None:
            self.console = Console(Terminal(source, output), self.oem_code_page)
        return self.console


def _opened_for(fd: int, wanted: int) -> bool:
    """Was ``fd`` opened for reading (O_RDONLY), or for writing (O_WRONLY)?"""
    import fcntl

    mode = fcntl.fcntl(fd, fcntl.F_GETFL) & os.O_ACCMODE
    return mode in (wanted, os.O_RDWR)


def attach_console(process: Process, fds: tuple[int, int, int] = (0, 1, 2)) -> tuple[int, tuple[int, int, int]]:
    """Give a new process its standard handles and, when one of them is a terminal, a console.

    The terminal is given back by ``process.restore_host``.

    Args:
        fds: the host's stdin, stdout and stderr; they stay open when the handles are closed. One that is not open
            gives the handle 0.

    Returns:
        What goes into RTL_USER_PROCESS_PARAMETERS: ConsoleHandle, and the three standard handles.
    """
    system = process.system
    system.part(ConsoleDevice)
    terminals = (os.isatty(fds[0]), os.isatty(fds[1]), os.isatty(fds[2]))
    console = system.part(Terminals).open(fds, terminals) if any(terminals) else None
    handles = [0, 0, 0]
    for i, fd in enumerate(fds):
        if terminals[i] and console is not None:
            handles[i] = process.handles.add(_console_file(console, output=i > 0), _CONSOLE, inherit=True)
        elif _is_open(fd):
            access = _REDIRECTED[i]
            handles[i] = process.handles.add(standard_file(system, fd, access), access, inherit=True)
    reference = NO_CONSOLE & ((1 << 8 * process.space.word) - 1)
    if console is not None:
        reference = _reference(process, console)
    return reference, (handles[0], handles[1], handles[2])


def _is_open(fd: int) -> bool:
    try:
        os.fstat(fd)
    except OSError:
        return False
    return True


def _console_file(console: Console, *, output: bool) -> FileObject:
    from lswd.kernel.console.files import InputFile, OutputFile
    from lswd.kernel.file import OpenParameters

    parameters = OpenParameters(_CONSOLE, 0, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT)
    return OutputFile(parameters, console) if output else InputFile(parameters, console)


def _reference(process: Process, console: Console) -> int:
    from lswd.kernel.console.files import ReferenceFile, attach
    from lswd.kernel.file import OpenParameters

    def start_task(task: Callable[[], Awaitable[None]]) -> None:
        assert process.scheduler is not None
        process.scheduler.start_task(task)

    attach(process, console)
    console.start_task = start_task
    process.on_close.append(console.close)
    parameters = OpenParameters(_CONSOLE, 0, FILE_OPEN, FILE_SYNCHRONOUS_IO_NONALERT)
    return process.handles.add(ReferenceFile(parameters, console), _CONSOLE)
