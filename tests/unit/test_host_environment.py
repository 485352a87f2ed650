"""A Windows environment from a Linux one."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lswd.host.drives import Drives
from lswd.host.environment import computer_name, environment_block, windows_environment

SYSTEM = "C:\\windows\\system32;C:\\windows;C:\\windows\\system32\\wbem"


@pytest.fixture
def drives(tmp_path: Path) -> Drives:
    (tmp_path / "c/tools").mkdir(parents=True)
    return Drives({"C": str(tmp_path / "c"), "Z": "/"})


def test_every_windows_process_knows_where_things_are(drives: Drives) -> None:
    env = windows_environment({}, drives, "ann")
    expected = {
        "ALLUSERSPROFILE": "C:\\ProgramData",
        "APPDATA": "C:\\users\\ann\\AppData\\Roaming",
        "ComSpec": "C:\\windows\\system32\\cmd.exe",
        "HOMEDRIVE": "C:",
        "HOMEPATH": "\\users\\ann",
        "LOCALAPPDATA": "C:\\users\\ann\\AppData\\Local",
        "OS": "Windows_NT",
        "PATH": SYSTEM,
        "PROCESSOR_ARCHITECTURE": "AMD64",
        "PUBLIC": "C:\\users\\Public",
        "ProgramData": "C:\\ProgramData",
        "ProgramFiles": "C:\\Program Files",
        "ProgramFiles(x86)": "C:\\Program Files (x86)",
        "SystemDrive": "C:",
        "SystemRoot": "C:\\windows",
        "TEMP": "C:\\users\\ann\\AppData\\Local\\Temp",
        "TMP": "C:\\users\\ann\\AppData\\Local\\Temp",
        "USERNAME": "ann",
        "USERPROFILE": "C:\\users\\ann",
        "windir": "C:\\windows",
    }
    assert expected == {name: env.get(name) for name in expected}
    assert env["PATHEXT"].startswith(".COM;.EXE;")
    assert len(os.sched_getaffinity(0)) == int(env["NUMBER_OF_PROCESSORS"])
    assert env["COMPUTERNAME"] == env["USERDOMAIN"] == computer_name(os.uname().nodename)


def test_the_search_path_is_translated(drives: Drives, tmp_path: Path) -> None:
    (tmp_path / "semi;colon").mkdir()
    (tmp_path / "file").touch()
    path = f"/usr/bin:{tmp_path}/c/tools:/nonexistent::relative:.:{tmp_path}/semi;colon:{tmp_path}/file:/usr/bin"
    env = windows_environment({"PATH": path}, drives, "ann")
    there = "Z:" + str(tmp_path).replace("/", "\\")
    assert f'{SYSTEM};Z:\\usr\\bin;C:\\tools;"{there}\\semi;colon"' == env["PATH"]


def test_directories_on_no_drive_are_left_out_of_the_path(tmp_path: Path) -> None:
    env = windows_environment({"PATH": "/usr/bin", "HOME": "/usr"}, Drives({"C": str(tmp_path)}), "ann")
    assert SYSTEM == env["PATH"]
    assert "HOME" not in env


def test_host_variables_are_carried_over_except_what_would_confuse(drives: Drives) -> None:
    host = {
        "LANG": "C.UTF-8",
        "Mixed": "kept",
        "EMPTY": "",
        "_": "/usr/bin/env",
        "BASH_FUNC_f%%": "() { :; }",
        "WINEDEBUG": "-all",
        "WINEPREFIX": "/w",
        "TMPDIR": "/tmp",
        "SSL_CERT_FILE": "/etc/ssl/other.pem",
        "PWD": "/",
        "OLDPWD": "/",
        "SHELL": "/bin/sh",
    }
    env = windows_environment(host, drives, "ann")
    bare = windows_environment({}, drives, "ann")
    assert {"LANG": "C.UTF-8", "Mixed": "kept", "EMPTY": ""} == {
        name: value for name, value in env.items() if name not in bare
    }


@pytest.mark.parametrize(
    ("value", "kept"),
    [("UTC", True), ("CET-1CEST", True), ("EST5EDT", True), ("Europe/Berlin", False), (":UTC", False), ("CET", False)],
)
def test_a_time_zone_is_kept_only_if_it_means_the_same(drives: Drives, value: str, kept: bool) -> None:
    assert kept == ("TZ" in windows_environment({"TZ": value}, drives, "ann"))


def test_home_is_translated_if_it_is_there(drives: Drives, tmp_path: Path) -> None:
    here = "Z:" + str(tmp_path).replace("/", "\\")
    assert here == windows_environment({"HOME": str(tmp_path)}, drives, "ann")["HOME"]
    assert "HOME" not in windows_environment({"HOME": "/nonexistent"}, drives, "ann")


def test_names_are_one_without_regard_to_case(drives: Drives) -> None:
    env = windows_environment({"Os": "x", "path": "/x", "aB": "1", "AB": "2", "Ab": "3"}, drives, "ann")
    assert ["OS"] == [name for name in env if name.upper() == "OS"]
    assert "Windows_NT" == env["OS"]
    assert ["PATH"] == [name for name in env if name.upper() == "PATH"]
    assert {"AB": "2"} == {name: value for name, value in env.items() if name.upper() == "AB"}


def test_what_the_user_asks_for_wins(drives: Drives) -> None:
    env = windows_environment({"LANG": "C"}, drives, "ann", {"Path": "D:\\only", "lang": "xx", "WINEDEBUG": "+all"})
    assert {"Path": "D:\\only", "lang": "xx", "WINEDEBUG": "+all"} == {
        name: value for name, value in env.items() if name.upper() in ("PATH", "LANG", "WINEDEBUG")
    }


def test_bytes_that_are_no_text_look_as_in_file_names(drives: Drives) -> None:
    env = windows_environment({"FILE": os.fsdecode(b"caf\xe9")}, drives, "ann")
    assert "caf\uf1e9" == env["FILE"]


def test_a_block_is_sorted_utf16_with_two_nuls_at_its_end() -> None:
    env = {"b": "2", "A_B": "4", "A": "1", "AB": "3", "=C:": "C:\\", "\U0001f600": "\u00e9", "E": ""}
    text = "=C:=C:\\\0A=1\0AB=3\0A_B=4\0b=2\0E=\0\U0001f600=\u00e9\0\0"
    assert text.encode("utf-16-le") == environment_block(env)


def test_an_empty_block_is_two_nuls() -> None:
    assert bytes(4) == environment_block({})


@pytest.mark.parametrize(("name", "value"), [("", "x"), ("a=b", "x"), ("a", "x\0y"), ("a\0", "x")])
def test_what_a_block_cannot_hold_is_refused(name: str, value: str) -> None:
    with pytest.raises(ValueError, match="not an environment variable"):
        environment_block({name: value})


def test_a_computer_name_is_a_netbios_name() -> None:
    assert "BUILD-7" == computer_name("build-7.example.org")
    assert "A2345678901234" + "5" == computer_name("a23456789012345678")
    assert "MYHOST" == computer_name("my_host")
    assert "LSW" == computer_name("")
