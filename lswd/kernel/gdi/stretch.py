"""Pixels made larger, smaller or mirrored.

A row is made by picking bytes of another with one index list for all rows; rows that fall together are combined by a
bitwise operation, or one is taken, as the stretching mode says.
Source: Microsoft "SetStretchBltMode", "StretchBlt"; which pixels are picked: as Wine's DIB engine does (Bresenham).
"""

from __future__ import annotations

from lswd.kernel.gdi.dib import packed, unpacked
from lswd.kernel.gdi.pixels import Pixels, bytes_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.gdi.paint import converter
    from lswd.kernel.gdi.region import Box

BLACKONWHITE, WHITEONBLACK, COLORONCOLOR, HALFTONE = 1, 2, 3, 4


class Side:
    """One direction of a stretch: from where and how far on the target, and on the source, which has ``room``."""

    __slots__ = ("room", "source", "source_length", "target", "target_length")

    def __init__(self, target: int, target_length: int, source: int, source_length: int, room: int) -> None:
        self.target = target
        self.target_length = target_length
        self.source = source
        self.source_length = source_length
        self.room = room

    def picks(self, first: int, last: int) -> list[tuple[int, ...]]:
        """For each of the target's points from ``first`` to ``last`` the source's points that fall there.

        The steps of a line from one corner to the other, as Bresenham draws it: enlarging, source points are repeated;
        reducing, several fall together. Points outside the source are left out.
        """
        target, source = abs(self.target_length), abs(self.source_length)
        if target == 1 < source:
            source -= 1  # as Wine has it
        forth = 1 if self.target_length > 0 else -1
        along = 1 if self.source_length > 0 else -1
        wanted = range((first - self.target) * forth, (last - self.target) * forth, forth)  # steps on the target
        found: dict[int, list[int]] = {step: [] for step in wanted}
        if source <= target:
            for step in wanted:
                found[step].append(_place(step, source, target))
        else:
            for step in range(source):
                place = _place(step, target, source)
                if place in found:
                    found[place].append(step)
        result = []
        for step in wanted:
            places = [self.source + along * each for each in found[step]]
            result.append(tuple([place for place in places if 0 <= place < self.room]))
        return result


def _place(step: int, shorter: int, longer: int) -> int:
    """Which of the shorter side's points a point of the longer side falls on."""
    return -(-(2 * step + 1) * shorter // (2 * longer)) - 1


def stretched(
    pixels: Pixels, turn: converter, sides: tuple[Side, Side], box: Box, mode: int
) -> tuple[Pixels | None, tuple[int, int]]:
    """The part of a stretched rectangle of pixels that is inside ``box`` on the target, and where it begins there.

    Pixels are first turned into the target's format, so that is what rows are combined in.
    """
    across, down = sides
    left, top, right, bottom = box
    columns, rows = across.picks(left, right), down.picks(top, bottom)
    while columns and not columns[0]:
        columns.pop(0)
        left += 1
    while columns and not columns[-1]:
        columns.pop()
    while rows and not rows[0]:
        rows.pop(0)
        top += 1
    while rows and not rows[-1]:
        rows.pop()
    if not columns or not rows:
        return None, (left, top)
    maker = _RowMaker(pixels, turn, columns, mode)
    made: list[bytes] = []
    before: tuple[int, ...] = ()
    for picked in rows:
        if picked and picked == before:
            made.append(made[-1])
            continue
        before = picked
        made.append(maker.combined(picked))
    stride = len(made[0])
    return Pixels(turn.target, len(columns), len(made), stride, b"".join(made)), (left, top)


class _RowMaker:
    """Makes rows of a fixed choice of columns."""

    def __init__(self, pixels: Pixels, turn: converter, columns: list[tuple[int, ...]], mode: int) -> None:
        self._pixels = pixels
        self._turn = turn
        self._bits = turn.target.bits
        self._mode = mode
        self._unit = max(self._bits // 8, 1)
        places = [place for column in columns for place in column]
        self._first, self._last = min(places), max(places) + 1
        layers = max(map(len, columns)) if mode in (BLACKONWHITE, WHITEONBLACK) else 1
        self._layers = [
            [(c[max(-1 - i, -len(c))] if c else self._first) - self._first for c in columns] for i in range(layers)
        ]
        self._rows: dict[int, bytes] = {}

    def combined(self, rows: tuple[int, ...]) -> bytes:
        """The rows that fall together as one."""
        if self._mode not in (BLACKONWHITE, WHITEONBLACK):
            return self._row(rows[0] if rows else 0)
        return _fold([self._row(y) for y in rows], self._mode)

    def _row(self, y: int) -> bytes:
        found = self._rows.get(y)
        if found is None:
            if len(self._rows) > 64:
                self._rows.clear()
            count = self._last - self._first
            data = bytes_of(self._turn.target, self._turn(self._pixels, self._first, y, count), count)
            if self._bits < 8:
                data = unpacked(data, self._bits, count)
            row = _fold([self._picked(data, layer) for layer in self._layers], self._mode)
            found = self._rows[y] = packed(row, self._bits) if self._bits < 8 else row
        return found

    def _picked(self, data: bytes, columns: list[int]) -> bytes:
        unit = self._unit
        if unit == 1:
            return bytes(map(data.__getitem__, columns))
        result = bytearray(len(columns) * unit)
        for i in range(unit):
            result[i::unit] = bytes(map(data[i::unit].__getitem__, columns))
        return bytes(result)


def _fold(rows: list[bytes], mode: int) -> bytes:
    if len(rows) == 1:
        return rows[0]
    value = int.from_bytes(rows[0], "little")
    for row in rows[1:]:
        other = int.from_bytes(row, "little")
        value = value & other if mode == BLACKONWHITE else value | other
    return value.to_bytes(len(rows[0]), "little")
