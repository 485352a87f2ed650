"""Waits: what satisfies them, in which order, what they take, and what ends them early."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from .guest_threads import (
    CURRENT_THREAD,
    NOTIFICATION,
    PREEMPT,
    STATUS_TIMEOUT,
    SYNCHRONIZATION,
    WAIT_ALL,
    WAIT_ANY,
    Deadlock,
    Guest,
    Machine,
    run,
)

Body = Generator[Any, Any, Any]

STATUS_ABANDONED_WAIT_0 = 0x80
STATUS_USER_APC = 0xC0
STATUS_ALERTED = 0x101
STATUS_NO_YIELD_PERFORMED = 0x40000024
STATUS_INVALID_HANDLE = 0xC0000008
STATUS_OBJECT_TYPE_MISMATCH = 0xC0000024
STATUS_ACCESS_DENIED = 0xC0000022
STATUS_INVALID_PARAMETER_1 = 0xC00000EF
STATUS_INVALID_PARAMETER_3 = 0xC00000F1
STATUS_INVALID_PARAMETER_MIX = 0xC0000030
STATUS_MUTANT_NOT_OWNED = 0xC0000046


def waiters(guest: Guest, handle: int, count: int, seconds: float | None = None) -> Any:
    """Threads 0 to ``count`` that wait for ``handle`` and log who got what; all wait when this returns."""

    def waiter(guest: Guest, number: int) -> Body:
        status = yield from guest.wait(handle, seconds)
        guest.log.append((number, status))

    threads = []
    for number in range(count):
        threads.append((yield from guest.thread(waiter, number)))
    yield from guest.sleep(0)
    return threads


def test_a_signalled_notification_event_lets_everybody_through_and_stays_signalled() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event(NOTIFICATION)
        yield from waiters(guest, event, 3)
        yield "NtSetEvent", event, 0
        yield from guest.sleep(0)
        guest.log.append((yield from guest.wait(event, 0)))

    assert [(0, 0), (1, 0), (2, 0), 0] == run(main)


def test_a_synchronization_event_lets_one_waiter_through_the_one_who_came_first() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event(SYNCHRONIZATION)
        yield from waiters(guest, event, 3, 60)
        yield "NtSetEvent", event, 0
        yield from guest.sleep(0)
        guest.log.append((yield from guest.wait(event, 0)))
        yield from guest.sleep(61)

    assert [(0, 0), STATUS_TIMEOUT, (1, STATUS_TIMEOUT), (2, STATUS_TIMEOUT)] == run(main)


def test_signals_set_before_a_waiter_runs_are_not_lost() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event(SYNCHRONIZATION)
        yield from waiters(guest, event, 2)
        yield "NtSetEvent", event, 0
        yield "NtSetEvent", event, 0
        yield "NtSetEvent", event, 0
        yield from guest.sleep(0)
        guest.log.append((yield from guest.wait(event, 0)))

    assert [(0, 0), (1, 0), 0] == run(main)


def test_a_pulse_lets_those_go_who_wait_and_leaves_no_signal() -> None:
    def main(guest: Guest, _: int) -> Body:
        for kind in (NOTIFICATION, SYNCHRONIZATION):
            event = yield from guest.event(kind)
            yield from waiters(guest, event, 2, 10)
            yield "NtPulseEvent", event, 0
            yield from guest.sleep(11)
            guest.log.append((yield from guest.wait(event, 0)))

    assert [(0, 0), (1, 0), STATUS_TIMEOUT, (0, 0), (1, STATUS_TIMEOUT), STATUS_TIMEOUT] == run(main)


def test_wait_any_takes_the_signalled_object_with_the_lowest_index_and_only_that() -> None:
    def main(guest: Guest, _: int) -> Body:
        events = []
        for state in (0, 1, 1):
            events.append((yield from guest.event(SYNCHRONIZATION, state)))
        for _ in range(3):
            guest.log.append((yield from guest.wait_many(events, WAIT_ANY, 0)))

    assert [1, 2, STATUS_TIMEOUT] == run(main)


def test_a_blocked_wait_any_reports_the_object_that_was_signalled() -> None:
    def main(guest: Guest, _: int) -> Body:
        events = []
        for _ in range(3):
            events.append((yield from guest.event()))

        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append((yield from guest.wait_many(events, WAIT_ANY)))

        yield from guest.thread(waiter)
        yield from guest.sleep(0)
        yield "NtSetEvent", events[2], 0
        yield "NtSetEvent", events[0], 0
        yield from guest.sleep(0)
        guest.log.append((yield from guest.wait_many(events, WAIT_ANY, 0)))

    assert [2, 0] == run(main)


def test_wait_all_takes_nothing_until_everything_can_be_taken() -> None:
    def main(guest: Guest, _: int) -> Body:
        first = yield from guest.event()
        second = yield from guest.event()

        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append(("all", (yield from guest.wait_many([first, second], WAIT_ALL))))

        yield from guest.thread(waiter)
        yield from guest.sleep(0)
        yield "NtSetEvent", first, 0
        yield from guest.sleep(0)
        # The waiter for both has not spent it.
        guest.log.append(("first", (yield from guest.wait(first, 0))))
        yield "NtSetEvent", second, 0
        yield from guest.sleep(0)
        guest.log.append("nothing yet")
        yield "NtSetEvent", first, 0
        yield from guest.sleep(0)
        guest.log.append(((yield from guest.wait(first, 0)), (yield from guest.wait(second, 0))))

    assert [("first", 0), "nothing yet", ("all", 0), (STATUS_TIMEOUT, STATUS_TIMEOUT)] == run(main)


def test_wait_all_counts_an_abandoned_mutant_as_signalled_and_says_so() -> None:
    def main(guest: Guest, _: int) -> Body:
        mutant = yield from guest.create("NtCreateMutant", 0)
        event = yield from guest.event(NOTIFICATION, 1)

        def owner(guest: Guest, _: int) -> Body:
            yield from guest.wait(mutant)

        thread = yield from guest.thread(owner)
        yield from guest.wait(thread)
        guest.log.append((yield from guest.wait_many([event, mutant], WAIT_ALL)))
        guest.log.append((yield "NtReleaseMutant", mutant, 0))

    assert [STATUS_ABANDONED_WAIT_0, 0] == run(main)


def test_wait_any_adds_the_index_of_an_abandoned_mutant() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()
        mutant = yield from guest.create("NtCreateMutant", 0)

        def owner(guest: Guest, _: int) -> Body:
            yield from guest.wait(mutant)

        thread = yield from guest.thread(owner)
        yield from guest.wait(thread)
        guest.log.append((yield from guest.wait_many([event, mutant], WAIT_ANY)))

    assert [STATUS_ABANDONED_WAIT_0 + 1] == run(main)


def test_bad_arguments_of_multiple_waits() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()
        unreadable = yield from guest.create("NtCreateEvent", 0, 1, access=2)  # EVENT_MODIFY_STATE, no SYNCHRONIZE
        directory = yield from guest.create("NtCreateDirectoryObject", access=3)
        no_wait = guest.time(0)
        many = guest.handles(*[event] * 65)
        for count, array, kind in (
            (0, many, WAIT_ANY),
            (65, many, WAIT_ANY),
            (1, many, 7),
            (2, guest.handles(event, 0x7777770), WAIT_ANY),
            (2, guest.handles(event, directory), WAIT_ANY),
            (1, guest.handles(unreadable), WAIT_ANY),
            (2, many, WAIT_ALL),
            (2, many, WAIT_ANY),
            (64, many, WAIT_ANY),
        ):
            guest.log.append((yield "NtWaitForMultipleObjects", count, array, kind, 0, no_wait))

    assert [
        STATUS_INVALID_PARAMETER_1,
        STATUS_INVALID_PARAMETER_1,
        STATUS_INVALID_PARAMETER_3,
        STATUS_INVALID_HANDLE,
        STATUS_OBJECT_TYPE_MISMATCH,
        STATUS_ACCESS_DENIED,
        STATUS_INVALID_PARAMETER_MIX,
        STATUS_TIMEOUT,
        STATUS_TIMEOUT,
    ] == run(main)


def test_timeouts_end_waits_in_the_order_of_their_times() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()

        def waiter(guest: Guest, seconds: int) -> Body:
            status = yield from guest.wait(event, seconds)
            guest.log.append((guest.now, status))

        threads = []
        for seconds in (3, 1, 2):
            threads.append((yield from guest.thread(waiter, seconds)))
        yield from guest.wait_many(threads, WAIT_ALL)

    assert [(1, STATUS_TIMEOUT), (2, STATUS_TIMEOUT), (3, STATUS_TIMEOUT)] == run(main)


def test_an_absolute_timeout_in_the_past_polls() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()
        past = guest.stored((1).to_bytes(8, "little"))
        guest.log.append((yield "NtWaitForSingleObject", event, 0, past))
        guest.log.append(guest.now)

    assert [STATUS_TIMEOUT, 0] == run(main)


def test_a_wait_without_end_when_nobody_can_end_it_sleeps() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()
        yield from guest.wait(event)

    with pytest.raises(Deadlock):
        run(main)


def test_the_longest_sleep_there_is_never_ends() -> None:
    def main(guest: Guest, _: int) -> Body:
        yield "NtDelayExecution", 0, guest.stored((1 << 63).to_bytes(8, "little"))

    with pytest.raises(Deadlock):
        run(main)


def test_threads_that_sleep_no_time_take_turns() -> None:
    def main(guest: Guest, _: int) -> Body:
        def worker(guest: Guest, number: int) -> Body:
            for step in range(3):
                guest.log.append((number, step))
                yield from guest.sleep(0)

        threads = []
        for number in range(2):
            threads.append((yield from guest.thread(worker, number)))
        yield from guest.wait_many(threads, WAIT_ALL)

    assert [(0, 0), (1, 0), (0, 1), (1, 1), (0, 2), (1, 2)] == run(main)


def test_yielding_says_whether_there_was_somebody_to_yield_to() -> None:
    def main(guest: Guest, _: int) -> Body:
        guest.log.append((yield ("NtYieldExecution",)))

        def other(guest: Guest, _: int) -> Body:
            guest.log.append("other")
            yield PREEMPT

        yield from guest.thread(other)
        guest.log.append((yield ("NtYieldExecution",)))

    assert [STATUS_NO_YIELD_PERFORMED, "other", 0] == run(main)


def test_preempted_threads_run_again_first_come_first_served() -> None:
    def main(guest: Guest, _: int) -> Body:
        def busy(guest: Guest, number: int) -> Body:
            for _ in range(2):
                guest.log.append(number)
                yield PREEMPT

        threads = []
        for number in range(3):
            threads.append((yield from guest.thread(busy, number)))
        yield from guest.wait_many(threads, WAIT_ALL)

    assert [0, 1, 2, 0, 1, 2] == run(main)


def test_signal_and_wait_signals_first_and_leaves_no_gap() -> None:
    def main(guest: Guest, _: int) -> Body:
        ping = yield from guest.event()
        pong = yield from guest.event()

        def partner(guest: Guest, _: int) -> Body:
            for turn in range(3):
                yield from guest.wait(ping)
                guest.log.append(("ping", turn))
                yield "NtSetEvent", pong, 0

        thread = yield from guest.thread(partner)
        for turn in range(3):
            status = yield "NtSignalAndWaitForSingleObject", ping, pong, 0, 0
            guest.log.append(("pong", turn, status))
        yield from guest.wait(thread)

    assert [("ping", 0), ("pong", 0, 0), ("ping", 1), ("pong", 1, 0), ("ping", 2), ("pong", 2, 0)] == run(main)


def test_signal_and_wait_releases_semaphores_and_mutants_and_refuses_the_rest() -> None:
    def main(guest: Guest, _: int) -> Body:
        open_event = yield from guest.event(NOTIFICATION, 1)
        semaphore = yield from guest.create("NtCreateSemaphore", 0, 1)
        mutant = yield from guest.create("NtCreateMutant", 1)
        for handle in (semaphore, mutant, mutant, CURRENT_THREAD, 0x7777770):
            guest.log.append((yield "NtSignalAndWaitForSingleObject", handle, open_event, 0, 0))
        guest.log.append((yield from guest.wait(semaphore, 0)))

    assert [0, 0, STATUS_MUTANT_NOT_OWNED, STATUS_OBJECT_TYPE_MISMATCH, STATUS_INVALID_HANDLE, 0] == run(main)


def test_an_apc_ends_an_alertable_wait_and_has_run_when_the_wait_returns() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()

        def routine(guest: Guest, *arguments: int) -> Body:
            guest.log.append(arguments)
            yield from guest.sleep(0)

        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append((yield from guest.wait(event, alertable=True)))

        thread = yield from guest.thread(waiter)
        yield from guest.sleep(0)
        yield from guest.queue_apc(thread, routine, 1, 2, 3)
        yield from guest.queue_apc(thread, routine, 4, 5, 6)
        yield from guest.wait(thread)

    assert [(1, 2, 3), (4, 5, 6), STATUS_USER_APC] == run(main)


def test_a_wait_that_is_not_alertable_is_left_alone() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()

        def routine(guest: Guest, *arguments: int) -> Body:
            guest.log.append("apc")
            yield from guest.sleep(0)

        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append((yield from guest.wait(event)))
            guest.log.append((yield ("NtTestAlert",)))

        thread = yield from guest.thread(waiter)
        yield from guest.sleep(0)
        yield from guest.queue_apc(thread, routine)
        yield "NtAlertThread", thread
        yield from guest.sleep(1)
        guest.log.append("still waiting")
        yield "NtSetEvent", event, 0
        yield from guest.wait(thread)

    assert ["still waiting", 0, STATUS_ALERTED] == run(main)


def test_an_apc_that_is_there_already_ends_an_alertable_wait_at_once_even_a_poll() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()

        def routine(guest: Guest, number: int, *arguments: int) -> Body:
            guest.log.append(("apc", number))
            yield from guest.sleep(0)

        for number, seconds in enumerate((None, 0)):
            yield from guest.queue_apc(CURRENT_THREAD, routine, number)
            guest.log.append((yield from guest.wait(event, seconds, alertable=True)))
        yield from guest.queue_apc(CURRENT_THREAD, routine, 2)
        guest.log.append((yield from guest.sleep(5, alertable=True)))
        guest.log.append(guest.now)

    assert [
        ("apc", 0), STATUS_USER_APC, ("apc", 1), STATUS_USER_APC, ("apc", 2), STATUS_USER_APC, 0,
    ] == run(main)  # fmt: skip


def test_a_signalled_object_goes_before_a_waiting_apc() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event(SYNCHRONIZATION, 1)

        def routine(guest: Guest, *arguments: int) -> Body:
            guest.log.append("apc")
            yield from guest.sleep(0)

        yield from guest.queue_apc(CURRENT_THREAD, routine)
        guest.log.append((yield from guest.wait(event, alertable=True)))
        guest.log.append((yield ("NtTestAlert",)))

    assert [0, "apc", 0] == run(main)


def test_an_interrupted_wait_takes_no_signal_that_comes_before_the_thread_runs() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()

        def routine(guest: Guest, *arguments: int) -> Body:
            yield from guest.sleep(0)

        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append((yield from guest.wait(event, alertable=True)))

        thread = yield from guest.thread(waiter)
        yield from guest.sleep(0)
        yield from guest.queue_apc(thread, routine)
        yield "NtSetEvent", event, 0
        yield from guest.wait(thread)
        guest.log.append((yield from guest.wait(event, 0)))

    assert [STATUS_USER_APC, 0] == run(main)


def test_a_killed_waiter_takes_no_signal() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()
        threads = yield from waiters(guest, event, 2)
        yield "NtTerminateThread", threads[0], 5
        yield "NtSetEvent", event, 0
        yield from guest.wait(threads[1])

    assert [(1, 0)] == run(main)


def test_alerts_end_alertable_waits_and_are_remembered_once() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()

        def waiter(guest: Guest, _: int) -> Body:
            for _ in range(3):
                guest.log.append((yield from guest.wait(event, 1, alertable=True)))

        thread = yield from guest.thread(waiter)
        yield "NtAlertThread", thread
        yield "NtAlertThread", thread
        yield from guest.sleep(0.5)
        yield "NtAlertThread", thread
        yield from guest.wait(thread)

    assert [STATUS_ALERTED, STATUS_ALERTED, STATUS_TIMEOUT] == run(main)


def test_waiting_for_a_thread_lasts_until_it_has_ended() -> None:
    def main(guest: Guest, _: int) -> Body:
        def worker(guest: Guest, _: int) -> Body:
            yield from guest.sleep(2)
            return 9

        thread = yield from guest.thread(worker)
        guest.log.append((yield from guest.wait(thread, 1)))
        guest.log.append((yield from guest.wait(thread)))
        guest.log.append(guest.now)
        guest.log.append((yield from guest.wait(thread, 0)))

    assert [STATUS_TIMEOUT, 0, 2, 0] == run(main)


def test_the_process_ends_whoever_is_waiting() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()
        yield from waiters(guest, event, 3, 60)
        yield "NtTerminateProcess", 0xFFFFFFFFFFFFFFFF, 77

    machine = Machine()
    assert 77 == machine.run(main)
    assert [] == machine.guest.log
