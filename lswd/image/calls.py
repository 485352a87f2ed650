"""Which functions of an image call which, and which imported ones: a call graph read off the code's bytes.

No disassembler: wherever the bytes look like a call, a jump, a load of an imported address or of a function's own, and
what they point at is one, that is an edge. Bytes that only look so add an edge now and then; what is called through a
table in memory (COM, callbacks kept in data) is not found. Functions are those that the exception table (x64) or the
code itself (i386) says begin somewhere.
Source: Microsoft "PE Format"; Intel SDM volume 2 for the encodings.
"""

from __future__ import annotations

from bisect import bisect_right
from struct import unpack_from

from lswd.image.errors import ImageError
from lswd.image.pe import DIRECTORY_BASERELOC, DIRECTORY_EXCEPTION

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import TypeAlias

    from lswd.image.imports import ImportedDll
    from lswd.image.pe import Image
    from lswd.image.rva import Reader

    Edges: TypeAlias = tuple[list[int], list[tuple[str, str | int]]]

_EXECUTABLE = 0x20000000
_HIGHLOW = 3  # IMAGE_REL_BASED_HIGHLOW
_CALL = rb"(?s)(?=\xe8(....))"
_JUMP = rb"(?s)(?=(?:\xe9|\x0f[\x80-\x8f])(....))"
_THROUGH_SLOT = rb"(?s)(?=(?:\xff[\x15\x25]|[\x48\x4c]\x8b[\x05\x0d\x15\x1d\x25\x2d\x35\x3d])(....))"
_ADDRESS = rb"(?s)(?=[\x48\x4c]\x8d[\x05\x0d\x15\x1d\x25\x2d\x35\x3d](....))"
_JUMP_THROUGH_SLOT = b"\xff\x25"
_THUNK_SIZE = 6
_ALIGNMENT = 16  # of functions, by every compiler that matters here


class CallGraph:
    """The calls of one image.

    Attributes:
        starts: where its functions begin, in order.
        edges: for each of these that calls any: functions of the image, and imported ones as (DLL, name or ordinal).
    """

    __slots__ = ("edges", "starts")

    def __init__(self, starts: list[int], edges: dict[int, Edges]) -> None:
        self.starts = starts
        self.edges = edges

    def function(self, rva: int) -> int:
        """Where the function that has ``rva`` in it begins."""
        return self.starts[max(bisect_right(self.starts, rva) - 1, 0)] if self.starts else rva


def call_graph(reader: Reader, image: Image, imported: Iterable[ImportedDll], exported: Iterable[int]) -> CallGraph:
    """The calls in ``image``; ``exported``: the rvas of its exports. Raises ImageError: it is damaged."""
    return _Scan(reader, image, imported, exported).graph()


class _Scan:
    def __init__(
        self, reader: Reader, image: Image, imported: Iterable[ImportedDll], exported: Iterable[int]
    ) -> None:
        self._image = image
        self._reader = reader
        width = 8 if image.is_64bit else 4
        self._slots: dict[int, tuple[str, str | int]] = {}
        for dll in imported:
            for i, function in enumerate(dll.functions):
                self._slots[dll.slots + width * i] = (dll.name.lower(), function)
        self._code: list[tuple[int, bytes]] = []
        for section in image.sections:
            if section.characteristics & _EXECUTABLE:
                size = min(section.virtual_size or section.raw_size, image.size_of_image - section.virtual_address)
                self._code.append((section.virtual_address, reader.read(section.virtual_address, size)))
        starts = {rva for rva in (*exported, image.entry_rva) if self._in_code(rva)}
        starts |= set(self._declared())
        called = {target for _, target in self._relative(_CALL) if self._in_code(target)}
        starts |= {target for target in called if target % _ALIGNMENT == 0}
        for pattern in (_JUMP, _ADDRESS) if image.is_64bit else (_JUMP,):
            called |= {target for _, target in self._relative(pattern) if self._in_code(target)}
        for thunk in [target for target in called | starts if self._is_thunk(target)]:
            starts |= {thunk, thunk + _THUNK_SIZE}
        self._starts = sorted(starts)
        self._known = starts

    def _in_code(self, rva: int) -> bool:
        return any(start <= rva < start + len(code) for start, code in self._code)

    def _is_thunk(self, rva: int) -> bool:
        """Is there nothing but a jump to an imported function?"""
        try:
            return self._reader.read(rva, 2) == _JUMP_THROUGH_SLOT
        except ImageError:
            return False

    def _declared(self) -> Iterable[int]:
        """Where functions begin and end by the exception table, which only x64 has. What lies behind an end is no part
        of that function, at least."""
        rva, size = self._image.directories[DIRECTORY_EXCEPTION]
        if not rva or not self._image.is_64bit:
            return
        table = self._reader.read(rva, size - size % 12)
        for at in range(0, len(table), 12):
            yield from filter(self._in_code, unpack_from("<II", table, at))

    def _relative(self, pattern: bytes) -> Iterable[tuple[int, int]]:
        """(where, target) of all places in the code that match and have a relative operand at their end."""
        import re

        compiled = re.compile(pattern)
        for start, code in self._code:
            for match in compiled.finditer(code):
                operand = match.start(1)
                yield start + match.start(), start + operand + 4 + unpack_from("<i", code, operand)[0]

    def graph(self) -> CallGraph:
        inside: dict[int, set[int]] = {}
        outside: dict[int, set[tuple[str, str | int]]] = {}
        starts = self._starts

        def owner(rva: int) -> int:
            return starts[max(bisect_right(starts, rva) - 1, 0)]

        def function(where: int, target: int) -> None:
            caller, called = owner(where), owner(target)
            if caller != called:
                inside.setdefault(caller, set()).add(called)

        if not starts:
            return CallGraph([], {})
        for where, target in self._relative(_CALL):
            if target in self._known:
                function(where, target)
        for where, target in self._relative(_JUMP):
            if self._in_code(target):
                function(where, target)
        if self._image.is_64bit:
            for where, slot in self._relative(_THROUGH_SLOT):
                if slot in self._slots:
                    outside.setdefault(owner(where), set()).add(self._slots[slot])
            for where, target in self._relative(_ADDRESS):
                if target in self._known:
                    function(where, target)
        else:
            for where, target in self._absolute():
                if target in self._slots:
                    outside.setdefault(owner(where), set()).add(self._slots[target])
                elif target in self._known:
                    function(where, target)
        edges: dict[int, Edges] = {}
        for start in inside.keys() | outside.keys():
            edges[start] = (sorted(inside.get(start, ())), sorted(outside.get(start, ()), key=str))
        return CallGraph(starts, edges)

    def _absolute(self) -> Iterable[tuple[int, int]]:
        """(where, rva) of the addresses in the code: those that the base relocations name."""
        image = self._image
        if not image.directories[DIRECTORY_BASERELOC][1]:
            return
        for rva in _pointers(self._reader, image):
            if self._in_code(rva):
                try:
                    value = int.from_bytes(self._reader.read(rva, 4), "little")
                except ImageError:
                    continue
                yield rva, value - image.image_base


def _pointers(reader: Reader, image: Image) -> Iterable[int]:
    """Where 32-bit addresses lie, by the base relocations."""
    at, size = image.directories[DIRECTORY_BASERELOC]
    data = reader.read(at, size)
    at = 0
    while at + 8 <= len(data):
        page, block = unpack_from("<II", data, at)
        if block < 8 or at + block > len(data):
            return
        for entry in unpack_from(f"<{(block - 8) // 2}H", data, at + 8):
            if entry >> 12 == _HIGHLOW:
                yield page + (entry & 0xFFF)
        at += block
