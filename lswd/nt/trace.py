"""System calls printed strace-style, from their declarations.

    [0x12c] NtOpenFile(FileHandle=[0x0], DesiredAccess=0x100021, ..., ) = STATUS_SUCCESS <0.000041>
"""

from __future__ import annotations

import time

from lswd.kernel.object import KernelObject
from lswd.ntdef.status import status_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, Protocol

    from lswd.kernel.thread import Thread
    from lswd.nt.declare import SystemCall

    class Sink(Protocol):
        """What lines are written to."""

        def write(self, text: str, /) -> int: ...

_MAX_TEXT = 120


def render(value: Any) -> str:
    """An argument as a person reads it."""
    if value is None:
        return "NULL"
    if isinstance(value, bool):
        return str(value)
    if isinstance(value, int):
        return f"{value:#x}" if value > 9 or value < -9 else str(value)
    if isinstance(value, KernelObject):
        return repr(value)
    text = repr(value)
    return text if len(text) <= _MAX_TEXT else text[: _MAX_TEXT - 3] + "..."


class Tracer:
    """Writes one line a call to ``out``; a call that blocks gets a second line when it comes back."""

    def __init__(self, out: Sink) -> None:
        self._out = out
        self._entered: dict[int, tuple[float, SystemCall]] = {}

    def enter(self, thread: Thread, call: SystemCall, arguments: list[Any], raw: tuple[int, ...]) -> None:
        """Arguments are decoded; nothing has happened yet."""
        self._entered[thread.tid] = (time.perf_counter(), call)

    def leave(self, thread: Thread, call: SystemCall, arguments: list[Any], result: int | None) -> None:
        """The handler has returned; output cells show what it stored."""
        started, _ = self._entered.pop(thread.tid, (time.perf_counter(), call))
        inside = ", ".join(
            f"{p.name}={render(a)}" for p, a in zip(call.parameters, arguments, strict=False)
        )
        missing = len(call.parameters) - len(arguments)
        if missing:
            inside += ", ..." if inside else "..."
        outcome = "?" if result is None else status_name(result)
        self._write(thread, f"{call.name}({inside}) = {outcome} <{time.perf_counter() - started:.6f}>")

    def blocked(self, thread: Thread, call: SystemCall, arguments: list[Any]) -> None:
        """The call waits."""
        inside = ", ".join(f"{p.name}={render(a)}" for p, a in zip(call.parameters, arguments, strict=False))
        self._write(thread, f"{call.name}({inside}) <unfinished>")

    def resumed(self, thread: Thread, status: int) -> None:
        """A call that waited is done."""
        found = self._entered.pop(thread.tid, None)
        if found is not None:
            started, call = found
            took = time.perf_counter() - started
            self._write(thread, f"<... {call.name} resumed> = {status_name(status)} <{took:.6f}>")

    def missing(self, thread: Thread, name: str, status: int) -> None:
        """A call nobody has implemented."""
        self._write(thread, f"{name}(...) = {status_name(status)} (not implemented)")

    def _write(self, thread: Thread, text: str) -> None:
        self._out.write(f"[{thread.tid:#x}] {text}\n")
