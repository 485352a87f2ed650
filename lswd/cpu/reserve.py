"""An engine that is started before it is needed, for a process that waits to be told what to run."""

from __future__ import annotations

from lswd.cpu.select import engine_factory
from lswd.memory.space import AddressSpace

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.engine import Engine

_ready: dict[tuple[str, int], tuple[AddressSpace, Engine]] = {}


def prepare(name: str, word: int = 8) -> None:
    """Start the engine called ``name`` over an empty address space. Raises EngineError."""
    space = AddressSpace(word)
    _ready[_kind(name), word] = space, engine_factory(name)(space)


def take(name: str, word: int) -> tuple[AddressSpace, Engine] | None:
    """One that has been prepared; the caller's from now on."""
    return _ready.pop((_kind(name), word), None)


def _kind(name: str) -> str:
    return name or "auto"
