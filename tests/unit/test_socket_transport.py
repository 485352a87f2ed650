"""Commands over the socket: answered like the device's, whatever else goes on and whatever clients send."""

from __future__ import annotations

import array
import errno
import os
import random
import re
import socket
import subprocess
import sys
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
import trio

from lswd.device.packet import CANCEL, GOODBYE, HEADER, MAX_DATA, MAX_DESCRIPTORS, REPLY, BadPacket, Packet, unpack

from .socket_guest import (
    BROKEN,
    BROKEN_LATER,
    BY_VALUE,
    ECHO,
    OBSTINATE,
    REFUSED,
    TAKE,
    TOO_LONG,
    WAIT,
    WHO,
    Client,
    Served,
    open_descriptors,
    served,
    until,
)

Body = Callable[[Served], Awaitable[None]]


def run(body: Body, directory: Path, **options: Any) -> Served:
    """Run a test's body beside a transport; afterwards every opener must have been released."""
    found: list[Served] = []

    async def main() -> None:
        async with served(directory, **options) as here:
            found.append(here)
            await body(here)

    trio.run(main)
    here = found[0]
    assert len(here.service.opened_by) == len(here.service.released_openers)
    assert not here.transport.connections and not here.transport.with_descriptors
    return here


@pytest.mark.parametrize(
    ("command", "argument", "data", "answer"),
    [
        (ECHO, 0, b"12345678", (7, b"87654321")),
        (BY_VALUE, 4711, b"", (4711, b"")),
        (BY_VALUE, (1 << 64) - 1, b"", (0x7FFFFFFF, b"")),
        (ECHO, 0, b"1234567", (-errno.EINVAL, b"")),
        (ECHO, 0, b"", (-errno.EINVAL, b"")),
        (0x1, 0, b"", (-errno.EINVAL, b"")),
        (REFUSED, 0, b"", (-errno.EPERM, b"")),
        (BROKEN, 0, b"", (-errno.EIO, b"")),
        (BROKEN_LATER, 0, b"", (-errno.EIO, b"")),
        (TOO_LONG, 0, b"", (-errno.EIO, b"")),
    ],
)
def test_a_command_gets_its_answer_and_the_connection_goes_on(
    command: int, argument: int, data: bytes, answer: tuple[int, bytes], tmp_path: Path
) -> None:
    async def body(here: Served) -> None:
        client = await here.client()
        assert answer == await client.call(command, argument, data)
        assert (1, b"") == await client.call(BY_VALUE, 1)

    here = run(body, tmp_path)
    assert (command in (BROKEN, BROKEN_LATER, TOO_LONG)) == any(level == "error" for level, _ in here.log)


def test_the_kernel_says_who_the_caller_is(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        client = await here.client()
        result, data = await client.call(WHO)
        assert (0, [os.getpid(), os.geteuid(), os.getegid()]) == (result, array.array("I", data).tolist())

    run(body, tmp_path)


def test_a_caller_that_has_exited_has_no_process_any_more(tmp_path: Path) -> None:
    """Its connection lives on in another process; its number may be anybody's."""

    async def body(here: Served) -> None:
        ours, theirs = socket.socketpair()
        program = (
            "import socket, sys; s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET); s.connect(sys.argv[1]);"
            "socket.send_fds(socket.socket(fileno=int(sys.argv[2])), [b'x'], [s.fileno()])"
        )
        with theirs:
            command = [sys.executable, "-c", program, str(here.path), str(theirs.fileno())]
            await trio.run_process(command, pass_fds=[theirs.fileno()])
        with ours:
            _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
        client = Client(here.path)
        client.socket = trio.socket.from_stdlib_socket(socket.socket(fileno=descriptors[0]))
        result, data = await client.call(WHO)
        assert (0, [0, os.geteuid(), os.getegid()]) == (result, array.array("I", data).tolist())
        client.socket.close()

    run(body, tmp_path)


def test_many_requests_wait_at_once_and_hold_up_nobody(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        client = await here.client()
        waiting = {await client.send(WAIT) for _ in range(20)}
        assert (3, b"") == await client.call(BY_VALUE, 3)
        other = await here.client()
        assert (4, b"") == await other.call(BY_VALUE, 4)
        here.service.go.set()
        answers = [await client.receive() for _ in range(20)]
        assert waiting == {packet.sequence for packet in answers if packet is not None}
        assert {(5, b"done")} == {(packet.result, packet.data) for packet in answers if packet is not None}

    run(body, tmp_path)


def test_a_cancelled_request_ends_with_eintr_and_others_do_not(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        client = await here.client()
        first, second = await client.send(WAIT), await client.send(WAIT)
        await client.send(0, flags=CANCEL, sequence=first)
        await client.send(0, flags=CANCEL, sequence=12345)  # is not under way
        packet = await client.receive()
        assert packet is not None
        assert (first, -errno.EINTR, b"") == (packet.sequence, packet.result, packet.data)
        here.service.go.set()
        packet = await client.receive()
        assert packet is not None
        assert (second, 5) == (packet.sequence, packet.result)

    assert 1 == run(body, tmp_path).service.cancelled


def test_a_closed_connection_interrupts_what_waits(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        client = await here.client()
        await client.send(WAIT)
        await until(lambda: here.service.waiting)
        client.socket.close()
        await until(lambda: here.service.released_openers)

    assert 1 == run(body, tmp_path).service.cancelled


def test_what_ignores_its_interruption_ends_because_its_opener_does(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        client = await here.client()
        await client.send(OBSTINATE)
        await until(lambda: here.service.waiting)
        client.socket.close()
        await until(lambda: not here.transport.connections)

    run(body, tmp_path)


def test_a_transport_that_ends_releases_its_openers(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        for command in (WAIT, OBSTINATE):
            await (await here.client()).send(command)
        await until(lambda: here.service.waiting == 2)

    run(body, tmp_path)


def test_descriptors_come_along_and_none_is_left_over(tmp_path: Path) -> None:
    counts: list[int] = []

    async def body(here: Served) -> None:
        client = await here.client()
        assert (0, b"") == await client.call(BY_VALUE)
        counts.append(open_descriptors())
        files = [os.memfd_create("test") for _ in range(MAX_DESCRIPTORS)]
        for number, descriptor in enumerate(files):
            os.pwrite(descriptor, b"%d" % number, 0)
        assert (2, b"") == await client.call(TAKE, 2, descriptors=files)
        for command, data in ((0x1, b""), (ECHO, b"short")):  # refused before the service sees them
            assert (-errno.EINVAL, b"") == await client.call(command, 0, data, descriptors=files[:2])
        await client.send(0, flags=CANCEL, descriptors=files[:1])
        assert (0, b"") == await client.call(BY_VALUE)
        for descriptor in files:
            os.close(descriptor)
        counts.append(open_descriptors())

    here = run(body, tmp_path)
    assert [b"%d" % number for number in range(MAX_DESCRIPTORS)] == here.service.taken
    assert counts[0] == counts[1]


def test_too_many_requests_at_once_are_put_off(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        client = await here.client()
        for _ in range(64):
            await client.send(WAIT)
        assert (-errno.EAGAIN, b"") == await client.call(WAIT)

    run(body, tmp_path)


def test_descriptors_that_wait_are_counted_by_user(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        with open(os.devnull, "rb") as file:
            clients = [await here.client() for _ in range(2)]
            for client in clients:
                for _ in range(64):
                    await client.send(WAIT, descriptors=[file.fileno()])
            await until(lambda: here.service.waiting == 128)
            client = await here.client()
            assert (-errno.EAGAIN, b"") == await client.call(WAIT, descriptors=[file.fileno()])
            assert (1, b"") == await client.call(BY_VALUE, 1)

    run(body, tmp_path)


def _packet(**changes: int) -> bytes:
    fields = {"command": ECHO, "flags": 0, "sequence": 1, "argument": 0, "length": 8, "reserved": 0} | changes
    return HEADER.pack(*fields.values()) + b"12345678"


BAD = {
    "a byte": b"x",
    "half a header": _packet()[:20],
    "a length that is too short": _packet(length=7),
    "a length that is too long": _packet(length=9),
    "an enormous length": _packet(length=0xFFFFFFFF),
    "unknown flags": _packet(flags=0x80),
    "a reply": _packet(flags=REPLY),
    "a goodbye": _packet(flags=GOODBYE),
    "reserved bits": _packet(reserved=1),
    "a packet that is too large": HEADER.pack(ECHO, 0, 1, 0, MAX_DATA + 1, 0) + bytes(MAX_DATA + 1),
}


@pytest.mark.parametrize("what", BAD)
def test_a_bad_packet_ends_its_connection_with_a_reason_and_no_other(what: str, tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        good, bad = await here.client(), await here.client()
        waiting = await good.send(WAIT)
        await bad.socket.send(BAD[what])
        packet = await bad.receive()
        assert packet is not None
        assert (GOODBYE, -errno.EPROTO) == (packet.flags, packet.result)
        assert packet.data
        assert await bad.receive() is None
        here.service.go.set()
        packet = await good.receive()
        assert packet is not None
        assert waiting == packet.sequence

    run(body, tmp_path)


def test_a_sequence_that_is_under_way_is_a_bad_packet(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        client = await here.client()
        await client.send(WAIT, sequence=9)
        await client.send(WAIT, sequence=9)
        packet = await client.receive()
        assert packet is not None
        assert (GOODBYE, b"sequence 9 is under way already") == (packet.flags, packet.data)

    run(body, tmp_path)


def test_too_many_descriptors_are_a_bad_packet_and_none_stays_open(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        client = await here.client()
        await client.call(BY_VALUE)
        before = open_descriptors()
        with open(os.devnull, "rb") as file:
            await client.send(ECHO, 0, b"12345678", descriptors=[file.fileno()] * (MAX_DESCRIPTORS + 3))
        packet = await client.receive()
        assert packet is not None
        assert GOODBYE == packet.flags
        assert await client.receive() is None
        await until(lambda: open_descriptors() <= before)

    run(body, tmp_path)


def test_no_sequence_of_bytes_disturbs_the_transport(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        source = random.Random(4)
        for _ in range(400):
            client = await here.client()
            for _ in range(source.randrange(1, 4)):
                message = bytearray(_packet(sequence=source.randrange(1 << 64)))
                for _ in range(source.randrange(4)):
                    message[source.randrange(len(message))] = source.randrange(256)
                try:
                    await client.socket.send(bytes(message[: source.choice((len(message), source.randrange(50)))]))
                except (BrokenPipeError, ConnectionResetError):
                    break
            client.socket.close()
        assert (7, b"87654321") == await (await here.client()).call(ECHO, 0, b"12345678")

    assert [] == [text for level, text in run(body, tmp_path, max_connections=1000).log if level == "error"]


def test_a_client_that_never_reads_holds_up_nobody(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        deaf = await here.client()
        with trio.move_on_after(20) as limit:
            for _ in range(100_000):  # ends when neither side has room for more
                with trio.move_on_after(0.5) as stuck:
                    await deaf.send(ECHO, 0, b"12345678")
                if stuck.cancelled_caught:
                    break
        assert not limit.cancelled_caught
        assert (1, b"") == await (await here.client()).call(BY_VALUE, 1)

    run(body, tmp_path)


def test_a_user_with_too_many_connections_is_told_so(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    from lswd.device import socket as module

    monkeypatch.setattr(module, "ROOT", -1)

    async def body(here: Served) -> None:
        first, second = await here.client(), await here.client()
        assert (1, b"") == await first.call(BY_VALUE, 1)
        assert (1, b"") == await second.call(BY_VALUE, 1)
        third = await here.client()
        packet = await third.receive()
        assert packet is not None
        assert (GOODBYE, -errno.EUSERS) == (packet.flags, packet.result)
        first.socket.close()
        await until(lambda: here.transport.connections.total() == 1)
        assert (1, b"") == await (await here.client()).call(BY_VALUE, 1)

    run(body, tmp_path, max_connections=2)


def test_an_opener_that_is_refused_is_told_why(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        here.service.refuse = errno.EACCES
        packet = await (await here.client()).receive()
        assert packet is not None
        assert (GOODBYE, -errno.EACCES, b"not you") == (packet.flags, packet.result, packet.data)

    run(body, tmp_path)


def test_packets_survive_their_packing() -> None:
    packet = unpack(Packet(0xC0584C05, REPLY, (1 << 64) - 1, -errno.EINTR, b"data").pack())
    assert (0xC0584C05, REPLY, (1 << 64) - 1, -errno.EINTR, b"data") == (
        packet.command, packet.flags, packet.sequence, packet.result, packet.data,
    )  # fmt: skip


def test_nothing_is_no_packet() -> None:
    with pytest.raises(BadPacket, match="0 bytes are no packet"):
        unpack(b"")


def test_the_packets_module_brings_nothing_slow_along() -> None:
    slow = "{'re', 'enum', 'socket', 'json', 'typing'}"
    code = f"import sys; import lswd.device.packet; print(sorted({slow} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-S", "-c", code], capture_output=True, text=True, check=True)
    assert "[]\n" == done.stdout


def test_a_goodbye_is_heard_by_a_client_that_has_asked_already(tmp_path: Path) -> None:
    async def body(here: Served) -> None:
        here.service.refuse = errno.ESHUTDOWN
        client = Client(here.path)
        raw = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        raw.connect(str(here.path))  # before the transport gets its turn
        raw.send(_packet())
        client.socket = trio.socket.from_stdlib_socket(raw)
        packet = await client.receive()
        assert packet is not None
        assert (GOODBYE, -errno.ESHUTDOWN) == (packet.flags, packet.result)

    run(body, tmp_path)


def test_the_protocols_page_describes_the_header() -> None:
    page = (Path(__file__).resolve().parent.parent.parent / "docs/protocol.md").read_text()
    section = page.partition("## The socket")[2]
    rows = re.findall(r"^\| (\d+) \| u(\d+) (\w+) \|", section, re.MULTILINE)
    assert ["command", "flags", "sequence", "argument", "length", "reserved"] == [name for _, _, name in rows]
    sizes = [int(bits) // 8 for _, bits, _ in rows]
    assert [sum(sizes[:index]) for index in range(len(sizes))] == [int(offset) for offset, _, _ in rows]
    assert HEADER.size == sum(sizes)
    assert f"{REPLY} REPLY, {CANCEL} CANCEL, {GOODBYE} GOODBYE" in section
    assert f"at most {MAX_DATA} " in section and f"up to {MAX_DESCRIPTORS} descriptors" in section
