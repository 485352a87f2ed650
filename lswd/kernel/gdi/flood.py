"""Flooding: the points that hang together with one, by their colour.

Source: Microsoft "ExtFloodFill".
"""

from __future__ import annotations

from lswd.kernel.gdi import region as regions

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.gdi.pixels import Pixels
    from lswd.kernel.gdi.region import Band, Bands


def flooded(pixels: Pixels, visible: Bands, x: int, y: int, color: int, *, surface: bool) -> list[Band]:
    """The bands of the visible points around one.

    Args:
        color: 0xRRGGBB; surface: points of this colour hang together, else those of any other.
    """
    left, top, right, bottom = regions.box_of(visible)
    rows: dict[int, bytearray] = {}

    def row(at: int) -> bytearray:
        """A row's points that may be flooded, 1 each."""
        found = rows.get(at)
        if found is None:
            data = pixels.format.decode(pixels.bytes(left, at, right - left), right - left)
            found = bytearray([(each & 0xFFFFFF == color) == surface for each in memoryview(data).cast("I")])
            inside = bytearray(len(found))
            for first, last, walls in visible:
                if first <= at < last:
                    for i in range(0, len(walls), 2):
                        begin, end = walls[i] - left, walls[i + 1] - left
                        inside[begin:end] = found[begin:end]
            found = rows[at] = inside
        return found

    result: list[tuple[int, int, int, int]] = []
    waiting = [(x, y)]
    while waiting:
        px, py = waiting.pop()
        line = row(py)
        if not line[px - left]:
            continue
        begin = line.rfind(0, 0, px - left) + 1
        end = line.find(0, px - left)
        end = len(line) if end < 0 else end
        line[begin:end] = bytes(end - begin)
        result.append((left + begin, py, left + end, py + 1))
        for beside in (py - 1, py + 1):
            if top <= beside < bottom:
                other = row(beside)
                at = other.find(1, begin, end)
                while at >= 0:
                    waiting.append((left + at, beside))
                    gap = other.find(0, at, end)
                    at = other.find(1, gap, end) if gap >= 0 else -1
    return regions.union(sorted(result, key=lambda box: (box[1], box[0])))
