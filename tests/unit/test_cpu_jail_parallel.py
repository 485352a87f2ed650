"""Threads of the jail that run at the same time: waiting for them, stopping one of them, ending all; the word sizes."""

from __future__ import annotations

import os
import signal
import threading
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu.engine import GuestLost
from lswd.cpu.jail import engine, layout
from lswd.cpu.jail.engine import JailEngine
from lswd.cpu.jail.thread import JailThread
from lswd.memory.protection import PAGE_READONLY, PAGE_READWRITE

from . import test_cpu_unicorn as bits64
from . import test_cpu_unicorn32 as bits32

DATA = bits64.DATA
LONG = 30.0  # seconds; nothing here takes nearly as long


class Guest:
    """A machine of either word size, and code for it; ``ebx`` in code is what ``counter`` reads."""

    def __init__(self, word: int, scratch: Path) -> None:
        self.word = word
        self._scratch = scratch
        self.machine = (bits64 if word == 8 else bits32).Machine(JailEngine)
        assert isinstance(self.machine.engine, JailEngine)
        self.engine = self.machine.engine
        self._at = bits64.CODE
        self._teb = 0x700000

    def call(self, number: int) -> str:
        """Make system call 1, which leaves, or 5, which does not."""
        if self.word == 8:
            return f"mov eax, {number}\nxor r10, r10\ncall [0x7ffe1000]\n"
        return f"push 0\npush 0\ncall stub{number}\n"

    def thread(self, body: str) -> JailThread:
        """A thread with code and a TEB of its own; its stack is that of all, so only one may make calls."""
        if self.word == 8:
            code = bits64.assembled(f"org {self._at:#x}\n{body}", self._scratch)
        else:
            code = bits32.assembled(f"org {self._at:#x}\n{bits32.STUBS}{body}", self._scratch)
        thread = self.machine.thread(code, at=self._at, teb=self._teb)
        self._at += 0x1000
        self._teb += 0x10000
        assert isinstance(thread, JailThread)
        return thread

    def start(self, *threads: JailThread) -> None:
        """Let them run by themselves."""
        self.engine.shared = True
        for thread in threads:
            assert cpu.RUNNING == thread.run(self.machine.answer)

    def outcome(self, thread: JailThread) -> int:
        """Wait for a running thread to stop: why it has."""
        deadline = time.monotonic() + LONG
        while time.monotonic() < deadline:
            self.engine.wait_any([thread], 1.0)
            if thread.stopped() and (reason := thread.run(self.machine.answer)) != cpu.RUNNING:
                return reason
        raise AssertionError("it does not stop")

    def counter(self, thread: JailThread) -> int:
        return int(thread.get_context()["rbx" if self.word == 8 else "ebx"])


@pytest.fixture(params=[8, 4], ids=["64", "32"])
def guest(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Guest]:
    guest = Guest(request.param, tmp_path)
    yield guest
    guest.engine.close()


COUNT = "again: inc ebx\njmp again\n"


def test_threads_answer_each_other_without_a_call(guest: Guest) -> None:
    turn = "wait{n}: pause\ncmp dword [{data}], {mine}\njne wait{n}\nmov dword [{data}], {other}\n"
    loop = "mov ebx, 100\nagain:\n" + turn + "dec ebx\njnz again\n"
    first = guest.thread(loop.format(n=1, data=DATA, mine=0, other=1) + guest.call(1) + "hlt")
    second = guest.thread(loop.format(n=2, data=DATA, mine=1, other=0) + "over: jmp over")
    guest.start(first, second)
    assert cpu.LEFT == guest.outcome(first)
    second.interrupt()
    assert cpu.INTERRUPTED == guest.outcome(second)
    assert 0 == guest.counter(first)


def test_an_interrupt_stops_one_thread_and_its_registers_can_be_replaced(guest: Guest) -> None:
    first, second = guest.thread(COUNT), guest.thread(COUNT)
    third = guest.thread("mov ebx, 77\nhlt")
    guest.start(first, second)
    first.interrupt()
    assert cpu.INTERRUPTED == guest.outcome(first)
    assert not second.stopped()
    context = first.get_context()
    context.pc = third.get_context().pc
    first.set_context(context)
    guest.start(first)
    assert cpu.FAULT == guest.outcome(first)
    assert 77 == guest.counter(first)
    assert not second.stopped()


def test_a_new_thread_does_not_inherit_the_interrupt_of_one_that_has_ended(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    ended = guest.thread(COUNT)
    guest.start(ended)
    ended.interrupt()
    assert cpu.INTERRUPTED == guest.outcome(ended)
    block = ended.block
    ended.close()
    while guest.engine.child.words[block + layout.STATE >> 2] != layout.STATE_GONE:
        time.sleep(0.001)
    thread = guest.thread(COUNT)
    guest.start(thread)
    assert block == thread.block
    monkeypatch.setattr("lswd.cpu.jail.child._DEAF_SECONDS", 0.0)  # any interrupt is too long ago
    thread.check()


def test_a_call_that_comes_before_the_interrupt_is_answered_first(guest: Guest) -> None:
    thread = guest.thread("again: inc ebx\n" + guest.call(5) + "jmp again\n")
    for i in range(200):
        guest.start(thread)
        while i & 1 and not thread.stopped():
            guest.engine.wait_any([thread], LONG)
        thread.interrupt()
        assert cpu.INTERRUPTED == guest.outcome(thread)
        # Interrupted between counting and calling, or not.
        assert guest.counter(thread) - len(guest.machine.calls) in (0, 1)
    assert len(guest.machine.calls) > 0


def test_waiting_for_one_ends_when_there_is_something_else_to_do(guest: Guest) -> None:
    thread = guest.thread(COUNT)
    guest.engine.until = time.monotonic() + 5
    guest.engine.hurry()
    assert cpu.INTERRUPTED == thread.run(guest.machine.answer)  # before it has run at all
    helper = threading.Timer(0.05, guest.engine.hurry)
    helper.start()
    assert cpu.RUNNING == thread.run(guest.machine.answer)
    helper.join()
    guest.engine.hurry()
    assert cpu.RUNNING == thread.run(guest.machine.answer)
    guest.engine.until = time.monotonic() + 0.05
    assert cpu.RUNNING == thread.run(guest.machine.answer)
    assert time.monotonic() >= guest.engine.until
    guest.engine.until = float("inf")
    stopper = threading.Timer(0.05, thread.interrupt)
    stopper.start()
    assert cpu.INTERRUPTED == thread.run(guest.machine.answer)
    stopper.join()


def test_hurry_is_heard_by_who_is_just_about_to_sleep(guest: Guest, monkeypatch: pytest.MonkeyPatch) -> None:
    thread = guest.thread(COUNT)
    guest.engine.until = time.monotonic() + 0.05
    assert cpu.RUNNING == thread.run(guest.machine.answer)
    guest.engine.until = float("inf")
    child = guest.engine.child
    sleep = child._syscall
    calls = []

    def hurry_first(*arguments: int) -> int:
        calls.append(arguments)
        if len(calls) == 1:
            guest.engine.hurry()
        return int(sleep(*arguments))

    monkeypatch.setattr(child, "_syscall", hurry_first)
    monkeypatch.setattr("lswd.cpu.jail.child._LOOK", 0.9)  # less than a second: the field is nanoseconds
    child.placement.release()
    begun = time.monotonic()
    assert cpu.RUNNING == thread.run(guest.machine.answer)
    assert time.monotonic() - begun < 0.5


@pytest.mark.parametrize("several", [True, False], ids=["futex_waitv", "before-5.16"])
def test_waiting_for_several_ends_when_one_stops_or_somebody_wakes(
    guest: Guest, several: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(engine._watch, "_several", several)
    threads = [guest.thread(COUNT) for _ in range(3)]
    guest.start(*threads)
    begun = time.monotonic()
    guest.engine.wait_any(threads, 0.1)
    assert not several or time.monotonic() - begun >= 0.1
    helper = threading.Timer(0.05, guest.engine.wake)
    helper.start()
    begun = time.monotonic()
    guest.engine.wait_any(threads, LONG)
    assert time.monotonic() - begun < LONG / 2
    helper.join()
    for thread in threads:
        thread.interrupt()
        assert cpu.INTERRUPTED == guest.outcome(thread)


def test_the_guests_death_is_noticed_at_once_by_who_waits_for_one(guest: Guest) -> None:
    thread = guest.thread(COUNT)
    helper = threading.Timer(0.05, os.kill, (guest.engine.child.pid, signal.SIGKILL))
    helper.start()
    begun = time.monotonic()
    with pytest.raises(GuestLost):
        thread.run(guest.machine.answer)
    assert time.monotonic() - begun < LONG / 2
    helper.join()


def test_the_guests_death_is_noticed_at_once_by_who_waits_for_several(guest: Guest) -> None:
    threads = [guest.thread(COUNT) for _ in range(3)]
    guest.start(*threads)
    os.kill(guest.engine.child.pid, signal.SIGKILL)
    deadline = time.monotonic() + LONG
    with pytest.raises(GuestLost):
        while time.monotonic() < deadline:
            guest.engine.wait_any(threads, 0.02)
            for thread in threads:
                if thread.stopped():
                    thread.run(guest.machine.answer)
                thread.check()


def test_all_can_be_ended_wherever_they_are(guest: Guest) -> None:
    threads = [guest.thread(COUNT), guest.thread(guest.call(5) + COUNT), guest.thread(COUNT)]
    guest.start(*threads)
    child = guest.engine.child.pid
    guest.engine.halt()
    with pytest.raises(ProcessLookupError):
        os.kill(child, 0)
    for thread in threads:
        thread.close()


def test_nobody_goes_on_before_earlier_changes_of_memory_are_carried_out(
    guest: Guest, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrier, writer = guest.thread(COUNT), guest.thread(COUNT)
    writing = guest.thread(f"mov dword [{DATA}], 5\nhlt").get_context().pc
    guest.start(carrier, writer)
    for thread in (carrier, writer):
        thread.interrupt()
        assert cpu.INTERRUPTED == guest.outcome(thread)
    context = writer.get_context()
    context.pc = writing
    writer.set_context(context)
    child = guest.engine.child
    put = child.put_operations

    def put_more(block: int, operations: Sequence[tuple[int, ...]]) -> None:
        slow = [(layout.SYS_MPROTECT, DATA, 0x1000, 1 + 2 * (i & 1)) for i in range(100)]
        put(block, [*slow, *operations] if operations else operations)

    monkeypatch.setattr(child, "put_operations", put_more)
    for protect, outcome in ((PAGE_READWRITE, cpu.GENERAL_PROTECTION), (PAGE_READONLY, cpu.PAGE_FAULT)) * 10:
        guest.machine.space.protect(DATA, 0x1000, protect)
        guest.start(carrier)
        guest.start(writer)
        assert not child.words[carrier.block + layout.CARRYING_OUT >> 2]
        assert cpu.FAULT == guest.outcome(writer)
        assert writer.fault is not None
        assert outcome == writer.fault.vector
        writer.set_context(context)
        carrier.interrupt()
        assert cpu.INTERRUPTED == guest.outcome(carrier)
