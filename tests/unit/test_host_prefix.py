"""The prefix is made once, by whoever comes first, and says plainly when it cannot be."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest

import lswd
from lswd.host.prefix import Prefix, PrefixError, default_root, parse_drive, user_name


def test_a_new_prefix_has_what_nt_programs_expect(tmp_path: Path) -> None:
    prefix = Prefix(str(tmp_path / "home/new"), "ann")
    said: list[str] = []
    assert prefix.create(said.append)
    drive = tmp_path / "home/new/drives/c"
    expected = [
        "Program Files",
        "Program Files (x86)",
        "ProgramData",
        "temp",
        "users/Public",
        "users/ann/AppData/Local/Temp",
        "users/ann/AppData/Roaming",
        "users/ann/Desktop",
        "users/ann/Documents",
        "users/ann/Downloads",
        "windows/system32",
        "windows/temp",
    ]
    assert expected == [path for path in expected if (drive / path).is_dir()]
    assert [f"creating the prefix {tmp_path}/home/new"] == said
    assert 0o700 == (tmp_path / "home/new").stat().st_mode & 0o777


def test_a_complete_prefix_costs_one_look(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    prefix = Prefix(str(tmp_path / "p"), "ann")
    prefix.create()
    looks: list[str] = []
    stat = os.stat

    def counted(path: str) -> os.stat_result:
        looks.append(path)
        return stat(path)

    said: list[str] = []
    with monkeypatch.context() as patched:
        patched.setattr(os, "stat", counted)
        patched.setattr(os, "mkdir", None)
        again = prefix.create(said.append)
    assert not again
    assert [] == said
    assert 1 == len(looks)


def test_a_prefix_that_lost_its_drive_is_made_again(tmp_path: Path) -> None:
    prefix = Prefix(str(tmp_path / "p"), "ann")
    prefix.create()
    os.rename(tmp_path / "p/drives", tmp_path / "gone")
    assert prefix.create()
    assert (tmp_path / "p/drives/c/windows/system32").is_dir()


def test_each_user_of_a_prefix_gets_a_home(tmp_path: Path) -> None:
    Prefix(str(tmp_path), "ann").create()
    assert Prefix(str(tmp_path), "bob").create()
    assert ["Public", "ann", "bob"] == sorted(os.listdir(tmp_path / "drives/c/users"))


def test_what_the_upstream_loader_made_is_kept_whatever_its_case(tmp_path: Path) -> None:
    (tmp_path / "drives/c/Windows/System32").mkdir(parents=True)
    (tmp_path / "drives/c/Windows/win.ini").write_text("mine")
    Prefix(str(tmp_path), "ann").create()
    assert "Windows" in os.listdir(tmp_path / "drives/c")
    assert "windows" not in os.listdir(tmp_path / "drives/c")
    assert "mine" == (tmp_path / "drives/c/Windows/win.ini").read_text()
    assert (tmp_path / "drives/c/Windows/System32/drivers").is_dir()


def test_several_may_make_it_at_once(tmp_path: Path) -> None:
    start = threading.Barrier(8)
    failures: list[BaseException] = []

    def make() -> None:
        start.wait()
        try:
            Prefix(str(tmp_path / "a/b/p"), "ann").create()
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=make) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [] == failures
    assert not Prefix(str(tmp_path / "a/b/p"), "ann").create()


def test_a_place_that_cannot_be_written_is_named_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(PrefixError) as below_a_file:
        Prefix(str(tmp_path / "file/home/.lsw"), "ann").create()
    assert f"{tmp_path}/file" in str(below_a_file.value)
    assert "LSW_PREFIX" in str(below_a_file.value)
    with pytest.raises(PrefixError, match=r"cannot create the prefix .*/file: "):
        Prefix(str(tmp_path / "file"), "ann").create()
    with pytest.raises(PrefixError, match="cannot create the prefix /proc/self/lsw"):
        Prefix("/proc/self/lsw", "ann").create()
    assert "\n" not in str(below_a_file.value)


def test_drives_are_c_z_and_whatever_lies_in_drives(tmp_path: Path) -> None:
    prefix = Prefix(str(tmp_path / "p"), "ann")
    prefix.create()
    (tmp_path / "elsewhere").mkdir()
    drives = tmp_path / "p/drives"
    (drives / "d").symlink_to(tmp_path / "elsewhere")
    (drives / "E").mkdir()
    (drives / "f").symlink_to(tmp_path / "dangling")
    (drives / "g").touch()
    (drives / "hh").mkdir()
    expected = {"C": f"{drives}/c", "D": f"{drives}/d", "E": f"{drives}/E", "Z": "/", "X": "/tmp"}
    assert expected == prefix.drives([("X", "/tmp")])


def test_z_can_be_another_place(tmp_path: Path) -> None:
    (tmp_path / "drives/z").mkdir(parents=True)
    assert f"{tmp_path}/drives/z" == Prefix(str(tmp_path), "ann").drives()["Z"]
    assert "/usr" == Prefix(str(tmp_path), "ann").drives({"Z": "/usr"})["Z"]


def test_a_drive_option_is_a_letter_and_a_directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a=b").mkdir()
    assert ("D", str(tmp_path)) == parse_drive(f"d:={tmp_path}")
    assert ("D", str(tmp_path / "a=b")) == parse_drive("D:=a=b")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("D", "X:=PATH"),
        ("D=/tmp", "X:=PATH"),
        ("DD:=/tmp", "X:=PATH"),
        ("1:=/tmp", "X:=PATH"),
        ("D:=", "no directory"),
        ("D:=/nonexistent", "does not exist"),
        ("D:=/proc/version", "is not a directory"),
    ],
)
def test_a_bad_drive_option_says_why(text: str, why: str) -> None:
    with pytest.raises(PrefixError, match=why) as error:
        parse_drive(text)
    assert text in str(error.value)


def test_the_prefix_is_where_the_environment_says(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    assert "/p" == default_root({"LSW_PREFIX": "/p", "HOME": "/h"})
    assert str(tmp_path / "rel") == default_root({"LSW_PREFIX": "rel"})
    assert "/h/.lsw" == default_root({"LSW_PREFIX": "", "HOME": "/h"})
    monkeypatch.setattr("os.getuid", lambda: 4_000_000_001)
    with pytest.raises(PrefixError, match="set LSW_PREFIX"):
        default_root({})


def test_without_home_the_password_database_decides() -> None:
    import pwd

    assert os.path.join(pwd.getpwuid(os.getuid()).pw_dir, ".lsw") == default_root({})


def test_user_names_are_made_fit_for_windows(monkeypatch: pytest.MonkeyPatch) -> None:
    assert "ann" == user_name({"USER": "ann", "LOGNAME": "bob"})
    assert "bob" == user_name({"LOGNAME": "bob"})
    assert "ann" == user_name({"USER": "CORP\\ann"})
    assert "a_b" == user_name({"USER": "a:b"})
    assert "___etc" == user_name({"USER": "../etc"})
    monkeypatch.setattr("os.geteuid", lambda: 4_000_000_001)
    assert "user4000000001" == user_name({})
    assert "user4000000001" == user_name({"USER": ".."})


def test_the_host_side_is_light_to_import() -> None:
    heavy = "typing dataclasses enum inspect re logging pathlib json shutil tempfile sqlite3 argparse trio pwd"
    modules = ("drives", "dospath", "prefix", "environment", "commandline", "names", "directories")
    code = (
        f"import sys; sys.path.insert(0, {os.path.dirname(os.path.dirname(lswd.__file__))!r})\n"
        + "".join(f"import lswd.host.{module}\n" for module in modules)
        + f"print(*sorted(set({heavy!r}.split()) & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-I", "-S", "-c", code], capture_output=True, text=True, check=True)
    assert "\n" == done.stdout
