"""The store's contents in a side file, so that a launch reads the registry without loading SQLite.

``registry.sqlite.cache`` holds all rows of a small database and the *stamp* of the database files they were read from.
Whoever finds the stamp unchanged may use the rows instead of the database. Any doubt means: use the database.

Why a stamp proves that nothing changed: every commit writes the database file or its write-ahead log, and rows and
stamp are taken together under the write lock (``Store`` holds it), so no commit can be half way. A commit in the same
tick of the file system's clock as an earlier one could leave a stamp as it was, so young files are not trusted.
"""

from __future__ import annotations

import marshal
import os
import time

from lswd.host.regular_file import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sqlite3 import Connection

    # (id, fold, name, seeded, deleted, link, class_name, last_write)
    KeyRow = tuple[int, str | bytes, str | bytes, int, int, int, str | bytes | None, int | None]
    # (fold, name, type, data); type None: a seeded value that was deleted
    ValueRow = tuple[str | bytes, str | bytes, int | None, bytes | None]
    Stamp = tuple[int, ...]
    Keys = dict[int, list[KeyRow]]
    Values = dict[int, list[ValueRow]]

KEY_COLUMNS = "id, fold, name, seeded, deleted, link, class_name, last_write"
VALUE_COLUMNS = "fold, name, type, data"

_MAGIC = "lswd registry 1"
_MAX_BYTES = 256 << 10
_MAX_ROWS = 4096
YOUNG_NS = 100_000_000
"""Many ticks of a file system's clock, which is the kernel's timer (1 to 10 ms)."""
_PRIME = (1 << 61) - 1


def stamp(database: str) -> Stamp | None:
    """Identity, sizes and times of last change of the database and its log; None when there is no database.

    The time is the inode's own (ctime): every write sets it, and nobody can set it back.

    Raises:
        OSError: the file cannot be looked at.
    """
    try:
        file = os.stat(database)
    except FileNotFoundError:
        return None
    try:
        log = os.stat(database + "-wal")
    except FileNotFoundError:
        return (file.st_dev, file.st_ino, file.st_size, file.st_ctime_ns, 0, 0)
    # An empty log is what opening and closing the database makes and removes: the same contents as no log.
    return (file.st_dev, file.st_ino, file.st_size, file.st_ctime_ns, log.st_size, log.st_size and log.st_ctime_ns)


def load(database: str, current: Stamp) -> tuple[Keys, Values] | None:
    """Rows of all keys by parent and of all values by key, if the side file is good for the stamp ``current``."""
    try:
        with open(open_regular(database + ".cache"), "rb", buffering=0) as file:
            content = file.read(2 * _MAX_BYTES)
        if content[:8] != _checksum(content[8:]):
            return None
        magic, saved, keys, values = marshal.loads(content[8:])
    except (OSError, ValueError, EOFError, TypeError):
        return None
    return (keys, values) if magic == _MAGIC and saved == current else None


def save(database: str, connection: Connection) -> None:
    """Write the side file for the database as it is now; nothing happens when it is too large or too young.

    The caller holds the write lock.
    """
    current = stamp(database)
    if current is None or time.time_ns() - max(current[3], current[5]) < YOUNG_NS:
        return
    rows, size = connection.execute("SELECT count(*), total(length(data)) FROM key_values").fetchone()
    if rows > _MAX_ROWS or size > _MAX_BYTES:
        return
    keys: Keys = {}
    for parent, *row in connection.execute(f"SELECT parent, {KEY_COLUMNS} FROM keys LIMIT {_MAX_ROWS + 1}"):
        keys.setdefault(parent, []).append(tuple(row))
    if sum(map(len, keys.values())) > _MAX_ROWS:
        return
    values: Values = {}
    for key, *value in connection.execute(f"SELECT key, {VALUE_COLUMNS} FROM key_values ORDER BY rowid"):
        values.setdefault(key, []).append(tuple(value))
    body = marshal.dumps((_MAGIC, current, keys, values))
    if len(body) > _MAX_BYTES:
        return
    temporary = f"{database}.{os.getpid()}.cache"
    try:
        with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb", buffering=0) as file:
            file.write(_checksum(body) + body)
        os.replace(temporary, database + ".cache")
    except OSError:  # a cache that cannot be written is no reason to fail
        try:
            os.unlink(temporary)
        except OSError:
            pass


def _checksum(body: bytes) -> bytes:
    """Tells a page lost in a power failure; zlib and binascii would cost more to import than all the rest."""
    return (int.from_bytes(body, "little") % _PRIME).to_bytes(8, "little")
