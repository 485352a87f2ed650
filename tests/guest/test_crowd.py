"""A hundred programs at once: all do the right thing, none takes more memory than it should (bench/crowd.py)."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
COUNT = 100
MOST = 30  # MiB each, all processes behind a program together


@pytest.mark.timeout(600)  # a minute on two busy processors
def test_a_hundred_programs_at_once_all_finish_right(tmp_path: Path) -> None:
    with (tmp_path / "out").open("w+") as out:
        done = subprocess.run(
            [sys.executable, ROOT / "bench" / "crowd.py", "--count", str(COUNT), "--most", str(MOST)],
            stdout=out, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        out.seek(0)
        assert done.returncode == 0, out.read()
