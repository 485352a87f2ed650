"""Functions of the window system that have no system call of their own: NtUserCallNoParam and others take numbers.

They differ between versions: they are enumerations in the type information of Wine's user32. Here a function has
its member's name, without the NtUser in front: ``NtUserCallOneParam_GetSysColor`` is ``CallOneParam_GetSysColor``.
The codes of callbacks are such an enumeration, too.
"""

from __future__ import annotations

from lswd.ntdef.status import STATUS_NOT_SUPPORTED, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from lswd.kernel.process import Process
    from lswd.userland.structure import Structure

    Function = TypeVar("Function", bound=Callable[..., Any])

FUNCTIONS: dict[str, Callable[..., Any]] = {}
# A member of each enumeration, by which it is found.
_MEMBERS = {
    "NoParam": "CallNoParam_GetDesktopWindow", "OneParam": "CallOneParam_GetSysColor",
    "TwoParam": "CallTwoParam_GetMonitorInfo", "Hwnd": "CallHwnd_IsWindow", "HwndParam": "CallHwndParam_IsChild",
}  # fmt: skip


def user_function(function: Function) -> Function:
    """Declare what a member of one of these enumerations stands for. It takes the call and its parameters."""
    FUNCTIONS[function.__name__] = function
    return function


def function_name(process: Process, family: str, code: int) -> str:
    """What ``code`` stands for in NtUserCall<family>; empty: nothing."""
    names = process.userland.enumeration_beside("user32.dll", "NtUser", _MEMBERS[family])
    return names[code] if code < len(names) else ""


def callback_code(process: Process, name: str) -> int:
    """The number of a routine of user32's that the kernel calls.

    Raises:
        NtError: STATUS_NOT_SUPPORTED: this userland does not tell, or has none.
    """
    names = process.userland.enumeration_beside("user32.dll", "NtUser", "CallWinProc")
    if name not in names:
        raise NtError(STATUS_NOT_SUPPORTED)
    return names.index(name)


def user_structure(process: Process, name: str) -> Structure:
    """The layout of what user32 and its kernel half hand to each other.

    Raises:
        NtError: STATUS_NOT_SUPPORTED: this userland does not tell.
    """
    found = process.userland.structure("user32.dll", name)
    if not found.size:
        raise NtError(STATUS_NOT_SUPPORTED)
    return found
