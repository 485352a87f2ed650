"""Section objects: images, files and anonymous memory that can be mapped.

Source: Microsoft "NtCreateSection", "NtMapViewOfSection", "Section Objects and Views".
"""

from __future__ import annotations

import mmap
import os

from lswd.host.regular_file import open_regular
from lswd.image.errors import ImageError
from lswd.image.layout import SCN_MEM_DISCARDABLE, SCN_MEM_EXECUTE, SCN_MEM_WRITE, plan
from lswd.image.pe import Image, parse
from lswd.image.relocate import relocate
from lswd.kernel.object import KernelObject
from lswd.memory.backing import FileMapping
from lswd.memory.protection import ABSENT, ACCESS, COPY_ON_WRITE, GRANULARITY, PAGE_SIZE, WRITE, encode
from lswd.memory.region import MEM_IMAGE, MEM_MAPPED, Original, Region
from lswd.ntdef.status import (
    STATUS_CONFLICTING_ADDRESSES,
    STATUS_IMAGE_NOT_AT_BASE,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_SUCCESS,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.memory.backing import PrivateMemory
    from lswd.memory.space import AddressSpace

SEC_FILE = 0x800000
SEC_IMAGE = 0x1000000
SEC_RESERVE = 0x4000000
SEC_COMMIT = 0x8000000

SECTION_QUERY = 1
SECTION_MAP_WRITE = 2
SECTION_MAP_READ = 4
SECTION_MAP_EXECUTE = 8
SECTION_ALL_ACCESS = 0xF001F

_MAX_ANONYMOUS = 1 << 40
_WORTH_FETCHING_LATER = 1 << 14  # bytes
# The same of a section that the file can show as it is, by whether the guest may write to it (0, WRITE).
_WORTH_SHARING = {0: PAGE_SIZE, WRITE: 1 << 16}
_MOST_KNOWN = 64


class Section(KernelObject):
    """Base: ``size`` in bytes, ``protect`` and ``attributes`` as it was created with."""

    type_name = "Section"
    generic = (0x20005, 0x20002, 0x20008, SECTION_ALL_ACCESS)

    def __init__(self, size: int, protect: int, attributes: int) -> None:
        super().__init__()
        self.size = size
        self.protect = protect
        self.attributes = attributes

    def map(
        self,
        space: AddressSpace,
        base: int,
        offset: int,
        size: int,
        protect: int,
        *,
        high: int = 0,
        top_down: bool = False,
    ) -> tuple[Region, int]:
        """Map a view; returns it with STATUS_SUCCESS or STATUS_IMAGE_NOT_AT_BASE."""
        raise NotImplementedError


class FileSection(Section):
    """Shared memory: a file's, or a memfd's for pagefile-backed sections. Views are coherent with the file.

    Attributes:
        key: what identifies the file, if it is one that many programs map and nobody changes in place.
    """

    key: tuple[int, ...] = ()

    def __init__(self, fd: int, size: int, protect: int, attributes: int, *, name: str = "") -> None:
        """Takes over ``fd``."""
        super().__init__(size, protect, attributes)
        self.fd = fd
        self.file_name = name
        self._committed: list[tuple[int, int]] = []  # with SEC_RESERVE: runs of pages, sorted, never adjacent

    @property
    def charge(self) -> int:
        """Bytes of the page file that are promised to it."""
        if self.attributes & SEC_RESERVE:
            return sum(end - first for first, end in self._committed) * PAGE_SIZE
        return self.size

    def note_committed(self, first: int, count: int) -> bool:
        """Pages are committed, whoever maps them; False when all of them were already."""
        end = first + count
        if any(start <= first and end <= stop for start, stop in self._committed):
            return False
        runs: list[tuple[int, int]] = []
        for start, stop in self._committed:
            if stop < first or end < start:
                runs.append((start, stop))
            else:
                first, end = min(first, start), max(end, stop)
        self._committed = sorted([*runs, (first, end)])
        return True

    @classmethod
    def anonymous(cls, size: int, protect: int, attributes: int) -> FileSection:
        """A section backed by the page file: by a memfd, here."""
        if not 0 < size <= _MAX_ANONYMOUS:
            raise NtError(STATUS_INVALID_PARAMETER)
        fd = os.memfd_create("section", os.MFD_CLOEXEC)
        os.ftruncate(fd, (size + PAGE_SIZE - 1) & -PAGE_SIZE)
        return cls(fd, size, protect, attributes)

    def map(
        self,
        space: AddressSpace,
        base: int,
        offset: int,
        size: int,
        protect: int,
        *,
        high: int = 0,
        top_down: bool = False,
    ) -> tuple[Region, int]:
        if offset % GRANULARITY or offset < 0:
            raise NtError(STATUS_INVALID_PARAMETER)
        if not size:
            size = self.size - offset
        length = (size + PAGE_SIZE - 1) & -PAGE_SIZE
        if size <= 0 or offset + size > (self.size + PAGE_SIZE - 1) & -PAGE_SIZE:
            raise NtError(STATUS_INVALID_PARAMETER)
        if not base:
            base = space.find_free(length, high=high, top_down=top_down)
        if protect & 0xFF in (0x08, 0x80):
            return self._private_copy(space, base, offset, length, protect), STATUS_SUCCESS
        writable = protect & 0xFF in (0x04, 0x40)
        try:
            backing = FileMapping(self.fd, length, offset=offset, writable=writable, key=self.key)
        except OSError:
            raise NtError(STATUS_NO_MEMORY) from None
        region = space.map(base, length, MEM_MAPPED, protect, backing=backing, offset=0, name=self.file_name)
        region.source = self
        if not self.attributes & SEC_RESERVE:
            space.commit(region, base, length, protect)
        for first, last in self._committed:
            start, end = max(first * PAGE_SIZE, offset), min(last * PAGE_SIZE, offset + length)
            if start < end:
                space.commit(region, base + start - offset, end - start, protect)
        return region, STATUS_SUCCESS

    def _private_copy(self, space: AddressSpace, base: int, offset: int, length: int, protect: int) -> Region:
        region = space.map(base, length, MEM_MAPPED, protect, name=self.file_name)
        region.source = self
        space.commit(region, base, length, protect)
        os.preadv(self.fd, [space.raw(region)], offset)
        return region

    def __del__(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class ImageSection(Section):
    """An executable image. Mapped privately: copied from the file, relocated when its base is taken.

    Attributes:
        steady: nobody changes the file in place, so its pages are copied only when somebody writes to them.
    """

    def __init__(self, fd: int, image: Image, file_name: str, dos_name: str = "", *, steady: bool = False) -> None:
        """Takes over ``fd``; ``file_name`` is the host's, ``dos_name`` the guest's."""
        super().__init__(image.size_of_image, 0x80, SEC_IMAGE)
        self.steady = steady
        self._known: _Known | None = None
        self._layout: _Layout | None = None
        self.fd = fd
        self.image = image
        self.file_name = file_name
        self.dos_name = dos_name

    @classmethod
    def open(cls, path: str, dos_name: str = "", *, steady: bool = False) -> ImageSection:
        """From a host file.

        Raises:
            ImageError: it is no usable image. OSError: it cannot be read, or is no regular file.
        """
        return cls.from_fd(open_regular(path), path, dos_name, steady=steady)

    @classmethod
    def from_fd(cls, fd: int, path: str, dos_name: str = "", *, steady: bool = False) -> ImageSection:
        """Takes over ``fd``."""
        try:
            known = _look_up(fd, path) if steady else None
            image = known.image if known is not None else parse_file(fd, path)
        except BaseException:
            os.close(fd)
            raise
        section = cls(fd, image, path, dos_name, steady=steady)
        section._known = known
        return section

    def map(
        self,
        space: AddressSpace,
        base: int,
        offset: int,
        size: int,
        protect: int,
        *,
        high: int = 0,
        top_down: bool = False,
    ) -> tuple[Region, int]:
        image = self.image
        length = (image.size_of_image + PAGE_SIZE - 1) & -PAGE_SIZE
        status = STATUS_SUCCESS
        try:
            region = space.map(base or image.image_base, length, MEM_IMAGE, 0x80, name=self.dos_name or self.file_name)
        except NtError as error:
            if base or error.status != STATUS_CONFLICTING_ADDRESSES:
                raise
            region = space.map(
                space.find_free(length, low=0x10000, high=high, top_down=True),
                length, MEM_IMAGE, 0x80, name=self.dos_name or self.file_name,
            )  # fmt: skip
        region.source = self
        try:
            if region.base == image.image_base:
                self._lay_out(space, region)
            else:
                self._copy(space, region)
                view = space.raw(region)
                relocate(view, image, region.base - image.image_base)
                _set_image_base(view, image, region.base)
                status = STATUS_IMAGE_NOT_AT_BASE
        except ImageError:
            space.unmap(region)
            raise
        return region, status

    def _copy(self, space: AddressSpace, region: Region) -> None:
        """Fill all of the region from the file."""
        for rva, run, raw_offset, raw_bytes, protect in plan(self.image):
            if raw_bytes:
                space.private.load(region.offset + rva, raw_bytes, self.fd, raw_offset)
            first, count = rva // PAGE_SIZE, run // PAGE_SIZE
            region.pages[first : first + count] = bytes((encode(protect),)) * count

    def _lay_out(self, space: AddressSpace, region: Region) -> None:
        """Fill the region, but leave absent what is not needed at once, or can be seen in the file itself."""
        known = self._known
        layout = (known.layout if known is not None else None) or _Layout(self.image, steady=self.steady)
        self._layout = layout
        if known is not None:
            known.layout = layout
        region.pages[:] = layout.pages
        for rva, size, raw_offset in layout.loads:
            space.private.load(region.offset + rva, size, self.fd, raw_offset)
        memory, offset = space.private, region.offset  # and not the region: it would keep itself alive
        region.fetch = lambda first, n: self._fetch(layout, memory, offset, first * PAGE_SIZE, n * PAGE_SIZE)
        region.pristine = self._pristine
        if known is not None and layout.parts and space.listener is not None:
            original = Original(self.fd, known.key, layout.parts)
            if space.listener.offer(original):
                region.original = original

    def _pristine(self, page: int) -> bytes:
        """A page as it is in the file."""
        at = page * PAGE_SIZE
        assert self._layout is not None
        for rva, run, raw_offset, raw_bytes, _ in self._layout.plan:
            if rva <= at < rva + run:
                size = min(rva + raw_bytes - at, PAGE_SIZE)
                try:
                    data = os.pread(self.fd, size, raw_offset + at - rva) if size > 0 else b""
                except OSError:  # as in _fetch
                    data = b""
                return data if len(data) == PAGE_SIZE else data.ljust(PAGE_SIZE, b"\0")
        return bytes(PAGE_SIZE)

    def _fetch(self, layout: _Layout, memory: PrivateMemory, offset: int, start: int, size: int) -> None:
        """Copy what the file has of ``size`` bytes from the RVA ``start``; the image begins at ``offset``."""
        for rva, _, raw_offset, raw_bytes, _ in layout.plan:
            low, high = max(rva, start), min(rva + raw_bytes, start + size)
            if low < high:
                try:
                    memory.load(offset + low, high - low, self.fd, raw_offset + low - rva)
                except OSError:  # the file's device has failed: zeros, as for a file that has become shorter
                    return

    def close(self) -> None:
        """Let go of the file; nothing is mapped from it any more."""
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def __del__(self) -> None:
        self.close()


def _fetched_later(image: Image) -> set[int]:
    """RVAs of sections that most programs never look at: debug information, over half of Wine's system DLLs."""
    return {
        section.virtual_address
        for section in image.sections
        if section.characteristics & SCN_MEM_DISCARDABLE
        and not section.characteristics & (SCN_MEM_WRITE | SCN_MEM_EXECUTE)
        and section.raw_size >= _WORTH_FETCHING_LATER
    }


def word_of(image: ImageSection) -> int:
    """The pointer size of a process that runs this program."""
    return 8 if image.image.is_64bit else 4


def _set_image_base(view: memoryview, image: Image, base: int) -> None:
    """NT writes the actual base into a moved image's header; a loader that finds another would relocate once more."""
    optional = int.from_bytes(view[0x3C:0x40], "little") + 24
    at, size = (optional + 24, 8) if image.is_64bit else (optional + 28, 4)
    view[at : at + size] = base.to_bytes(size, "little")


def file_identity(fd: int) -> tuple[int, ...]:
    """What a file has in common only with itself, as long as nobody changes it."""
    status = os.fstat(fd)
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


class _Layout:
    """How an image is laid out at its own base: its pages' codes, what is loaded (rva, size, offset in the file), and
    what the file can show (as Original.parts)."""

    __slots__ = ("loads", "pages", "parts", "plan")

    def __init__(self, image: Image, *, steady: bool) -> None:
        pages = bytearray()
        self.parts: list[tuple[int, int, int]] = []
        self.loads: list[tuple[int, int, int]] = []
        self.plan = plan(image)
        later = _fetched_later(image)
        for rva, run, raw_offset, raw_bytes, protect in self.plan:
            code = encode(protect)
            first, count = rva // PAGE_SIZE, run // PAGE_SIZE
            absent = count if rva in later else 0
            private = COPY_ON_WRITE[code] or not ACCESS[code] & WRITE  # or else it is shared, with the section's name
            if not absent and steady and private and raw_bytes >= _WORTH_SHARING[ACCESS[code] & WRITE]:
                absent = raw_bytes // PAGE_SIZE
                if not raw_offset % PAGE_SIZE:
                    _add(self.parts, (first, absent, raw_offset), PAGE_SIZE)
            pages += bytes((code | ABSENT,)) * absent + bytes((code,)) * (count - absent)
            start = absent * PAGE_SIZE
            if start < raw_bytes:
                _add(self.loads, (rva + start, raw_bytes - start, raw_offset + start), 1)
        self.pages = bytes(pages)


def _add(pieces: list[tuple[int, int, int]], piece: tuple[int, int, int], unit: int) -> None:
    """Append (where, how many units, offset in the file), or make the last one longer."""
    where, count, offset = piece
    if pieces:
        begin, before, start = pieces[-1]
        if begin + before == where and start + before * unit == offset:
            pieces[-1] = (begin, before + count, start)
            return
    pieces.append(piece)


class _Known:
    """What has been found out about a file that is likely to be opened again: by the next program in this process."""

    __slots__ = ("image", "key", "layout")

    def __init__(self, key: tuple[int, ...], image: Image) -> None:
        self.key = key
        self.image = image
        self.layout: _Layout | None = None


_known: dict[tuple[int, ...], _Known] = {}


def known() -> list[tuple[str, tuple[int, ...]]]:
    """Path and identity of the steady images that have been opened."""
    return [(found.image.name, key) for key, found in _known.items()]


def _look_up(fd: int, name: str) -> _Known:
    """Raises ImageError: it is no usable image."""
    key = file_identity(fd)
    found = _known.get(key)
    if found is None or found.image.name != name:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        found = _known[key] = _Known(key, parse_file(fd, name))
    return found


def parse_file(fd: int, name: str) -> Image:
    """Parse the headers of an open file."""
    if not os.fstat(fd).st_size:
        return parse(b"", name)
    with mmap.mmap(fd, 0, prot=mmap.PROT_READ) as data:
        return parse(data, name)
