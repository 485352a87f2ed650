"""A thread's stack before and after its loader is done."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest

from lswd.cpu.context import Context
from lswd.kernel.environment_block import DEALLOCATION_STACK, GUARANTEED_STACK_BYTES
from lswd.kernel.stack import (
    LOADER_COMMIT,
    MIN_COMMIT,
    MIN_RESERVE,
    current_stack,
    grow_stack,
    reserve_stack,
    settle_stack,
    touch_unsettled,
)
from lswd.memory.protection import PAGE_GUARD, PAGE_READONLY, PAGE_READWRITE, PAGE_SIZE
from lswd.memory.region import MEM_MAPPED
from lswd.memory.space import AddressSpace
from lswd.ntdef.status import NtError

REP_STOSQ = b"\xf3\x48\xab"
STACK_LIMIT = 0x10
COMMITTED, RESERVED = 0x1000, 0x2000
GUARD = 0x104


class Fake:
    """As much of a thread as has to do with its stack."""

    def __init__(self, reserve: int = 0) -> None:
        self.space = AddressSpace()
        self.stack = reserve_stack(self.space, reserve, "stack")
        data = self.space.reserve(0, 0x10000, PAGE_READWRITE)
        self.space.commit(data, data.base, data.size, PAGE_READWRITE)
        self.teb = data.base
        self.code = data.base + 0x8000
        self.space.write(self.code, REP_STOSQ)
        self.space.write_pointer(self.teb + DEALLOCATION_STACK[8], self.stack.base)
        self.initialized = False
        self.context = Context.user(rip=self.code)
        self.process = SimpleNamespace(space=self.space)

    def get_context(self) -> Context:
        return Context(self.context.data)

    def set_context(self, context: Context) -> None:
        self.context.merge(context)

    @property
    def thread(self) -> Any:
        return self

    def state(self, address: int) -> tuple[int, int]:
        """State and protection of a page."""
        return self.space.query(address)[4:6]

    def clear(self, first: int, end: int) -> bool:
        """The guest's `rep stosq` from ``first`` to ``end``, as it faults at its first word."""
        self.context["rdi"] = first
        self.context["rcx"] = (end - first) // 8
        return touch_unsettled(self.thread, first)


def test_a_new_stack_is_committed_as_far_as_a_loader_needs_it() -> None:
    stack = Fake().stack
    fake = Fake(5 << 20)
    assert (MIN_RESERVE, 5 << 20) == (stack.size, fake.stack.size)
    assert COMMITTED == fake.state(fake.stack.end - LOADER_COMMIT)[0]
    assert RESERVED == fake.state(fake.stack.end - LOADER_COMMIT - PAGE_SIZE)[0]


def test_clearing_the_stack_costs_one_fault() -> None:
    fake = Fake()
    stack = fake.stack
    fake.space.raw(stack)[-LOADER_COMMIT:] = b"\xff" * LOADER_COMMIT
    first, end = stack.base + 2 * PAGE_SIZE, stack.end - PAGE_SIZE
    assert fake.clear(first, end)
    assert (end, 0, fake.code) == (fake.context["rdi"], fake.context["rcx"], fake.context["rip"])
    cleared = bytes(fake.space.raw(stack)[-LOADER_COMMIT:])
    assert bytes(LOADER_COMMIT - PAGE_SIZE) + b"\xff" * PAGE_SIZE == cleared
    assert RESERVED == fake.state(first)[0]


@pytest.mark.parametrize("difference", ["value", "direction", "code", "length", "place", "no code"])
def test_anything_else_down_there_gets_the_whole_stack(difference: str) -> None:
    fake = Fake()
    first = fake.stack.base + 2 * PAGE_SIZE
    end = fake.stack.end + (8 if difference == "length" else 0)
    if difference == "value":
        fake.context["rax"] = 1
    elif difference == "direction":
        fake.context.eflags |= 0x400
    elif difference == "code":
        fake.space.write(fake.code, b"\x90")
    elif difference == "no code":
        fake.context["rip"] = 0x10
    before = fake.context.eflags
    if difference == "place":
        fake.context["rdi"] = first + 8
        assert touch_unsettled(fake.thread, first)
    else:
        assert fake.clear(first, end)
        assert (first, before) == (fake.context["rdi"], fake.context.eflags)
    assert [(RESERVED, 0), (COMMITTED, PAGE_READWRITE), (COMMITTED, PAGE_READWRITE)] == [
        fake.state(fake.stack.base + page * PAGE_SIZE) for page in (0, 1, 2)
    ]


def test_only_the_loader_is_helped_and_only_on_the_stack() -> None:
    fake = Fake()
    stack = fake.stack
    assert [False, False, True] == [
        touch_unsettled(fake.thread, address) for address in (stack.base, stack.end, stack.base + PAGE_SIZE)
    ]
    fake = Fake()
    fake.initialized = True
    assert not fake.clear(fake.stack.base + PAGE_SIZE, fake.stack.end)


@pytest.mark.parametrize("commit", [0, LOADER_COMMIT, 2 * LOADER_COMMIT])
def test_a_settled_stack_has_what_it_was_to_have_and_a_guard_below(commit: int) -> None:
    fake = Fake()
    stack = fake.stack
    settle_stack(fake.thread, stack.end - 0x100, commit)
    limit = stack.end - max(commit, MIN_COMMIT)
    assert limit == fake.space.read_u64(fake.teb + STACK_LIMIT)
    assert [(COMMITTED, PAGE_READWRITE), (COMMITTED, GUARD), (RESERVED, 0)] == [
        fake.state(limit - page * PAGE_SIZE) for page in (0, 1, 2)
    ]
    assert stack.end - limit == fake.space.query(limit)[3]


def test_a_stack_grows_by_its_guard_page_down_to_what_is_guaranteed() -> None:
    fake = Fake()
    fake.initialized = True
    stack = fake.stack
    settle_stack(fake.thread, stack.end - 0x100, 0)
    fake.space.write_u32(fake.teb + GUARANTEED_STACK_BYTES[8], 4 * PAGE_SIZE)
    page = stack.end - MIN_COMMIT - PAGE_SIZE
    while grow_stack(fake.thread, page):
        assert page == fake.space.read_u64(fake.teb + STACK_LIMIT)
        page -= PAGE_SIZE
        assert (COMMITTED, GUARD) == fake.state(page)
    assert stack.base + 4 * PAGE_SIZE == page
    assert stack.base + PAGE_SIZE == fake.space.read_u64(fake.teb + STACK_LIMIT)
    assert [(COMMITTED, PAGE_READWRITE), (RESERVED, 0)] == [fake.state(stack.base + PAGE_SIZE), fake.state(stack.base)]


def test_what_an_overflow_is_handled_on_is_new_memory_and_stays() -> None:
    fake = Fake()
    settle_stack(fake.thread, fake.stack.end - 0x100, PAGE_SIZE)
    space, stack = fake.space, fake.stack
    space.decommit(stack, stack.base + PAGE_SIZE, PAGE_SIZE, briefly=True)  # by the program
    memory, committed = space.private.memory, space.committed
    memory[stack.offset + PAGE_SIZE] = 1  # what it was left with
    space.commit(stack, stack.base + 2 * PAGE_SIZE, PAGE_SIZE, PAGE_READWRITE | PAGE_GUARD)
    assert not grow_stack(fake.thread, stack.base + 2 * PAGE_SIZE)
    assert bytes(2) == space.read(stack.base + PAGE_SIZE, 2)
    assert committed + 2 * PAGE_SIZE == space.committed
    space.write(stack.base + PAGE_SIZE, b"kept")
    other = space.reserve(0, 0x10000, PAGE_READWRITE)
    space.unmap(other)
    assert b"kept" == space.read(stack.base + PAGE_SIZE, 4)


def test_a_teb_that_says_what_cannot_be_is_not_believed() -> None:
    """Touching the guard page then ended the launch."""
    fake = Fake()
    settle_stack(fake.thread, fake.stack.end - 0x100, PAGE_SIZE)
    space, stack = fake.space, fake.stack
    guard = space.read_pointer(fake.teb + STACK_LIMIT) - PAGE_SIZE
    space.write_u32(fake.teb + GUARANTEED_STACK_BYTES[8], 0xFFFFFFFF)  # more than the stack has
    assert not grow_stack(fake.thread, guard)
    assert stack.size - PAGE_SIZE == space.query(stack.base + PAGE_SIZE)[3]

    tiny = space.reserve(0, PAGE_SIZE, PAGE_READWRITE)
    space.commit(tiny, tiny.base, PAGE_SIZE, PAGE_READWRITE | PAGE_GUARD)
    space.write_pointer(fake.teb + DEALLOCATION_STACK[8], tiny.base)
    assert not grow_stack(fake.thread, tiny.base)
    assert (COMMITTED, PAGE_READWRITE) == fake.state(tiny.base)

    view = space.map(0x70000000, 4 * PAGE_SIZE, MEM_MAPPED, PAGE_READONLY)
    space.commit(view, view.base, view.size, PAGE_READONLY)
    space.protect(view.base + 3 * PAGE_SIZE, PAGE_SIZE, PAGE_READONLY | PAGE_GUARD)
    space.write_pointer(fake.teb + DEALLOCATION_STACK[8], view.base)
    assert not grow_stack(fake.thread, view.base + 3 * PAGE_SIZE)
    assert (COMMITTED, PAGE_READONLY) == fake.state(view.base + PAGE_SIZE)


def test_a_stack_that_the_program_has_freed_is_nobodys() -> None:
    """What is there now is another's, and stays as it is."""
    fake = Fake()
    space, stack = fake.space, fake.stack
    space.release(stack.base)
    other = space.reserve(stack.base, stack.size, PAGE_READWRITE)
    space.commit(other, other.base, other.size, PAGE_READWRITE)
    space.write(other.base, b"other" * (other.size // 5))
    committed, before = space.committed, space.read(other.base, other.size)
    assert not fake.clear(stack.end - LOADER_COMMIT, stack.end)
    assert not touch_unsettled(fake.thread, stack.base + 2 * PAGE_SIZE)
    settle_stack(fake.thread, stack.end - 0x100, PAGE_SIZE)
    assert (committed, before) == (space.committed, space.read(other.base, other.size))


def test_a_stack_whose_teb_cannot_be_written_does_not_grow() -> None:
    fake = Fake()
    settle_stack(fake.thread, fake.stack.end - 0x100, PAGE_SIZE)
    guard = fake.space.read_pointer(fake.teb + STACK_LIMIT) - PAGE_SIZE
    fake.space.protect(fake.teb, PAGE_SIZE, PAGE_READONLY)
    assert not grow_stack(fake.thread, guard)


def test_a_fiber_grows_its_own_stack() -> None:
    fake = Fake()
    fiber = reserve_stack(fake.space, 0, "fiber")
    guard = fiber.base + 0x10 * PAGE_SIZE
    fake.space.commit(fiber, guard, PAGE_SIZE, GUARD)
    assert not grow_stack(fake.thread, guard)
    fake.space.commit(fiber, guard, PAGE_SIZE, GUARD)
    fake.space.write_pointer(fake.teb + DEALLOCATION_STACK[8], fiber.base)
    assert fiber is current_stack(fake.thread)
    assert grow_stack(fake.thread, guard)
    assert (COMMITTED, GUARD) == fake.state(guard - PAGE_SIZE)


def test_a_thread_without_a_teb_stands_on_no_stack() -> None:
    fake = Fake()
    fake.space.write_pointer(fake.teb + DEALLOCATION_STACK[8], fake.stack.base + 8)
    assert None is current_stack(fake.thread)
    region = fake.space.find(fake.teb)
    assert region is not None
    fake.space.unmap(region)
    with pytest.raises(NtError):
        fake.space.read_u64(fake.teb)
    assert None is current_stack(fake.thread)
