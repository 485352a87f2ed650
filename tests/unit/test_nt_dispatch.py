"""Calls without a handler are counted by name and fail; a bug in a handler is reported with the call it was in."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lswd.nt.declare import DECLARED, Call, SystemCall
from lswd.nt.dispatch import InternalError
from lswd.nt.trace import Tracer
from lswd.ntdef.status import STATUS_ACCESS_DENIED, STATUS_INVALID_SYSTEM_SERVICE, STATUS_NOT_IMPLEMENTED, NtError
from lswd.ntdef.types import NTSTATUS, ULONG

from .system_calls import Caller

UNKNOWN = 0xFFE


class Lines:
    """Where a trace goes in these tests."""

    def __init__(self) -> None:
        self.text = ""

    def write(self, text: str, /) -> int:
        self.text += text
        return len(text)


@pytest.fixture
def caller(monkeypatch: pytest.MonkeyPatch) -> Caller:
    """A machine with a call that is broken, one that is denied, and one that is not there."""

    def NtBroken(call: Call, A: ULONG, B: ULONG, C: ULONG, D: ULONG, E: ULONG) -> NTSTATUS:
        raise KeyError("oops")

    def NtDenied(call: Call, A: ULONG) -> NTSTATUS:
        raise NtError(STATUS_ACCESS_DENIED)

    NtBroken.__annotations__ = dict.fromkeys("ABCDE", "ULONG")
    NtDenied.__annotations__ = {"A": "ULONG"}
    monkeypatch.setitem(DECLARED, "NtBroken", SystemCall(NtBroken, "", {}))
    monkeypatch.setitem(DECLARED, "NtDenied", SystemCall(NtDenied, "", {}))
    made = Caller()
    made.engine.numbers |= {"NtNobodyWroteThis": UNKNOWN, "": UNKNOWN + 1}
    dispatcher(made)._numbers[UNKNOWN] = "NtNobodyWroteThis"
    return made


def dispatcher(caller: Caller) -> Any:
    """The dispatcher behind a machine's calls."""
    return cast(Any, caller.process.call_finished).__self__


def test_an_unknown_call_is_not_implemented_and_counted_by_name(caller: Caller) -> None:
    assert [STATUS_NOT_IMPLEMENTED] * 2 == [caller.call("NtNobodyWroteThis") for _ in range(2)]
    assert {"NtNobodyWroteThis": 2} == caller.process.missing_calls


def test_a_number_that_means_nothing_is_an_invalid_service(caller: Caller) -> None:
    assert STATUS_INVALID_SYSTEM_SERVICE == caller.call("")
    assert {"system call 0xfff": 1} == caller.process.missing_calls


def test_a_handlers_nt_error_is_the_calls_status(caller: Caller) -> None:
    assert STATUS_ACCESS_DENIED == caller.call("NtDenied", 1)


def test_a_bug_in_a_handler_is_reported_with_the_call_and_all_its_arguments(caller: Caller) -> None:
    with pytest.raises(InternalError, match=r"NtBroken\(A=0x1, B=0x2, C=0x3, D=0x4, E=0x5\) in thread .*KeyError"):
        caller.call("NtBroken", 1, 2, 3, 4, 5)


def test_a_trace_shows_arguments_by_name_and_statuses_by_name(caller: Caller) -> None:
    lines = Lines()
    dispatcher(caller).tracer = Tracer(lines)
    caller.call("NtDenied", 0x20)
    caller.call("NtNobodyWroteThis")
    handle = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    caller.call("NtSetEvent", handle, 0)
    caller.call("NtSetEvent", 0x9999, 0)
    shown = [line.partition("] ")[2].partition(" <")[0] for line in lines.text.splitlines()]
    assert [
        "NtDenied(A=0x20) = STATUS_ACCESS_DENIED",
        "NtNobodyWroteThis(...) = STATUS_NOT_IMPLEMENTED (not implemented)",
        f"NtCreateEvent(EventHandle=[{handle}], DesiredAccess=0x1f0003, ObjectAttributes=NULL, EventType=0, "
        "InitialState=0) = STATUS_SUCCESS".replace(f"[{handle}]", f"[{handle:#x}]"),
        "NtSetEvent(EventHandle=Event, PreviousState=NULL) = STATUS_SUCCESS",
        "NtSetEvent(...) = STATUS_INVALID_HANDLE",
    ] == shown
