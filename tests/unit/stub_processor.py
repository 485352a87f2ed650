"""A processor to run one system call stub on, as the independent judge of what the stub does."""

from __future__ import annotations

import importlib
import struct
from typing import Any

CODE, STACK, SHARED, HANDOFF = 0x100000, 0x200000, 0x7FFE0000, 0x300000
RETURN = CODE + 0x500
TOP = STACK + 0x800  # the stack pointer at the stub's first instruction
RESULT = 42


class Outcome:
    """What was seen at the system call (number, first argument, stack pointer) and after the stub's return."""

    def __init__(self) -> None:
        self.calls: list[tuple[int, int, int]] = []
        self.result = 0
        self.stack = 0


def run_stub(code: bytes, *, first_argument: int = 0, with_handoff: bool = False) -> Outcome:
    """Call the stub ``code``; ``with_handoff`` sends it through the pointer at 0x7ffe1000."""
    unicorn: Any = importlib.import_module("unicorn")  # its binding is not typed
    x86: Any = importlib.import_module("unicorn.x86_const")
    engine = unicorn.Uc(unicorn.UC_ARCH_X86, unicorn.UC_MODE_64)
    for page in (CODE, STACK, SHARED, SHARED + 0x1000, HANDOFF):
        engine.mem_map(page, 0x1000)
    engine.mem_write(CODE, code)
    engine.mem_write(SHARED + 0x308, bytes([with_handoff]))
    engine.mem_write(SHARED + 0x1000, struct.pack("<Q", HANDOFF))
    engine.mem_write(HANDOFF, b"\x0f\x05\xc3")  # syscall; ret
    engine.mem_write(TOP, struct.pack("<Q", RETURN))
    engine.reg_write(x86.UC_X86_REG_RSP, TOP)
    engine.reg_write(x86.UC_X86_REG_RCX, first_argument)
    outcome = Outcome()

    def on_system_call(engine: Any, data: object) -> None:
        registers = (x86.UC_X86_REG_EAX, x86.UC_X86_REG_R10, x86.UC_X86_REG_RSP)
        number, argument, stack = (engine.reg_read(each) for each in registers)
        outcome.calls.append((number, argument, stack))
        engine.reg_write(x86.UC_X86_REG_RAX, RESULT)

    engine.hook_add(unicorn.UC_HOOK_INSN, on_system_call, None, 1, 0, x86.UC_X86_INS_SYSCALL)
    engine.emu_start(CODE, RETURN)
    outcome.result = engine.reg_read(x86.UC_X86_REG_RAX)
    outcome.stack = engine.reg_read(x86.UC_X86_REG_RSP)
    return outcome
