"""Processes that are ready before a program is asked for: when there are some, and that no program can tell."""

from __future__ import annotations

import json
import os
import select
import signal
import socket
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lswd.session import messages as m
from lswd.session.order import LARGEST_ORDER, Ending, Order
from lswd.session.spare import MOST_FAILURES, MOST_SPARES, READY_SPARES, Spare, Spares
from lswd.session.zygote import Zygote

SECONDS = 30


class Launcher:
    """Runs nothing, and says in what state it was asked to. What it does is counted in the directory."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.warm_ups = 0
        self.prepared = 0

    def _count(self, what: str) -> None:
        with open(self.directory / what, "a") as file:
            file.write(f"{os.getpid()}\n")

    def counted(self, what: str) -> list[int]:
        path = self.directory / what
        return [int(line) for line in path.read_text().split()] if path.exists() else []

    def preload(self) -> None: ...

    def warm_up(self) -> None:
        self._count("warm-ups")
        self.warm_ups += 1
        os.environ["LEFT"] = "behind"
        os.environ.pop("PATH", None)
        os.chdir("/tmp")
        if (self.directory / "break warm-ups").exists():
            raise RuntimeError("broken")
        if (self.directory / "slow warm-ups").exists():
            time.sleep(3600)

    def prepare(self) -> None:
        self._count("prepared")
        self.prepared += 1
        if (self.directory / "die").exists():
            os._exit(3)
        if (self.directory / "slow").exists():
            time.sleep(3600)

    def run(self, order: Order) -> Ending:
        mask = os.umask(0)
        state = {
            "warm_ups": self.warm_ups, "prepared": self.prepared, "environ": dict(os.environ), "cwd": os.getcwd(),
            "umask": mask, "threads": len(os.listdir("/proc/self/task")), "pid": os.getpid(),
            "files": len(os.listdir("/proc/self/fd")), "program": order.program,
            "blocked": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())),
        }  # fmt: skip
        return Ending(0, message=json.dumps(state))


class Session:
    """A zygote in a process of its own, and the daemon's side of it."""

    def __init__(self, directory: Path) -> None:
        self.launcher = Launcher(directory)
        self.connection, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.connection.settimeout(SECONDS)
        self.identifier = 0
        self.pid = os.fork()
        if not self.pid:
            try:
                self.connection.close()
                os.chdir("/")
                Zygote(its, os.open("/proc", os.O_RDONLY), self.launcher).run()
            finally:
                os._exit(0)
        its.close()

    def order(self, directory: str = "/", **environ: str) -> int:
        """Ask for a program; returns its number."""
        sheet = os.memfd_create("order")
        assert LARGEST_ORDER > os.write(sheet, Order("a.exe", environ=environ, umask=0o27).to_bytes())
        null = os.open(os.devnull, os.O_RDWR)
        files = [null, null, null, os.open(directory, os.O_PATH), sheet]
        self.identifier += 1
        m.send_with(self.connection, m.pack(m.START_ORDER, self.identifier, 0, b"auto"), files)
        for fd in files[2:]:
            os.close(fd)
        return self.identifier

    def state(self) -> dict[str, Any]:
        """How the next program to end was run."""
        while True:
            kind, _, _, data = m.unpack(self.connection.recv(m.LARGEST))
            if kind == m.ENDED:
                ending = Ending.from_bytes(data)
                assert "" == ending.failure
                found: dict[str, Any] = json.loads(ending.message)
                return found

    def run(self, directory: str = "/", **environ: str) -> dict[str, Any]:
        self.order(directory, **environ)
        return self.state()

    def children(self) -> list[int]:
        return [int(word) for word in Path(f"/proc/{self.pid}/task/{self.pid}/children").read_text().split()]

    def wait(self, condition: Callable[[], bool]) -> None:
        limit = time.monotonic() + SECONDS
        while not condition():
            assert time.monotonic() < limit
            time.sleep(0.002)

    def wait_until_hot(self) -> None:
        """Everything that there is time for has been done: by the first spare, the zygote, the others."""
        self.run()
        self.wait(lambda: len(self.launcher.counted("warm-ups")) >= 1 + MOST_SPARES)
        self.wait(lambda: len(self.launcher.counted("prepared")) >= 1 + READY_SPARES)

    def close(self) -> None:
        self.connection.close()
        os.waitpid(self.pid, 0)


@pytest.fixture
def session(tmp_path: Path) -> Iterator[Session]:
    session = Session(tmp_path)
    yield session
    session.close()


def test_what_has_been_warmed_up_does_not_show(session: Session, tmp_path: Path) -> None:
    fresh = session.run(str(tmp_path), A="b")
    assert (0, 0) == (fresh["warm_ups"], fresh["prepared"])
    session.wait_until_hot()
    ready = [session.run(str(tmp_path), A="b") for _ in range(READY_SPARES)]
    assert all(state["warm_ups"] and state["prepared"] for state in ready)
    for state in ready:
        assert {"A": "b"} == state["environ"]
        assert (str(tmp_path), 0o27, 1) == (state["cwd"], state["umask"], state["threads"])
        for same in ("environ", "cwd", "umask", "threads", "files", "program", "blocked"):
            assert fresh[same] == state[same], same


def test_a_session_that_has_run_no_program_gets_nothing_ready(session: Session) -> None:
    time.sleep(0.3)
    assert ([], []) == (session.launcher.counted("warm-ups"), session.children())


def test_the_zygote_learns_once_and_all_others_know(session: Session) -> None:
    session.wait_until_hot()
    assert session.pid in session.launcher.counted("warm-ups")
    assert 1 == session.launcher.counted("warm-ups").count(session.pid)
    pids = {session.run()["pid"] for _ in range(10)}
    assert 10 == len(pids)
    assert all(session.run()["warm_ups"] for _ in range(3))
    assert 1 == session.launcher.counted("warm-ups").count(session.pid)


def test_programs_right_behind_each_other_find_processes_ready(session: Session) -> None:
    session.wait_until_hot()
    states = []
    for _ in range(10):
        states.append(session.run())
        session.wait(lambda: len(session.children()) >= READY_SPARES)
    assert all(state["prepared"] for state in states[:READY_SPARES])
    assert 5 < sum(bool(state["prepared"]) for state in states)


def test_more_programs_at_once_than_are_ready_all_run(session: Session) -> None:
    session.wait_until_hot()
    for _ in range(20):
        session.order()
    assert 20 == len({session.state()["pid"] for _ in range(20)})


def test_while_one_gets_hot_others_can_begin(session: Session, tmp_path: Path) -> None:
    session.run()
    session.wait(lambda: session.pid in session.launcher.counted("warm-ups"))
    (tmp_path / "slow warm-ups").touch()
    session.wait(lambda: len(session.launcher.counted("warm-ups")) > 2)  # the first's, the zygote's, and a long one
    session.wait(lambda: len(session.children()) == MOST_SPARES)
    time.sleep(0.1)
    assert [1, 1] == [bool(session.run()["prepared"]) for _ in range(READY_SPARES)]


def test_there_are_never_more_than_are_wanted(session: Session) -> None:
    session.wait_until_hot()
    for _ in range(50):
        time.sleep(0.01)
        assert len(session.children()) <= MOST_SPARES


def test_one_that_dies_is_replaced(session: Session) -> None:
    session.wait_until_hot()
    session.wait(lambda: len(session.children()) >= READY_SPARES)
    before = session.children()
    for pid in before:
        os.kill(pid, signal.SIGKILL)
    session.wait(lambda: len(session.children()) >= READY_SPARES and not set(before) & set(session.children()))
    assert session.run()["pid"] not in before


def test_a_host_where_none_lives_is_not_flooded_and_programs_run(session: Session, tmp_path: Path) -> None:
    (tmp_path / "die").touch()
    session.run()
    session.wait(lambda: len(session.launcher.counted("prepared")) >= MOST_FAILURES)
    time.sleep(0.3)
    assert MOST_FAILURES == len(session.launcher.counted("prepared"))
    assert [] == session.children()
    assert [0, 0] == [session.run()["prepared"] for _ in range(2)]


def test_one_that_never_gets_ready_keeps_nobody_waiting(session: Session, tmp_path: Path) -> None:
    (tmp_path / "slow").touch()
    session.run()
    session.wait(lambda: len(session.launcher.counted("prepared")) >= 1)
    assert [0, 0] == [session.run()["prepared"] for _ in range(2)]
    assert 1 == len(session.launcher.counted("prepared"))  # nor are there more of the kind
    assert session.pid not in session.launcher.counted("warm-ups")


def test_what_cannot_be_warmed_up_still_runs(session: Session, tmp_path: Path) -> None:
    (tmp_path / "break warm-ups").touch()
    session.wait_until_hot()
    state = session.run(A="b")
    assert ({"A": "b"}, "/") == (state["environ"], state["cwd"])


def test_all_end_with_the_session(tmp_path: Path) -> None:
    session = Session(tmp_path)
    session.wait_until_hot()
    children = session.children()
    assert children
    session.close()
    for pid in children:
        with pytest.raises(ProcessLookupError):
            os.kill(pid, 0)


@pytest.mark.parametrize(("processors", "milliseconds"), [(1, 201), (2, 21)])
def test_a_program_that_has_one_processor_is_left_alone(
    processors: int, milliseconds: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _pid: set(range(processors)))
    spares = Spares(select.poll())
    spares.wanted = spares.warm = True
    ours, its = socket.socketpair()
    with ours, its:
        ready = Spare(os.getpid(), -1, ours)
        ready.ready = ready.hot = True
        spares.add(ready)
        assert 1 >= (spares.patience(0) or 0)
        assert milliseconds - 10 <= (spares.patience(1) or 0) <= milliseconds
        os.close(ready.pidfd)
