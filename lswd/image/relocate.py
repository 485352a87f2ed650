"""Base relocations: what must change in a mapped image that could not get its preferred address.

Source: Microsoft "PE Format", "The .reloc Section". What NT's loader does beyond it: a block of size 0 ends the list,
and an image without relocations that does not say they were stripped has nothing to relocate.
"""

from __future__ import annotations

from struct import Struct

from lswd.image.errors import BAD_RELOCATIONS, NO_RELOCATIONS, ImageError
from lswd.image.pe import DIRECTORY_BASERELOC, FILE_RELOCS_STRIPPED
from lswd.ntdef.status import STATUS_CONFLICTING_ADDRESSES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.image.pe import Image

_ABSOLUTE = 0
_HIGH = 1
_LOW = 2
_HIGHLOW = 3
_DIR64 = 10

# Far more than the largest known program has; sections can share file data, so a small file can hold many.
_MAX_ENTRIES = 4_000_000

_MASK64 = (1 << 64) - 1
_BLOCK = Struct("<II")
_U16 = Struct("<H")
_U32 = Struct("<I")
_U64 = Struct("<Q")


def is_relocatable(image: Image) -> bool:
    """Whether the image may lie elsewhere than at its preferred base."""
    return not image.characteristics & FILE_RELOCS_STRIPPED


def relocate(view: memoryview, image: Image, delta: int) -> None:
    """Apply the image's base relocations.

    Args:
        view: the mapped image, writable bytes, at least ``size_of_image`` rounded up to pages.
        image: its headers.
        delta: actual minus preferred base; may be negative.

    Raises:
        ImageError: NO_RELOCATIONS (STATUS_CONFLICTING_ADDRESSES) when they were stripped; BAD_RELOCATIONS when they
            are damaged, with some of them applied.
    """
    if not delta:
        return
    if image.characteristics & FILE_RELOCS_STRIPPED:
        raise ImageError(
            NO_RELOCATIONS,
            f"it must lie at {image.image_base:#x}, which is taken, and cannot be moved",
            status=STATUS_CONFLICTING_ADDRESSES,
            name=image.name,
        )
    at, size = image.directories[DIRECTORY_BASERELOC]
    if not at or not size:
        return
    end = at + size
    limit = len(view)
    if end > limit:
        raise _bad(image, f"their list ends at {end:#x}, outside of it")
    delta64 = delta & _MASK64
    delta32 = delta & 0xFFFF_FFFF
    words = view[: limit & ~7].cast("Q")  # most of what is relocated is aligned
    entries_left = _MAX_ENTRIES
    while at + 8 <= end:
        page, block_size = _BLOCK.unpack_from(view, at)
        if not block_size:
            return
        if block_size < 8 or at + block_size > end:
            raise _bad(image, f"block of {block_size:#x} bytes at {at:#x}")
        count = (block_size - 8) // 2
        entries_left -= count
        if entries_left < 0:
            raise _bad(image, "too many")
        if page + 0x1000 + 8 > limit:  # check each entry only where it may be needed
            _relocate_last(view, image, page, at + 8, count, delta64)
        else:
            # A copy: entries may change the list they stand in.
            for entry in memoryview(bytes(view[at + 8 : at + 8 + 2 * count])).cast("H"):
                target = page + (entry & 0xFFF)
                kind = entry >> 12
                if kind == _DIR64:
                    if target & 7:
                        _U64.pack_into(view, target, _U64.unpack_from(view, target)[0] + delta64 & _MASK64)
                    else:
                        words[target >> 3] = words[target >> 3] + delta64 & _MASK64
                elif kind == _HIGHLOW:
                    _U32.pack_into(view, target, _U32.unpack_from(view, target)[0] + delta32 & 0xFFFF_FFFF)
                elif kind != _ABSOLUTE:
                    _relocate_half(view, image, target, kind, delta32)
        at += block_size


def _relocate_last(view: memoryview, image: Image, page: int, at: int, count: int, delta: int) -> None:
    """A block whose entries might reach behind the end of the image."""
    limit = len(view)
    for entry in memoryview(bytes(view[at : at + 2 * count])).cast("H"):
        target = page + (entry & 0xFFF)
        kind = entry >> 12
        if kind == _ABSOLUTE:
            continue
        number = {_DIR64: _U64, _HIGHLOW: _U32}.get(kind, _U16)
        if target + number.size > limit:
            raise _bad(image, f"one for {target:#x}, outside of it")
        if number is _U16:
            _relocate_half(view, image, target, kind, delta & 0xFFFF_FFFF)
        else:
            mask = (1 << 8 * number.size) - 1
            number.pack_into(view, target, number.unpack_from(view, target)[0] + delta & mask)


def _relocate_half(view: memoryview, image: Image, target: int, kind: int, delta: int) -> None:
    """HIGH and LOW: 16 bits, changed by the upper or the lower half of the difference."""
    if kind == _HIGH:
        delta >>= 16
    elif kind != _LOW:
        raise _bad(image, f"one of the unknown type {kind}")
    _U16.pack_into(view, target, _U16.unpack_from(view, target)[0] + delta & 0xFFFF)


def _bad(image: Image, detail: str) -> ImageError:
    return ImageError(BAD_RELOCATIONS, f"damaged relocations: {detail}", name=image.name)
