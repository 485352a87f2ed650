"""Threads: creation, end, suspension, registers, information."""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import Any

import pytest

from lswd.cpu.context import CONTEXT_CONTROL, CONTEXT_FULL, CONTEXT_INTEGER, SIZE, Context
from lswd.kernel.environment_block import TLS_EXPANSION_SLOTS, TLS_SLOTS
from lswd.nt.thread import PS_ATTRIBUTE
from lswd.nt.thread_information import THREAD_BASIC_INFORMATION
from lswd.ntdef.types import CLIENT_ID, UNICODE_STRING

from .guest_threads import (
    CURRENT_PROCESS,
    CURRENT_THREAD,
    PREEMPT,
    STATUS_TIMEOUT,
    WAIT_ALL,
    Guest,
    Machine,
    run,
)

Body = Generator[Any, Any, Any]

STATUS_PENDING = 0x103
STATUS_INVALID_INFO_CLASS = 0xC0000003
STATUS_UNSUCCESSFUL = 0xC0000001
STATUS_INFO_LENGTH_MISMATCH = 0xC0000004
STATUS_ACCESS_VIOLATION = 0xC0000005
STATUS_INVALID_CID = 0xC000000B
STATUS_INVALID_PARAMETER = 0xC000000D
STATUS_ACCESS_DENIED = 0xC0000022
STATUS_BUFFER_TOO_SMALL = 0xC0000023
STATUS_INVALID_PARAMETER_MIX = 0xC0000030
STATUS_SUSPEND_COUNT_EXCEEDED = 0xC000004A
STATUS_THREAD_IS_TERMINATING = 0xC000004B
STATUS_CANT_TERMINATE_SELF = 0xC00000DB

SUSPENDED = 1
CLIENT_ID_ATTRIBUTE, TEB_ATTRIBUTE = 0x10003, 0x10004


def idle(guest: Guest, seconds: int) -> Body:
    yield from guest.sleep(seconds)


def exit_status(guest: Guest, thread: int) -> Any:
    buffer = guest.room(48)
    assert 0 == (yield "NtQueryInformationThread", thread, 0, buffer, 48, 0)
    return guest.struct(THREAD_BASIC_INFORMATION, buffer).ExitStatus


# ---- beginning and end


def test_a_thread_gets_its_argument_and_gives_an_exit_status() -> None:
    def main(guest: Guest, _: int) -> Body:
        def worker(guest: Guest, argument: int) -> Body:
            guest.log.append(argument)
            yield from guest.sleep(1)
            return 0xC0FFEE

        thread = yield from guest.thread(worker, 0x123456789)
        guest.log.append((yield from exit_status(guest, thread)))
        yield from guest.wait(thread)
        guest.log.append((yield from exit_status(guest, thread)))

    assert [STATUS_PENDING, 0x123456789, 0xC0FFEE] == run(main)


def test_the_last_thread_takes_the_process_with_it_and_gives_it_its_status() -> None:
    def main(guest: Guest, _: int) -> Body:
        def last(guest: Guest, _: int) -> Body:
            yield from guest.sleep(1)
            return 42

        yield from guest.thread(last)
        return 7

    assert 42 == Machine().run(main)


def test_a_creator_learns_identifiers_and_teb() -> None:
    def main(guest: Guest, _: int) -> Body:
        client, teb, lengths = guest.room(16), guest.room(8), guest.room(16)
        attributes = b"".join(
            PS_ATTRIBUTE(Attribute=number, Size=size, Value=at, ReturnLength=length).pack(8)
            for number, size, at, length in (
                (CLIENT_ID_ATTRIBUTE, 16, client, lengths),
                (TEB_ATTRIBUTE, 8, teb, lengths + 8),
                (0x20005, 99, 0, 0),  # an image name: of no interest here
            )
        )
        array = guest.stored(struct.pack("<Q", 8 + len(attributes)) + attributes)
        start = guest.machine.engine.address_of(idle)
        handle = guest.room(8)
        assert 0 == (
            yield "NtCreateThreadEx", handle, 0x1FFFFF, 0, CURRENT_PROCESS, start, 0, 0, 0, 0, 0, array
        )
        thread = guest.object(guest.value(handle, 8))
        guest.log.append(guest.struct(CLIENT_ID, client).UniqueThread == thread.tid)
        guest.log.append(guest.struct(CLIENT_ID, client).UniqueProcess == guest.machine.process.pid)
        guest.log.append(guest.value(teb, 8) == thread.teb)
        guest.log.append((guest.value(lengths, 8), guest.value(lengths + 8, 8)))

    assert [True, True, True, (16, 8)] == run(main)


@pytest.mark.parametrize(
    ("length", "value", "expected"),
    [(7, 0, STATUS_INVALID_PARAMETER), (8 + 31, 0, STATUS_INVALID_PARAMETER), (1 << 40, 0, STATUS_INVALID_PARAMETER),
     (8 + 32, 0x10, STATUS_ACCESS_VIOLATION)],
)  # fmt: skip
def test_bad_attribute_lists_create_nothing(length: int, value: int, expected: int) -> None:
    def main(guest: Guest, _: int) -> Body:
        attribute = PS_ATTRIBUTE(Attribute=CLIENT_ID_ATTRIBUTE, Size=16, Value=value).pack(8)
        array = guest.stored(struct.pack("<Q", length) + attribute)
        start = guest.machine.engine.address_of(idle)
        status = yield (
            "NtCreateThreadEx", guest.room(8), 0x1FFFFF, 0, CURRENT_PROCESS, start, 0, 0, 0, 0, 0, array,
        )  # fmt: skip
        guest.log.append((status, len(guest.machine.process.threads)))

    assert [(expected, 1)] == run(main)


def test_a_thread_that_ends_gives_its_stack_and_teb_back() -> None:
    def main(guest: Guest, _: int) -> Body:
        space = guest.machine.process.space
        first = yield from guest.thread(idle, 0)
        yield from guest.wait(first)
        before = len(space.regions())
        for _ in range(20):
            thread = yield from guest.thread(idle, 0)
            yield from guest.wait(thread)
        yield from guest.sleep(1)
        guest.log.append(len(space.regions()) - before)
        guest.log.append([t.closed for t in guest.machine.engine.threads[1:]] == [True] * 21)

    assert [0, True] == run(main)


def test_a_killed_thread_leaves_its_teb_where_the_userland_may_still_look_at_it() -> None:
    def main(guest: Guest, _: int) -> Body:
        thread = yield from guest.thread(idle, 100)
        yield from guest.sleep(1)
        obj = guest.object(thread)
        guest.log.append((yield "NtTerminateThread", thread, 3))
        space = guest.machine.process.space
        guest.log.append((space.find(obj.teb) is not None, space.find(obj.stack.base) is None))
        guest.log.append(((yield from guest.wait(thread, 0)), (yield from exit_status(guest, thread))))
        guest.log.append((yield "NtTerminateThread", thread, 4))
        guest.log.append((yield from exit_status(guest, thread)))

    assert [0, (True, True), (0, 3), 0, 3] == run(main)


@pytest.mark.parametrize("where", ["ready", "not begun", "suspended", "waiting"])
def test_a_thread_can_be_killed_wherever_it_is(where: str) -> None:
    def main(guest: Guest, _: int) -> Body:
        def busy(guest: Guest, _: int) -> Body:
            while True:
                yield from guest.sleep(50) if where == "waiting" else guest.sleep(0)
                guest.log.append("ran")

        thread = yield from guest.thread(busy, flags=SUSPENDED if where == "suspended" else 0)
        if where in ("ready", "waiting"):
            yield PREEMPT
        yield "NtTerminateThread", thread, 9
        yield from guest.sleep(100)
        guest.log.append((yield from exit_status(guest, thread)))

    assert [9] == run(main)


def test_only_the_last_thread_may_not_end_itself_without_a_handle() -> None:
    def main(guest: Guest, _: int) -> Body:
        def other(guest: Guest, _: int) -> Body:
            guest.log.append((yield "NtTerminateThread", 0, 5))

        guest.log.append((yield "NtTerminateThread", 0, 1))
        thread = yield from guest.thread(other)
        yield from guest.wait(thread)
        guest.log.append((yield from exit_status(guest, thread)))

    assert [STATUS_CANT_TERMINATE_SELF, 5] == run(main)


def test_ending_all_others_leaves_the_caller_alone() -> None:
    def main(guest: Guest, _: int) -> Body:
        threads = []
        for _ in range(3):
            threads.append((yield from guest.thread(idle, 100)))
        stacks = [guest.object(thread).stack for thread in threads]
        guest.log.append((yield "NtTerminateProcess", 0, 6))
        space = guest.machine.process.space  # code that runs at exit may look at what is on the others' stacks
        guest.log.append([space.find(stack.base) for stack in stacks] == stacks)
        guest.log.append((yield from guest.wait_many(threads, WAIT_ALL, 0)))
        guest.log.append(guest.now)
        return 8

    machine = Machine()
    assert 8 == machine.run(main)
    assert [0, True, 0, 0] == machine.guest.log


# ---- opening


def test_threads_are_opened_by_their_identifiers() -> None:
    def main(guest: Guest, _: int) -> Body:
        thread = yield from guest.thread(idle, 10)
        tid, pid = guest.tid(thread), guest.machine.process.pid
        cell, attributes = guest.room(8), guest.named("")
        for client in ((pid, tid), (0, tid), (pid + 4, tid), (pid, 2)):
            status = yield "NtOpenThread", cell, 0x800, attributes, guest.stored(struct.pack("<QQ", *client))
            guest.log.append(status)
            if not status:
                guest.log.append(guest.object(guest.value(cell, 8)) is guest.object(thread))
                guest.log.append((yield "NtTerminateThread", guest.value(cell, 8), 0))
        guest.log.append((yield "NtOpenThread", cell, 0x800, attributes, 0))

    assert [
        0, True, STATUS_ACCESS_DENIED, 0, True, STATUS_ACCESS_DENIED, STATUS_INVALID_CID, STATUS_INVALID_CID,
        STATUS_INVALID_PARAMETER_MIX,
    ] == run(main)  # fmt: skip


# ---- suspension


def test_a_thread_created_suspended_begins_when_it_is_resumed() -> None:
    def main(guest: Guest, _: int) -> Body:
        def worker(guest: Guest, _: int) -> Body:
            guest.log.append("worker")
            yield from guest.sleep(0)

        thread = yield from guest.thread(worker, flags=SUSPENDED)
        yield from guest.sleep(1)
        count = guest.room(8)
        guest.log.append("main")
        yield "NtResumeThread", thread, count
        guest.log.append(guest.value(count))
        yield from guest.wait(thread)
        yield "NtResumeThread", thread, count
        guest.log.append(guest.value(count))

    assert ["main", 1, "worker", 0] == run(main)


def test_suspensions_count_and_have_a_limit() -> None:
    def main(guest: Guest, _: int) -> Body:
        thread = yield from guest.thread(idle, 1)
        count = guest.room(8)
        statuses = set()
        for expected in range(127):
            statuses.add((yield "NtSuspendThread", thread, count))
            assert expected == guest.value(count)
        guest.log.append((statuses, (yield "NtSuspendThread", thread, count)))
        for _ in range(127):
            guest.log.append((yield from guest.wait(thread, 0.1)))
            yield "NtResumeThread", thread, count
        guest.log.append((guest.value(count), (yield from guest.wait(thread))))
        guest.log.append((yield "NtSuspendThread", thread, count))

    assert [
        ({0}, STATUS_SUSPEND_COUNT_EXCEEDED), *[STATUS_TIMEOUT] * 127, (1, 0), STATUS_THREAD_IS_TERMINATING,
    ] == run(main)  # fmt: skip


def test_a_thread_that_suspends_itself_goes_on_when_another_resumes_it() -> None:
    def main(guest: Guest, _: int) -> Body:
        def worker(guest: Guest, _: int) -> Body:
            guest.log.append("before")
            guest.log.append((yield "NtSuspendThread", CURRENT_THREAD, 0))

        thread = yield from guest.thread(worker)
        yield from guest.sleep(1)
        guest.log.append("main")
        yield "NtResumeThread", thread, 0
        yield from guest.wait(thread)

    assert ["before", "main", 0] == run(main)


def test_a_suspended_thread_may_finish_its_wait_but_not_run() -> None:
    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()

        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append((yield from guest.wait(event)))

        thread = yield from guest.thread(waiter)
        yield from guest.sleep(1)
        yield "NtSuspendThread", thread, 0
        yield "NtSetEvent", event, 0
        yield from guest.sleep(1)
        guest.log.append((yield from guest.wait(event, 0)))
        yield "NtResumeThread", thread, 0
        yield from guest.wait(thread)

    assert [STATUS_TIMEOUT, 0] == run(main)


def test_alerting_and_resuming_in_one_call() -> None:
    def main(guest: Guest, _: int) -> Body:
        def worker(guest: Guest, _: int) -> Body:
            guest.log.append((yield from guest.sleep(9, alertable=True)))

        thread = yield from guest.thread(worker, flags=SUSPENDED)
        guest.log.append((yield "NtAlertResumeThread", thread, 0))
        yield from guest.wait(thread)
        guest.log.append(guest.now)

    assert [0, 0x101, 0] == run(main)


# ---- APCs


def test_apcs_queued_before_a_thread_begins_run_when_it_tests_for_them() -> None:
    def main(guest: Guest, _: int) -> Body:
        def routine(guest: Guest, number: int, *arguments: int) -> Body:
            guest.log.append(number)
            yield from guest.sleep(0)

        def worker(guest: Guest, _: int) -> Body:
            guest.log.append((yield ("NtTestAlert",)))

        thread = yield from guest.thread(worker, flags=SUSPENDED)
        for number in range(3):
            yield from guest.queue_apc(thread, routine, number)
        yield "NtResumeThread", thread, 0
        yield from guest.wait(thread)
        guest.log.append((yield from guest.queue_apc(thread, routine, 4)))

    assert [0, 1, 2, 0, STATUS_UNSUCCESSFUL] == run(main)


def test_an_apc_routine_may_wait_alertably_itself() -> None:
    def main(guest: Guest, _: int) -> Body:
        def inner(guest: Guest, *arguments: int) -> Body:
            guest.log.append("inner")
            yield from guest.sleep(0)

        def outer(guest: Guest, *arguments: int) -> Body:
            yield from guest.queue_apc(CURRENT_THREAD, inner)
            guest.log.append(("outer", (yield from guest.sleep(1, alertable=True))))

        yield from guest.queue_apc(CURRENT_THREAD, outer)
        guest.log.append(("main", (yield from guest.sleep(1, alertable=True))))

    assert ["inner", ("outer", 0xC0), ("main", 0xC0)] == run(main)


def test_apcs_need_the_right_to_set_contexts() -> None:
    def main(guest: Guest, _: int) -> Body:
        cell = guest.room(8)
        client = guest.stored(struct.pack("<QQ", 0, guest.tid(CURRENT_THREAD)))
        yield "NtOpenThread", cell, 0x1FFFEF, guest.named(""), client
        guest.log.append((yield "NtQueueApcThread", guest.value(cell, 8), 0x1234, 0, 0, 0))

    assert [STATUS_ACCESS_DENIED] == run(main)


# ---- registers


def test_the_registers_of_a_thread_that_has_not_begun_are_those_it_will_begin_with() -> None:
    def main(guest: Guest, _: int) -> Body:
        def intended(guest: Guest, argument: int) -> Body:
            guest.log.append(("intended", argument))
            yield from guest.sleep(0)

        def instead(guest: Guest, argument: int) -> Body:
            guest.log.append(("instead", argument))
            yield from guest.sleep(0)

        thread = yield from guest.thread(intended, 5, flags=SUSPENDED)
        record = guest.stored(bytes(SIZE))
        space = guest.machine.process.space
        space.write_u32(record + 0x30, CONTEXT_FULL)
        assert 0 == (yield "NtGetContextThread", thread, record)
        context = Context(space.read(record, SIZE))
        guest.log.append(context["rdx"])
        context["rcx"] = guest.machine.engine.address_of(instead)
        context["rdx"] = 6
        space.write(record, bytes(context.data))
        assert 0 == (yield "NtSetContextThread", thread, record)
        yield "NtResumeThread", thread, 0
        yield from guest.wait(thread)
        guest.log.append((yield "NtGetContextThread", thread, record))

    assert [5, ("instead", 6), STATUS_UNSUCCESSFUL] == run(main)


def test_only_the_parts_asked_for_are_returned() -> None:
    def main(guest: Guest, _: int) -> Body:
        thread = yield from guest.thread(idle, 9)
        yield from guest.sleep(1)
        space = guest.machine.process.space
        for flags in (CONTEXT_CONTROL, CONTEXT_INTEGER):
            blank = Context(b"\xcc" * SIZE)
            blank.flags = flags
            record = guest.stored(bytes(blank.data))
            assert 0 == (yield "NtGetContextThread", thread, record)
            context = Context(space.read(record, SIZE))
            untouched = 0xCCCCCCCCCCCCCCCC
            guest.log.append((context.flags == flags, context["rip"] == untouched, context["rbx"] == untouched))
        guest.log.append((yield "NtGetContextThread", thread, guest.stored(bytes(SIZE))))
        guest.log.append((yield "NtGetContextThread", thread, 0x10))

    assert [
        (True, False, True), (True, True, False), STATUS_INVALID_PARAMETER, STATUS_ACCESS_VIOLATION,
    ] == run(main)  # fmt: skip


# ---- information


def query(guest: Guest, thread: int, number: int, length: int) -> Any:
    buffer, returned = guest.room(length), guest.room(8)
    status = yield "NtQueryInformationThread", thread, number, buffer, length, returned
    return status, guest.machine.process.space.read(buffer, length), guest.value(returned)


def put(guest: Guest, thread: int, number: int, data: bytes) -> Any:
    return (yield "NtSetInformationThread", thread, number, guest.stored(data), len(data))


def test_who_is_the_last_thread() -> None:
    def main(guest: Guest, _: int) -> Body:
        thread = yield from guest.thread(idle, 1)
        for _ in range(2):
            guest.log.append((yield from query(guest, CURRENT_THREAD, 12, 4)))
            yield from guest.wait(thread)

    assert [(0, bytes(4), 4), (0, b"\1\0\0\0", 4)] == run(main)


def test_a_thread_has_a_name() -> None:
    def main(guest: Guest, _: int) -> Body:
        name = "číslo 5".encode("utf-16-le")
        guest.log.append((yield from query(guest, CURRENT_THREAD, 38, 16)))
        assert 0 == (yield "NtSetInformationThread", CURRENT_THREAD, 38, guest.unicode("číslo 5"), 16)
        guest.log.append((yield from query(guest, CURRENT_THREAD, 38, 16))[::2])
        status, data, length = yield from query(guest, CURRENT_THREAD, 38, 30)
        string = UNICODE_STRING.unpack(8, data)
        guest.log.append((status, string.Length, data[16:] == name, length))

    assert [
        (0, bytes(16), 16), (STATUS_BUFFER_TOO_SMALL, 30), (0, 14, True, 30),
    ] == run(main)  # fmt: skip


@pytest.mark.parametrize("increment", [-15, -2, -1, 0, 1, 2, 15])
def test_a_priority_is_remembered(increment: int) -> None:
    def main(guest: Guest, _: int) -> Body:
        assert 0 == (yield from put(guest, CURRENT_THREAD, 3, struct.pack("<i", increment)))
        _, data, _ = yield from query(guest, CURRENT_THREAD, 0, 48)
        guest.log.append(THREAD_BASIC_INFORMATION.unpack(8, data).BasePriority)

    assert [increment] == run(main)


def test_what_cannot_be_set_is_refused() -> None:
    def main(guest: Guest, _: int) -> Body:
        for number, data in (
            (3, struct.pack("<i", 3)),  # no such priority
            (2, struct.pack("<i", 32)),
            (4, bytes(8)),  # no processor at all
            (4, b"\xff" * 8),
            (10, struct.pack("<I", 64 + 1024)),
            (3, bytes(3)),
            (777, bytes(4)),
        ):
            guest.log.append((yield from put(guest, CURRENT_THREAD, number, data)))

    assert [*[STATUS_INVALID_PARAMETER] * 5, STATUS_INFO_LENGTH_MISMATCH, STATUS_INVALID_INFO_CLASS] == run(main)


def test_clearing_a_tls_cell_clears_it_in_every_thread() -> None:
    def main(guest: Guest, _: int) -> Body:
        thread = yield from guest.thread(idle, 1)
        space = guest.machine.process.space
        table = guest.stored(b"\xff" * 8 * 1024)
        tebs = [guest.object(handle).teb for handle in (CURRENT_THREAD, thread)]
        for teb in tebs:
            space.write(teb + TLS_SLOTS[8], b"\xff" * 8 * 64)
        space.write_u64(tebs[1] + TLS_EXPANSION_SLOTS[8], table)
        for index in (3, 64 + 3):
            assert 0 == (yield from put(guest, CURRENT_THREAD, 10, struct.pack("<I", index)))
        for array in (tebs[0] + TLS_SLOTS[8], tebs[1] + TLS_SLOTS[8], table):
            guest.log.append([i for i in range(64) if not space.read_u64(array + 8 * i)])

    assert [[3], [3], [3]] == run(main)


def test_lengths_of_information_are_exact() -> None:
    def main(guest: Guest, _: int) -> Body:
        for number, length in ((0, 47), (0, 49), (12, 8), (17, 4), (35, 4), (17, 1), (777, 4)):
            guest.log.append((yield from query(guest, CURRENT_THREAD, number, length))[0])

    mismatch = STATUS_INFO_LENGTH_MISMATCH
    assert [mismatch, mismatch, mismatch, mismatch, 0, 0, STATUS_INVALID_INFO_CLASS] == run(main)


def test_hiding_from_debuggers_takes_no_value_and_stays() -> None:
    def main(guest: Guest, _: int) -> Body:
        guest.log.append((yield from query(guest, CURRENT_THREAD, 17, 1))[1])
        guest.log.append((yield "NtSetInformationThread", CURRENT_THREAD, 17, 0, 0))
        guest.log.append((yield from query(guest, CURRENT_THREAD, 17, 1))[1])

    assert [b"\0", 0, b"\1"] == run(main)
