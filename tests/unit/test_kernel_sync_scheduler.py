"""The scheduler: turns, calls that need the event loop, signals, and how a process ends."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

import pytest

from lswd.kernel.loop import event_loop
from lswd.kernel.process import Process
from lswd.kernel.scheduler import Scheduler
from lswd.kernel.thread import ThreadExit
from lswd.kernel.ticker import TICKS_A_SLICE, TICKS_ALONE, Ticker
from lswd.kernel.wait import wait_for
from lswd.nt.declare import DECLARED, Call, SystemCall
from lswd.nt.dispatch import InternalError
from lswd.ntdef.status import STATUS_ACCESS_DENIED, NtError
from lswd.ntdef.types import NTSTATUS, ULONG

from .guest_threads import CURRENT_PROCESS, PREEMPT, STATUS_TIMEOUT, WAIT_ALL, Guest, Machine

Body = Generator[Any, Any, Any]


@pytest.fixture
def declare(monkeypatch: pytest.MonkeyPatch) -> Callable[[Callable[..., Any]], None]:
    """Adds a system call to those there are."""

    def add(handler: Callable[..., Any]) -> None:
        monkeypatch.setitem(DECLARED, handler.__name__, SystemCall(handler, "", {}))

    return add


Declare = Callable[[Callable[..., Any]], None]


async def NtInLoop(call: Call, Steps: ULONG) -> NTSTATUS:
    """Takes ``Steps`` rounds of the event loop."""
    await event_loop()
    import trio

    for _ in range(Steps):
        await trio.lowlevel.checkpoint()
        assert call.process.current_thread is call.thread
    return 0x1000 + Steps


def test_a_call_that_needs_the_event_loop_finishes_in_it(declare: Declare) -> None:
    declare(NtInLoop)

    def main(guest: Guest, _: int) -> Body:
        guest.log.append((yield "NtInLoop", 5))
        guest.log.append((yield "NtInLoop", 0))
        return 3

    machine = Machine()
    assert 3 == machine.run(main)
    assert [0x1005, 0x1000] == machine.guest.log


def test_other_threads_run_while_one_is_in_the_event_loop(declare: Declare) -> None:
    async def NtUntilReleased(call: Call) -> NTSTATUS:
        await event_loop()
        import trio

        call.process.on_close.append(event := trio.Event())  # type: ignore[arg-type]
        await event.wait()
        return 0

    declare(NtUntilReleased)

    def NtReleaseIt(call: Call) -> NTSTATUS:
        event: Any = call.process.on_close.pop()
        event.set()
        return 0

    declare(NtReleaseIt)

    def main(guest: Guest, _: int) -> Body:
        def blocked(guest: Guest, _: int) -> Body:
            yield ("NtUntilReleased",)
            guest.log.append("released")

        thread = yield from guest.thread(blocked)
        while not guest.machine.process.on_close:
            yield from guest.sleep(0)
        for number in range(3):
            guest.log.append(number)
            yield PREEMPT
        yield ("NtReleaseIt",)
        yield from guest.wait(thread)

    machine = Machine()
    machine.run(main)
    assert [0, 1, 2, "released"] == machine.guest.log


def test_waits_work_inside_a_call_that_is_in_the_event_loop(declare: Declare) -> None:
    polled = []

    async def NtLoopThenWait(call: Call, Handle: ULONG) -> NTSTATUS:
        await event_loop()
        event: Any = call.process.handles.get(Handle)
        first = await wait_for(call.thread, [event], timeout=0)
        polled.append(True)
        return first << 16 | await wait_for(call.thread, [event], timeout=None)

    declare(NtLoopThenWait)

    def main(guest: Guest, _: int) -> Body:
        event = yield from guest.event()

        def waiter(guest: Guest, _: int) -> Body:
            guest.log.append((yield "NtLoopThenWait", event))

        thread = yield from guest.thread(waiter)
        while not polled:
            yield from guest.sleep(0)
        yield "NtSetEvent", event, 0
        yield from guest.wait(thread)

    machine = Machine()
    machine.run(main)
    assert [STATUS_TIMEOUT << 16] == machine.guest.log


@pytest.mark.parametrize("how", ["thread", "process"])
def test_a_call_in_the_event_loop_is_cancelled_with_its_thread(declare: Declare, how: str) -> None:
    entered, cleaned = [], []

    async def NtForEver(call: Call) -> NTSTATUS:
        await event_loop()
        import trio

        entered.append(True)
        try:
            await trio.sleep_forever()
        finally:
            cleaned.append(call.thread.terminated)

    declare(NtForEver)

    def main(guest: Guest, _: int) -> Body:
        def blocked(guest: Guest, _: int) -> Body:
            guest.log.append((yield ("NtForEver",)))

        thread = yield from guest.thread(blocked)
        while not entered:
            yield from guest.sleep(0)
        if how == "thread":
            yield "NtTerminateThread", thread, 5
            guest.log.append((yield from guest.wait(thread, 0)))
        yield "NtTerminateProcess", CURRENT_PROCESS, 6

    machine = Machine()
    assert 6 == machine.run(main)
    assert ([True], [0] if how == "thread" else []) == (cleaned, machine.guest.log)


def test_a_call_that_wants_the_loop_for_a_thread_that_is_killed_first_is_closed(declare: Declare) -> None:
    closed = []

    async def NtWantsLoop(call: Call) -> NTSTATUS:
        try:
            await event_loop()
        finally:
            closed.append(True)
        return 0

    declare(NtWantsLoop)

    def main(guest: Guest, _: int) -> Body:
        def blocked(guest: Guest, _: int) -> Body:
            guest.log.append((yield ("NtWantsLoop",)))

        thread = yield from guest.thread(blocked)
        killer = yield from guest.thread(kill, thread)
        yield from guest.wait_many([thread, killer], WAIT_ALL)

    def kill(guest: Guest, thread: int) -> Body:
        yield "NtTerminateThread", thread, 5

    machine = Machine()
    # The loop is there already, so that the task has been asked for but has not begun when the killer runs.
    machine.scheduler.start_task(_service)
    machine.run(main)
    assert ([True], []) == (closed, machine.guest.log)


async def _service() -> None:
    import trio

    await trio.sleep_forever()


def test_failures_inside_the_loop_are_the_guests(declare: Declare) -> None:
    async def NtRefused(call: Call) -> NTSTATUS:
        await event_loop()
        raise NtError(STATUS_ACCESS_DENIED)

    async def NtExits(call: Call) -> NTSTATUS:
        await event_loop()
        call.thread.finish(4)
        raise ThreadExit

    declare(NtRefused)
    declare(NtExits)

    def main(guest: Guest, _: int) -> Body:
        guest.log.append((yield ("NtRefused",)))
        guest.log.append((yield ("NtExits",)))

    machine = Machine()
    assert 4 == machine.run(main)
    assert [STATUS_ACCESS_DENIED] == machine.guest.log


class Broken(Exception):
    """A bug of ours."""


@pytest.mark.parametrize("where", ["service", "call", "parked", "at once"])
def test_a_bug_of_ours_comes_out_as_it_is(declare: Declare, where: str) -> None:
    async def NtBroken(call: Call) -> NTSTATUS:
        if where == "call":
            await event_loop()
        elif where == "parked":
            await wait_for(call.thread, [], timeout=-1)
        raise Broken

    async def service() -> None:
        raise Broken

    declare(NtBroken)

    def main(guest: Guest, _: int) -> Body:
        if where == "service":
            guest.machine.scheduler.start_task(service)
            yield from guest.sleep(1)
        yield ("NtBroken",)

    with pytest.raises(InternalError if where == "at once" else Broken):
        Machine().run(main)


def test_a_process_ended_from_the_loop_ends(declare: Declare) -> None:
    machine = Machine()

    async def service() -> None:
        machine.process.end(12)

    def main(guest: Guest, _: int) -> Body:
        machine.scheduler.start_task(service)
        event = yield from guest.event()
        yield from guest.wait(event)

    assert 12 == machine.run(main)


def test_background_tasks_run_while_the_threads_compute() -> None:
    machine = Machine()

    async def task() -> None:
        machine.guest.log.append("task")

    def main(guest: Guest, _: int) -> Body:
        machine.scheduler.start_task(task)
        while not guest.log:
            assert machine.scheduler.contended()
            yield PREEMPT

    machine.run(main)
    assert ["task"] == machine.guest.log


def test_a_signal_is_acted_on_between_turns_and_while_idle() -> None:
    machine = Machine()
    process = machine.process

    def main(guest: Guest, _: int) -> Body:
        process.signals.append(lambda: guest.log.append("between turns"))
        assert process.signal_pending()
        yield PREEMPT
        guest.log.append("running")
        event = yield from guest.event()
        process.signals.append(lambda: process.end(99))
        yield from guest.wait(event)

    assert 99 == machine.run(main)
    assert ["between turns", "running"] == machine.guest.log


def test_a_signal_between_two_turns_ends_the_second(monkeypatch: pytest.MonkeyPatch) -> None:
    machine = Machine()
    process, scheduler = machine.process, machine.scheduler
    monkeypatch.setattr(scheduler.ticker, "turn_is_over", lambda ticks: False)
    deliver = process.deliver_signals

    def deliver_too_early() -> None:
        deliver()
        monkeypatch.setattr(process, "deliver_signals", deliver)
        process.signals.append(lambda: process.end(99))
        scheduler.poke()

    monkeypatch.setattr(process, "deliver_signals", deliver_too_early)

    def main(guest: Guest, _: int) -> Body:
        yield PREEMPT
        for number in range(100):
            guest.log.append(number)
            yield "NtQueryPerformanceCounter", guest.room(8), 0

    assert (99, []) == (machine.run(main), machine.guest.log)


def test_a_signal_while_the_event_loop_is_being_started_is_acted_on(
    declare: Declare, monkeypatch: pytest.MonkeyPatch
) -> None:
    import trio

    slept = []

    async def NtSleepInLoop(call: Call) -> NTSTATUS:
        await event_loop()
        await trio.sleep(1)
        slept.append(True)
        return 0

    declare(NtSleepInLoop)
    machine = Machine()
    run = trio.run

    def run_after_signal(main: Callable[..., Any]) -> object:
        machine.process.signals.append(lambda: machine.process.end(99))
        machine.scheduler.poke()
        return run(main)

    monkeypatch.setattr(trio, "run", run_after_signal)

    def main(guest: Guest, _: int) -> Body:
        yield ("NtSleepInLoop",)

    assert (99, []) == (machine.run(main), slept)


def test_poking_wakes_an_idle_scheduler_even_if_it_comes_first() -> None:
    machine = Machine()
    scheduler = machine.scheduler
    scheduler.poke()
    scheduler.poke()
    with scheduler._bell:
        Scheduler.idle(scheduler, None)  # returns
        Scheduler.idle(scheduler, 0.0)  # nobody has poked since: sleeps its time
        scheduler.poke()
        Scheduler.idle(scheduler, None)


def test_a_thread_uses_its_own_time_only() -> None:
    def main(guest: Guest, _: int) -> Body:
        yield PREEMPT

    machine = Machine()
    machine.run(main)
    assert machine.process.ended
    assert 0 == len(machine.process.threads)


def test_a_turn_ends_when_somebody_else_could_run() -> None:
    machine = Machine()
    contended = False
    ticker = Ticker(lambda: contended, machine.process.signal_pending, list, lambda: None)
    assert [False, False] == [ticker.turn_is_over(TICKS_A_SLICE), ticker.turn_is_over(TICKS_ALONE - 1)]
    contended = True
    assert [False, True] == [ticker.turn_is_over(TICKS_A_SLICE - 1), ticker.turn_is_over(TICKS_A_SLICE)]


def test_a_turn_ends_for_a_signal_and_even_alone_after_some_time() -> None:
    machine = Machine()
    ticker = Ticker(lambda: False, machine.process.signal_pending, list, lambda: None)
    assert ticker.turn_is_over(TICKS_ALONE)
    machine.process.signals.append(lambda: None)
    assert ticker.turn_is_over(1)


def test_a_due_deadline_makes_the_turn_contended() -> None:
    machine = Machine()
    scheduler = machine.scheduler
    scheduler.deadlines.add(1, lambda: None)
    assert not scheduler.contended()
    machine.clock.now += 1
    assert scheduler.contended()


def test_processes_are_signalled_when_they_end() -> None:
    machine = Machine()
    process: Process = machine.process

    def main(guest: Guest, _: int) -> Body:
        guest.log.append((yield from guest.wait(CURRENT_PROCESS, 0)))

    machine.run(main)
    assert [STATUS_TIMEOUT] == machine.guest.log
    assert process.ended
