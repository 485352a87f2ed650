"""What the processes of one user share: namespace, registry, drives, userland, identifiers."""

from __future__ import annotations

import os

from lswd.kernel.namespace import Namespace
from lswd.kernel.registry.windows_version import DEFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from lswd.host.drives import Drives
    from lswd.kernel.directory_watch import DirectoryWatches
    from lswd.kernel.process import Process
    from lswd.kernel.registry.registry import Registry
    from lswd.userland.userland import Userland

    T = TypeVar("T")


USER_SID = "S-1-5-21-0-0-0-1000"  # the one user's; the value Wine gives its user, so outputs compare


class System:
    """One NT system as its programs see it.

    Attributes:
        missing_calls: what its programs have called that nobody has implemented, by name, with how often.
        system_calls: how many the threads that have ended have made.
        windows: the release it says it is.
        directory_watches: who watches directories, once somebody does.
        new_process: makes an empty process of a word size, with an engine and system calls (set by whoever starts the
            first).
    """

    def __init__(
        self,
        drives: Drives,
        userland: Userland,
        open_registry: Callable[[], Registry],
        *,
        user: str,
    ) -> None:
        self.drives = drives
        self.userland = userland
        self.namespace = Namespace()
        self.user = user
        self.network = "on"
        self.windows = DEFAULT
        self.missing_calls: dict[str, int] = {}
        self.system_calls = 0
        self.directory_watches: DirectoryWatches | None = None
        self._open_registry = open_registry
        self._registry: Registry | None = None
        self._parts: dict[type, Any] = {}
        self.processes: dict[int, Process] = {}  # those that have ended too, while somebody has a handle to them
        self._ended: list[Process] = []  # whose handles are still open
        self.new_process: Callable[[int], Process] | None = None
        # Identifiers of other launches are likely others. Small ones, as on Windows: COM keeps 16 bits of them.
        self._next_id = os.getpid() << 2 & 0x7FFC

    @property
    def registry(self) -> Registry:
        """Opened on first use."""
        if self._registry is None:
            self._registry = self._open_registry()
        return self._registry

    def part(self, kind: type[T]) -> T:
        """The system's one ``kind`` (locales, atoms, ...), made from the system on first use."""
        found = self._parts.get(kind)
        if found is None:
            found = self._parts[kind] = kind(self)  # type: ignore[call-arg]
        result: T = found
        return result

    def new_id(self) -> int:
        """A process or thread identifier: a multiple of four, as NT's are."""
        self._next_id += 4
        return self._next_id

    def running_processes(self) -> list[Process]:
        """The processes that have not ended, oldest first."""
        return [process for process in self.processes.values() if not process.ended]

    def let_go(self, process: Process) -> None:
        """Close the handles of a process that has ended. That may end others (jobs), which then have their turn."""
        self._ended.append(process)
        if len(self._ended) == 1:
            while self._ended:
                self._ended[0].let_go()
                self._ended.pop(0)

    def forget_process(self, process: Process) -> None:
        """Nobody can open it by its identifier any more."""
        self.processes.pop(process.pid, None)

    def volume_name(self, dos_path: str) -> str:
        """``C:\\x`` as the object manager names it: ``\\Device\\HarddiskVolume<n>\\x``."""
        drive, rest = dos_path[:2].upper(), dos_path[2:]
        if len(drive) == 2 and drive[1] == ":" and drive[0] in self.drives.letters():
            return f"\\Device\\HarddiskVolume{ord(drive[0]) - ord('A') + 1}{rest}"
        return dos_path

    def close(self) -> None:
        """Write out what is not on disk yet."""
        if self._registry is not None:
            self._registry.flush()
