"""Debug objects: who may debug whom, the order in which things are told, and that a process waits for its debugger."""

from __future__ import annotations

import struct
from typing import Any, cast

import pytest

from lswd.kernel import debug_object as kernel
from lswd.kernel.debug_object import DebugObject
from lswd.kernel.exception import EXCEPTION_RECORD
from lswd.kernel.process import PROCESS_QUERY_INFORMATION
from lswd.memory.protection import PAGE_READWRITE
from lswd.memory.region import MEM_IMAGE
from lswd.nt import process_information as nt
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_ACCESS_VIOLATION,
    STATUS_BREAKPOINT,
    STATUS_DEBUGGER_INACTIVE,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_NOT_SUPPORTED,
    STATUS_PORT_ALREADY_SET,
    STATUS_PORT_NOT_SET,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_SUCCESS,
    STATUS_TIMEOUT,
)
from lswd.ntdef.types import CLIENT_ID, CURRENT_PROCESS

from .system_calls import Caller
from .test_nt_process_others import Other


class Debugger:
    """The caller's debug object, and a process to debug."""

    def __init__(self, caller: Caller) -> None:
        self.caller = caller
        self.handle = caller.handle("NtCreateDebugObject", kernel.DEBUG_ALL_ACCESS, 0, kernel.DEBUG_KILL_ON_CLOSE)
        self.object = cast(DebugObject, caller.process.handles.get(self.handle))
        self.other = Other(caller)
        process = self.other.process
        cast(Any, process.engine).parallel = False
        region = process.space.reserve(0, 0x1000, PAGE_READWRITE)
        process.space.commit(region, region.base, 0x1000, PAGE_READWRITE)
        process.peb = region.base

    def attach(self) -> int:
        return self.caller.call("NtDebugActiveProcess", self.other.handle, self.handle)

    def wait(self) -> tuple[int, bytes]:
        """Status, and DBGUI_WAIT_STATE_CHANGE."""
        room, none = self.caller.guest.room(184), self.caller.cell(0)
        status = self.caller.call("NtWaitForDebugEvent", self.handle, 0, none, room)
        return status, self.caller.process.space.read(room, 184)

    def next_state(self) -> int:
        """What is told next; it is continued at once."""
        status, data = self.wait()
        assert STATUS_SUCCESS == status
        state, pid, tid = struct.unpack_from("<IxxxxQQ", data)
        self.object.continue_event(pid, tid, kernel.DBG_CONTINUE)
        return int(state)


@pytest.fixture
def debugger() -> Debugger:
    return Debugger(Caller())


def test_a_debugger_s_words_are_wide_enough(debugger: Debugger) -> None:
    debugger.object.word = 4
    assert STATUS_NOT_SUPPORTED == debugger.attach()
    assert debugger.other.process.debugger is None
    debugger.object.word = 8
    assert STATUS_SUCCESS == debugger.attach()


def test_what_could_not_be_told_is_told_the_next_time(debugger: Debugger, monkeypatch: pytest.MonkeyPatch) -> None:
    assert STATUS_SUCCESS == debugger.attach()
    monkeypatch.setattr("lswd.kernel.handle._LIMIT", 0)
    assert STATUS_NO_MEMORY == debugger.wait()[0]
    monkeypatch.undo()
    assert kernel.DbgCreateProcessStateChange == debugger.next_state()


def test_attaching_tells_of_what_is_there_and_marks_the_process(debugger: Debugger) -> None:
    process, caller = debugger.other.process, debugger.caller
    assert STATUS_SUCCESS == debugger.attach()
    assert b"\1" == process.space.read(process.peb + 2, 1)
    status, data = debugger.wait()
    assert (STATUS_SUCCESS, kernel.DbgCreateProcessStateChange) == (status, data[0])
    assert (process.pid, debugger.other.thread.tid) == struct.unpack_from("<QQ", data, 8)
    handles = struct.unpack_from("<QQ", data, 24)
    assert [process, debugger.other.thread] == [caller.process.handles.get(value) for value in handles]
    assert STATUS_TIMEOUT == debugger.wait()[0]
    assert STATUS_PORT_ALREADY_SET == debugger.attach()


def test_debugging_takes_rights_and_a_process_that_lives(debugger: Debugger) -> None:
    caller, other = debugger.caller, debugger.other
    weak = caller.process.handles.add(other.process, PROCESS_QUERY_INFORMATION)
    assert STATUS_ACCESS_DENIED == caller.call("NtDebugActiveProcess", weak, debugger.handle)
    assert STATUS_ACCESS_DENIED == caller.call("NtDebugActiveProcess", CURRENT_PROCESS, debugger.handle)
    assert STATUS_INVALID_HANDLE == caller.call("NtDebugActiveProcess", other.handle, 0x5550)
    other.end()
    assert STATUS_PROCESS_IS_TERMINATING == debugger.attach()
    assert STATUS_INVALID_PARAMETER == caller.call("NtCreateDebugObject", caller.cell(), 0x1F000F, 0, 2)
    flags = caller.cell(2)
    for length, expected in ((4, STATUS_INVALID_PARAMETER), (8, STATUS_INFO_LENGTH_MISMATCH)):
        assert expected == caller.call("NtSetInformationDebugObject", debugger.handle, 1, flags, length, 0)
    assert STATUS_SUCCESS == caller.call("NtSetInformationDebugObject", debugger.handle, 1, caller.cell(0), 4, 0)
    assert 0 == debugger.object.flags
    who = caller.stored(CLIENT_ID(UniqueProcess=4, UniqueThread=8))
    assert STATUS_INVALID_PARAMETER == caller.call("NtDebugContinue", debugger.handle, who, kernel.DBG_CONTINUE)
    assert STATUS_INVALID_PARAMETER == caller.call("NtDebugContinue", debugger.handle, who, 0)


def test_a_process_stands_still_from_an_event_to_its_continuation(debugger: Debugger) -> None:
    thread = debugger.other.thread
    debugger.object.attach(debugger.other.process, running=False)
    assert 1 == thread.holders
    assert kernel.DbgCreateProcessStateChange == debugger.next_state()
    assert 0 == thread.holders
    seen: list[str] = []
    record = EXCEPTION_RECORD(ExceptionCode=STATUS_BREAKPOINT)
    for _ in range(2):
        debugger.object.exception(thread, record, lambda: seen.append("handlers"), first_chance=True)
    assert 2 == thread.holders
    assert kernel.DbgBreakpointStateChange == debugger.wait()[1][0]
    assert STATUS_TIMEOUT == debugger.wait()[0]  # one at a time
    debugger.object.continue_event(debugger.other.process.pid, thread.tid, kernel.DBG_CONTINUE)
    assert ([], 1) == (seen, thread.holders)
    debugger.wait()
    debugger.object.continue_event(debugger.other.process.pid, thread.tid, kernel.DBG_EXCEPTION_NOT_HANDLED)
    assert (["handlers"], 0) == (seen, thread.holders)


def test_a_process_that_is_attached_to_stands_still_until_all_that_was_there_is_told(debugger: Debugger) -> None:
    thread, space = debugger.other.thread, debugger.other.process.space
    space.map(space.find_free(0x10000), 0x10000, MEM_IMAGE, PAGE_READWRITE)
    assert STATUS_SUCCESS == debugger.attach()
    for state in (kernel.DbgCreateProcessStateChange, kernel.DbgLoadDllStateChange):
        assert thread.holders
        assert state == debugger.next_state()
    assert 0 == thread.holders


def test_a_process_whose_last_thread_is_being_ended_is_not_debugged(debugger: Debugger) -> None:
    for thread in debugger.other.process.threads:
        thread.terminated = True  # it still runs, and has been told to stop
    assert STATUS_PROCESS_IS_TERMINATING == debugger.attach()
    assert debugger.other.process.debugger is None


def test_an_event_is_told_once_nobody_runs_any_more(debugger: Debugger) -> None:
    assert STATUS_SUCCESS == debugger.attach()
    process = debugger.other.process
    while debugger.object.is_signalled(debugger.caller.thread):
        debugger.next_state()
    thread = process.threads[0]
    debugger.object.thread_created(thread)
    thread.running = True  # it has been interrupted, and has not stopped yet
    assert STATUS_TIMEOUT == debugger.wait()[0]
    thread.running = False
    assert kernel.DbgCreateThreadStateChange == debugger.next_state()


def test_an_exception_is_told_with_its_record(debugger: Debugger) -> None:
    debugger.attach()
    debugger.next_state()
    record = EXCEPTION_RECORD(
        ExceptionCode=STATUS_ACCESS_VIOLATION, ExceptionAddress=0x1234, NumberParameters=2, ExceptionInformation=(1, 5)
    )
    debugger.object.exception(debugger.other.thread, record, lambda: None, first_chance=False)
    data = debugger.wait()[1]
    assert kernel.DbgExceptionStateChange == data[0]
    assert (record.pack(8), 0) == (data[24 : 24 + 0x98], data[24 + 0x98])


def test_the_end_of_a_process_is_told_and_lets_the_debugger_go(debugger: Debugger) -> None:
    debugger.attach()
    debugger.next_state()
    debugger.other.process.end(7)
    status, data = debugger.wait()
    assert (kernel.DbgExitProcessStateChange, 7) == (data[0], data[24])
    assert STATUS_SUCCESS == status
    (tid,) = struct.unpack_from("<Q", data, 16)
    debugger.object.continue_event(debugger.other.process.pid, tid, kernel.DBG_CONTINUE)
    assert [] == debugger.object.processes


@pytest.mark.parametrize(("flags", "ended"), [(kernel.DEBUG_KILL_ON_CLOSE, True), (0, False)])
def test_when_the_debugger_goes_its_processes_end_or_go_on(flags: int, ended: bool, debugger: Debugger) -> None:
    debugger.object.attach(debugger.other.process, running=False)
    debugger.object.flags = flags
    assert STATUS_SUCCESS == debugger.caller.call("NtClose", debugger.handle)
    process = debugger.other.process
    assert (ended, None) == (process.ended, process.debugger)
    if ended:
        assert STATUS_DEBUGGER_INACTIVE == process.exit_status
    else:
        assert (0, b"\0") == (debugger.other.thread.holders, process.space.read(process.peb + 2, 1))


def test_a_process_knows_whether_it_is_debugged(debugger: Debugger) -> None:
    caller, handle = debugger.caller, debugger.other.handle

    def ask(kind: int, size: int) -> tuple[int, int]:
        status, data = caller.query("NtQueryInformationProcess", handle, kind, length=size)
        return status, int.from_bytes(data, "little")

    assert [(0, 0), (STATUS_PORT_NOT_SET, 0)] == [ask(nt.ProcessDebugPort, 8), ask(nt.ProcessDebugObjectHandle, 8)]
    debugger.attach()
    assert (0, (1 << 64) - 1) == ask(nt.ProcessDebugPort, 8)
    status, value = ask(nt.ProcessDebugObjectHandle, 8)
    assert (0, debugger.object) == (status, caller.process.handles.get(value))
