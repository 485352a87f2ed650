"""A trial of an engine: a few instructions that do what programs do, for ``lswctl doctor``."""

from __future__ import annotations

import threading

from lswd.cpu import engine as cpu
from lswd.cpu.engine import EngineError
from lswd.memory.protection import PAGE_EXECUTE_READWRITE, PAGE_READWRITE
from lswd.memory.space import AddressSpace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.cpu.engine import CpuThread, EngineFactory

_CODE, _STACK, _TEB, _SIZE = 0x400000, 0x500000, 0x600000, 0x10000
_NUMBER, _ARGUMENT, _ANSWER = 0x55, 41, 0x1234
_SECONDS = 0.01  # between interrupts of the endless loop


def _instructions(handoff: int, word: int) -> bytes:
    if word == 8:  # mov r10d, 41; mov eax, 0x55; mov r11, handoff; call r11
        call = b"\x41\xba\x29\0\0\0\xb8\x55\0\0\0\x49\xbb" + handoff.to_bytes(8, "little") + b"\x41\xff\xd3"
    else:  # push 0; push 41; mov eax, 0x55; mov edx, handoff; call edx
        call = b"\x6a\0\x6a\x29\xb8\x55\0\0\0\xba" + handoff.to_bytes(4, "little") + b"\xff\xd2"
    return call + b"\x0f\x0b" + b"\xeb\xfe"  # ud2; jmp to itself


def trial(factory: EngineFactory, word: int) -> None:
    """Start an engine and run code in it.

    Raises:
        EngineError: it does not start, or does not do what it should; says what.
    """
    space = AddressSpace(word)
    try:
        engine = factory(space)
        try:
            for base in (_CODE, _STACK, _TEB):
                region = space.reserve(base, _SIZE, PAGE_EXECUTE_READWRITE)
                space.commit(region, base, _SIZE, PAGE_EXECUTE_READWRITE if base == _CODE else PAGE_READWRITE)
            space.write(_CODE, _instructions(engine.handoff, word))
            thread = engine.new_thread(_TEB)
            _run(thread, engine.interrupt, word)
        finally:
            engine.close()
    finally:
        space.close()


def _run(thread: CpuThread, interrupt: Callable[[], None], word: int) -> None:
    asked: list[int] = []

    def answer(number: int, first: int, *others: int) -> int:
        asked.append(number)
        if word == 8:
            asked.append(first)
        return _ANSWER

    context = thread.get_context()
    context.pc, context.sp = _CODE, _STACK + _SIZE - 0x100
    thread.set_context(context)
    outcome = thread.run(answer)
    if asked != [_NUMBER, _ARGUMENT][: len(asked)] or not asked:
        raise EngineError("a system call does not reach the kernel")
    context = thread.get_context()
    if outcome != cpu.FAULT or thread.fault is None or thread.fault.vector != cpu.INVALID_OPCODE:
        raise EngineError("a fault is not noticed")
    if context.result != _ANSWER:
        raise EngineError("a system call's result does not reach the program")
    context.pc += 2
    thread.set_context(context)
    ended = threading.Event()

    def keep_interrupting() -> None:
        while not ended.wait(_SECONDS):  # again: one that comes before the code runs may count for nothing
            interrupt()

    helper = threading.Thread(target=keep_interrupting)
    helper.start()
    try:
        if thread.run(answer) != cpu.INTERRUPTED:
            raise EngineError("code that runs is not interrupted")
    finally:
        ended.set()
        helper.join()
