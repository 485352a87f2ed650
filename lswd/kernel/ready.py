"""Memory of a first process, made before it is known what will run: an engine started, ntdll mapped, files at hand.

For a process that waits to be told what to run. What is made from files is used only as long as they are the same.
"""

from __future__ import annotations

import os

from lswd.cpu.select import engine_factory
from lswd.image.errors import ImageError
from lswd.kernel import nls, section
from lswd.kernel.section import ImageSection, file_identity
from lswd.memory.region import Original
from lswd.memory.space import AddressSpace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.engine import Engine
    from lswd.memory.region import Region
    from lswd.userland.userland import Userland

NTDLL = "C:\\windows\\system32\\ntdll.dll"


class Ready:
    """Attributes: space, engine: empty but for what follows. ntdll: where it has been mapped, or None."""

    __slots__ = ("engine", "ntdll", "space")

    def __init__(self, space: AddressSpace, engine: Engine) -> None:
        self.space = space
        self.engine = engine
        self.ntdll: Region | None = None

    def map_ntdll(self, ntdll: ImageSection) -> Region:
        """Where ``ntdll`` is mapped: if it is the one that has been, there already."""
        region, self.ntdll = self.ntdll, None
        if region is not None:
            mapped = region.source
            assert isinstance(mapped, ImageSection)
            if file_identity(mapped.fd) == file_identity(ntdll.fd):
                return region
            self.space.unmap(region)
        return ntdll.map(self.space, 0, 0, 0, 0)[0]


_ready: dict[tuple[str, int], Ready] = {}


def prepare(name: str, userland: Userland | None = None, word: int = 8) -> None:
    """Start the engine called ``name``, and map what programs of ``userland`` begin with. Raises EngineError."""
    space = AddressSpace(word)
    ready = _ready[_kind(name), word] = Ready(space, engine_factory(name)(space))
    if userland is None:
        return
    try:
        ntdll = ImageSection.open(userland.dll("ntdll.dll") or "", NTDLL, steady=True)
        ready.ntdll, _ = ntdll.map(space, 0, 0, 0, 0)
    except (OSError, ImageError):
        pass  # whoever needs it will say what is wrong
    for path, key in (*section.known(), *nls.known()):
        _offer(space, path, key)
    ready.engine.settle()


def _offer(space: AddressSpace, path: str, key: tuple[int, ...]) -> None:
    """Let the engine have a file that the next program is likely to want, if it is still the one that was wanted."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        if space.listener is not None and file_identity(fd) == key:
            space.listener.offer(Original(fd, key, ()))
    finally:
        os.close(fd)


def take(name: str, word: int) -> Ready | None:
    """What has been prepared for such a process, the caller's from now on. What has been for others is given back."""
    found = _ready.pop((_kind(name), word), None)
    give_back()
    return found


def give_back() -> None:
    """What has been prepared is of no use."""
    while _ready:
        _, unused = _ready.popitem()
        unused.engine.close()
        unused.space.close()


def _kind(name: str) -> str:
    return name or "auto"
