"""Does what LSW's own loader does, with somebody else to make its ioctls: maps a program, tells where, waits until that
is registered and executed, and jumps to the entry point whatever came of it.

`python -m tests.conformance.loader OUT IN PROGRAM [-- ARGS...]`: writes "base entry size" to descriptor OUT, and goes
on when descriptor IN says so.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import sys

from lswd.image.layout import plan
from lswd.image.pe import parse
from lswd.image.relocate import relocate


def load(path: str) -> tuple[mmap.mmap, int, int]:
    """Map a program; returns its memory, base and entry point."""
    with open(path, "rb") as file:
        data = file.read()
    image = parse(data, path)
    area = mmap.mmap(-1, image.size_of_image + 4095 & -4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    base = ctypes.addressof(ctypes.c_char.from_buffer(area))
    for rva, _, offset, size, _ in plan(image):
        area[rva : rva + size] = data[offset : offset + size]
    if image.directories[5][1]:
        relocate(memoryview(area), image, base - image.image_base)
    return area, base, base + image.entry_rva


def main() -> None:
    out, goes_on, path = int(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
    area, base, entry = load(path)
    os.write(out, f"{base} {entry} {len(area)}\n".encode())
    assert os.read(goes_on, 1)
    os._exit(ctypes.CFUNCTYPE(ctypes.c_uint32)(entry)() & 0xFF)


if __name__ == "__main__":
    main()
