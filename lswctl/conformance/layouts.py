"""Checks of the argument layouts: SYSCALL as command 4 and 5, arg_count, and what clients send."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os

from lswctl.conformance.client import FAILED, Client, Unfulfilled, check, expect, fails
from lswd.ioctl.commands import SYSCALL, SYSCALL_A

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lswd.ioctl.commands import Command

_TEST_FILE = "/tmp/test.txt"
_LOCK = "/tmp/lsw-conformance.lock"
FIXED_PATHS = ("/tmp/test.dll", "/tmp/hello.exe")
_RECOMPILED = "with number 5 it knows only the newer layout"


@check("an unknown system call comes back unchanged")
def unknown_call(client: Client) -> None:
    for command in (SYSCALL, SYSCALL_A):
        sent = (0x4E, 3, 1, 2, 3, 4, 5, 6, 7, 8, 0x1234_5678_9ABC_DEF0, -77)
        expect(sent, client.request(*sent[:1], *sent[2:10], count=3, command=command, value=sent[10], error=-77))


@check("calls of the newer generation are unknown as command 4")
def newer_calls(client: Client) -> None:
    for number in (0x1000, 0x1001, 0x1002, 0x1003, 0x1004, 0x33, 0x19, 0x53, 0x58, 0x75, 0x0D, 0x27):
        fields = client.request(number, 0x1000, count=1, command=SYSCALL_A, value=55, error=-66)
        expect((55, -66), (fields[10], fields[11]), hex(number))


@check("the request's padding and arguments come back")
def request_comes_back(client: Client) -> None:
    fields = client.request(0x1E, 1, 2, 3, 4, 5, 6, 7, 8, count=3)
    expect((0x1E, 3, 1, 2, 3, 4, 5, 6, 7, 8, 0, -errno.EINVAL), fields)


@contextlib.contextmanager
def alone(*paths: str) -> Iterator[None]:
    """While we use files whose names are fixed; another conformance run waits. Raises Unfulfilled: one is there."""
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # another user's lock
            lock = os.open(_LOCK, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            stack.callback(os.close, lock)
            fcntl.flock(lock, fcntl.LOCK_EX)
        for path in paths:
            if os.path.exists(path):
                raise Unfulfilled(f"{path} is in the way")
        yield


def _legacy_file(client: Client, command: Command) -> None:
    with alone(_TEST_FILE):
        _legacy_file_alone(client, command)


def _legacy_file_alone(client: Client, command: Command) -> None:
    try:
        handle, error = client.call(0x55, 0xC000_0000, 0, 2, command=command)
        expect(0, error)
        if handle in (0, FAILED):
            raise Unfulfilled(f"no handle: {handle:#x}")
        expect((15, 0), client.call(0x08, handle, command=command))
        expect((0, 0), client.call(0x0F, handle, command=command))
        with open(_TEST_FILE, "rb") as file:
            expect(b"LSW Test Write\n", file.read())
        handle, error = client.call(0x55, 0x8000_0000, 0, 3, command=command)
        expect((15, 0), client.call(0x06, handle, 4096, command=command))
        expect((0, 0), client.call(0x06, handle, 4096, command=command), "at the end")
        client.call(0x0F, handle, command=command)
    finally:
        if os.path.exists(_TEST_FILE):
            os.unlink(_TEST_FILE)


@check("test_file_io: NtCreateFile, NtWriteFile, NtReadFile in the old layout, command 4", "has one generation only")
def legacy_file(client: Client) -> None:
    _legacy_file(client, SYSCALL_A)


@check("test_file_io recompiled for command 5", _RECOMPILED)
def legacy_file_recompiled(client: Client) -> None:
    _legacy_file(client, SYSCALL)


@check("test_syscalls: NtCreateFile without arguments fails with 0 and ENOENT", "has one generation only")
def legacy_failure(client: Client) -> None:
    expect((0, -errno.ENOENT), client.call(0x55, command=SYSCALL_A))


@check("LdrLoadDll and NtCreateProcess in the old layout use fixed paths", "has one generation only")
def fixed_paths(client: Client) -> None:
    with alone(*FIXED_PATHS):
        expect((0, -errno.ENOENT), client.call(0x26, command=SYSCALL_A))
        expect((0, -errno.ENOENT), client.call(0xB3, command=SYSCALL_A))


@check("LdrLoadDll and NtCreateProcess in the old layout, recompiled for command 5", _RECOMPILED)
def fixed_paths_recompiled(client: Client) -> None:
    with alone(*FIXED_PATHS):
        expect((0, -errno.ENOENT), client.call(0x26))
        expect((0, -errno.ENOENT), client.call(0xB3))


@check("NULL as a path with an argument count is an error")
def null_paths(client: Client) -> None:
    expect((0, -errno.EFAULT), client.call(0x26, 0))
    expect((0, -errno.EINVAL), client.call(0xB3, 0))


@check("the loader's NtCreateThreadEx fails ioctl", "says it made a thread, which never runs")
def loader_thread(client: Client) -> None:
    try:
        answer = client.call(0xBD, 0x1000, 0, 0, 0)
    except OSError as error:
        if error.errno not in (errno.ENOSYS, errno.ENOTTY):  # CUSE makes one of the other
            raise
    else:
        raise Unfulfilled(f"expected a failure, got {answer}")


@check("NtCreateThreadEx in the tests' layout gives a number")
def test_thread(client: Client) -> None:
    first, error = client.call(0xBD, 1000, 0x1000, 0)
    expect(0, error)
    expect((first + 1, 0), client.call(0xBD, 1000, 0x1000, 0))
    if first < 2000:
        raise Unfulfilled(f"expected 2000 or more, got {first}")


@check("NtWaitForSingleObject in the loader's layout can poll", "takes 0 for endless")
def loader_wait(client: Client) -> None:
    event, _ = client.call(0x48, 1, 0)
    expect((0x102, 0), client.call(0x04, event, 0, 0))
    expect((0x102, 0), client.call(0x04, event, 0, 20))
    fails_with_handle = client.call(0x04, 0x12345, 0, 0)
    expect((0, -errno.EBADF), fails_with_handle)


@check("the file layouts of the loader go by arg_count, not by what lies in the arguments")
def count_decides(client: Client) -> None:
    path = client.path("/nonexistent/file")
    expect((FAILED, -errno.ENOENT), client.call(0x55, path, 0x8000_0000, 3, 0))
    fails(errno.EBADF, lambda: client.call(0x08, 3, client.space(4), 4))
