"""On which processors a guest and its kernel run: as Linux tells it, for a process that stands for the guest's."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu.jail import child, placement
from lswd.cpu.jail.engine import JailEngine
from lswd.cpu.jail.placement import Placement
from lswd.cpu.jail.spin import Spin

from .test_cpu_unicorn import Machine, assembled

EVERYWHERE = os.sched_getaffinity(0)


@pytest.fixture
def guest(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    if len(EVERYWHERE) < 2:
        pytest.skip("one processor: there is nothing to place")
    monkeypatch.setattr(placement, "_placements", set())  # other tests' guests may not have been collected yet
    process = subprocess.Popen(["sleep", "60"])
    yield process.pid
    process.kill()
    process.wait()
    os.sched_setaffinity(0, EVERYWHERE)


@pytest.fixture
def subject(guest: int) -> Iterator[Placement]:
    made = Placement()
    made.pid = guest
    yield made
    made.close()


def where(guest: int) -> tuple[set[int], set[int]]:
    return os.sched_getaffinity(0), os.sched_getaffinity(guest)


def test_together_both_have_one_processor_and_then_all_again(subject: Placement, guest: int) -> None:
    subject.join()
    kernel, its = where(guest)
    assert subject.together
    assert kernel == its
    assert len(kernel) == 1
    subject.release()
    assert not subject.together
    assert where(guest) == (EVERYWHERE, EVERYWHERE)


def test_parting_keeps_the_guest_off_the_kernels_processor(subject: Placement, guest: int) -> None:
    subject.join()
    here = os.sched_getaffinity(guest)
    subject.part()
    assert not subject.together
    assert where(guest) == (EVERYWHERE, EVERYWHERE - here)
    subject.release()
    assert where(guest) == (EVERYWHERE, EVERYWHERE)


def test_those_apart_who_may_not_share_a_processor_are_left_to_linux(subject: Placement, guest: int) -> None:
    subject.join()
    subject.part()
    another = Placement()
    another.close()
    assert where(guest) == (EVERYWHERE, EVERYWHERE)
    subject.join()
    subject.part()
    placement._placements.add(another)
    subject.join()
    assert not subject.tied
    assert where(guest) == (EVERYWHERE, EVERYWHERE)


def test_one_processor_is_shared_without_being_told(guest: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(placement, "usable", lambda: frozenset({0}))
    subject = Placement()
    subject.pid = guest
    subject.join()
    assert not subject.together
    assert where(guest) == (EVERYWHERE, EVERYWHERE)


def test_several_threads_or_several_guests_do_not_share_one_processor(subject: Placement, guest: int) -> None:
    subject.join()
    subject.shared = True
    assert where(guest) == (EVERYWHERE, EVERYWHERE)
    subject.join()
    assert not subject.together
    subject.shared = False
    subject.join()
    assert subject.together
    another = Placement()
    assert where(guest) == (EVERYWHERE, EVERYWHERE)
    subject.join()
    assert not subject.together
    another.close()
    subject.join()
    assert subject.together


def test_a_thread_that_ends_meanwhile_keeps_no_other_tied(
    subject: Placement, guest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = subprocess.Popen(["true"])
    ended.wait()
    monkeypatch.setattr("os.listdir", lambda path: [str(ended.pid), str(guest)])
    subject.join()
    assert subject.together
    assert len(os.sched_getaffinity(guest)) == 1
    subject.release()
    assert where(guest) == (EVERYWHERE, EVERYWHERE)


def test_a_thread_of_the_kernels_that_was_started_meanwhile_is_freed_too(subject: Placement) -> None:
    done = threading.Event()
    subject.join()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert thread.native_id is not None
        assert len(os.sched_getaffinity(thread.native_id)) == 1
        subject.release()
        assert os.sched_getaffinity(thread.native_id) == EVERYWHERE
    finally:
        done.set()
        thread.join()


def test_the_end_of_a_guest_frees_the_kernel_and_touches_nobody_else(subject: Placement, guest: int) -> None:
    subject.join()
    tied = os.sched_getaffinity(guest)
    subject.close()
    assert where(guest) == (EVERYWHERE, tied), "the number may be another process's by now"


def test_where_the_host_lets_only_one_be_tied_neither_is(
    subject: Placement, guest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = os.sched_setaffinity

    def refusing(pid: int, processors: set[int]) -> None:
        if not pid:
            raise PermissionError
        original(pid, processors)

    with monkeypatch.context() as patches:
        patches.setattr("os.sched_setaffinity", refusing)
        subject.join()
    assert not subject.together
    assert where(guest) == (EVERYWHERE, EVERYWHERE)


def test_a_guest_that_is_gone_ties_nobody(subject: Placement) -> None:
    subject.pid = 1 << 30
    subject.join()
    assert not subject.together
    assert os.sched_getaffinity(0) == EVERYWHERE


def test_a_processor_that_others_want_is_left(subject: Placement, monkeypatch: pytest.MonkeyPatch) -> None:
    looks = [
        (0, 0, 0),
        (100, 90, 98),  # each has waited while the other ran
        (200, 95, 108),  # neither had much to do
        (300, 95, 108),  # nor anything at all
        (400, 150, 158),  # somebody else ran
        (500, 150, 158),
    ]
    monkeypatch.setattr(placement, "_usage", lambda pid: looks.pop(0))
    subject.join()
    for _ in range(3):
        subject.review()
        assert subject.together
    subject.review()
    assert not subject.together
    subject.join()
    assert not subject.together, "not again at once"
    for _ in range(placement._REST):
        subject.review()
    subject.join()
    assert subject.together


def test_linux_tells_when_somebody_else_runs(subject: Placement, guest: int) -> None:
    subject.join()
    with busy(os.sched_getaffinity(guest)), busy(os.sched_getaffinity(guest)) as its:
        subject.pid = its.pid  # while it runs, rather than sleeps like the other
        before = subject._usage = placement._usage(its.pid)
        deadline = time.monotonic() + 30
        while subject.together and time.monotonic() < deadline:
            time.sleep(0.1)
            subject.review()
        assert not subject.together
        assert os.sched_getaffinity(its.pid) == EVERYWHERE
        passed, waited, ran = (b - a for a, b in zip(before, placement._usage(its.pid), strict=True))
        assert 0 < ran < passed
        assert 0 < waited


@contextlib.contextmanager
def busy(processors: set[int]) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as process:
        try:
            os.sched_setaffinity(process.pid, processors)
            yield process
        finally:
            process.kill()


def test_a_guest_shares_the_kernels_processor_until_it_computes(
    guest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(child, "_COMPUTES", 0.9)  # longer than the guest takes to begin
    monkeypatch.setattr(Spin, "apart", lambda self: False)
    machine = Machine(JailEngine)
    engine = machine.engine
    assert isinstance(engine, JailEngine)
    thread = machine.thread(assembled("mov eax, 5\ncall [0x7ffe1000]\nl: inc rbx\njmp l", tmp_path))
    its = engine.child.pid
    kernel = threading.get_native_id()
    seen = []

    def answer(*call: int) -> int:
        seen.append([os.sched_getaffinity(t) for t in (kernel, *map(int, os.listdir(f"/proc/{its}/task")))])
        monkeypatch.setattr(child, "_COMPUTES", 0.002)
        return 0

    def interrupt_when_free() -> None:
        while len(os.sched_getaffinity(kernel)) == 1 or not seen:
            time.sleep(0.001)
        seen.append([os.sched_getaffinity(int(t)) for t in os.listdir(f"/proc/{its}/task")])
        engine.interrupt()

    helper = threading.Thread(target=interrupt_when_free)
    helper.start()
    try:
        assert thread.run(answer) == cpu.INTERRUPTED
        helper.join()
        together, apart = seen
        assert together == [together[0]] * 3
        assert len(together[0]) == 1
        assert apart == [EVERYWHERE] * 2
        engine.child.placement.join()
        assert len(os.sched_getaffinity(0)) == 1
    finally:
        engine.close()
    assert os.sched_getaffinity(0) == EVERYWHERE


def test_a_second_thread_starts_wherever_there_is_room(
    guest: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    machine = Machine(JailEngine)
    engine = machine.engine
    assert isinstance(engine, JailEngine)
    processors = []
    original = engine.child.start_thread

    def starting(block: int) -> int:
        processors.append(os.sched_getaffinity(engine.child.pid))
        return original(block)

    monkeypatch.setattr(engine.child, "start_thread", starting)
    monkeypatch.setattr(child, "_COMPUTES", 0.9)
    code = assembled("mov eax, 1\ncall [0x7ffe1000]", tmp_path)
    try:
        for teb in (0x700000, 0x800000):
            assert machine.thread(code, teb=teb).run(machine.answer) == cpu.LEFT
    finally:
        engine.close()
    first, second = processors
    assert (len(first), second) == (1, EVERYWHERE)
