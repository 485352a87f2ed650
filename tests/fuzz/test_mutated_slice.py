"""A slice of `python -m tests.fuzz.mutated_pe`, whose thousands of cases take too long for every run of the tests."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
CASES_EACH = 30


@pytest.mark.parametrize("seed", [1, 2])
def test_damaged_programs_end_in_an_error_or_run(seed: int, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.mutated_pe", "--jobs", "1", "--limit", "3", "--seed", str(seed)]
    command += ["--count", str(CASES_EACH), "--output", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert f"{CASES_EACH} damaged programs" in done.stdout


def test_a_case_of_its_own_interpreter_ends_in_an_error_or_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.fuzz.mutated_pe", "--fresh", "--only", "3", "--output", str(tmp_path)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert "1 damaged programs" in done.stdout
