"""A PE file made again from the image that a loader has in its memory, for programs whose file is gone.

File offsets become equal to addresses. The loader has relocated the image to where it lies, which need not be where
Windows would put one, so that is undone. Source: Microsoft "PE Format".
"""

from __future__ import annotations

import struct

from lswd.host.process_memory import read_some
from lswd.image.errors import ImageError
from lswd.image.pe import parse
from lswd.image.relocate import is_relocatable, relocate
from lswd.session.caller_image import is_mapped

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.ioctl.commands import PeInfo

_LARGEST_IMAGE = 512 << 20
_PIECE = 1 << 20
_PAGE = 4096
_MOST_SECTIONS = 96
_ZERO_PAGE = bytes(_PAGE)
_PE32, _PE32_PLUS = 0x10B, 0x20B
_USUAL_BASE = {_PE32: 0x40_0000, _PE32_PLUS: 0x1_4000_0000}
_GRANULARITY = 0x1_0000


class NoImageError(Exception):
    """The memory holds no PE image."""


def _read(pid: int, info: PeInfo) -> bytearray:
    """All of the image, in whole pages; those that are not there are zeros."""
    if not 0 < info.image_size <= _LARGEST_IMAGE or not is_mapped(pid, info):
        raise NoImageError
    image = bytearray()
    while len(image) < info.image_size:
        piece = min(_PIECE, info.image_size - len(image))
        try:
            image += read_some(pid, info.base + len(image), piece)
        except OSError:
            image += _ZERO_PAGE[: min(_PAGE, info.image_size - len(image))]
    return image + bytes(-len(image) % _PAGE)


def rebuild(pid: int, info: PeInfo) -> bytes:
    """A PE file made from the image in the process's memory.

    Raises:
        NoImageError: there is none.
    """
    image = _read(pid, info)
    try:
        base = _adapt_headers(image)
        parsed = parse(bytes(image), "the image in memory")
        if is_relocatable(parsed):
            relocate(memoryview(image), parsed, base - info.base)
    except (struct.error, ImageError):
        raise NoImageError from None
    return bytes(image)


def _adapt_headers(image: bytearray) -> int:
    """Make the headers describe a file that is laid out as in memory; returns the base it is to have."""
    header = struct.unpack_from("<I", image, 0x3C)[0]
    sections, optional_size = struct.unpack_from("<H12xH", image, header + 6)
    optional = header + 24
    magic = struct.unpack_from("<H", image, optional)[0]
    if image[header : header + 4] != b"PE\0\0" or magic not in _USUAL_BASE:
        raise NoImageError
    place, code = (28, "<I") if magic == _PE32 else (24, "<Q")
    base = int(struct.unpack_from(code, image, optional + place)[0])
    if not base or base % _GRANULARITY:
        base = _USUAL_BASE[magic]
        struct.pack_into(code, image, optional + place, base)
    alignment = struct.unpack_from("<I", image, optional + 32)[0]
    struct.pack_into("<I", image, optional + 36, alignment)  # FileAlignment
    first = len(image)
    for number in range(min(sections, _MOST_SECTIONS)):
        at = optional + optional_size + 40 * number
        size, address = struct.unpack_from("<II", image, at + 8)
        end = min(address + size, len(image))
        raw = -(-max(0, end - address) // _PAGE) * _PAGE
        struct.pack_into("<II", image, at + 16, raw, address if raw else 0)
        first = min(first, address)
    struct.pack_into("<I", image, optional + 60, first)  # SizeOfHeaders
    return base
