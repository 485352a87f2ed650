"""A process started by another: what it inherits, and everything up to its first instruction.

Child processes live in the same host process as their parent: a handle, a pipe or an event they share is one object.
Source: Microsoft "CreateProcessW", "Inheritance", "Creating a Child Process with Redirected Input and Output".
"""

from __future__ import annotations

from lswd.image.pe import check_program
from lswd.kernel.section import ImageSection
from lswd.kernel.start import StartParameters, create_process, open_ntdll
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_NO_MEMORY,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_SYNTAX_BAD,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from lswd.kernel.process import Process
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread

_DOS_DEVICES = "\\??\\"
_MAXIMUM_PROCESSES = 1024


class Inheritance:
    """Which of its parent's handles a process gets.

    Attributes:
        everything: every inheritable one, under the same value.
        only: of these, those that are in here; None for all.
    """

    __slots__ = ("everything", "only")

    def __init__(self, *, everything: bool, only: Container[int] | None = None) -> None:
        self.everything = everything
        self.only = only


def open_program(system: System, nt_path: str) -> ImageSection:
    r"""The program ``\??\C:\dir\program.exe``.

    Raises:
        NtError: it is not there, not readable, or nothing that runs here (ImageError is one).
    """
    if not nt_path.startswith(_DOS_DEVICES):
        raise NtError(STATUS_OBJECT_PATH_SYNTAX_BAD)
    found = system.drives.resolve(nt_path.removeprefix(_DOS_DEVICES))
    if not found.exists:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    try:
        image = ImageSection.open(found.host, found.dos)
    except IsADirectoryError:
        raise NtError(STATUS_FILE_IS_A_DIRECTORY) from None
    except FileNotFoundError:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND) from None
    except OSError:
        raise NtError(STATUS_ACCESS_DENIED) from None
    check_program(image.image)
    return image


def spawn(parent: Process, image: ImageSection, start: StartParameters, inheritance: Inheritance) -> Thread:
    """A new process of ``image``; returns its first thread, which does not run before the scheduler is told.

    Handles in ``start`` are the parent's; those the child gets under another value, or not at all, are replaced.

    Raises:
        NtError: STATUS_NO_MEMORY: too many processes, or what else the host has run out of.
    """
    system = parent.system
    if system.new_process is None or len(system.processes) >= _MAXIMUM_PROCESSES:
        raise NtError(STATUS_NO_MEMORY)
    process = system.new_process()
    process.parent_pid = parent.pid
    process.affinity = parent.affinity
    process.error_mode = parent.error_mode
    try:
        _inherit(parent, process, start, inheritance)
        return create_process(process, image, open_ntdll(system), start)
    except OSError:
        process.close()
        raise NtError(STATUS_NO_MEMORY) from None
    except BaseException:
        process.close()
        raise


def _inherit(parent: Process, child: Process, start: StartParameters, inheritance: Inheritance) -> None:
    standard = list(start.standard_handles)
    if inheritance.everything:
        for value, entry in parent.handles:
            if entry.inherit and (inheritance.only is None or value in inheritance.only):
                child.handles.add(entry.object, entry.access, inherit=True, value=value)
    else:
        # Without inheritance a console program still gets its parent's standard handles, under values of its own.
        standard = [_duplicate(parent, child, value, inherit=True) for value in standard]
    start.standard_handles = (standard[0], standard[1], standard[2])
    start.console_handle = _duplicate(parent, child, start.console_handle, inherit=False)


def _duplicate(parent: Process, child: Process, value: int, *, inherit: bool) -> int:
    """The child's handle to what the parent's ``value`` refers to; ``value`` itself when that is no handle."""
    try:
        entry = parent.handles.entry(value)
    except NtError:
        return value
    return child.handles.add(entry.object, entry.access, inherit=inherit)
