"""Locales, and the tables they rest on."""

from __future__ import annotations

import struct
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lswd.kernel.locale_names import lcid_of
from lswd.kernel.nls import EN_US, Locales
from lswd.ntdef.status import (
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PARAMETER_1,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
)

from .system_calls import Caller

NAMES = {"de-DE": 0x407, "fr": 0x0C, "sr-Latn-RS": 0x241A, "xx-Unnumbered": 0x1000, "nb-NO": 0x80000414}


@pytest.fixture
def tables(tmp_path: Path) -> dict[str, str]:
    """A userland's tables: the names of a few locales, and files that are only looked at."""
    strings, rows = b"", b""
    for name, lcid in NAMES.items():
        rows += struct.pack("<HHI", len(strings) // 2, 0, lcid)
        strings += struct.pack("<H", len(name)) + name.encode("utf-16-le") + b"\0\0"
    head = struct.pack("<4I24xH6xI12xI", 8, 0, 7, 0x5344534E, len(NAMES), 0x60, 0x60 + len(rows))
    locale = bytes(0x10) + struct.pack("<I", 0x40) + bytes(0x2C) + head.ljust(0x60, b"\0") + rows + strings
    (tmp_path / "locale.nls").write_bytes(locale)
    for name in ("c_1252.nls", "l_intl.nls", "sortdefault.nls", "normnfc.nls"):
        (tmp_path / name).write_bytes(name.encode() * 1000)
    (tmp_path / "c_037.nls").write_bytes(b"")
    return {path.name: str(path) for path in tmp_path.iterdir()}


@pytest.fixture
def caller(tables: dict[str, str]) -> Caller:
    return Caller(nls=tables)


@pytest.mark.parametrize(
    ("name", "lcid"),
    [("de-de", 0x407), ("fr", 0x40C), ("sr-Latn-RS", 0x241A), ("nb-NO", 0x414), ("xx-Unnumbered", 0), ("no-NO", 0)],
)
def test_a_locale_is_found_by_its_name(tables: dict[str, str], name: str, lcid: int) -> None:
    assert lcid == lcid_of(tables["locale.nls"], name)


@pytest.mark.parametrize("length", [0, 3, 0x30, 0x60, 0x90])
def test_a_damaged_table_names_nothing(tables: dict[str, str], length: int) -> None:
    path = Path(tables["locale.nls"])
    path.write_bytes(path.read_bytes()[:length])
    assert 0 == lcid_of(str(path), "de-DE")


@pytest.mark.parametrize(
    ("environment", "system", "user"),
    [
        ({}, EN_US, EN_US),
        ({"LANG": "C.UTF-8"}, EN_US, EN_US),
        ({"LANG": "de_DE.UTF-8"}, 0x407, 0x407),
        ({"LANG": "de_DE", "LC_MESSAGES": "fr"}, 0x407, 0x40C),
        ({"LANG": "de_DE", "LC_ALL": "fr.UTF-8"}, 0x40C, 0x40C),
        ({"LANG": "sr_RS@latin"}, 0x241A, 0x241A),
        ({"LANG": "qq_QQ"}, EN_US, EN_US),
        ({"LANG": "de_DE", "LC_ALL": ""}, 0x407, 0x407),
    ],
)
def test_the_locale_follows_the_hosts_environment(
    tables: dict[str, str], environment: dict[str, str], system: int, user: int
) -> None:
    found = Locales(cast(Any, SimpleNamespace(userland=SimpleNamespace(native=tables.get))), environment)
    assert (system, user) == (found.system_locale, found.user_locale)


def test_the_locale_table_is_mapped_and_measured(caller: Caller, tables: dict[str, str]) -> None:
    base, lcid, size = caller.cell(), caller.cell(size=4), caller.cell()
    assert STATUS_SUCCESS == caller.call("NtInitializeNlsFiles", base, lcid, size)
    content = Path(tables["locale.nls"]).read_bytes()
    assert len(content) == caller.number(size, 8)
    assert content == caller.process.space.read(caller.number(base, 8), len(content))


def section(caller: Caller, kind: int, number: int) -> tuple[int, int, int]:
    at, size = caller.cell(), caller.cell()
    status = caller.call("NtGetNlsSectionPtr", kind, number, 0, at, size)
    return status, caller.number(at, 8), caller.number(size, 8)


def test_a_table_is_mapped_once(caller: Caller) -> None:
    assert section(caller, 11, 1252) == section(caller, 11, 1252)
    assert section(caller, 11, 1252)[1] != section(caller, 10, 0)[1]


def test_a_table_cannot_be_written(caller: Caller) -> None:
    _, at, _ = section(caller, 12, 1)
    assert 0xC0000005 == caller.call("NtQuerySystemTime", at)


@pytest.mark.parametrize(
    ("kind", "number", "status"),
    [
        (11, 1253, STATUS_OBJECT_NAME_NOT_FOUND),  # no such file
        (11, 37, STATUS_OBJECT_NAME_NOT_FOUND),  # an empty one
        (11, 0x10000, STATUS_INVALID_PARAMETER),
        (12, 3, STATUS_OBJECT_NAME_NOT_FOUND),
        (9, 1, STATUS_OBJECT_NAME_NOT_FOUND),
        (99, 0, STATUS_INVALID_PARAMETER_1),
    ],
)
def test_what_is_no_table_is_refused(caller: Caller, kind: int, number: int, status: int) -> None:
    assert status == section(caller, kind, number)[0]


def test_the_default_locale_can_be_set_for_the_user(caller: Caller) -> None:
    cell = caller.cell(size=4)
    assert STATUS_SUCCESS == caller.call("NtSetDefaultLocale", 1, 0x407)
    assert STATUS_SUCCESS == caller.call("NtQueryDefaultLocale", 1, cell)
    assert 0x407 == caller.number(cell)


def test_the_language_of_user_interfaces_is_kept(caller: Caller) -> None:
    cell = caller.cell(size=4)
    assert STATUS_SUCCESS == caller.call("NtSetDefaultUILanguage", 0x40C)
    assert STATUS_SUCCESS == caller.call("NtQueryDefaultUILanguage", cell)
    assert 0x40C == caller.number(cell, 2)
    assert STATUS_SUCCESS == caller.call("NtQueryInstallUILanguage", cell)
    assert EN_US == caller.number(cell, 2)
