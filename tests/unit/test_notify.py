"""What systemd hears from the daemon, the sockets it hands over, and the journal's entries."""

from __future__ import annotations

import io
import os
import socket
from pathlib import Path

import pytest

from lswd.service import journal, notify
from lswd.service.journal import Log
from lswd.service.notify import Notifier, passed_sockets


@pytest.mark.parametrize("prefix", ["", "@"])
def test_systemd_is_told_at_its_address(prefix: str, tmp_path: Path) -> None:
    name = f"lsw-test-{os.getpid()}" if prefix else str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind("\0" + name if prefix else name)
        notifier = Notifier({"NOTIFY_SOCKET": prefix + name})
        notifier.ready("serving")
        notifier.reloading()
        notifier.stopping("bye")
        notifier.alive()
        heard = [receiver.recv(1000).decode().splitlines() for _ in range(4)]
    assert [["READY=1", "STATUS=serving"], ["STOPPING=1", "STATUS=bye"], ["WATCHDOG=1"]] == [heard[0], *heard[2:]]
    assert "RELOADING=1" == heard[1][0]
    assert heard[1][1].removeprefix("MONOTONIC_USEC=").isdigit()


def test_a_systemd_that_does_not_listen_holds_up_nobody(tmp_path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as receiver:
        receiver.bind(str(tmp_path / "notify"))
        notifier = Notifier({"NOTIFY_SOCKET": str(tmp_path / "notify")})
        while notifier.tell("WATCHDOG=1"):
            pass


@pytest.mark.parametrize("address", ["", "relative", "/nonexistent/notify", "vsock:1:2"])
def test_nobody_to_tell_is_no_failure(address: str) -> None:
    assert not Notifier({"NOTIFY_SOCKET": address}).tell("READY=1")


@pytest.mark.parametrize(
    ("environ", "seconds"),
    [
        ({}, 0.0),
        ({"WATCHDOG_USEC": "30000000"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "7"}, 30.0),
        ({"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "8"}, 0.0),
        ({"WATCHDOG_USEC": "soon"}, 0.0),
    ],
)
def test_the_watchdog_is_ours_if_it_says_so(environ: dict[str, str], seconds: float) -> None:
    assert seconds == Notifier(environ, pid=7).watchdog_seconds


def test_passed_sockets_are_for_the_process_they_name(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as given:
        monkeypatch.setattr(notify, "_FIRST_PASSED", os.dup(given.fileno()))
        assert [] == passed_sockets({"LISTEN_PID": "8", "LISTEN_FDS": "1"}, pid=7)
        assert [] == passed_sockets({"LISTEN_PID": "7", "LISTEN_FDS": "many"}, pid=7)
        assert [] == passed_sockets({}, pid=7)
        (passed,) = passed_sockets({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, pid=7)
        with passed:
            assert (socket.AF_UNIX, socket.SOCK_SEQPACKET) == (passed.family, passed.type)
            assert not passed.get_inheritable()


def test_a_socket_of_another_kind_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as given:
        monkeypatch.setattr(notify, "_FIRST_PASSED", os.dup(given.fileno()))
        with pytest.raises(OSError, match="ListenSequentialPacket"):
            passed_sockets({"LISTEN_PID": "7", "LISTEN_FDS": "1"}, pid=7)


def test_without_a_journal_the_log_is_lines_with_their_level() -> None:
    stream = io.StringIO()
    log = Log({}, "notice", stream)
    log("error", "bad\nluck\x1b[2J", uid=7)
    log("info", "not said")
    assert "lswd: error: bad?luck?[2J uid=7\n" == stream.getvalue()


def test_a_reader_of_the_log_that_has_gone_is_no_failure() -> None:
    read, write = os.pipe()
    os.close(read)
    with open(write, "w", buffering=1) as stream:
        Log({}, "info", stream)("info", "nobody hears this")
        os.dup2(os.open(os.devnull, os.O_WRONLY), write)


def _journalled(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[socket.socket, Log, Path]:
    """A journal, and a log whose standard error systemd connected to it."""
    receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    receiver.bind(str(tmp_path / "journal"))
    monkeypatch.setattr(journal, "JOURNAL", str(tmp_path / "journal"))
    path = tmp_path / "stderr"
    stream = path.open("w")
    found = os.fstat(stream.fileno())
    return receiver, Log({"JOURNAL_STREAM": f"{found.st_dev}:{found.st_ino}"}, "info", stream), path


def test_the_journal_gets_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    receiver, log, path = _journalled(tmp_path, monkeypatch)
    with receiver:
        log("warning", "two\nlines", uid=1000)
        entry = receiver.recv(5000).decode()
    assert "PRIORITY=4\nSYSLOG_IDENTIFIER=lswd\nMESSAGE=two?lines\nLSW_UID=1000\n" == entry
    assert "" == path.read_text()


def test_a_journal_that_is_gone_leaves_standard_error_with_priorities(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    receiver, log, path = _journalled(tmp_path, monkeypatch)
    receiver.close()
    (tmp_path / "journal").unlink()
    log("error", "still heard", pid=3)
    assert "<3>still heard pid=3\n" == path.read_text()


def test_a_standard_error_that_is_no_longer_the_journals_gets_plain_lines(tmp_path: Path) -> None:
    path = tmp_path / "stderr"
    with path.open("w") as stream:
        Log({"JOURNAL_STREAM": "1:2"}, "info", stream)("info", "plain")
    assert "lswd: info: plain\n" == path.read_text()
