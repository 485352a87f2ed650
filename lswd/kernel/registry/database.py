"""The SQLite file: its tables, how it comes into being, how we know that it is ours.

Source: https://www.sqlite.org/pragma.html (application_id, user_version), https://www.sqlite.org/wal.html.
"""

from __future__ import annotations

import os

from lswd.host.regular_file import open_regular

TYPE_CHECKING = False
if TYPE_CHECKING:
    from sqlite3 import Connection

ROOT = 1
"""Row of ``\\Registry``."""

APPLICATION_ID = 0x6C737764  # "lswd"
SCHEMA_VERSION = 1

# AUTOINCREMENT: the row of a deleted key must not come back as another key in a process that still has it open.
# Names are TEXT, or UTF-16LE in a BLOB where they hold unpaired surrogates (``to_column``).
_SCHEMA = (
    "CREATE TABLE keys (id INTEGER PRIMARY KEY AUTOINCREMENT, parent INTEGER NOT NULL, fold NOT NULL, name NOT NULL,"
    " seeded INTEGER NOT NULL, deleted INTEGER NOT NULL, link INTEGER NOT NULL, class_name, last_write INTEGER,"
    " UNIQUE (parent, fold))",
    "CREATE TABLE key_values (key INTEGER NOT NULL, fold NOT NULL, name NOT NULL, type INTEGER, data BLOB,"
    " UNIQUE (key, fold))",
    f"INSERT INTO keys VALUES ({ROOT}, 0, 'REGISTRY', 'REGISTRY', 1, 0, 0, NULL, NULL)",
    f"PRAGMA user_version = {SCHEMA_VERSION}",
    f"PRAGMA application_id = {APPLICATION_ID}",
)


def to_column(text: str) -> str | bytes:
    """A name as it is stored; SQLite's text has no unpaired surrogates."""
    if text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text):
        return text
    return text.encode("utf-16-le", "surrogatepass")


def from_column(column: str | bytes) -> str:
    """What ``to_column`` was given."""
    return column if isinstance(column, str) else column.decode("utf-16-le", "surrogatepass")


def create(path: str) -> None:
    """Make a database, unless another process is faster.

    It is made under another name and linked into place: nobody ever sees half of one.

    Raises:
        OSError, sqlite3.Error: it cannot be made.
    """
    import sqlite3

    temporary = f"{path}.{os.getpid()}.new"
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    try:
        os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600))
        connection = sqlite3.connect(uri(temporary), uri=True, isolation_level=None)
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("BEGIN")
            make_tables(connection)
            connection.execute("COMMIT")
        finally:
            connection.close()
        try:
            os.link(temporary, path)
        except FileExistsError:
            pass
        except PermissionError:  # a file system without hard links
            if not os.path.exists(path):
                os.rename(temporary, path)
    finally:
        try:
            os.unlink(temporary)
        except OSError:
            pass


def make_tables(connection: Connection) -> None:
    """Make the tables in an empty database."""
    for statement in _SCHEMA:
        connection.execute(statement)


def is_database(path: str) -> bool:
    """Whether the file starts as SQLite's do.

    Raises:
        OSError: it cannot be read, or is no regular file.
    """
    with open(open_regular(path), "rb", buffering=0) as file:
        return file.read(16) == b"SQLite format 3\0"


def problem(connection: Connection) -> str:
    """Why the database is none we can use, "" if it is one.

    Raises:
        sqlite3.Error: it cannot be read.
    """
    if connection.execute("PRAGMA application_id").fetchone()[0] != APPLICATION_ID:
        return "is not a registry of lswd"
    if connection.execute("PRAGMA user_version").fetchone()[0] != SCHEMA_VERSION:
        return "was written by another version of lswd"
    if not connection.execute(f"SELECT 1 FROM keys WHERE id = {ROOT}").fetchone():
        return "is damaged"
    return ""


def uri(path: str) -> str:
    """A file name of any bytes as SQLite's URI; the file must exist."""
    plain = b"/-_.~ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
    name = "".join(chr(byte) if byte in plain else f"%{byte:02x}" for byte in os.fsencode(os.path.abspath(path)))
    return f"file:{name}?mode=rw"
