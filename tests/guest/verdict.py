"""Has a program done what its case expects?"""

from __future__ import annotations

import functools
import os
from pathlib import Path

import pytest

from lswd.userland.discovery import find

from .build import build
from .cases import Case
from .expected import expected_stderr, expected_stdout
from .run import fixed_environment, run


def verify(case: Case, launch: list[str], prefix: Path, scratch: Path, target: str = "x86_64") -> None:
    """Launch ``case``, built for ``target``, by the command that begins with ``launch``; fails unless it agrees."""
    if case.newer and not _under_wine_8():
        pytest.skip(case.newer)
    variables = [option for name, value in case.env for option in ("--env", f"{name}={value}")]
    command = [*launch, *variables, str(build(case.program, target)), *case.args]
    result = run(case, command, fixed_environment() | {"LSW_PREFIX": str(prefix)}, scratch)
    assert _text(expected_stdout(case)) == _text(result.stdout), _text(result.stderr)
    if case.stderr:
        assert _text(expected_stderr(case)) == _text(result.stderr)
    assert (case.exit_code, case.leaves) == (result.exit_code, result.left), _text(result.stderr)


@functools.cache
def _under_wine_8() -> bool:
    """Is the userland in use the version that the expectations come from?"""
    return "Wine 8." in find(os.environ).identity()


def _text(content: bytes | None) -> str | None:
    """Bytes one to one as characters, which pytest compares line by line."""
    return None if content is None else content.decode("latin-1")
