"""Checks that send what the LSW project's own clients and loaders send, call by call, in both numberings.

The clients were written when SYSCALL was command 4; recompiled, they send the same as command 5.
"""

from __future__ import annotations

import contextlib
import errno
import os
import struct
import tempfile

from lswctl.conformance.client import U64, Client, check, expect
from lswctl.conformance.files import Stream, foreign_handle
from lswctl.conformance.layouts import FIXED_PATHS, alone, loader_thread
from lswctl.conformance.programs import tiny_program
from lswd.ioctl.commands import SYSCALL, SYSCALL_A, UNREGISTER_PE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.ioctl.commands import Command

_BASE = 0x1_4000_0000
_STDOUT = U64 - 10
_DROPPED = "says it made a thread, which never runs"


def _both(title: str, module_fails: str = "") -> Callable[[Callable[[Client, Command], None]], None]:
    """Declare a check of a client as it is, and of it recompiled."""

    def declare(function: Callable[[Client, Command], None]) -> None:
        check(title, module_fails)(lambda client: function(client, SYSCALL_A))
        check(f"{title}, recompiled for command 5", module_fails)(lambda client: function(client, SYSCALL))

    return declare


@_both("test_syscalls: a region of its own, no file")
def _syscalls(client: Client, command: Command) -> None:
    expect((0x40_0000, 0), client.call(0x18, 0x40_0000, 0x1_0000, command=command))
    client.call(0x55, command=command)
    expect((0, 0), client.call(0x1E, 0x40_0000, command=command))


@_both("test_memory_complete: allocate, read, protect, free")
def _memory(client: Client, command: Command) -> None:
    expect((0x50_0000, 0), client.call(0x18, 0x50_0000, 0x1000, 0x3000, 4, command=command))
    expect((256, 0), client.call(0x3F, 0, 0x50_0000, 256, command=command))
    expect((4, 0), client.call(0x50, 0x50_0000, 0x1000, 2, command=command))
    expect((0, 0), client.call(0x1E, 0x50_0000, 0, 0x8000, command=command))


@_both("test_sysinfo: classes 0 and 5")
def _sysinfo(client: Client, command: Command) -> None:
    expect((0, 0), client.call(0x36, 0, command=command))
    count, error = client.call(0x36, 5, command=command)
    expect((True, 0), (count > 0, error))


@_both("test_sync: an event and a mutex")
def _sync(client: Client, command: Command) -> None:
    event, error = client.call(0x48, 1, 0, command=command)
    expect((True, 0), (event >= 0x2000, error))
    expect((0, 0), client.call(0x0E, event, command=command))
    expect((0, 0), client.call(0x04, event, 1000, command=command))
    expect((0, -errno.EBADF), client.call(0x0F, event, command=command))
    mutex, error = client.call(0xC4, 0, command=command)
    expect((True, 0), (mutex > event, error))
    expect((0, 0), client.call(0x04, mutex, 1000, command=command))
    expect((0, 0), client.call(0x1D, mutex, command=command))
    expect((0, -errno.EBADF), client.call(0x0F, mutex, command=command))


@_both("test_dll_process: a library, an address in it, a program, a thread", "passed in one generation only")
def _dll_process(client: Client, command: Command) -> None:
    with alone(*FIXED_PATHS), contextlib.ExitStack() as stack:
        for path in FIXED_PATHS:
            with open(path, "xb") as file:
                stack.callback(os.unlink, path)
                file.write(tiny_program(0))
        expect((_BASE, 0), client.call(0x26, command=command))
        expect((_BASE + 0x1000, 0), client.call(0xB8, _BASE, command=command))
        expect((1000, 0), client.call(0xB3, command=command))
        expect((2000, 0), client.call(0xBD, 1000, 0x1000, 0, command=command))


@_both("test_comprehensive: a program by its path")
def _comprehensive(client: Client, command: Command) -> None:
    with tempfile.NamedTemporaryFile(suffix=".exe") as file:
        file.write(tiny_program(0))
        file.flush()
        expect((1000, 0), client.call(0xB3, client.path(file.name), command=command))


def _written(client: Client, number: int, *arguments: int) -> tuple[tuple[int, int], bytes]:
    """A call's answer, and what came to standard output."""
    reading, writing = os.pipe()
    try:
        with Stream(1, writing):
            answer = client.call(number, *arguments)
        return answer, os.read(reading, 100)
    finally:
        os.close(reading)
        os.close(writing)


@check("a loader of 87127f3: writes to standard output by its handle, unregisters", "writes to the kernel's log")
def _oldest_loader(client: Client) -> None:
    client.register(os.getpid(), base=_BASE, entry=_BASE + 0x1000, image_size=0x2000, path=b"hello.exe")
    expect(((5, 0), b"hello"), _written(client, 0x08, _STDOUT, client.place(b"hello"), 5))
    client.command(UNREGISTER_PE, os.getpid())


@check("a loader of 43d83a1: writes to the console, waits for any handle", "takes 0 for endless")
def _middle_loader(client: Client) -> None:
    written = client.space(4)
    expect(((1, 0), b"hello"), _written(client, 0x1002, _STDOUT, client.place(b"hello"), 5, written))
    expect(5, struct.unpack("<I", client.at(written, 4))[0])
    event, _ = client.call(0x48, 0, 1)
    expect((0, 0), client.call(0x04, event, 0, 0xFFFF_FFFF))
    expect((0, -errno.EBADF), client.call(0x04, 0x1_0000, 0, 10))


@check("a loader of c0c651f: a file, a thread it makes itself, a wait", _DROPPED)
def _newest_loader(client: Client) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = client.path(f"{directory}/file")
        text, back = client.place(b"some text"), client.space(9)
        handle, error = client.call(0x55, path, 0xC000_0000, 2, 0x80)
        expect((True, 0), (0x400 <= handle < 0x1_0000, error))
        expect((9, 0), client.call(0x08, handle, text, 9))
        expect((9, 0), client.call(0x1000, handle))
        expect((5, 0), client.call(0x1001, handle, 5, 0))
        expect((4, 0), client.call(0x06, handle, back, 9))
        expect(b"text", client.at(back, 4))
    loader_thread(client)
    expect((0, 0), client.call(0x53, 0, 0))
    expect((0, -errno.EBADF), client.call(0x04, 0x7F00_0000_0000, 0, 10))
    foreign_handle(client)  # it then does the thing itself
