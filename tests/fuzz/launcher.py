"""Starts lswctl on damaged programs and watches them: how they end, what they say, how much memory they take.

A case runs in a fork of this process, which has lswctl loaded already and is several times faster than a new
interpreter; or in a new interpreter (``fresh``). Either way it runs in a directory, a prefix and a cache of its own,
outside of which it cannot write, and is stopped when it takes too long. A program that loops or waits may do so for
ever; then lswctl must end at SIGTERM, and must have been running or waiting for the guest, not be stuck in itself.
"""

from __future__ import annotations

import contextlib
import faulthandler
import math
import os
import resource
import select
import shutil
import signal
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from tests.fuzz.corpus import Damaged
from tests.fuzz.sandbox import confine

SECONDS_TO_END = 5.0  # after SIGTERM
MEMORY_LIMIT = 1 << 30
OUTPUT_LIMIT = 32 << 20
STACK_SAMPLES = 12
BETWEEN_SAMPLES = 0.05, 0.5  # seconds of processor time, and at most seconds: a busy host may let it run but seldom
OUTPUTS = ("stdout", "stderr", "stacks")
REFUSALS = {120, 121, 122, 123, 124}
INTERNAL_ERROR = 125

# Where Python is when the guest runs or waits: the engine's loop, the scheduler's sleep, a read of the guest's input.
GUEST_PLACES = ("unicorn", "/cpu/", "select", "poll", "kernel/scheduler", "kernel/loop", "kernel/ticker", "trio/")


@dataclass(frozen=True)
class Ending:
    """How a process ended."""

    exit_code: int
    """Minus the signal, if one killed it."""
    stderr: str
    peak: int
    """The most memory it had resident, in bytes."""
    stopped: str = ""
    """Why we stopped it, if we did."""
    ended_at_sigterm: bool = True
    stacks: tuple[str, ...] = ()
    """Where lswctl was, sampled before it was stopped; none when that is not known."""


@dataclass(frozen=True)
class Verdict:
    """What an Ending counts as; ``failure`` says what is wrong with it, if anything."""

    outcome: str
    failure: str = ""


def judge(ending: Ending) -> Verdict:
    """Whether a damaged program ended as it may: refused with a message, or run, or stopped by us while it ran."""
    text = ending.stderr
    messages = [line for line in text.splitlines() if line.startswith("lswctl: ")]
    if "Traceback (most recent call last)" in text:
        return Verdict("traceback", text.strip().splitlines()[-1][:200])
    if ending.peak > MEMORY_LIMIT:
        return Verdict("memory", f"{ending.peak >> 20} MiB")
    if ending.stopped:
        if not ending.ended_at_sigterm:
            return Verdict("hang", f"does not end at SIGTERM ({ending.stopped})")
        if ending.stacks and not any(in_guest(stack) for stack in ending.stacks):
            return Verdict("hang", f"stuck in lswctl ({ending.stopped}): {innermost(ending.stacks[-1])}")
        return Verdict("ran, stopped by us")
    if ending.exit_code < 0:
        return Verdict("crash", f"killed by {signal.Signals(-ending.exit_code).name}")
    if ending.exit_code == INTERNAL_ERROR and messages:
        return Verdict("internal error", messages[0][:200])
    if ending.exit_code in REFUSALS and messages:
        if len(messages) != len(text.splitlines()):
            return Verdict("refused", f"says more than its one line: {text.strip()[:200]!r}")
        return Verdict("refused")
    return Verdict("ran")


def innermost(stack: str) -> str:
    """The innermost line of a faulthandler dump."""
    lines = [line.strip() for line in stack.splitlines() if line.strip().startswith("File")]
    return lines[0] if lines else "nowhere known"


def in_guest(stack: str) -> bool:
    """Whether a faulthandler dump shows lswctl running the guest, or waiting for it."""
    return any(place in innermost(stack) for place in GUEST_PLACES)


def _processor_seconds(pid: int) -> float:
    """How long a process, which has not been waited for, has run."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@dataclass
class _Run:
    case: Damaged
    directory: Path
    pid: int
    pidfd: int
    started: float
    stopped: str = ""
    stop_at: float = 0.0
    """When the next sample of the stack, or SIGTERM, or SIGKILL is due."""
    sample_at: float = 0.0
    """And by how much processor time a sample is due before that."""
    samples: int = 0
    ended_at_sigterm: bool = True
    peak: int = 0


@dataclass
class Launcher:
    """Runs cases, several at once. ``scratch`` is emptied case by case; ``limit`` is the time a program may run."""

    scratch: Path
    limit: float = 8.0
    fresh: bool = False
    jobs: int = 1
    main: Callable[[list[str]], int] | None = None
    """What to run in a fork instead of lswctl."""
    _template: Path | None = None
    _running: dict[int, _Run] = field(default_factory=dict)

    def prepare(self, sound: Damaged) -> Ending:
        """Run a sound program once: makes the prefix and the cache that all cases start from, loads lswctl here."""
        if not self.fresh:
            preload()
        self.start(sound)
        ((_, ending),) = self.drain()
        self._template = self.scratch / "template"
        shutil.rmtree(self._template, ignore_errors=True)
        shutil.move(self.scratch / "last", self._template)
        return ending

    @property
    def is_full(self) -> bool:
        """Whether as many cases run as may at once."""
        return len(self._running) >= self.jobs

    def start(self, case: Damaged) -> None:
        """Begin a case; it ends in ``wait`` or ``drain``."""
        directory = self.scratch / f"case-{case.index}"
        shutil.rmtree(directory, ignore_errors=True)
        if self._template is None:
            directory.mkdir(parents=True)
        else:
            shutil.copytree(self._template, directory, symlinks=True)
        work = directory / "work"
        shutil.rmtree(work, ignore_errors=True)
        work.mkdir()
        for name, data in (*case.entry.files, *case.files, ("../stdin", case.entry.stdin)):
            target = work / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        for name in OUTPUTS:
            (directory / name).write_bytes(b"")
        sys.stdout.flush()
        sys.stderr.flush()
        pid = os.fork()
        if not pid:
            _child(case, directory, fresh=self.fresh, main=self.main)
        self._running[pid] = _Run(case, directory, pid, os.pidfd_open(pid), time.monotonic())

    def wait(self) -> list[tuple[Damaged, Ending]]:
        """Those that end now, at least one."""
        ended: list[tuple[Damaged, Ending]] = []
        while self._running and not ended:
            by_fd = {run.pidfd: run for run in self._running.values()}
            ready = select.poll()
            for fd in by_fd:
                ready.register(fd, select.POLLIN)
            ended += [self._collect(by_fd[fd]) for fd, _ in ready.poll(100)]
            for run in self._running.values():
                self._watch(run)
        return ended

    def drain(self) -> list[tuple[Damaged, Ending]]:
        """All that still run."""
        ended = []
        while self._running:
            ended += self.wait()
        return ended

    def _watch(self, run: _Run) -> None:
        """Look after one that still runs: memory, output, time."""
        now = time.monotonic()
        with contextlib.suppress(OSError, ValueError, IndexError):
            resident = int(Path(f"/proc/{run.pid}/statm").read_text().split()[1]) * 4096
            run.peak = max(run.peak, resident)
        if run.stopped:
            self._stop(run, now)
        elif run.peak > MEMORY_LIMIT:
            run.stopped = "memory"
            run.sample_at = math.inf
            os.kill(run.pid, signal.SIGKILL)
            run.stop_at = now + 3600
        elif now > run.started + self.limit:
            run.stopped = f"after {self.limit:g} s"
        elif any((run.directory / name).stat().st_size > OUTPUT_LIMIT for name in OUTPUTS):
            run.stopped = "after much output"

    def _stop(self, run: _Run, now: float) -> None:
        """First see where it is, some times over; then SIGTERM; then SIGKILL."""
        if now < run.stop_at and _processor_seconds(run.pid) < run.sample_at:
            return
        if not self.fresh and run.samples < STACK_SAMPLES:
            os.kill(run.pid, signal.SIGUSR1)
            run.sample_at = _processor_seconds(run.pid) + BETWEEN_SAMPLES[0]
            run.stop_at = now + BETWEEN_SAMPLES[1]
        elif run.samples <= STACK_SAMPLES:
            run.samples = STACK_SAMPLES
            run.sample_at = math.inf
            os.kill(run.pid, signal.SIGTERM)
            run.stop_at = now + SECONDS_TO_END
        else:
            run.ended_at_sigterm = False
            os.kill(run.pid, signal.SIGKILL)
            run.stop_at = now + 3600
        run.samples += 1

    def _collect(self, run: _Run) -> tuple[Damaged, Ending]:
        _, status, usage = os.wait4(run.pid, 0)
        os.close(run.pidfd)
        del self._running[run.pid]
        stacks = (run.directory / "stacks").read_text(errors="replace").split("Stack (most recent call first):")[1:]
        ending = Ending(
            os.waitstatus_to_exitcode(status),
            (run.directory / "stderr").read_bytes()[:OUTPUT_LIMIT].decode(errors="replace"),
            max(run.peak, usage.ru_maxrss * 1024),
            run.stopped,
            run.ended_at_sigterm,
            tuple(stacks),
        )
        last = self.scratch / "last"
        shutil.rmtree(last, ignore_errors=True)
        run.directory.rename(last)
        return run.case, ending


def preload() -> None:
    """Load what a launch loads, so that forks need not."""
    import importlib
    import pkgutil

    import lswctl
    import lswd

    for package in (lswctl, lswd):
        for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            if module.name.partition(".")[2].partition(".")[0] not in ("device", "ioctl", "__main__"):
                with contextlib.suppress(ImportError):  # parts whose libraries are not installed
                    importlib.import_module(module.name)


def _child(case: Damaged, directory: Path, *, fresh: bool, main: Callable[[list[str]], int] | None) -> None:
    """In the new process: become lswctl. Does not return."""
    code = 70
    try:
        os.setsid()
        for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
            flags = os.O_RDONLY if not number else os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            fd = os.open(directory / name, flags, 0o600)
            os.dup2(fd, number)
            os.close(fd)
        work = directory / "work"
        os.chdir(work)
        os.environ["LSW_PREFIX"] = str(directory / "prefix")
        os.environ["XDG_CACHE_HOME"] = str(directory / "cache")
        os.environ["XDG_CONFIG_HOME"] = str(directory / "config")
        os.environ["LSW_DEBUG"] = "1"  # bugs of ours shall show as tracebacks
        os.environ.pop("LSW_CONFIG", None)
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        stacks = open(directory / "stacks", "a")
        confine(str(directory))
        arguments = ["launch", str(work / case.files[0][0]), *case.entry.args]
        if fresh:
            root = Path(__file__).resolve().parent.parent.parent
            os.environ["PYTHONPATH"] = str(root)
            os.execv(sys.executable, [sys.executable, "-m", "lswctl", *arguments])
        code = _in_fork(main, arguments, stacks)
    except BaseException:
        import traceback

        traceback.print_exc()
    finally:
        os._exit(code & 0xFF)


def _in_fork(main: Callable[[list[str]], int] | None, arguments: list[str], stacks: TextIO) -> int:
    run = main
    if run is None:
        from lswctl.__main__ import main as lswctl_main

        run = lswctl_main
    faulthandler.disable()  # pytest's, which would write to the terminal
    faulthandler.register(signal.SIGUSR1, stacks, all_threads=False)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for stream, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        mode = "r" if not number else "w"
        setattr(sys, stream, open(number, mode, buffering=1, closefd=False, errors="replace"))
    try:
        code = run(arguments)
    except SystemExit as request:
        code = request.code if isinstance(request.code, int) else 1
    sys.stdout.flush()
    sys.stderr.flush()
    return code
