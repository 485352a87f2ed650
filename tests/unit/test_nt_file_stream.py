"""Standard streams and host devices: waiting for them, peeking at them, their ends."""

from __future__ import annotations

import os
import struct
import time
from pathlib import Path
from typing import Any

from lswd.kernel.file_device import standard_file
from lswd.memory.protection import PAGE_READWRITE

from .file_guest import (
    GENERIC_READ,
    GENERIC_WRITE,
    READ_WRITE,
    STATUS_CANCELLED,
    STATUS_END_OF_FILE,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_PIPE_BROKEN,
    Body,
    Files,
    run_with_files,
)
from .guest_threads import Guest

PEEK = 0x11400C
PIPE, DISK, NULL = 0x11, 8, 0x15


def handle_of(guest: Guest, fd: int, access: int) -> int:
    """A handle to the host descriptor ``fd`` as a standard stream."""
    process = guest.machine.process
    file = standard_file(process.system, fd, access)
    return process.handles.add(file, file.access)


def device_type(guest: Guest, files: Files, handle: int) -> Any:
    buffer = guest.room(8)
    yield "NtQueryVolumeInformationFile", handle, files.block, buffer, 8, 4
    return guest.value(buffer)


def test_a_reader_waits_for_a_pipe_while_other_threads_run_and_ends_at_its_end(tmp_path: Path) -> None:
    reading, writing = os.pipe()

    def main(guest: Guest, files: Files) -> Body:
        handle = handle_of(guest, reading, GENERIC_READ)
        guest.log.append((yield from device_type(guest, files, handle)))

        def writer(guest: Guest, _: int) -> Body:
            guest.log.append("writing")
            os.write(writing, b"late")
            os.close(writing)
            yield from ()

        yield from guest.thread(writer)
        guest.log.append((yield from files.read(handle, 100)))
        guest.log.append((yield from files.read(handle, 100)))

    assert [PIPE, "writing", (0, b"late"), (STATUS_END_OF_FILE, b"")] == run_with_files(tmp_path, main)
    os.close(reading)


def test_a_writer_waits_for_a_full_pipe_to_drain(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    size = 300_000  # more than a pipe holds
    taken = bytearray()

    def main(guest: Guest, files: Files) -> Body:
        handle = handle_of(guest, writing, GENERIC_WRITE)

        def reader(guest: Guest, _: int) -> Body:
            while len(taken) < size:
                os.set_blocking(reading, False)
                try:
                    taken.extend(os.read(reading, 65536))
                except BlockingIOError:
                    pass
                yield "PREEMPT"

        thread = yield from guest.thread(reader)
        guest.log.append((yield from files.write(handle, b"x" * size)))
        yield from guest.wait(thread)

    assert [(0, size)] == run_with_files(tmp_path, main)
    assert b"x" * size == bytes(taken)
    os.close(reading)
    os.close(writing)


def test_what_has_become_of_memory_that_was_freed_while_a_writer_waited_is_not_written(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.set_blocking(reading, False)
    size = 0x50000  # more than a pipe holds
    taken = bytearray()

    def main(guest: Guest, files: Files) -> Body:
        handle = handle_of(guest, writing, GENERIC_WRITE)
        space = guest.machine.process.space
        freed = space.reserve(0, size, PAGE_READWRITE)
        space.commit(freed, freed.base, size, PAGE_READWRITE)
        space.write(freed.base, b"x" * size)

        def reader(guest: Guest, _: int) -> Body:
            space.release(freed.base)
            other = space.reserve(0x70000000, size, PAGE_READWRITE)  # it gets what the freed one had
            space.commit(other, other.base, other.size, PAGE_READWRITE)
            space.write(other.base, b"secret" * (other.size // 6))
            while True:
                try:
                    taken.extend(os.read(reading, 65536))
                except BlockingIOError:
                    if ended:
                        break
                yield "PREEMPT"

        ended: list[int] = []
        thread = yield from guest.thread(reader)
        ended.append((yield "NtWriteFile", handle, 0, 0, 0, files.block, freed.base, size, 0, 0))
        guest.log.append((ended[0], files.outcome()[1] == len(taken)))
        yield from guest.wait(thread)

    assert [(0, True)] == run_with_files(tmp_path, main)
    assert {b"x"} == {bytes((byte,)) for byte in taken}
    os.close(reading)
    os.close(writing)


def test_closing_the_handle_ends_what_waits_for_the_file(tmp_path: Path) -> None:
    for name in ("one", "other"):
        os.mkfifo(tmp_path / name)

    def main(guest: Guest, files: Files) -> Body:
        def turns(seconds: float) -> Body:
            end = time.monotonic() + seconds
            while not guest.log and time.monotonic() < end:
                yield "PREEMPT"

        first = yield from files.open("one")

        def reader(guest: Guest, _: int) -> Body:
            guest.log.append((yield from files.read(first, 10)))

        yield from guest.thread(reader)
        yield from turns(0.05)  # it waits
        yield "NtClose", first
        yield from turns(5)
        second = yield from files.open("other")  # may get the descriptor of the first
        with open(tmp_path / "other", "wb", buffering=0) as writer:
            writer.write(b"more")
            guest.log.append((yield from files.read(second, 10)))

    assert [(STATUS_CANCELLED, b""), (0, b"more")] == run_with_files(tmp_path, main)


def test_several_threads_read_one_pipe(tmp_path: Path) -> None:
    reading, writing = os.pipe()

    def main(guest: Guest, files: Files) -> Body:
        handle = handle_of(guest, reading, GENERIC_READ)

        def reader(guest: Guest, _: int) -> Body:
            guest.log.append((yield from files.read(handle, 1)))

        threads = []
        for _ in range(3):
            threads.append((yield from guest.thread(reader)))
        for _ in range(20):
            yield "PREEMPT"
        os.write(writing, b"abc")
        for thread in threads:
            yield from guest.wait(thread)

    assert [(0, b"a"), (0, b"b"), (0, b"c")] == sorted(run_with_files(tmp_path, main))
    os.close(reading)
    os.close(writing)


def test_an_inherited_pipe_can_be_peeked_at(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"12345")

    def main(guest: Guest, files: Files) -> Body:
        handle = handle_of(guest, reading, GENERIC_READ)
        guest.log.append((yield from files.control(handle, PEEK, size=16)))
        yield from files.read(handle, 100)
        guest.log.append((yield from files.control(handle, PEEK, size=16)))
        os.close(writing)
        guest.log.append((yield from files.control(handle, PEEK, size=16))[0])

    assert [
        (0, struct.pack("<4I", 3, 5, 0, 0)), (0, struct.pack("<4I", 3, 0, 0, 0)), STATUS_PIPE_BROKEN,
    ] == run_with_files(tmp_path, main)  # fmt: skip
    os.close(reading)


def test_writing_to_a_pipe_nobody_reads_is_an_error_and_no_signal(tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.close(reading)

    def main(guest: Guest, files: Files) -> Body:
        handle = handle_of(guest, writing, GENERIC_WRITE)
        guest.log.append((yield from files.write(handle, b"x"))[0])

    assert [STATUS_PIPE_BROKEN] == run_with_files(tmp_path, main)
    os.close(writing)


def test_a_standard_stream_on_a_file_shares_the_descriptors_position(tmp_path: Path) -> None:
    fd = os.open(tmp_path / "out", os.O_RDWR | os.O_CREAT)
    os.write(fd, b"before ")

    def main(guest: Guest, files: Files) -> Body:
        handle = handle_of(guest, fd, READ_WRITE)
        guest.log.append((yield from device_type(guest, files, handle)))
        guest.log.append((yield from files.write(handle, b"guest ")))
        yield from files.close(handle)

    assert [DISK, (0, 6)] == run_with_files(tmp_path, main)
    os.write(fd, b"after")
    os.close(fd)
    assert b"before guest after" == (tmp_path / "out").read_bytes()


def test_the_null_device_swallows_everything_and_has_nothing(tmp_path: Path) -> None:
    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("\\??\\NUL")
        guest.log.append((yield from device_type(guest, files, handle)))
        guest.log.append((yield from files.write(handle, b"gone")))
        guest.log.append((yield from files.read(handle, 10)))
        guest.log.append((yield from files.control(handle, PEEK))[0])

    assert [
        NULL, (0, 4), (STATUS_END_OF_FILE, b""), STATUS_INVALID_DEVICE_REQUEST,
    ] == run_with_files(tmp_path, main)  # fmt: skip


def test_a_character_device_of_the_host_is_read_as_a_stream(tmp_path: Path) -> None:
    (tmp_path / "zero").symlink_to("/dev/zero")

    def main(guest: Guest, files: Files) -> Body:
        handle = yield from files.open("zero", GENERIC_READ)
        guest.log.append((yield from files.read(handle, 5)))

    assert [(0, bytes(5))] == run_with_files(tmp_path, main, Z="/")
