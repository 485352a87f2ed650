"""Job objects. Source: Microsoft "CreateJobObject", "SetInformationJobObject", "QueryInformationJobObject",
"AssignProcessToJobObject"; winnt.h JOBOBJECTINFOCLASS and its structures."""

from __future__ import annotations

from lswd.kernel.completion_port import IO_COMPLETION_MODIFY_STATE, CompletionPort
from lswd.kernel.job import (
    JOB_OBJECT_ASSIGN_PROCESS,
    JOB_OBJECT_QUERY,
    JOB_OBJECT_SET_ATTRIBUTES,
    JOB_OBJECT_TERMINATE,
    LIMIT_ACTIVE_PROCESS,
    LIMIT_AFFINITY,
    LIMIT_PRESERVE_JOB_TIME,
    LIMIT_PRIORITY_CLASS,
    Job,
    Limits,
)
from lswd.kernel.process import PROCESS_QUERY_LIMITED_INFORMATION, PROCESS_SET_QUOTA, PROCESS_TERMINATE, Process
from lswd.nt.declare import Call, Handle, ObjectAttributes, Out, syscall
from lswd.nt.information import SetTable
from lswd.nt.named_object import create_object, open_object
from lswd.nt.process_counters import IO_COUNTERS, all_processors, io_counters
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_PROCESS_IN_JOB,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_PROCESS_NOT_IN_JOB,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import (
    ACCESS_MASK,
    HANDLE,
    LARGE_INTEGER,
    NTSTATUS,
    PVOID,
    SIZE_T,
    ULONG,
    ULONG_PTR,
    Struct,
)

JobObjectBasicAccountingInformation = 1
JobObjectBasicLimitInformation = 2
JobObjectBasicProcessIdList = 3
JobObjectBasicUIRestrictions = 4
JobObjectEndOfJobTimeInformation = 6
JobObjectAssociateCompletionPortInformation = 7
JobObjectBasicAndIoAccountingInformation = 8
JobObjectExtendedLimitInformation = 9
JobObjectGroupInformation = 11

_BASIC_LIMITS = 0x00FF
_EXTENDED_LIMITS = 0x7FFF
_UI_RESTRICTIONS = 0xFF
_MOST_IDENTIFIERS = 1 << 16
# SetPriorityClass's values, which reach us as they are or, from Windows' own kernel32, as the system's numbers.
_PRIORITY_CLASSES = {0x40: 1, 0x20: 2, 0x80: 3, 0x100: 4, 0x4000: 5, 0x8000: 6, **{n: n for n in range(1, 7)}}


class JOBOBJECT_BASIC_ACCOUNTING_INFORMATION(Struct):
    TotalUserTime: LARGE_INTEGER
    TotalKernelTime: LARGE_INTEGER
    ThisPeriodTotalUserTime: LARGE_INTEGER
    ThisPeriodTotalKernelTime: LARGE_INTEGER
    TotalPageFaultCount: ULONG
    TotalProcesses: ULONG
    ActiveProcesses: ULONG
    TotalTerminatedProcesses: ULONG


class JOBOBJECT_BASIC_AND_IO_ACCOUNTING_INFORMATION(Struct):
    BasicInfo: JOBOBJECT_BASIC_ACCOUNTING_INFORMATION
    IoInfo: IO_COUNTERS


class JOBOBJECT_BASIC_LIMIT_INFORMATION(Struct):
    PerProcessUserTimeLimit: LARGE_INTEGER
    PerJobUserTimeLimit: LARGE_INTEGER
    LimitFlags: ULONG
    MinimumWorkingSetSize: SIZE_T
    MaximumWorkingSetSize: SIZE_T
    ActiveProcessLimit: ULONG
    Affinity: ULONG_PTR
    PriorityClass: ULONG
    SchedulingClass: ULONG


class JOBOBJECT_EXTENDED_LIMIT_INFORMATION(Struct):
    BasicLimitInformation: JOBOBJECT_BASIC_LIMIT_INFORMATION
    IoInfo: IO_COUNTERS
    ProcessMemoryLimit: SIZE_T
    JobMemoryLimit: SIZE_T
    PeakProcessMemoryUsed: SIZE_T
    PeakJobMemoryUsed: SIZE_T


class JOBOBJECT_ASSOCIATE_COMPLETION_PORT(Struct):
    CompletionKey: PVOID
    CompletionPort: HANDLE


SET = SetTable()


@syscall
def NtCreateJobObject(
    call: Call, JobHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return create_object(call, JobHandle, ObjectAttributes, DesiredAccess, Job, Job)


@syscall
def NtOpenJobObject(
    call: Call, JobHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return open_object(call, JobHandle, ObjectAttributes, DesiredAccess, Job)


@syscall(
    access={"JobHandle": JOB_OBJECT_ASSIGN_PROCESS, "ProcessHandle": PROCESS_SET_QUOTA | PROCESS_TERMINATE},
)
def NtAssignProcessToJobObject(call: Call, JobHandle: Handle[Job], ProcessHandle: Handle[Process]) -> NTSTATUS:
    if ProcessHandle.ended:
        return STATUS_PROCESS_IS_TERMINATING
    JobHandle.assign(ProcessHandle)
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_QUERY_LIMITED_INFORMATION, "JobHandle": JOB_OBJECT_QUERY})
def NtIsProcessInJob(call: Call, ProcessHandle: Handle[Process], JobHandle: Handle[Job] | None) -> NTSTATUS:
    """Without a job: in any."""
    if JobHandle is None:
        inside = ProcessHandle.job is not None
    else:
        inside = JobHandle.contains(ProcessHandle)
    return STATUS_PROCESS_IN_JOB if inside else STATUS_PROCESS_NOT_IN_JOB


@syscall(access={"JobHandle": JOB_OBJECT_TERMINATE})
def NtTerminateJobObject(call: Call, JobHandle: Handle[Job], ExitStatus: NTSTATUS) -> NTSTATUS:
    JobHandle.terminate(ExitStatus)
    return STATUS_SUCCESS


# ---- queries


def _accounting(job: Job) -> JOBOBJECT_BASIC_ACCOUNTING_INFORMATION:
    used = int(job.seconds() * 1e7)
    return JOBOBJECT_BASIC_ACCOUNTING_INFORMATION(
        TotalUserTime=used,
        ThisPeriodTotalUserTime=used,
        TotalProcesses=job.total,
        ActiveProcesses=len(job.processes),
        TotalTerminatedProcesses=job.killed,
    )


def _basic_limits(job: Job) -> JOBOBJECT_BASIC_LIMIT_INFORMATION:
    limits = job.limits
    return JOBOBJECT_BASIC_LIMIT_INFORMATION(
        PerProcessUserTimeLimit=limits.process_time,
        PerJobUserTimeLimit=limits.job_time,
        LimitFlags=limits.flags,
        MinimumWorkingSetSize=limits.working_set[0],
        MaximumWorkingSetSize=limits.working_set[1],
        ActiveProcessLimit=limits.active_processes,
        Affinity=limits.affinity,
        PriorityClass=limits.priority_class,
        SchedulingClass=limits.scheduling_class,
    )


def _extended_limits(job: Job) -> JOBOBJECT_EXTENDED_LIMIT_INFORMATION:
    job.note_memory()
    return JOBOBJECT_EXTENDED_LIMIT_INFORMATION(
        BasicLimitInformation=_basic_limits(job),
        ProcessMemoryLimit=job.limits.process_memory,
        JobMemoryLimit=job.limits.job_memory,
        PeakProcessMemoryUsed=job.peak_process_memory,
        PeakJobMemoryUsed=job.peak_job_memory,
    )


def _answer(job: Job, information_class: int, word: int) -> bytes:
    if information_class == JobObjectBasicAccountingInformation:
        return _accounting(job).pack(word)
    if information_class == JobObjectBasicAndIoAccountingInformation:
        both = JOBOBJECT_BASIC_AND_IO_ACCOUNTING_INFORMATION(BasicInfo=_accounting(job), IoInfo=io_counters())
        return both.pack(word)
    if information_class == JobObjectBasicLimitInformation:
        return _basic_limits(job).pack(word)
    if information_class == JobObjectExtendedLimitInformation:
        return _extended_limits(job).pack(word)
    if information_class == JobObjectBasicUIRestrictions:
        return job.ui_restrictions.to_bytes(4, "little")
    if information_class == JobObjectEndOfJobTimeInformation:
        return int(job.end_of_time_posts).to_bytes(4, "little")
    if information_class == JobObjectGroupInformation:
        return bytes(2)  # the one processor group
    raise NtError(STATUS_INVALID_INFO_CLASS)


def _identifiers(call: Call, job: Job, address: int, length: int, returned: Out[ULONG] | None) -> int:
    """JOBOBJECT_BASIC_PROCESS_ID_LIST: how many there are, how many are listed, and the list."""
    word = call.word
    room = (length - 8) // word
    if room < 1:
        raise NtError(STATUS_INFO_LENGTH_MISMATCH)
    listed = [process.pid for process in job.processes][: min(room, _MOST_IDENTIFIERS)]
    data = len(job.processes).to_bytes(4, "little") + len(listed).to_bytes(4, "little")
    data += b"".join(pid.to_bytes(word, "little") for pid in listed)
    call.space.write(address, data)
    if returned is not None:
        returned.set(len(data))
    return STATUS_BUFFER_OVERFLOW if len(listed) < len(job.processes) else STATUS_SUCCESS


@syscall(partial="no network, CPU rate and notification limits")
def NtQueryInformationJobObject(
    call: Call,
    JobHandle: HANDLE,
    JobObjectInformationClass: ULONG,
    JobObjectInformation: PVOID,
    JobObjectInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    """Without a handle: the caller's own job."""
    job = call.process.handles.get(JobHandle, Job, JOB_OBJECT_QUERY) if JobHandle else call.process.job
    if job is None:
        return STATUS_ACCESS_DENIED
    assert isinstance(job, Job)
    length = JobObjectInformationLength
    if JobObjectInformationClass == JobObjectBasicProcessIdList:
        return _identifiers(call, job, JobObjectInformation, length, ReturnLength)
    data = _answer(job, JobObjectInformationClass, call.word)
    if length != len(data):
        return STATUS_INFO_LENGTH_MISMATCH
    call.space.write(JobObjectInformation, data)
    if ReturnLength is not None:
        ReturnLength.set(len(data))
    return STATUS_SUCCESS


# ---- setting


def _limits(given: JOBOBJECT_BASIC_LIMIT_INFORMATION, allowed: int, old: Limits) -> Limits:
    """
    Raises:
        NtError: STATUS_INVALID_PARAMETER for bits outside of ``allowed`` and limits that make no sense.
    """
    if given.LimitFlags & ~allowed:
        raise NtError(STATUS_INVALID_PARAMETER)
    limits = Limits()
    limits.flags = given.LimitFlags & ~LIMIT_PRESERVE_JOB_TIME
    limits.process_time = given.PerProcessUserTimeLimit
    limits.job_time = old.job_time if given.LimitFlags & LIMIT_PRESERVE_JOB_TIME else given.PerJobUserTimeLimit
    limits.working_set = (given.MinimumWorkingSetSize, given.MaximumWorkingSetSize)
    limits.active_processes = given.ActiveProcessLimit
    limits.affinity = given.Affinity
    limits.scheduling_class = given.SchedulingClass
    limits.priority_class = given.PriorityClass
    if limits.flags & LIMIT_PRIORITY_CLASS:
        priority = _PRIORITY_CLASSES.get(given.PriorityClass)
        if priority is None:
            raise NtError(STATUS_INVALID_PARAMETER)
        limits.priority_class = priority
    if limits.flags & LIMIT_AFFINITY and (not limits.affinity or limits.affinity & ~all_processors()):
        raise NtError(STATUS_INVALID_PARAMETER)
    if limits.flags & LIMIT_ACTIVE_PROCESS and not limits.active_processes:
        raise NtError(STATUS_INVALID_PARAMETER)
    return limits


@SET.takes(JobObjectBasicLimitInformation, size=JOBOBJECT_BASIC_LIMIT_INFORMATION)
def _set_basic_limits(call: Call, job: Job, data: bytes) -> None:
    given = JOBOBJECT_BASIC_LIMIT_INFORMATION.unpack(call.word, data)
    limits = _limits(given, _BASIC_LIMITS, job.limits)
    limits.process_memory, limits.job_memory = job.limits.process_memory, job.limits.job_memory
    limits.flags |= job.limits.flags & _EXTENDED_LIMITS & ~_BASIC_LIMITS
    job.set_limits(limits)


@SET.takes(JobObjectExtendedLimitInformation, size=JOBOBJECT_EXTENDED_LIMIT_INFORMATION)
def _set_extended_limits(call: Call, job: Job, data: bytes) -> None:
    given = JOBOBJECT_EXTENDED_LIMIT_INFORMATION.unpack(call.word, data)
    limits = _limits(given.BasicLimitInformation, _EXTENDED_LIMITS, job.limits)
    limits.process_memory, limits.job_memory = given.ProcessMemoryLimit, given.JobMemoryLimit
    job.set_limits(limits)


@SET.takes(JobObjectBasicUIRestrictions, size=4)
def _set_ui_restrictions(call: Call, job: Job, data: bytes) -> None:
    """Remembered: there are no windows to keep away from."""
    restrictions = int.from_bytes(data, "little")
    if restrictions & ~_UI_RESTRICTIONS:
        raise NtError(STATUS_INVALID_PARAMETER)
    job.ui_restrictions = restrictions


@SET.takes(JobObjectEndOfJobTimeInformation, size=4)
def _set_end_of_job_time(call: Call, job: Job, data: bytes) -> None:
    """JOB_OBJECT_TERMINATE_AT_END_OF_JOB or JOB_OBJECT_POST_AT_END_OF_JOB."""
    action = int.from_bytes(data, "little")
    if action > 1:
        raise NtError(STATUS_INVALID_PARAMETER)
    job.end_of_time_posts = bool(action)


@SET.takes(JobObjectAssociateCompletionPortInformation, size=JOBOBJECT_ASSOCIATE_COMPLETION_PORT)
def _associate(call: Call, job: Job, data: bytes) -> None:
    """Once; no port takes it away."""
    given = JOBOBJECT_ASSOCIATE_COMPLETION_PORT.unpack(call.word, data)
    if not given.CompletionPort:
        job.port = None
        return
    port = call.process.handles.get(given.CompletionPort, CompletionPort, IO_COMPLETION_MODIFY_STATE)
    assert isinstance(port, CompletionPort)
    if job.port is not None:
        raise NtError(STATUS_INVALID_PARAMETER)
    job.associate(port, given.CompletionKey)


@syscall(access={"JobHandle": JOB_OBJECT_SET_ATTRIBUTES}, partial="no network, CPU rate and notification limits")
def NtSetInformationJobObject(
    call: Call,
    JobHandle: Handle[Job],
    JobObjectInformationClass: ULONG,
    JobObjectInformation: PVOID,
    JobObjectInformationLength: ULONG,
) -> NTSTATUS:
    return SET.apply(call, JobHandle, JobObjectInformationClass, JobObjectInformation, JobObjectInformationLength)
