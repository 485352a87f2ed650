"""The segment selectors user code sees on x64 Windows: ntdll compares CS with the one in a CONTEXT.

Loading CS needs a descriptor table in guest memory. Descriptors: Intel SDM volume 3, 3.4.5.
"""

from __future__ import annotations

import struct

from lswd.cpu.context import USER_CS, USER_DS, USER_FS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.unicorn.registers import RegisterFile

_GDTR, _CS, _DS, _ES, _FS, _GS, _SS = 243, 11, 17, 28, 32, 33, 49
_CODE64 = 0x00AFFB000000FFFF  # present, DPL 3, code, readable, long mode
_DATA = 0x00CFF3000000FFFF  # present, DPL 3, data, writable, 4 GiB


def descriptor_table() -> bytes:
    """The GDT: entries only where a selector points."""
    entries = [0] * 11
    entries[USER_CS >> 3] = _CODE64
    entries[USER_DS >> 3] = _DATA
    entries[USER_FS >> 3] = _DATA
    return struct.pack("<11Q", *entries)


def load(registers: RegisterFile, base: int, size: int) -> None:
    """Point the GDTR at the table and load the selectors."""
    registers.set_bytes(_GDTR, struct.pack("<H6xQII", 0, base, size - 1, 0))
    for number, selector in ((_CS, USER_CS), (_SS, USER_DS), (_DS, USER_DS), (_ES, USER_DS)):
        registers.set(number, selector)
