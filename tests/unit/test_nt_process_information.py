"""NtQueryInformationProcess, NtSetInformationProcess, and processes as objects."""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import Any

import pytest

from lswd.nt import process_information as nt
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_CID,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PARAMETER_MIX,
    STATUS_NO_MORE_ENTRIES,
    STATUS_PORT_NOT_SET,
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_PROCESS_NOT_IN_JOB,
    STATUS_SUCCESS,
)
from lswd.ntdef.types import CLIENT_ID, CURRENT_PROCESS

from .guest_threads import Guest, Machine
from .system_calls import Caller

CALL = "NtQueryInformationProcess"


@pytest.fixture
def caller() -> Caller:
    return Caller()


def ask(caller: Caller, number: int, length: int) -> tuple[int, bytes]:
    return caller.query(CALL, CURRENT_PROCESS, number, length=length)


def tell(caller: Caller, number: int, data: bytes) -> int:
    return caller.call("NtSetInformationProcess", CURRENT_PROCESS, number, caller.guest.stored(data), len(data))


# Lengths that Wine 8 tells a caller without a buffer.
@pytest.mark.parametrize(
    ("number", "length"),
    [
        (nt.ProcessBasicInformation, 48),
        (nt.ProcessIoCounters, 48),
        (nt.ProcessVmCounters, 96),
        (nt.ProcessTimes, 32),
        (nt.ProcessDebugPort, 8),
        (nt.ProcessDefaultHardErrorMode, 4),
        (nt.ProcessPriorityClass, 2),
        (nt.ProcessAffinityMask, 8),
        (nt.ProcessSessionInformation, 4),
        (nt.ProcessWow64Information, 8),
        (nt.ProcessDebugObjectHandle, 8),
        (nt.ProcessDebugFlags, 4),
        (nt.ProcessExecuteFlags, 4),
        (nt.ProcessCookie, 4),
    ],
)
def test_lengths_are_exact(caller: Caller, number: int, length: int) -> None:
    assert (STATUS_INFO_LENGTH_MISMATCH, length) == caller.needed(CALL, CURRENT_PROCESS, number)
    assert STATUS_INFO_LENGTH_MISMATCH == ask(caller, number, length + 1)[0]
    assert STATUS_INFO_LENGTH_MISMATCH != ask(caller, number, length)[0]


def test_structures_that_were_extended_are_given_in_their_old_length_too(caller: Caller) -> None:
    assert [88, 96] == [len(ask(caller, nt.ProcessVmCounters, length)[1]) for length in (88, 96)]
    assert [4, 8] == [len(ask(caller, nt.ProcessHandleCount, length)[1]) for length in (4, 8)]


def test_basic_information_tells_who_it_is(caller: Caller) -> None:
    _, data = ask(caller, nt.ProcessBasicInformation, 48)
    found = nt.PROCESS_BASIC_INFORMATION.unpack(8, data)
    assert (0x103, caller.process.peb, caller.process.pid, 2) == (
        found.ExitStatus,
        found.PebBaseAddress,
        found.UniqueProcessId,
        found.BasePriority,
    )


def test_nobody_debugs_the_process(caller: Caller) -> None:
    assert (STATUS_SUCCESS, bytes(8)) == ask(caller, nt.ProcessDebugPort, 8)
    assert STATUS_PORT_NOT_SET == ask(caller, nt.ProcessDebugObjectHandle, 8)[0]
    assert (STATUS_SUCCESS, b"\1\0\0\0") == ask(caller, nt.ProcessDebugFlags, 4)


def test_the_image_has_two_names(caller: Caller) -> None:
    def name(number: int) -> str:
        buffer = caller.guest.room(512)
        assert STATUS_SUCCESS == caller.call(CALL, CURRENT_PROCESS, number, buffer, 512, 0)
        length, _, at = struct.unpack("<HH4xQ", caller.process.space.read(buffer, 16))
        return caller.process.space.read(at, length).decode("utf-16-le")

    assert [r"\Device\HarddiskVolume26\tools\probe.exe", r"Z:\tools\probe.exe"] == [
        name(nt.ProcessImageFileName),
        name(nt.ProcessImageFileNameWin32),
    ]


def test_the_cookie_stays_the_same(caller: Caller) -> None:
    first, second = (ask(caller, nt.ProcessCookie, 4)[1] for _ in range(2))
    assert first == second != bytes(4)


def test_error_mode_and_priority_class_are_kept(caller: Caller) -> None:
    assert STATUS_SUCCESS == tell(caller, nt.ProcessDefaultHardErrorMode, b"\x01\x80\0\0")
    assert b"\x01\x80\0\0" == ask(caller, nt.ProcessDefaultHardErrorMode, 4)[1]
    assert STATUS_SUCCESS == tell(caller, nt.ProcessPriorityClass, b"\0\3")
    assert b"\0\3" == ask(caller, nt.ProcessPriorityClass, 2)[1]
    assert STATUS_INVALID_PARAMETER == tell(caller, nt.ProcessPriorityClass, b"\0\7")
    assert STATUS_INFO_LENGTH_MISMATCH == tell(caller, nt.ProcessPriorityClass, b"\0")


def test_affinity_stays_within_the_processors_there_are(caller: Caller) -> None:
    assert STATUS_SUCCESS == tell(caller, nt.ProcessAffinityMask, struct.pack("<Q", 1))
    assert struct.pack("<Q", 1) == ask(caller, nt.ProcessAffinityMask, 8)[1]
    assert 1 == caller.thread.affinity
    assert STATUS_INVALID_PARAMETER == tell(caller, nt.ProcessAffinityMask, struct.pack("<Q", 0))
    assert STATUS_INVALID_PARAMETER == tell(caller, nt.ProcessAffinityMask, struct.pack("<Q", 1 << 63))


def test_data_is_never_executable_in_a_64_bit_process(caller: Caller) -> None:
    assert (STATUS_SUCCESS, b"\x0d\0\0\0") == ask(caller, nt.ProcessExecuteFlags, 4)
    assert STATUS_INVALID_PARAMETER == tell(caller, nt.ProcessExecuteFlags, b"\2\0\0\0")


def test_what_takes_privileges_or_does_not_exist_is_refused(caller: Caller) -> None:
    assert STATUS_PRIVILEGE_NOT_HELD == tell(caller, nt.ProcessBreakOnTermination, b"\1\0\0\0")
    assert STATUS_INVALID_INFO_CLASS == tell(caller, 999, b"\1\0\0\0")
    assert STATUS_INVALID_INFO_CLASS == ask(caller, 999, 4)[0]
    assert STATUS_INVALID_HANDLE == caller.query(CALL, 0x1234, 0, length=48)[0]


# ---- objects


def client(caller: Caller, pid: int, tid: int = 0) -> int:
    return caller.stored(CLIENT_ID(UniqueProcess=pid, UniqueThread=tid))


def test_a_process_is_opened_by_its_identifier(caller: Caller) -> None:
    attributes = caller.guest.named("")
    own = client(caller, caller.process.pid)
    handle = caller.handle("NtOpenProcess", 0x1FFFFF, attributes, own)
    assert caller.process is caller.process.handles.get(handle)
    for pid, tid in ((caller.process.pid + 4, 0), (caller.process.pid, 4), (0, 0)):
        status = caller.call("NtOpenProcess", caller.cell(), 0x400, attributes, client(caller, pid, tid))
        assert STATUS_INVALID_CID == status
    named = caller.guest.named("x")
    assert STATUS_INVALID_PARAMETER_MIX == caller.call("NtOpenProcess", caller.cell(), 0x400, named, own)
    assert STATUS_INVALID_PARAMETER_MIX == caller.call("NtOpenProcess", caller.cell(), 0x400, attributes, 0)


def test_ending_takes_the_right_to_end(caller: Caller) -> None:
    handle = caller.handle("NtOpenProcess", 0x400, caller.guest.named(""), client(caller, caller.process.pid))
    assert STATUS_ACCESS_DENIED == caller.call("NtTerminateProcess", handle, 1)
    assert not caller.process.ended


def test_threads_are_walked_in_order(caller: Caller) -> None:
    first, last = caller.cell(), caller.cell()
    assert STATUS_SUCCESS == caller.call("NtGetNextThread", CURRENT_PROCESS, 0, 0x1FFFFF, 0, 0, first)
    handle = caller.number(first, 8)
    assert caller.thread is caller.process.handles.get(handle)
    assert STATUS_NO_MORE_ENTRIES == caller.call("NtGetNextThread", CURRENT_PROCESS, handle, 0x1FFFFF, 0, 0, last)
    assert STATUS_INVALID_PARAMETER == caller.call("NtGetNextThread", CURRENT_PROCESS, 0, 0x1FFFFF, 0, 1, last)


def test_a_process_is_in_no_job_before_it_is_put_into_one(caller: Caller) -> None:
    assert STATUS_PROCESS_NOT_IN_JOB == caller.call("NtIsProcessInJob", CURRENT_PROCESS, 0)


def test_ending_without_a_handle_ends_all_other_threads() -> None:
    machine = Machine()

    def other(guest: Guest, argument: int) -> Generator[Any, Any, Any]:
        yield from guest.sleep(1000)
        guest.log.append("the other thread went on")

    def program(guest: Guest, argument: int) -> Generator[Any, Any, Any]:
        handle = yield from guest.thread(other)
        yield from guest.sleep(1)
        guest.log.append((yield "NtTerminateProcess", 0, 7))
        guest.log.append((yield from guest.wait(handle, 0)))
        yield "NtTerminateProcess", CURRENT_PROCESS, 9
        guest.log.append("the process went on")

    assert 9 == machine.run(program)
    assert [STATUS_SUCCESS, 0] == machine.guest.log


def test_a_suspended_process_goes_on_when_it_is_resumed() -> None:
    machine = Machine()
    process = machine.process

    def program(guest: Guest, argument: int) -> Generator[Any, Any, Any]:
        machine.scheduler.deadlines.add(5, resume)
        yield "NtSuspendProcess", CURRENT_PROCESS
        guest.log.append(guest.now)

    def resume() -> None:
        for thread in process.threads:
            thread.suspend_count = 0
            thread.go_on()

    machine.run(program)
    assert [5.0] == machine.guest.log
