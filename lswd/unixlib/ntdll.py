"""The Unix half of ntdll (Wine 8): loading ELF modules, which we never do, and the precise clock."""

from __future__ import annotations

from lswd.kernel.wait import system_time
from lswd.ntdef.status import STATUS_INVALID_IMAGE_FORMAT, STATUS_SUCCESS, STATUS_UNSUCCESSFUL

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.unixlib import UnixFunction


def load_so_dll(thread: Thread, arguments: int) -> int:
    """There are no ELF modules here: what is no PE image is nothing (asked after NtCreateSection said "not MZ")."""
    return STATUS_INVALID_IMAGE_FORMAT


def unwind_builtin_dll(thread: Thread, arguments: int) -> int:
    """Nor is there any ELF frame to unwind through."""
    return STATUS_UNSUCCESSFUL


def system_time_precise(thread: Thread, arguments: int) -> int:
    thread.process.space.write_u64(arguments, system_time())
    return STATUS_SUCCESS


FUNCTIONS: dict[int, UnixFunction] = {0: load_so_dll, 1: unwind_builtin_dll, 2: system_time_precise}
