"""Events, mutants, semaphores, keyed events, completion ports: their own calls, names and information."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from lswd.nt.event import EVENT_BASIC_INFORMATION
from lswd.nt.io_completion import FILE_IO_COMPLETION_INFORMATION
from lswd.nt.mutant import MUTANT_BASIC_INFORMATION
from lswd.nt.semaphore import SEMAPHORE_BASIC_INFORMATION
from lswd.ntdef.types import CLIENT_ID, IO_STATUS_BLOCK

from .guest_threads import (
    CURRENT_PROCESS,
    CURRENT_THREAD,
    NOTIFICATION,
    STATUS_TIMEOUT,
    SYNCHRONIZATION,
    WAIT_ALL,
    Deadlock,
    Guest,
    run,
)

Body = Generator[Any, Any, Any]

STATUS_ABANDONED_WAIT_0 = 0x80
STATUS_USER_APC = 0xC0
STATUS_INVALID_INFO_CLASS = 0xC0000003
STATUS_INFO_LENGTH_MISMATCH = 0xC0000004
STATUS_ACCESS_VIOLATION = 0xC0000005
STATUS_INVALID_CID = 0xC000000B
STATUS_INVALID_PARAMETER = 0xC000000D
STATUS_ACCESS_DENIED = 0xC0000022
STATUS_OBJECT_TYPE_MISMATCH = 0xC0000024
STATUS_MUTANT_NOT_OWNED = 0xC0000046
STATUS_SEMAPHORE_LIMIT_EXCEEDED = 0xC0000047
STATUS_INVALID_PARAMETER_1 = 0xC00000EF
STATUS_INVALID_PARAMETER_4 = 0xC00000F2
STATUS_MUTANT_LIMIT_EXCEEDED = 0xC0000191
STATUS_ALERTED = 0x101


# ---- events


def test_events_tell_their_previous_state() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event(NOTIFICATION)
        cell = guest.room(8)
        for call in ("NtSetEvent", "NtSetEvent", "NtResetEvent", "NtResetEvent", "NtPulseEvent"):
            assert 0 == (yield call, event, cell)
            guest.log.append(guest.value(cell))
        yield "NtSetEvent", event, 0
        assert 0 == (yield "NtClearEvent", event)
        guest.log.append((yield from guest.wait(event, 0)))

    assert [0, 1, 1, 0, 0, STATUS_TIMEOUT] == run(main)


def test_an_event_describes_itself() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event(SYNCHRONIZATION, 1)
        buffer, length = guest.room(16), guest.room(8)
        assert 0 == (yield "NtQueryEvent", event, 0, buffer, 8, length)
        guest.log.append((guest.struct(EVENT_BASIC_INFORMATION, buffer), guest.value(length)))
        guest.log.append((yield "NtQueryEvent", event, 0, buffer, 9, 0))
        guest.log.append((yield "NtQueryEvent", event, 1, buffer, 8, 0))

    assert [
        (EVENT_BASIC_INFORMATION(EventType=1, EventState=1), 8),
        STATUS_INFO_LENGTH_MISMATCH,
        STATUS_INVALID_INFO_CLASS,
    ] == run(main)


def test_events_come_in_two_kinds_only() -> None:
    def main(guest: Guest, _: int) -> Body:
        guest.log.append((yield "NtCreateEvent", guest.room(8), 0x1F0003, 0, 2, 0))

    assert [STATUS_INVALID_PARAMETER] == run(main)


@pytest.mark.parametrize(
    ("access", "denied"),
    [(0x0001, {"NtSetEvent", "wait"}), (0x0002, {"NtQueryEvent", "wait"}), (0x100000, {"NtSetEvent", "NtQueryEvent"})],
)
def test_an_event_handle_is_good_for_what_it_was_opened_for(access: int, denied: set[str]) -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.create("NtCreateEvent", NOTIFICATION, 1, access=access)
        results = {
            "NtSetEvent": (yield "NtSetEvent", event, 0),
            "NtQueryEvent": (yield "NtQueryEvent", event, 0, guest.room(8), 8, 0),
            "wait": (yield from guest.wait(event, 0)),
        }
        assert {0, STATUS_ACCESS_DENIED} == set(results.values())
        guest.log.append({name for name, status in results.items() if status})

    assert [denied] == run(main)


# ---- mutants


def test_a_mutant_belongs_to_the_thread_that_took_it_until_it_has_released_it_as_often() -> None:
    def main(guest: Guest, _: int) -> Body:
        mutant = yield from guest.create("NtCreateMutant", 1)

        def other(guest: Guest, _: int) -> Body:
            guest.log.append(("other", (yield from guest.wait(mutant, 0)), (yield "NtReleaseMutant", mutant, 0)))

        cell = guest.room(8)
        guest.log.append((yield from guest.wait(mutant, 0)))
        for _ in range(2):
            thread = yield from guest.thread(other)
            yield from guest.wait(thread)
            guest.log.append((yield "NtReleaseMutant", mutant, cell))
            guest.log.append(guest.value(cell))
        thread = yield from guest.thread(other)
        yield from guest.wait(thread)
        guest.log.append((yield "NtReleaseMutant", mutant, cell))

    refused = ("other", STATUS_TIMEOUT, STATUS_MUTANT_NOT_OWNED)
    assert [0, refused, 0, -1, refused, 0, 0, ("other", 0, 0), STATUS_MUTANT_NOT_OWNED] == run(main)


def test_a_released_mutant_goes_to_the_first_waiter() -> None:
    def main(guest: Guest, _: int) -> Body:
        mutant = yield from guest.create("NtCreateMutant", 1)

        def other(guest: Guest, number: int) -> Body:
            yield from guest.wait(mutant)
            guest.log.append(number)
            yield from guest.sleep(1)
            yield "NtReleaseMutant", mutant, 0

        threads = []
        for number in range(3):
            threads.append((yield from guest.thread(other, number)))
        yield from guest.sleep(0)
        yield "NtReleaseMutant", mutant, 0
        yield from guest.wait_many(threads, WAIT_ALL)
        guest.log.append(guest.now)

    assert [0, 1, 2, 3] == run(main)


def test_an_abandoned_mutant_is_told_to_its_next_owner_only() -> None:
    def main(guest: Guest, _: int) -> Body:
        mutant = yield from guest.create("NtCreateMutant", 0)

        def owner(guest: Guest, _: int) -> Body:
            yield from guest.wait(mutant)
            yield from guest.wait(mutant)

        buffer = guest.room(8)
        thread = yield from guest.thread(owner)
        yield from guest.wait(thread)
        yield "NtQueryMutant", mutant, 0, buffer, 8, 0
        guest.log.append(guest.struct(MUTANT_BASIC_INFORMATION, buffer))
        guest.log.append((yield from guest.wait(mutant)))
        guest.log.append((yield from guest.wait(mutant)))
        yield "NtQueryMutant", mutant, 0, buffer, 8, 0
        guest.log.append(guest.struct(MUTANT_BASIC_INFORMATION, buffer))

    assert [
        MUTANT_BASIC_INFORMATION(CurrentCount=1, OwnedByCaller=0, AbandonedState=1),
        STATUS_ABANDONED_WAIT_0,
        0,
        MUTANT_BASIC_INFORMATION(CurrentCount=-1, OwnedByCaller=1, AbandonedState=0),
    ] == run(main)


def test_a_killed_owner_abandons_its_mutants_to_those_who_wait() -> None:
    def main(guest: Guest, _: int) -> Body:
        mutant = yield from guest.create("NtCreateMutant", 0)

        def owner(guest: Guest, _: int) -> Body:
            yield from guest.wait(mutant)
            yield from guest.sleep(100)

        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append((yield from guest.wait(mutant)))

        thread = yield from guest.thread(owner)
        waiting = yield from guest.thread(waiter)
        yield from guest.sleep(1)
        yield "NtTerminateThread", thread, 0
        yield from guest.wait(waiting)
        guest.log.append(guest.now)

    assert [STATUS_ABANDONED_WAIT_0, 1] == run(main)


def test_a_mutant_names_its_owner() -> None:
    def main(guest: Guest, _: int) -> Body:
        mutant = yield from guest.create("NtCreateMutant", 1)
        buffer = guest.room(16)
        yield "NtQueryMutant", mutant, 1, buffer, 16, 0
        guest.log.append(guest.struct(CLIENT_ID, buffer).UniqueThread == guest.tid(CURRENT_THREAD))
        yield "NtReleaseMutant", mutant, 0
        yield "NtQueryMutant", mutant, 1, buffer, 16, 0
        guest.log.append(guest.struct(CLIENT_ID, buffer).UniqueThread)

    assert [True, 0] == run(main)


def test_a_mutant_cannot_be_taken_more_often_than_its_count_can_tell() -> None:
    def main(guest: Guest, _: int) -> Body:
        mutant = yield from guest.create("NtCreateMutant", 1)
        guest.object(mutant).recursion = 1 << 31
        guest.log.append((yield from guest.wait(mutant)))

    assert [STATUS_MUTANT_LIMIT_EXCEEDED] == run(main)


# ---- semaphores


def test_a_semaphore_lets_through_as_many_as_it_counts() -> None:
    def main(guest: Guest, _: int) -> Body:
        semaphore = yield from guest.create("NtCreateSemaphore", 1, 5)

        def waiter(guest: Guest, number: int) -> Body:
            guest.log.append((number, (yield from guest.wait(semaphore, 1))))

        threads = []
        for number in range(4):
            threads.append((yield from guest.thread(waiter, number)))
        yield from guest.sleep(0)
        cell = guest.room(8)
        guest.log.append((yield "NtReleaseSemaphore", semaphore, 2, cell))
        guest.log.append(guest.value(cell))
        yield from guest.wait_many(threads, WAIT_ALL)

    assert [(0, 0), 0, 0, (1, 0), (2, 0), (3, STATUS_TIMEOUT)] == run(main)


def test_a_semaphore_never_counts_beyond_its_maximum() -> None:
    def main(guest: Guest, _: int) -> Body:
        semaphore = yield from guest.create("NtCreateSemaphore", 2, 3)
        buffer = guest.room(8)
        for count in (2, 0, -1 & 0xFFFFFFFF, 1):
            guest.log.append((yield "NtReleaseSemaphore", semaphore, count, 0))
        yield "NtQuerySemaphore", semaphore, 0, buffer, 8, 0
        guest.log.append(guest.struct(SEMAPHORE_BASIC_INFORMATION, buffer))

    assert [
        STATUS_SEMAPHORE_LIMIT_EXCEEDED,
        STATUS_INVALID_PARAMETER,
        STATUS_INVALID_PARAMETER,
        0,
        SEMAPHORE_BASIC_INFORMATION(CurrentCount=3, MaximumCount=3),
    ] == run(main)


@pytest.mark.parametrize(("count", "maximum"), [(-1, 1), (2, 1), (0, 0), (0, -1)])
def test_a_semaphore_with_impossible_counts_is_refused(count: int, maximum: int) -> None:
    def main(guest: Guest, _: int) -> Body:
        counts = (count & 0xFFFFFFFF, maximum & 0xFFFFFFFF)
        guest.log.append((yield "NtCreateSemaphore", guest.room(8), 0x1F0003, 0, *counts))

    assert [STATUS_INVALID_PARAMETER] == run(main)


# ---- keyed events


def test_a_release_and_a_wait_of_the_same_key_meet_whoever_comes_first() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.create("NtCreateKeyedEvent", 0, access=3)

        def waiter(guest: Guest, key: int) -> Body:
            guest.log.append(("waiter", key, (yield "NtWaitForKeyedEvent", event, key, 0, 0)))

        def releaser(guest: Guest, key: int) -> Body:
            guest.log.append(("releaser", key, (yield "NtReleaseKeyedEvent", event, key, 0, 0)))

        for first, second in ((waiter, releaser), (releaser, waiter)):
            one = yield from guest.thread(first, 8)
            other = yield from guest.thread(second, 16)
            yield from guest.sleep(1)
            guest.log.append("different keys do not meet")
            yield from guest.thread(second, 8)
            yield from guest.thread(first, 16)
            yield from guest.wait_many([one, other], WAIT_ALL)
            yield from guest.sleep(1)

    met = [("releaser", 8, 0), ("releaser", 16, 0), ("waiter", 8, 0), ("waiter", 16, 0)]
    log = run(main)
    for part in (log[:5], log[5:]):
        assert ["different keys do not meet", *met] == [part[0], *sorted(part[1:])]


def test_nobody_meets_somebody_whose_time_is_up() -> None:
    def main(guest: Guest, _: int) -> Body:
        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append((yield "NtWaitForKeyedEvent", 0, 8, 0, guest.time(1)))

        yield from guest.thread(waiter)
        yield from guest.sleep(2)
        guest.log.append((yield "NtReleaseKeyedEvent", 0, 8, 0, guest.time(1)))
        guest.log.append((yield "NtReleaseKeyedEvent", 0, 8, 0, guest.time(0)))
        guest.log.append(guest.now)

    assert [STATUS_TIMEOUT, STATUS_TIMEOUT, STATUS_TIMEOUT, 3] == run(main)


def test_each_release_lets_one_waiter_go_first_come_first_served() -> None:
    def main(guest: Guest, _: int) -> Body:
        def waiter(guest: Guest, number: int) -> Body:
            guest.log.append((number, (yield "NtWaitForKeyedEvent", 0, 8, 0, guest.time(9))))

        threads = []
        for number in range(3):
            threads.append((yield from guest.thread(waiter, number)))
        yield from guest.sleep(0)
        for _ in range(2):
            yield "NtReleaseKeyedEvent", 0, 8, 0, 0
        yield from guest.wait_many(threads, WAIT_ALL)

    assert [(0, 0), (1, 0), (2, STATUS_TIMEOUT)] == run(main)


def test_keys_are_even() -> None:
    def main(guest: Guest, _: int) -> Body:
        for call in ("NtWaitForKeyedEvent", "NtReleaseKeyedEvent"):
            guest.log.append((yield call, 0, 9, 0, 0))
        guest.log.append((yield "NtCreateKeyedEvent", guest.room(8), 3, 0, 1))

    assert [STATUS_INVALID_PARAMETER_1, STATUS_INVALID_PARAMETER_1, STATUS_INVALID_PARAMETER_4] == run(main)


# ---- alerts by thread identifier


def test_an_alert_by_identifier_is_remembered_once() -> None:
    def main(guest: Guest, _: int) -> Body:
        tid = guest.tid(CURRENT_THREAD)
        for _ in range(2):
            guest.log.append((yield "NtAlertThreadByThreadId", tid))
        for _ in range(2):
            guest.log.append((yield "NtWaitForAlertByThreadId", 0, guest.time(1)))
        guest.log.append(guest.now)

    assert [0, 0, STATUS_ALERTED, STATUS_TIMEOUT, 1] == run(main)


def test_an_alert_by_identifier_ends_that_wait_and_nothing_else() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()

        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append((yield "NtWaitForAlertByThreadId", 0, 0))
            guest.log.append((yield from guest.wait(event, 5, alertable=True)))
            guest.log.append((yield "NtWaitForAlertByThreadId", 0, guest.time(0)))

        thread = yield from guest.thread(waiter)
        yield from guest.sleep(1)
        yield "NtAlertThreadByThreadId", guest.tid(thread)
        yield from guest.sleep(1)
        yield "NtAlertThreadByThreadId", guest.tid(thread)
        yield from guest.wait(thread)
        guest.log.append(guest.now)

    assert [STATUS_ALERTED, STATUS_TIMEOUT, STATUS_ALERTED, 6] == run(main)


def test_only_live_threads_can_be_alerted_by_identifier() -> None:
    def main(guest: Guest, _: int) -> Body:
        def short(guest: Guest, _: int) -> Body:
            yield from guest.sleep(0)

        thread = yield from guest.thread(short)
        tid = guest.tid(thread)
        yield from guest.wait(thread)
        guest.log.append((yield "NtAlertThreadByThreadId", tid))
        guest.log.append((yield "NtAlertThreadByThreadId", 1))

    assert [STATUS_INVALID_CID, STATUS_INVALID_CID] == run(main)


# ---- completion ports


def test_packets_leave_a_port_in_the_order_they_came() -> None:
    def main(guest: Guest, _: int) -> Body:
        port = yield from guest.create("NtCreateIoCompletion", 0)
        key, value, block, depth = guest.room(8), guest.room(8), guest.room(16), guest.room(8)
        for number in (1, 2):
            yield "NtSetIoCompletion", port, number, number * 10, 0xC0000001, number * 100
        yield "NtQueryIoCompletion", port, 0, depth, 4, 0
        guest.log.append(guest.value(depth))
        for _ in range(2):
            assert 0 == (yield "NtRemoveIoCompletion", port, key, value, block, 0)
            guest.log.append((guest.value(key, 8), guest.value(value, 8), guest.struct(IO_STATUS_BLOCK, block)))
        guest.log.append((yield "NtRemoveIoCompletion", port, key, value, block, guest.time(2)))
        guest.log.append(guest.now)

    assert [
        2,
        (1, 10, IO_STATUS_BLOCK(Status=0xC0000001, Information=100)),
        (2, 20, IO_STATUS_BLOCK(Status=0xC0000001, Information=200)),
        STATUS_TIMEOUT,
        2,
    ] == run(main)


def test_the_thread_that_began_to_wait_last_gets_the_packet() -> None:
    def main(guest: Guest, _: int) -> Body:
        port = yield from guest.create("NtCreateIoCompletion", 0)

        def worker(guest: Guest, number: int) -> Body:
            cells = guest.room(8), guest.room(8), guest.room(16)
            status = yield "NtRemoveIoCompletion", port, *cells, guest.time(1)
            guest.log.append((number, status, guest.value(cells[0], 8)))

        threads = []
        for number in range(3):
            threads.append((yield from guest.thread(worker, number)))
        yield from guest.sleep(0)
        for key in (7, 8):
            yield "NtSetIoCompletion", port, key, 0, 0, 0
        yield from guest.wait_many(threads, WAIT_ALL)

    assert [(2, 0, 7), (1, 0, 8), (0, STATUS_TIMEOUT, 0)] == run(main)


def test_several_packets_can_be_taken_at_once() -> None:
    def main(guest: Guest, _: int) -> Body:
        port = yield from guest.create("NtCreateIoCompletion", 0)
        size = FILE_IO_COMPLETION_INFORMATION.size(8)
        array, taken = guest.room(3 * size), guest.room(8)
        for key in range(5):
            yield "NtSetIoCompletion", port, key, 0, 0, 0
        for _ in range(3):
            status = yield "NtRemoveIoCompletionEx", port, array, 3, taken, guest.time(0), 0
            keys = [guest.struct(FILE_IO_COMPLETION_INFORMATION, array + size * i).KeyContext for i in range(3)]
            guest.log.append((status, guest.value(taken), keys[: guest.value(taken)]))
        guest.log.append((yield "NtRemoveIoCompletionEx", port, array, 0, taken, 0, 0))
        guest.log.append((yield "NtRemoveIoCompletionEx", port, 16, 3, taken, 0, 0))

    assert [
        (0, 3, [0, 1, 2]),
        (0, 2, [3, 4]),
        (STATUS_TIMEOUT, 1, [3]),
        STATUS_INVALID_PARAMETER,
        STATUS_ACCESS_VIOLATION,
    ] == run(main)


def test_an_apc_ends_an_alertable_removal() -> None:
    def main(guest: Guest, _: int) -> Body:
        port = yield from guest.create("NtCreateIoCompletion", 0)

        def routine(guest: Guest, *arguments: int) -> Body:
            guest.log.append("apc")
            yield from guest.sleep(0)

        yield from guest.queue_apc(CURRENT_THREAD, routine)
        guest.log.append((yield "NtRemoveIoCompletionEx", port, guest.room(32), 1, guest.room(8), 0, 1))

    assert ["apc", STATUS_USER_APC] == run(main)


def test_a_process_may_end_while_a_thread_waits_on_a_port() -> None:
    def main(guest: Guest, _: int) -> Body:
        port = yield from guest.create("NtCreateIoCompletion", 0)

        def worker(guest: Guest, _: int) -> Body:
            yield "NtRemoveIoCompletion", port, guest.room(8), guest.room(8), guest.room(16), 0

        yield from guest.thread(worker)
        yield from guest.sleep(1)
        guest.log.append("ending")
        yield "NtTerminateProcess", CURRENT_PROCESS, 7

    assert ["ending"] == run(main)


def test_those_who_wait_on_a_port_that_is_closed_are_told() -> None:
    def main(guest: Guest, _: int) -> Body:
        port = yield from guest.create("NtCreateIoCompletion", 0)

        def worker(guest: Guest, _: int) -> Body:
            guest.log.append((yield "NtRemoveIoCompletion", port, guest.room(8), guest.room(8), guest.room(16), 0))

        thread = yield from guest.thread(worker)
        yield from guest.sleep(0)
        yield "NtClose", port
        yield from guest.wait(thread)

    assert [STATUS_ABANDONED_WAIT_0] == run(main)


def test_a_port_is_signalled_while_packets_are_in_it() -> None:
    def main(guest: Guest, _: int) -> Body:
        port = yield from guest.create("NtCreateIoCompletion", 0)
        guest.log.append((yield from guest.wait(port, 0)))
        yield "NtSetIoCompletion", port, 0, 0, 0, 0
        guest.log.append((yield from guest.wait(port, 0)))

    assert [STATUS_TIMEOUT, 0] == run(main)


def test_closing_a_handle_does_not_disturb_those_who_wait_for_the_object() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()

        def waiter(guest: Guest, _: int) -> Body:
            yield from guest.wait(event)

        thread = yield from guest.thread(waiter)
        yield from guest.sleep(0)
        yield "NtClose", event
        yield from guest.wait(thread)

    with pytest.raises(Deadlock):
        run(main)
