"""Named and anonymous pipes: connecting, bytes and messages, waiting, ends that go away."""

from __future__ import annotations

import struct
from pathlib import Path
from typing import Any

from .file_guest import (
    CREATE,
    GENERIC_READ,
    GENERIC_WRITE,
    OPEN_IF,
    READ_WRITE,
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_CANCELLED,
    STATUS_INSTANCE_NOT_AVAILABLE,
    STATUS_IO_TIMEOUT,
    STATUS_NOT_FOUND,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_PENDING,
    STATUS_PIPE_BROKEN,
    STATUS_PIPE_CLOSING,
    STATUS_PIPE_CONNECTED,
    STATUS_PIPE_DISCONNECTED,
    STATUS_PIPE_EMPTY,
    STATUS_PIPE_LISTENING,
    STATUS_PIPE_NOT_AVAILABLE,
    SYNCHRONIZE,
    SYNCHRONOUS,
    Body,
    Files,
    run_with_files,
)
from .guest_threads import NOTIFICATION, Guest

NAME = "\\??\\pipe\\Test"
DISCONNECT, LISTEN, WAIT, PEEK, TRANSCEIVE = 0x110004, 0x110008, 0x110018, 0x11400C, 0x11C017
BYTES, MESSAGES = 0, 1
INBOUND, OUTBOUND, DUPLEX = 2, 1, 3  # as share access: what clients may do
PIPE_INFORMATION, LOCAL_INFORMATION = 23, 24


def create(
    guest: Guest, files: Files, name: str = NAME, *, kind: int = BYTES, reading: int = 0, share: int = DUPLEX,
    options: int = SYNCHRONOUS, disposition: int = OPEN_IF, instances: int = 255, quota: int = 4096,
    access: int = READ_WRITE, nonblocking: int = 0,
) -> Any:  # fmt: skip
    """NtCreateNamedPipeFile; returns the status and the handle."""
    timeout = guest.stored(struct.pack("<q", -500_000))
    status = yield (
        "NtCreateNamedPipeFile", files.cell, access | SYNCHRONIZE, guest.named(name, 0x40), files.block, share,
        disposition, options, kind, reading, nonblocking, instances, quota, quota, timeout,
    )  # fmt: skip
    return status, guest.value(files.cell, 8)


def pair(guest: Guest, files: Files, *, client_options: int = SYNCHRONOUS, **more: Any) -> Any:
    """A connected server and client."""
    status, server = yield from create(guest, files, **more)
    assert status == 0, hex(status)
    client = yield from files.open("\\??\\PIPE\\tEST", READ_WRITE, options=client_options)
    return server, client


def test_bytes_written_at_one_end_are_read_at_the_other(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        server, client = yield from pair(guest, files)
        guest.log.append((yield from files.write(client, b"one")))
        guest.log.append((yield from files.write(client, b"two")))
        guest.log.append((yield from files.read(server, 4)))
        guest.log.append((yield from files.read(server, 100)))
        guest.log.append((yield from files.write(server, b"back")))
        guest.log.append((yield from files.read(client, 100)))

    assert [(0, 3), (0, 3), (0, b"onet"), (0, b"wo"), (0, 4), (0, b"back")] == run_with_files(tmp_path, main)


def test_a_reader_waits_for_a_writer_and_sees_the_end(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        server, client = yield from pair(guest, files)

        def reader(guest: Guest, handle: int) -> Body:
            for _ in range(3):
                guest.log.append((yield from files.read(handle, 100)))

        thread = yield from guest.thread(reader, server)
        yield from guest.sleep(1)
        guest.log.append("writing")
        yield from files.write(client, b"late")
        yield from guest.sleep(1)
        yield from files.write(client, b"last")
        yield from files.close(client)
        yield from guest.wait(thread)
        guest.log.append((yield from files.write(server, b"x"))[0])

    assert [
        "writing", (0, b"late"), (0, b"last"), (STATUS_PIPE_BROKEN, b""), STATUS_PIPE_CLOSING,
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_a_writer_waits_until_what_it_wrote_fits(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        server, client = yield from pair(guest, files, quota=10)

        def writer(guest: Guest, handle: int) -> Body:
            guest.log.append((yield from files.write(handle, b"0123456789")))
            guest.log.append((yield from files.write(handle, b"abcdef")))
            guest.log.append("written")

        thread = yield from guest.thread(writer, client)
        yield from guest.sleep(1)
        guest.log.append((yield from files.read(server, 5)))
        yield from guest.sleep(1)
        guest.log.append("one more")
        guest.log.append((yield from files.read(server, 6)))
        yield from guest.wait(thread)
        guest.log.append((yield from files.read(server, 100)))

    assert [
        (0, 10), (0, b"01234"), "one more", (0, b"56789a"), (0, 6), "written", (0, b"bcdef"),
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_messages_keep_their_boundaries(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        server, client = yield from pair(guest, files, kind=MESSAGES, reading=MESSAGES)
        for message in (b"first", b"", b"second", b"third"):
            yield from files.write(client, message)
        guest.log.append((yield from files.read(server, 100)))
        guest.log.append((yield from files.read(server, 100)))
        guest.log.append((yield from files.read(server, 4)))
        guest.log.append((yield from files.read(server, 100)))
        yield from files.set(server, PIPE_INFORMATION, struct.pack("<II", 0, 0))
        yield from files.write(client, b"fourth")
        guest.log.append((yield from files.read(server, 100)))

    assert [
        (0, b"first"), (0, b""), (STATUS_BUFFER_OVERFLOW, b"seco"), (0, b"nd"), (0, b"thirdfourth"),
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_peeking_leaves_the_data_where_it_is(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        server, client = yield from pair(guest, files, kind=MESSAGES, reading=MESSAGES)
        guest.log.append((yield from files.control(server, PEEK, size=64)))
        yield from files.write(client, b"first")
        yield from files.write(client, b"second")
        guest.log.append((yield from files.control(server, PEEK, size=64)))
        guest.log.append((yield from files.control(server, PEEK, size=18)))
        guest.log.append((yield from files.read(server, 100)))
        yield from files.close(client)
        guest.log.append((yield from files.control(server, PEEK, size=16))[0])
        yield from files.read(server, 100)
        guest.log.append((yield from files.control(server, PEEK, size=16))[0])

    assert [
        (0, struct.pack("<4I", 3, 0, 0, 0)),
        (0, struct.pack("<4I", 3, 11, 2, 5) + b"first"),
        (STATUS_BUFFER_OVERFLOW, struct.pack("<4I", 3, 11, 2, 5) + b"fi"),
        (0, b"first"),
        STATUS_BUFFER_OVERFLOW,
        STATUS_PIPE_BROKEN,
    ] == run_with_files(tmp_path, main)


def test_a_server_listens_disconnects_and_listens_again(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        _, server = yield from create(guest, files)
        guest.log.append((yield from files.read(server, 1))[0])

        def visitor(guest: Guest, number: int) -> Body:
            yield from guest.sleep(1)
            client = yield from files.open(NAME)
            yield from files.write(client, b"hello %d" % number)
            yield from guest.sleep(2)
            guest.log.append((yield from files.read(client, 1))[0])

        for number in (1, 2):
            yield from guest.thread(visitor, number)
            guest.log.append((yield from files.control(server, LISTEN))[0])
            guest.log.append((yield from files.control(server, LISTEN))[0])
            guest.log.append((yield from files.read(server, 20)))
            guest.log.append((yield from files.control(server, DISCONNECT))[0])
            guest.log.append((yield from files.control(server, DISCONNECT))[0])
            guest.log.append((yield from files.write(server, b"x"))[0])
            yield from guest.sleep(3)

    gone = STATUS_PIPE_DISCONNECTED
    assert [
        STATUS_PIPE_LISTENING,
        0, STATUS_PIPE_CONNECTED, (0, b"hello 1"), 0, gone, gone, gone,
        0, STATUS_PIPE_CONNECTED, (0, b"hello 2"), 0, gone, gone, gone,
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_clients_get_listening_instances_only_and_only_so_many_are_made(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        guest.log.append((yield from files.create(NAME))[0])
        _, first = yield from create(guest, files, instances=2)
        yield from files.open(NAME)
        guest.log.append((yield from files.create(NAME))[0])
        guest.log.append((yield from create(guest, files, instances=2, disposition=CREATE))[0])
        _, second = yield from create(guest, files, instances=2)
        guest.log.append((yield from files.create(NAME))[0])
        guest.log.append((yield from create(guest, files, instances=2))[0])
        yield from files.close(first)
        yield from files.close(second)
        guest.log.append((yield from files.create(NAME))[0])

    assert [
        STATUS_OBJECT_NAME_NOT_FOUND, STATUS_PIPE_NOT_AVAILABLE, STATUS_ACCESS_DENIED, 0, STATUS_INSTANCE_NOT_AVAILABLE,
        STATUS_OBJECT_NAME_NOT_FOUND,
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_a_pipe_has_a_direction(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        yield from create(guest, files, share=INBOUND, access=GENERIC_READ)
        guest.log.append((yield from files.create(NAME, GENERIC_READ))[0])
        guest.log.append((yield from files.create(NAME, GENERIC_WRITE))[0])

    assert [STATUS_ACCESS_DENIED, 0] == run_with_files(tmp_path, main)


def test_waiting_for_a_pipe_ends_with_an_instance_or_the_time(tmp_path: Path) -> None:
    def request(seconds: float, name: str = "Test") -> bytes:
        text = name.encode("utf-16-le")
        return struct.pack("<qIBx", round(-seconds * 1e7), len(text), 1) + text

    def main(guest: Guest, files: Files) -> Body:
        device = yield from files.open("\\??\\pipe\\", GENERIC_READ)
        guest.log.append((yield from files.control(device, WAIT, request(1)))[0])
        server, _ = yield from pair(guest, files)
        guest.log.append((yield from files.control(device, WAIT, request(2)))[0])
        guest.log.append(guest.now)

        def reopener(guest: Guest, _: int) -> Body:
            yield from guest.sleep(1)
            yield from files.control(server, DISCONNECT)
            yield from files.control(server, LISTEN)

        yield from guest.thread(reopener)
        guest.log.append((yield from files.control(device, WAIT, request(9)))[0])
        guest.log.append(guest.now)
        yield "NtTerminateProcess", 0xFFFFFFFFFFFFFFFF, 0

    assert [STATUS_OBJECT_NAME_NOT_FOUND, STATUS_IO_TIMEOUT, 2, 0, 3] == run_with_files(tmp_path, main)


def test_a_transaction_writes_and_reads_a_message(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        server, client = yield from pair(guest, files, kind=MESSAGES, reading=MESSAGES)
        yield from files.set(client, PIPE_INFORMATION, struct.pack("<II", 1, 0))

        def answer(guest: Guest, handle: int) -> Body:
            _, question = yield from files.read(handle, 100)
            yield from files.write(handle, question.upper())

        yield from guest.thread(answer, server)
        guest.log.append((yield from files.control(client, TRANSCEIVE, b"question")))

    assert [(0, b"QUESTION")] == run_with_files(tmp_path, main)


def test_overlapped_requests_wait_behind_the_threads_back_and_can_be_cancelled(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        server, client = yield from pair(guest, files, options=0)
        event = yield from guest.event(NOTIFICATION)
        block, buffer = guest.room(16), guest.room(32)

        def read() -> Any:
            return (yield "NtReadFile", server, event, 0, 0, block, buffer, 32, 0, 0)

        guest.log.append((yield from read()))
        guest.log.append((yield from guest.wait(event, 0)))
        yield from files.write(client, b"here")
        guest.log.append((yield from guest.wait(event, 0)))
        guest.log.append((files.outcome(block), files.memory(buffer, 4)))
        guest.log.append((yield from read()))
        guest.log.append((yield "NtCancelIoFileEx", server, block, files.block))
        guest.log.append((files.outcome(block), (yield from guest.wait(event, 0))))
        guest.log.append((yield "NtCancelIoFileEx", server, block, files.block))
        guest.log.append((yield from read()))
        yield from files.close(client)
        guest.log.append(files.outcome(block))

    assert [
        STATUS_PENDING, 0x102, 0, ((0, 4), b"here"), STATUS_PENDING, 0, ((STATUS_CANCELLED, 0), 0), STATUS_NOT_FOUND,
        STATUS_PENDING, (STATUS_PIPE_BROKEN, 0),
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_a_nonblocking_end_never_waits(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        _, server = yield from create(guest, files, nonblocking=1, quota=4)
        guest.log.append((yield from files.control(server, LISTEN))[0])
        client = yield from files.open(NAME)
        guest.log.append((yield from files.read(server, 1))[0])
        guest.log.append((yield from files.write(server, b"123456")))
        guest.log.append((yield from files.write(server, b"7")))
        guest.log.append((yield from files.read(client, 10)))

    assert [
        STATUS_PIPE_LISTENING, STATUS_PIPE_EMPTY, (0, 4), (0, 0), (0, b"1234"),
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_an_end_tells_about_its_pipe(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        server, client = yield from pair(guest, files, kind=MESSAGES, instances=3, quota=100)
        yield from files.write(client, b"12345")
        _, data = yield from files.query(server, LOCAL_INFORMATION, 40)
        guest.log.append(struct.unpack("<10I", data))
        _, data = yield from files.query(client, LOCAL_INFORMATION, 40)
        guest.log.append(struct.unpack("<10I", data)[5:])
        _, data = yield from files.query(client, 9, 64)
        guest.log.append(data[4:].decode("utf-16-le"))

    assert [
        (1, 2, 3, 1, 100, 5, 100, 100, 3, 1), (0, 100, 95, 3, 0), "\\Test",
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_an_anonymous_pipe_is_made_relative_to_the_device(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        device = yield from files.open("\\Device\\NamedPipe\\", GENERIC_READ)
        timeout = guest.stored(struct.pack("<q", -1))
        yield (
            "NtCreateNamedPipeFile", files.cell, GENERIC_READ | SYNCHRONIZE, guest.named("", 0x40, device), files.block,
            INBOUND, CREATE, SYNCHRONOUS, 0, 0, 0, 1, 4096, 4096, timeout,
        )  # fmt: skip
        reader = guest.value(files.cell, 8)
        writer = yield from files.open("", GENERIC_WRITE, root=reader)
        yield from files.write(writer, b"through")
        guest.log.append((yield from files.read(reader, 20)))

    assert [(0, b"through")] == run_with_files(tmp_path, main)


def test_flushing_waits_until_the_other_end_has_read(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        server, client = yield from pair(guest, files)
        yield from files.write(client, b"data")

        def reader(guest: Guest, handle: int) -> Body:
            yield from guest.sleep(5)
            yield from files.read(handle, 10)

        yield from guest.thread(reader, server)
        guest.log.append((yield "NtFlushBuffersFile", client, files.block))
        guest.log.append(guest.now)

    assert [0, 5] == run_with_files(tmp_path, main)
