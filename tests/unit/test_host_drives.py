"""DOS paths lead to host files, and nowhere else."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lswd.host.drives import Drives, Overlay
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_NOT_A_DIRECTORY,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_REPARSE_POINT_NOT_RESOLVED,
    NtError,
    status_name,
)


def failure(drives: Drives, path: str, *, follow_last: bool = True) -> str:
    """Name of the status that resolving ``path`` fails with."""
    with pytest.raises(NtError) as error:
        drives.resolve(path, follow_last=follow_last)
    return status_name(error.value.status)


PATH_NOT_FOUND = status_name(STATUS_OBJECT_PATH_NOT_FOUND)
NAME_INVALID = status_name(STATUS_OBJECT_NAME_INVALID)
ACCESS_DENIED = status_name(STATUS_ACCESS_DENIED)


@pytest.fixture
def c(tmp_path: Path) -> Path:
    root = tmp_path / "prefix/c"
    (root / "temp/Sub Dir").mkdir(parents=True)
    (root / "temp/a.TXT").write_text("a")
    return root


@pytest.fixture(params=[False, True], ids=["confined", "with Z:"])
def drives(request: pytest.FixtureRequest, c: Path) -> Drives:
    return Drives({"C": str(c), "Z": "/"} if request.param else {"C": str(c)})


@pytest.fixture
def confined(c: Path) -> Drives:
    return Drives({"C": str(c)})


def test_a_file_is_found_by_its_own_name(drives: Drives, c: Path) -> None:
    found = drives.resolve("C:\\temp\\a.TXT")
    assert str(c / "temp/a.TXT") == found.host
    assert "C:\\temp\\a.TXT" == found.dos
    assert found.exists
    assert "C" == found.letter
    assert not found.overlay
    assert not found.must_be_directory
    assert not found.is_directory
    assert found.stat is not None
    assert 1 == found.stat.st_size


def test_a_file_is_found_whatever_the_case_and_told_as_on_disk(drives: Drives, c: Path) -> None:
    found = drives.resolve("c:\\TEMP\\sub dir")
    assert str(c / "temp/Sub Dir") == found.host
    assert "C:\\temp\\Sub Dir" == found.dos
    assert found.is_directory
    assert "C:\\temp\\a.TXT" == drives.resolve("C:\\Temp\\A.txt").dos


def test_of_names_that_differ_by_case_the_exact_one_wins(drives: Drives, c: Path) -> None:
    for name in ("xY", "Xy", "xy"):
        (c / name).touch()
    assert ["xY", "Xy", "xy", "Xy"] == [
        os.path.basename(drives.resolve(f"C:\\{name}").host) for name in ("xY", "Xy", "xy", "XY")
    ]


def test_a_new_name_is_kept_as_given_in_the_directory_found(drives: Drives, c: Path) -> None:
    found = drives.resolve("C:\\TEMP\\New File")
    assert not found.exists
    assert None is found.stat
    assert str(c / "temp/New File") == found.host
    assert "C:\\temp\\New File" == found.dos


def test_a_file_made_after_a_miss_is_found(drives: Drives, c: Path) -> None:
    assert not drives.resolve("C:\\TEMP\\B").exists
    (c / "temp/b").touch()
    assert "C:\\temp\\b" == drives.resolve("C:\\TEMP\\B").dos


def test_the_root_is_a_directory(drives: Drives, c: Path) -> None:
    for path in ("C:\\", "c:", "C:\\\\"):
        found = drives.resolve(path)
        assert (str(c), "C:\\", True) == (found.host, found.dos, found.is_directory)


def test_the_root_of_z_is_the_hosts() -> None:
    drives = Drives({"Z": "/"})
    assert "/" == drives.resolve("Z:\\").host
    assert "/etc/passwd" == drives.resolve("Z:\\ETC\\passwd").host
    assert "/nothing-of-that-name" == drives.resolve("Z:\\nothing-of-that-name").host


def test_missing_drives_and_directories_are_missing_paths(drives: Drives) -> None:
    paths = ["Q:\\", "Q:\\a", "C:\\none\\a", "C:\\temp\\none\\a\\b", "C:\\temp\\a.TXT\\x", "C:\\temp\\A.txt\\x"]
    assert [PATH_NOT_FOUND] * len(paths) == [failure(drives, path) for path in paths]


def test_a_drive_whose_root_is_gone_is_a_missing_path(tmp_path: Path) -> None:
    drives = Drives({"D": str(tmp_path / "gone")})
    assert [PATH_NOT_FOUND] * 2 == [failure(drives, path) for path in ("D:\\", "D:\\x")]


def test_doubled_backslashes_count_once_and_a_last_one_wants_a_directory(drives: Drives, c: Path) -> None:
    found = drives.resolve("C:\\\\temp\\\\sub dir\\")
    assert ("C:\\temp\\Sub Dir", True) == (found.dos, found.must_be_directory)
    missing = drives.resolve("C:\\temp\\new\\")
    assert (str(c / "temp/new"), False, True) == (missing.host, missing.exists, missing.must_be_directory)
    assert NAME_INVALID == failure(drives, "C:\\temp\\a.TXT\\")


@pytest.mark.parametrize(
    "path",
    ["", "C", "temp", "\\temp", "C:temp", "1:\\a", "CC:\\a", "\u00e9:\\a", "C:\\.", "C:\\..", "C:\\temp\\..\\temp"]
    + ["C:\\temp\\.\\a.TXT", "C:\\temp/a.TXT", "C:\\a\0b", "C:\\a\nb", "C:\\temp\\lone\ud800", "C:\\" + "n" * 256]
    + [f"C:\\temp\\a{char}" for char in '<>"|?*']
    + ["C:\\temp\\a.TXT:stream", "C:\\temp:x\\a.TXT", "C:\\temp\\a.TXT:", "C:\\::$DATA", "C:\\temp\\a.TXT::$DATA\\"],
)
def test_names_nt_refuses_are_refused(drives: Drives, path: str) -> None:
    assert NAME_INVALID == failure(drives, path)


def test_the_unnamed_stream_is_the_file(drives: Drives) -> None:
    assert "C:\\temp\\a.TXT" == drives.resolve("C:\\temp\\A.txt::$data").dos
    assert status_name(STATUS_FILE_IS_A_DIRECTORY) == failure(drives, "C:\\temp::$DATA")


def test_dots_and_spaces_at_the_end_are_literal(drives: Drives, c: Path) -> None:
    assert not drives.resolve("C:\\temp\\a.TXT.").exists
    (c / "temp/a.TXT.").touch()
    assert str(c / "temp/a.TXT.") == drives.resolve("C:\\temp\\a.TXT.").host
    assert str(c / "temp/a.TXT.") == drives.resolve("C:\\temp\\A.txt\uf02e").host


def test_names_too_long_for_the_host_do_not_exist(drives: Drives) -> None:
    assert not drives.resolve("C:\\temp\\" + "\u4e2d" * 200).exists
    assert PATH_NOT_FOUND == failure(drives, "C:\\temp\\" + "\u4e2d" * 200 + "\\x")
    assert PATH_NOT_FOUND == failure(drives, "C:" + "\\temp" * 6000)


def test_host_names_windows_forbids_open_by_their_guest_spelling(drives: Drives, c: Path) -> None:
    raw = os.fsencode(c / "temp") + b"/12:30 \xff?"
    with open(raw, "wb"):
        pass
    directory = drives.resolve("C:\\temp")
    name = next(entry.name for entry in drives.list_directory(directory) if entry.name.startswith("12"))
    assert "12\uf03a30 \uf1ff\uf03f" == name
    found = drives.resolve(f"C:\\TEMP\\{name}")
    assert (raw, True, f"C:\\temp\\{name}") == (os.fsencode(found.host), found.exists, found.dos)


def test_links_within_the_drives_are_followed(c: Path, tmp_path: Path) -> None:
    (tmp_path / "data/deep").mkdir(parents=True)
    (tmp_path / "data/deep/file").touch()
    (c / "relative").symlink_to("temp/Sub Dir")
    (c / "absolute").symlink_to(tmp_path / "data")
    drives = Drives({"C": str(c), "D": str(tmp_path / "data")})
    assert drives.resolve("C:\\RELATIVE").is_directory
    found = drives.resolve("C:\\Absolute\\DEEP\\File")
    assert ("C:\\absolute\\deep\\file", str(tmp_path / "data/deep/file")) == (found.dos, found.host)


def test_links_out_of_the_drives_are_denied(confined: Drives, c: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/file").touch()
    (tmp_path / "prefix/c2").mkdir()
    (c / "up").symlink_to("../../secret")
    (c / "file").symlink_to("/etc/passwd")
    (c / "root").symlink_to("/")
    (c / "sibling").symlink_to("../c2")
    (c / "chain").symlink_to("temp/../up")
    (c / "new").symlink_to("../not-yet")
    paths = ["C:\\up", "C:\\up\\file", "C:\\UP\\new", "C:\\file", "C:\\root\\etc\\passwd", "C:\\sibling"]
    paths += ["C:\\chain\\file", "C:\\new"]
    assert [ACCESS_DENIED] * len(paths) == [failure(confined, path) for path in paths]


def test_the_same_links_are_fine_with_z_mapped(c: Path) -> None:
    (c / "file").symlink_to("/etc/passwd")
    (c / "root").symlink_to("/")
    drives = Drives({"C": str(c), "Z": "/"})
    assert drives.resolve("C:\\file").exists
    assert "C:\\root\\etc\\passwd" == drives.resolve("C:\\ROOT\\ETC\\passwd").dos


def test_a_link_may_be_meant_itself(drives: Drives, c: Path) -> None:
    (c / "Link").symlink_to("/etc/passwd")
    (c / "Dangling").symlink_to("/nonexistent/x")
    for name in ("Link", "Dangling"):
        found = drives.resolve(f"C:\\{name.upper()}", follow_last=False)
        assert (str(c / name), f"C:\\{name}", True) == (found.host, found.dos, found.exists)


def test_a_link_that_leads_nowhere_is_a_new_file_at_its_target(drives: Drives, c: Path) -> None:
    (c / "Dangling").symlink_to("temp/target")
    found = drives.resolve("C:\\dangling")
    assert (str(c / "temp/target"), "C:\\Dangling", False) == (found.host, found.dos, found.exists)
    (c / "gone").symlink_to("none/target")
    assert PATH_NOT_FOUND == failure(drives, "C:\\gone")
    assert PATH_NOT_FOUND == failure(drives, "C:\\gone\\x")


def test_links_in_a_circle_are_an_error_and_no_loop(drives: Drives, c: Path) -> None:
    (c / "one").symlink_to("two")
    (c / "two").symlink_to("one")
    (c / "self").symlink_to("self/x")
    expected = status_name(STATUS_REPARSE_POINT_NOT_RESOLVED)
    assert [expected] * 3 == [failure(drives, path) for path in ("C:\\one", "C:\\TWO\\x", "C:\\self\\x")]


def test_a_drive_root_may_be_reached_through_a_link(c: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(c)
    (c / "inner").symlink_to(c / "temp")
    drives = Drives({"C": str(tmp_path / "link")})
    assert "C:\\temp\\a.TXT" == drives.resolve("C:\\Temp\\A.TXT").dos
    assert drives.resolve("C:\\inner\\a.TXT").exists
    assert "C:\\temp\\a.TXT" == drives.to_dos(str(c / "temp/a.TXT"))
    assert "C:\\temp\\a.TXT" == drives.to_dos(str(tmp_path / "link/temp/a.TXT"))


@pytest.fixture(scope="module")
def jail(tmp_path_factory: pytest.TempPathFactory) -> str:
    root = tmp_path_factory.mktemp("jail") / "root"
    (root / "a/b").mkdir(parents=True)
    (root / "a/.. ").mkdir()
    (root / "out").symlink_to("..")
    (root / "a/in").symlink_to("../a")
    return str(root)


COMPONENT = st.sampled_from(["a", "A", "b", "out", "OUT", "in", "..", "..\uf020"]) | st.text(
    "ab.\\/: \uf02e\uf020\uf02f\uf0ff\uf05c\u00e9", max_size=5
)


@given(st.lists(COMPONENT, max_size=6), st.booleans())
def test_no_path_escapes_the_root(jail: str, parts: list[str], follow_last: bool) -> None:
    try:
        found = Drives({"C": jail}).resolve("C:\\" + "\\".join(parts), follow_last=follow_last)
    except NtError:
        return
    assert os.path.normpath(found.host) == found.host
    directory = os.path.realpath(found.host if found.host == jail else os.path.dirname(found.host))
    assert directory == jail or directory.startswith(jail + "/")


@pytest.fixture
def userland(tmp_path: Path) -> Path:
    directory = tmp_path / "userland"
    directory.mkdir()
    for name in ("kernel32.dll", "ntdll.dll", "C_1252.NLS"):
        (directory / name).write_text("userland")
    return directory


def overlay(userland: Path, prefix: str = "C:\\Windows\\System32") -> Overlay:
    files = {name.lower(): name for name in os.listdir(userland)}
    return Overlay(
        prefix,
        lambda name: str(userland / files[name]) if name in files else None,
        lambda: sorted(files.values()),
    )


@pytest.fixture(params=[False, True], ids=["confined", "with Z:"])
def layered(request: pytest.FixtureRequest, c: Path, userland: Path) -> Drives:
    (c / "windows/system32").mkdir(parents=True)
    return Drives({"C": str(c), "Z": "/"} if request.param else {"C": str(c)}, [overlay(userland)])


def test_a_missing_file_comes_from_the_overlay(layered: Drives, userland: Path) -> None:
    found = layered.resolve("C:\\WINDOWS\\system32\\KERNEL32.dll")
    assert str(userland / "kernel32.dll") == found.host
    assert "C:\\Windows\\System32\\kernel32.dll" == found.dos
    assert found.overlay
    assert found.exists
    assert str(userland / "C_1252.NLS") == layered.resolve("C:\\windows\\system32\\c_1252.nls").host


def test_a_real_file_goes_before_the_overlay(layered: Drives, c: Path) -> None:
    (c / "windows/system32/Kernel32.DLL").touch()
    found = layered.resolve("C:\\windows\\system32\\kernel32.dll")
    assert (str(c / "windows/system32/Kernel32.DLL"), False) == (found.host, found.overlay)


def test_new_files_beside_the_overlay_are_the_hosts(layered: Drives, c: Path) -> None:
    found = layered.resolve("C:\\windows\\system32\\new.dll")
    assert (str(c / "windows/system32/new.dll"), False, False) == (found.host, found.exists, found.overlay)
    assert not layered.resolve("C:\\windows\\kernel32.dll").exists
    assert PATH_NOT_FOUND == failure(layered, "C:\\windows\\system32\\kernel32.dll\\x")


def test_an_overlay_does_not_need_its_directory(c: Path, userland: Path) -> None:
    drives = Drives({"C": str(c)}, [overlay(userland)])
    found = drives.resolve("C:\\windows\\system32\\ntdll.dll")
    assert ("C:\\Windows\\System32\\ntdll.dll", "C", True) == (found.dos, found.letter, found.overlay)
    assert PATH_NOT_FOUND == failure(drives, "C:\\windows\\system32\\other.dll")


def test_the_first_overlay_that_knows_a_name_supplies_it(c: Path, userland: Path, tmp_path: Path) -> None:
    supplements = tmp_path / "supplements"
    supplements.mkdir()
    for name in ("ntdll.dll", "more.dll"):
        (supplements / name).touch()
    drives = Drives({"C": str(c)}, [overlay(userland), overlay(supplements, "c:\\windows\\system32\\")])
    hosts = [drives.resolve(f"C:\\windows\\system32\\{name}.dll").host for name in ("ntdll", "more")]
    assert [str(userland / "ntdll.dll"), str(supplements / "more.dll")] == hosts


def test_an_overlay_file_that_is_gone_does_not_exist(layered: Drives, userland: Path) -> None:
    (userland / "ntdll.dll").unlink()
    assert not layered.resolve("C:\\windows\\system32\\ntdll.dll").exists


def test_a_listing_is_sorted_and_merged_with_the_overlay(layered: Drives, c: Path, userland: Path) -> None:
    system32 = c / "windows/system32"
    (system32 / "Zoo").mkdir()
    (system32 / "KERNEL32.DLL").touch()
    (system32 / "a_b").touch()
    (system32 / "ab").touch()
    entries = layered.list_directory(layered.resolve("C:\\windows\\SYSTEM32"))
    assert [
        ("ab", str(system32 / "ab"), False),
        ("a_b", str(system32 / "a_b"), False),
        ("C_1252.NLS", str(userland / "C_1252.NLS"), True),
        ("KERNEL32.DLL", str(system32 / "KERNEL32.DLL"), False),
        ("ntdll.dll", str(userland / "ntdll.dll"), True),
        ("Zoo", str(system32 / "Zoo"), False),
    ] == [(entry.name, entry.host, entry.overlay) for entry in entries]


def test_every_listed_name_opens(layered: Drives, c: Path) -> None:
    system32 = c / "windows/system32"
    for name in ("a:b", "end.", "end ", "Case", "case", "\uf03a", "tab\t", "caf\u00e9"):
        (system32 / name).touch()
    directory = layered.resolve("C:\\windows\\system32")
    for entry in layered.list_directory(directory):
        assert entry.host == layered.resolve(f"{directory.dos}\\{entry.name}").host


def test_only_directories_can_be_listed(drives: Drives) -> None:
    with pytest.raises(NtError) as error:
        drives.list_directory(drives.resolve("C:\\temp\\a.TXT"))
    assert STATUS_NOT_A_DIRECTORY == error.value.status
    with pytest.raises(NtError) as error:
        drives.list_directory(drives.resolve("C:\\temp\\none"))
    assert STATUS_OBJECT_PATH_NOT_FOUND == error.value.status


def test_the_root_of_z_can_be_listed() -> None:
    drives = Drives({"Z": "/"})
    entries = drives.list_directory(drives.resolve("Z:\\"))
    assert "/etc" in [entry.host for entry in entries]


def test_host_paths_have_a_dos_spelling_on_the_deepest_drive(c: Path, tmp_path: Path) -> None:
    drives = Drives({"C": str(c), "D": str(c / "temp"), "Z": "/"})
    there = "Z:" + str(tmp_path).replace("/", "\\")
    assert "C:\\" == drives.to_dos(str(c))
    assert "C:\\x" == drives.to_dos(f"{c}/x/")
    assert "D:\\a.TXT" == drives.to_dos(f"{c}/temp/a.TXT")
    assert "Z:\\" == drives.to_dos("/")
    assert "Z:\\usr\\bin" == drives.to_dos("//usr//bin/.")
    assert f"{there}\\prefix\\cx" == drives.to_dos(f"{c}x")
    assert f"{there}\\a\uf03ab" == drives.to_dos(f"{tmp_path}/a:b")
    assert f"{there}\\prefix" == drives.to_dos(f"{c}/temp/../..")


def test_relative_host_paths_start_from_the_current_directory(c: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(c / "temp")
    drives = Drives({"C": str(c)})
    assert "C:\\temp\\a.TXT" == drives.to_dos("a.TXT")
    assert "C:\\temp" == drives.to_dos(".")
    assert "C:\\" == drives.to_dos("..")
    assert "C:\\temp" == drives.to_dos("")


def test_dotdot_through_a_link_is_where_the_link_leads(c: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(c / "temp/Sub Dir")
    drives = Drives({"C": str(c), "Z": "/"})
    assert "C:\\temp\\a.TXT" == drives.to_dos(f"{tmp_path}/link/../a.TXT")


def test_a_path_as_written_is_enough_if_asked_for(c: Path, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(c)
    drives = Drives({"C": str(c), "Z": "/"})
    path = f"{tmp_path}/link/temp"
    assert "C:\\temp" == drives.to_dos(path)
    assert "Z:" + path.replace("/", "\\") == drives.to_dos(path, as_written=True)
    assert "C:\\temp" == Drives({"C": str(c)}).to_dos(path, as_written=True)


def test_a_link_to_a_program_keeps_its_own_name(c: Path, tmp_path: Path) -> None:
    (tmp_path / "tool").symlink_to(c / "temp/a.TXT")
    drives = Drives({"C": str(c), "Z": "/"})
    assert "Z:" + str(tmp_path / "tool").replace("/", "\\") == drives.to_dos(str(tmp_path / "tool"))


def test_host_paths_on_no_drive_have_no_dos_spelling(confined: Drives) -> None:
    with pytest.raises(NtError) as error:
        confined.to_dos("/etc/passwd")
    assert STATUS_OBJECT_PATH_NOT_FOUND == error.value.status


def test_letters_and_roots(c: Path) -> None:
    drives = Drives({"z": "/", "C": f"{c}/"})
    assert ["C", "Z"] == drives.letters()
    assert str(c) == drives.root("c")
    with pytest.raises(NtError):
        drives.root("Q")
    with pytest.raises(ValueError, match="not a drive letter"):
        Drives({"1": "/"})


def test_to_dos_and_resolve_agree(drives: Drives, c: Path) -> None:
    for host in (c, c / "temp", c / "temp/a.TXT", c / "temp/Sub Dir"):
        assert str(host) == drives.resolve(drives.to_dos(str(host))).host
