"""Running the checks and printing the table."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile

# Importing a module declares its checks.
from lswctl.conformance import clients, files, layouts, programs, registration, synchronisation
from lswctl.conformance.client import CHECKS, Client, Declared, KernelDevice, Unfulfilled, expect
from lswd.ioctl import commands

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswctl.conformance.client import Device

MODULES = (registration, layouts, files, synchronisation, clients, programs)


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


def c_client(path: str, only: str) -> list[Result]:
    """Compile a C client from lsw.h and run it on a device; [] without a compiler, or if ``only`` excludes it."""
    title = "a C client made from lsw.h"
    if only.lower() not in title.lower() or shutil.which("cc") is None:
        return []

    def check(_client: Client) -> None:
        with tempfile.TemporaryDirectory(prefix="lsw-conformance-") as directory:
            program = programs.build_header_client(directory, os.path.dirname(commands.__file__))
            expect(0, subprocess.run([program, path], check=False).returncode, "its exit code")

    return [run_one(Declared(title, check, "", False), lambda: KernelDevice(path))]


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
