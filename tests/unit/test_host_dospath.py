"""DOS paths become absolute as on Windows.

The expected values are GetFullPathNameW's, except where Microsoft's documentation says otherwise than Wine does:
segments of several dots stay, ``\\\\?\\`` is verbatim, superscript digits name ports.
"""

from __future__ import annotations

import pytest

from lswd.host.dospath import (
    RtlPathTypeDriveAbsolute,
    RtlPathTypeDriveRelative,
    RtlPathTypeLocalDevice,
    RtlPathTypeRelative,
    RtlPathTypeRooted,
    RtlPathTypeRootLocalDevice,
    RtlPathTypeUncAbsolute,
    RtlPathTypeUnknown,
    dos_device_name,
    full_dos_path,
    is_dos_path,
    nt_path,
    path_type,
)

CWD = "C:\\windows\\system32"


@pytest.mark.parametrize(
    ("path", "full"),
    [
        ("foo", "C:\\windows\\system32\\foo"),
        (".\\foo", "C:\\windows\\system32\\foo"),
        ("..\\foo", "C:\\windows\\foo"),
        ("..\\..\\..\\foo", "C:\\foo"),
        (".", "C:\\windows\\system32"),
        ("..", "C:\\windows"),
        ("...", "C:\\windows\\system32\\"),
        (". ", "C:\\windows\\system32\\"),
        ("\\foo", "C:\\foo"),
        ("/foo", "C:\\foo"),
        ("C:foo", "C:\\windows\\system32\\foo"),
        ("c:foo", "C:\\windows\\system32\\foo"),
        ("C:", "C:\\windows\\system32"),
        ("c:..", "C:\\windows"),
        ("D:foo", "D:\\foo"),
        ("D:", "D:\\"),
        ("c:\\A", "c:\\A"),
        ("C:\\", "C:\\"),
        ("C:\\\\", "C:\\"),
        ("C:\\.", "C:\\"),
        ("C:\\..", "C:\\"),
        ("C:\\..\\..\\x", "C:\\x"),
        ("C:\\a\\b\\..\\..\\..", "C:\\"),
        ("C:/a//b\\\\c", "C:\\a\\b\\c"),
        ("C:\\a\\b/../c", "C:\\a\\c"),
        ("C:\\a\\.", "C:\\a"),
        ("C:\\a\\b\\..", "C:\\a"),
        ("C:\\a\\b\\..\\", "C:\\a\\"),
        ("C:\\a\\b\\\\", "C:\\a\\b\\"),
        ("1:b", "C:\\windows\\system32\\1:b"),
    ],
)
def test_paths_become_absolute(path: str, full: str) -> None:
    assert full == full_dos_path(path, CWD)


@pytest.mark.parametrize(
    ("path", "full"),
    [
        ("C:\\a.b.", "C:\\a.b"),
        ("C:\\a   ", "C:\\a"),
        ("C:\\a. .", "C:\\a"),
        ("C:\\a\\...", "C:\\a\\"),
        ("C:\\a\\ ", "C:\\a\\"),
        ("C:\\a\\.. ", "C:\\a\\"),
        ("C:\\a.\\b", "C:\\a\\b"),
        ("C:\\a \\b", "C:\\a \\b"),
        ("C:\\a. \\b", "C:\\a. \\b"),
        ("C:\\a .\\b", "C:\\a \\b"),
        ("C:\\a\\...\\b", "C:\\a\\...\\b"),
        ("C:\\a..\\b", "C:\\a..\\b"),
        ("C:\\a\\.b", "C:\\a\\.b"),
        ("C:\\a\\..b", "C:\\a\\..b"),
        ("   foo", "C:\\windows\\system32\\   foo"),
        ("C:\\a\\b.\\", "C:\\a\\b\\"),
    ],
)
def test_dots_and_spaces_at_the_end_go(path: str, full: str) -> None:
    assert full == full_dos_path(path, CWD)


@pytest.mark.parametrize(
    ("path", "device"),
    [
        ("nul", "nul"),
        ("NUL", "NUL"),
        ("NUL.txt", "NUL"),
        ("nul.txt.gz", "nul"),
        ("NUL:", "NUL"),
        ("NUL::", "NUL"),
        ("NUL: ", "NUL"),
        ("NUL :", "NUL"),
        ("NUL:foo", "NUL"),
        ("NUL  ", "NUL"),
        ("NUL .txt", "NUL"),
        ("con. .txt", "con"),
        ("C:\\a\\nul", "nul"),
        ("foo/nul", "nul"),
        ("C:nul", "nul"),
        ("\\nul", "nul"),
        ("COM1", "COM1"),
        ("com9.txt", "com9"),
        ("LPT1:", "LPT1"),
        ("COM\u00b9", "COM\u00b9"),
        ("AUX", "AUX"),
        ("PRN", "PRN"),
        ("CONIN$", "CONIN$"),
        ("conout$:", "conout$"),
        ("C:\\a\\CONIN$.txt", "CONIN$"),
    ],
)
def test_reserved_names_are_devices(path: str, device: str) -> None:
    assert device == dos_device_name(path)
    assert "\\\\.\\" + device == full_dos_path(path, CWD)


@pytest.mark.parametrize(
    "path",
    ["COM0", "COM10", "COM", "CONERR$", " nul", "nul\\", "nul\\foo", "nulx", "x.nul", "\\\\.\\nul", "\\\\s\\h\\nul"],
)
def test_other_names_are_not_devices(path: str) -> None:
    assert None is dos_device_name(path)


@pytest.mark.parametrize(
    ("path", "full"),
    [
        ("\\\\.\\nul", "\\\\.\\nul"),
        ("\\\\.\\nul.txt", "\\\\.\\nul.txt"),
        ("\\\\.\\pipe\\x.", "\\\\.\\pipe\\x"),
        ("\\\\.\\C:\\a\\..\\b.", "\\\\.\\C:\\b"),
        ("\\\\.\\C:\\a\\..\\..\\b", "\\\\.\\C:\\b"),
        ("\\\\.", "\\\\.\\"),
        ("\\\\.\\C:", "\\\\.\\C:"),
        ("\\\\?\\C:\\a\\..\\b.", "\\\\?\\C:\\a\\..\\b."),
        ("\\\\?\\C:\\a/b\\nul", "\\\\?\\C:\\a/b\\nul"),
        ("\\??\\C:\\a\\b. ", "\\\\?\\C:\\a\\b. "),
        ("//?/C:/a/../b", "\\\\?\\C:\\b"),
        ("\\\\server\\share", "\\\\server\\share"),
        ("\\\\server\\share\\", "\\\\server\\share\\"),
        ("\\\\server\\share\\..\\x", "\\\\server\\share\\x"),
        ("\\\\server\\share\\a\\..\\..\\..\\x", "\\\\server\\share\\x"),
        ("//server/share/a", "\\\\server\\share\\a"),
        ("\\\\server", "\\\\server"),
        ("\\\\server\\share\\nul", "\\\\server\\share\\nul"),
    ],
)
def test_device_verbatim_and_unc_paths(path: str, full: str) -> None:
    assert full == full_dos_path(path, CWD)


def test_each_drive_has_its_own_current_directory() -> None:
    others = {"D": "D:\\work", "C": "C:\\elsewhere"}
    assert "D:\\work\\x" == full_dos_path("d:x", CWD, others)
    assert "D:\\work" == full_dos_path("D:", CWD, others)
    assert "C:\\windows\\system32\\x" == full_dos_path("C:x", CWD, others)


def test_relative_paths_start_from_a_share_too() -> None:
    cwd = "\\\\server\\share\\dir"
    assert "\\\\server\\share\\dir\\x" == full_dos_path("x", cwd)
    assert "\\\\server\\share\\x" == full_dos_path("\\x", cwd)
    assert "\\\\server\\share\\x" == full_dos_path("..\\..\\x", cwd)


def test_relative_paths_start_from_a_root() -> None:
    assert "Z:\\x" == full_dos_path("x", "Z:\\")
    assert "Z:\\x" == full_dos_path("\\x", "Z:\\")
    assert "Z:\\" == full_dos_path("Z:", "Z:\\")


@pytest.mark.parametrize("path", ["", " ", "   ", "a\0b"])
def test_paths_that_are_none_are_refused(path: str) -> None:
    with pytest.raises(ValueError, match="the path"):
        full_dos_path(path, CWD)


@pytest.mark.parametrize(
    ("full", "name"),
    [
        ("C:\\a\\b", "\\??\\C:\\a\\b"),
        ("\\\\.\\NUL", "\\??\\NUL"),
        ("\\\\?\\C:\\a.", "\\??\\C:\\a."),
        ("\\\\server\\share\\a", "\\??\\UNC\\server\\share\\a"),
    ],
)
def test_absolute_paths_have_nt_names(full: str, name: str) -> None:
    assert name == nt_path(full)


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("", RtlPathTypeUnknown),
        ("\\\\server\\share", RtlPathTypeUncAbsolute),
        ("//server", RtlPathTypeUncAbsolute),
        ("\\\\.x", RtlPathTypeUncAbsolute),
        ("C:\\", RtlPathTypeDriveAbsolute),
        ("c:/x", RtlPathTypeDriveAbsolute),
        ("C:", RtlPathTypeDriveRelative),
        ("C:x", RtlPathTypeDriveRelative),
        ("\\x", RtlPathTypeRooted),
        ("\\??\\C:\\x", RtlPathTypeRooted),
        ("x", RtlPathTypeRelative),
        ("1:\\x", RtlPathTypeRelative),
        ("\\\\.\\x", RtlPathTypeLocalDevice),
        ("\\\\?\\x", RtlPathTypeLocalDevice),
        ("\\\\.", RtlPathTypeRootLocalDevice),
        ("\\\\?", RtlPathTypeRootLocalDevice),
    ],
)
def test_path_types(path: str, kind: int) -> None:
    assert kind == path_type(path)


def test_a_program_is_a_dos_path_by_its_looks() -> None:
    dos = [
        "C:\\x.exe",
        "c:x.exe",
        "C:/x.exe",
        "\\x.exe",
        "\\\\s\\h\\x.exe",
        "\\\\?\\C:\\x.exe",
        "bin\\x.exe",
        ".\\x.exe",
    ]
    host = ["x.exe", "./x.exe", "/usr/x.exe", "../x.exe", "./c:x", "dir/we\\ird.exe", "", "//x/y"]
    assert dos == [path for path in dos + host if is_dos_path(path)]
