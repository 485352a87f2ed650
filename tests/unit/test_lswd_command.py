"""The lswd command says what it is, and does not pretend to be a daemon."""

from __future__ import annotations

import pytest

import lswd
from lswd.__main__ import main


def test_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["--version"])
    assert f"lswd {lswd.__version__}\n" == capsys.readouterr().out


def test_help_names_the_command_that_runs_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["--help"])
    assert "lswctl launch PROGRAM" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [[], ["--user"], ["run", "--foreground"]])
def test_anything_else_is_one_line_on_stderr_and_exit_code_120(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert 120 == main(arguments)
    captured = capsys.readouterr()
    assert "" == captured.out
    assert 1 == captured.err.count("\n")
    assert "no daemon yet" in captured.err
