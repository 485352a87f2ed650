"""A machine in the machine: User-Mode Linux with a real /dev/cuse, booted once, that runs jobs.

Its root file system is the host's, read-only, so the checkout and its Python are there at their own paths. What jobs
may write is in memory: a /tmp of the machine's own, /dev/shm and a home. Every job runs in a control group of its own:
whatever it leaves behind is killed at its end, and a process that does not die then (the D state) fails the job.
"""

from __future__ import annotations

import os
import select
import shlex
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple, Self

ROOT = Path(__file__).resolve().parent.parent.parent
INIT = Path(__file__).resolve().parent / "init.sh"
EXCHANGE = "/run/exchange"
"""Where the machine sees the directory that it shares with us."""

NEEDED = {"linux.uml": "user-mode-linux", "insmod": "kmod", "busybox": "busybox", "setpriv": "util-linux"}
"""The commands it takes, and the Debian packages that have them."""

USER = 1000
"""An ordinary user's identifier. The machine asks nobody for his name."""

TEMPORARY = Path("/tmp")
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


class Result(NamedTuple):
    """How a job ended: its exit code (128 + n for signal n), and what it wrote to stdout and stderr."""

    code: int
    output: str


class MachineError(Exception):
    """The machine itself failed: it did not boot, went away, or holds processes that cannot be killed."""


class JobTimeout(Exception):
    """A job took longer than it may. It was killed."""


def missing_packages() -> list[str]:
    """The Debian packages that are not installed and without which nothing boots."""
    return [package for command, package in NEEDED.items() if shutil.which(command, path=SEARCH) is None]


class Job:
    """One running job. Made by `Machine.start`."""

    def __init__(self, machine: Machine, number: int, directory: Path) -> None:
        self._machine = machine
        self._directory = directory
        self.number = number
        self.code: int | None = None
        self.stuck = False

    @property
    def output(self) -> str:
        """What it wrote until now."""
        try:
            return (self._directory / "output").read_text(encoding="utf-8", errors="replace")
        except FileNotFoundError:
            return ""

    def wait(self, timeout: float = 30) -> Result:
        """Wait for its end.

        Raises JobTimeout (after killing it) when that takes longer than ``timeout`` seconds, MachineError when it
        leaves processes behind that cannot be killed.
        """
        if not self._machine.listen(timeout, lambda: self.code is not None):
            self._machine.kill(self)
            raise JobTimeout(f"not done after {timeout} s; it wrote:\n{self.output}")
        assert self.code is not None
        if self.stuck:
            output = self.output
            self._machine.halt()
            raise MachineError(f"processes of the job cannot be killed; exit code {self.code}; it wrote:\n{output}")
        return Result(self.code, self.output)

    def expect(self, text: str, timeout: float = 30) -> None:
        """Wait until its output contains ``text``.

        Raises AssertionError when the job ends without it, JobTimeout (after killing it) after ``timeout`` seconds.
        """
        found = self._machine.listen(timeout, lambda: text in self.output or self.code is not None)
        if text in self.output:
            return
        if not found:
            self._machine.kill(self)
            raise JobTimeout(f"no {text!r} after {timeout} s; it wrote:\n{self.output}")
        raise AssertionError(f"the job ended (exit code {self.code}) without {text!r}; it wrote:\n{self.output}")

    def kill(self) -> Result:
        """Kill all of its processes (SIGKILL) and wait for its end. Raises MachineError when they do not die."""
        self._machine.kill(self)
        return self.wait(1)


class Machine:
    """The machine. Boots with the first job, and again after one that had to be stopped by force.

    Args:
        memory: of the machine, as the kernel writes it.
        processor: which of this process's processors it is pinned to. Pinned, its system calls are five times faster.
        readable: files and directories that ordinary users inside must reach, besides the checkout and Python.
        alone: as on a host with nothing else to do: with real-time priority. For measuring.
        process_1: a shell script, run before any job, that names in $process_1 the command that is to be process 1; by
            default, init.sh stays that.
    """

    def __init__(
        self, memory: str = "2G", processor: int = 0, readable: Sequence[Path] = (), process_1: str = "",
        *, alone: bool = False,
    ) -> None:  # fmt: skip
        self._memory = memory
        self._alone = alone
        self._process_1 = process_1
        usable = sorted(os.sched_getaffinity(0), reverse=True)
        self._processor = usable[processor % len(usable)]
        self._readable = [ROOT, Path(sys.prefix), Path(sys.base_prefix), Path(sys.executable), *readable]
        self._process: subprocess.Popen[bytes] | None = None
        self._jobs: dict[int, Job] = {}
        self._numbers = 0
        self._read = self._write = -1
        self._ears = select.poll()
        self._text = b""
        self._ready = False
        self.exchange = Path(tempfile.mkdtemp(prefix="lsw-vm-"))
        """The directory shared with the machine, which sees it as /run/exchange."""
        self.exchange.chmod(0o755)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.halt()
        shutil.rmtree(self.exchange, ignore_errors=True)

    def run(
        self,
        script: str,
        *,
        user: int = 0,
        groups: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Result:
        """Run a shell script and wait for its end; see `start` and `Job.wait`."""
        return self.start(script, user=user, groups=groups, environment=environment).wait(timeout)

    def python(
        self,
        source: str,
        *arguments: str,
        user: int = 0,
        groups: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
        timeout: float = 30,
    ) -> Result:
        """Run a Python program, given as text, with this process's interpreter and packages; see `start`."""
        line = shlex.join([sys.executable, "-c", source, *arguments])
        return self.run(f"exec {line}", user=user, groups=groups, environment=environment, timeout=timeout)

    def start(
        self,
        script: str,
        *,
        user: int = 0,
        groups: Sequence[int] = (),
        environment: Mapping[str, str] | None = None,
    ) -> Job:
        """Start a job: a shell script, with no standard input and its output in one file.

        Args:
            user: the user and group identifier it runs as.
            groups: its supplementary groups.
            environment: what is added to PATH, HOME, PYTHONPATH and LANG.

        Raises MachineError when the machine does not boot.
        """
        if self._process is None:
            self._boot()
        self._numbers += 1
        directory = self.exchange / str(self._numbers)
        directory.mkdir()
        home = f"/run/home/{user}"
        variables = {"PATH": SEARCH, "HOME": home, "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
        variables |= environment or {}
        become = ["setpriv", f"--reuid={user}", f"--regid={user}"]
        become.append(f"--groups={','.join(map(str, groups))}" if groups else "--clear-groups")
        command = [
            # The shell that starts jobs in the background has these ignored.
            *("env", "--default-signal=INT,QUIT", "-i", *(f"{name}={value}" for name, value in variables.items())),
            *(become if user or groups else ()),
            *("/bin/sh", f"{EXCHANGE}/{self._numbers}/script.sh"),
        ]
        (directory / "script.sh").write_text(script, encoding="utf-8")
        start = f"[ -d {home} ] || {{ mkdir {home} && chown {user}:{user} {home}; }}\ncd {home}\n"
        (directory / "start.sh").write_text(f"{start}exec {shlex.join(command)}\n", encoding="utf-8")
        job = self._jobs[self._numbers] = Job(self, self._numbers, directory)
        self._command(f"start {job.number}")
        return job

    def kill(self, job: Job) -> None:
        """Kill a job's processes and wait until they are gone; stops the machine, and fails, when they are not."""
        if job.code is None:
            self._command(f"kill {job.number}")
            if not self.listen(10, lambda: job.code is not None):
                self.halt()
                raise MachineError(f"the job cannot be killed; it wrote:\n{job.output}")

    def halt(self) -> None:
        """Stop the machine at once, if it runs, and forget its jobs."""
        if self._process is not None:
            os.close(self._write)
            try:
                self._process.wait(3)
            except subprocess.TimeoutExpired:
                os.killpg(self._process.pid, 9)
                self._process.wait()
            os.close(self._read)
        self._process = None
        for job in self._jobs.values():
            job.code = 128 + 9
        self._jobs.clear()

    def listen(self, timeout: float, done: Callable[[], bool]) -> bool:
        """Hear what the machine says until ``done()`` or for ``timeout`` seconds. Returns whether it is done."""
        deadline = time.monotonic() + timeout
        while not done():
            left = deadline - time.monotonic()
            if left <= 0:
                return False
            # A job's output is a file: nothing tells that it has grown.
            if self._process is not None and self._ears.poll(1000 * min(left, 0.02)):
                self._hear()
        return True

    def _hear(self) -> None:
        heard = os.read(self._read, 65536)
        if not heard:
            console = self._console()
            self.halt()
            raise MachineError(f"the machine went away; its console:\n{console}")
        *lines, self._text = (self._text + heard).split(b"\n")
        for line in lines:
            match line.split():
                case [b"ready"]:
                    self._ready = True
                case [b"done" | b"stuck" as how, number, code] if job := self._jobs.pop(int(number), None):
                    job.stuck = how == b"stuck"
                    job.code = int(code)

    def _command(self, line: str) -> None:
        try:
            os.write(self._write, line.encode() + b"\n")
        except BrokenPipeError:
            console = self._console()
            self.halt()
            raise MachineError(f"the machine went away; its console:\n{console}") from None

    def _console(self) -> str:
        return (self.exchange / "console").read_text(encoding="utf-8", errors="replace")

    def _boot(self) -> None:
        # What is not compiled yet would be compiled by each job anew: it cannot write there.
        subprocess.run([sys.executable, "-m", "compileall", "-q", "lswd", "lswctl"], cwd=ROOT, check=False)
        shutil.copy(INIT, self.exchange / "init.sh")
        if self._process_1:
            (self.exchange / "process-1.sh").write_text(self._process_1, encoding="utf-8")
        (self.exchange / "prepare.sh").write_text("\n".join(self._openings()) + "\n", encoding="utf-8")
        inside, self._write = os.pipe()
        self._read, outside = os.pipe()
        self._ears = select.poll()
        self._ears.register(self._read, select.POLLIN)
        command = [
            *(("chrt", "-f", "10") if self._alone else ()),
            *("taskset", "-c", str(self._processor), "linux.uml", f"mem={self._memory}"),
            *("rootfstype=hostfs", "root=/dev/root", "ro", "quiet", f"uml_dir={self.exchange}"),
            *("con=null", "con0=fd:0,fd:1", "ssl=null", f"ssl0=fd:{inside},fd:{outside}"),
            *(f"LSW_EXCHANGE={self.exchange}", "init=/bin/sh", "--", f"{self.exchange}/init.sh"),
        ]
        self._text, self._ready = b"", False
        with open(self.exchange / "console", "wb") as console:
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=console,
                stderr=console,
                pass_fds=(inside, outside),
                start_new_session=True,
            )
        os.close(inside)
        os.close(outside)
        if not self.listen(60, lambda: self._ready):
            console_text = self._console()
            self.halt()
            raise MachineError(f"the machine did not boot in 60 s; its console:\n{console_text}")

    def _openings(self) -> Iterator[str]:
        """Shell commands that let ordinary users reach what lies below a directory that is closed to them.

        A Python of root's own is often below /root. Inside the machine, an open directory covers the closed one and
        shows nothing but what is needed. The same makes /tmp the machine's own.
        """
        closed: dict[Path, list[Path]] = {TEMPORARY: []}
        for path in dict.fromkeys(place for given in self._readable for place in (given, given.resolve())):
            for parent in reversed(path.parents):
                if parent in closed or not parent.stat().st_mode & 1:
                    closed.setdefault(parent, []).append(path)
                    break
        count = 0
        for directory, paths in closed.items():
            tops = [path for path in dict.fromkeys(paths) if not any(other in path.parents for other in paths)]
            kept = []
            for path in tops:
                count += 1
                kept.append((f"/run/opened/{count}", shlex.quote(str(path))))
                make = "mkdir -p {0}" if path.is_dir() else "mkdir -p /run/opened; : >{0}"
                yield f"{make.format(kept[-1][0])}; mount --bind {kept[-1][1]} {kept[-1][0]}"
            mode = "1777" if directory == TEMPORARY else "755"
            yield f"mount -t tmpfs -o mode={mode} opened {shlex.quote(str(directory))}"
            for place, quoted in kept:
                yield f"if [ -d {place} ]; then mkdir -p {quoted}; else mkdir -p $(dirname {quoted}); : >{quoted}; fi"
                yield f"mount --move {place} {quoted}"
