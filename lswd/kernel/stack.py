"""A thread's stack: reserved whole, committed from the top, growing by its guard page.

Source: Microsoft "Thread Stack Size", "Creating Guard Pages", "SetThreadStackGuarantee".
"""

from __future__ import annotations

from lswd.kernel.environment_block import DEALLOCATION_STACK, GUARANTEED_STACK_BYTES
from lswd.memory.protection import PAGE_GUARD, PAGE_READWRITE, PAGE_SIZE, without_guard
from lswd.memory.region import MEM_PRIVATE, Region
from lswd.ntdef.status import NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.memory.space import AddressSpace

DEFAULT_RESERVE = 1 << 20
MIN_RESERVE = 1 << 20  # the userland's ntdll clears almost 1 MiB below the first frame of a thread
MAX_RESERVE = 256 << 20
MIN_COMMIT = 4 * PAGE_SIZE
LOADER_COMMIT = 0x40000  # what the loader gets to begin with

_DIRECTION = 0x400  # the flag DF
_REP_STOS = {8: b"\xf3\x48\xab", 4: b"\xf3\xab"}  # rep stosq, rep stosd
_STRING_REGISTERS = {8: ("rdi", "rcx"), 4: ("edi", "ecx")}


def reserve_stack(space: AddressSpace, reserve: int, name: str) -> Region:
    """A stack for a new thread: its upper part is committed, and ``touch_unsettled`` helps out until ``settle_stack``.

    Raises:
        NtError: STATUS_NO_MEMORY.
    """
    size = (min(max(reserve or DEFAULT_RESERVE, MIN_RESERVE), MAX_RESERVE) + 0xFFFF) & -0x10000
    stack = space.reserve(0, size, PAGE_READWRITE, name=name)
    space.commit(stack, stack.end - LOADER_COMMIT, LOADER_COMMIT, PAGE_READWRITE)
    return stack


def touch_unsettled(thread: Thread, address: int) -> bool:
    """A thread whose loader is still at work touched its stack where it is not committed: True when it may go on.

    Wine's ntdll clears almost 1 MiB of stack before a thread's first own frame. Pages nobody has used are clear; so the
    rest is done here, at once, rather than word by word in an emulated processor (28 ms). Whatever else happens down
    there gets the whole stack but for its lowest page.
    """
    space = thread.process.space
    stack = thread.stack
    if thread.initialized or stack is None or not stack.base + PAGE_SIZE <= address < stack.end:
        return False
    if space.find(stack.base) is not stack:  # the program has freed it
        return False
    context = thread.get_context()
    word = space.word
    to, count = _STRING_REGISTERS[word]
    first, end = context[to], context[to] + word * context[count]
    if (
        first == address
        and end <= stack.end
        and context.result == 0
        and not context.eflags & _DIRECTION
        and _code_at(space, context.pc, len(_REP_STOS[word])) == _REP_STOS[word]
    ):
        begin = max(first, stack.end - LOADER_COMMIT)
        if begin < end:
            space.clear(stack, begin, end - begin)
        context[to] = end
        context[count] = 0
        thread.set_context(context)
    else:
        space.commit(stack, stack.base + PAGE_SIZE, stack.size - PAGE_SIZE, PAGE_READWRITE)
    return True


def _code_at(space: AddressSpace, address: int, size: int) -> bytes:
    try:
        return space.read(address, size)
    except NtError:
        return b""


def settle_stack(thread: Thread, stack_pointer: int, commit: int) -> None:
    """The loader is done with the new thread: leave only ``commit`` bytes committed, and a guard page below them."""
    space = thread.process.space
    stack = thread.stack
    if stack is None or not stack.base <= stack_pointer < stack.end or space.find(stack.base) is not stack:
        return
    used = stack.end - stack_pointer
    limit = stack.end - ((max(commit, used, MIN_COMMIT) + PAGE_SIZE - 1) & -PAGE_SIZE)
    limit = max(limit, stack.base + 3 * PAGE_SIZE)
    space.decommit(stack, stack.base + PAGE_SIZE, limit - stack.base - PAGE_SIZE)
    if limit < stack.end - LOADER_COMMIT:
        space.commit(stack, limit, stack.end - LOADER_COMMIT - limit, PAGE_READWRITE)
    space.commit(stack, limit - PAGE_SIZE, PAGE_SIZE, PAGE_READWRITE | PAGE_GUARD)
    space.write_pointer(thread.teb + 2 * space.word, limit)  # NT_TIB.StackLimit


def current_stack(thread: Thread) -> Region | None:
    """The stack the thread stands on, which for a fiber is another than the thread's own: as its TEB says, where a
    program may write what it likes."""
    space = thread.process.space
    try:
        base = space.read_pointer(thread.teb + DEALLOCATION_STACK[space.word])
    except NtError:
        return None
    region = space.find(base)
    return region if region is not None and region.base == base and region.kind == MEM_PRIVATE else None


def grow_stack(thread: Thread, address: int) -> bool:
    """A guard page was touched: consume it; True when it was the thread's own stack and there is room to go on.

    The page below becomes the new guard, down to the guaranteed space (Microsoft "SetThreadStackGuarantee", two pages
    at least); touching that gives it to the thread all at once, for handling the STATUS_STACK_OVERFLOW it then gets.
    """
    space = thread.process.space
    region = space.find(address)
    assert region is not None
    index = (address - region.base) // PAGE_SIZE
    region.pages[index] = without_guard(region.pages[index])
    if region is not current_stack(thread):
        return False
    try:
        guaranteed = space.read_u32(thread.teb + GUARANTEED_STACK_BYTES[space.word])
        lowest = 1 + max(guaranteed // PAGE_SIZE, 2)  # page 0 is never touched
        limit = index if index >= lowest else 1
        space.write_pointer(thread.teb + 2 * space.word, region.base + limit * PAGE_SIZE)  # NT_TIB.StackLimit
    except NtError:
        return False  # the program has taken its TEB away
    if index < lowest:
        end = min(region.base + lowest * PAGE_SIZE, region.end)
        space.commit(region, region.base + PAGE_SIZE, end - region.base - PAGE_SIZE, PAGE_READWRITE)
        return False
    space.commit(region, region.base + (index - 1) * PAGE_SIZE, PAGE_SIZE, PAGE_READWRITE | PAGE_GUARD)
    return True
