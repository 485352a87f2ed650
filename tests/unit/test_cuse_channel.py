"""The descriptor of /dev/cuse: the introduction, its failures, a fork, and the end; and the node's checks."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.device.cuse import node, wire
from lswd.device.cuse.channel import Channel, DeviceError, DeviceGoneError
from tests.unit.fake_cuse import INIT_BODY, ioctl, pair, request


@pytest.fixture
def ends() -> Iterator[tuple[socket.socket, socket.socket]]:
    """The kernel's end and ours, which `Channel.introduce` takes over (detach it)."""
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with kernel, ours:
        yield kernel, ours


def test_the_introduction_answers_the_kernel_and_goes_on_without_blocking() -> None:
    kernel, ours = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    kernel.send(request(wire.CUSE_INIT, 2, INIT_BODY))
    channel = Channel.introduce(ours.detach(), "lsw")
    assert wire.initialisation(2, "lsw", 38) == kernel.recv(65536)
    assert channel.read() is None
    channel.close()
    kernel.close()


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (request(wire.CUSE_INIT, 2, wire.INIT_REQUEST.pack(8, 0, 0, 1)), "FUSE 8.0"),
        (request(wire.CUSE_INIT, 2, wire.INIT_REQUEST.pack(7, 10, 0, 1)), "FUSE 7.10"),
        (request(wire.CUSE_INIT, 2, wire.INIT_REQUEST.pack(7, 38, 0, 0)), "unrestricted"),
        (request(wire.OPEN, 2, INIT_BODY), "request 14"),
        (request(wire.CUSE_INIT, 2, b"short"), "45 bytes"),
        (b"x", "1 bytes"),
    ],
)
def test_a_kernel_that_begins_otherwise_is_refused(
    ends: tuple[socket.socket, socket.socket], message: bytes, why: str
) -> None:
    kernel, ours = ends
    kernel.send(message)
    with pytest.raises(DeviceError, match=why):
        Channel.introduce(ours.detach(), "lsw")
    assert b"" == kernel.recv(65536)  # closed, with no answer


def test_a_name_that_is_taken_is_found_by_the_read_after_the_answer(
    ends: tuple[socket.socket, socket.socket],
) -> None:
    kernel, ours = ends
    kernel.send(request(wire.CUSE_INIT, 2, INIT_BODY))
    kernel.shutdown(socket.SHUT_WR)
    with pytest.raises(DeviceError, match="another daemon or driver has the name"):
        Channel.introduce(ours.detach(), "lsw")


def test_a_request_that_comes_with_the_introduction_is_not_lost(ends: tuple[socket.socket, socket.socket]) -> None:
    kernel, ours = ends
    kernel.send(request(wire.CUSE_INIT, 2, INIT_BODY))
    first = ioctl(4, 1, 0x40044C04)
    kernel.send(first)
    channel = Channel.introduce(ours.detach(), "lsw")
    assert len(first) == channel.read()
    assert first == channel.buffer[: len(first)]
    assert channel.read() is None
    channel.close()


def test_a_device_that_has_ended_cannot_be_read_or_answered() -> None:
    kernel, channel = pair()
    kernel.close()
    with pytest.raises(DeviceGoneError):
        channel.read()
    with pytest.raises(DeviceGoneError):
        channel.write(wire.answer(4))
    channel.close()
    with pytest.raises(DeviceGoneError):
        channel.read()
    channel.close()


def test_a_forked_child_does_not_keep_the_device_alive() -> None:
    kernel, channel = pair()
    asks, answers = os.pipe()
    child = os.fork()
    if not child:
        os.close(answers)
        os.read(asks, 1)
        os._exit(0)
    channel.close()
    kernel.settimeout(60)
    assert b"" == kernel.recv(65536)  # with the child still there
    os.close(answers)
    os.waitpid(child, 0)
    os.close(asks)
    kernel.close()


def test_without_cuse_the_error_says_what_to_load(tmp_path: Path) -> None:
    with pytest.raises(DeviceError, match="modprobe cuse"):
        Channel.create("lsw", str(tmp_path / "cuse"))
    (tmp_path / "directory").mkdir()
    with pytest.raises(DeviceError, match="cannot be opened"):
        Channel.create("lsw", str(tmp_path / "directory"))


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A /dev and a /sys/class/cuse of the test's own."""
    (tmp_path / "dev").mkdir()
    (tmp_path / "cuse").mkdir()
    monkeypatch.setattr(node, "DEV", tmp_path / "dev")
    monkeypatch.setattr(node, "CLASS", tmp_path / "cuse")
    return tmp_path


@pytest.mark.parametrize("name", ["", "a/b", "..", "a b", "a\0", "ä", "x" * 65])
def test_a_name_that_is_none_is_refused(system: Path, name: str) -> None:
    with pytest.raises(DeviceError, match="no name for a device"):
        node.check_name(name)


def test_a_name_that_somebody_has_is_refused(system: Path) -> None:
    (system / "cuse" / "lsw").mkdir()
    (system / "dev" / "lsw2").touch()
    with pytest.raises(DeviceError, match="another daemon"):
        node.check_name("lsw")
    with pytest.raises(DeviceError, match="kernel module"):
        node.check_name("lsw2")
    node.check_name("lsw3")


def test_a_node_that_is_not_our_device_is_left_alone(system: Path) -> None:
    (system / "cuse" / "lsw").mkdir()
    (system / "cuse" / "lsw" / "dev").write_text("252:0\n")
    with pytest.raises(DeviceError, match="does not exist although the device does"):
        node.give_node("lsw", group=None, mode=0o666)
    impostor = system / "dev" / "lsw"
    impostor.touch(mode=0o600)
    with pytest.raises(DeviceError, match="something else has the name"):
        node.give_node("lsw", group=None, mode=0o666)
    assert 0o600 == impostor.stat().st_mode & 0o777
    impostor.unlink()
    impostor.symlink_to("/dev/null")
    with pytest.raises(DeviceError, match="something else has the name"):
        node.give_node("lsw", group=None, mode=0o666)


@pytest.mark.parametrize("text", ["", "252", "x:y"])
def test_a_device_without_a_number_is_an_error(system: Path, text: str) -> None:
    with pytest.raises(DeviceError, match="made no device"):
        node.device_number("lsw")
    (system / "cuse" / "lsw").mkdir()
    (system / "cuse" / "lsw" / "dev").write_text(text)
    with pytest.raises(DeviceError, match="made no device"):
        node.device_number("lsw")
