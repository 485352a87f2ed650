"""Derived tables are kept between runs, and no state of the cache directory can do harm."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lswd.userland.cache import cache_directory, cached


class Counter:
    """A computation that counts how often it is done."""

    def __init__(self, value: object) -> None:
        self.value = value
        self.count = 0

    def __call__(self) -> object:
        self.count += 1
        return self.value


@pytest.fixture
def source(tmp_path: Path) -> Path:
    path = tmp_path / "source.dll"
    path.write_bytes(b"one")
    return path


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "lsw"


def the_cache_file(directory: Path) -> Path:
    (path,) = directory.iterdir()
    return path


def test_a_value_is_computed_once(source: Path, directory: Path) -> None:
    value = {1: "NtClose", "text": (b"bytes", None, [1.5])}
    compute = Counter(value)
    results = [cached("kind", [str(source)], compute, directory=str(directory)) for _ in range(3)]
    assert [value] * 3 == results
    assert 1 == compute.count


@pytest.mark.parametrize(
    "change",
    [
        lambda path: path.write_bytes(b"other size"),
        lambda path: os.utime(path, ns=(0, 12345)),
        lambda path: path.unlink(),
    ],
    ids=["size", "time", "absence"],
)
def test_a_change_of_an_input_computes_it_again(source: Path, directory: Path, change: Callable[[Path], None]) -> None:
    compute = Counter("value")
    cached("kind", [str(source)], compute, directory=str(directory))
    change(source)
    cached("kind", [str(source)], compute, directory=str(directory))
    assert 2 == compute.count
    assert 1 == len(list(directory.iterdir()))


def test_kind_inputs_and_extra_keep_values_apart(source: Path, directory: Path) -> None:
    def get(value: str, kind: str, inputs: list[str], extra: object) -> object:
        return cached(kind, inputs, lambda: value, extra=extra, directory=str(directory))

    assert "a" == get("a", "k", [str(source)], None)
    assert "b" == get("b", "l", [str(source)], None)
    assert "c" == get("c", "k", [], None)
    assert "d" == get("d", "k", [str(source)], ("x", 1))
    assert "b" == get("e", "l", [str(source)], None)


def test_a_failed_computation_is_not_remembered(source: Path, directory: Path) -> None:
    def fail() -> object:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        cached("kind", [str(source)], fail, directory=str(directory))
    assert 7 == cached("kind", [str(source)], lambda: 7, directory=str(directory))


@pytest.mark.parametrize("keep", [0, 3, 4, 7, 8, 12, -1])
def test_a_truncated_file_is_replaced(source: Path, directory: Path, keep: int) -> None:
    cached("kind", [str(source)], lambda: "old", directory=str(directory))
    path = the_cache_file(directory)
    whole = path.read_bytes()
    path.write_bytes(whole[:keep])
    assert "old" == cached("kind", [str(source)], lambda: "old", directory=str(directory))
    assert whole == path.read_bytes()


def test_no_flipped_bit_reaches_the_reader(source: Path, directory: Path) -> None:
    cached("kind", [str(source)], lambda: "old", directory=str(directory))
    path = the_cache_file(directory)
    whole = path.read_bytes()
    for index in range(len(whole)):
        path.write_bytes(whole[:index] + bytes([whole[index] ^ 0x10]) + whole[index + 1 :])
        assert "new" == cached("kind", [str(source)], lambda: "new", directory=str(directory)), index


def test_a_cache_file_that_others_can_write_is_ignored(source: Path, directory: Path) -> None:
    cached("kind", [str(source)], lambda: "old", directory=str(directory))
    the_cache_file(directory).chmod(0o666)
    assert "new" == cached("kind", [str(source)], lambda: "new", directory=str(directory))


@pytest.mark.parametrize("mode", [0o777, 0o770, 0o1777])
def test_a_directory_that_others_can_write_is_not_used(source: Path, directory: Path, mode: int) -> None:
    cached("kind", [str(source)], lambda: "old", directory=str(directory))
    directory.chmod(mode)
    assert "new" == cached("kind", [str(source)], lambda: "new", directory=str(directory))
    directory.chmod(0o700)
    assert "old" == cached("kind", [str(source)], lambda: "new", directory=str(directory))


def test_a_symbolic_link_is_no_cache_directory(source: Path, directory: Path, tmp_path: Path) -> None:
    target = tmp_path / "elsewhere"
    target.mkdir(mode=0o700)
    directory.parent.mkdir()
    directory.symlink_to(target)
    assert "value" == cached("kind", [str(source)], lambda: "value", directory=str(directory))
    assert [] == list(target.iterdir())


def test_a_symbolic_link_or_a_fifo_is_no_cache_file(source: Path, directory: Path) -> None:
    cached("kind", [str(source)], lambda: "old", directory=str(directory))
    path = the_cache_file(directory)
    copy = directory.parent / "copy"
    path.rename(copy)
    path.symlink_to(copy)
    assert "new" == cached("kind", [str(source)], lambda: "new", directory=str(directory))
    path.unlink()
    os.mkfifo(path, 0o600)
    assert "newer" == cached("kind", [str(source)], lambda: "newer", directory=str(directory))


def test_a_place_where_nothing_can_be_made_is_done_without(source: Path) -> None:
    assert "value" == cached("kind", [str(source)], lambda: "value", directory="/proc/lsw/cache")
    assert "value" == cached("kind", [str(source)], lambda: "value", directory=f"{source}/below/a/file")


def test_the_directory_is_made_for_us_alone(source: Path, directory: Path) -> None:
    cached("kind", [str(source)], lambda: "value", directory=str(directory))
    assert 0o700 == directory.stat().st_mode & 0o777
    assert 0o600 == the_cache_file(directory).stat().st_mode & 0o777


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"XDG_CACHE_HOME": "/x", "HOME": "/h"}, "/x/lsw"),
        ({"HOME": "/h"}, "/h/.cache/lsw"),
        ({"XDG_CACHE_HOME": "relative", "HOME": "/h"}, "/h/.cache/lsw"),
        ({"XDG_CACHE_HOME": "", "HOME": "relative"}, None),
        ({}, None),
    ],
)
def test_the_directory_follows_the_base_directory_specification(environ: dict[str, str], expected: str | None) -> None:
    assert expected == cache_directory(environ)
