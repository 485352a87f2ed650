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


def why_not() -> str:
    """Why "auto" has not taken the jail; "" as long as it has."""
    return _reason


def forget() -> None:
    """Let the next program find out again whether the jail works."""
    global _reason
    _reason = ""


def describe(engine: Engine) -> str:
    """The engine's name for a person, with the reason when it is not the best."""
    reason = f" ({_reason})" if _reason and engine.name != "jail" else ""
    return f"{engine.name}{reason}"


def _best(space: AddressSpace) -> Engine:
    """The jail, whose start is its own test; else Unicorn, for good."""
    global _reason
    if not _reason and os.uname().machine != "x86_64":
        _reason = f"the jail needs an x86-64 processor, this is {os.uname().machine}"
    if not _reason:
        _reason = _remembered()
    if not _reason and space.word == 8:  # 32-bit programs only when the jail is asked for by name
        from lswd.cpu.jail.child import NoAnswer
        from lswd.cpu.jail.engine import JailEngine, WrongGuest

        try:
            return JailEngine(space)
        except WrongGuest:  # this one only
            pass
        except EngineError as error:
            _reason = str(error)
            if isinstance(error, NoAnswer):
                _remembered(_reason)
    from lswd.cpu.unicorn.engine import UnicornEngine

    return UnicornEngine(space)


def _remembered(reason: str = "") -> str:
    """Why the jail did not start since the host did, as far as that is worth remembering; remembers ``reason``."""
    from lswd.userland.cache import cached

    try:
        with open("/proc/sys/kernel/random/boot_id") as file:
            boot = file.read(64)
    except OSError:
        return ""

    def compute() -> str:
        if not reason:
            raise LookupError
        return reason

    try:
        return str(cached("no-jail", (), compute, extra=boot))
    except LookupError:
        return ""
