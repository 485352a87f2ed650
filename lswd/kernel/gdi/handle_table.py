"""A process's GDI handles, and the table of them that gdi32 reads in the process's own memory.

The kernel looks nothing up in that table: a program can write to it. Stock objects have fixed places and are made when
somebody uses them; that they exist is all that is told before.
Source: Microsoft "GDI Objects", "Graphics Objects" (limits); the table: Wine's include/ntgdi.h, GDI_HANDLE_ENTRY.
"""

from __future__ import annotations

import struct

from lswd.kernel.environment_block import PEB
from lswd.memory.protection import PAGE_READWRITE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.gdi.device_context import AttributeRoom
    from lswd.kernel.gdi.objects import GdiObject
    from lswd.kernel.process import Process

MOST_HANDLES = 10_000  # a process's quota
TABLE_ENTRIES = 0x10000  # Wine 8's clients look at the first quarter
FIRST = 32
_STOCK_FLAG = 0x80
_ENTRY = struct.Struct("<QIHBxQ")  # Object, Owner, Unique, Type, Flags, UserPointer

OBJ_DC, OBJ_MEMDC, OBJ_REGION, OBJ_PALETTE, OBJ_BITMAP, OBJ_FONT = 0x01, 0x41, 0x04, 0x08, 0x09, 0x0A
OBJ_BRUSH, OBJ_PEN, OBJ_EXTPEN = 0x10, 0x30, 0x50

# By their numbers; 9 and those behind the bitmap are fonts for other resolutions, and never handed out.
STOCK_KINDS = (
    *[OBJ_BRUSH] * 6, *[OBJ_PEN] * 3, *[OBJ_FONT] * 6, OBJ_PALETTE, *[OBJ_FONT] * 2, OBJ_BRUSH, OBJ_PEN, OBJ_BITMAP,
    *[OBJ_FONT] * 3,
)  # fmt: skip
DEFAULT_PALETTE, DEFAULT_BITMAP = 15, 20


def stock_handle(number: int) -> int:
    """The handle of a stock object."""
    return (STOCK_KINDS[number] | _STOCK_FLAG | 1 << 8) << 16 | (FIRST + number)


def show_handles(process: Process) -> None:
    """Give the process the table, with the stock objects in it, and say in the PEB where it is."""
    space = process.space
    field = process.peb + PEB.offset(space.word, "GdiSharedHandleTable")
    if space.read_pointer(field):
        return
    region = space.reserve(0, TABLE_ENTRIES * _ENTRY.size, PAGE_READWRITE, name="GDI handles")
    space.commit(region, region.base, region.size, PAGE_READWRITE)
    entries = [_ENTRY.pack(1, process.pid, stock_handle(i) >> 16, kind & 0x1F, 0) for i, kind in enumerate(STOCK_KINDS)]
    space.write(region.base + FIRST * _ENTRY.size, b"".join(entries))
    space.write_pointer(field, region.base)
    process.gdi_table = region.base


class GdiHandles:
    """What the GDI handles of a process stand for."""

    def __init__(self, process: Process) -> None:
        show_handles(process)
        self._process = process
        self._objects: dict[int, GdiObject] = {}
        self._generations: dict[int, int] = {}
        self._free: list[int] = []
        self._next = FIRST + len(STOCK_KINDS)
        self.count = 0
        self.room: AttributeRoom | None = None  # for the attributes of device contexts
        self.system_brushes: dict[int, int] = {}  # handles by the number of the colour

    def add(self, made: GdiObject, pointer: int = 0) -> int:
        """A new handle; 0 if the process has too many. ``pointer`` is the client's part of it."""
        if self.count >= MOST_HANDLES:
            return 0
        index = self._free.pop() if self._free else self._next
        if index == self._next:
            self._next += 1
        generation = self._generations.get(index, 0) % 0xFE + 1
        self._generations[index] = generation
        self._objects[index] = made
        self.count += 1
        made.handle = (made.kind | generation << 8) << 16 | index
        self._show(index, _ENTRY.pack(1, self._process.pid, made.handle >> 16, made.kind & 0x1F, pointer))
        return made.handle

    def get(self, handle: int) -> GdiObject | None:
        """The object; None if there is none. A handle without its upper half is taken for what it is the rest of."""
        index, upper = handle & 0xFFFF, handle >> 16 & 0xFFFF
        found = self._objects.get(index)
        if found is None and FIRST <= index < FIRST + len(STOCK_KINDS):
            from lswd.kernel.gdi.stock import stock_object

            found = self._objects[index] = stock_object(self._process, index - FIRST)
            found.handle = stock_handle(index - FIRST)
        if found is None or upper not in (0, found.handle >> 16):
            return None
        return found

    def remove(self, gone: GdiObject) -> None:
        """Give up an object's handle."""
        index = gone.handle & 0xFFFF
        if self._objects.get(index) is gone:
            del self._objects[index]
            self.count -= 1
            self._free.append(index)
            self._show(index, _ENTRY.pack(0, 0, gone.handle >> 16, 0, 0))

    def _show(self, index: int, entry: bytes) -> None:
        self._process.space.write(self._process.gdi_table + index * _ENTRY.size, entry)


def gdi_handles(process: Process) -> GdiHandles:
    """The handles of the process."""
    if process.gdi is None:
        process.gdi = GdiHandles(process)
    return process.gdi
