"""The command line of `lswctl launch`: what belongs to it, what to the program, and what is said about mistakes."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from lswctl.__main__ import main
from lswctl.launch import Stderr, UsageError, exit_code, parse
from lswd.nt.dispatch import InternalError
from lswd.service import launch as service
from lswd.service.config import ConfigError, load


@pytest.mark.parametrize(
    ("line", "options", "command"),
    [
        ("a.exe -v --json", {}, ["a.exe", "-v", "--json"]),
        ("-v a.exe", {"--verbose": [""]}, ["a.exe"]),
        ("-- -a.exe --x", {}, ["-a.exe", "--x"]),
        ("a.exe -- b", {}, ["a.exe", "--", "b"]),
        ("--env A=1 --env=B=2 a.exe", {"--env": ["A=1", "B=2"]}, ["a.exe"]),
        ("--trace a.exe", {"--trace": [""]}, ["a.exe"]),
        ("--trace=log a.exe", {"--trace": ["log"]}, ["a.exe"]),
        ("--prefix= a.exe", {"--prefix": [""]}, ["a.exe"]),
        ("- x", {}, ["-", "x"]),
        ("--json", {"--json": [""]}, []),
    ],
)
def test_options_end_where_the_program_begins(line: str, options: dict[str, list[str]], command: list[str]) -> None:
    assert (options, command) == parse(line.split())


@pytest.mark.parametrize(("line", "what"), [("--nope a", "unknown option --nope"), ("--cwd", "--cwd needs a value")])
def test_an_option_that_makes_no_sense_is_an_error(line: str, what: str) -> None:
    with pytest.raises(UsageError, match=what):
        parse(line.split())


@pytest.mark.parametrize(
    ("arguments", "what"),
    [
        ([], "which PROGRAM?"),
        ([""], "PROGRAM is an empty text"),
        (["--nope", "a.exe"], "unknown option --nope"),
        (["--env", "A", "a.exe"], "--env wants NAME=VALUE"),
        (["--env", "=A", "a.exe"], "--env wants NAME=VALUE"),
        (["--drive", "XY=/", "a.exe"], "write it as X:=PATH"),
        (["--drive", "X:=/nonexistent", "a.exe"], "does not exist"),
        (["--cwd", "/nonexistent", "a.exe"], "no such directory"),
        (["--engine", "steam", "a.exe"], "there is no engine 'steam'; known: auto, jail, unicorn"),
        (["--trace=/nonexistent/log", "a.exe"], "--trace=/nonexistent/log: No such file or directory"),
    ],
)
def test_bad_usage_is_one_line_and_exit_code_120(
    arguments: list[str], what: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert 120 == main(["launch", *arguments])
    captured = capsys.readouterr()
    assert "" == captured.out
    assert captured.err.startswith("lswctl: ") and 1 == captured.err.count("\n")
    assert what in captured.err and "--help" in captured.err


def test_an_unknown_command_is_bad_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert 120 == main(["lunch"])
    assert "lswctl: there is no command 'lunch'; lswctl --help lists them\n" == capsys.readouterr().err


@pytest.mark.parametrize(
    ("status", "code"),
    [(0, 0), (1, 1), (255, 255), (256, 1), (300, 44), (0xC0000005, 5), (0x80000100, 1), (0xFFFFFFFF, 255)],
)
def test_a_shell_sees_the_low_byte_and_never_success_for_a_failure(status: int, code: int) -> None:
    assert code == exit_code(status)


def test_a_reader_that_has_gone_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", buffering=1) as out:
        stream = Stderr(out)
        assert [4, 4] == [stream.write("one\n"), stream.write("two\n")]
        stream.flush()
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)  # what is buffered still has to go somewhere


def test_help_for_a_reader_that_has_gone_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    done = subprocess.run(
        [sys.executable, "-m", "lswctl", "launch", "--help"], stdout=write, stderr=subprocess.PIPE, check=False
    )
    os.close(write)
    assert (0, b"") == (done.returncode, done.stderr)


def _config(tmp_path: Path, text: str) -> dict[str, str]:
    (tmp_path / "lsw.toml").write_text(text)
    return {"LSW_CONFIG": str(tmp_path / "lsw.toml")}


def test_settings_come_from_the_file_and_its_paths_are_relative_to_it(tmp_path: Path) -> None:
    config = load(_config(tmp_path, 'prefix = "p"\nuserland = "/opt/u"\nengine = "unicorn"\n'))
    assert (str(tmp_path / "p"), "/opt/u", "unicorn") == (config.prefix, config.userland, config.engine)


def test_without_a_file_nothing_is_set(tmp_path: Path) -> None:
    config = load({"HOME": str(tmp_path)})
    assert ("", "", "") == (config.prefix, config.userland, config.engine)


def test_the_file_in_the_users_configuration_directory_is_found(tmp_path: Path) -> None:
    (tmp_path / "lsw").mkdir()
    (tmp_path / "lsw/config.toml").write_text('engine = "auto"')
    assert "auto" == load({"XDG_CONFIG_HOME": str(tmp_path)}).engine


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('engin = "x"', "unknown setting 'engin'"),
        ("prefix = 3", "prefix must be a text in quotes, not 3"),
        ('userland = ""', "userland must be a text"),
        ("engine =", "not valid TOML"),
        ("\udc80", "not valid TOML"),
        ("[prefix]", "prefix must be a text"),
    ],
)
def test_a_mistake_in_the_file_names_file_and_field(text: str, what: str, tmp_path: Path) -> None:
    path = tmp_path / "lsw.toml"
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ConfigError, match=what) as caught:
        load({"LSW_CONFIG": str(path)})
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_a_file_that_was_named_must_exist(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="No such file"):
        load({"LSW_CONFIG": str(tmp_path / "none.toml")})


def test_a_bug_of_ours_is_one_line_that_names_the_call_and_exit_code_125(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(*_: object) -> service.Outcome:
        raise InternalError("NtBroken(A=0x1) in thread 0x8: KeyError('oops')")

    monkeypatch.delenv("LSW_DEBUG", raising=False)
    monkeypatch.setattr(service, "launch", broken)
    assert 125 == main(["launch", "a.exe"])
    why = "NtBroken(A=0x1) in thread 0x8: KeyError('oops')"
    assert f"lswctl: a.exe: internal error: {why} (LSW_DEBUG=1 shows where)\n" == capsys.readouterr().err


@pytest.mark.parametrize(("status", "told"), [(1, True), (0, False)])
def test_only_a_program_that_fails_is_told_which_calls_were_missing(
    status: int, told: bool, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    outcome = service.Outcome()
    outcome.exit_status = status
    outcome.missing_calls = {"NtB": 1, "NtA": 3}
    monkeypatch.setattr(service, "launch", lambda *_: outcome)
    assert status == main(["launch", "a.exe"])
    line = "lswctl: a.exe: used system calls that are not implemented yet: NtA (3), NtB\n"
    assert (line if told else "") == capsys.readouterr().err
