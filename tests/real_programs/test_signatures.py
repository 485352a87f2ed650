"""A program that its maker signed is told from one that was changed since, and from one that nobody signed."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.guest.build import build
from tests.guest.cases import CASES
from tests.guest.run import fixed_environment

from . import corpus

(SIGNATURES,) = {case.program for case in CASES if case.name == "signatures"}
TRUST_E_NOSIGNATURE, TRUST_E_BAD_DIGEST = 0x800B0100, 0x80096010
TIMEOUT_SECONDS = 120


@pytest.mark.parametrize("ruff", [corpus.RUFF, corpus.RUFF_32], ids=["64 bits", "32 bits"])
def test_a_signed_program_counts_until_it_is_changed(ruff: corpus.Tool, lswctl: list[str], tmp_path: Path) -> None:
    shutil.copy(corpus.program(ruff), tmp_path / "signed.exe")
    shutil.copy(corpus.program(ruff), tmp_path / "changed.exe")
    with (tmp_path / "changed.exe").open("r+b") as program:
        program.seek(5_000_000)
        byte = program.read(1)
        program.seek(-1, 1)
        program.write(bytes([byte[0] ^ 1]))
    shutil.copy(build(SIGNATURES), tmp_path / "unsigned.exe")
    done = subprocess.run([*lswctl, "launch", str(build(SIGNATURES)), "signed.exe", "changed.exe", "unsigned.exe"],
                          cwd=tmp_path, env=fixed_environment(), capture_output=True, text=True, check=True,
                          timeout=TIMEOUT_SECONDS)
    verdicts = [int(line.split()[1], 0) for line in done.stdout.splitlines() if line.startswith("verdict")]
    assert [0, TRUST_E_BAD_DIGEST, TRUST_E_NOSIGNATURE] == verdicts
    assert 2 == done.stdout.count("5 certificates\n")
