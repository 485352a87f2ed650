"""One reservation of guest address space: NT's virtual address descriptor."""

from __future__ import annotations

from lswd.memory.backing import Backing
from lswd.memory.protection import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MEM_COMMIT = 0x1000
MEM_RESERVE = 0x2000
MEM_DECOMMIT = 0x4000
MEM_RELEASE = 0x8000
MEM_FREE = 0x10000
MEM_PRIVATE = 0x20000
MEM_MAPPED = 0x40000
MEM_RESET = 0x80000
MEM_TOP_DOWN = 0x100000
MEM_WRITE_WATCH = 0x200000
MEM_IMAGE = 0x1000000


class Region:
    """``[base, base + size)`` of guest addresses, backed by ``[offset, offset + size)`` of ``backing``.

    Attributes:
        kind: MEM_PRIVATE, MEM_MAPPED or MEM_IMAGE.
        allocation_protect: the PAGE_* value it was reserved with.
        pages: one protection code a page (memory.protection), 0 where only reserved.
        name: what a person would call it: a module path, "stack", ... for traces.
        source: the section object a view came from, or None.
        fetch: fills in pages whose codes say ABSENT: the first one's number, and how many.
    """

    __slots__ = (
        "allocation_protect", "backing", "base", "end", "fetch", "kind", "name", "offset", "pages", "size", "source"
    )  # fmt: skip

    def __init__(
        self, base: int, size: int, kind: int, allocation_protect: int, backing: Backing, offset: int, name: str = ""
    ) -> None:
        self.base = base
        self.size = size
        self.end = base + size
        self.kind = kind
        self.allocation_protect = allocation_protect
        self.backing = backing
        self.offset = offset
        self.pages = bytearray(size // PAGE_SIZE)
        self.name = name
        self.source: object = None
        self.fetch: Callable[[int, int], None] | None = None

    def run_length(self, page: int, same: bytes) -> int:
        """How many pages from ``page`` on have a code in ``same``."""
        pages = self.pages
        count = len(pages)
        at = page
        while at < count:
            chunk = bytes(pages[at : at + 4096])
            rest = chunk.lstrip(same)
            at += len(chunk) - len(rest)
            if rest:
                break
        return at - page
