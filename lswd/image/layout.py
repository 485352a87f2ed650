"""How an image lies in memory: which pages, from where in the file, with which protection."""

from __future__ import annotations

from lswd.image.rva import ranges
from lswd.memory.protection import (
    PAGE_EXECUTE,
    PAGE_EXECUTE_READ,
    PAGE_EXECUTE_READWRITE,
    PAGE_EXECUTE_WRITECOPY,
    PAGE_NOACCESS,
    PAGE_READONLY,
    PAGE_READWRITE,
    PAGE_SIZE,
    PAGE_WRITECOPY,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.image.pe import Image

# Section.characteristics (IMAGE_SCN_*).
SCN_MEM_DISCARDABLE = 0x02000000
SCN_MEM_SHARED = 0x10000000
SCN_MEM_EXECUTE = 0x20000000
SCN_MEM_READ = 0x40000000
SCN_MEM_WRITE = 0x80000000

# Indexed by SHARED, EXECUTE, READ, WRITE as bits 0..3, the top nibble of the characteristics. Source: what
# VirtualQuery reports for each combination ("PE Format", section flags; Wine's test_section_access, run on Windows).
_PROTECTION = (
    PAGE_NOACCESS,
    PAGE_NOACCESS,
    PAGE_EXECUTE,
    PAGE_EXECUTE,
    PAGE_READONLY,
    PAGE_READONLY,
    PAGE_EXECUTE_READ,
    PAGE_EXECUTE_READ,
    PAGE_WRITECOPY,
    PAGE_READWRITE,
    PAGE_EXECUTE_WRITECOPY,
    PAGE_EXECUTE_READWRITE,
    PAGE_WRITECOPY,
    PAGE_READWRITE,
    PAGE_EXECUTE_WRITECOPY,
    PAGE_EXECUTE_READWRITE,
)


def page_protection(characteristics: int) -> int:
    """The PAGE_* value of a section's pages: private writable sections are copy-on-write, shared ones are not."""
    return _PROTECTION[characteristics >> 28 & 15]


def plan(image: Image) -> list[tuple[int, int, int, int, int]]:
    """Cover the whole image: ``(rva, size, raw_offset, raw_bytes, protect)``, in address order, without holes.

    ``rva`` and ``size`` are whole pages, the first ``raw_bytes`` of a part come from the file at ``raw_offset``, the
    rest is zeros. What belongs to no section is PAGE_NOACCESS. An image with section alignment below a page is one
    part, writable and executable, as NT maps it.
    """
    parts: list[tuple[int, int, int, int, int]] = []
    protections = [PAGE_EXECUTE_WRITECOPY] if image.flat else [PAGE_READONLY]
    protections += [page_protection(section.characteristics) for section in image.sections]
    reached = 0
    for (start, end, offset, raw), protect in zip(ranges(image), protections, strict=False):
        if start > reached:
            parts.append((reached, start - reached, 0, 0, PAGE_NOACCESS))
        parts.append((start, end - start, offset, raw, protect))
        reached = end
    end_of_image = (image.size_of_image + PAGE_SIZE - 1) & -PAGE_SIZE
    if end_of_image > reached:
        parts.append((reached, end_of_image - reached, 0, 0, PAGE_NOACCESS))
    return parts
