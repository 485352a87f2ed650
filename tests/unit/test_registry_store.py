"""The registry's file: what is kept, what is not, and what other processes see."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.kernel.registry import Registry, RegistryError, snapshot
from lswd.kernel.registry.store import disconnect_all
from lswd.kernel.registry.values import REG_DWORD, REG_LINK, REG_SZ, encode_text
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DISK_FULL,
    STATUS_IO_TIMEOUT,
    STATUS_KEY_DELETED,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_REGISTRY_CORRUPT,
)
from tests.unit.registry_trees import APPS, names, settle, small_registry, small_seed, status_of, value_names

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    disconnect_all()


@pytest.fixture
def database(tmp_path: Path) -> Path:
    return tmp_path / "prefix" / "registry.sqlite"


@pytest.fixture
def one(database: Path) -> Iterator[Registry]:
    registry = small_registry(database)
    yield registry
    registry.close()


@pytest.fixture
def two(database: Path) -> Iterator[Registry]:
    registry = small_registry(database)
    yield registry
    registry.close()


def restarted(registry: Registry, database: Path) -> Registry:
    """The registry as the next launch finds it."""
    registry.close()
    return small_registry(database)


def python(script: str, *arguments: object) -> str:
    """Output of a script run by another interpreter."""
    command = [sys.executable, "-c", textwrap.dedent(script), *map(str, arguments)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, env=environment, check=True, capture_output=True, text=True, timeout=60).stdout


# -- what is written, and when


def test_reading_makes_no_file(one: Registry, database: Path) -> None:
    one.open(APPS).info()
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: one.open(APPS + r"\No"))
    assert not database.parent.exists()


def test_setting_what_is_there_already_makes_no_file(one: Registry, database: Path) -> None:
    apps = one.open(APPS)
    value = apps.query_value("Path")
    apps.set_value("PATH", value.type, value.data)
    one.create(APPS + r"\Editor")
    assert not database.exists()


def test_volatile_changes_make_no_file(one: Registry, database: Path) -> None:
    one.create(APPS + r"\Session", volatile=True)[0].set_value("a", REG_SZ, b"\0\0")
    one.open(r"\Registry\Machine\Hardware\CPU").set_value("MHz", REG_DWORD, b"\0\0\0\0")
    one.open(r"\Registry\Machine\Hardware\CPU").delete()
    assert not database.exists()


def test_the_file_is_private(one: Registry, database: Path) -> None:
    one.create(APPS + r"\New")
    assert 0o600 == database.stat().st_mode & 0o777


def test_only_what_differs_from_the_seeds_is_stored(one: Registry, database: Path) -> None:
    one.open(APPS + r"\Editor").set_value("Font", REG_SZ, b"x\0\0\0")
    one.close()
    with sqlite3.connect(database) as connection:
        stored = [name for (name,) in connection.execute("SELECT name FROM keys ORDER BY id")]
        assert ["REGISTRY", "MACHINE", "SOFTWARE", "Apps", "Editor"] == stored
        assert [("Font",)] == connection.execute("SELECT name FROM key_values").fetchall()
    connection.close()


def test_without_a_file_changes_last_as_long_as_the_registry() -> None:
    registry = small_registry()
    registry.create(APPS + r"\New")
    registry.close()
    registry.flush()
    assert ["Editor", "New", "Player"] == names(registry.open(APPS))
    assert ["Editor", "Player"] == names(small_registry().open(APPS))


# -- what the next launch finds


def test_keys_and_values_are_found_again(one: Registry, database: Path) -> None:
    key, _ = one.create(APPS + r"\New", class_name="Klass")
    key.set_value("A", REG_SZ, b"a\0\0\0")
    key.set_value("", 77, b"\1\2\3")
    time = key.last_write
    found = restarted(one, database).open(APPS + r"\new")
    assert ("New", "Klass", time) == (found.name, found.class_name, found.last_write)
    assert [("A", REG_SZ, b"a\0\0\0"), ("", 77, b"\1\2\3")] == [(v.name, v.type, v.data) for v in found.values()]


def test_changed_seeds_are_found_changed(one: Registry, database: Path) -> None:
    apps = one.open(APPS)
    apps.set_value("version", REG_DWORD, b"\2\0\0\0")
    apps.delete_value("Path")
    apps.set_value("More", REG_SZ, b"\0\0")
    found = restarted(one, database).open(APPS)
    assert ["Version", "Count", "More"] == value_names(found)
    assert b"\2\0\0\0" == found.query_value("Version").data
    assert ["Editor", "Player"] == names(found)


def test_deleted_seeds_stay_deleted(one: Registry, database: Path) -> None:
    one.open(APPS + r"\Editor\Recent").delete()
    one.open(APPS + r"\Editor").delete()
    registry = restarted(one, database)
    assert ["Player"] == names(registry.open(APPS))
    editor, created = registry.create(APPS + r"\Editor")
    assert (True, [], []) == (created, names(editor), value_names(editor))
    registry = restarted(registry, database)
    assert [] == value_names(registry.open(APPS + r"\Editor"))
    registry.open(APPS + r"\Editor").delete()
    assert ["Player"] == names(restarted(registry, database).open(APPS))


def test_renamed_keys_are_found_by_their_new_names(one: Registry, database: Path) -> None:
    one.open(APPS + r"\Editor").set_value("Size", REG_DWORD, b"\1\0\0\0")
    one.open(APPS + r"\Editor").rename("Writer")
    registry = restarted(one, database)
    assert ["Player", "Writer"] == names(registry.open(APPS))
    assert ["", "Font", "Size"] == value_names(registry.open(APPS + r"\Writer"))
    assert ["1"] == value_names(registry.open(APPS + r"\Writer\Recent"))


def test_links_are_found_as_links(one: Registry, database: Path) -> None:
    link, _ = one.create(APPS + r"\Link", link=True)
    link.set_value("SymbolicLinkValue", REG_LINK, encode_text(APPS + r"\Editor"))
    registry = restarted(one, database)
    assert "Editor" == registry.open(APPS + r"\Link").name
    assert registry.open(APPS + r"\Link", open_link=True).link


def test_a_renamed_seeded_link_is_still_a_link(one: Registry, database: Path) -> None:
    one.open(r"\Registry\Machine\System\CurrentControlSet", open_link=True).rename("Now")
    registry = restarted(one, database)
    assert "ControlSet001" == registry.open(r"\Registry\Machine\System\Now").name


def test_volatile_keys_are_gone(one: Registry, database: Path) -> None:
    one.create(APPS + r"\Kept")
    one.create(APPS + r"\Kept\Session", volatile=True)
    one.open(r"\Registry\Machine\Hardware\CPU").delete()
    registry = restarted(one, database)
    assert [] == names(registry.open(APPS + r"\Kept"))
    assert ["CPU"] == names(registry.open(r"\Registry\Machine\Hardware"))


def test_a_registry_can_be_used_after_it_was_closed(one: Registry) -> None:
    key, _ = one.create(APPS + r"\New")
    one.close()
    key.set_value("a", REG_SZ, b"\0\0")
    one.close()
    one.close()
    assert ["a"] == value_names(key)


def test_a_seed_that_a_later_version_lacks_keeps_what_the_user_put_there(one: Registry, database: Path) -> None:
    one.create(APPS + r"\Editor\Mine")[0].set_value("a", REG_SZ, b"\0\0")
    one.close()

    def leaner_seed() -> object:
        root = small_seed()
        del root.children["MACHINE"].children["SOFTWARE"].children["APPS"]
        return root

    registry = Registry(str(database), leaner_seed)  # type: ignore[arg-type]
    assert ["Mine"] == names(registry.open(APPS + r"\Editor"))
    assert ["a"] == value_names(registry.open(APPS + r"\Editor\Mine"))
    registry.close()


# -- several processes


def test_keys_of_another_process_are_seen(one: Registry, two: Registry) -> None:
    apps = two.open(APPS)
    one.create(APPS + r"\New")
    assert ["Editor", "New", "Player"] == names(apps)
    two.open(APPS + r"\New").set_value("a", REG_SZ, b"a\0\0\0")
    assert b"a\0\0\0" == one.open(APPS + r"\New").query_value("a").data


def test_values_of_another_process_are_seen_by_an_open_key(one: Registry, two: Registry) -> None:
    mine, other = one.open(APPS), two.open(APPS)
    mine.set_value("Count", REG_DWORD, b"\1\0\0\0")
    assert b"\1\0\0\0" == other.query_value("Count").data
    other.delete_value("Count")
    assert ["Version", "Path"] == value_names(mine)


def test_deletion_by_another_process_is_seen_by_an_open_key(one: Registry, two: Registry) -> None:
    player = two.open(APPS + r"\Player")
    one.create(APPS + r"\New")
    new = two.open(APPS + r"\New")
    one.open(APPS + r"\Player").delete()
    one.open(APPS + r"\New").delete()
    assert (STATUS_KEY_DELETED, STATUS_KEY_DELETED) == (status_of(player.check), status_of(new.check))
    one.create(APPS + r"\Player")
    assert STATUS_KEY_DELETED == status_of(player.check)
    assert [] == value_names(two.open(APPS + r"\Player"))


def test_renaming_by_another_process_is_seen_by_an_open_key(one: Registry, two: Registry) -> None:
    one.create(APPS + r"\New\\")
    one.create(APPS + r"\New\Below")
    new, below = two.open(APPS + r"\New"), two.open(APPS + r"\New\Below")
    one.open(APPS + r"\New").rename("Newer")
    below.check()
    assert r"\REGISTRY\MACHINE\SOFTWARE\Apps\Newer\Below" == below.path()
    assert new is two.open(APPS + r"\Newer")
    assert STATUS_OBJECT_NAME_NOT_FOUND == status_of(lambda: two.open(APPS + r"\New"))


def test_a_key_both_create_is_made_once(one: Registry, two: Registry) -> None:
    one.create(APPS + r"\First")  # both have looked at the file
    apps = two.open(APPS)
    apps.child("SAME")
    one.create(APPS + r"\Same")
    key, created = apps.create_child("same", "", False, False)
    assert ("Same", False) == (key.name, created)


def test_a_volatile_key_dies_with_the_key_above_it(one: Registry, two: Registry) -> None:
    one.create(APPS + r"\New")
    session, _ = two.create(APPS + r"\New\Session", volatile=True)
    one.open(APPS + r"\New").delete()
    assert STATUS_KEY_DELETED == status_of(session.check)


def test_a_file_that_goes_away_leaves_the_seeds(one: Registry, two: Registry, database: Path) -> None:
    one.open(APPS).set_value("Count", REG_DWORD, b"\1\0\0\0")
    one.create(APPS + r"\New")
    apps, new = two.open(APPS), two.open(APPS + r"\New")
    assert b"\1\0\0\0" == apps.query_value("Count").data
    two.close()
    one.close()
    database.unlink()
    assert b"\7\0\0\0" == apps.query_value("Count").data
    assert STATUS_KEY_DELETED == status_of(new.check)


def test_processes_at_work_together_lose_nothing(database: Path) -> None:
    script = """
        import sys
        from tests.unit.registry_trees import APPS, small_registry
        from pathlib import Path
        registry = small_registry(Path(sys.argv[1]), print)
        for number in range(40):
            key, _ = registry.create(f"{APPS}\\\\Shared{number}")
            key.set_value(sys.argv[2], 4, bytes(4))
        registry.flush()
    """
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", textwrap.dedent(script), str(database)]
    workers = [subprocess.Popen([*command, name], env=environment) for name in "abc"]
    assert [0, 0, 0] == [worker.wait(60) for worker in workers]
    registry = small_registry(database)
    for number in range(40):
        assert ["a", "b", "c"] == sorted(value_names(registry.open(f"{APPS}\\Shared{number}")))
    registry.close()


def test_a_killed_process_loses_nothing(database: Path) -> None:
    script = """
        import os, signal, sys
        from tests.unit.registry_trees import APPS, small_registry
        from pathlib import Path
        registry = small_registry(Path(sys.argv[1]))
        registry.create(APPS + "\\\\New")[0].set_value("a", 1, b"")
        registry.flush()
        registry.create(APPS + "\\\\Newer")
        if os.fork() == 0:
            os._exit(0)
        os.kill(os.getpid(), signal.SIGKILL)
    """
    with pytest.raises(subprocess.CalledProcessError):
        python(script, database)
    registry = small_registry(database)
    assert ["Editor", "New", "Newer", "Player"] == names(registry.open(APPS))
    assert ["a"] == value_names(registry.open(APPS + r"\New"))
    registry.close()


def test_a_forked_child_opens_the_file_anew(one: Registry) -> None:
    key, _ = one.create(APPS + r"\New")
    child = os.fork()
    if child == 0:
        try:
            key.set_value("child", REG_SZ, b"\0\0")
            one.close()
            os._exit(0)
        finally:
            os._exit(1)
    assert (child, 0) == os.waitpid(child, 0)
    key.set_value("parent", REG_SZ, b"\0\0")
    assert ["child", "parent"] == value_names(key)


# -- launch time


@pytest.fixture
def hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """Files count as settled at once."""
    monkeypatch.setattr(snapshot, "YOUNG_NS", 0)


LAUNCH = """
    import sys
    from pathlib import Path
    from lswd.kernel.registry import snapshot
    from tests.unit.registry_trees import APPS, names, small_registry
    snapshot.YOUNG_NS = 0
    registry = small_registry(Path(sys.argv[1]))
    print(*names(registry.open(APPS)), "sqlite3" in sys.modules)
"""


def test_seeded_keys_are_read_without_sqlite(database: Path) -> None:
    assert "Editor Player False\n" == python(LAUNCH, database)


def test_a_file_that_has_settled_is_read_without_sqlite(one: Registry, database: Path) -> None:
    one.create(APPS + r"\New")
    one.close()
    settle(database)
    assert "Editor New Player True\n" == python(LAUNCH, database)
    assert "Editor New Player False\n" == python(LAUNCH, database)


@pytest.mark.usefixtures("hasty")
def test_a_change_makes_the_side_file_stale(one: Registry, two: Registry, database: Path) -> None:
    one.create(APPS + r"\New")
    one.close()
    settle(database)
    assert ["Editor", "New", "Player"] == names(two.open(APPS))
    two.close()
    apps = one.open(APPS)  # from the side file
    assert ["Editor", "New", "Player"] == names(apps)
    two.create(APPS + r"\Newer")
    assert ["Editor", "New", "Newer", "Player"] == names(apps)
    one.create(APPS + r"\Newest")
    assert ["Editor", "New", "Newer", "Newest", "Player"] == names(two.open(APPS))


def test_a_file_just_written_gets_no_side_file(one: Registry, two: Registry, database: Path) -> None:
    one.create(APPS + r"\New")
    two.open(APPS)
    assert not Path(f"{database}.cache").exists()


@pytest.mark.parametrize("damage", [b"", b"\0" * 300, b"\xff" * 300, None])
@pytest.mark.usefixtures("hasty")
def test_a_damaged_side_file_is_ignored(one: Registry, database: Path, damage: bytes | None) -> None:
    one.create(APPS + r"\New")
    one.close()
    settle(database)
    small_registry(database).open(APPS)
    side = Path(f"{database}.cache")
    content = side.read_bytes()
    side.write_bytes(content[:-20] + bytes(20) if damage is None else damage)
    registry = small_registry(database)
    assert ["Editor", "New", "Player"] == names(registry.open(APPS))
    registry.close()


@pytest.mark.usefixtures("hasty")
def test_a_large_registry_is_not_copied_to_the_side_file(one: Registry, two: Registry, database: Path) -> None:
    one.create(APPS + r"\New")[0].set_value("large", 3, bytes(300_000))
    one.close()
    settle(database)
    assert 300_000 == len(two.open(APPS + r"\New").query_value("large").data)
    assert 10_000 > Path(f"{database}.cache").stat().st_size


# -- trouble


def broken(database: Path, content: bytes) -> tuple[RegistryError, list[str]]:
    """The error that opening a key gives when the file holds ``content``, which must stay there."""
    database.parent.mkdir()
    database.write_bytes(content)
    told: list[str] = []
    registry = small_registry(database, told.append)
    with pytest.raises(RegistryError) as error:
        registry.open(APPS)
    assert error.value.status == status_of(lambda: registry.create(APPS + r"\New"))
    assert error.value.status == status_of(lambda: registry.open(APPS))
    registry.close()
    assert content == database.read_bytes()
    return error.value, told


def test_a_file_that_is_no_database_is_reported_and_left_alone(database: Path) -> None:
    error, told = broken(database, b"Dear diary,\n" * 100)
    assert STATUS_REGISTRY_CORRUPT == error.status
    assert [
        f"{database} is not an SQLite database; it is left as it is: move it away to start with a fresh registry"
    ] == told
    assert told[0] == str(error) == error.message


def test_an_empty_file_is_reported(database: Path) -> None:
    assert STATUS_REGISTRY_CORRUPT == broken(database, b"")[0].status


def test_a_database_of_another_program_is_reported_and_left_alone(database: Path, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "other")
    other.execute("CREATE TABLE keys (id)")
    other.commit()
    other.close()
    error, told = broken(database, (tmp_path / "other").read_bytes())
    assert STATUS_REGISTRY_CORRUPT == error.status
    assert 1 == len(told) and "is not a registry of lswd" in told[0]


@pytest.mark.parametrize(
    ("sql", "told"),
    [
        ("PRAGMA user_version = 99", "another version"),
        ("DELETE FROM keys", "damaged"),
        ("DROP TABLE keys", "no such table"),
    ],
)
def test_a_registry_that_is_not_as_it_should_be_is_reported(one: Registry, database: Path, sql: str, told: str) -> None:
    one.create(APPS + r"\New")
    one.close()
    connection = sqlite3.connect(database, isolation_level=None)
    connection.execute(sql)
    connection.close()
    messages: list[str] = []
    registry = small_registry(database, messages.append)
    assert STATUS_REGISTRY_CORRUPT == status_of(lambda: registry.open(APPS))
    assert 1 == len(messages) and told in messages[0]


def test_torn_pages_are_reported(one: Registry, database: Path) -> None:
    key, _ = one.create(APPS + r"\New")
    for number in range(200):
        key.set_value(f"v{number}", 3, bytes(500))
    one.close()
    content = database.read_bytes()
    database.write_bytes(content[:100] + b"\xaa" * (len(content) - 100))
    messages: list[str] = []
    registry = small_registry(database, messages.append)
    assert STATUS_REGISTRY_CORRUPT == status_of(lambda: registry.open(APPS + r"\New").values())
    assert 1 == len(messages) and "malformed" in messages[0]


def test_a_repaired_file_is_used_again(one: Registry, database: Path) -> None:
    database.parent.mkdir()
    database.write_bytes(b"x")
    assert STATUS_REGISTRY_CORRUPT == status_of(lambda: one.open(APPS))
    database.unlink()
    assert ["Editor", "Player"] == names(one.open(APPS))


def test_a_place_where_no_file_can_be_made_is_reported(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    messages: list[str] = []
    registry = small_registry(tmp_path / "file" / "registry.sqlite", messages.append)
    assert STATUS_ACCESS_DENIED == status_of(lambda: registry.create(APPS + r"\New"))
    assert 1 == len(messages) and str(tmp_path / "file") in messages[0]


def test_a_locked_file_is_an_error_after_a_while_and_works_again(
    one: Registry, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lswd.kernel.registry.store.BUSY_SECONDS", 0.01)
    apps = one.open(APPS)
    one.create("First", apps)
    holder = sqlite3.connect(database, isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert STATUS_IO_TIMEOUT == status_of(lambda: one.create("New", apps))
    assert ["Editor", "First", "Player"] == names(apps)
    holder.execute("ROLLBACK")
    holder.close()
    assert one.create("New", apps)[1]


def test_a_full_disk_changes_nothing(one: Registry) -> None:
    apps = one.open(APPS)
    one.create("First", apps)
    connection = one.store._connection
    assert connection is not None
    connection.execute("PRAGMA max_page_count = 10")
    editor = one.open("Editor", apps)
    assert STATUS_DISK_FULL == status_of(lambda: editor.set_value("large", 3, bytes(1 << 20)))
    assert ["", "Font"] == value_names(editor)
    connection.execute("PRAGMA max_page_count = 100000")
    editor.set_value("large", 3, bytes(1 << 20))
    editor.rename("Writer")
    assert ["", "Font", "large"] == value_names(one.open("Writer", apps))


def test_a_failed_rename_leaves_the_key_as_it_was(one: Registry, two: Registry) -> None:
    apps = one.open(APPS)
    one.open("Editor", apps).set_value("large", 3, bytes(1 << 16))
    connection = one.store._connection
    assert connection is not None
    connection.execute("CREATE TEMP TRIGGER refuse BEFORE UPDATE OF fold ON keys BEGIN SELECT raise(ABORT, 'no'); END")
    editor = one.open("Editor", apps)
    assert 0 != status_of(lambda: editor.rename("Writer"))
    connection.execute("DROP TRIGGER refuse")
    for registry in (one, two):
        assert ["Editor", "Player"] == names(registry.open(APPS))
        assert ["", "Font", "large"] == value_names(registry.open(APPS + r"\Editor"))
        assert ["1"] == value_names(registry.open(APPS + r"\Editor\Recent"))
    editor.rename("Writer")
    assert ["Player", "Writer"] == names(two.open(APPS))


def test_flushing_nothing_is_no_error(one: Registry, database: Path) -> None:
    one.flush()
    one.open(APPS)
    one.flush()
    assert not database.exists()


def test_flushing_syncs_the_log(one: Registry, database: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    one.create(APPS + r"\New")
    one.flush()
    one.open(APPS)
    one.flush()
    assert [f"{database}-wal", str(database.parent)] == synced


def test_what_a_closed_registry_wrote_is_still_flushed(
    one: Registry, two: Registry, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one.create(APPS + r"\New")
    two.create(APPS + r"\Newer")  # keeps the log in use
    one.close()
    synced: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda fd: synced.append(os.readlink(f"/proc/self/fd/{fd}")))
    one.flush()
    assert [f"{database}-wal", str(database.parent)] == synced


def test_a_file_name_of_any_characters_works(tmp_path: Path) -> None:
    odd = tmp_path / os.fsdecode(b"a?b#c%20d \xff\xc3\xa9") / "r.sqlite"
    registry = small_registry(odd)
    registry.create(APPS + r"\New")
    assert ["Editor", "New", "Player"] == names(restarted(registry, odd).open(APPS))
    assert odd.exists()
