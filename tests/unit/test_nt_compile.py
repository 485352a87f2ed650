"""The function made for a system call that comes often does what the loops over its decoders do."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import pytest

from lswd.kernel.event import Event
from lswd.nt import dispatch
from lswd.nt.catalogue import load_families
from lswd.nt.compile import compiled
from lswd.nt.declare import DECLARED, Call, Cell, ObjectAttributes, SystemCall
from lswd.nt.dispatch import InternalError
from lswd.nt.trace import Tracer
from lswd.ntdef.status import STATUS_ACCESS_VIOLATION, STATUS_SUCCESS, NtError

from .system_calls import Caller
from .test_nt_dispatch import Lines

load_families()
STACK = 0x28


@pytest.fixture
def caller() -> Caller:
    return Caller()


def own(caller: Caller, call: SystemCall) -> Callable[..., int | None]:
    """The function made for ``call``, which must not go wrong in unexpected ways."""

    def bug(thread: object, registers: object, stack: int, error: Exception) -> int:
        raise error

    return compiled(call, caller.process, bug, lambda thread, result: result)


def outcome(run: Callable[..., Any]) -> Any:
    """What decoding comes to, in a form that can be compared."""
    try:
        return [_shown(argument) for argument in run()]
    except NtError as error:
        return error.status


def _shown(argument: Any) -> Any:
    if isinstance(argument, ObjectAttributes):
        return [getattr(argument, name) for name in ObjectAttributes.__slots__]
    if isinstance(argument, Cell):
        return "cell", argument.address, cast(Any, argument)._form
    return argument


def recording(declared: SystemCall, received: list[Any]) -> SystemCall:
    """A call with the parameters of ``declared`` whose handler keeps what it gets."""

    def handler(call: Call, *arguments: Any) -> int:
        received[:] = arguments
        return STATUS_SUCCESS

    handler.__name__ = f"Recording{declared.name}"
    call = SystemCall(handler, "", declared.access)
    call._parameters = declared.parameters
    return call


@pytest.mark.parametrize("name", sorted(DECLARED))
def test_arguments_are_what_the_decoders_make_of_them(caller: Caller, name: str) -> None:
    parameters = DECLARED[name].parameters
    event, room = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0), caller.guest.room(8192)
    caller.process.space.write(room, bytes(range(1, 251)) * 4)
    stack = room + 4096
    received: list[Any] = []
    function, call = own(caller, recording(DECLARED[name], received)), Call(caller.thread)
    values = [0, 5, event, event | 1, room, room + 4092, 0x7FFF_0000_0000, (1 << 64) - 1, (1 << 63) + 12]

    def through_function(raw: list[int]) -> list[Any]:
        caller.process.space.write(stack + STACK, b"".join(v.to_bytes(8, "little") for v in raw[4:]))
        status = function(call, *[*raw, 0, 0, 0, 0][:4], stack)
        if status != STATUS_SUCCESS:
            raise NtError(cast(int, status))
        return received

    for first in range(len(values)):
        raw = [values[(first + 2 * i) % len(values)] for i in range(len(parameters))]
        decoded = outcome(lambda raw=raw: [p.decode(call, v) for p, v in zip(parameters, raw, strict=True)])
        assert outcome(lambda raw=raw: through_function(raw)) == decoded


def test_a_call_that_comes_often_gets_its_function_and_loses_it_to_a_trace(caller: Caller) -> None:
    dispatcher = cast(Any, caller.process.call_finished).__self__
    handle, before = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0), caller.cell(size=4)
    states = []
    for turn in range(dispatch.OFTEN + 5):
        assert caller.call("NtSetEvent" if turn % 2 else "NtResetEvent", handle, before) == STATUS_SUCCESS
        states.append(caller.number(before))
        assert caller.call("NtSetEvent", handle, 0) == STATUS_SUCCESS
    assert states == [0] + [1] * (len(states) - 1)
    assert len(dispatcher._compiled) == 1
    counted = caller.thread.system_calls
    assert caller.call("NtSetEvent", handle, 0x7FFF_0000_0000) == STATUS_ACCESS_VIOLATION
    assert caller.thread.system_calls == counted + 1
    lines = Lines()
    dispatcher.tracer = Tracer(lines)
    caller.call("NtSetEvent", handle, 0)
    assert not dispatcher._compiled
    assert "NtSetEvent(EventHandle=Event" in lines.text


def test_a_bug_in_a_handler_is_reported_by_the_function_too(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dispatch, "OFTEN", 0)
    handle = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)

    def broken(self: Event) -> int:
        raise KeyError("oops")

    monkeypatch.setattr(Event, "set", broken)
    with pytest.raises(InternalError, match=rf"NtSetEvent\(EventHandle={handle:#x}, PreviousState=0x0\).*KeyError"):
        caller.call("NtSetEvent", handle, 0)
