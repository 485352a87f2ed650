"""An enumeration of a directory in progress: which entries match, and how far it has come.

Source: [MS-FSA] 2.1.5.6.3 "Directory Information Queries".
"""

from __future__ import annotations

import os
import stat

from lswd.host.drives import Entry, Resolution
from lswd.kernel.file_metadata import Metadata
from lswd.kernel.file_pattern import Pattern, from_dos, has_wildcards
from lswd.ntdef.status import STATUS_OBJECT_PATH_NOT_FOUND, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file_disk import DiskDirectory


class Listing:
    """The entries of a directory that match a pattern, as they were when it was started; ``.`` and ``..`` first.

    Attributes:
        pattern: as the program gave it.
        at: index of the next entry to give out.
    """

    __slots__ = ("_directory", "_entries", "at", "pattern")

    def __init__(self, directory: DiskDirectory, pattern: str) -> None:
        self._directory = directory
        self.pattern = pattern
        self.at = 0
        self._entries: list[Entry] = []
        self.restart()

    def restart(self) -> None:
        """Look at the directory again and start at its beginning."""
        directory, pattern = self._directory, self.pattern
        drives = directory.volume.drives
        self.at = 0
        dots = self._dots(Pattern("*" if pattern == "*.*" else pattern))
        if pattern and not has_wildcards(pattern):
            self._entries = [*dots, *self._single(pattern)]
            return
        matches = Pattern(from_dos(pattern))
        listed = drives.list_directory(Resolution(directory.host_path, None, directory.dos_path))
        found = listed if matches.matches_all else [entry for entry in listed if matches.matches(entry.name)]
        self._entries = [*dots, *found]

    def _dots(self, matches: Pattern) -> list[Entry]:
        directory = self._directory
        if directory.dos_path.endswith("\\"):  # a root has no parent
            return []
        parent = os.path.dirname(directory.host_path)
        dots = (Entry(".", directory.host_path), Entry("..", parent))
        return [entry for entry in dots if matches.matches(entry.name)]

    def _single(self, name: str) -> list[Entry]:
        if name in (".", ".."):
            return []
        directory = self._directory
        try:
            found = directory.volume.drives.resolve(directory.dos_path.rstrip("\\") + "\\" + name, follow_last=False)
        except NtError as error:
            if error.status == STATUS_OBJECT_PATH_NOT_FOUND:
                return []
            raise
        if not found.exists:
            return []
        return [Entry(found.dos.rpartition("\\")[2], found.host, overlay=found.overlay)]

    def __len__(self) -> int:
        return len(self._entries)

    def current(self) -> Entry | None:
        """The next entry, or None at the end."""
        return self._entries[self.at] if self.at < len(self._entries) else None

    def metadata(self, entry: Entry, *, as_looked_at: bool) -> Metadata | None:
        """What a listing shows of an entry; None for one that has gone.

        Args:
            as_looked_at: a link is shown as ``Volume.look_at`` shows it, or not at all; otherwise itself.
        """
        itself = not entry.overlay and entry.name not in (".", "..")
        try:
            found = os.stat(entry.host, follow_symlinks=not itself)
        except OSError:
            return None
        if as_looked_at and stat.S_ISLNK(found.st_mode):
            try:
                return self._directory.volume.look_at(self._directory.dos_path.rstrip("\\") + "\\" + entry.name)
            except NtError:
                return None
        return Metadata(found, "" if entry.overlay else entry.host)
