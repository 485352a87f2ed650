"""A program that meddles with the jail it runs in: whatever it does, lswctl reports an ending, and no bug of ours."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from lswd.service.exit_codes import EXIT_INTERNAL
from tests.guest.build import build
from tests.guest.cases import Program

HOSTILE = Program("hostile", ("jail/hostile.c",))
LIMIT = 90
SEEDS = 8


@pytest.mark.parametrize("seed", range(SEEDS))
def test_its_end_is_told(seed: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "lswctl", "launch", "--via", "embedded", "--engine", "jail", "--prefix"]
    done = subprocess.run(
        [*command, str(tmp_path / "prefix"), str(build(HOSTILE)), str(seed)],
        capture_output=True, text=True, timeout=LIMIT, check=False, stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert "internal error" not in done.stderr
    assert "Traceback" not in done.stderr
    assert EXIT_INTERNAL != done.returncode or "guest" in done.stderr
    assert done.returncode == 7 or done.stderr.startswith("lswctl: ")
