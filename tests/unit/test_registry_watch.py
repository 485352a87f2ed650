"""Notification of changes to registry keys."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.kernel.registry import Key, Registry
from lswd.kernel.registry.values import REG_SZ
from lswd.kernel.registry.watch import CHANGE_ATTRIBUTES, CHANGE_LAST_SET, CHANGE_NAME
from tests.unit.registry_trees import APPS, small_registry


@pytest.fixture
def registry(tmp_path: Path) -> Iterator[Registry]:
    registry = small_registry(tmp_path / "registry.sqlite")
    yield registry
    registry.close()


@pytest.fixture
def other(tmp_path: Path) -> Iterator[Registry]:
    registry = small_registry(tmp_path / "registry.sqlite")
    yield registry
    registry.close()


@pytest.fixture
def apps(registry: Registry) -> Key:
    return registry.open(APPS)


def test_a_watch_hears_of_values_and_subkeys(registry: Registry, apps: Key) -> None:
    heard: list[int] = []
    apps.watch(heard.append)
    apps.set_value("a", REG_SZ, b"")
    apps.delete_value("a")
    key, _ = registry.create("New", apps)
    key.rename("Newer")
    key.delete()
    apps.set_last_write(5)
    assert [
        *(CHANGE_LAST_SET, CHANGE_LAST_SET, CHANGE_NAME, CHANGE_NAME, CHANGE_NAME),
        CHANGE_ATTRIBUTES,
    ] == heard


def test_a_watch_hears_what_it_asked_for(registry: Registry, apps: Key) -> None:
    heard: list[int] = []
    apps.watch(heard.append, CHANGE_NAME)
    apps.set_value("a", REG_SZ, b"")
    registry.create("New", apps)
    assert [CHANGE_NAME] == heard


def test_a_watch_without_its_subtree_hears_of_the_key_only(registry: Registry, apps: Key) -> None:
    heard: list[int] = []
    apps.watch(heard.append)
    registry.open("Editor", apps).set_value("a", REG_SZ, b"")
    registry.create(r"Editor\New", apps)
    assert [] == heard


def test_a_watch_on_a_subtree_hears_of_each_change_once(registry: Registry, apps: Key) -> None:
    heard: list[int] = []
    apps.watch(heard.append, subtree=True)
    recent = registry.open(r"Editor\Recent", apps)
    recent.set_value("2", REG_SZ, b"")
    recent.delete()
    registry.create(r"Editor\Session", apps, volatile=True)
    assert [CHANGE_LAST_SET, CHANGE_NAME, CHANGE_NAME] == heard


def test_a_cancelled_watch_hears_nothing(apps: Key) -> None:
    heard: list[int] = []
    watch = apps.watch(heard.append)
    watch.cancel()
    watch.cancel()
    apps.set_value("a", REG_SZ, b"")
    assert [] == heard


def test_a_watch_may_cancel_itself_while_it_is_called(apps: Key) -> None:
    heard: list[int] = []

    def once(change: int) -> None:
        heard.append(change)
        watch.cancel()

    watch = apps.watch(once)
    apps.set_value("a", REG_SZ, b"")
    apps.set_value("b", REG_SZ, b"")
    assert [CHANGE_LAST_SET] == heard


def test_deletion_of_the_key_itself_is_heard_whatever_was_asked_for(registry: Registry, apps: Key) -> None:
    player = registry.open("Player", apps)
    heard: list[tuple[int, bool]] = []
    player.watch(lambda change: heard.append((change, player.deleted)), CHANGE_LAST_SET)
    player.delete()
    assert [(CHANGE_NAME, True)] == heard


def test_the_version_grows_with_each_change(registry: Registry, apps: Key) -> None:
    versions = [apps.version]
    apps.set_value("a", REG_SZ, b"")
    versions.append(apps.version)
    registry.create("New", apps)
    versions.append(apps.version)
    apps.query_value("a")
    assert [0, 1, 2] == [version - versions[0] for version in versions]
    assert 2 == apps.version - versions[0]


def test_changes_by_another_process_come_with_a_poll(registry: Registry, other: Registry, apps: Key) -> None:
    heard: list[int] = []
    apps.watch(heard.append)
    other.open(APPS).set_value("a", REG_SZ, b"")
    assert [] == heard
    registry.poll()
    registry.poll()
    assert [CHANGE_NAME | CHANGE_LAST_SET] == heard


def test_changes_elsewhere_by_another_process_are_not_the_keys(registry: Registry, other: Registry, apps: Key) -> None:
    heard: list[str] = []
    apps.watch(lambda change: heard.append("key"))
    registry.open("Player", apps).watch(lambda change: heard.append("subtree"), subtree=True)
    other.open(APPS + r"\Editor").set_value("a", REG_SZ, b"")
    registry.poll()
    assert ["subtree"] == heard


def test_own_changes_are_not_heard_again_with_a_poll(registry: Registry, other: Registry, apps: Key) -> None:
    heard: list[int] = []
    apps.watch(heard.append)
    apps.set_value("a", REG_SZ, b"")
    registry.poll()
    other.open(APPS + r"\Player").set_value("a", REG_SZ, b"")
    registry.poll()
    assert [CHANGE_LAST_SET] == heard


def test_what_happened_before_the_watch_is_not_heard(registry: Registry, other: Registry, apps: Key) -> None:
    other.open(APPS).set_value("a", REG_SZ, b"")
    heard: list[int] = []
    apps.watch(heard.append, subtree=True)
    registry.poll()
    assert [] == heard


def test_deletion_by_another_process_comes_with_a_poll(registry: Registry, other: Registry) -> None:
    player = registry.open(APPS + r"\Player")
    heard: list[int] = []
    player.watch(heard.append)
    other.open(APPS + r"\Player").delete()
    registry.poll()
    registry.poll()
    assert ([CHANGE_NAME], True) == (heard, player.deleted)


def test_a_poll_without_watches_reads_nothing(tmp_path: Path) -> None:
    database = tmp_path / "registry.sqlite"
    database.write_bytes(b"not a database")
    registry = small_registry(database)
    registry.poll()
    assert b"not a database" == database.read_bytes()
