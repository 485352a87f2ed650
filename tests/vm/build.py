"""Compiling the C programs of this directory for the machine."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

from tests.vm.machine import EXCHANGE, Machine

HERE = Path(__file__).resolve().parent


def build(vm: Machine, name: str) -> str:
    """A client, from NAME.c; gives its path as the machine sees it."""
    program = vm.exchange / name
    if not program.exists():
        source = HERE / f"{name}.c"
        subprocess.run(["gcc", "-O2", "-Wall", "-Werror", "-pthread", "-o", program, source], check=True)
    return f"{EXCHANGE}/{name}"


def build_windows(vm: Machine, source: Path = HERE / "program.c") -> str:
    """A Windows program; gives its path as the machine sees it."""
    compiler = shutil.which("x86_64-w64-mingw32-gcc")
    assert compiler, "gcc-mingw-w64-x86-64 is not installed (setup/setup.sh test installs it)"
    program = vm.exchange / f"{source.stem}.exe"
    if not program.exists():
        subprocess.run([compiler, "-O2", "-Wall", "-o", program, source], check=True)
    return f"{EXCHANGE}/{program.name}"
