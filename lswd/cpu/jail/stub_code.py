"""The stub's code, as ``assemble.py`` makes it: its bytes, where its labels are, and a file to execute."""

from __future__ import annotations

import os
import struct

from lswd.cpu.jail import layout

_MFD_EXEC = 0x10  # linux/memfd.h; kernels before 6.3 do not know it


def stub_code() -> bytes:
    with open(os.path.join(os.path.dirname(os.path.abspath(__file__)), "stub.bin"), "rb") as file:
        return file.read()


def labels(stub: bytes) -> dict[str, int]:
    """Addresses in the stub, from the table at its end."""
    values = struct.unpack(f"<{len(layout.LABELS)}Q", stub[-8 * len(layout.LABELS) :])
    return dict(zip(layout.LABELS, values, strict=True))


def executable(stub: bytes) -> int:
    """A read-only descriptor of a memfd with the stub; an open writable one would keep it from being executed."""
    try:
        fd = os.memfd_create("jail", os.MFD_CLOEXEC | _MFD_EXEC)
    except OSError:
        fd = os.memfd_create("jail", os.MFD_CLOEXEC)
    try:
        os.write(fd, stub)
        return os.open(f"/proc/self/fd/{fd}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(fd)
