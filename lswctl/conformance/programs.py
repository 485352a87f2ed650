"""Checks of native calls on libraries and processes, and of EXECUTE_PE as a loader uses it."""

from __future__ import annotations

import ctypes
import errno
import mmap
import os
import struct
import subprocess

from lswctl.conformance.client import Client, Unfulfilled, check, expect
from lswctl.conformance.files import with_directory
from lswd.ioctl.commands import EXECUTE_PE, REASON_EXITED, WAIT_PE, WORD, Wait

_BASE = 0x1_4000_0000
_ENTRY = 0x1000
_SIZE = 0x3000
_READ_WRITE_EXECUTE = mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC


def tiny_program(exit_code: int) -> bytes:
    """A PE program that only returns ``exit_code``. Source: Microsoft "PE Format"."""
    code = b"\xb8" + struct.pack("<I", exit_code) + b"\xc3"
    file_header = struct.pack("<HHIIIHH", 0x8664, 1, 0, 0, 0, 240, 0x0022)
    optional = struct.pack("<HBBIIIII", 0x20B, 14, 0, 0x200, 0, 0, _ENTRY, 0x1000)
    optional += struct.pack("<QIIHHHHHHIIIIHH", _BASE, 0x1000, 0x200, 6, 0, 0, 0, 6, 0, 0, _SIZE, 0x200, 0, 3, 0x100)
    optional += struct.pack("<QQQQII", 0x100000, 0x1000, 0x100000, 0x1000, 0, 16) + bytes(128)
    section = struct.pack("<8sIIIIIIHHI", b".text", 0x1000, _ENTRY, 0x200, 0x200, 0, 0, 0, 0, 0x60000020)
    dos = b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40)
    headers = dos + b"PE\0\0" + file_header + optional + section
    return headers.ljust(0x200, b"\0") + code.ljust(0x200, b"\xcc")


def mapped(program: bytes) -> bytes:
    """The program as a loader has it in memory."""
    return (program[:0x200].ljust(_ENTRY, b"\0") + program[0x200:]).ljust(_SIZE, b"\0")


@check("LdrLoadDll tells the image base, LdrGetProcedureAddress an address in it")
@with_directory
def load_library(client: Client, directory: str) -> None:
    path = directory + "/a.dll"
    with open(path, "wb") as file:
        file.write(tiny_program(0))
    expect((_BASE, 0), client.call(0x26, client.path(path)))
    expect((_BASE + 0x1000, 0), client.call(0xB8, _BASE))
    expect((0, -errno.ENOENT), client.call(0xB8, _BASE + 0x1_0000))


@check("LdrLoadDll: what is no PE file")
@with_directory
def load_nothing(client: Client, directory: str) -> None:
    path = directory + "/a.dll"
    expect((0, -errno.ENOENT), client.call(0x26, client.path(path)))
    expect((0, -errno.EIO), client.call(0x26, client.path(directory)))
    expect((0, -errno.EFAULT), client.call(0x26, 8))
    for content, code in (
        (b"", errno.ENOMEM),
        (b"no program", errno.EINVAL),
        (b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 4000), errno.EINVAL),
        (b"MZ".ljust(0x3C, b"\0") + struct.pack("<I", 0x40) + bytes(100), errno.EINVAL),
    ):
        with open(path, "wb") as file:
            file.write(content)
        expect((0, -code), client.call(0x26, client.path(path)), repr(content[:8]))
    with open(path, "wb") as file:
        file.truncate((100 << 20) + 1)
    expect((0, -errno.EFBIG), client.call(0x26, client.path(path)), "large")


@check("NtCreateProcess counts, NtTerminateProcess knows what it counted", "uses a pointer of the caller's as its own")
@with_directory
def create_process(client: Client, directory: str) -> None:
    path = directory + "/a.exe"
    with open(path, "wb") as file:
        file.write(tiny_program(0))
    first, error = client.call(0xB3, client.path(path))
    expect(0, error)
    if first < 1000:
        raise Unfulfilled(f"expected 1000 or more, got {first}")
    expect((0, -errno.ENOENT), client.call(0xB3, client.path(directory + "/no.exe")))
    expect((first + 2, 0), client.call(0xB3, client.path(path)), "a failure uses a number up")
    expect((0, 0), client.call(0x2C, first, 0))
    expect((0, -errno.ESRCH), client.call(0x2C, first, 0), "twice")
    expect((0, -errno.ESRCH), client.call(0x2C, 999, 0))


def _load(client: Client, program: bytes, path: str, exit_code: int) -> None:
    """What the loader does: map, register, execute, and call the entry point whatever came of that."""
    image = mapped(program)
    area = mmap.mmap(-1, len(image), prot=_READ_WRITE_EXECUTE)
    area[: len(image)] = image
    # Not the address it asks for: a loader takes what it gets.
    base = ctypes.addressof(ctypes.c_char.from_buffer(area))
    entry = base + _ENTRY
    client.register(os.getpid(), base=base, entry=entry, image_size=len(image), is_64bit=1, path=os.fsencode(path))
    expect(exit_code & 0x7FFF_FFFF, client.command(EXECUTE_PE, os.getpid()), "EXECUTE_PE")
    expect(exit_code, ctypes.CFUNCTYPE(ctypes.c_uint32)(entry)(), "the entry point")
    data = Wait(pid=os.getpid(), timeout_ms=0).pack(WORD)
    waited = Wait.unpack(WORD, client.struct(WAIT_PE, data))
    expect((exit_code, REASON_EXITED), (waited.exit_status, waited.reason), "WAIT_PE")


@check("EXECUTE_PE runs the program, and the entry point then returns its exit code", "runs nothing", programs=True)
@with_directory
def execute(client: Client, directory: str) -> None:
    for exit_code in (0, 7, 255):
        path = f"{directory}/{exit_code}.exe"
        with open(path, "wb") as file:
            file.write(tiny_program(exit_code))
        _load(client, tiny_program(77), path, exit_code)


@check("EXECUTE_PE runs the image in memory when there is no file", "runs nothing", programs=True)
def execute_image(client: Client) -> None:
    for path in ("unknown.exe", "/nonexistent/a.exe"):
        _load(client, tiny_program(7), path, 7)


HEADER_CLIENT = r"""
#include <stdio.h>
#include <string.h>
#include <fcntl.h>
#include <unistd.h>
#include <sys/ioctl.h>
#include "lsw.h"

int main(int argc, char **argv)
{
    int fd = open(argv[argc - 1], O_RDWR), before, after;
    struct lsw_pe_info info;
    struct lsw_request request;
    if (fd < 0) return perror("open"), 2;
    memset(&info, 0, sizeof info);
    info.pid = getpid();
    if (ioctl(fd, LSW_IOCTL_GET_STATUS, &before) < 0) return 3;
    if (ioctl(fd, LSW_IOCTL_REGISTER_PE, &info) < 0) return 4;
    if (ioctl(fd, LSW_IOCTL_GET_STATUS, &after) < 0 || after != before + 1) return 5;
    if (ioctl(fd, LSW_IOCTL_EXECUTE_PE, (unsigned long)getpid()) != 0) return 6;
    if (ioctl(fd, LSW_IOCTL_UNREGISTER_PE, (unsigned long)getpid()) < 0) return 7;
    memset(&request, 0, sizeof request);
    request.number = 0x36;
    request.arg_count = 1;
    request.args[0] = 5;
    if (ioctl(fd, LSW_IOCTL_SYSCALL_A, &request) < 0 || request.error_code || !request.return_value) return 8;
    memset(&request, 0, sizeof request);
    request.number = 0x1004;
    request.arg_count = 1;
    request.args[0] = 0xFFFFFFF5u;
    if (ioctl(fd, LSW_IOCTL_SYSCALL, &request) < 0 || request.return_value != 0xFFFFFFF5u) return 9;
    return 0;
}
"""


def build_header_client(directory: str, header_directory: str) -> str:
    """Compile the C client; returns its path. Raises Unfulfilled: no compiler, or it does not compile."""
    source, program = directory + "/client.c", directory + "/client"
    with open(source, "w", encoding="ascii") as file:
        file.write(HEADER_CLIENT)
    command = ["cc", "-Wall", "-Wextra", "-Werror", "-Wno-unused", "-I", header_directory, "-o", program, source]
    try:
        built = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError as error:
        raise Unfulfilled(f"cc: {error.strerror}") from None
    if built.returncode:
        raise Unfulfilled(built.stderr.strip())
    return program
