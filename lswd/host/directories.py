"""Finding a name in a host directory as NT does: regardless of case, spelling preserved.

A scan keeps a directory's names as one string and the same string in upper case. Upper-casing changes no
lengths, so a match in the second is cut out of the first, and a lookup is one ``str.find``.
"""

from __future__ import annotations

import os
import time

from lswd.host.names import upcase

_MAX_SCANS = 64
_MAX_CHARACTERS = 1 << 20  # of one scan that is worth keeping

# A directory that changed this recently may change again without its time stamp moving on (stamps come from the
# kernel's tick), so a scan of it is used once and not kept. Whole seconds betray a file system with coarse stamps.
_TICK_NS = 50_000_000
_COARSE_NS = 3_000_000_000


class _Scan:
    __slots__ = ("mtime_ns", "names", "upper")

    def __init__(self, mtime_ns: int, names: str, upper: str) -> None:
        self.mtime_ns = mtime_ns
        self.names = names
        self.upper = upper

    def find(self, name: str) -> str | None:
        key = f"/{upcase(name)}/"
        best: str | None = None
        at = self.upper.find(key)
        while at >= 0:
            found = self.names[at + 1 : at + len(key) - 1]
            if found == name:
                return found
            if best is None or found < best:
                best = found
            at = self.upper.find(key, at + 1)
        return best


class DirectoryScans:
    """Case-insensitive lookups in host directories, with the last scans remembered while the directory is unchanged."""

    __slots__ = ("_scans",)

    def __init__(self) -> None:
        self._scans: dict[tuple[int, int], _Scan] = {}

    def find(self, directory: str, name: str) -> str | None:
        """The entry of ``directory`` that is ``name`` up to case; None if there is none or it cannot be listed.

        An exact match wins, otherwise the first in sorted order.
        """
        try:
            return self._scan(directory).find(name)
        except (OSError, ValueError):  # ValueError: a name the host's locale cannot spell
            return None

    def lacks(self, directory: str, name: str) -> bool:
        """Whether ``directory`` can be listed and has no entry that is ``name`` up to case."""
        try:
            return self._scan(directory).find(name) is None
        except (OSError, ValueError):
            return False

    def _scan(self, directory: str) -> _Scan:
        state = os.stat(directory)
        key = (state.st_dev, state.st_ino)
        mtime_ns = state.st_mtime_ns
        scan = self._scans.get(key)
        if scan is not None:
            if scan.mtime_ns == mtime_ns:
                return scan
            del self._scans[key]
        now = time.time_ns()
        names = "/" + "/".join(os.listdir(directory)) + "/"
        scan = _Scan(mtime_ns, names, upcase(names))
        margin = _TICK_NS if mtime_ns % 1_000_000_000 else _COARSE_NS
        if mtime_ns + margin < now and len(names) <= _MAX_CHARACTERS:
            if len(self._scans) >= _MAX_SCANS:
                del self._scans[next(iter(self._scans))]
            self._scans[key] = scan
        return scan
