"""Waitable timers, on a clock that jumps."""

from __future__ import annotations

import functools
from collections.abc import Generator
from typing import Any

import pytest

from lswd.kernel.deadline import Deadlines
from lswd.nt.timer import TIMER_BASIC_INFORMATION

from .guest_threads import (
    NOTIFICATION,
    SECOND,
    STATUS_TIMEOUT,
    SYNCHRONIZATION,
    Deadlock,
    FakeTime,
    Guest,
    run,
)

Body = Generator[Any, Any, Any]

STATUS_USER_APC = 0xC0
STATUS_INVALID_PARAMETER = 0xC000000D
STATUS_INVALID_PARAMETER_4 = 0xC00000F2


def set_timer(
    guest: Guest, timer: int, seconds: float, period: int = 0, routine: int = 0, context: int = 0, previous: int = 0
) -> Any:
    return (yield "NtSetTimer", timer, guest.time(seconds), routine, context, 0, period, previous)


@pytest.mark.parametrize(("kind", "again"), [(NOTIFICATION, 0), (SYNCHRONIZATION, STATUS_TIMEOUT)])
def test_a_timer_is_signalled_when_it_is_due(kind: int, again: int) -> None:
    def main(guest: Guest, _: int) -> Body:
        timer = yield from guest.create("NtCreateTimer", kind)
        guest.log.append((yield from guest.wait(timer, 0)))
        yield from set_timer(guest, timer, 3)
        guest.log.append((yield from guest.wait(timer, 1)))
        guest.log.append((yield from guest.wait(timer)))
        guest.log.append(guest.now)
        guest.log.append((yield from guest.wait(timer, 0)))

    assert [STATUS_TIMEOUT, STATUS_TIMEOUT, 0, 3, again] == run(main)


def test_a_timer_due_in_the_past_is_signalled_at_once() -> None:
    def main(guest: Guest, _: int) -> Body:
        timer = yield from guest.create("NtCreateTimer", NOTIFICATION)
        yield "NtSetTimer", timer, guest.stored((1).to_bytes(8, "little")), 0, 0, 0, 0, 0
        guest.log.append((yield from guest.wait(timer, 1)))
        guest.log.append(guest.now)

    assert [0, 0] == run(main)


def test_a_periodic_timer_keeps_its_beat_and_does_not_make_up_for_missed_ones() -> None:
    def main(guest: Guest, _: int) -> Body:
        timer = yield from guest.create("NtCreateTimer", SYNCHRONIZATION)
        yield from set_timer(guest, timer, 1, period=500)
        for pause in (0, 0, 0, 1.7, 0, 0):
            guest.machine.clock.now += pause  # guest code that computes
            yield from guest.wait(timer)
            guest.log.append(guest.now)

    assert [1, 1.5, 2, 3.7, 4, 4.5] == run(main)


def test_setting_a_timer_anew_takes_its_signal_back_and_says_whether_there_was_one() -> None:
    def main(guest: Guest, _: int) -> Body:
        timer = yield from guest.create("NtCreateTimer", NOTIFICATION)
        previous = guest.room(8)
        yield from set_timer(guest, timer, 1, previous=previous)
        guest.log.append(guest.value(previous, 1))
        yield from guest.sleep(2)
        yield from set_timer(guest, timer, 1, previous=previous)
        guest.log.append(guest.value(previous, 1))
        guest.log.append((yield from guest.wait(timer, 0)))
        yield from set_timer(guest, timer, 5)
        yield from guest.wait(timer)
        guest.log.append(guest.now)

    assert [0, 1, STATUS_TIMEOUT, 7] == run(main)


def test_a_cancelled_timer_stays_as_it_is() -> None:
    def main(guest: Guest, _: int) -> Body:
        timer = yield from guest.create("NtCreateTimer", NOTIFICATION)
        state = guest.room(8)
        yield from set_timer(guest, timer, 1, period=1000)
        yield "NtCancelTimer", timer, state
        guest.log.append((guest.value(state, 1), (yield from guest.wait(timer, 10))))
        yield from set_timer(guest, timer, 1)
        yield from guest.wait(timer)
        yield "NtCancelTimer", timer, state
        guest.log.append((guest.value(state, 1), (yield from guest.wait(timer, 0))))

    assert [(0, STATUS_TIMEOUT), (1, 0)] == run(main)


def test_a_timer_calls_the_thread_that_set_it_back() -> None:
    def main(guest: Guest, _: int) -> Body:
        timer = yield from guest.create("NtCreateTimer", NOTIFICATION)

        def routine(guest: Guest, context: int, low: int, high: int) -> Body:
            guest.log.append((context, (high << 32 | low) > 130_000_000 * SECOND, guest.now))
            yield from guest.sleep(0)

        address = guest.machine.engine.address_of(routine)
        yield from set_timer(guest, timer, 1, period=1000, routine=address, context=77)
        yield from guest.sleep(1.5)  # not alertable: the routine has to wait
        for _ in range(2):
            guest.log.append((yield from guest.sleep(9, alertable=True)))

    assert [(77, True, 1.5), STATUS_USER_APC, (77, True, 2), STATUS_USER_APC] == run(main)


def test_a_timer_that_expires_again_before_its_routine_ran_queues_it_once() -> None:
    def main(guest: Guest, _: int) -> Body:
        timer = yield from guest.create("NtCreateTimer", NOTIFICATION)

        def routine(guest: Guest, *arguments: int) -> Body:
            guest.log.append("routine")
            yield from guest.sleep(0)

        yield from set_timer(guest, timer, 1, period=1000, routine=guest.machine.engine.address_of(routine))
        yield from guest.sleep(3.5)
        yield ("NtTestAlert",)
        guest.log.append("tested")

    assert ["routine", "tested"] == run(main)


def test_cancelling_takes_the_routine_back_that_has_not_run_yet() -> None:
    def main(guest: Guest, _: int) -> Body:
        timer = yield from guest.create("NtCreateTimer", NOTIFICATION)

        def routine(guest: Guest, *arguments: int) -> Body:
            guest.log.append("routine")
            yield from guest.sleep(0)

        yield from set_timer(guest, timer, 1, routine=guest.machine.engine.address_of(routine))
        yield from guest.sleep(2)
        yield "NtCancelTimer", timer, 0
        guest.log.append((yield from guest.sleep(0, alertable=True)))

    assert [0] == run(main)


def test_a_timer_tells_how_long_it_still_takes() -> None:
    def main(guest: Guest, _: int) -> Body:
        timer = yield from guest.create("NtCreateTimer", NOTIFICATION)
        buffer = guest.room(16)
        yield from set_timer(guest, timer, 5)
        yield from guest.sleep(2)
        for pause in (0, 4):
            yield from guest.sleep(pause)
            assert 0 == (yield "NtQueryTimer", timer, 0, buffer, 16, 0)
            guest.log.append(guest.struct(TIMER_BASIC_INFORMATION, buffer))

    assert [
        TIMER_BASIC_INFORMATION(RemainingTime=3 * SECOND, TimerState=0),
        TIMER_BASIC_INFORMATION(RemainingTime=-SECOND, TimerState=1),
    ] == run(main)


def test_a_closed_timer_is_no_more_but_for_those_who_wait_for_it() -> None:
    def main(guest: Guest, _: int) -> Body:
        timer = yield from guest.create("NtCreateTimer", SYNCHRONIZATION)
        unwanted = yield from guest.create("NtCreateTimer", SYNCHRONIZATION)
        yield from set_timer(guest, timer, 1)
        yield from set_timer(guest, unwanted, 2)

        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append((yield from guest.wait(timer)))

        yield from guest.thread(waiter)
        yield from guest.sleep(0)
        yield "NtClose", timer
        yield "NtClose", unwanted
        event = yield from guest.event()
        yield from guest.wait(event)

    log: list[Any] = []

    def watched(guest: Guest, argument: int) -> Body:
        guest.log = log
        yield from main(guest, argument)

    with pytest.raises(Deadlock):
        run(watched)
    assert [0] == log


def test_bad_timers_are_refused() -> None:
    def main(guest: Guest, _: int) -> Body:
        guest.log.append((yield "NtCreateTimer", guest.room(8), 0x1F0003, 0, 2))
        timer = yield from guest.create("NtCreateTimer", NOTIFICATION)
        guest.log.append((yield from set_timer(guest, timer, 1, period=-1)))

    assert [STATUS_INVALID_PARAMETER_4, STATUS_INVALID_PARAMETER] == run(main)


def test_cancelled_deadlines_do_not_pile_up() -> None:
    deadlines = Deadlines(FakeTime())
    kept = [deadlines.add(1e6, lambda: None) for _ in range(10)]
    for _ in range(10_000):
        deadlines.cancel(deadlines.add(1e6, lambda: None))
    assert 10 == len(deadlines)
    assert len(deadlines._heap) < 200
    for deadline in kept:
        deadlines.cancel(deadline)
    assert None is deadlines.seconds()


def test_deadlines_of_the_same_time_expire_in_the_order_they_were_set() -> None:
    clock = FakeTime()
    deadlines = Deadlines(clock)
    order: list[int] = []
    for number in range(5):
        deadlines.add(1, functools.partial(order.append, number))
    deadlines.expire()
    assert ([], False, 1) == (order, deadlines.due(), deadlines.seconds())
    clock.now += 1
    assert deadlines.due()
    deadlines.expire()
    assert list(range(5)) == order
