"""``lswctl doctor``: what it says about a host that has all, and about one that lacks something."""

from __future__ import annotations

from pathlib import Path

import pytest

from lswctl.__main__ import main
from lswd.cpu import select
from lswd.cpu.engine import EngineError
from lswd.host import landlock


@pytest.fixture(autouse=True)
def _prefix(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LSW_PREFIX", str(tmp_path / "prefix"))


def test_a_host_that_has_all_is_well(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["doctor"])
    shown = capsys.readouterr().out
    assert "ok       engine unicorn: works\n" in shown
    assert "ok       engine auto: takes " in shown
    assert "ok       engine auto, 32-bit programs: takes " in shown
    assert shown.endswith("Windows programs can run here.\n")


def test_a_missing_userland_is_said_with_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setenv("LSW_USERLAND", str(tmp_path))
    assert 1 == main(["doctor"])
    shown = capsys.readouterr().out
    assert f"missing  userland: LSW_USERLAND: {tmp_path} has no ntdll.dll" in shown
    assert shown.endswith("Windows programs cannot run here yet.\n")


def test_why_the_jail_is_not_taken_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lswd.cpu.jail import engine

    def refuse(space: object) -> None:
        raise EngineError("no seccomp here")

    monkeypatch.setattr(engine, "JailEngine", refuse)
    monkeypatch.setattr(select, "_reason", "")
    assert 0 == main(["doctor"])
    shown = capsys.readouterr().out
    assert "note     engine jail: no seccomp here\n" in shown
    assert "ok       engine auto: takes unicorn, because no seccomp here\n" in shown


def test_why_32_bit_programs_are_emulated_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from lswd.cpu.jail import engine

    monkeypatch.setattr(engine, "_sets_segment_bases", lambda: False)
    monkeypatch.setattr(select, "_reason32", "")
    assert 0 == main(["doctor"])
    shown = capsys.readouterr().out
    assert "ok       engine auto, 32-bit programs: takes unicorn, because 32-bit programs need" in shown


def test_how_programs_can_be_confined_is_said(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 0 == main(["doctor"])
    shown = capsys.readouterr().out
    assert landlock.version() < 2 or "ok       --confine on: works\n" in shown
    monkeypatch.setattr(landlock, "version", lambda: 0)
    assert 0 == main(["doctor"])
    shown = capsys.readouterr().out
    assert "note     --confine strict: this process cannot be confined: this Linux has no Landlock" in shown


def test_arguments_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert 120 == main(["doctor", "now"])
    assert "doctor takes no 'now'" in capsys.readouterr().err
