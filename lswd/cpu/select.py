"""Choosing an engine by name."""

from __future__ import annotations

from lswd.cpu.engine import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.engine import EngineFactory

ENGINES = ("unicorn",)


def engine_factory(name: str) -> EngineFactory:
    """The engine called ``name``; "" or "auto" takes the best there is.

    Raises:
        EngineError: there is none of that name.
    """
    if name in ("", "auto", "unicorn"):
        from lswd.cpu.unicorn.engine import UnicornEngine

        return UnicornEngine
    raise EngineError(f"there is no engine called {name!r}; known: {', '.join(ENGINES)}")
