"""What is prepared for the next program is what it would have made itself, or is not used."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.cpu.jail import placement
from lswd.cpu.jail.engine import JailEngine
from lswd.kernel import nls, ready, section
from lswd.kernel.nls import NlsSection
from lswd.kernel.ready import Ready, prepare, take
from lswd.kernel.section import SEC_COMMIT, ImageSection, file_identity
from lswd.memory.protection import ABSENT, PAGE_READONLY
from lswd.userland.discovery import find
from lswd.userland.userland import Userland


@pytest.fixture(autouse=True)
def forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ready, "_ready", {})
    monkeypatch.setattr(nls, "_known", {})
    monkeypatch.setattr(section, "_known", {})


@pytest.fixture
def userland(tmp_path: Path) -> Userland:
    """A copy that can be changed."""
    installed = find(os.environ)
    directory = tmp_path / "x86_64-windows"
    directory.mkdir()
    for name in ("ntdll.dll", "kernel32.dll"):
        shutil.copy(f"{installed.directory}/{name}", directory)
    return Userland(str(directory), installed.nls_directory)


@pytest.fixture
def made(userland: Userland) -> Iterator[Ready]:
    prepare("jail", userland)
    found = take("jail", 8)
    assert found is not None
    yield found
    found.engine.close()


def opened(userland: Userland) -> ImageSection:
    return ImageSection.open(f"{userland.directory}/ntdll.dll", ready.NTDLL, steady=True)


def test_it_is_taken_once() -> None:
    prepare("jail")
    found = take("jail", 8)
    assert found is not None and found.ntdll is None
    assert take("jail", 8) is None
    found.engine.close()


@pytest.mark.parametrize(("name", "word"), [("unicorn", 8), ("jail", 4)])
def test_what_was_prepared_for_other_programs_is_in_nobodys_way(name: str, word: int) -> None:
    prepare("jail")
    (prepared,) = ready._ready.values()
    assert isinstance(prepared.engine, JailEngine)
    pid = prepared.engine.child.pid
    assert take(name, word) is None
    assert not os.path.exists(f"/proc/{pid}")
    assert prepared.engine.child.placement not in placement._placements
    assert take("jail", 8) is None


def test_ntdll_lies_where_it_would(made: Ready, userland: Userland) -> None:
    ntdll = opened(userland)
    region = made.map_ntdll(ntdll)
    assert ntdll.image.image_base == region.base
    assert [region] == [r for r in made.space.regions() if r.kind == 0x1000000]
    assert any(code & ABSENT for code in region.pages)
    assert b"MZ" == made.space.read(region.base, 2)
    again = made.map_ntdll(ntdll)  # for a second process it would be another space: nothing is kept
    assert again is not region and again.base != region.base


def test_a_userland_that_has_been_replaced_is_mapped_anew(made: Ready, userland: Userland, tmp_path: Path) -> None:
    before = file_identity(os.open(f"{userland.directory}/ntdll.dll", os.O_RDONLY))
    shutil.copy(f"{userland.directory}/ntdll.dll", tmp_path / "new")
    os.rename(tmp_path / "new", f"{userland.directory}/ntdll.dll")
    ntdll = opened(userland)
    assert before != file_identity(ntdll.fd)
    region = made.map_ntdll(ntdll)
    assert region.source is ntdll
    assert ntdll.image.image_base == region.base
    assert 1 == sum(r.kind == 0x1000000 for r in made.space.regions())


def test_another_userlands_ntdll_is_its_own(made: Ready, tmp_path: Path) -> None:
    ntdll = ImageSection.open(find(os.environ).dll("ntdll.dll") or "", ready.NTDLL, steady=True)
    assert made.map_ntdll(ntdll).source is ntdll


def test_files_that_were_used_are_at_hand(userland: Userland) -> None:
    ImageSection.open(f"{userland.directory}/kernel32.dll", steady=True)
    gone = ImageSection.open(userland.dll("ntdll.dll") or "", steady=True)
    table = userland.native("l_intl.nls")
    assert table is not None
    fd = os.open(table, os.O_RDONLY)
    nls._known[table] = file_identity(fd)
    section._known[1, 2, 3] = section._Known((1, 2, 3), gone.image)  # the file was another then
    prepare("jail", userland)
    found = take("jail", 8)
    assert found is not None and isinstance(found.engine, JailEngine)
    before = found.engine.descriptors
    assert 3 == len(before)  # ntdll, kernel32, the table
    # A view of the table needs no descriptor of its own, and does not take the one there is along when it goes.
    for _ in range(2):
        view = NlsSection(os.dup(fd), os.fstat(fd).st_size, PAGE_READONLY, SEC_COMMIT)
        view.key = file_identity(fd)
        region, _ = view.map(found.space, 0, 0, 0, PAGE_READONLY)
        assert os.pread(fd, 100, 0) == found.space.read(region.base, 100)
        found.space.unmap(region)
        found.engine.settle()
    assert before == found.engine.descriptors
    found.engine.close()


def test_a_userland_without_its_ntdll_is_no_reason_to_fail(tmp_path: Path) -> None:
    prepare("jail", Userland(str(tmp_path), str(tmp_path)))
    found = take("jail", 8)
    assert found is not None and found.ntdll is None
    found.engine.close()


def test_emulation_can_be_prepared_too(userland: Userland) -> None:
    prepare("unicorn", userland)
    found = take("unicorn", 8)
    assert found is not None
    region = found.map_ntdll(opened(userland))
    assert b"MZ" == found.space.read(region.base, 2)
    found.engine.close()
