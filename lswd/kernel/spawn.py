"""A process started by another: what it inherits, and everything up to its first instruction.

Child processes live in the same host process as their parent: a handle, a pipe or an event they share is one object.
Source: Microsoft "CreateProcessW", "Inheritance", "Creating a Child Process with Redirected Input and Output".
"""

from __future__ import annotations

import os

from lswd.image.pe import check_program
from lswd.kernel.job import job_of_child
from lswd.kernel.redirection import redirected
from lswd.kernel.section import ImageSection, word_of
from lswd.kernel.start import StartParameters, create_process, open_ntdll
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_IMAGE_WIN_32,
    STATUS_NO_MEMORY,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_SYNTAX_BAD,
    NtError,
)
from lswd.userland.userland import UserlandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container, Iterable

    from lswd.kernel.job import Job
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

_DOS_DEVICES = "\\??\\"
_MAXIMUM_PROCESSES = 1024
# ConsoleHandle of a process without a console, with one of its own, with one that has no window (wine/condrv.h).
_POINTER = 0xFFFFFFFF
_APART = (0, 0xFFFFFFFF, 0xFFFFFFFE)
_INHERITED_PRIORITIES = (1, 5)  # idle and below normal; children of others are of the normal class


class Inheritance:
    """What a process gets of its parent.

    Attributes:
        everything: every inheritable handle, under the same value.
        only: of these, those that are in here; None for all.
        jobs: jobs it is in from the beginning, beside its parent's.
        breakaway: it is not in its parent's job.
        new_group: it begins a console process group.
    """

    __slots__ = ("breakaway", "everything", "jobs", "new_group", "only")

    def __init__(
        self,
        *,
        everything: bool,
        only: Container[int] | None = None,
        jobs: Iterable[Job] = (),
        breakaway: bool = False,
        new_group: bool = False,
    ) -> None:
        self.everything = everything
        self.only = only
        self.jobs = tuple(jobs)
        self.breakaway = breakaway
        self.new_group = new_group


def open_program(process: Process, nt_path: str) -> ImageSection:
    r"""The program ``\??\C:\dir\program.exe``, as ``process`` means it.

    Raises:
        NtError: it is not there, not readable, or nothing that runs here (ImageError is one).
    """
    if not nt_path.startswith(_DOS_DEVICES):
        raise NtError(STATUS_OBJECT_PATH_SYNTAX_BAD)
    found = process.system.drives.resolve(redirected(process, nt_path.removeprefix(_DOS_DEVICES)))
    if not found.exists:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
    try:
        image = ImageSection.open(found.host, found.dos)
    except FileNotFoundError:
        raise NtError(STATUS_OBJECT_NAME_NOT_FOUND) from None
    except OSError:
        raise NtError(STATUS_FILE_IS_A_DIRECTORY if os.path.isdir(found.host) else STATUS_ACCESS_DENIED) from None
    check_program(image.image)
    if word_of(image) == 4:
        try:
            _ = process.system.userland.i386
        except UserlandError:
            raise NtError(STATUS_INVALID_IMAGE_WIN_32) from None
    return image


def spawn(parent: Process, image: ImageSection, start: StartParameters, inheritance: Inheritance) -> Thread:
    """A new process of ``image``; returns its first thread, which does not run before the scheduler is told.

    Handles in ``start`` are the parent's; those the child gets under another value, or not at all, are replaced.

    Raises:
        NtError: STATUS_NO_MEMORY: too many processes, or what else the host has run out of; what its jobs say.
    """
    system = parent.system
    if system.new_process is None or len(system.running_processes()) >= _MAXIMUM_PROCESSES:
        raise NtError(STATUS_NO_MEMORY)
    job = job_of_child(parent.job, breakaway=inheritance.breakaway)
    if job is not None:
        job.admit()
    process = system.new_process(word_of(image))
    process.on_close.append(image.close)  # the process itself may be garbage for long
    process.parent_pid = parent.pid
    process.affinity = parent.affinity
    process.error_mode = parent.error_mode
    process.token = parent.token.duplicate(parent.token.kind, parent.token.level) if parent.token is not None else None
    if parent.priority_class in _INHERITED_PRIORITIES:
        process.priority_class = parent.priority_class
    process.detached = start.console_handle & _POINTER in _APART
    if not inheritance.new_group:
        process.group = parent.group
    try:
        _inherit(parent, process, start, inheritance)
        thread = create_process(process, image, open_ntdll(system, process.space.word), start)
        for joined in (job, *inheritance.jobs):
            if joined is not None:
                joined.assign(process)
    except OSError:
        discard(process)
        raise NtError(STATUS_NO_MEMORY) from None
    except BaseException:
        discard(process)
        raise
    return thread


def discard(process: Process) -> None:
    """End a process that has not come to life."""
    process.scheduler = None
    process.end(STATUS_NO_MEMORY)
    process.close()
    process.close()


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
