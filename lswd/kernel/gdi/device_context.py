"""Device contexts: what is selected into them, their coordinates and clipping.

A part of a device context, its attributes, lies in the process's memory, where gdi32 reads and sets it without asking;
its layout is in the DLL's type information.
Source: Microsoft "Device Contexts", "Clipping"; capabilities: those of Wine 8 without a display.
"""

from __future__ import annotations

import struct

from lswd.kernel.gdi import region as regions
from lswd.kernel.gdi.handle_table import (
    DEFAULT_BITMAP,
    OBJ_BITMAP,
    OBJ_BRUSH,
    OBJ_DC,
    OBJ_FONT,
    OBJ_MEMDC,
    OBJ_PALETTE,
    OBJ_PEN,
    GdiHandles,
    stock_handle,
)
from lswd.kernel.gdi.objects import GdiObject, unselect
from lswd.kernel.gdi.transform import (
    IDENTITY,
    MM_ANISOTROPIC,
    MM_ISOTROPIC,
    apply,
    inverted,
    multiplied,
    rounded,
    scale_of_mode,
)
from lswd.memory.protection import PAGE_READWRITE
from lswd.ntdef.status import STATUS_NOT_SUPPORTED, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.kernel.gdi.bitmap import Bitmap
    from lswd.kernel.gdi.path import Path
    from lswd.kernel.gdi.region import Band, Box
    from lswd.kernel.gdi.transform import Matrix
    from lswd.kernel.process import Process
    from lswd.userland.structure import Structure

SCREEN_WIDTH, SCREEN_HEIGHT = 1024, 768
MILLIMETRES = 271, 203
_SCREEN: Box = (0, 0, SCREEN_WIDTH, SCREEN_HEIGHT)
_BLOCK = 0x10000
GM_ADVANCED = 2
LAYOUT_RTL = 1
_SELECTED_AT_FIRST = {OBJ_BRUSH: 0, OBJ_PEN: 7, OBJ_FONT: 13, OBJ_PALETTE: 15}
_START = {
    "background_color": 0xFFFFFF, "brush_color": 0xFFFFFF, "graphics_mode": 1, "arc_direction": 1,
    "background_mode": 2, "poly_fill_mode": 1, "rop_mode": 13, "rel_abs_mode": 1, "stretch_blt_mode": 1, "map_mode": 1,
}  # fmt: skip


class Attributes:
    """The attributes of a device context in the process's memory."""

    __slots__ = ("_layout", "_space", "address")

    def __init__(self, process: Process, layout: Structure, address: int) -> None:
        self._space = process.space
        self._layout = layout
        self.address = address

    def number(self, name: str, *, signed: bool = False) -> int:
        """A number."""
        at, size = self._layout.fields[name]
        return int.from_bytes(self._space.read(self.address + at, size), "little", signed=signed)

    def pair(self, name: str) -> tuple[int, int]:
        """A point or a size."""
        x, y = struct.unpack("<2i", self._space.read(self.address + self._layout.fields[name][0], 8))
        return x, y

    def set(self, name: str, value: int) -> None:
        """Change a number."""
        at, size = self._layout.fields[name]
        self._space.write(self.address + at, (value & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def set_pair(self, name: str, x: int, y: int) -> None:
        """Change a point or a size."""
        self._space.write(self.address + self._layout.fields[name][0], struct.pack("<2i", _cut(x), _cut(y)))

    def set_box(self, name: str, box: Box) -> None:
        """Change a rectangle."""
        self._space.write(self.address + self._layout.fields[name][0], struct.pack("<4i", *map(_cut, box)))

    def data(self) -> bytes:
        """All of them."""
        return self._space.read(self.address, self._layout.size)

    def restore(self, data: bytes) -> None:
        """The inverse."""
        self._space.write(self.address, data)


def _cut(value: int) -> int:
    return max(-0x80000000, min(0x7FFFFFFF, value))


class AttributeRoom:
    """Room for attributes in the process's memory, by blocks."""

    def __init__(self, process: Process) -> None:
        self._process = process
        self.layout = process.userland.structure("gdi32.dll", "DC_ATTR")
        if not self.layout.size:
            raise NtError(STATUS_NOT_SUPPORTED)
        self._free: list[int] = []

    def take(self) -> Attributes:
        """New attributes, all zero."""
        space = self._process.space
        size = (self.layout.size + 7) & -8
        if not self._free:
            region = space.reserve(0, _BLOCK, PAGE_READWRITE, name="GDI device contexts")
            space.commit(region, region.base, region.size, PAGE_READWRITE)
            self._free = list(range(region.base, region.base + _BLOCK - size + 1, size))[::-1]
        address = self._free.pop()
        space.write(address, bytes(size))
        return Attributes(self._process, self.layout, address)

    def give_back(self, attributes: Attributes) -> None:
        """They are free again."""
        self._free.append(attributes.address)


class State:
    """What SaveDC saves, besides the attributes."""

    __slots__ = ("attributes", "clip", "current", "justification", "meta", "virtual", "world")

    def __init__(self, dc: DeviceContext) -> None:
        self.attributes = dc.attributes.data()
        self.current = dict(dc.current)
        self.clip, self.meta = dc.clip, dc.meta
        self.world, self.virtual, self.justification = dc.world, dc.virtual, dc.justification


class DeviceContext(GdiObject):
    """A device context: of memory, with a bitmap selected, or of the screen that nobody sees.

    Attributes:
        current: the handle of what is selected, by kind of object. world: the world transform.
        clip, meta: bands in device coordinates; None: everything.
        window: the handle of the window it is of. shown: the part of it that is drawn to; None: all.
    """

    def __init__(self, process: Process, handles: GdiHandles, room: AttributeRoom, *, memory: bool) -> None:
        super().__init__()
        self.kind = OBJ_MEMDC if memory else OBJ_DC
        self.process = process
        self.handles = handles
        self._room = room
        self.attributes = room.take()
        for name, value in _START.items():
            self.attributes.set(name, value)
        for name in ("wnd_ext", "vport_ext"):
            self.attributes.set_pair(name, 1, 1)
        self.current: dict[int, int] = {kind: stock_handle(number) for kind, number in _SELECTED_AT_FIRST.items()}
        self.current[OBJ_BITMAP] = stock_handle(DEFAULT_BITMAP) if memory else 0
        self.world: Matrix = IDENTITY
        self.clip: Sequence[Band] | None = None
        self.meta: Sequence[Band] | None = None
        self.path: Path | None = None
        self.saved: list[State] = []
        self.bounds: Box | None = None
        self.bounds_on = False
        self.justification = (0, 0, 0)  # for each break, breaks, what is left
        self.virtual = (0, 0, 0, 0)
        self.window = 0
        self.shown: Sequence[Band] | None = None
        self._area = _SCREEN
        self.attributes.set_box("vis_rect", self.extent)

    def set_window(self, window: int, width: int, height: int) -> None:
        """It is a window's, and as large."""
        self.window = window
        self._area = (0, 0, width, height)
        self.attributes.set_box("vis_rect", self._area)

    def opened(self) -> None:
        """Its handle is known."""
        self.attributes.set("hdc", self.handle)

    # ---- what is selected

    @property
    def recording(self) -> Path | None:
        """The path that takes what is drawn; None: it is drawn."""
        return self.path if self.path is not None and self.path.open else None

    @property
    def is_memory(self) -> bool:
        """Does it draw into a bitmap?"""
        return self.kind == OBJ_MEMDC

    @property
    def bitmap(self) -> Bitmap | None:
        """What it draws into; None: nothing that can be seen."""
        found = self.handles.get(self.current[OBJ_BITMAP]) if self.is_memory else None
        return found  # type: ignore[return-value]

    def chosen(self, kind: int) -> GdiObject:
        """The selected pen, brush, font or palette."""
        found = self.handles.get(self.current[kind])
        if found is None:  # deleted by force
            found = self.handles.get(stock_handle(_SELECTED_AT_FIRST[kind]))
        assert found is not None
        return found

    def select(self, kind: int, chosen: GdiObject) -> int:
        """Select an object; returns the handle of the one before."""
        before = self.current[kind]
        chosen.selected += 1
        self.current[kind] = chosen.handle
        if kind == OBJ_BITMAP:
            self.clip = None
            self.attributes.set_box("vis_rect", self.extent)
        known = self.handles.get(before)
        if known is not None and known.selected:
            unselect(self.handles, known)
        return before

    def release(self) -> None:
        """It is deleted: what was selected is not any more."""
        for handle in [*self.current.values(), *[h for state in self.saved for h in state.current.values()]]:
            known = self.handles.get(handle) if handle else None
            if known is not None and known.selected:
                unselect(self.handles, known)
        self._room.give_back(self.attributes)

    # ---- saving

    def save(self) -> int:
        """Save its state; returns how many states are saved now."""
        state = State(self)
        for handle in state.current.values():
            known = self.handles.get(handle) if handle else None
            if known is not None:
                known.selected += 1
        self.saved.append(state)
        self.attributes.set("save_level", len(self.saved))
        return len(self.saved)

    def restore(self, level: int) -> bool:
        """Restore the state of a level, or, negative, of so many before the present."""
        index = level - 1 if level > 0 else len(self.saved) + level
        if level == 0 or not 0 <= index < len(self.saved):
            return False
        state = self.saved[index]
        for kind, handle in state.current.items():
            known = self.handles.get(handle) if handle else None
            if known is not None and (kind != OBJ_BITMAP or handle != self.current[kind]):
                self.select(kind, known)
        self.clip, self.meta = state.clip, state.meta
        self.world, self.virtual, self.justification = state.world, state.virtual, state.justification
        self.attributes.restore(state.attributes)
        for gone in self.saved[index:]:
            for handle in gone.current.values():
                known = self.handles.get(handle) if handle else None
                if known is not None and known.selected:
                    unselect(self.handles, known)
        del self.saved[index:]
        self.attributes.set("save_level", index)
        self.attributes.set_box("vis_rect", self.extent)
        return True

    # ---- coordinates

    def scale(self) -> tuple[float, float, float, float]:
        """From page to device space: factors and offsets."""
        (wx, wy), (wcx, wcy) = self.attributes.pair("wnd_org"), self.attributes.pair("wnd_ext")
        (vx, vy), (vcx, vcy) = self.attributes.pair("vport_org"), self.attributes.pair("vport_ext")
        fx, fy = vcx / (wcx or 1), vcy / (wcy or 1)
        dx, dy = vx - fx * wx, vy - fy * wy
        if self.attributes.number("layout") & LAYOUT_RTL:
            left, _, right, _ = self.extent
            fx, dx = -fx, right - left - 1 - dx
        return fx, fy, dx, dy

    @property
    def matrix(self) -> Matrix:
        """From logical to device coordinates."""
        fx, fy, dx, dy = self.scale()
        return multiplied(self.world, (fx, 0.0, 0.0, fy, dx, dy))

    def to_device(self, points: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
        """Points in device coordinates."""
        matrix = self.matrix
        if matrix == IDENTITY:
            return list(points)
        return [(rounded(px), rounded(py)) for px, py in [apply(matrix, x, y) for x, y in points]]

    def to_logical(self, points: Sequence[tuple[int, int]]) -> list[tuple[int, int]] | None:
        """Points in logical coordinates; None: the transform has no way back."""
        matrix = inverted(self.matrix)
        if matrix is None:
            return None
        return [(rounded(px), rounded(py)) for px, py in [apply(matrix, x, y) for x, y in points]]

    def set_mode(self, mode: int) -> bool:
        """Choose a mapping mode."""
        attributes = self.attributes
        if not 1 <= mode <= MM_ANISOTROPIC:
            return False
        if mode == attributes.number("map_mode") and mode in (MM_ISOTROPIC, MM_ANISOTROPIC):
            return True
        if mode != MM_ANISOTROPIC:
            shape = self.resolution(), self.millimetres()
            extents = scale_of_mode(2 if mode == MM_ISOTROPIC else mode, *shape)
            assert extents is not None
            attributes.set_pair("wnd_ext", *extents[:2])
            attributes.set_pair("vport_ext", *extents[2:])
        attributes.set("map_mode", mode)
        return True

    def keep_shape(self) -> None:
        """MM_ISOTROPIC: make the viewport smaller in one direction so that both have the same scale."""
        if self.attributes.number("map_mode") != MM_ISOTROPIC:
            return
        (wcx, wcy), (vcx, vcy) = self.attributes.pair("wnd_ext"), self.attributes.pair("vport_ext")
        (width, height), (across, down) = self.resolution(), self.millimetres()
        if not wcx or not wcy or not vcx or not vcy:
            return
        x = abs(vcx * across / (width * wcx))
        y = abs(vcy * down / (height * wcy))
        if x > y:
            vcx = _whole(vcx * y / x) or (1 if vcx >= 0 else -1)
        else:
            vcy = _whole(vcy * x / y) or (1 if vcy >= 0 else -1)
        self.attributes.set_pair("vport_ext", vcx, vcy)

    def resolution(self) -> tuple[int, int]:
        """The points of the device, real or as set."""
        return (self.virtual[0], self.virtual[1]) if self.virtual[0] else (SCREEN_WIDTH, SCREEN_HEIGHT)

    def millimetres(self) -> tuple[int, int]:
        """The size of the device, real or as set."""
        return (self.virtual[2], self.virtual[3]) if self.virtual[0] else MILLIMETRES

    # ---- clipping

    @property
    def extent(self) -> Box:
        """The device's rectangle."""
        bitmap = self.bitmap
        return (0, 0, bitmap.width, bitmap.height) if bitmap is not None else self._area

    def system_region(self) -> Sequence[Band]:
        """What could be drawn to without clipping."""
        return regions.rectangle(*self.extent) if self.shown is None else self.shown

    def visible(self) -> Sequence[Band]:
        """What is drawn to: the bands of the bitmap's part inside the clipping region."""
        bands = self.system_region()
        for limit in (self.clip, self.meta):
            if limit is not None:
                bands = regions.combine(bands, limit, regions.RGN_AND)
        return bands


def _whole(value: float) -> int:
    return int(value + 0.5) if value >= 0 else -int(-value + 0.5)
