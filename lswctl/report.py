"""What ``lswctl launch`` says on standard error: its own lines, and how a program ended.

The same for a program that ran in this process and for one that a daemon ran.
"""

from __future__ import annotations

import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol, TextIO

    class Outcome(Protocol):
        """How a program ended: launch.Outcome, or order.Ending."""

        exit_status: int
        failure: str
        import_error: str
        missing_calls: dict[str, int]
        note: str
        phases: list[tuple[str, float]]
        system_calls: int


class Stderr:
    """Standard error for lswctl's own lines: a reader that has gone is no reason to fail.

    Trace lines go through it too, for there may be no reader behind ``--trace=FILE`` either, nor room on its disk.
    """

    def __init__(self, out: TextIO | None) -> None:
        self._out = out

    def write(self, text: str) -> int:
        """Write if somebody still listens."""
        if self._out is not None:
            try:
                return self._out.write(text)
            except (OSError, ValueError):
                self._out = None
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        if self._out is not None:
            try:
                self._out.flush()
            except (OSError, ValueError):
                self._out = None


def exit_code(status: int) -> int:
    """What a shell gets to see of a 32-bit exit code: its low 8 bits, but never success for a failure."""
    return status & 0xFF or (1 if status else 0)


def line(text: str) -> None:
    """One line to standard error, whatever the text."""
    Stderr(sys.stderr).write("".join(c if c.isprintable() else "?" for c in text) + "\n")


def say(message: str) -> None:
    """One line of lswctl's own."""
    line(f"lswctl: {message}")


def report(program: str, outcome: Outcome, *, verbose: bool, json: bool) -> None:
    """Say what the user should know about a program that has ended."""
    if outcome.import_error:
        say(f"{program}: {outcome.import_error}")
    else:
        if outcome.failure:
            say(f"{program}: {outcome.failure}")
        if outcome.note and outcome.exit_status:
            say(f"{program}: {outcome.note}")
        if outcome.missing_calls and (verbose or outcome.exit_status):
            say(f"{program}: used system calls that are not implemented yet: {_counted(outcome.missing_calls)}")
    if json:
        _write_json(program, outcome)


def _counted(calls: Mapping[str, int]) -> str:
    return ", ".join(f"{name} ({count})" if count > 1 else name for name, count in sorted(calls.items()))


def _write_json(program: str, outcome: Outcome) -> None:
    from lswd.session.plain_json import dumps

    phases: Sequence[tuple[str, float]] = outcome.phases
    record = {
        "program": program,
        "exit_code": outcome.exit_status,
        "failure": outcome.failure or outcome.import_error or None,
        "missing_calls": outcome.missing_calls,
        "system_calls": outcome.system_calls,
        "seconds": {name: round(seconds, 6) for name, seconds in phases},
    }
    line(dumps(record))
