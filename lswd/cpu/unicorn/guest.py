"""What the engine does differently for 64- and for 32-bit guests.

Descriptor tables lie in the hand-off page, in which ``table`` is a view of the place for one.
"""

from __future__ import annotations

import struct

from lswd.cpu.unicorn import library as uc
from lswd.cpu.unicorn import segments
from lswd.cpu.unicorn.handoff import HANDOFF32, HANDOFF64, SYSCALL_AT, SYSCALL_AT_32
from lswd.cpu.unicorn.registers import EAX, EIP, GS_BASE, RAX, RIP, RegisterFile, RegisterFile32

TYPE_CHECKING = False
if TYPE_CHECKING:
    import ctypes


class Guest64:
    """x86-64: the TEB is at GS; arguments arrive in the mailbox."""

    mode = uc.UC_MODE_64
    stub = HANDOFF64
    syscall_at = SYSCALL_AT
    frame = struct.Struct("<6Q")  # number, four arguments, stack: the mailbox
    highest = (1 << 64) - 1
    pc = RIP
    result = RAX

    def __init__(self, lib: ctypes.CDLL, handle: ctypes.c_void_p, table: memoryview, base: int) -> None:
        """``base`` is the guest address of ``table``."""
        self.registers = RegisterFile(lib, handle)
        data = segments.descriptor_table()
        table[: len(data)] = data
        segments.load(self.registers, base)

    def begin(self, teb: int) -> None:
        """A thread runs for the first time: what the Uc needs besides its registers."""
        self.registers.set(GS_BASE, teb)

    def resume(self, teb: int) -> None:
        """The saved state of a thread that has run before has been restored."""


class Guest32(Guest64):
    """i386: the TEB is at FS; of the mailbox only number and stack are used."""

    mode = uc.UC_MODE_32
    stub = HANDOFF32
    syscall_at = SYSCALL_AT_32
    frame = struct.Struct("<I4xI4xI4xI4xI4xI4x")
    highest = (1 << 32) - 1
    pc = EIP
    result = EAX

    def __init__(self, lib: ctypes.CDLL, handle: ctypes.c_void_p, table: memoryview, base: int) -> None:
        self.registers = RegisterFile32(lib, handle)
        data = segments.descriptor_table32()
        table[: len(data)] = data
        self._table = table
        segments.load32(self.registers, base)

    def begin(self, teb: int) -> None:
        self.resume(teb)
        segments.load_fs(self.registers)

    def resume(self, teb: int) -> None:
        # The segment itself is part of the saved state; a guest that reloads FS reads the table.
        self._table[segments.FS_ENTRY : segments.FS_ENTRY + 8] = segments.teb_descriptor(teb)
