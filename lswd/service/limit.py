"""What a program and all that it starts may use at most: ``--limit memory=1G,cpu=60``.

The limits are those of a job that the first process is in before it runs, and all others with it. So programs see them
(.NET and Java size their heaps by them) as they would those of a Windows container, and can leave the job as little.
Source: Microsoft "Job Objects", "Nested Jobs".
"""

from __future__ import annotations

from lswd.kernel.job import LIMIT_ACTIVE_PROCESS, LIMIT_JOB_MEMORY, LIMIT_JOB_TIME, Limits

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.job import Job

_UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}
_MOST_BYTES = 1 << 47
_MOST = 1 << 31
_TICKS = 10_000_000  # NT's unit of time: 100 ns


def _bytes(text: str) -> int:
    unit = text[-1:].upper() if text[-1:].isalpha() else ""
    return _whole(text[: len(text) - len(unit)]) * _UNITS[unit]


def _whole(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and len(text) < 16):
        raise ValueError
    return int(text)


def _ticks(text: str) -> int:
    seconds, point, fraction = text.partition(".")
    return _whole(seconds) * _TICKS + (_whole(fraction[:7].ljust(7, "0")) if point else 0)


_KINDS = {
    "memory": (_bytes, _MOST_BYTES, "a number of bytes, with K, M or G behind it"),
    "cpu": (_ticks, _MOST * _TICKS, "seconds of processor time"),
    "processes": (_whole, _MOST, "a number above 0"),
    "threads": (_whole, _MOST, "a number above 0"),
}


def parse(text: str) -> Limits:
    """The limits that a text sets, with commas between them; of two of the same kind the last counts.

    Raises:
        ValueError: what is wrong with it, for the user.
    """
    limits = Limits()
    for part in text.split(","):
        name, equals, value = part.strip().partition("=")
        if name not in _KINDS or not equals:
            raise ValueError(f"limit: {', '.join(f'{known}=...' for known in _KINDS)}, not {part.strip()!r}")
        read, most, meaning = _KINDS[name]
        try:
            number = read(value)
        except (ValueError, KeyError):
            number = 0
        if not 0 < number <= most:
            raise ValueError(f"limit: {name} must be {meaning}, not {value!r}")
        if name == "memory":
            limits.flags |= LIMIT_JOB_MEMORY
            limits.job_memory = number
        elif name == "cpu":
            limits.flags |= LIMIT_JOB_TIME
            limits.job_time = number
        elif name == "processes":
            limits.flags |= LIMIT_ACTIVE_PROCESS
            limits.active_processes = number
        else:
            limits.threads = number
    return limits


def reached(job: Job) -> str:
    """Which limit has ended the program, for the user; "" when none has."""
    if not job.time_is_up:
        return ""
    seconds = job.limits.job_time / _TICKS
    return f"ended: it has used its {seconds:g} s of processor time (limit cpu)"


def refused(job: Job) -> str:
    """What was refused for a limit, for the user: it may be why the program has failed. "" when nothing was."""
    limits = job.limits
    known = {
        LIMIT_JOB_MEMORY: f"more than {limits.job_memory >> 10} KiB of memory (limit memory)",
        LIMIT_ACTIVE_PROCESS: f"more than {limits.active_processes} processes (limit processes)",
        0: f"more than {limits.threads} threads (limit threads)",
    }
    what = " and ".join(known[flag] for flag in sorted(job.refusals))
    return f"was refused {what}" if what else ""
