"""Assembles the stub, for developers and the test that compares: python -m lswd.cpu.jail.assemble (needs nasm)."""

from __future__ import annotations

import os
import subprocess

from lswd.cpu.jail import layout

HERE = os.path.dirname(os.path.abspath(__file__))
SOURCE = os.path.join(HERE, "stub.asm")
BINARY = os.path.join(HERE, "stub.bin")


def definitions() -> list[str]:
    """nasm options that define every number of the layout."""
    return [f"-D{name}={value:#x}" for name, value in vars(layout).items() if name.isupper() and type(value) is int]


def assemble(output: str) -> None:
    """Write the stub's bytes to ``output``. Raises subprocess.CalledProcessError."""
    subprocess.run(["nasm", "-f", "bin", "-Wall", "-o", output, *definitions(), SOURCE], check=True)


if __name__ == "__main__":
    assemble(BINARY)
