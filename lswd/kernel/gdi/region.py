"""Regions: sets of points as bands of rows, each with the same walls.

A band is (top, bottom, walls): from top to bottom, without it, the points from the first wall to the second are inside,
from the third to the fourth, and so on. One function combines any two regions.
Source: Microsoft "Regions", "CombineRgn", "RGNDATA", "CreateEllipticRgn", "CreatePolygonRgn".
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi.handle_table import OBJ_REGION
from lswd.kernel.gdi.objects import GdiObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import TypeAlias

    Walls: TypeAlias = tuple[int, ...]
    Band: TypeAlias = tuple[int, int, Walls]
    Bands: TypeAlias = Sequence[Band]
    Box: TypeAlias = tuple[int, int, int, int]

ERROR, NULLREGION, SIMPLEREGION, COMPLEXREGION = 0, 1, 2, 3
RGN_AND, RGN_OR, RGN_XOR, RGN_DIFF, RGN_COPY = 1, 2, 3, 4, 5
ALTERNATE, WINDING = 1, 2
MOST_RECTANGLES = 1 << 20
_INSIDE: dict[int, Callable[[bool, bool], bool]] = {
    RGN_AND: lambda one, other: one and other,
    RGN_OR: lambda one, other: one or other,
    RGN_XOR: lambda one, other: one != other,
    RGN_DIFF: lambda one, other: one and not other,
}


class Region(GdiObject):
    """A region; its bands are never changed in place."""

    kind = OBJ_REGION

    def __init__(self, bands: Sequence[Band] = ()) -> None:
        super().__init__()
        self.bands: Sequence[Band] = bands

    @property
    def complexity(self) -> int:
        """NULLREGION, SIMPLEREGION or COMPLEXREGION."""
        if not self.bands:
            return NULLREGION
        return SIMPLEREGION if len(self.bands) == 1 and len(self.bands[0][2]) == 2 else COMPLEXREGION

    @property
    def box(self) -> Box:
        """The smallest rectangle around it."""
        return box_of(self.bands)

    def rectangles(self) -> list[Box]:
        """All rectangles, from top to bottom and from left to right."""
        return [
            (walls[i], top, walls[i + 1], bottom) for top, bottom, walls in self.bands for i in range(0, len(walls), 2)
        ]

    def data(self) -> bytes:
        """A RGNDATA."""
        boxes = self.rectangles()
        body = b"".join([struct.pack("<4i", *box) for box in boxes])
        return struct.pack("<4I4i", 32, 1, len(boxes), len(body), *self.box) + body


def box_of(bands: Sequence[Band]) -> Box:
    """The smallest rectangle around bands."""
    if not bands:
        return 0, 0, 0, 0
    return min(b[2][0] for b in bands), bands[0][0], max(b[2][-1] for b in bands), bands[-1][1]


def rectangle(left: int, top: int, right: int, bottom: int) -> list[Band]:
    """The bands of a rectangle; its corners may be the wrong way round."""
    left, right = sorted((left, right))
    top, bottom = sorted((top, bottom))
    return [(top, bottom, (left, right))] if left < right and top < bottom else []


def combine(one: Sequence[Band], other: Sequence[Band], mode: int) -> list[Band]:
    """Two regions' bands made one by RGN_*."""
    if mode == RGN_COPY:
        return list(one)
    if mode == RGN_AND and (not one or not other):
        return []
    inside = _INSIDE[mode]
    edges = sorted({y for bands in (one, other) for band in bands for y in band[:2]})
    result: list[Band] = []
    i = j = 0
    for k in range(len(edges) - 1):
        top, bottom = edges[k], edges[k + 1]
        while i < len(one) and one[i][1] <= top:
            i += 1
        while j < len(other) and other[j][1] <= top:
            j += 1
        first = one[i][2] if i < len(one) and one[i][0] <= top else ()
        second = other[j][2] if j < len(other) and other[j][0] <= top else ()
        append(result, top, bottom, _combined_walls(first, second, inside))
    return result


def append(bands: list[Band], top: int, bottom: int, walls: Walls) -> None:
    """Add a band below the others; one like the last makes that longer."""
    if not walls:
        return
    if bands and bands[-1][1] == top and bands[-1][2] == walls:
        bands[-1] = (bands[-1][0], bottom, walls)
    else:
        bands.append((top, bottom, walls))


def _combined_walls(first: Walls, second: Walls, inside: Callable[[bool, bool], bool]) -> Walls:
    if len(first) == 2 and first == second:
        return first if inside(True, True) else ()
    walls: list[int] = []
    in_first = in_second = now = False
    i = j = 0
    while i < len(first) or j < len(second):
        if j >= len(second) or (i < len(first) and first[i] <= second[j]):
            at = first[i]
        else:
            at = second[j]
        while i < len(first) and first[i] == at:
            in_first = not in_first
            i += 1
        while j < len(second) and second[j] == at:
            in_second = not in_second
            j += 1
        if inside(in_first, in_second) != now:
            now = not now
            walls.append(at)
    return tuple(walls)


def moved(bands: Iterable[Band], x: int, y: int) -> list[Band]:
    """The same elsewhere."""
    return [(top + y, bottom + y, tuple([wall + x for wall in walls])) for top, bottom, walls in bands]


def clipped(bands: Sequence[Band], box: Box) -> Sequence[Band]:
    """The part inside a rectangle."""
    left, top, right, bottom = box_of(bands)
    if box[0] <= left and box[1] <= top and box[2] >= right and box[3] >= bottom:
        return bands
    return combine(bands, rectangle(*box) if box[0] < box[2] and box[1] < box[3] else [], RGN_AND)


def contains(bands: Sequence[Band], x: int, y: int) -> bool:
    """Is a point inside?"""
    for top, bottom, walls in bands:
        if top <= y < bottom:
            return sum(wall <= x for wall in walls) % 2 == 1
    return False


def union(boxes: Iterable[Box]) -> list[Band]:
    """The bands of many rectangles, in any order."""
    pieces = [rectangle(*box) for box in boxes if box[0] < box[2] and box[1] < box[3]]
    while len(pieces) > 1:  # in pairs: neighbours first
        pieces = [combine(pieces[i], pieces[i + 1], RGN_OR) if i + 1 < len(pieces) else pieces[i]
                  for i in range(0, len(pieces), 2)]  # fmt: skip
    return pieces[0] if pieces else []


def round_rectangle(left: int, top: int, right: int, bottom: int, width: int, height: int) -> list[Band]:
    """The bands of a rectangle whose corners are quarters of an ellipse; with the ellipse as large as it: an ellipse.

    A row is a band of its own. The row is where A. Zingl's rasterisation of an ellipse in a rectangle has it.
    """
    left, right = sorted((left, right))
    top, bottom = sorted((top, bottom))
    right, bottom = right - 1, bottom - 1
    width, height = min(right - left, abs(width)), min(bottom - top, abs(height))
    if width < 2 or height < 2:
        return rectangle(left, top, right, bottom)
    lower = height - height // 2  # rows of the lower half, the middle one among them
    insets = ellipse_insets(width, height)[:lower]
    result: list[Band] = []
    upper = [insets[height - 1 - i - height // 2] for i in range(height // 2)]
    for i, inset in enumerate(upper):
        result.append((top + i, top + i + 1, (left + inset, right - inset)))
    for i, inset in enumerate(insets):
        row = bottom - lower + i
        first = top + height // 2 if i == 0 else row
        result.append((first, row + 1, (left + inset, right - inset)))
    return result


def ellipse_insets(width: int, height: int) -> list[int]:
    """How far the rows of the lower half of an ellipse begin from its left edge, from the middle down."""
    a, b = width - 1, height - 1
    dx, dy = 4 * b * b * (1 - a), 4 * a * a * (1 + b % 2)
    error = dx + dy + a * a * (b % 2)
    insets, x = [0], 0
    while x <= width // 2:
        twice = 2 * error
        if twice >= dx:
            x += 1
            dx += 8 * b * b
            error += dx
        if twice <= dy:
            dy += 8 * a * a
            error += dy
            insets.append(x)
    return insets + [x - 1] * (height - len(insets))  # the tips of a narrow one


def polygons(
    points: Sequence[tuple[int, int]], counts: Sequence[int], mode: int, clip: Box | None = None
) -> list[Band]:
    """The bands of closed polygons; walls are where edges cross the rows, rounded up.

    Args:
        mode: ALTERNATE or WINDING. clip: what lies outside is not needed.
    """
    starts: dict[int, list[tuple[int, int, int, int, int]]] = {}
    first = 0
    rows = (clip[1], clip[3]) if clip else (-(1 << 27), 1 << 27)
    for count in counts:
        corners = points[first : first + count]
        first += count
        for (x1, y1), (x2, y2) in zip(corners, [*corners[1:], *corners[:1]], strict=True):
            if y1 == y2:
                continue
            way = 1 if y1 < y2 else -1
            if way < 0:
                x1, y1, x2, y2 = x2, y2, x1, y1
            if y2 > rows[0] and y1 < rows[1]:
                starts.setdefault(max(y1, rows[0]), []).append((x1, y1, x2 - x1, y2 - y1, way))
    result: list[Band] = []
    active: list[tuple[int, int, int, int, int]] = []
    waiting = sorted(starts, reverse=True)
    y = waiting[-1] if waiting else 0
    while active or waiting:
        if not active and waiting[-1] > y:
            y = waiting[-1]
        if waiting and waiting[-1] == y:
            active += starts[waiting.pop()]
        active = [edge for edge in active if edge[1] + edge[3] > y]
        if y >= rows[1]:
            break
        if active:
            walls = sorted([(x1 - (y1 - y) * dx // dy, way)
                            for x1, y1, dx, dy, way in active])  # fmt: skip
            append(result, y, y + 1, _row(walls, mode))
        y += 1
    return result


def _row(walls: list[tuple[int, int]], mode: int) -> Walls:
    """The walls of a row from where edges cross it, and which way."""
    row: list[int] = []
    winding = 0
    for x, way in walls:
        before = winding
        winding = winding + way if mode == WINDING else 1 - winding
        if (before == 0) != (winding == 0):
            if row and row[-1] == x:
                row.pop()
            else:
                row.append(x)
    return tuple(row)
