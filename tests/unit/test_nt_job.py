"""Job objects: who is in them, what they limit, whom they tell, and how they end."""

from __future__ import annotations

import struct
from itertools import pairwise
from typing import Any, cast

import pytest

from lswd.kernel import job as jobs
from lswd.kernel.completion_port import CompletionPort
from lswd.kernel.job import Job, Limits, job_of_child
from lswd.kernel.process import PROCESS_ALL_ACCESS, PROCESS_QUERY_INFORMATION, Process
from lswd.memory.protection import PAGE_READWRITE
from lswd.nt import job as nt
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_COMMITMENT_LIMIT,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_PROCESS_IN_JOB,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_PROCESS_NOT_IN_JOB,
    STATUS_QUOTA_EXCEEDED,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import CURRENT_PROCESS

from .guest_threads import FakeEngine
from .system_calls import Caller

EVERYTHING = 0x1F001F


@pytest.fixture
def caller() -> Caller:
    return Caller()


def another(caller: Caller, access: int = PROCESS_ALL_ACCESS) -> tuple[Process, int]:
    """A process without threads, and the caller's handle to it."""
    process = Process(caller.system, cast(Any, FakeEngine))
    process.scheduler = caller.scheduler
    return process, caller.process.handles.add(process, access)


def new_job(caller: Caller) -> tuple[Job, int]:
    handle = caller.handle("NtCreateJobObject", EVERYTHING, 0)
    return cast(Job, caller.process.handles.get(handle, Job)), handle


def assign(caller: Caller, job: int, process: int) -> int:
    return caller.call("NtAssignProcessToJobObject", job, process)


def limit(caller: Caller, job: int, flags: int, *, active: int = 0, process_memory: int = 0, job_memory: int = 0,
          affinity: int = 0, priority: int = 0, process_time: int = 0, job_time: int = 0) -> int:  # fmt: skip
    basic = nt.JOBOBJECT_BASIC_LIMIT_INFORMATION(
        LimitFlags=flags, ActiveProcessLimit=active, Affinity=affinity, PriorityClass=priority,
        PerProcessUserTimeLimit=process_time, PerJobUserTimeLimit=job_time,
    )  # fmt: skip
    data = nt.JOBOBJECT_EXTENDED_LIMIT_INFORMATION(
        BasicLimitInformation=basic, ProcessMemoryLimit=process_memory, JobMemoryLimit=job_memory
    ).pack(8)
    number = nt.JobObjectExtendedLimitInformation
    return caller.call("NtSetInformationJobObject", job, number, caller.guest.stored(data), len(data))


def accounting(caller: Caller, job: int) -> tuple[int, int, int]:
    """Active, total and ended by a limit."""
    _, data = caller.query("NtQueryInformationJobObject", job, nt.JobObjectBasicAccountingInformation, length=48)
    found = nt.JOBOBJECT_BASIC_ACCOUNTING_INFORMATION.unpack(8, data)
    return found.ActiveProcesses, found.TotalProcesses, found.TotalTerminatedProcesses


def listened(caller: Caller, job: int) -> CompletionPort:
    """A port that hears of the job, with key 5."""
    port = CompletionPort()
    handle = caller.process.handles.add(port, 0x1F0003)
    data = caller.guest.stored(struct.pack("<QQ", 5, handle))
    number = nt.JobObjectAssociateCompletionPortInformation
    assert STATUS_SUCCESS == caller.call("NtSetInformationJobObject", job, number, data, 16)
    return port


def heard(port: CompletionPort) -> list[tuple[int, int]]:
    """(message, process) of what has been posted."""
    assert {5} >= {packet.key for packet in port.packets}
    messages = [(packet.information, packet.value) for packet in port.packets]
    port.packets.clear()
    return messages


# ---- members


def test_a_process_is_in_the_job_it_was_assigned_to(caller: Caller) -> None:
    _, job = new_job(caller)
    _, other = new_job(caller)
    process, handle = another(caller)
    assert STATUS_PROCESS_NOT_IN_JOB == caller.call("NtIsProcessInJob", handle, 0)
    assert STATUS_SUCCESS == assign(caller, job, handle)
    asked = [caller.call("NtIsProcessInJob", handle, which) for which in (job, 0, other)]
    assert [STATUS_PROCESS_IN_JOB, STATUS_PROCESS_IN_JOB, STATUS_PROCESS_NOT_IN_JOB] == asked
    assert STATUS_PROCESS_NOT_IN_JOB == caller.call("NtIsProcessInJob", CURRENT_PROCESS, job)
    assert (1, 1, 0) == accounting(caller, job)
    process.end(0)
    assert (0, 1, 0) == accounting(caller, job)
    assert STATUS_PROCESS_IS_TERMINATING == assign(caller, job, handle)


def test_names_and_rights_are_those_of_any_object(caller: Caller) -> None:
    named = caller.guest.named("\\BaseNamedObjects\\work")
    first = caller.handle("NtCreateJobObject", EVERYTHING, named)
    assert STATUS_OBJECT_NAME_COLLISION == caller.call("NtCreateJobObject", caller.cell(), EVERYTHING, named)
    weak = caller.handle("NtOpenJobObject", jobs.JOB_OBJECT_QUERY, named)
    assert caller.process.handles.get(first) is caller.process.handles.get(weak)
    _, handle = another(caller)
    assert STATUS_ACCESS_DENIED == assign(caller, weak, handle)
    assert STATUS_ACCESS_DENIED == caller.call("NtTerminateJobObject", weak, 1)
    assert STATUS_ACCESS_DENIED == limit(caller, weak, 0)
    _, seen_only = another(caller, PROCESS_QUERY_INFORMATION)
    assert STATUS_ACCESS_DENIED == assign(caller, first, seen_only)
    assert STATUS_INVALID_HANDLE == caller.call("NtTerminateJobObject", 0x4444, 1)


def test_identifiers_are_listed_as_far_as_there_is_room(caller: Caller) -> None:
    _, job = new_job(caller)
    members = [another(caller) for _ in range(3)]
    for _, handle in members:
        assign(caller, job, handle)
    query, number = "NtQueryInformationJobObject", nt.JobObjectBasicProcessIdList
    status, data = caller.query(query, job, number, length=8 + 3 * 8)
    assert (STATUS_SUCCESS, (3, 3, *(p.pid for p, _ in members))) == (status, struct.unpack("<II3Q", data))
    status, data = caller.query(query, job, number, length=8 + 2 * 8 + 7)
    assert (STATUS_BUFFER_OVERFLOW, (3, 2)) == (status, struct.unpack_from("<II", data))
    assert STATUS_INFO_LENGTH_MISMATCH == caller.query(query, job, number, length=15)[0]


def test_without_a_handle_the_own_job_is_meant(caller: Caller) -> None:
    query = "NtQueryInformationJobObject"
    assert STATUS_ACCESS_DENIED == caller.query(query, 0, nt.JobObjectBasicLimitInformation, length=64)[0]
    _, job = new_job(caller)
    assert STATUS_SUCCESS == assign(caller, job, CURRENT_PROCESS)
    assert STATUS_SUCCESS == caller.query(query, 0, nt.JobObjectBasicLimitInformation, length=64)[0]


@pytest.mark.parametrize(("number", "length"), [(1, 48), (2, 64), (4, 4), (6, 4), (8, 96), (9, 144)])
def test_answers_have_the_length_of_their_structure(caller: Caller, number: int, length: int) -> None:
    _, job = new_job(caller)
    asked = [caller.query("NtQueryInformationJobObject", job, number, length=n)[0] for n in (length, length - 1)]
    assert [STATUS_SUCCESS, STATUS_INFO_LENGTH_MISMATCH] == asked
    assert STATUS_INVALID_INFO_CLASS == caller.query("NtQueryInformationJobObject", job, 99)[0]


# ---- nesting and children


def test_a_process_may_be_put_into_an_empty_job_below_its_own(caller: Caller) -> None:
    outer, outer_handle = new_job(caller)
    inner, inner_handle = new_job(caller)
    _, used = new_job(caller)
    process, handle = another(caller)
    stranger, stranger_handle = another(caller)
    assign(caller, outer_handle, handle)
    assign(caller, used, stranger_handle)
    assert STATUS_SUCCESS == assign(caller, inner_handle, handle)
    assert ([process], [process]) == (outer.processes, inner.processes)
    assert STATUS_ACCESS_DENIED == assign(caller, used, handle)  # it has had a process of its own
    assert STATUS_SUCCESS == assign(caller, inner_handle, handle)
    outsider, outsider_handle = another(caller)
    assert STATUS_SUCCESS == assign(caller, inner_handle, outsider_handle)
    assert [process, outsider] == outer.processes
    caller.call("NtTerminateJobObject", outer_handle, 6)
    assert (6, 6, False) == (process.exit_status, outsider.exit_status, stranger.ended)


def test_children_start_in_the_innermost_job_that_does_not_let_them_go() -> None:
    outer, inner = Job(), Job()
    inner.parent = outer

    def child(flags: int, *, breakaway: bool) -> Job | None:
        inner.limits.flags = flags
        return job_of_child(inner, breakaway=breakaway)

    assert [inner, inner] == [child(flags, breakaway=False) for flags in (0, jobs.LIMIT_BREAKAWAY_OK)]
    assert outer is child(jobs.LIMIT_BREAKAWAY_OK, breakaway=True)
    assert outer is child(jobs.LIMIT_SILENT_BREAKAWAY_OK, breakaway=False)
    outer.limits.flags = jobs.LIMIT_SILENT_BREAKAWAY_OK
    assert child(jobs.LIMIT_SILENT_BREAKAWAY_OK, breakaway=False) is None
    with pytest.raises(NtError):
        child(0, breakaway=True)
    assert job_of_child(None, breakaway=True) is None


# ---- the end


def test_the_last_handle_ends_everything_when_it_was_asked_to(caller: Caller) -> None:
    _, job = new_job(caller)
    limit(caller, job, jobs.LIMIT_KILL_ON_JOB_CLOSE)
    second = caller.cell()
    duplicate = "NtDuplicateObject", CURRENT_PROCESS, job, CURRENT_PROCESS, second, EVERYTHING, 0, 0
    assert STATUS_SUCCESS == caller.call(*duplicate)
    process, handle = another(caller)
    assign(caller, job, handle)
    caller.call("NtClose", job)
    assert not process.ended
    caller.call("NtClose", caller.number(second, 8))
    assert process.ended


def test_a_job_without_that_limit_just_goes_away(caller: Caller) -> None:
    _, job = new_job(caller)
    process, handle = another(caller)
    assign(caller, job, handle)
    caller.call("NtClose", job)
    assert not process.ended


def test_a_long_chain_of_jobs_that_end_each_other_is_ended_without_recursion(caller: Caller) -> None:
    processes = [another(caller)[0] for _ in range(400)]
    for owner, member in pairwise(processes):
        job = Job()
        job.limits.flags = jobs.LIMIT_KILL_ON_JOB_CLOSE
        owner.handles.add(job, EVERYTHING)
        job.assign(member)
    processes[0].end(0)
    assert all(process.ended for process in processes)


def test_its_port_hears_of_everything(caller: Caller) -> None:
    _, job = new_job(caller)
    early, early_handle = another(caller)
    assign(caller, job, early_handle)
    port = listened(caller, job)
    assert [(jobs.MSG_NEW_PROCESS, early.pid)] == heard(port)
    late, late_handle = another(caller)
    assign(caller, job, late_handle)
    assert [(jobs.MSG_NEW_PROCESS, late.pid)] == heard(port)
    early.end(0xC0000005)
    assert [(jobs.MSG_ABNORMAL_EXIT_PROCESS, early.pid)] == heard(port)
    late.end(3)
    assert [(jobs.MSG_EXIT_PROCESS, late.pid), (jobs.MSG_ACTIVE_PROCESS_ZERO, 0)] == heard(port)


def test_a_second_port_is_refused_until_the_first_is_taken_away(caller: Caller) -> None:
    _, job = new_job(caller)
    port = caller.process.handles.add(CompletionPort(), 0x1F0003)

    def associate(handle: int) -> int:
        data = caller.guest.stored(struct.pack("<QQ", 5, handle))
        return caller.call("NtSetInformationJobObject", job, nt.JobObjectAssociateCompletionPortInformation, data, 16)

    assert [STATUS_SUCCESS, STATUS_INVALID_PARAMETER, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_INVALID_HANDLE] == [
        associate(handle) for handle in (port, port, 0, port, 0x5550)
    ]


# ---- limits


def test_no_more_processes_than_allowed(caller: Caller) -> None:
    job, handle = new_job(caller)
    port = listened(caller, handle)
    assert STATUS_SUCCESS == limit(caller, handle, jobs.LIMIT_ACTIVE_PROCESS, active=1)
    first, first_handle = another(caller)
    second, second_handle = another(caller)
    assert STATUS_SUCCESS == assign(caller, handle, first_handle)
    heard(port)
    assert STATUS_QUOTA_EXCEEDED == assign(caller, handle, second_handle)
    assert (False, True) == (first.ended, second.ended)
    assert [(jobs.MSG_ACTIVE_PROCESS_LIMIT, 0)] == heard(port)
    with pytest.raises(NtError):
        job.admit()
    assert (1, 1, 1) == accounting(caller, handle)


def test_no_more_memory_than_allowed(caller: Caller) -> None:
    _, handle = new_job(caller)
    port = listened(caller, handle)
    process, process_handle = another(caller)
    assign(caller, handle, process_handle)
    heard(port)

    def allocate(size: int) -> int:
        place, length = caller.cell(), caller.cell(size)
        return caller.call("NtAllocateVirtualMemory", process_handle, place, 0, length, 0x3000, PAGE_READWRITE)

    room = process.space.committed + 0x20000
    limit(caller, handle, jobs.LIMIT_PROCESS_MEMORY, process_memory=room)
    assert [STATUS_SUCCESS, STATUS_COMMITMENT_LIMIT] == [allocate(0x10000), allocate(0x20000)]
    assert [(jobs.MSG_PROCESS_MEMORY_LIMIT, process.pid)] == heard(port)
    limit(caller, handle, jobs.LIMIT_JOB_MEMORY, job_memory=room)
    assert [STATUS_COMMITMENT_LIMIT, STATUS_SUCCESS] == [allocate(0x20000), allocate(0x10000)]
    assert [(jobs.MSG_JOB_MEMORY_LIMIT, process.pid)] == heard(port)


def test_affinity_and_priority_are_put_on_every_process(caller: Caller) -> None:
    _, handle = new_job(caller)
    before, before_handle = another(caller)
    assign(caller, handle, before_handle)
    flags = jobs.LIMIT_AFFINITY | jobs.LIMIT_PRIORITY_CLASS
    assert STATUS_SUCCESS == limit(caller, handle, flags, affinity=1, priority=0x4000)
    after, after_handle = another(caller)
    assign(caller, handle, after_handle)
    assert [(1, 5), (1, 5)] == [(process.affinity, process.priority_class) for process in (before, after)]


def test_processor_time_that_is_used_up_ends_a_process_or_the_job(caller: Caller) -> None:
    job, handle = new_job(caller)
    port = listened(caller, handle)
    (lazy, lazy_handle), (busy, busy_handle) = another(caller), another(caller)
    assign(caller, handle, lazy_handle)
    assign(caller, handle, busy_handle)
    heard(port)
    limit(caller, handle, jobs.LIMIT_PROCESS_TIME, process_time=10_000_000)
    lazy.cpu_seconds, busy.cpu_seconds = 0.9, 1.1
    pass_time(caller)
    assert (False, True) == (lazy.ended, busy.ended)
    assert [(jobs.MSG_END_OF_PROCESS_TIME, busy.pid), (jobs.MSG_EXIT_PROCESS, busy.pid)] == heard(port)
    limit(caller, handle, jobs.LIMIT_JOB_TIME, job_time=30_000_000)
    pass_time(caller)
    assert not lazy.ended
    lazy.cpu_seconds = 2.0
    pass_time(caller)
    assert (True, True) == (lazy.ended, job.is_signalled(caller.thread))


def test_the_end_of_a_job_s_time_may_just_be_told(caller: Caller) -> None:
    _, handle = new_job(caller)
    port = listened(caller, handle)
    process, process_handle = another(caller)
    assign(caller, handle, process_handle)
    heard(port)
    one = caller.guest.stored(b"\1\0\0\0")
    number = nt.JobObjectEndOfJobTimeInformation
    assert STATUS_SUCCESS == caller.call("NtSetInformationJobObject", handle, number, one, 4)
    limit(caller, handle, jobs.LIMIT_JOB_TIME, job_time=10_000_000)
    process.cpu_seconds = 2.0
    for _ in range(3):
        pass_time(caller)
    assert ([(jobs.MSG_END_OF_JOB_TIME, 0)], False) == (heard(port), process.ended)


def pass_time(caller: Caller) -> None:
    """Long enough for a look at the processes."""
    caller.clock.now += 0.1
    caller.scheduler.deadlines.expire()


def test_limits_that_make_no_sense_are_refused_and_change_nothing(caller: Caller) -> None:
    _, handle = new_job(caller)
    limit(caller, handle, jobs.LIMIT_KILL_ON_JOB_CLOSE)
    refused = (
        limit(caller, handle, 0x8000),
        limit(caller, handle, jobs.LIMIT_ACTIVE_PROCESS, active=0),
        limit(caller, handle, jobs.LIMIT_AFFINITY, affinity=0),
        limit(caller, handle, jobs.LIMIT_PRIORITY_CLASS, priority=77),
    )
    assert {STATUS_INVALID_PARAMETER} == set(refused)
    _, data = caller.query("NtQueryInformationJobObject", handle, nt.JobObjectExtendedLimitInformation, length=144)
    found = nt.JOBOBJECT_EXTENDED_LIMIT_INFORMATION.unpack(8, data)
    assert jobs.LIMIT_KILL_ON_JOB_CLOSE == found.BasicLimitInformation.LimitFlags


def test_basic_limits_leave_the_extended_ones_alone(caller: Caller) -> None:
    job, handle = new_job(caller)
    limit(caller, handle, jobs.LIMIT_KILL_ON_JOB_CLOSE | jobs.LIMIT_PROCESS_MEMORY, process_memory=4096)
    data = nt.JOBOBJECT_BASIC_LIMIT_INFORMATION(LimitFlags=jobs.LIMIT_ACTIVE_PROCESS, ActiveProcessLimit=3).pack(8)
    number, stored = nt.JobObjectBasicLimitInformation, caller.guest.stored(data)
    assert STATUS_SUCCESS == caller.call("NtSetInformationJobObject", handle, number, stored, len(data))
    flags = jobs.LIMIT_KILL_ON_JOB_CLOSE | jobs.LIMIT_PROCESS_MEMORY | jobs.LIMIT_ACTIVE_PROCESS
    assert (flags, 3, 4096) == (job.limits.flags, job.limits.active_processes, job.limits.process_memory)


def test_a_new_job_limits_nothing() -> None:
    assert 0 == Limits().flags
