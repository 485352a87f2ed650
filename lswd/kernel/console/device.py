"""``\\Device\\ConDrv``: which names open what. Source: wine/condrv.h, Wine's kernelbase calls of NtCreateFile."""

from __future__ import annotations

from lswd.kernel.file import FileDevice
from lswd.kernel.namespace import SymbolicLink
from lswd.ntdef.file import FILE_READ_DATA, FILE_WRITE_DATA
from lswd.ntdef.status import (
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_NAME_NOT_FOUND,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file import FileObject, OpenParameters
    from lswd.kernel.process import Process
    from lswd.kernel.system import System

_DOS_NAMES = (("CON", "Console"), ("CONIN$", "CurrentIn"), ("CONOUT$", "CurrentOut"))


class ConsoleDevice(FileDevice):
    """The device. A process without a console can open nothing but a connection to one."""

    def __init__(self, system: System) -> None:
        super().__init__()
        system.namespace.directory("\\Device").insert("ConDrv", self)
        dos_devices = system.namespace.directory("\\GLOBAL??")
        for dos_name, name in _DOS_NAMES:
            dos_devices.insert(dos_name, SymbolicLink(f"\\Device\\ConDrv\\{name}", permanent=True))

    def open(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        name = rest.lstrip("\\").lower()
        if name == "connection":
            from lswd.kernel.console.files import ConnectionFile

            return ConnectionFile(process, parameters)
        if name == "server":  # a console in a window of its own
            raise NtError(STATUS_NOT_SUPPORTED)
        if name not in ("console", "currentin", "currentout", "input", "output", "screenbuffer"):
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        console = process.console
        if console is None:
            raise NtError(STATUS_INVALID_HANDLE)
        if name == "console":  # CON is the input or the output, by what it is opened for
            write, read = parameters.access & FILE_WRITE_DATA, parameters.access & FILE_READ_DATA
            if write and read:
                raise NtError(STATUS_INVALID_PARAMETER)
            name = "currentout" if write else "currentin"
        from lswd.kernel.console.files import InputFile, OutputFile, ReferenceFile, ScreenFile

        if name == "currentin":
            return ReferenceFile(parameters, console)
        if name == "input":
            return InputFile(parameters, console)
        if name == "output":
            return OutputFile(parameters, console)
        return ScreenFile(parameters, console, console.screen if name == "currentout" else console.new_screen())
