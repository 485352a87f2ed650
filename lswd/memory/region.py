"""One reservation of guest address space: NT's virtual address descriptor."""

from __future__ import annotations

import mmap

from lswd.memory.backing import Backing
from lswd.memory.protection import PAGE_SIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

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


_MANY_PAGES = 1 << 20
_CHUNK = 1 << 20


class SparsePages(mmap.mmap):
    """The codes of very many pages, almost all 0: memory that costs nothing until it is written.

    Programs reserve terabytes and use a few pages of them.
    """

    def __new__(cls, count: int) -> SparsePages:
        return super().__new__(cls, -1, count, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)

    def count(self, code: int) -> int:
        """How many pages have this code."""
        return sum(self[at : at + _CHUNK].count(code) for at in range(0, len(self), _CHUNK))


class Original:
    """A file that holds pages of a region just as they are to begin with.

    Attributes:
        fd: the file's descriptor, while it is being offered. key: what identifies this version of it.
        parts: (first page, how many, offset in the file), in order.
    """

    __slots__ = ("fd", "key", "parts")

    def __init__(self, fd: int, key: tuple[int, ...], parts: Sequence[tuple[int, int, int]]) -> None:
        self.fd = fd
        self.key = key
        self.parts = parts


class Region:
    """``[base, base + size)`` of guest addresses, backed by ``[offset, offset + size)`` of ``backing``.

    Attributes:
        kind: MEM_PRIVATE, MEM_MAPPED or MEM_IMAGE.
        allocation_protect: the PAGE_* value it was reserved with.
        pages: one protection code a page (memory.protection), 0 where only reserved.
        name: what a person would call it: a module path, "stack", ... for traces.
        placeholder: it is kept free for something to be put exactly there.
        source: the section object a view came from, or None.
        fetch: fills in pages whose codes say ABSENT: the first one's number, and how many.
        original: where ABSENT pages stand as they are, for an engine that can show them to the guest; or None.
        pristine: what a page held to begin with, by its number; or None. Where it is known an engine may let the guest
            write to copy-on-write pages at once: what has been written to can be told by comparing.
    """

    __slots__ = (
        "allocation_protect", "backing", "base", "end", "fetch", "kind", "name", "offset", "original", "pages",
        "placeholder", "pristine", "size", "source",
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
        count = size // PAGE_SIZE
        self.pages: bytearray | SparsePages = bytearray(count) if count < _MANY_PAGES else SparsePages(count)
        self.name = name
        self.placeholder = False
        self.source: object = None
        self.fetch: Callable[[int, int], None] | None = None
        self.original: Original | None = None
        self.pristine: Callable[[int], bytes] | None = None

    def run_length(self, page: int, same: bytes) -> int:
        """How many pages from ``page`` on have a code in ``same``."""
        pages = self.pages
        count = len(pages)
        at = page
        while at < count:
            chunk = pages[at : at + 4096]
            rest = chunk.lstrip(same)
            at += len(chunk) - len(rest)
            if rest:
                break
        return at - page
