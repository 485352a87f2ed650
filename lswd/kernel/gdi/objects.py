"""What GDI handles stand for, except for device contexts, regions and bitmaps: pens, brushes, fonts, palettes.

Source: Microsoft "LOGBRUSH", "LOGPEN", "EXTLOGPEN", "LOGFONT", "LOGPALETTE".
"""

from __future__ import annotations

from lswd.kernel.gdi.handle_table import OBJ_BRUSH, OBJ_EXTPEN, OBJ_FONT, OBJ_PALETTE, OBJ_PEN

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.gdi.bitmap import Bitmap
    from lswd.kernel.gdi.handle_table import GdiHandles

BS_SOLID, BS_NULL, BS_HATCHED, BS_PATTERN, BS_DIBPATTERN, BS_DIBPATTERNPT = 0, 1, 2, 3, 5, 6
BS_PATTERN8X8, BS_DIBPATTERN8X8 = 7, 8
PS_SOLID, PS_NULL, PS_INSIDEFRAME, PS_USERSTYLE, PS_ALTERNATE = 0, 5, 6, 7, 8
PS_STYLE_MASK, PS_ENDCAP_MASK, PS_JOIN_MASK, PS_TYPE_MASK = 0xF, 0xF00, 0xF000, 0xF0000
PS_GEOMETRIC = 0x10000


class GdiObject:
    """An object with a GDI handle.

    Attributes:
        kind: its type as in the handle. handle: the lower 32 bits of it. system: it cannot be deleted.
        selected: how many device contexts it is selected into. deleted: it goes when it is no longer selected.
    """

    kind = 0

    def __init__(self) -> None:
        self.handle = 0
        self.system = False
        self.selected = 0
        self.deleted = False


class ClientObject(GdiObject):
    """One that gdi32 keeps for itself, such as a metafile."""

    def __init__(self, kind: int) -> None:
        super().__init__()
        self.kind = kind


class Brush(GdiObject):
    """A brush; ``pattern`` is a bitmap of its own, ``hatch`` what LOGBRUSH.lbHatch tells."""

    kind = OBJ_BRUSH

    def __init__(self, style: int, color: int = 0, hatch: int = 0, pattern: Bitmap | None = None) -> None:
        super().__init__()
        self.style = style
        self.color = color
        self.hatch = hatch
        self.pattern = pattern
        self.palette_colors = False  # its DIB's colours are indices of the palette


class Pen(GdiObject):
    """A pen; one made by ExtCreatePen has a brush and may have its own dashes."""

    def __init__(
        self, style: int, width: int, color: int, *, extended: bool = False, brush: Brush | None = None,
        dashes: tuple[int, ...] = (), hatch: int = 0,
    ) -> None:  # fmt: skip
        super().__init__()
        self.kind = OBJ_EXTPEN if extended else OBJ_PEN
        self.style = style
        self.width = width
        self.color = color
        self.brush = brush if brush is not None else Brush(BS_SOLID, color)
        self.dashes = dashes
        self.hatch = hatch


class Font(GdiObject):
    """A logical font: the bytes of a LOGFONTW."""

    kind = OBJ_FONT

    def __init__(self, logical: bytes) -> None:
        super().__init__()
        self.logical = logical


class Palette(GdiObject):
    """A logical palette: PALETTEENTRYs as bytes."""

    kind = OBJ_PALETTE

    def __init__(self, entries: bytes) -> None:
        super().__init__()
        self.entries = bytearray(entries)

    def __len__(self) -> int:
        return len(self.entries) // 4

    def color(self, index: int) -> int:
        """A COLORREF."""
        return int.from_bytes(self.entries[4 * index : 4 * index + 3], "little")

    def nearest(self, color: int) -> int:
        """The first index whose colour is nearest to a COLORREF."""
        red, green, blue = color & 0xFF, color >> 8 & 0xFF, color >> 16 & 0xFF
        entries = self.entries
        distances = [
            (entries[at] - red) ** 2 + (entries[at + 1] - green) ** 2 + (entries[at + 2] - blue) ** 2
            for at in range(0, len(entries), 4)
        ]
        return distances.index(min(distances)) if distances else 0


def delete(handles: GdiHandles, gone: GdiObject) -> None:
    """Give an object up, now or when it is no longer selected."""
    if gone.system:
        return
    if gone.selected:
        gone.deleted = True
        return
    handles.remove(gone)
    release = getattr(gone, "release", None)
    if release is not None:
        release()


def unselect(handles: GdiHandles, known: GdiObject) -> None:
    """One device context fewer uses it."""
    known.selected -= 1
    if known.deleted and not known.selected:
        delete(handles, known)
