"""Bitmaps: device-dependent ones and DIB sections. Their pixels are rows of bytes, up to a few KiB of the kernel's own,
else in the process's memory, where the process's limits hold.

Source: Microsoft "BITMAP", "DIBSECTION", "CreateDIBSection", "CreateBitmap".
"""

from __future__ import annotations

from lswd.kernel.gdi.handle_table import OBJ_BITMAP
from lswd.kernel.gdi.objects import GdiObject
from lswd.memory.protection import PAGE_READWRITE
from lswd.ntdef.status import STATUS_NO_MEMORY, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.gdi.dib import Format
    from lswd.memory.region import Region
    from lswd.memory.space import AddressSpace

_OWN_MEMORY = 4096  # bitmaps up to this many bytes
_LARGEST = 1 << 31


def dib_stride(width: int, bits: int) -> int:
    """Bytes of a DIB's row."""
    return (width * bits + 31) // 32 * 4


class Bitmap(GdiObject):
    """A bitmap: top-down unless it is a DIB that is not.

    Attributes:
        format: how pixels are coded, for one with a format of its own (a DIB); None: by ``bits`` alone.
        address: where the pixels are in the process; 0: in ``own``.
        header: what a DIB section was made of, for GetObject. section: (handle, offset) of one over a section.
    """

    kind = OBJ_BITMAP

    def __init__(
        self, space: AddressSpace, width: int, height: int, bits: int, *, planes: int = 1, dib: Format | None = None,
        address: int = 0, top_down: bool = True,
    ) -> None:  # fmt: skip
        """Raises NtError: there is not that much memory."""
        from lswd.kernel.gdi.dib import device_format

        super().__init__()
        self.space = space
        self.width = width
        self.height = height
        self.bits = bits
        self.planes = planes
        self.is_dib = dib is not None
        self.format = dib if dib is not None else device_format(bits)
        self.top_down = top_down
        self.stride = dib_stride(width, bits)
        self.size = self.stride * height
        self.dimension = (0, 0)
        self.header = b""
        self.section = (0, 0)
        self.region: Region | None = None  # of memory that goes with the bitmap
        self.own = bytearray()
        self.address = address
        if self.size >= _LARGEST:
            raise NtError(STATUS_NO_MEMORY)
        if address:
            pass
        elif self.size <= _OWN_MEMORY and dib is None:
            self.own = bytearray(self.size)
        else:
            self.region = space.reserve(0, self.size, PAGE_READWRITE, name="GDI bitmap")
            try:
                space.commit(self.region, self.region.base, self.region.size, PAGE_READWRITE)
            except NtError:
                space.release(self.region.base)
                raise
            self.address = self.region.base

    def memory(self) -> memoryview | bytearray:
        """All rows, as they lie; writing to it is drawing. Never keep it.

        Raises:
            NtError: STATUS_ACCESS_VIOLATION: the process has given the memory away.
        """
        if not self.address:
            return self.own
        views = self.space.writable(self.address, self.size)
        if len(views) != 1:  # of a protection that changes from page to page
            raise NtError(STATUS_NO_MEMORY)
        return views[0]

    def release(self) -> None:
        """Give its memory back, if it is still what it was."""
        if self.region is not None and self.space.find(self.region.base) is self.region:
            self.space.unmap(self.region)
        self.region = None
