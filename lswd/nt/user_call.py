"""NtUserCallNoParam, NtUserCallOneParam, ...: many small functions by their numbers. See ``user_function``."""

from __future__ import annotations

from lswd.nt import (  # noqa: F401 they declare such functions
    gdi_system_brush,
    user_class,
    user_cursor,
    user_display,
    user_focus,
    user_hook,
    user_long,
    user_message,
    user_message_call,
    user_monitor,
    user_rectangle,
    user_relation,
)
from lswd.nt.declare import Call, syscall
from lswd.nt.user_failure import ERROR_CALL_NOT_IMPLEMENTED, failed
from lswd.nt.user_function import FUNCTIONS, function_name
from lswd.ntdef.types import HANDLE, ULONG, ULONG_PTR

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any, TypeAlias

    Answer: TypeAlias = int | Coroutine[Any, Any, int]


def _answer(call: Call, family: str, code: int, *parameters: int) -> Answer:
    name = function_name(call.process, family, code)
    function = FUNCTIONS.get(name)
    if function is None:
        missing = call.process.missing_calls
        label = f"NtUser{name}" if name else f"NtUserCall{family} with an unknown code"
        missing[label] = missing.get(label, 0) + 1
        return failed(call.thread, ERROR_CALL_NOT_IMPLEMENTED)
    answer: Answer = function(call, *parameters)
    return answer


@syscall(partial="carets, capture")
def NtUserCallNoParam(call: Call, code: ULONG) -> Answer:
    return _answer(call, "NoParam", code)


@syscall(partial="no menus, cursors, brushes")
def NtUserCallOneParam(call: Call, arg: ULONG_PTR, code: ULONG) -> Answer:
    return _answer(call, "OneParam", code, arg)


@syscall(partial="no carets, icons")
def NtUserCallTwoParam(call: Call, arg1: ULONG_PTR, arg2: ULONG_PTR, code: ULONG) -> Answer:
    return _answer(call, "TwoParam", code, arg1, arg2)


@syscall(partial="what there is without a screen")
def NtUserCallHwnd(call: Call, hwnd: HANDLE, code: ULONG) -> Answer:
    return _answer(call, "Hwnd", code, hwnd)


@syscall(partial="what there is without a screen")
def NtUserCallHwndParam(call: Call, hwnd: HANDLE, param: ULONG_PTR, code: ULONG) -> Answer:
    return _answer(call, "HwndParam", code, hwnd, param)
