"""Lines and curves as bands, so that all drawing is the same: bands inside the clipping, combined with a paint.

Source: Microsoft "Lines and Curves", "Filled Shapes"; which points a line has: Wine's DIB engine's (the nearest ones,
halves to the left or up); an ellipse: A. Zingl, "A Rasterizing Algorithm for Drawing Curves".
"""

from __future__ import annotations

from itertools import pairwise
from math import floor

from lswd.kernel.gdi import region as regions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from typing import TypeAlias

    from lswd.kernel.gdi.region import Band, Bands, Box

    Point: TypeAlias = tuple[int, int]
    Rows: TypeAlias = dict[int, list[tuple[int, int]]]

# In points: what is drawn, what is left out, and so on.
DASHES = {1: (18, 6), 2: (3, 3), 3: (9, 6, 3, 6), 4: (9, 3, 3, 3, 3, 3)}


def steps(one: Point, other: Point, box: Box) -> tuple[range, bool]:
    """Which of a line's steps may be inside ``box``, and whether they go along x."""
    dx, dy = other[0] - one[0], other[1] - one[1]
    along_x = abs(dx) >= abs(dy)
    length = max(abs(dx), abs(dy))
    start, way = (one[0], dx) if along_x else (one[1], dy)
    low, high = (box[0], box[2]) if along_x else (box[1], box[3])
    first, last = (low - start, high - start) if way > 0 else (start - high + 1, start - low + 1)
    return range(max(first, 0), min(last, length)), along_x


def line_points(one: Point, other: Point, which: range, along_x: bool) -> list[Point]:
    """The points of some steps of a line from ``one`` to before ``other``."""
    (x, y), dx, dy = one, other[0] - one[0], other[1] - one[1]
    if along_x:
        length, way = abs(dx), 1 if dx > 0 else -1
        return [(x + way * i, y - (length - 2 * dy * i) // (2 * length)) for i in which]
    length, way = abs(dy), 1 if dy > 0 else -1
    return [(x - (length - 2 * dx * i) // (2 * length), y + way * i) for i in which]


def line(one: Point, other: Point, box: Box) -> list[Band]:
    """The bands of a line of single points, without its last, inside ``box``."""
    if one[1] == other[1]:
        left, right = sorted((one[0], other[0]))
        if one[0] > other[0]:
            left, right = left + 1, right + 1
        left, right = max(left, box[0]), min(right, box[2])
        return [(one[1], one[1] + 1, (left, right))] if left < right and box[1] <= one[1] < box[3] else []
    which, along_x = steps(one, other, box)
    return point_bands(line_points(one, other, which, along_x))


def point_bands(points: Iterable[Point]) -> list[Band]:
    """The bands of single points."""
    rows: dict[int, set[int]] = {}
    for x, y in points:
        rows.setdefault(y, set()).add(x)
    result: list[Band] = []
    for y in sorted(rows):
        walls: list[int] = []
        for x in sorted(rows[y]):
            if walls and walls[-1] == x:
                walls[-1] = x + 1
            else:
                walls += [x, x + 1]
        regions.append(result, y, y + 1, tuple(walls))
    return result


def dashed(points: Sequence[Point], dashes: Sequence[int], box: Box) -> tuple[list[Band], list[Band]]:
    """Connected lines with dashes: the bands that are drawn, and those between."""
    drawn: list[Point] = []
    between: list[Point] = []
    period = sum(dashes)
    pattern = [i % 2 == 0 for i, length in enumerate(dashes) for _ in range(length)]
    done = 0
    for one, other in pairwise(points):
        which, along_x = steps(one, other, box)
        for i, point in zip(which, line_points(one, other, which, along_x) if which else [], strict=True):
            (drawn if pattern[(done + i) % period] else between).append(point)
        done += max(abs(other[0] - one[0]), abs(other[1] - one[1]))
    return point_bands(drawn), point_bands(between)


def quadrant(width: int, height: int) -> list[Point]:
    """The points of a quarter of an ellipse as large as a rectangle, from its right edge down, from its middle."""
    a, b = width - 1, height - 1
    dx, dy = 4 * b * b * (1 - a), 4 * a * a * (1 + b % 2)
    error = dx + dy + a * a * (b % 2)
    x, y = a, height // 2
    result = []
    while x >= width // 2:
        result.append((x - width // 2, y - height // 2))
        twice = 2 * error
        if twice >= dx:
            x -= 1
            dx += 8 * b * b
            error += dx
        if twice <= dy:
            y += 1
            dy += 8 * a * a
            error += dy
    return result


def arc(box: Box, start: Point, end: Point, *, clockwise: bool) -> list[Point]:
    """The points of an ellipse's outline in a rectangle, between the rays to two points (relative to its middle)."""
    left, top, right, bottom = box
    width, height = right - left, bottom - top
    points = quadrant(width, height)
    count = len(points)
    if not clockwise:
        start, end = (start[0], -start[1]), (end[0], -end[1])
    first, last = _crossing(points, *start), _crossing(points, *end)
    if last <= first:
        last += 4 * count
    result = []
    for i in range(first, last):
        part = i // count % 4
        x, y = points[i % count] if part % 2 == 0 else points[count - 1 - i % count]
        lower = part in (0, 1)
        if not clockwise:
            lower = not lower
        result.append((
            left + width // 2 + x if part in (0, 3) else right - 1 - width // 2 - x,
            top + height // 2 + y if lower else bottom - 1 - height // 2 - y,
        ))  # fmt: skip
    return result


def _crossing(points: Sequence[Point], x: int, y: int) -> int:
    """Where the ray to a point crosses an ellipse, counted along it."""
    count = len(points)
    if y >= 0:
        if x >= 0:
            return next((i for i, (px, py) in enumerate(points) if px * y <= py * x), count)
        return 2 * count - next((i for i, (px, py) in enumerate(points) if px * y < py * -x), count)
    if x >= 0:
        return 4 * count - next((i for i, (px, py) in enumerate(points) if px * -y <= py * x), count)
    return 2 * count + next((i for i, (px, py) in enumerate(points) if px * -y < py * -x), count)


def wide(points: Sequence[Point], width: int, box: Box, *, closed: bool) -> Bands:
    """The bands of connected lines with a width, and round where they begin, meet and end."""
    rows: Rows = {}
    disc = regions.round_rectangle(0, 0, width + 1, width + 1, width, width)
    for x, y in points:
        left, top = x - width // 2, y - width // 2
        if left < box[2] and left + width > box[0] and top < box[3] and top + width > box[1]:
            _add(rows, regions.moved(disc, left, top), box)
    ends = [*points, points[0]] if closed else points
    for (x1, y1), (x2, y2) in pairwise(ends):
        length = ((x2 - x1) ** 2 + (y2 - y1) ** 2) ** 0.5
        if length < 2:
            continue  # the discs meet
        ox, oy = (y2 - y1) / length * width / 2, (x1 - x2) / length * width / 2
        corners = [(x1 + ox, y1 + oy), (x2 + ox, y2 + oy), (x2 - ox, y2 - oy), (x1 - ox, y1 - oy)]
        piece = regions.polygons([(floor(x + 0.5), floor(y + 0.5)) for x, y in corners], [4], regions.WINDING, box)
        _add(rows, piece, box)
    result: list[Band] = []
    for y in sorted(rows):
        walls: list[int] = []
        for left, right in sorted(rows[y]):
            if walls and left <= walls[-1]:
                walls[-1] = max(walls[-1], right)
            else:
                walls += [left, right]
        regions.append(result, y, y + 1, tuple(walls))
    return result


def _add(rows: Rows, bands: Bands, box: Box) -> None:
    """Add bands of one piece a row, as far as they are inside ``box``."""
    for top, bottom, walls in bands:
        left, right = max(walls[0], box[0]), min(walls[-1], box[2])
        if left < right:
            for y in range(max(top, box[1]), min(bottom, box[3])):
                rows.setdefault(y, []).append((left, right))


def bezier(points: Sequence[Point]) -> list[Point]:
    """A curve of one start and three points for each piece, as lines."""
    result = [points[0]]
    for i in range(0, len(points) - 3, 3):
        (x0, y0), (x1, y1), (x2, y2), (x3, y3) = points[i : i + 4]
        span = max(abs(x0 - x1), abs(x1 - x2), abs(x2 - x3), abs(y0 - y1), abs(y1 - y2), abs(y2 - y3))
        pieces = max(4, min(64, span // 4))
        for k in range(1, pieces + 1):
            t = k / pieces
            u = 1 - t
            a, b, c, d = u * u * u, 3 * u * u * t, 3 * u * t * t, t * t * t
            point = (round(a * x0 + b * x1 + c * x2 + d * x3), round(a * y0 + b * y1 + c * y2 + d * y3))
            if point != result[-1]:
                result.append(point)
    return result
