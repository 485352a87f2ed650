"""The socket's file: made with its permissions, cleared of the dead, never taken from the living."""

from __future__ import annotations

import os
import socket
import stat
from pathlib import Path

import pytest

from lswd.service.listener import Listener, ListenError


def _connects(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
        client.setblocking(False)
        try:
            client.connect(str(path))
        except OSError:
            return False
    return True


@pytest.mark.parametrize(("mode", "directory"), [(0o666, 0o755), (0o600, 0o700)])
def test_socket_and_directory_have_their_permissions(mode: int, directory: int, tmp_path: Path) -> None:
    path = tmp_path / "lsw" / "socket"
    listener = Listener(str(path), mode)
    assert (mode, directory) == (stat.S_IMODE(path.stat().st_mode), stat.S_IMODE(path.parent.stat().st_mode))
    assert _connects(path)
    listener.close()
    assert not path.exists()


def test_a_dead_daemons_socket_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as dead:
        dead.bind(str(path))
        dead.listen()
    listener = Listener(str(path), 0o600)
    assert _connects(path)
    listener.close()


def test_a_living_daemon_keeps_its_socket(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listener = Listener(str(path), 0o600)
    with pytest.raises(ListenError, match="another lswd serves"):
        Listener(str(path), 0o600)
    assert _connects(path)
    listener.close()
    Listener(str(path), 0o600).close()


@pytest.mark.parametrize("kind", [socket.SOCK_SEQPACKET, socket.SOCK_STREAM])
def test_something_elses_socket_is_left_alone(kind: int, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, kind) as living:
        living.bind(str(path))
        living.listen()
        with pytest.raises(ListenError, match="served by something else already"):
            Listener(str(path), 0o600)
        assert path.exists()


def test_a_file_that_is_no_socket_is_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    path.write_text("precious")
    with pytest.raises(ListenError, match="is no socket"):
        Listener(str(path), 0o600)
    assert "precious" == path.read_text()


def test_a_successors_socket_is_not_removed(tmp_path: Path) -> None:
    path = tmp_path / "socket"
    listener = Listener(str(path), 0o600)
    path.unlink()
    path.write_text("the next one's")
    listener.close()
    assert path.exists()


@pytest.mark.parametrize("path", ["/proc/nowhere/socket", "/" + "x" * 120])
def test_what_cannot_be_is_one_line_with_the_path(path: str) -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(ListenError) as caught:
        Listener(path, 0o600)
    assert str(caught.value).startswith(path) and "\n" not in str(caught.value)
    assert before == len(os.listdir("/proc/self/fd"))
