"""Is a file mapped? NT does not truncate a file that is, and does not write to or delete a running image.

Source: MmCanFileBeTruncated, MmFlushImageSection (ntifs.h), as [MS-FSA] and Microsoft's pages describe their effects.
"""

from __future__ import annotations

import os

from lswd.kernel.section import FileSection, ImageSection, Section

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lswd.kernel.process import Process


def mapped_by_data(process: Process, key: tuple[int, int]) -> bool:
    """Does a section of the file's data exist in the process, or a view of one?"""
    return any(isinstance(section, FileSection) and _key(section.fd) == key for section in _sections(process))


def mapped_by_image(process: Process, key: tuple[int, int]) -> bool:
    """Does the process run the file, as its program or as a DLL?"""
    return any(isinstance(section, ImageSection) and _key(section.fd) == key for section in _sections(process))


def _sections(process: Process) -> Iterator[Section]:
    for region in process.space.regions():
        if isinstance(region.source, Section):
            yield region.source
    for _, entry in process.handles:
        if isinstance(entry.object, Section):
            yield entry.object


def _key(fd: int) -> tuple[int, int] | None:
    if fd < 0:
        return None
    found = os.fstat(fd)
    return found.st_dev, found.st_ino
