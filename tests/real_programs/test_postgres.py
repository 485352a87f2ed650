"""PostgreSQL: a cluster is made, its server started, used by several clients at once over TCP, and stopped.

The package has no client, so this is one: Source: PostgreSQL documentation, "Frontend/Backend Protocol".
"""

from __future__ import annotations

import contextlib
import socket
import struct
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.guest.run import fixed_environment

from . import corpus
from .test_network import free_port

START_SECONDS = 120
# What the server and its processes write goes to files: pipes would be open as long as any of them runs.
SESSION = """\
@echo off
{bin}\\pg_ctl.exe start -w -D data -l server.log -o "-p {port}"
if errorlevel 1 exit /b 11
echo up> up
:wait
if exist enough goto stop
ping -n 2 127.0.0.1 >nul
goto wait
:stop
{bin}\\pg_ctl.exe stop -w -m fast -D data
if errorlevel 1 exit /b 12
"""


class ServerError(Exception):
    """What the server refused, in its own words."""


class Client:
    """One connection; what it asks, the server answers in rows of text."""

    def __init__(self, port: int, database: str) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=60)
        self._file = self._socket.makefile("rb")
        self._send(b"", struct.pack(">I", 3 << 16) + f"user\0postgres\0database\0{database}\0\0".encode())
        self._rows()

    def __call__(self, query: str) -> list[tuple[str | None, ...]]:
        self._send(b"Q", query.encode() + b"\0")
        return self._rows()

    def close(self) -> None:
        self._send(b"X", b"")
        self._file.close()
        self._socket.close()

    def _send(self, kind: bytes, body: bytes) -> None:
        self._socket.sendall(kind + struct.pack(">I", len(body) + 4) + body)

    def _rows(self) -> list[tuple[str | None, ...]]:
        rows, error = [], b""
        while True:
            kind, length = struct.unpack(">cI", self._file.read(5))
            body = self._file.read(length - 4)
            if kind == b"D":
                rows.append(tuple(_fields(body)))
            elif kind == b"E":
                error = body
                if b"VFATAL\0" in body:
                    raise ServerError(body)
            elif kind == b"Z":
                if error:
                    raise ServerError(error)
                return rows


def _fields(body: bytes) -> Iterator[str | None]:
    (count,) = struct.unpack_from(">H", body)
    at = 2
    for _ in range(count):
        (length,) = struct.unpack_from(">i", body, at)
        at += 4
        yield None if length < 0 else body[at : at + length].decode()
        at += max(length, 0)


@contextlib.contextmanager
def server(lswctl: list[str], directory: Path) -> Iterator[int]:
    """A server of a new cluster in ``directory``; its port."""
    binaries = corpus.program(corpus.INITDB).parent
    made = subprocess.run(
        [*lswctl, "launch", str(binaries / "initdb.exe"), "-D", "data", "-U", "postgres", "-E", "UTF8", "--locale=C"],
        cwd=directory, env=fixed_environment(), capture_output=True, text=True, check=False, timeout=START_SECONDS)
    assert made.returncode == 0, made.stdout + made.stderr
    port = free_port()
    session = directory / "session.bat"
    session.write_text(SESSION.format(bin=f"Z:{binaries}".replace("/", "\\"), port=port), newline="\r\n")
    with (directory / "output").open("wb") as output:
        running = subprocess.Popen([*lswctl, "launch", r"C:\windows\system32\cmd.exe", "/c", "session.bat"],
                                   cwd=directory, env=fixed_environment(), stdin=subprocess.DEVNULL, stdout=output,
                                   stderr=output)
    try:
        deadline = time.monotonic() + START_SECONDS
        while not (directory / "up").exists():
            assert running.poll() is None and time.monotonic() < deadline, said(directory)
            time.sleep(0.1)
        yield port
        (directory / "enough").touch()
        assert running.wait(START_SECONDS) == 0, said(directory)
    finally:
        running.kill()
        running.wait()


def said(directory: Path) -> str:
    """What pg_ctl and the server had to say."""
    files = [directory / name for name in ("output", "server.log")]
    return "".join(each.read_text(errors="replace") for each in files if each.exists())


def test_postgres_serves_several_clients(lswctl: list[str], tmp_path: Path) -> None:
    with server(lswctl, tmp_path) as port:
        first = Client(port, "postgres")
        first("create database shop")
        first.close()
        one, two, three = [Client(port, "shop") for _ in range(3)]
        one("create table item (id int primary key, name text, price numeric)")
        two("insert into item select i, 'item ' || i, i * 1.5 from generate_series(1, 5000) i")
        assert [("5000", "18753750.0")] == three("select count(*), sum(price) from item")
        one("begin")
        one("update item set price = 0 where id = 7")
        assert [("10.5",)] == two("select price from item where id = 7")
        one("commit")
        assert [("0",)] == two("select price from item where id = 7")
        with pytest.raises(ServerError, match="duplicate key"):
            two("insert into item values (7)")
        three("create index on item (name)")
        three("vacuum analyze item")
        three("checkpoint")
        three("set debug_parallel_query = on")
        assert [("5000",)] == three("select count(*) from item a join item b using (name)")
        one("listen news")
        two("notify news")
        assert [("shop", "3")] == two(
            "select datname, count(*) from pg_stat_activity where datname is not null group by datname")
        for each in (one, two, three):
            each.close()
    assert "database system is shut down" in said(tmp_path)
