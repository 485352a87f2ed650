"""The Unix half of ntdll: loading ELF modules, which we never do, the precise clock, and since Wine 9 diagnostics."""

from __future__ import annotations

from lswd.kernel.diagnostics import write_diagnostics
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


def wine_dbg_write(thread: Thread, arguments: int) -> int:
    """{ const char *str; size_t len }; returns how much was written."""
    space = thread.process.space
    text, length = space.read_pointer(arguments), space.read_pointer(arguments + space.word)
    return write_diagnostics(thread.process, text, length)


FUNCTIONS: dict[str, UnixFunction] = {
    "load_so_dll": load_so_dll,
    "unwind_builtin_dll": unwind_builtin_dll,
    "system_time_precise": system_time_precise,
    "wine_dbg_write": wine_dbg_write,
}
_WINE_8 = ("load_so_dll", "unwind_builtin_dll", "system_time_precise")


def function(names: tuple[str, ...], code: int) -> UnixFunction | None:
    """The handler of ``code`` in a userland whose table has these names; with none, in Wine 8."""
    table = names or _WINE_8
    return FUNCTIONS.get(table[code]) if code < len(table) else None
