"""Registry values: types, names, order, limits."""

from __future__ import annotations

import pytest

from lswd.kernel.registry import Key, Registry
from lswd.kernel.registry.key import MAX_VALUE_SIZE
from lswd.kernel.registry.seed import SEED_TIME
from lswd.kernel.registry.values import (
    REG_BINARY,
    REG_DWORD,
    REG_EXPAND_SZ,
    REG_LINK,
    REG_MULTI_SZ,
    REG_NONE,
    REG_SZ,
    Expand,
    Link,
    decode_text,
    encode,
)
from lswd.ntdef.status import STATUS_INSUFFICIENT_RESOURCES, STATUS_INVALID_PARAMETER, STATUS_OBJECT_NAME_NOT_FOUND
from tests.unit.registry_trees import APPS, small_registry, status_of, value_names


@pytest.fixture
def registry() -> Registry:
    return small_registry()


@pytest.fixture
def apps(registry: Registry) -> Key:
    return registry.open(APPS)


@pytest.mark.parametrize(
    ("plain", "kind", "data"),
    [
        ("ab", REG_SZ, b"a\0b\0\0\0"),
        ("", REG_SZ, b"\0\0"),
        ("\ud800", REG_SZ, b"\x00\xd8\0\0"),
        (Expand("%a%"), REG_EXPAND_SZ, b"%\0a\0%\0\0\0"),
        (Link("\\a"), REG_LINK, b"\\\0a\0"),
        (0x12345678, REG_DWORD, b"\x78\x56\x34\x12"),
        (b"\1\2", REG_BINARY, b"\1\2"),
        (["a", "b"], REG_MULTI_SZ, b"a\0\0\0b\0\0\0\0\0"),
        ([], REG_MULTI_SZ, b"\0\0"),
    ],
)
def test_seed_data_has_the_type_and_bytes_windows_gives_it(plain: str | int | bytes, kind: int, data: bytes) -> None:
    assert (kind, data) == encode(plain)


def test_text_of_odd_length_loses_its_last_byte() -> None:
    assert "ab" == decode_text(b"a\0b\0c")


def test_seeded_values_come_in_their_order(apps: Key) -> None:
    assert ["Version", "Path", "Count"] == value_names(apps)


def test_a_value_is_found_whatever_the_case(apps: Key) -> None:
    value = apps.query_value("cOUNT")
    assert ("Count", REG_DWORD, b"\7\0\0\0") == (value.name, value.type, value.data)


def test_the_default_value_has_the_empty_name(registry: Registry, apps: Key) -> None:
    assert "Editor\0" == decode_text(registry.open("Editor", apps).query_value("").data)
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: apps.query_value(""))


def test_new_values_come_after_the_old_ones(apps: Key) -> None:
    for name in ("zebra", "ant", "", "a\\b"):
        apps.set_value(name, REG_SZ, b"\0\0")
    assert ["Version", "Path", "Count", "zebra", "ant", "", "a\\b"] == value_names(apps)


def test_a_replaced_value_keeps_its_place_and_spelling(apps: Key) -> None:
    apps.set_value("VERSION", REG_DWORD, b"\2\0\0\0")
    value = apps.value_at(0)
    assert value is not None
    assert ("Version", REG_DWORD, b"\2\0\0\0") == (value.name, value.type, value.data)


def test_enumeration_ends_with_none(apps: Key) -> None:
    assert (None, None) == (apps.value_at(3), apps.value_at(-1))


@pytest.mark.parametrize("kind", [REG_NONE, REG_MULTI_SZ, 11, 12345, 0xFFFFFFFF])
def test_any_type_and_any_bytes_are_kept(apps: Key, kind: int) -> None:
    apps.set_value("odd", kind, b"\xff\0\xfe")
    value = apps.query_value("odd")
    assert (kind, b"\xff\0\xfe") == (value.type, value.data)


def test_a_value_may_be_empty(apps: Key) -> None:
    apps.set_value("nothing", REG_NONE, b"")
    assert b"" == apps.query_value("nothing").data


def test_a_deleted_value_is_gone(apps: Key) -> None:
    apps.set_value("mine", REG_SZ, b"\0\0")
    apps.delete_value("MINE")
    apps.delete_value("path")
    assert ["Version", "Count"] == value_names(apps)
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: apps.query_value("Path"))
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: apps.delete_value("Path"))


def test_a_deleted_seeded_value_can_be_set_again(apps: Key) -> None:
    apps.delete_value("Path")
    apps.set_value("PATH", REG_SZ, b"p\0\0\0")
    assert ("PATH", b"p\0\0\0") == (apps.query_value("path").name, apps.query_value("path").data)


@pytest.mark.parametrize(("length", "status"), [(16383, 0), (16384, STATUS_INVALID_PARAMETER)])
def test_a_name_has_at_most_16383_units(apps: Key, length: int, status: int) -> None:
    assert status == status_of(lambda: apps.set_value("v" * length, REG_SZ, b"\0\0"))
    assert (3 if status else 4) == apps.info().values


def test_a_name_too_long_to_exist_is_simply_not_there(apps: Key) -> None:
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: apps.query_value("v" * 16384))


def test_a_large_value_is_kept(apps: Key) -> None:
    data = bytes(range(256)) * 4096 * 3
    apps.set_value("large", REG_BINARY, data)
    assert data == apps.query_value("large").data


def test_a_value_beyond_the_limit_is_refused(apps: Key) -> None:
    status = status_of(lambda: apps.set_value("huge", REG_BINARY, bytes(MAX_VALUE_SIZE + 1)))
    assert STATUS_INSUFFICIENT_RESOURCES == status
    assert ["Version", "Path", "Count"] == value_names(apps)


def test_changing_values_changes_the_time(apps: Key) -> None:
    apps.set_value("Count", REG_DWORD, b"\7\0\0\0")
    first = apps.last_write
    assert SEED_TIME < first
    apps.delete_value("Count")
    assert first <= apps.last_write


def test_the_time_can_be_set(registry: Registry, apps: Key) -> None:
    apps.set_last_write(12345)
    assert 12345 == registry.open(APPS).info().last_write


@pytest.mark.parametrize("name", ["nul\0inside", "half \ud800 pair", "\udc00\ud800", "emoji \U0001f30e", "é"])
def test_odd_names_are_kept(registry: Registry, apps: Key, name: str) -> None:
    key, _ = registry.create(name, apps)
    key.set_value(name, REG_SZ, b"\0\0")
    registry.store.generation += 1  # as if another process had written: everything is read again
    assert name == registry.open(name, apps).query_value(name).name
