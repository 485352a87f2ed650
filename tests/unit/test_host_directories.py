"""Case-insensitive lookup in a directory that changes under the cache."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lswd.host.directories import DirectoryScans

LONG_AGO = 1_600_000_000_500_000_000


def settle(directory: Path, stamp: int = LONG_AGO) -> None:
    os.utime(directory, ns=(stamp, stamp))


@pytest.fixture
def listings(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Every directory that is really read."""
    seen: list[str] = []
    listdir = os.listdir

    def counted(path: str) -> list[str]:
        seen.append(path)
        return listdir(path)

    monkeypatch.setattr(os, "listdir", counted)
    return seen


def test_an_entry_is_found_by_any_case(tmp_path: Path) -> None:
    (tmp_path / "ReadMe.txt").touch()
    (tmp_path / "\u00c9t\u00e9").touch()
    scans = DirectoryScans()
    assert "ReadMe.txt" == scans.find(str(tmp_path), "README.TXT")
    assert "\u00c9t\u00e9" == scans.find(str(tmp_path), "\u00e9T\u00c9")
    assert None is scans.find(str(tmp_path), "readme")
    assert None is scans.find(str(tmp_path), "eadme.txt")


def test_the_exact_name_wins_then_the_first_in_order(tmp_path: Path) -> None:
    for name in ("aB", "AB", "Ab"):
        (tmp_path / name).touch()
    scans = DirectoryScans()
    assert "aB" == scans.find(str(tmp_path), "aB")
    assert "AB" == scans.find(str(tmp_path), "ab")


def test_an_empty_and_a_missing_directory_hold_nothing(tmp_path: Path) -> None:
    scans = DirectoryScans()
    assert None is scans.find(str(tmp_path), "a")
    assert None is scans.find(str(tmp_path / "none"), "a")
    assert scans.lacks(str(tmp_path), "a")
    assert not scans.lacks(str(tmp_path / "none"), "a")
    (tmp_path / "A").touch()
    assert not scans.lacks(str(tmp_path), "a")


def test_a_settled_directory_is_read_once(tmp_path: Path, listings: list[str]) -> None:
    (tmp_path / "a").touch()
    settle(tmp_path)
    scans = DirectoryScans()
    assert ["a", "a", None] == [scans.find(str(tmp_path), name) for name in ("A", "a", "b")]
    assert [str(tmp_path)] == listings


def test_a_changed_directory_is_read_again(tmp_path: Path) -> None:
    settle(tmp_path)
    scans = DirectoryScans()
    assert None is scans.find(str(tmp_path), "A")
    (tmp_path / "a").touch()
    assert "a" == scans.find(str(tmp_path), "A")


def test_a_directory_touched_just_now_is_not_trusted(tmp_path: Path) -> None:
    scans = DirectoryScans()
    for number in range(200):  # quicker than the clock of the time stamps
        assert None is scans.find(str(tmp_path), f"F{number}")
        (tmp_path / f"f{number}").touch()
        assert f"f{number}" == scans.find(str(tmp_path), f"F{number}")


def test_whole_second_stamps_are_trusted_later_than_fine_ones(
    tmp_path: Path, listings: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    second = 1_600_000_000_000_000_000
    monkeypatch.setattr("time.time_ns", lambda: second + 2_000_000_000)
    scans = DirectoryScans()
    settle(tmp_path, second)
    scans.find(str(tmp_path), "a")
    scans.find(str(tmp_path), "a")
    assert 2 == len(listings)
    settle(tmp_path, second + 1)
    scans.find(str(tmp_path), "a")
    scans.find(str(tmp_path), "a")
    assert 3 == len(listings)


def test_the_number_of_remembered_directories_is_bounded(tmp_path: Path, listings: list[str]) -> None:
    scans = DirectoryScans()
    directories = [tmp_path / str(number) for number in range(70)]
    for directory in directories:
        directory.mkdir()
        settle(directory)
        scans.find(str(directory), "a")
    scans.find(str(directories[-1]), "a")
    assert 70 == len(listings)
    scans.find(str(directories[0]), "a")
    assert 71 == len(listings)
