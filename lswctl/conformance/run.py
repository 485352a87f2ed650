"""Running the checks and printing the table."""

from __future__ import annotations

# Importing a module declares its checks.
from lswctl.conformance import files, layouts, programs, registration, synchronisation
from lswctl.conformance.client import CHECKS, Client, Unfulfilled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswctl.conformance.client import Declared, Device

MODULES = (registration, layouts, files, synchronisation, programs)


class Result:
    """How a check ended."""

    __slots__ = ("declared", "ok", "why")

    def __init__(self, declared: Declared, ok: bool, why: str) -> None:
        self.declared = declared
        self.ok = ok
        self.why = why


def run(opener: Callable[[], Device], *, only: str = "", programs: bool = False) -> list[Result]:
    """Run the checks whose title contains ``only``, each with the device opened anew."""
    return [
        run_one(declared, opener)
        for declared in CHECKS
        if only.lower() in declared.title.lower() and (programs or not declared.programs)
    ]


def run_one(declared: Declared, opener: Callable[[], Device]) -> Result:
    """Run one check."""
    try:
        client = Client(opener)
        try:
            declared.check(client)
        finally:
            client.close()
    except (Unfulfilled, OSError) as error:
        return Result(declared, False, str(error))
    return Result(declared, True, "")


def table(results: list[Result]) -> str:
    """The results, a line each."""
    lines = []
    for result in results:
        note = f"  [kernel module: {result.declared.module_fails}]" if result.declared.module_fails else ""
        lines.append(f"{'ok  ' if result.ok else 'FAIL'}  {result.declared.title}{note}")
        if not result.ok:
            lines.append(f"      {result.why}")
    good = sum(result.ok for result in results)
    failing = sum(bool(result.declared.module_fails) for result in results)
    lines.append(f"{good} of {len(results)} ok; the kernel module is known to fail {failing} of them")
    return "\n".join(lines) + "\n"
