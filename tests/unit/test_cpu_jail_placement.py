"""On which processors a guest and its kernel run: as Linux tells it, for a process that stands for the guest's."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator

import pytest

from lswd.cpu.jail import placement
from lswd.cpu.jail.placement import Placement

EVERYWHERE = os.sched_getaffinity(0)


@pytest.fixture
def guest() -> Iterator[int]:
    if len(EVERYWHERE) < 2:
        pytest.skip("one processor: there is nothing to place")
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


def test_parting_leaves_both_free(subject: Placement, guest: int) -> None:
    subject.join()
    subject.part()
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


def test_the_end_of_a_guest_frees_the_kernel(guest: int) -> None:
    subject = Placement()
    subject.pid = guest
    subject.join()
    os.kill(guest, 9)
    subject.close()
    assert os.sched_getaffinity(0) == EVERYWHERE


def test_a_guest_that_is_gone_ties_nobody(subject: Placement) -> None:
    subject.pid = 1 << 30
    subject.join()
    assert not subject.together
    assert os.sched_getaffinity(0) == EVERYWHERE


def test_a_processor_that_others_want_is_left(
    subject: Placement, guest: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    delays = iter((0, 1_000_000, 900_000_000, 900_000_000))
    monkeypatch.setattr(placement, "_delay", lambda: next(delays))
    subject.join()
    subject.review(1.0)
    assert subject.together
    subject.review(1.0)
    assert not subject.together
    subject.join()
    assert not subject.together, "not again at once"
    for _ in range(placement._REST):
        subject.review(1.0)
    subject.join()
    assert subject.together


def test_linux_tells_how_long_a_thread_has_waited() -> None:
    before = placement._delay()
    assert before >= 0
    assert placement._delay() >= before
