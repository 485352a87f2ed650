"""Checks of native calls on files and the console."""

from __future__ import annotations

import errno
import os
import struct
import tempfile

from lswctl.conformance.client import FAILED, U64, Client, Unfulfilled, check, expect, fails

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

CREATE, READ, WRITE, CLOSE = 0x55, 0x06, 0x08, 0x0F
SIZE, SEEK, WRITE_CONSOLE, READ_CONSOLE, STD_HANDLE = 0x1000, 0x1001, 0x1002, 0x1003, 0x1004
GENERIC_READ, GENERIC_WRITE = 0x8000_0000, 0x4000_0000
BOTH = GENERIC_READ | GENERIC_WRITE
CREATE_NEW, CREATE_ALWAYS, OPEN_EXISTING, OPEN_ALWAYS, TRUNCATE = 1, 2, 3, 4, 5
BAD_HANDLE = -errno.EBADF
_TEXT = b"0123456789abcdefghij"


def with_directory(function: Callable[[Client, str], None]) -> Callable[[Client], None]:
    """A check that gets an empty directory."""

    def checks(client: Client) -> None:
        with tempfile.TemporaryDirectory(prefix="lsw-conformance-") as directory:
            os.chmod(directory, 0o755)
            function(client, directory)

    return checks


def opened(client: Client, path: str, access: int = BOTH, disposition: int = OPEN_ALWAYS) -> int:
    """A handle for the file."""
    handle, error = client.call(CREATE, client.path(path), access, disposition, 0)
    if error or handle in (0, FAILED):
        raise Unfulfilled(f"cannot open {path}: return_value {handle:#x}, error_code {error}")
    return handle


@check("NtCreateFile, NtWriteFile, NtReadFile, NtClose")
@with_directory
def a_file(client: Client, directory: str) -> None:
    path = directory + "/file"
    handle = opened(client, path)
    expect((len(_TEXT), 0), client.call(WRITE, handle, client.place(_TEXT), len(_TEXT)))
    expect((0, 0), client.call(CLOSE, handle))
    expect((0, BAD_HANDLE), client.call(CLOSE, handle))
    with open(path, "rb") as file:
        expect(_TEXT, file.read())
    handle = opened(client, path, GENERIC_READ, OPEN_EXISTING)
    buffer = client.space(64)
    expect((len(_TEXT), 0), client.call(READ, handle, buffer, 64))
    expect(_TEXT, client.at(buffer, len(_TEXT)))
    expect((0, 0), client.call(READ, handle, buffer, 64), "at the end")
    client.call(CLOSE, handle)


@check("NtCreateFile: any failure is -1 and ENOENT, a bad path EFAULT")
@with_directory
def no_file(client: Client, directory: str) -> None:
    expect((FAILED, -errno.ENOENT), client.call(CREATE, client.path(directory + "/no"), BOTH, OPEN_EXISTING, 0))
    expect((FAILED, -errno.ENOENT), client.call(CREATE, client.path(directory), BOTH, OPEN_EXISTING, 0))
    expect((FAILED, -errno.EFAULT), client.call(CREATE, 8, BOTH, OPEN_EXISTING, 0))
    expect((FAILED, -errno.EFAULT), client.call(CREATE, 0, BOTH, OPEN_EXISTING, 0))


@check("NtCreateFile: dispositions")
@with_directory
def dispositions(client: Client, directory: str) -> None:
    path = directory + "/file"
    handle = opened(client, path, BOTH, CREATE_NEW)
    client.call(WRITE, handle, client.place(_TEXT), 5)
    expect((FAILED, -errno.ENOENT), client.call(CREATE, client.path(path), BOTH, CREATE_NEW, 0), "CREATE_NEW again")
    for disposition, size in ((OPEN_EXISTING, 5), (OPEN_ALWAYS, 5), (77, 5), (TRUNCATE, 0)):
        expect((size, 0), client.call(SIZE, opened(client, path, BOTH, disposition)), f"disposition {disposition}")
    client.call(WRITE, opened(client, path), client.place(_TEXT), 5)
    expect((0, 0), client.call(SIZE, opened(client, path, BOTH, CREATE_ALWAYS)), "CREATE_ALWAYS")


@check("NtCreateFile: access decides about reading and writing")
@with_directory
def access(client: Client, directory: str) -> None:
    path = directory + "/file"
    opened(client, path)
    address = client.place(_TEXT)
    for wanted, reads, writes in (
        (GENERIC_READ, 0, BAD_HANDLE),
        (GENERIC_WRITE, BAD_HANDLE, 0),
        (BOTH, 0, 0),
        (0, 0, BAD_HANDLE),
        (0x1000_0000, 0, BAD_HANDLE),
    ):
        handle = opened(client, path, wanted, OPEN_EXISTING)
        expect(reads, client.call(READ, handle, client.space(1), 1)[1], f"reading, access {wanted:#x}")
        expect(writes, client.call(WRITE, handle, address, 1)[1], f"writing, access {wanted:#x}")


@check("NtCreateFile: a new file has mode 0644 less the caller's umask")
@with_directory
def umask(client: Client, directory: str) -> None:
    old = os.umask(0o027)
    try:
        opened(client, directory + "/file", BOTH, CREATE_NEW)
    finally:
        os.umask(old)
    expect(0o640, os.stat(directory + "/file").st_mode & 0o777)
    expect(os.geteuid(), os.stat(directory + "/file").st_uid)


@check("NtCreateFile: a relative path starts in the caller's directory")
@with_directory
def relative(client: Client, directory: str) -> None:
    old = os.getcwd()
    os.chdir(directory)
    try:
        opened(client, "relative", BOTH, CREATE_NEW)
    finally:
        os.chdir(old)
    expect(["relative"], os.listdir(directory))


@check("NtCreateFile: a path of more than 255 bytes", "cuts it")
@with_directory
def long_path(client: Client, directory: str) -> None:
    deep = directory
    for name in ("a" * 100, "b" * 100, "c" * 100):
        deep += "/" + name
        os.mkdir(deep)
    opened(client, deep + "/file", BOTH, CREATE_NEW)
    expect(["file"], os.listdir(deep))


@check("NtCreateFile: a path that ends where memory does", "wants 255 bytes")
@with_directory
def path_at_the_end(client: Client, directory: str) -> None:
    address = client.before_nothing(os.fsencode(directory + "/file") + b"\0")
    handle, error = client.call(CREATE, address, BOTH, OPEN_ALWAYS, 0)
    expect(0, error)
    client.call(CLOSE, handle)
    address = client.before_nothing(os.fsencode(directory + "/file"))  # no NUL
    expect((FAILED, -errno.EFAULT), client.call(CREATE, address, BOTH, OPEN_ALWAYS, 0))


@check("file handles begin at 0x1000 and are used again", "counts on for ever, for all processes")
@with_directory
def handles(client: Client, directory: str) -> None:
    first = opened(client, directory + "/a")
    second = opened(client, directory + "/b")
    expect((0x1000, 0x1001), (first, second))
    client.call(CLOSE, first)
    expect(first, opened(client, directory + "/c"))


@check("file handles are gone when the device is closed", "keeps them, for all processes")
@with_directory
def handles_go(client: Client, directory: str) -> None:
    handle = opened(client, directory + "/a")
    client.again()
    expect((0, BAD_HANDLE), client.call(CLOSE, handle))


@check("file handles belong to one open file of the device", "shares them among all processes")
@with_directory
def handles_are_private(client: Client, directory: str) -> None:
    handle = opened(client, directory + "/a")
    other = Client(client.open_device)
    try:
        expect((0, BAD_HANDLE), other.call(READ, handle, other.space(1), 1))
    finally:
        other.close()


@check("NtReadFile and NtWriteFile: size 0 is EINVAL, also for no handle at all")
@with_directory
def size_zero(client: Client, directory: str) -> None:
    handle = opened(client, directory + "/a")
    buffer = client.space(8)
    expect((0, -errno.EINVAL), client.call(READ, handle, buffer, 0))
    expect((0, -errno.EINVAL), client.call(READ, 0x7777, buffer, 0))
    expect((0, -errno.EINVAL), client.call(WRITE, handle, buffer, 0))


@check("NtReadFile and NtWriteFile: a bad buffer is EFAULT")
@with_directory
def bad_buffers(client: Client, directory: str) -> None:
    handle = opened(client, directory + "/a")
    client.call(WRITE, handle, client.place(_TEXT), len(_TEXT))
    client.call(SEEK, handle, 0, 0)
    expect((0, -errno.EFAULT), client.call(WRITE, handle, 8, 5))
    expect((0, -errno.EFAULT), client.call(READ, handle, 8, 5))
    expect((0, -errno.EFAULT), client.call(WRITE, handle, client.before_nothing(b"ab"), 3), "straddling")


@check("NtReadFile with buffer 0 drops the data and goes on")
@with_directory
def read_and_drop(client: Client, directory: str) -> None:
    handle = opened(client, directory + "/a")
    client.call(WRITE, handle, client.place(_TEXT), len(_TEXT))
    expect((0, 0), client.call(SEEK, handle, 0, 0))
    expect((10, 0), client.call(READ, handle, 0, 10))
    buffer = client.space(10)
    client.call(READ, handle, buffer, 10)
    expect(_TEXT[10:], client.at(buffer, 10))


@check("NtReadFile and NtWriteFile: more than 4096 bytes at once", "moves 4096")
@with_directory
def large(client: Client, directory: str) -> None:
    data = os.urandom(300_001)
    handle = opened(client, directory + "/a")
    expect((len(data), 0), client.call(WRITE, handle, client.place(data), len(data)))
    client.call(SEEK, handle, 0, 0)
    buffer = client.space(len(data))
    expect((len(data), 0), client.call(READ, handle, buffer, len(data)))
    if client.at(buffer, len(data)) != data:
        raise Unfulfilled("other bytes came back")


@check("a handle of the module that is not open is EBADF in the request")
def unknown_handle(client: Client) -> None:
    buffer = client.space(8)
    expect((0, BAD_HANDLE), client.call(READ, 0x7777, buffer, 8))
    expect((0, BAD_HANDLE), client.call(WRITE, 0x7777, buffer, 8))
    expect((U64, BAD_HANDLE), client.call(SIZE, 0x7777))
    expect((U64, BAD_HANDLE), client.call(SEEK, 0x7777, 0, 0))
    expect((0, BAD_HANDLE), client.call(READ, -1, buffer, 8), "handle -1")


@check("a Linux descriptor as handle fails ioctl with EBADF", "says 0, so the loader loses data")
def foreign_handle(client: Client) -> None:
    buffer = client.space(8)
    for number, arguments in ((READ, (5, buffer, 8)), (WRITE, (5, buffer, 8)), (SIZE, (5,)), (SEEK, (5, 0, 0))):
        fails(errno.EBADF, lambda number=number, arguments=arguments: client.call(number, *arguments), hex(number))  # type: ignore[misc]


@check("LswSetFilePointer: from the start and the end")
@with_directory
def seek(client: Client, directory: str) -> None:
    handle = opened(client, directory + "/a")
    client.call(WRITE, handle, client.place(_TEXT), len(_TEXT))
    expect((3, 0), client.call(SEEK, handle, 3, 0))
    expect((18, 0), client.call(SEEK, handle, -2, 2))
    expect((U64, -errno.EINVAL), client.call(SEEK, handle, -1, 0))
    expect((U64, -errno.EINVAL), client.call(SEEK, handle, 0, 3))
    expect((len(_TEXT), 0), client.call(SIZE, handle))


@check("LswSetFilePointer: from where the file is", "counts from the last seek")
@with_directory
def seek_current(client: Client, directory: str) -> None:
    handle = opened(client, directory + "/a")
    client.call(WRITE, handle, client.place(_TEXT), len(_TEXT))
    expect((len(_TEXT) - 5, 0), client.call(SEEK, handle, -5, 1))


@check("NtFlushBuffersFile and NtSetInformationFile always succeed")
def always(client: Client) -> None:
    expect((0, 0), client.call(0x75, 0x7777))
    expect((0, 0), client.call(0x27, 1, 2, 3, 4, 5))


@check("NtQueryInformationFile clears the buffer")
def query_file(client: Client) -> None:
    buffer = client.place(b"\xff" * 16)
    expect((0, 0), client.call(0x0D, 0x7777, 0, 0, buffer, 12))
    expect(bytes(12) + b"\xff" * 4, client.at(buffer, 16))


@check("LswGetStdHandle")
def standard_handles(client: Client) -> None:
    for identifier in (0xFFFF_FFF6, 0xFFFF_FFF5, 0xFFFF_FFF4):
        expect((identifier, 0), client.call(STD_HANDLE, identifier))
        expect((identifier, 0), client.call(STD_HANDLE, 0xFFFF_FFFF_0000_0000 | identifier))
    expect((0, 0), client.call(STD_HANDLE, 7))


class Stream:
    """One of our standard streams, redirected for a while."""

    def __init__(self, number: int, replacement: int) -> None:
        self._number = number
        self._saved = os.dup(number)
        os.dup2(replacement, number)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        os.dup2(self._saved, self._number)
        os.close(self._saved)


@check("LswWriteConsole writes to the caller's own standard output", "writes to that of its first caller")
def write_console(client: Client) -> None:
    reading, writing = os.pipe()
    text, written = client.place(b"console"), client.space(4)
    try:
        for number, handle in ((1, 0xFFFF_FFF5), (2, 0xFFFF_FFFF_FFFF_FFF4)):
            with Stream(number, writing):
                answer = client.call(WRITE_CONSOLE, handle, text, 7, written)
            expect((1, 0), answer)
            expect(b"console", os.read(reading, 100))
            expect(7, struct.unpack("<I", client.at(written, 4))[0])
        with Stream(1, writing):
            answer = client.call(WRITE_CONSOLE, 0xFFFF_FFF5, text, 7, 8)
        expect((0, -errno.EFAULT), answer, "bad counter")
        expect(b"console", os.read(reading, 100), "written all the same")
    finally:
        os.close(reading)
        os.close(writing)
    expect((1, 0), client.call(WRITE_CONSOLE, 0xFFFF_FFF5, text, 0, written))
    expect((0, BAD_HANDLE), client.call(WRITE_CONSOLE, 0x1000, text, 7, written))
    expect((0, BAD_HANDLE), client.call(WRITE_CONSOLE, 0xFFFF_FFF6, text, 7, written), "standard input")
    expect((0, -errno.EFAULT), client.call(WRITE_CONSOLE, 0xFFFF_FFF5, 8, 7, written))


@check("NtWriteFile to a negative handle goes to the caller's standard streams", "writes to the kernel's log")
def write_negative(client: Client) -> None:
    reading, writing = os.pipe()
    text = client.place(b"negative")
    try:
        for number, handle in ((1, -11), (2, -12), (1, -77)):
            with Stream(number, writing):
                answer = client.call(WRITE, handle, text, 8)
            expect((8, 0), answer)
            expect(b"negative", os.read(reading, 100))
    finally:
        os.close(reading)
        os.close(writing)
    expect((0, BAD_HANDLE), client.call(WRITE, 0xFFFF_FFF5, text, 8), "not negative")


@check("LswReadConsole reads the caller's own standard input", "reads that of its first caller")
def read_console(client: Client) -> None:
    reading, writing = os.pipe()
    os.write(writing, b"typed")
    buffer, count = client.space(16), client.space(4)
    try:
        with Stream(0, reading):
            answer = client.call(READ_CONSOLE, 0xFFFF_FFF6, buffer, 16, count)
        expect((1, 0), answer)
        expect((5, b"typed"), (struct.unpack("<I", client.at(count, 4))[0], client.at(buffer, 5)))
        os.close(writing)
        writing = -1
        with Stream(0, reading):
            answer = client.call(READ_CONSOLE, 0xFFFF_FFF6, buffer, 16, count)
        expect((1, 0), answer, "at the end")
        expect(0, struct.unpack("<I", client.at(count, 4))[0])
    finally:
        os.close(reading)
        if writing >= 0:
            os.close(writing)
    expect((0, BAD_HANDLE), client.call(READ_CONSOLE, 0xFFFF_FFF5, buffer, 16, count))
