"""Each guest program, run by `lswctl launch`, does what it did under Wine (or what its case says instead)."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from .build import build
from .cases import CASES, Case
from .expected import expected_stderr, expected_stdout
from .run import fixed_environment, run


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_a_program_behaves_as_expected(case: Case, lswctl: list[str], lsw_prefix: Path, tmp_path: Path) -> None:
    variables = [option for name, value in case.env for option in ("--env", f"{name}={value}")]
    command = [*lswctl, "launch", *variables, str(build(case.program)), *case.args]
    result = run(case, command, fixed_environment() | {"LSW_PREFIX": str(lsw_prefix)}, tmp_path)
    assert _text(expected_stdout(case)) == _text(result.stdout), _text(result.stderr)
    if case.stderr:
        assert _text(expected_stderr(case)) == _text(result.stderr)
    assert (case.exit_code, case.leaves) == (result.exit_code, result.left), _text(result.stderr)


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


def _text(content: bytes | None) -> str | None:
    """Bytes one to one as characters, which pytest compares line by line."""
    return None if content is None else content.decode("latin-1")
