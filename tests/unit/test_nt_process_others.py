"""What a process can do to another one, and what is left to ask of one that has ended."""

from __future__ import annotations

from typing import Any, cast

import pytest

from lswd.kernel.completion_port import CompletionPort
from lswd.kernel.event import Event
from lswd.kernel.file import FileObject, Waiter, wait_for_change
from lswd.kernel.mutant import Mutant
from lswd.kernel.object import SYNCHRONIZE
from lswd.kernel.process import (
    PROCESS_ALL_ACCESS,
    PROCESS_QUERY_INFORMATION,
    PROCESS_QUERY_LIMITED_INFORMATION,
    PROCESS_VM_READ,
    Process,
)
from lswd.kernel.request import Request
from lswd.kernel.start import new_thread
from lswd.kernel.thread import Thread
from lswd.memory.protection import PAGE_READWRITE
from lswd.nt import process_information as nt
from lswd.nt.process_counters import KERNEL_USER_TIMES
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INVALID_CID,
    STATUS_INVALID_HANDLE,
    STATUS_PARTIAL_COPY,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import CLIENT_ID, CURRENT_PROCESS, CURRENT_THREAD
from lswd.unixlib.handles import Handles

from .guest_threads import FakeEngine, Guest
from .system_calls import Caller

COMMIT, RELEASE = 0x3000, 0x8000


class Kept(Handles[str]):
    pass


@pytest.fixture
def caller() -> Caller:
    return Caller()


class Other:
    """A second process, with one thread, and the caller's handles to both."""

    def __init__(self, caller: Caller, access: int = PROCESS_ALL_ACCESS) -> None:
        self.caller = caller
        self.process = process = Process(caller.system, cast(Any, FakeEngine))
        process.scheduler = caller.scheduler
        process.image = caller.process.image
        process.ntdll_base = caller.process.ntdll_base
        process.make_handler = caller.process.make_handler
        cast(Any, process.engine).guest = Guest(caller)
        self.thread: Thread = new_thread(process, 0x140000000, 0)
        self.handle = caller.process.handles.add(process, access)
        self.thread_handle = caller.process.handles.add(self.thread, 0x1FFFFF)

    def end(self, status: int = 7) -> None:
        """It ends, and the scheduler has cleared up."""
        self.process.end(status)
        self.caller.scheduler._close_ended()

    def allocate(self, size: int = 0x1000) -> tuple[int, int]:
        """Status and address of new memory in it."""
        place, length = self.caller.cell(), self.caller.cell(size)
        name = "NtAllocateVirtualMemory"
        status = self.caller.call(name, self.handle, place, 0, length, COMMIT, PAGE_READWRITE)
        return status, self.caller.number(place, 8)


# ---- memory


def test_memory_of_another_process_is_allocated_written_read_and_freed(caller: Caller) -> None:
    other = Other(caller)
    status, address = other.allocate()
    assert (STATUS_SUCCESS, True) == (status, other.process.space.find(address) is not None)
    done, back = caller.cell(), caller.guest.room(16)
    text = caller.guest.stored(b"over there")
    assert STATUS_SUCCESS == caller.call("NtWriteVirtualMemory", other.handle, address, text, 10, done)
    assert (10, b"over there") == (caller.number(done), other.process.space.read(address, 10))
    assert STATUS_SUCCESS == caller.call("NtReadVirtualMemory", other.handle, address, back, 10, done)
    assert b"over there" == caller.process.space.read(back, 10)
    size = caller.cell()
    assert STATUS_SUCCESS == caller.call("NtFreeVirtualMemory", other.handle, caller.cell(address), size, RELEASE)
    assert STATUS_PARTIAL_COPY == caller.call("NtReadVirtualMemory", other.handle, address, back, 10, done)
    assert 0 == caller.number(done)


def test_each_way_to_reach_memory_takes_its_right(caller: Caller) -> None:
    reader = Other(caller, PROCESS_VM_READ)
    _, address = Other(caller).allocate()
    room = caller.guest.room(64)
    assert STATUS_ACCESS_DENIED == reader.allocate()[0]
    assert STATUS_ACCESS_DENIED == caller.call("NtWriteVirtualMemory", reader.handle, address, room, 1, 0)
    assert STATUS_ACCESS_DENIED == caller.call("NtQueryVirtualMemory", reader.handle, address, 0, room, 48, 0)
    assert STATUS_PARTIAL_COPY == caller.call("NtReadVirtualMemory", reader.handle, address, room, 1, 0)
    asked = Other(caller, PROCESS_QUERY_LIMITED_INFORMATION)
    assert STATUS_ACCESS_DENIED == caller.call("NtReadVirtualMemory", asked.handle, address, room, 1, 0)


def test_questions_take_a_right_too_which_the_full_one_holds(caller: Caller) -> None:
    answers = []
    for access in (SYNCHRONIZE, PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_QUERY_INFORMATION):
        other = Other(caller, access)
        answers.append(caller.query("NtQueryInformationProcess", other.handle, nt.ProcessTimes, length=32)[0])
    assert [STATUS_ACCESS_DENIED, STATUS_SUCCESS, STATUS_SUCCESS] == answers


# ---- handles


def test_a_pseudo_handle_in_another_table_is_that_process_and_the_calling_thread(caller: Caller) -> None:
    other = Other(caller)

    def duplicated(value: int) -> object:
        cell = caller.cell()
        name = "NtDuplicateObject"
        assert STATUS_SUCCESS == caller.call(name, other.handle, value, CURRENT_PROCESS, cell, 0, 0, 2)
        return caller.process.handles.get(caller.number(cell, 8))

    assert [other.process, caller.thread] == [duplicated(CURRENT_PROCESS), duplicated(CURRENT_THREAD)]
    token = 0xFFFFFFFFFFFFFFFB  # the token of whatever thread is current there
    arguments = other.handle, token, CURRENT_PROCESS, caller.cell(), 0, 0, 2
    assert STATUS_INVALID_HANDLE == caller.call("NtDuplicateObject", *arguments)


def test_handles_are_closed_before_anybody_sees_that_a_process_has_ended(caller: Caller) -> None:
    other = Other(caller)
    event = Event(0, signalled=False)
    other.process.handles.add(event, 0x1F0003)
    counts: list[int] = []

    class Watch:
        def try_satisfy(self) -> None:
            counts.append(event.handle_count)

    other.process.waits[cast(Any, Watch())] = None
    other.process.end(0)
    assert [0] == counts


def test_the_end_of_a_process_abandons_its_mutants(caller: Caller) -> None:
    other = Other(caller)
    mutant = Mutant(other.thread)
    other.end()
    assert (None, True) == (mutant.owner, mutant.abandoned)


# ---- ended processes

_DEAD = (
    ("NtTerminateProcess", 1),
    ("NtReadVirtualMemory", 0x10000, "room", 1, 0),
    ("NtWriteVirtualMemory", 0x10000, "room", 1, 0),
    ("NtAllocateVirtualMemory", "cell", 0, "size", COMMIT, PAGE_READWRITE),
    ("NtAllocateVirtualMemoryEx", "cell", "size", COMMIT, PAGE_READWRITE, 0, 0),
    ("NtFreeVirtualMemory", "cell", "size", RELEASE),
    ("NtProtectVirtualMemory", "cell", "size", PAGE_READWRITE, "cell"),
    ("NtQueryVirtualMemory", 0x10000, 0, "room", 48, 0),
    ("NtFlushInstructionCache", 0, 0),
    ("NtFlushVirtualMemory", "cell", "size", "room"),
    ("NtLockVirtualMemory", "cell", "size", 1),
    ("NtUnlockVirtualMemory", "cell", "size", 1),
    ("NtUnmapViewOfSection", 0x10000),
    ("NtUnmapViewOfSectionEx", 0x10000, 0),
    ("NtDuplicateObject", 4, CURRENT_PROCESS, "cell", 0, 0, 2),
)


@pytest.mark.parametrize("call", _DEAD, ids=lambda call: call[0])
def test_calls_on_a_process_that_has_ended_fail(caller: Caller, call: tuple[Any, ...]) -> None:
    other = Other(caller)
    other.end()
    places = {"room": caller.guest.room(64), "cell": caller.cell(0x10000), "size": caller.cell(0x1000)}
    arguments = [places.get(value, value) for value in call[1:]]
    assert STATUS_PROCESS_IS_TERMINATING == caller.call(call[0], other.handle, *arguments)


def test_nothing_is_put_into_a_process_that_has_ended(caller: Caller) -> None:
    other = Other(caller)
    other.end()
    section = caller.cell()
    size = caller.cell(0x1000)
    assert STATUS_SUCCESS == caller.call("NtCreateSection", section, 0xF001F, 0, size, 4, 0x8000000, 0)
    handle = caller.number(section, 8)
    view = handle, other.handle, caller.cell(), 0, 0, 0, caller.cell(), 1, 0, PAGE_READWRITE
    assert STATUS_PROCESS_IS_TERMINATING == caller.call("NtMapViewOfSection", *view)
    into = CURRENT_PROCESS, handle, other.handle, caller.cell(), 0, 0, 2
    assert STATUS_PROCESS_IS_TERMINATING == caller.call("NtDuplicateObject", *into)
    thread = caller.cell(), 0x1FFFFF, 0, other.handle, 0x1000, 0, 0, 0, 0, 0, 0
    assert STATUS_PROCESS_IS_TERMINATING == caller.call("NtCreateThreadEx", *thread)


def test_a_process_that_has_ended_still_tells_who_it_was(caller: Caller) -> None:
    other = Other(caller)
    other.process.cpu_seconds = 1.5
    other.process.parent_pid = caller.process.pid
    other.end(7)
    _, data = caller.query("NtQueryInformationProcess", other.handle, nt.ProcessBasicInformation, length=48)
    found = nt.PROCESS_BASIC_INFORMATION.unpack(8, data)
    assert (7, other.process.pid, caller.process.pid) == (
        found.ExitStatus, found.UniqueProcessId, found.InheritedFromUniqueProcessId)  # fmt: skip
    _, data = caller.query("NtQueryInformationProcess", other.handle, nt.ProcessTimes, length=32)
    times = KERNEL_USER_TIMES.unpack(8, data)
    assert (True, 15_000_000) == (times.ExitTime >= times.CreateTime > 0, times.UserTime)


# The image is left out: a process of this machine has none.
@pytest.mark.parametrize("number", [number for number in range(100) if number != nt.ProcessImageInformation])
def test_no_question_about_a_process_that_has_ended_is_a_bug(caller: Caller, number: int) -> None:
    other = Other(caller)
    other.end()
    for length in (0, 2, 4, 8, 32, 48, 64, 96, 512):
        status, _ = caller.query("NtQueryInformationProcess", other.handle, number, length=length)
        assert 0 <= status < 1 << 32
        status, _ = caller.query("NtQueryInformationThread", other.thread_handle, number, length=length)
        assert 0 <= status < 1 << 32


def test_it_can_be_opened_as_long_as_somebody_has_a_handle_to_it(caller: Caller) -> None:
    other = Other(caller)
    other.end()
    client = caller.stored(CLIENT_ID(UniqueProcess=other.process.pid))
    attributes = caller.guest.named("")
    again = caller.handle("NtOpenProcess", 0x400, attributes, client)
    assert other.process is caller.process.handles.get(again)
    assert [caller.process] == caller.system.running_processes()
    caller.call("NtClose", again)
    caller.call("NtClose", other.handle)
    assert STATUS_INVALID_CID == caller.call("NtOpenProcess", caller.cell(), 0x400, attributes, client)


# ---- what was under way


class _Quiet(FileObject):
    """A file whose reads wait for ever."""

    def __init__(self) -> None:
        super().__init__(0x12019F, 0)
        self.waiters: list[Waiter] = []

    async def read(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        await wait_for_change(self.waiters)
        return 0


def begin(file: _Quiet, thread: Thread) -> Request:
    """An overlapped read of ``thread`` that goes on."""
    request = Request(thread, file, 0, event=Event(0, signalled=False))
    with pytest.raises(StopIteration):
        request.run(file.read(thread, 0, 0, None)).send(None)
    return request


def test_reads_that_go_on_end_with_their_process(caller: Caller) -> None:
    other = Other(caller)
    file = _Quiet()
    begin(file, other.thread)
    own = begin(file, caller.thread)
    assert (2, 2) == (len(file.pending), len(file.waiters))
    other.end()
    assert ([own], 1) == (file.pending, len(file.waiters))


def test_reads_that_go_on_end_with_their_thread_unless_a_port_waits_for_them(caller: Caller) -> None:
    other = Other(caller)
    survivor = new_thread(other.process, 0x140000000, 0)
    plain, reporting = _Quiet(), _Quiet()
    reporting.completion = (CompletionPort(), 1)
    cancelled = begin(plain, other.thread)
    begin(reporting, other.thread)
    other.thread.finish(0)
    assert (False, True, True) == (bool(plain.pending), bool(reporting.pending), not survivor.terminated)
    assert cancelled.event is not None and cancelled.event.signalled


def test_what_is_kept_for_a_process_goes_with_it(caller: Caller) -> None:
    other = Other(caller)
    pairs = caller.system.part(Kept)
    number = pairs.add(other.process, "thing")
    assert "thing" == pairs.get(other.process, number)
    other.end()
    with pytest.raises(NtError):
        pairs.get(other.process, number)
