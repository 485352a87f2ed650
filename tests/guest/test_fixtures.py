"""Each guest program, run by `lswctl launch`, does what it did under Wine (or what its case says instead)."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from .build import build
from .cases import CASES, Case
from .verdict import verify


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_program_behaves_as_expected(case: Case, lswctl: list[str], lsw_prefix: Path, tmp_path: Path) -> None:
    verify(case, [*lswctl, "launch"], lsw_prefix, tmp_path)


def test_hello_carries_its_symbols_and_the_stripped_one_does_not() -> None:
    programs = {case.name: case.program for case in CASES}
    hello, stripped = (_sections(build(programs[name])) for name in ("hello", "hello-stripped"))
    assert hello >= stripped + 6


def test_every_expectation_belongs_to_a_case() -> None:
    directory = Path(__file__).parent / "expected"
    wanted = {f"{case.name}.out" for case in CASES} | {f"{case.name}.err" for case in CASES if case.stderr}
    assert sorted(wanted) == sorted(os.listdir(directory))


def _sections(program: Path) -> int:
    """NumberOfSections in the file header."""
    content = program.read_bytes()
    header: int = struct.unpack_from("<I", content, 0x3C)[0]
    return int(struct.unpack_from("<H", content, header + 6)[0])
