"""Paths: figures that are recorded, in device coordinates, to be drawn or to clip later.

Source: Microsoft "Paths", "GetPath".
"""

from __future__ import annotations

from lswd.kernel.gdi import shapes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.gdi.shapes import Point

PT_CLOSEFIGURE, PT_LINETO, PT_BEZIERTO, PT_MOVETO = 1, 2, 4, 6
MOST_POINTS = 1 << 20


class Path:
    """Points and what each is, as GetPath tells them."""

    def __init__(self) -> None:
        self.open = True
        self.points: list[Point] = []
        self.types: list[int] = []
        self._new_stroke = True

    def move(self) -> None:
        """The next line begins a figure."""
        self._new_stroke = True

    def add(self, start: Point, points: Sequence[Point], kind: int) -> None:
        """Lines or curves from ``start``, which is the end of the last if none has moved since."""
        if len(self.points) + len(points) > MOST_POINTS:
            return
        if self._new_stroke:
            self._new_stroke = False
            if not self.points or self.points[-1] != start or self.types[-1] != PT_MOVETO:
                self.points.append(start)
                self.types.append(PT_MOVETO)
        self.points += points
        self.types += [kind] * len(points)

    def figure(self, points: Sequence[Point], *, closed: bool) -> None:
        """A figure of lines of its own."""
        self.move()
        self.add(points[0], points[1:], PT_LINETO)
        if closed:
            self.close()
        self.move()

    def close(self) -> None:
        """The last figure is closed."""
        if self.types:
            self.types[-1] |= PT_CLOSEFIGURE
        self._new_stroke = True

    def lines(self) -> list[tuple[list[Point], bool]]:
        """Each figure as lines, and whether it is closed."""
        figures: list[tuple[list[Point], bool]] = []
        curve: list[Point] = []
        for point, kind in zip(self.points, self.types, strict=True):
            plain = kind & ~PT_CLOSEFIGURE
            if plain == PT_MOVETO:
                figures.append(([point], False))
            elif plain == PT_LINETO:
                figures[-1][0].append(point)
            else:
                curve.append(point)
                if len(curve) == 3:
                    figures[-1][0].extend(shapes.bezier([figures[-1][0][-1], *curve])[1:])
                    curve = []
            if kind & PT_CLOSEFIGURE:
                figures[-1] = (figures[-1][0], True)
        return [figure for figure in figures if len(figure[0]) > 1]

    def flattened(self) -> Path:
        """The same of lines only."""
        result = Path()
        result.open = False
        for points, closed in self.lines():
            result.figure(points, closed=closed)
        return result
