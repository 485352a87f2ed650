"""Registry keys: names, creation, enumeration, deletion, renaming, volatility."""

from __future__ import annotations

import pytest

from lswd.kernel.registry import Key, Registry
from lswd.kernel.registry.seed import SEED_TIME
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_CHILD_MUST_BE_VOLATILE,
    STATUS_INVALID_PARAMETER,
    STATUS_KEY_DELETED,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_OBJECT_PATH_SYNTAX_BAD,
)
from tests.unit.registry_trees import APPS, names, small_registry, status_of, value_names


@pytest.fixture
def registry() -> Registry:
    return small_registry()


@pytest.fixture
def apps(registry: Registry) -> Key:
    return registry.open(APPS)


# -- names


def test_a_full_name_is_found_whatever_its_case(registry: Registry) -> None:
    assert r"\REGISTRY\MACHINE\SOFTWARE\Apps\Editor" == registry.open(r"\registry\MACHINE\sOFTWARE\aPPS\EDITOR").path()


def test_a_key_is_one_object_however_it_is_named(registry: Registry, apps: Key) -> None:
    assert registry.open(APPS + r"\Editor") is registry.open("eDITOR", apps)


@pytest.mark.parametrize("name", ["\\Registry", "\\Registry\\", "\\\\Registry"])
def test_the_root_opens(registry: Registry, name: str) -> None:
    assert r"\REGISTRY" == registry.open(name).path()


def test_superfluous_backslashes_do_not_matter(registry: Registry, apps: Key) -> None:
    assert apps is registry.open("\\Registry\\\\Machine\\Software\\\\Apps\\")


def test_an_empty_relative_name_is_the_base(registry: Registry, apps: Key) -> None:
    assert apps is registry.open("", apps)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("Registry\\Machine", STATUS_OBJECT_PATH_SYNTAX_BAD),
        ("", STATUS_OBJECT_PATH_SYNTAX_BAD),
        ("\\Foo", STATUS_OBJECT_NAME_NOT_FOUND),
        ("\\Foo\\Bar", STATUS_OBJECT_PATH_NOT_FOUND),
        ("\\RegistryX\\Machine", STATUS_OBJECT_PATH_NOT_FOUND),
        ("\\Registry\\Foo", STATUS_OBJECT_NAME_NOT_FOUND),
        ("\\Registry\\Machine\\Nope\\x", STATUS_OBJECT_NAME_NOT_FOUND),
        ("\\Registry\\Machine\\" + "x" * 257, STATUS_INVALID_PARAMETER),
    ],
)
def test_a_name_that_leads_nowhere_says_why(registry: Registry, name: str, status: int) -> None:
    assert status == status_of(lambda: registry.open(name))


def test_a_relative_name_has_no_leading_backslash(registry: Registry, apps: Key) -> None:
    assert STATUS_OBJECT_PATH_SYNTAX_BAD == status_of(lambda: registry.open("\\Editor", apps))


def test_names_compare_as_nt_compares_them(registry: Registry, apps: Key) -> None:
    registry.create("Größe", apps)
    assert "Größe" == registry.open("GRÖßE", apps).name
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: registry.open("GRÖSSE", apps))


# -- creation


def test_a_created_key_keeps_its_spelling_and_class(registry: Registry, apps: Key) -> None:
    key, created = registry.create("NewOne", apps, class_name="Klass")
    assert (True, "NewOne", "Klass") == (created, key.name, key.class_name)
    assert key is registry.open(APPS + r"\NEWONE")


def test_creating_what_exists_opens_it(registry: Registry, apps: Key) -> None:
    key, created = registry.create("EDITOR", apps, class_name="other", volatile=True)
    assert (False, "Editor", "", False) == (created, key.name, key.class_name, key.volatile)


def test_creating_an_empty_name_opens_the_base(registry: Registry, apps: Key) -> None:
    assert (apps, False) == registry.create("", apps)


def test_only_the_last_component_is_created(registry: Registry, apps: Key) -> None:
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: registry.create(r"a\b", apps))
    assert ["Editor", "Player"] == names(apps)


def test_a_trailing_backslash_is_no_part_of_the_name(registry: Registry, apps: Key) -> None:
    assert "New" == registry.create("New\\", apps)[0].name


@pytest.mark.parametrize(("length", "status"), [(256, 0), (257, STATUS_INVALID_PARAMETER)])
def test_a_name_has_at_most_256_units(registry: Registry, apps: Key, length: int, status: int) -> None:
    assert status == status_of(lambda: registry.create("x" * length, apps))


def test_a_character_beyond_the_basic_plane_counts_as_two_units(registry: Registry, apps: Key) -> None:
    assert 0 == status_of(lambda: registry.create("\U0001f30e" * 128, apps))
    assert STATUS_INVALID_PARAMETER == status_of(lambda: registry.create("\U0001f30e" * 128 + "x", apps))


def test_nothing_is_created_directly_below_the_root(registry: Registry) -> None:
    assert STATUS_ACCESS_DENIED == status_of(lambda: registry.create(r"\Registry\New"))


def test_keys_nest_512_levels_deep_and_no_deeper(registry: Registry, apps: Key) -> None:
    key = apps
    for _ in range(512 - 4):
        key, _ = registry.create("d", key, volatile=True)
    assert STATUS_INVALID_PARAMETER == status_of(lambda: registry.create("d", key, volatile=True))


def test_creating_a_key_is_a_write_to_its_parent(registry: Registry, apps: Key) -> None:
    assert SEED_TIME == apps.last_write
    key, _ = registry.create("New", apps)
    assert SEED_TIME < apps.last_write == key.last_write


# -- enumeration


def test_subkeys_come_in_alphabetical_order_without_regard_to_case(registry: Registry, apps: Key) -> None:
    for name in ("b1", "A1", "_1", "Z1", "~1", "-1", "é", "é1"):
        registry.create(name, apps)
    assert ["-1", "A1", "b1", "Editor", "Player", "Z1", "_1", "~1", "é", "é1"] == names(apps)


def test_enumeration_ends_with_none(registry: Registry, apps: Key) -> None:
    found = [apps.subkey_at(index) for index in range(3)]
    assert ["Editor", "Player"] == [key.name for key in found if key is not None]
    assert (None, None) == (found[2], apps.subkey_at(-1))


def test_deleting_the_first_key_until_none_is_left_empties_a_key(registry: Registry, apps: Key) -> None:
    for number in range(20):
        registry.create(f"k{number}", apps)
    registry.open(r"Editor\Recent", apps).delete()
    while (key := apps.subkey_at(0)) is not None:
        key.delete()
    assert 0 == apps.info().subkeys


def test_info_counts_and_measures_in_bytes_of_utf16(registry: Registry, apps: Key) -> None:
    registry.create("Ünïversal \U0001f30e", apps, class_name="Klasse")
    apps.set_value("a longer name", 3, bytes(100))
    info = apps.info()
    assert (3, 24, 12) == (info.subkeys, info.max_name_length, info.max_class_length)
    assert (4, 26, 100) == (info.values, info.max_value_name_length, info.max_value_data_length)
    assert ("Apps", "", False, False) == (info.name, info.class_name, info.volatile, info.link)
    assert apps.last_write == info.last_write


def test_info_of_an_empty_key_is_all_zero(registry: Registry, apps: Key) -> None:
    info = registry.open("Player", apps).info()
    assert (0, 0, 0, 0, 0, 0) == (
        *(info.subkeys, info.max_name_length, info.max_class_length),
        *(info.values, info.max_value_name_length, info.max_value_data_length),
    )


# -- deletion


def test_a_deleted_key_is_gone(registry: Registry, apps: Key) -> None:
    registry.open("Player", apps).delete()
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: registry.open("Player", apps))
    assert ["Editor"] == names(apps)


def test_a_key_with_subkeys_stays(registry: Registry, apps: Key) -> None:
    assert STATUS_CANNOT_DELETE == status_of(registry.open("Editor", apps).delete)
    assert ["Editor", "Player"] == names(apps)


@pytest.mark.parametrize("name", [r"\Registry", r"\Registry\Machine", r"\Registry\User"])
def test_the_roots_stay(registry: Registry, name: str) -> None:
    assert STATUS_CANNOT_DELETE == status_of(registry.open(name).delete)


def test_an_open_key_knows_that_it_was_deleted(registry: Registry, apps: Key) -> None:
    key = registry.open("Player", apps)
    registry.open("Player", apps).delete()
    for action in (
        lambda: key.query_value(""),
        lambda: key.set_value("a", 1, b""),
        lambda: key.delete_value("a"),
        lambda: key.value_at(0),
        lambda: key.subkey_at(0),
        key.info,
        lambda: key.rename("x"),
        lambda: registry.open("", key),
        lambda: registry.open("x", key),
        lambda: registry.create("x", key),
        lambda: key.watch(lambda change: None),
        lambda: key.set_last_write(1),
    ):
        assert STATUS_KEY_DELETED == status_of(action)


def test_deleting_twice_is_no_error(registry: Registry, apps: Key) -> None:
    key = registry.open("Player", apps)
    key.delete()
    assert 0 == status_of(key.delete)


def test_a_key_made_anew_has_nothing_of_the_old_one(registry: Registry, apps: Key) -> None:
    editor = registry.open("Editor", apps)
    registry.open("Recent", editor).delete()
    editor.delete()
    fresh, created = registry.create("editor", apps)
    assert (True, "editor", [], []) == (created, fresh.name, value_names(fresh), names(fresh))
    assert STATUS_KEY_DELETED == status_of(editor.check)


# -- renaming


def test_a_renamed_key_takes_values_and_subkeys_along(registry: Registry, apps: Key) -> None:
    editor = registry.open("Editor", apps)
    recent = registry.open("Recent", editor)
    editor.rename("Writer")
    assert ["Player", "Writer"] == names(apps)
    assert editor is registry.open(APPS + r"\writer")
    assert APPS.upper() + r"\WRITER\RECENT" == recent.path().upper()
    assert ["", "Font"] == value_names(editor)
    assert "a.txt\0".encode("utf-16-le") == recent.query_value("1").data


def test_the_old_name_is_free_after_a_rename(registry: Registry, apps: Key) -> None:
    registry.open("Editor", apps).rename("Writer")
    key, created = registry.create("Editor", apps)
    assert (True, []) == (created, value_names(key))
    assert ["Editor", "Player", "Writer"] == names(apps)


def test_renaming_back_restores_the_name(registry: Registry, apps: Key) -> None:
    editor = registry.open("Editor", apps)
    editor.rename("Writer")
    editor.rename("Editor")
    assert editor is registry.open("Editor", apps)
    assert ["Editor", "Player"] == names(apps)


@pytest.mark.parametrize(
    ("name", "status"),
    [
        ("", STATUS_INVALID_PARAMETER),
        ("a\\b", STATUS_INVALID_PARAMETER),
        ("x" * 257, STATUS_INVALID_PARAMETER),
        ("Player", STATUS_CANNOT_DELETE),
        ("player", STATUS_CANNOT_DELETE),
        ("Editor", STATUS_CANNOT_DELETE),
        ("EDITOR", STATUS_CANNOT_DELETE),
    ],
)
def test_a_bad_new_name_is_refused(registry: Registry, apps: Key, name: str, status: int) -> None:
    assert status == status_of(lambda: registry.open("Editor", apps).rename(name))
    assert ["Editor", "Player"] == names(apps)


def test_the_roots_keep_their_names(registry: Registry) -> None:
    assert STATUS_CANNOT_DELETE == status_of(lambda: registry.open(r"\Registry\Machine").rename("M"))


# -- volatile keys


def test_a_volatile_key_has_volatile_subkeys_only(registry: Registry, apps: Key) -> None:
    key, _ = registry.create("Session", apps, volatile=True)
    assert STATUS_CHILD_MUST_BE_VOLATILE == status_of(lambda: registry.create("x", key))
    child, created = registry.create("x", key, volatile=True)
    assert (True, True, True) == (created, child.volatile, child.info().volatile)


def test_a_volatile_key_works_like_any_other(registry: Registry, apps: Key) -> None:
    key, _ = registry.create("Session", apps, volatile=True, class_name="c")
    key.set_value("User", 1, b"u\0\0\0")
    child, _ = registry.create("x", key, volatile=True)
    assert ["Editor", "Player", "Session"] == names(apps)
    assert STATUS_CANNOT_DELETE == status_of(key.delete)
    child.delete()
    key.rename("Sitting")
    assert key is registry.open("sitting", apps)
    assert ["User"] == value_names(key)
    key.delete_value("user")
    key.delete()
    assert ["Editor", "Player"] == names(apps)


def test_a_seeded_volatile_key_can_be_changed_and_deleted(registry: Registry) -> None:
    hardware = registry.open(r"\Registry\Machine\Hardware")
    cpu = registry.open("CPU", hardware)
    assert cpu.volatile
    cpu.set_value("MHz", 4, b"\1\0\0\0")
    assert b"\1\0\0\0" == registry.open("CPU", hardware).query_value("MHz").data
    assert STATUS_CHILD_MUST_BE_VOLATILE == status_of(lambda: registry.create("x", cpu))
    cpu.delete()
    assert [] == names(hardware)
    assert (True, []) == (
        registry.create("CPU", hardware, volatile=True)[1],
        value_names(registry.open("CPU", hardware)),
    )


def test_a_seeded_volatile_key_can_be_renamed(registry: Registry) -> None:
    cpu = registry.open(r"\Registry\Machine\Hardware\CPU")
    cpu.rename("Core")
    assert ["Core"] == names(registry.open(r"\Registry\Machine\Hardware"))
    assert ["MHz"] == value_names(cpu)
