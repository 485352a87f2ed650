"""When guest threads of the jail spin for an answer, and when they sleep at once."""

from __future__ import annotations

import itertools
import os

import pytest

from lswd.cpu.jail import spin
from lswd.cpu.jail.spin import COUNTS, LOOKS, Spin

PERIOD = spin._PERIOD


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the host has a free processor: the list's only element."""
    state = [True]
    monkeypatch.setattr(spin, "_free_processors", lambda: state[0])
    return state


def pass_periods(subject: Spin, count: int, *, slept: int) -> None:
    for _ in range(count * PERIOD):
        subject.note(slept)


def test_a_new_guest_spins_if_there_is_a_processor_for_it(free: list[bool]) -> None:
    assert (COUNTS, LOOKS) == (Spin().counts, Spin().looks)
    free[0] = False
    assert (0, 0) == (Spin().counts, Spin().looks)


def test_the_kernel_spins_less_for_a_guest_that_computes(free: list[bool]) -> None:
    subject = Spin()
    for _ in range(20):
        subject.looked_in_vain()
    assert 0 < subject.looks < LOOKS / 8
    pass_periods(subject, 1, slept=0)
    assert LOOKS == subject.looks


def test_a_guest_that_asks_often_spins_while_its_answers_come_in_time(free: list[bool]) -> None:
    free[0] = False
    subject = Spin()
    free[0] = True
    pass_periods(subject, 1, slept=1)
    assert COUNTS == subject.counts
    pass_periods(subject, 5, slept=0)
    assert COUNTS == subject.counts


def test_it_gives_up_when_answers_come_late_and_tries_again_ever_more_rarely(free: list[bool]) -> None:
    subject = Spin()
    spun = []
    for _ in range(40):
        pass_periods(subject, 1, slept=1)
        spun.append(bool(subject.counts))
    tries = [i for i, on in enumerate(spun) if on]
    rests = [b - a for a, b in itertools.pairwise(tries)]
    assert len(rests) > 2
    assert sorted(rests) == rests
    assert rests[-1] > rests[0]


def test_it_does_not_spin_on_a_busy_host(free: list[bool]) -> None:
    free[0] = False
    subject = Spin()
    pass_periods(subject, 3, slept=1)
    assert 0 == subject.counts
    free[0] = True
    pass_periods(subject, 10, slept=0)
    assert COUNTS == subject.counts


def test_with_real_time_priority_others_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getscheduler", lambda pid: os.SCHED_FIFO)
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0, 1})
    monkeypatch.setattr("os.open", lambda *arguments: pytest.fail("the load does not matter"))
    assert spin._free_processors()


def test_spinning_stops_with_the_first_wait_that_a_busy_host_spoils(free: list[bool]) -> None:
    for spoil in (Spin.looked_in_vain, Spin.slept):
        free[0] = True
        subject = Spin()
        spoil(subject)
        assert COUNTS == subject.counts
        free[0] = False
        spoil(subject)
        assert (0, 0) == (subject.counts, subject.looks)


def test_one_processor_is_never_enough_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda pid: {0})
    assert not spin._free_processors()
