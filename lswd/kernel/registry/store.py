"""The registry's file: rows for keys and values that differ from the seeds.

The file appears with the first change. Every change is a transaction of its own in write-ahead-log mode with
``synchronous=NORMAL``: a crash of ours loses nothing, a power failure at most what NtFlushKey has not acknowledged.
Several processes may use the file at once; ``poll`` notices what the others did. SQLite is loaded when the file exists
and ``snapshot`` cannot answer for it. A file that is not ours or is damaged is reported and never touched.
"""

from __future__ import annotations

import os

from lswd.kernel.registry import database, snapshot
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_DISK_FULL,
    STATUS_IO_TIMEOUT,
    STATUS_REGISTRY_CORRUPT,
    STATUS_REGISTRY_IO_FAILED,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from sqlite3 import Connection
    from types import TracebackType
    from typing import Any

    from lswd.kernel.registry.snapshot import KeyRow, Keys, Stamp, ValueRow, Values

BUSY_SECONDS = 10.0


class RegistryError(NtError):
    """The registry's file cannot be used. ``message`` says why and what to do, for the log."""

    __slots__ = ("message",)

    def __init__(self, status: int, message: str) -> None:
        super().__init__(status)
        self.message = message

    def __str__(self) -> str:
        return self.message


class Transaction:
    """One change. Use as a context manager; statements see everything committed so far by anybody."""

    def __init__(self, store: Store, connection: Connection) -> None:
        self._store = store
        self._connection = connection
        self._undo: list[Callable[[], None]] = []

    def __enter__(self) -> Transaction:
        self.execute("BEGIN IMMEDIATE")
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, tb: TracebackType | None) -> None:
        if kind is None:
            try:
                self.execute("COMMIT")
                self._store.committed()
                return
            except NtError:
                self._roll_back()
                raise
        self._roll_back()

    def _roll_back(self) -> None:
        try:
            self.execute("ROLLBACK")
        except NtError:
            pass  # SQLite has rolled back by itself, as it does when the disk is full
        for undo in reversed(self._undo):
            undo()
        self._store.generation += 1

    def on_rollback(self, undo: Callable[[], None]) -> None:
        """Call ``undo`` if the transaction fails."""
        self._undo.append(undo)

    def execute(self, sql: str, *parameters: object) -> int:
        """Run a statement; the row it inserted."""
        try:
            return self._connection.execute(sql, parameters).lastrowid or 0
        except self._store.sqlite_error as error:
            raise self._store.failure(error) from error


class Store:
    """The file, or nothing (``path`` None: changes last as long as the Store).

    Attributes:
        generation: grows whenever rows may have changed by other hands than the caller's.
    """

    def __init__(self, path: str | None, report: Callable[[str], None] | None = None) -> None:
        self.generation = 0
        self.sqlite_error: type[Exception] = NtError
        self._path = path
        self._report = report
        self._reported: set[str] = set()
        self._connection: Connection | None = None
        self._data_version = 0
        self._stamp: Stamp | None = None
        self._snapshot: tuple[Keys, Values] | None = None
        self._failed: RegistryError | None = None
        self._unsynced = False

    def __del__(self) -> None:
        if self._connection is not None:
            self._connection.close()

    # -- reading

    def poll(self) -> int:
        """Notice what other processes have done; the present generation.

        Raises:
            RegistryError: the file cannot be used.
        """
        if self._connection is not None:
            version = self._query("PRAGMA data_version")[0][0]
            if version != self._data_version:
                self._data_version = version
                self.generation += 1
        elif self._path is not None:
            try:
                current = snapshot.stamp(self._path)
            except OSError as error:
                message = f"cannot use the registry {self._path}: {error.strerror}"
                raise self._fail(STATUS_ACCESS_DENIED, message) from None
            if current != self._stamp:
                self._stamp = current
                self._failed = None
                self._snapshot = None
                self.generation += 1
                if current is not None:
                    self._snapshot = snapshot.load(self._path, current)
                    if self._snapshot is None:
                        self._connect_for_reading()
            elif self._failed is not None:
                raise self._failed
        return self.generation

    def _connect_for_reading(self) -> None:
        try:
            self._connect()
        except RegistryError as error:
            if error.status == STATUS_REGISTRY_CORRUPT:
                self._failed = error  # until the file changes
            else:
                self._stamp = None  # try again at the next poll
            raise

    @property
    def root(self) -> int | None:
        """Row of the root key, if anything is stored."""
        return database.ROOT if self._connection is not None or self._snapshot is not None else None

    def keys(self, parent: int) -> Sequence[KeyRow]:
        """Rows of a key's subkeys, tombstones included."""
        if self._snapshot is not None:
            return self._snapshot[0].get(parent, ())
        return self._query(f"SELECT {snapshot.KEY_COLUMNS} FROM keys WHERE parent = ?", parent)

    def values(self, key: int) -> Sequence[ValueRow]:
        """Rows of a key's values in order of insertion."""
        if self._snapshot is not None:
            return self._snapshot[1].get(key, ())
        return self._query(f"SELECT {snapshot.VALUE_COLUMNS} FROM key_values WHERE key = ? ORDER BY rowid", key)

    def _query(self, sql: str, *parameters: object) -> list[Any]:
        assert self._connection is not None
        try:
            return self._connection.execute(sql, parameters).fetchall()
        except self.sqlite_error as error:
            raise self.failure(error) from error

    # -- writing

    def transaction(self) -> Transaction:
        """Start a change; the file is made if there is none.

        Raises:
            RegistryError: the file cannot be used.
        """
        if self._connection is None:
            self.poll()
        if self._connection is None:
            if self._path is not None and self._stamp is None:
                self._create(self._path)
            self._connect()
        assert self._connection is not None
        return Transaction(self, self._connection)

    def flush(self) -> None:
        """Return when everything committed so far survives a power failure.

        Raises:
            RegistryError: the disk refuses.
        """
        if not self._unsynced or self._path is None:
            return  # nothing was changed from here
        try:
            for name in (self._path + "-wal", os.path.dirname(self._path) or "."):
                try:
                    fd = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
                except FileNotFoundError:
                    continue  # no log: what was in it has been synced into the database
                try:
                    os.fsync(fd)
                finally:
                    os.close(fd)
        except OSError as error:
            message = f"cannot flush the registry {self._path}: {error.strerror}"
            raise self._fail(STATUS_REGISTRY_IO_FAILED, message) from None
        self._unsynced = False

    def committed(self) -> None:
        """A transaction was: ``flush`` has something to do."""
        self._unsynced = True

    def disconnect(self) -> None:
        """Close the file; the next use opens it again. A Store without a file keeps its rows."""
        if self._connection is None or self._path is None:
            return
        _connected.discard(self)
        connection, self._connection = self._connection, None
        self._stamp = None
        self._failed = None
        self.generation += 1
        try:
            connection.close()
        except self.sqlite_error:
            pass  # everything is committed

    # -- opening

    def _create(self, path: str) -> None:
        import sqlite3

        try:
            database.create(path)
        except OSError as error:
            raise self._fail(STATUS_ACCESS_DENIED, f"cannot create the registry {path}: {error.strerror}") from None
        except sqlite3.Error as error:
            raise self.failure(error) from error

    def _connect(self) -> None:
        import sqlite3

        self.sqlite_error = sqlite3.Error
        self._snapshot = None
        path = self._path
        try:
            if path is None:
                connection = sqlite3.connect(":memory:", isolation_level=None, check_same_thread=False)
                database.make_tables(connection)
            else:
                if not database.is_database(path):
                    raise self._fail(STATUS_REGISTRY_CORRUPT, f"{path} is not an SQLite database; {_ADVICE}")
                connection = self._open(path)
            self._data_version = connection.execute("PRAGMA data_version").fetchone()[0]
        except OSError as error:
            raise self._fail(STATUS_ACCESS_DENIED, f"cannot open the registry {path}: {error.strerror}") from None
        except sqlite3.Error as error:
            raise self.failure(error) from error
        self._connection = connection
        self.generation += 1
        if path is not None:
            _watch_forks()
            _connected.add(self)
            self._save_snapshot(connection, path)

    def _open(self, path: str) -> Connection:
        import sqlite3

        name = database.uri(path)
        connection = sqlite3.connect(
            name, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False
        )
        try:
            connection.execute("PRAGMA synchronous = NORMAL")
            problem = database.problem(connection)
            if problem:
                raise self._fail(STATUS_REGISTRY_CORRUPT, f"{path} {problem}; {_ADVICE}")
        except BaseException:
            connection.close()
            raise
        return connection

    def _save_snapshot(self, connection: Connection, path: str) -> None:
        """Leave the rows for the next launch, unless somebody is writing just now."""
        try:
            connection.execute("PRAGMA busy_timeout = 0")
            try:
                connection.execute("BEGIN IMMEDIATE")
                try:
                    snapshot.save(path, connection)
                finally:
                    connection.execute("ROLLBACK")
            finally:
                connection.execute(f"PRAGMA busy_timeout = {int(BUSY_SECONDS * 1000)}")
        except (self.sqlite_error, OSError):
            pass

    # -- failing

    def failure(self, error: Exception) -> RegistryError:
        """What an SQLite error means to the guest and to the user."""
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        status = _STATUSES.get(code, STATUS_REGISTRY_IO_FAILED)
        advice = f"; {_ADVICE}" if status == STATUS_REGISTRY_CORRUPT else ""
        return self._fail(status, f"cannot use the registry {self._path}: {error}{advice}")

    def _fail(self, status: int, message: str) -> RegistryError:
        if self._report is not None and message not in self._reported:
            self._reported.add(message)
            self._report(message)
        return RegistryError(status, message)


_ADVICE = "it is left as it is: move it away to start with a fresh registry"

# Primary result codes of SQLite (sqlite3.h).
_STATUSES = {
    1: STATUS_REGISTRY_CORRUPT,  # SQLITE_ERROR: the tables are not as they should be
    3: STATUS_ACCESS_DENIED,  # SQLITE_PERM
    5: STATUS_IO_TIMEOUT,  # SQLITE_BUSY
    8: STATUS_ACCESS_DENIED,  # SQLITE_READONLY
    11: STATUS_REGISTRY_CORRUPT,  # SQLITE_CORRUPT
    13: STATUS_DISK_FULL,  # SQLITE_FULL
    14: STATUS_ACCESS_DENIED,  # SQLITE_CANTOPEN
    26: STATUS_REGISTRY_CORRUPT,  # SQLITE_NOTADB
}

_connected: set[Store] = set()
_watching_forks = False


def _watch_forks() -> None:
    """An open SQLite database must not be carried over a fork (https://www.sqlite.org/howtocorrupt.html, 2.6)."""
    global _watching_forks
    if not _watching_forks:
        _watching_forks = True
        os.register_at_fork(before=disconnect_all)


def disconnect_all() -> None:
    """Close the files of all Stores; each opens its own again when it is used."""
    for store in tuple(_connected):
        store.disconnect()
