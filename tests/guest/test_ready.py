"""A program that runs in a process which was ready for it sees what has changed meanwhile, as in a fresh one."""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lswd.userland.discovery import find

from .build import build
from .ways import LIMIT, PROGRAM, Daemon, Way, daemon

EXE = build(PROGRAM)
REG = "C:\\windows\\system32\\reg.exe"
KEY = "HKCU\\Software\\Ready"


@pytest.fixture(scope="module")
def served() -> Iterator[Daemon]:
    with daemon() as running:
        yield running


@pytest.fixture
def way(served: Daemon, tmp_path: Path) -> Way:
    way = Way("lswrun", served.environment)
    way.environment["LSW_PREFIX"] = str(tmp_path / "prefix")
    return way


def _below(pid: int) -> list[int]:
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@pytest.fixture
def hot(served: Daemon, way: Way) -> Callable[[], None]:
    """Waits until programs find processes ready that have nothing left to do."""

    def wait() -> None:
        assert 0 == way.run(EXE, "exit", "0").returncode
        limit = time.monotonic() + LIMIT
        before: set[int] = set()
        while True:
            (spawner,) = (p for p in _below(served.process.pid) if _below(p))
            here = {below for zygote in _below(spawner) for below in _below(zygote)}
            if here and here == before:  # for a third of a second, in which the zygote has had time for everything
                return
            before = here
            assert time.monotonic() < limit
            time.sleep(0.35)

    return wait


def test_the_registry_as_it_is_now(way: Way, hot: Callable[[], None]) -> None:
    hot()
    assert 0 == way.run(REG, "add", KEY, "/v", "a", "/d", "one", "/f").returncode
    hot()
    assert b"one" in way.run(REG, "query", KEY, "/v", "a").stdout
    assert 0 == way.run(REG, "add", KEY, "/v", "a", "/d", "two", "/f").returncode
    assert b"two" in way.run(REG, "query", KEY, "/v", "a").stdout


def test_another_prefix(way: Way, hot: Callable[[], None], tmp_path: Path) -> None:
    hot()
    assert 0 == way.run(REG, "add", KEY, "/v", "a", "/d", "one", "/f").returncode
    assert 0 != way.run(REG, "query", KEY, "/v", "a", LSW_PREFIX=str(tmp_path / "other")).returncode
    assert (tmp_path / "other").is_dir()


def test_the_time_zone_asked_for(way: Way, hot: Callable[[], None]) -> None:
    key = "HKLM\\System\\CurrentControlSet\\Control\\TimeZoneInformation"
    for zone, name in (("UTC", b"UTC"), ("Europe/Berlin", b"W. Europe Standard Time"), ("UTC", b"UTC")):
        hot()
        assert name in way.run(REG, "query", key, "/v", "TimeZoneKeyName", TZ=zone).stdout


def test_a_directory_and_a_program_that_were_not_there(way: Way, hot: Callable[[], None], tmp_path: Path) -> None:
    hot()
    place = tmp_path / "new place"
    place.mkdir()
    shutil.copy(EXE, place / "new.exe")
    assert 6 == way.run("new.exe", "exit", "6", cwd=place).returncode
    hot()
    (place / "new.exe").write_bytes((place / "new.exe").read_bytes()[:100])
    assert 123 == way.run("new.exe", "exit", "6", cwd=place).returncode


def test_a_userland_that_is_another_now(way: Way, hot: Callable[[], None], tmp_path: Path) -> None:
    installed = find(os.environ)
    copy = tmp_path / "wine" / "x86_64-windows"
    copy.mkdir(parents=True)
    for entry in os.scandir(installed.directory):
        (copy / entry.name).symlink_to(entry.path)
    (tmp_path / "wine" / "nls").symlink_to(installed.nls_directory)
    for name in ("ntdll.dll", "kernel32.dll"):
        (copy / name).unlink()
        shutil.copy(f"{installed.directory}/{name}", copy)
    for _ in range(2):
        hot()
        assert 4 == way.run(EXE, "exit", "4", LSW_USERLAND=str(copy)).returncode
        assert 5 == way.run(EXE, "exit", "5").returncode
        replacement = tmp_path / "kernel32.dll"
        shutil.copy(f"{installed.directory}/kernel32.dll", replacement)
        os.rename(replacement, copy / "kernel32.dll")
    (copy / "kernel32.dll").write_bytes(b"MZ nothing")
    assert 0 != way.run(EXE, "exit", "0", LSW_USERLAND=str(copy)).returncode
