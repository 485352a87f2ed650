"""Unix halves of userland DLLs: one module per DLL, each with ``FUNCTIONS``, a table of code to handler.
A handler gets the calling thread and the address of its arguments, and returns an NTSTATUS; one that may wait is a
coroutine.

Handles given to the guest are indices into ``LIBRARIES``, plus one. Codes are the position in the DLL's own table. The
tables of most have stayed the same from Wine 8 to 10; those of ntdll and opengl32 have not, so their functions go by
name, and the userland's own type information says which code is whose.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any, TypeAlias

    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

    UnixFunction: TypeAlias = Callable[[Thread, int], int | Coroutine[Any, Any, int]]

LIBRARIES = (
    "ntdll.dll", "ws2_32.dll", "bcrypt.dll", "crypt32.dll", "secur32.dll", "dnsapi.dll", "msv1_0.dll", "opengl32.dll"
)  # fmt: skip

NTDLL = 1

# These tell when they are loaded and unloaded, which concerns nobody. Many programs load them and then ask for nothing:
# what is behind them waits until they do.
_IDLE_AT_FIRST = ("bcrypt.dll", "crypt32.dll", "secur32.dll")
_LOADING = (0, 1)


def _nothing(thread: Thread, arguments: int) -> int:
    return 0


def handle_of(dll: str) -> int:
    """Handle of a DLL's Unix half; 0 when there is none."""
    return LIBRARIES.index(dll) + 1 if dll in LIBRARIES else 0


def name_of(handle: int) -> str:
    """The DLL a handle stands for."""
    return LIBRARIES[handle - 1] if 0 < handle <= len(LIBRARIES) else f"{handle:#x}"


def function(process: Process, handle: int, code: int) -> UnixFunction | None:
    """The handler of ``code`` in the library, or None."""
    if not 0 < handle <= len(LIBRARIES):
        return None
    if handle == NTDLL:
        from lswd.unixlib import ntdll

        return ntdll.function(process.userland.enumeration("ntdll.dll", "unix_"), code)
    if LIBRARIES[handle - 1] == "opengl32.dll":
        from lswd.unixlib import opengl32

        return opengl32.function(process.userland.enumeration("opengl32.dll", "unix_"), code)
    if code in _LOADING and LIBRARIES[handle - 1] in _IDLE_AT_FIRST:
        return _nothing
    module = __import__(f"lswd.unixlib.{LIBRARIES[handle - 1].partition('.')[0]}", fromlist=["FUNCTIONS"])
    functions: dict[int, UnixFunction] = module.FUNCTIONS
    return functions.get(code)
