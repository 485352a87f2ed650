"""Job objects: processes that are counted, limited and ended together.

A process is in its innermost job and in all the jobs that one is nested in. Jobs nest by use: assigning a process that
is in a job already to an empty one puts the empty one below.
Source: Microsoft "Job Objects", "Nested Jobs", JOBOBJECT_BASIC_LIMIT_INFORMATION, JOBOBJECT_ASSOCIATE_COMPLETION_PORT.
"""

from __future__ import annotations

from weakref import WeakSet

from lswd.kernel.object import Waitable
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_QUOTA_EXCEEDED,
    STATUS_SUCCESS,
    STATUS_TOO_MANY_THREADS,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lswd.kernel.completion_port import CompletionPort
    from lswd.kernel.process import Process
    from lswd.kernel.section import FileSection
    from lswd.kernel.thread import Thread

JOB_OBJECT_ASSIGN_PROCESS = 0x01
JOB_OBJECT_SET_ATTRIBUTES = 0x02
JOB_OBJECT_QUERY = 0x04
JOB_OBJECT_TERMINATE = 0x08
JOB_OBJECT_ALL_ACCESS = 0x1F001F

LIMIT_PROCESS_TIME = 0x0002
LIMIT_JOB_TIME = 0x0004
LIMIT_ACTIVE_PROCESS = 0x0008
LIMIT_AFFINITY = 0x0010
LIMIT_PRIORITY_CLASS = 0x0020
LIMIT_PRESERVE_JOB_TIME = 0x0040
LIMIT_PROCESS_MEMORY = 0x0100
LIMIT_JOB_MEMORY = 0x0200
LIMIT_BREAKAWAY_OK = 0x0800
LIMIT_SILENT_BREAKAWAY_OK = 0x1000
LIMIT_KILL_ON_JOB_CLOSE = 0x2000

MSG_END_OF_JOB_TIME = 1
MSG_END_OF_PROCESS_TIME = 2
MSG_ACTIVE_PROCESS_LIMIT = 3
MSG_ACTIVE_PROCESS_ZERO = 4
MSG_NEW_PROCESS = 6
MSG_EXIT_PROCESS = 7
MSG_ABNORMAL_EXIT_PROCESS = 8
MSG_PROCESS_MEMORY_LIMIT = 9
MSG_JOB_MEMORY_LIMIT = 10

# Exit statuses that mean a process did not end of its own will (JOB_OBJECT_MSG_ABNORMAL_EXIT_PROCESS).
_ABNORMAL = frozenset((
    0x80000001, 0x80000002, 0x80000003, 0x80000004, 0xC0000005, 0xC0000006, 0xC000001D, 0xC0000025, 0xC0000026,
    0xC000008C, 0xC000008D, 0xC000008E, 0xC000008F, 0xC0000090, 0xC0000091, 0xC0000092, 0xC0000093, 0xC0000094,
    0xC0000095, 0xC0000096, 0xC00000FD, 0xC000013A,
))  # fmt: skip
_MOST_NESTED = 64
_LOOK_SECONDS = 0.05  # between looks at how much processor time has been used
_STATUS_TIME_LIMIT = 1816  # ERROR_NOT_ENOUGH_QUOTA: what a process ends with when its time is up


class Limits:
    """A job's limits: those whose LIMIT_* bit is in ``flags``.

    Attributes:
        process_time, job_time: of user code, in 100 ns.
        threads: of all processes together, which NT has no limit for; 0: any number.
    """

    __slots__ = (
        "active_processes", "affinity", "flags", "job_memory", "job_time", "priority_class", "process_memory",
        "process_time", "scheduling_class", "threads", "working_set",
    )  # fmt: skip

    def __init__(self) -> None:
        self.flags = 0
        self.process_time = self.job_time = 0
        self.active_processes = 0
        self.affinity = 0
        self.priority_class = 0
        self.scheduling_class = 5
        self.working_set = (0, 0)
        self.process_memory = self.job_memory = 0
        self.threads = 0


class Job(Waitable):
    """See the module's docstring.

    Attributes:
        parent: the job it is nested in.
        processes: the running ones, of nested jobs too.
        port: the completion port that is told what happens, and the key it is told with.
        total, killed: how many processes there have been, and how many a limit has ended.
        ended_seconds: processor time of those that have ended.
        end_of_time_posts: when the job's time is up its port is told, instead of everything being ended.
        time_is_up: everything has been ended for that. refusals: the flags of limits for which something was refused,
            0 for that of threads.
        sections: memory that its processes have made to share, which no single one of them has.
    """

    type_name = "Job"
    generic = (0x20004, 0x2000B, 0x120000, JOB_OBJECT_ALL_ACCESS)

    def __init__(self) -> None:
        super().__init__()
        self.parent: Job | None = None
        self.limits = Limits()
        self.processes: list[Process] = []
        self.port: tuple[CompletionPort, int] | None = None
        self.ui_restrictions = 0
        self.total = 0
        self.killed = 0
        self.ended_seconds = 0.0
        self.peak_process_memory = self.peak_job_memory = 0
        self.end_of_time_posts = False
        self.time_is_up = False
        self.refusals: set[int] = set()
        self.sections: WeakSet[FileSection] = WeakSet()
        self._watching = False
        self._time_told = False

    def is_signalled(self, thread: Thread) -> bool:
        return self.time_is_up

    def chain(self) -> Iterator[Job]:
        """This job and those around it, from the inside out."""
        job: Job | None = self
        while job is not None:
            yield job
            job = job.parent

    # ---- who is in it

    def contains(self, process: Process) -> bool:
        """Is the process in this job, or in one nested in it?"""
        return process.job is not None and self in process.job.chain()

    def admit(self) -> None:
        """
        Raises:
            NtError: STATUS_QUOTA_EXCEEDED when this job, or one around it, has all the processes it may have.
        """
        for job in self.chain():
            if job._full():
                raise NtError(STATUS_QUOTA_EXCEEDED)

    def _full(self) -> bool:
        """Has it all the processes it may have? Who asks wants one more, so then it is told to those concerned."""
        full = bool(self.limits.flags & LIMIT_ACTIVE_PROCESS) and len(self.processes) >= self.limits.active_processes
        if full:
            self.refusals.add(LIMIT_ACTIVE_PROCESS)
            self.tell(MSG_ACTIVE_PROCESS_LIMIT, 0)
        return full

    def admit_thread(self) -> None:
        """
        Raises:
            NtError: STATUS_TOO_MANY_THREADS when this job, or one around it, has all the threads it may have.
        """
        for job in self.chain():
            if job.limits.threads and sum(len(p.threads) for p in job.processes) >= job.limits.threads:
                job.refusals.add(0)
                raise NtError(STATUS_TOO_MANY_THREADS)

    def assign(self, process: Process) -> None:
        """Put a running process into the job.

        Raises:
            NtError: STATUS_ACCESS_DENIED when it is in a job that this one cannot be nested in; STATUS_QUOTA_EXCEEDED
                when there are too many, and then the process is ended.
        """
        current = process.job
        if current is self:
            return
        if current is not None and current not in self.chain():
            if self.parent is not None or self.total or len(list(current.chain())) >= _MOST_NESTED:
                raise NtError(STATUS_ACCESS_DENIED)
            self.parent = current
        joined = [job for job in self.chain() if process not in job.processes]
        for job in joined:
            if job._full():
                job.killed += 1
                process.end(STATUS_QUOTA_EXCEEDED)
                raise NtError(STATUS_QUOTA_EXCEEDED)
        process.job = self
        for job in joined:
            job.total += 1
            job.processes.append(process)
            job.tell(MSG_NEW_PROCESS, process.pid)
            job.apply_to(process)

    def process_ended(self, process: Process) -> None:
        """A process of this job is over."""
        message = MSG_ABNORMAL_EXIT_PROCESS if process.exit_status in _ABNORMAL else MSG_EXIT_PROCESS
        for job in self.chain():
            if process not in job.processes:
                continue
            job.ended_seconds += process.cpu_seconds
            job.note_memory()
            job.processes.remove(process)
            job.tell(message, process.pid)
            if not job.processes:
                job.tell(MSG_ACTIVE_PROCESS_ZERO, 0)

    def terminate(self, exit_status: int) -> None:
        """End every process in it."""
        for process in tuple(self.processes):
            process.end(exit_status)

    def tell(self, message: int, process_id: int) -> None:
        """Post a message to the job's completion port, if it has one."""
        if self.port is not None:
            port, key = self.port
            port.post(key, process_id, STATUS_SUCCESS, message)

    def associate(self, port: CompletionPort, key: int) -> None:
        """Tell ``port`` from now on; of the processes that are there already, too."""
        self.port = (port, key)
        for process in self.processes:
            self.tell(MSG_NEW_PROCESS, process.pid)

    def on_last_handle(self) -> None:
        super().on_last_handle()
        if self.limits.flags & LIMIT_KILL_ON_JOB_CLOSE:
            self.terminate(STATUS_SUCCESS)

    # ---- limits

    def set_limits(self, limits: Limits) -> None:
        """Replace the limits; those that hold for each process are put on the processes there are."""
        self.limits = limits
        for process in self.processes:
            self.apply_to(process)
        self._watch()

    def apply_to(self, process: Process) -> None:
        """Give a process what the limits say of each one."""
        limits = self.limits
        if limits.flags & LIMIT_AFFINITY:
            process.affinity = limits.affinity
            for thread in process.threads:
                thread.affinity = limits.affinity
        if limits.flags & LIMIT_PRIORITY_CLASS:
            process.priority_class = limits.priority_class
        self._watch()

    def check_memory(self, process: Process, more: int) -> bool:
        """May ``process`` commit so many more bytes? When not, the job whose limit it is tells its port."""
        for job in self.chain():
            limits = job.limits
            if limits.flags & LIMIT_PROCESS_MEMORY and process.space.committed + more > limits.process_memory:
                job.tell(MSG_PROCESS_MEMORY_LIMIT, process.pid)
                return False
            if limits.flags & LIMIT_JOB_MEMORY and job._committed() + more > limits.job_memory:
                job.refusals.add(LIMIT_JOB_MEMORY)
                job.tell(MSG_JOB_MEMORY_LIMIT, process.pid)
                return False
        return True

    def _committed(self) -> int:
        return sum(p.space.committed for p in self.processes) + sum(section.charge for section in self.sections)

    def note_section(self, section: FileSection) -> None:
        """Count memory that a process has made to share, as long as it is there."""
        for job in self.chain():
            job.sections.add(section)

    def note_memory(self) -> None:
        """Remember the most memory there has been."""
        peaks = [process.space.peak_committed for process in self.processes]
        self.peak_process_memory = max(self.peak_process_memory, *peaks, 0)
        self.peak_job_memory = max(self.peak_job_memory, sum(peaks))

    def seconds(self) -> float:
        """Processor time of all its processes."""
        return self.ended_seconds + sum(process.cpu_seconds for process in self.processes)

    def _watch(self) -> None:
        """Look at processor times now and then, while there is a limit of them."""
        if self._watching or not self.processes or not self.limits.flags & (LIMIT_PROCESS_TIME | LIMIT_JOB_TIME):
            return
        scheduler = self.processes[0].scheduler
        if scheduler is not None:
            self._watching = True
            scheduler.deadlines.add(_LOOK_SECONDS, self._look)

    def _look(self) -> None:
        self._watching = False
        limits = self.limits
        if limits.flags & LIMIT_PROCESS_TIME:
            for process in tuple(self.processes):
                if process.cpu_seconds * 1e7 > limits.process_time:
                    self.tell(MSG_END_OF_PROCESS_TIME, process.pid)
                    self.killed += 1
                    process.end(_STATUS_TIME_LIMIT)
        if limits.flags & LIMIT_JOB_TIME and not self._time_told and self.seconds() * 1e7 > limits.job_time:
            if self.end_of_time_posts:
                self._time_told = True
                self.tell(MSG_END_OF_JOB_TIME, 0)
            else:
                self.killed += len(self.processes)
                self.terminate(_STATUS_TIME_LIMIT)
                self.time_is_up = True
                self.wake()
        self._watch()


def job_of_child(job: Job | None, *, breakaway: bool) -> Job | None:
    """The job a process starts in whose creator is in ``job``.

    Args:
        breakaway: its creator asks for it to be in none (CREATE_BREAKAWAY_FROM_JOB).

    Raises:
        NtError: STATUS_ACCESS_DENIED when the job does not allow that.
    """
    if job is not None and breakaway and not job.limits.flags & (LIMIT_BREAKAWAY_OK | LIMIT_SILENT_BREAKAWAY_OK):
        raise NtError(STATUS_ACCESS_DENIED)
    leaves = LIMIT_SILENT_BREAKAWAY_OK | (LIMIT_BREAKAWAY_OK if breakaway else 0)
    while job is not None and job.limits.flags & leaves:
        job = job.parent
    return job
