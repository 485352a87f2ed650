"""The segment selectors user code sees on x64 Windows: ntdll compares CS with the one in a CONTEXT.

Loading CS needs a descriptor table in guest memory. Descriptors: Intel SDM volume 3, 3.4.5. In a 32-bit guest FS is the
segment of the TEB, so the table's entry for it changes with the thread; and SS has to be of privilege level 0, as all
code is in the Uc: only a program that looks at SS itself sees another selector than on Windows.
"""

from __future__ import annotations

import struct

from lswd.cpu import context32
from lswd.cpu.context import USER_CS, USER_DS, USER_FS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.unicorn.registers import RegisterFile

_GDTR, _CS, _DS, _ES, _FS, _GS, _SS = 243, 11, 17, 28, 32, 33, 49
_CODE64 = 0x00AFFB000000FFFF  # present, DPL 3, code, readable, long mode
_CODE32 = 0x00CFFB000000FFFF  # present, DPL 3, code, readable, 32-bit, 4 GiB
_DATA = 0x00CFF3000000FFFF  # present, DPL 3, data, writable, 4 GiB
_STACK32 = 0x00CF93000000FFFF  # the same with DPL 0
_SELECTOR_STACK32 = 0x30
_ENTRIES = 11
_SIZE = 8 * _ENTRIES
FS_ENTRY = context32.USER_FS & -8  # offset in the table


def descriptor_table() -> bytes:
    """The GDT: entries only where a selector points."""
    return _table({USER_CS: _CODE64, USER_DS: _DATA, USER_FS: _DATA})


def descriptor_table32() -> bytes:
    """The same for a 32-bit guest; FS is empty until ``teb_descriptor`` is put at FS_ENTRY."""
    return _table({context32.USER_CS: _CODE32, context32.USER_DS: _DATA, _SELECTOR_STACK32: _STACK32})


def teb_descriptor(base: int) -> bytes:
    """The data segment that begins at ``base``."""
    value = _DATA | (base & 0xFFFFFF) << 16 | (base >> 24 & 0xFF) << 56
    return value.to_bytes(8, "little")


def _table(selectors: dict[int, int]) -> bytes:
    entries = [0] * _ENTRIES
    for selector, descriptor in selectors.items():
        entries[selector >> 3] = descriptor
    return struct.pack(f"<{_ENTRIES}Q", *entries)


def load(registers: RegisterFile, base: int) -> None:
    """Point the GDTR at the table and load the selectors."""
    registers.set_bytes(_GDTR, struct.pack("<H6xQII", 0, base, _SIZE - 1, 0))
    for number, selector in ((_CS, USER_CS), (_SS, USER_DS), (_DS, USER_DS), (_ES, USER_DS)):
        registers.set(number, selector)


def load32(registers: RegisterFile, base: int) -> None:
    """The same for a 32-bit guest."""
    registers.set_bytes(_GDTR, struct.pack("<H6xQII", 0, base, _SIZE - 1, 0))
    data = context32.USER_DS
    for number, selector in ((_CS, context32.USER_CS), (_SS, _SELECTOR_STACK32), (_DS, data), (_ES, data), (_GS, data)):
        registers.set(number, selector)


def load_fs(registers: RegisterFile) -> None:
    """Load FS from the table as it is now."""
    registers.set(_FS, context32.USER_FS)
