"""The command lswd: its options, and mistakes that end it before it serves."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

import lswd
from lswd.__main__ import main


def test_version_is_the_package_version(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["--version"])
    assert f"lswd {lswd.__version__}\n" == capsys.readouterr().out


def test_help_names_the_command_that_runs_programs(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["--help"])
    assert "lswctl launch" in capsys.readouterr().out


@pytest.mark.parametrize("arguments", [["--users"], ["run", "--foreground"], ["--config"], ["-x"], ["--user=1"]])
def test_a_wrong_option_is_one_line_and_exit_code_120(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert 120 == main(arguments)
    captured = capsys.readouterr()
    assert ("", 1) == (captured.out, captured.err.count("\n"))
    assert captured.err.startswith("lswd: ") and "lswd --help" in captured.err


@pytest.mark.parametrize("option", ["--check", "--user"])
def test_a_wrong_configuration_is_one_line_and_exit_code_120(
    option: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "lswd.toml"
    path.write_text("execute = 1\n")
    assert 120 == main([option, f"--config={path}"])
    captured = capsys.readouterr()
    assert f"lswd: configuration {path}: execute must be a text in quotes, not 1\n" == captured.err


def test_a_users_daemon_with_a_device_is_a_wrong_configuration(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    monkeypatch.setenv("LSW_DEVICE", "lsw")
    assert 120 == main(["--user"])
    assert "LSW_DEVICE: device: a user's lswd serves its socket only" in capsys.readouterr().err


def test_only_root_serves_everybody(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("LSW_SOCKET", str(tmp_path / "socket"))
    assert 1 == main([])
    assert "lswd: only root can serve every user; `lswd --user` serves you alone\n" == capsys.readouterr().err
