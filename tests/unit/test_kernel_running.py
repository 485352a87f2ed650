"""The list of threads whose code runs by itself: their processor time, and what ends with their process."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lswd.cpu.engine import GuestLost
from lswd.kernel.running import Running
from lswd.kernel.scheduler import Scheduler


class FakeCpu:
    def __init__(self) -> None:
        self.has_stopped = self.lost = False

    def stopped(self) -> bool:
        return self.has_stopped

    def check(self) -> None:
        if self.lost:
            raise GuestLost("lost")


class FakeEngine:
    """One that lets the clock go on when it waits."""

    def __init__(self) -> None:
        self.now = 100.0
        self.halted = False

    def wait_any(self, threads: list[FakeCpu], seconds: float) -> None:
        self.now += seconds

    def halt(self) -> None:
        self.halted = True


class Host:
    """Two processors, and threads of one process."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.engine = FakeEngine()
        monkeypatch.setattr("lswd.kernel.running.usable", lambda: frozenset({0, 1}))
        monkeypatch.setattr("lswd.kernel.running.time.monotonic", lambda: self.engine.now)
        self.failures: list[str] = []
        self.process = SimpleNamespace(
            engine=self.engine, cpu_seconds=0.0, fail=lambda status, what: self.failures.append(what)
        )
        self.running = Running()
        self.still: list[Any] = []

    def thread(self) -> Any:
        thread = SimpleNamespace(process=self.process, cpu=FakeCpu(), cpu_seconds=0.0, running=False)
        thread.stands_still = lambda: self.still.append(thread)
        self.running.add(cast(Any, thread))
        return thread


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch) -> Host:
    return Host(monkeypatch)


def test_a_thread_that_never_stops_is_charged_for_its_time(host: Host) -> None:
    thread = host.thread()
    for _ in range(10):
        host.running.wait(None, 0.5)
    assert 5.0 == pytest.approx(thread.cpu_seconds) == host.process.cpu_seconds


def test_more_threads_than_processors_share_them(host: Host) -> None:
    threads = [host.thread() for _ in range(8)]
    host.running.wait(None, 1.0)
    assert [0.25] * 8 == [thread.cpu_seconds for thread in threads]
    assert 2.0 == host.process.cpu_seconds


def test_who_waits_for_a_thread_is_told_when_its_process_ends(host: Host) -> None:
    threads = [host.thread() for _ in range(2)]
    host.running.end(cast(Any, host.process))
    assert (threads, True, []) == (host.still, host.engine.halted, host.running.threads)
    assert [False, False] == [thread.running for thread in threads]


def test_a_guest_that_is_lost_fails_its_process(host: Host) -> None:
    host.thread().cpu.lost = True
    host.running.wait(None, 1.0)
    assert ["lost"] == host.failures


def test_who_wakes_before_there_is_anybody_to_wake_is_heard(host: Host) -> None:
    host.thread()
    host.running.wake()
    host.running.wait(None, 1.0)
    assert (100.0, True) == (host.engine.now, host.running.woken)
    host.running.woken = False
    host.running.wait(None, 1.0)
    assert 101.0 == host.engine.now


def test_those_that_have_stopped_are_found(host: Host) -> None:
    first, second = host.thread(), host.thread()
    second.cpu.has_stopped = True
    assert [second] == host.running.stopped()
    host.running.remove(second)
    assert [first] == host.running.threads


def test_the_last_thread_that_runs_is_ended_once_its_code_has_stopped(host: Host) -> None:
    scheduler = Scheduler(cast(Any, SimpleNamespace(signal_pending=lambda: False)))
    scheduler._running = host.running
    thread = host.thread()
    ended: list[int] = []
    thread.finish = ended.append
    thread.cpu.interrupt = lambda: None
    host.process.ended = True
    scheduler.stop_thread(thread, 7)
    assert not scheduler._take_turns()
    assert ([thread], []) == (host.running.threads, ended)
    thread.cpu.has_stopped = True
    assert scheduler._take_turns()
    assert ([], [7], [thread]) == (host.running.threads, ended, host.still)
