"""Bytes of an image by relative virtual address: from a mapped view, or from the file before anything is mapped.

Exports and imports are read through either of the two, with the same checks.
"""

from __future__ import annotations

from lswd.image.errors import BAD_HEADER, ImageError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    from lswd.image.formats import Data
    from lswd.image.pe import Image

    class Reader(Protocol):
        """Reads parts of an image; what lies outside of it is an ImageError."""

        def read(self, rva: int, size: int) -> bytes: ...
        def string(self, rva: int, limit: int = 4096) -> bytes: ...


_SECTOR = 0x200
_PAGE_MASK = 0xFFF


class Mapped:
    """An image as it stands in memory: a relative virtual address is an offset into ``view``."""

    __slots__ = ("_size", "_view", "name")

    def __init__(self, view: Data, image: Image) -> None:
        self._view = view
        self._size = min(len(view), (image.size_of_image + _PAGE_MASK) & ~_PAGE_MASK)
        self.name = image.name

    def read(self, rva: int, size: int) -> bytes:
        """``size`` bytes at ``rva``.

        Raises:
            ImageError: they do not all lie in the image.
        """
        if rva + size > self._size:
            raise ImageError(BAD_HEADER, f"damaged: {rva:#x} lies outside of it", name=self.name)
        return bytes(self._view[rva : rva + size])

    def string(self, rva: int, limit: int = 4096) -> bytes:
        """The NUL-terminated string at ``rva``, without its NUL.

        Raises:
            ImageError: no NUL in the image within ``limit`` bytes.
        """
        return _string(self, rva, limit, self._size)


class OnDisk:
    """An image as its file has it: what the section table would map to ``rva``, zero-filled as mapping does it."""

    __slots__ = ("_data", "_last", "_ranges", "name")

    def __init__(self, data: Data, image: Image) -> None:
        self._data = data
        self.name = image.name
        self._ranges = ranges(image)
        self._last = (0, 0, 0, 0)

    def _range(self, rva: int) -> tuple[int, int, int, int]:
        found = self._last
        if found[0] <= rva < found[1]:
            return found
        for found in self._ranges:
            if found[0] <= rva < found[1]:
                self._last = found
                return found
        raise ImageError(BAD_HEADER, f"damaged: {rva:#x} lies outside of it", name=self.name)

    def read(self, rva: int, size: int) -> bytes:
        """``size`` bytes at ``rva``, which must lie in one section.

        Raises:
            ImageError: they do not.
        """
        start, end, offset, available = self._range(rva)
        if rva + size > end:
            raise ImageError(BAD_HEADER, f"damaged: {rva:#x} lies outside of it", name=self.name)
        skip = rva - start
        if skip + size <= available:
            return bytes(self._data[offset + skip : offset + skip + size])
        return bytes(self._data[offset + skip : offset + available]).ljust(size, b"\0")

    def string(self, rva: int, limit: int = 4096) -> bytes:
        """The NUL-terminated string at ``rva``, without its NUL.

        Raises:
            ImageError: no NUL in its section within ``limit`` bytes.
        """
        return _string(self, rva, limit, self._range(rva)[1])


def _string(reader: Reader, rva: int, limit: int, end: int) -> bytes:
    limit = min(limit, end - rva)
    size = 64
    while size < limit:  # most names are short
        piece = reader.read(rva, size)
        length = piece.find(0)
        if length >= 0:
            return piece[:length]
        size *= 8
    piece = reader.read(rva, max(limit, 0))
    length = piece.find(0)
    if length < 0:
        raise ImageError(BAD_HEADER, f"damaged: no end to the text at {rva:#x}")
    return piece[:length]


def ranges(image: Image) -> list[tuple[int, int, int, int]]:
    """Where the parts of an image come from: ``(first rva, end rva, file offset, bytes from the file)``.

    In address order, ends rounded up to pages, no more bytes from the file than it has, the rest of a part is zeros.
    As NT does it, raw data begins in the sector its offset points into, its size is rounded up to the file alignment,
    and what does not fit the section's pages is left out.
    """
    file_size = image.file_size
    end_of_image = (image.size_of_image + _PAGE_MASK) & ~_PAGE_MASK
    if image.flat:
        return [(0, end_of_image, 0, min(file_size, image.size_of_image))]
    align_mask = image.file_alignment - 1
    headers = image.size_of_headers
    parts = [(0, (headers + _PAGE_MASK) & ~_PAGE_MASK, 0, min(headers, file_size))]
    for section in image.sections:
        va = section.virtual_address
        size = ((section.virtual_size or section.raw_size) + _PAGE_MASK) & ~_PAGE_MASK
        offset = section.raw_offset & -_SECTOR
        raw = 0
        if section.raw_offset:
            raw = min((section.raw_size + align_mask) & ~align_mask, size, max(file_size - offset, 0))
        parts.append((va, va + size, offset, raw))
    return parts
