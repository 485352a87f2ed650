"""Files that somebody else has named: what is no regular file is refused at once, even a FIFO without a writer."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from lswd.host.fonts import fonts
from lswd.host.regular_file import open_regular
from lswd.kernel.registry.database import is_database
from lswd.kernel.registry.snapshot import load
from lswd.kernel.registry.time_zone import host_zone
from lswd.kernel.section import ImageSection

pytestmark = pytest.mark.timeout(20)


def test_a_regular_file_is_opened_for_reading(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"text")
    (tmp_path / "link").symlink_to("file")
    with open(open_regular(str(tmp_path / "link")), "rb") as file:
        assert b"text" == file.read()
        assert not os.get_inheritable(file.fileno())


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (os.mkfifo, errno.EINVAL), (os.mkdir, errno.EISDIR), (lambda path: os.symlink("/dev/zero", path), errno.EINVAL),
        (lambda path: None, errno.ENOENT),
    ],
    ids=["FIFO", "directory", "device", "nothing"],
)  # fmt: skip
def test_anything_else_is_refused(make: Callable[[Path], None], error: int, tmp_path: Path) -> None:
    make(tmp_path / "it")
    with pytest.raises(OSError) as refused:
        open_regular(str(tmp_path / "it"))
    assert error == refused.value.errno


def test_a_file_that_becomes_a_fifo_meanwhile_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_bytes(b"")
    found = os.stat(tmp_path / "file")
    os.mkfifo(tmp_path / "fifo")
    monkeypatch.setattr("lswd.host.regular_file.os.stat", lambda path: found)
    before = os.listdir("/proc/self/fd")
    with pytest.raises(OSError, match="Invalid argument"):
        open_regular(str(tmp_path / "fifo"))
    assert before == os.listdir("/proc/self/fd")


def test_a_fifo_among_the_fonts_is_passed_over(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "x.ttf")
    assert {} == fonts([str(tmp_path)])


def test_a_fifo_is_no_time_zone(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "zone")
    host_zone({"TZ": f":{tmp_path}/zone"})


def test_a_fifo_is_no_program(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "program.exe")
    with pytest.raises(OSError, match="Invalid argument"):
        ImageSection.open(str(tmp_path / "program.exe"))


def test_a_fifo_is_no_registry(tmp_path: Path) -> None:
    for name in ("registry", "registry.cache"):
        os.mkfifo(tmp_path / name)
    with pytest.raises(OSError, match="Invalid argument"):
        is_database(str(tmp_path / "registry"))
    assert load(str(tmp_path / "registry"), (0, 0, 0, 0, 0, 0)) is None
