"""Choosing an engine by name."""

from __future__ import annotations

import os

from lswd.cpu.engine import EngineError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.engine import Engine, EngineFactory
    from lswd.memory.space import AddressSpace

ENGINES = ("jail", "unicorn")
_reason = ""
_reason32 = ""  # for 32-bit programs alone


def engine_factory(name: str) -> EngineFactory:
    """The engine called ``name``; "" or "auto" takes the best that works on this host (see ``why_not``).

    Raises:
        EngineError: there is none of that name.
    """
    if name in ("", "auto"):
        return _best
    if name == "jail":
        from lswd.cpu.jail.engine import JailEngine

        return JailEngine
    if name == "unicorn":
        from lswd.cpu.unicorn.engine import UnicornEngine

        return UnicornEngine
    raise EngineError(f"there is no engine called {name!r}; known: {', '.join(ENGINES)}")


def why_not(word: int = 8) -> str:
    """Why "auto" has not taken the jail for programs of this word size; "" as long as it has."""
    return _reason or (_reason32 if word == 4 else "")


def forget() -> None:
    """Let the next program find out again whether the jail works."""
    global _reason, _reason32
    _reason = _reason32 = ""


def describe(engine: Engine) -> str:
    """The engine's name for a person, with the reason when it is not the best."""
    reason = why_not(4)
    return f"{engine.name} ({reason})" if reason and engine.name != "jail" else engine.name


def _best(space: AddressSpace) -> Engine:
    """The jail, whose start is its own test; else Unicorn, for good."""
    global _reason, _reason32
    if not _reason and os.uname().machine != "x86_64":
        _reason = f"the jail needs an x86-64 processor, this is {os.uname().machine}"
    if not _reason:
        from lswd.cpu import silence

        _reason = silence.recall()
    if not why_not(space.word):
        from lswd.cpu.jail.child import NoAnswer
        from lswd.cpu.jail.engine import JailEngine, WrongGuest

        try:
            return JailEngine(space)
        except WrongGuest as error:
            _reason32 = str(error)
        except EngineError as error:
            _reason = str(error)
            if isinstance(error, NoAnswer):
                silence.note(_reason)
    from lswd.cpu.unicorn.engine import UnicornEngine

    return UnicornEngine(space)
