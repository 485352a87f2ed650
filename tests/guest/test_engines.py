"""What depends on the engine does the same on Unicorn, which few hosts take by themselves; `make test-engines` runs all
guest programs on each."""

from __future__ import annotations

from pathlib import Path

import pytest

from .cases import CXX, EXCEPTIONS, MEMORY, START, THREADS, Case
from .test_i386 import NOT_FOR_32_BITS
from .verdict import verify

SLICE = [(case, "x86_64") for case in (START[0], *EXCEPTIONS, *CXX, *MEMORY, *THREADS)]
SLICE += [(case, "i386") for case, _ in SLICE if case.name not in NOT_FOR_32_BITS]


@pytest.mark.parametrize(("case", "target"), SLICE, ids=lambda value: getattr(value, "name", value))
def test_a_program_behaves_as_expected_when_emulated(
    case: Case, target: str, engine: str, lswctl: list[str], lsw_prefix: Path, tmp_path: Path
) -> None:
    if engine:
        pytest.skip(f"all programs run on {engine}")
    verify(case, [*lswctl, "launch", "--engine", "unicorn"], lsw_prefix, tmp_path, target)
