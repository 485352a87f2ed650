"""When guest threads of the jail spin for an answer, and when they sleep at once."""

from __future__ import annotations

import itertools
import os

import pytest

from lswd.cpu.jail import spin
from lswd.cpu.jail.spin import COUNTS, LOOKS, Spin

PERIOD = spin._PERIOD
OFTEN, SELDOM = spin._OFTEN, spin._SELDOM


class Places:
    """Stands for Placement: remembers what it was told last."""

    def __init__(self) -> None:
        self.told = ""
        self.reviews = 0

    def join(self) -> None:
        self.told = "join"

    def part(self) -> None:
        self.told = "part"

    def review(self) -> None:
        self.reviews += 1


class Clock:
    now = 100.0

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def free(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether the host has a free processor: the list's only element."""
    state = [True]
    monkeypatch.setattr(spin, "_free_processors", lambda: state[0])
    return state


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(spin, "time", found)
    return found


@pytest.fixture
def subject(free: list[bool], clock: Clock) -> Spin:
    return Spin(Places())  # type: ignore[arg-type]


def pass_periods(subject: Spin, clock: Clock, count: int, *, slept: int = 0, every: float = OFTEN / 2) -> None:
    for _ in range(count * PERIOD):
        clock.now += every
        subject.note(slept)


def places(subject: Spin) -> str:
    told: str = subject.placement.told  # type: ignore[attr-defined]
    return told


def test_a_new_guest_does_not_spin(subject: Spin) -> None:
    assert (0, 0) == (subject.counts, subject.looks)


def test_a_guest_that_asks_often_spins_on_a_processor_of_its_own(subject: Spin, clock: Clock) -> None:
    pass_periods(subject, clock, 1, slept=1)
    assert (COUNTS, LOOKS, "part") == (subject.counts, subject.looks, places(subject))
    pass_periods(subject, clock, 5)
    assert COUNTS == subject.counts


def test_one_that_asks_now_and_then_shares_the_kernels(subject: Spin, clock: Clock) -> None:
    pass_periods(subject, clock, 3, slept=1, every=2 * OFTEN)
    assert (0, 0, "join") == (subject.counts, subject.looks, places(subject))


def test_spinning_ends_only_when_calls_have_become_rare(subject: Spin, clock: Clock) -> None:
    pass_periods(subject, clock, 1)
    pass_periods(subject, clock, 1, every=SELDOM * 0.9)
    assert subject.counts
    pass_periods(subject, clock, 1, every=SELDOM * 1.1)
    assert (0, "join") == (subject.counts, places(subject))
    pass_periods(subject, clock, 1)
    assert subject.counts, "that was no failure: it may begin again at once"


def test_the_kernel_spins_less_for_a_guest_that_computes(subject: Spin, clock: Clock) -> None:
    pass_periods(subject, clock, 1)
    for _ in range(20):
        subject.looked_in_vain()
    assert 0 < subject.looks < LOOKS / 8
    pass_periods(subject, clock, 1)
    assert LOOKS == subject.looks


def test_it_gives_up_when_answers_come_late_and_tries_again_ever_more_rarely(subject: Spin, clock: Clock) -> None:
    spun = []
    for _ in range(40):
        pass_periods(subject, clock, 1, slept=1)
        spun.append(bool(subject.counts))
    tries = [i for i, on in enumerate(spun) if on]
    rests = [b - a for a, b in itertools.pairwise(tries)]
    assert len(rests) > 2
    assert sorted(rests) == rests
    assert rests[-1] > rests[0]


def test_but_it_always_tries_again_and_soon_once_it_has_helped(subject: Spin, clock: Clock) -> None:
    def rest() -> int:
        """Periods until it spins again."""
        pass_periods(subject, clock, 1, slept=1)
        assert not subject.counts
        for periods in itertools.count(1):
            pass_periods(subject, clock, 1)
            if subject.counts:
                return periods
        raise AssertionError

    pass_periods(subject, clock, 1)
    rests = [rest() for _ in range(12)]
    assert rests[-1] == rests[-2] <= spin._LONGEST_REST + 1
    assert rests[-1] > 10 * rests[0]
    pass_periods(subject, clock, 1)
    assert rest() == rests[0]


def test_where_they_run_is_looked_at_in_each_period(subject: Spin, clock: Clock) -> None:
    pass_periods(subject, clock, 3, every=2 * OFTEN)
    assert subject.placement.reviews == 3  # type: ignore[attr-defined]


def test_it_does_not_spin_on_a_busy_host(subject: Spin, free: list[bool], clock: Clock) -> None:
    free[0] = False
    pass_periods(subject, clock, 10, slept=1)
    assert 0 == subject.counts
    free[0] = True
    pass_periods(subject, clock, 20)
    assert COUNTS == subject.counts


def test_what_takes_linux_a_moment_is_no_busy_host(subject: Spin, free: list[bool], clock: Clock) -> None:
    pass_periods(subject, clock, 1)
    for _ in range(5):
        free[0] = False
        subject.slept()
        clock.now += spin._CERTAIN / 2
        subject.looked_in_vain()
        assert subject.counts
        free[0] = True
        subject.slept()


@pytest.mark.parametrize("spoil", [Spin.looked_in_vain, Spin.slept])
def test_spinning_stops_within_a_period_that_a_busy_host_spoils(
    subject: Spin, free: list[bool], clock: Clock, spoil: object
) -> None:
    assert callable(spoil)
    pass_periods(subject, clock, 1)
    free[0] = False
    spoil(subject)
    assert COUNTS == subject.counts
    clock.now += 2 * spin._CERTAIN
    spoil(subject)
    assert (0, 0, "join") == (subject.counts, subject.looks, places(subject))


def test_they_part_when_the_kernel_has_something_to_do_meanwhile(
    subject: Spin, free: list[bool], clock: Clock
) -> None:
    assert subject.apart()
    assert (COUNTS, "part") == (subject.counts, places(subject))


def test_waits_of_before_do_not_tell_against_spinning_from_then_on(subject: Spin) -> None:
    for _ in range(PERIOD - 2):  # the two share a processor, so the guest sleeps each time
        subject.note(1)
    assert subject.apart()
    for _ in range(PERIOD // 2):
        subject.note(0)
    assert COUNTS == subject.counts


def test_but_not_while_spinning_rests(subject: Spin, clock: Clock) -> None:
    pass_periods(subject, clock, 2, slept=1)
    assert not subject.apart()
    pass_periods(subject, clock, 1, every=SELDOM)
    assert subject.apart()


def test_nor_on_a_busy_host(subject: Spin, free: list[bool], clock: Clock) -> None:
    free[0] = False
    pass_periods(subject, clock, 1, every=SELDOM)
    clock.now += 2 * spin._CERTAIN
    assert not subject.apart()


def test_with_real_time_priority_others_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getscheduler", lambda pid: os.SCHED_FIFO)
    monkeypatch.setattr(spin, "usable", lambda: {0, 1})
    monkeypatch.setattr("os.open", lambda *arguments: pytest.fail("the load does not matter"))
    assert spin._free_processors()


def test_one_processor_is_never_enough_for_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spin, "usable", lambda: {0})
    assert not spin._free_processors()
