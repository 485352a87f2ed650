"""Wine's own calls that translate file names: wine_nt_to_unix_file_name, wine_unix_to_nt_file_name.

kernel32 exports them to programs as wine_get_unix_file_name and wine_get_dos_file_name.
"""

from __future__ import annotations

import os

from lswd.nt.declare import Call, InOut, ObjectAttributes, encode_wide, syscall
from lswd.ntdef.file import FILE_CREATE, FILE_OPEN, FILE_OVERWRITE
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_NAME_TOO_LONG,
    STATUS_NO_SUCH_FILE,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_SYNTAX_BAD,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import NTSTATUS, PVOID, ULONG

_PREFIX = "\\??\\"
_LONGEST = 4096  # PATH_MAX


@syscall(partial="names below \\??\\ only")
def wine_nt_to_unix_file_name(
    call: Call, attr: ObjectAttributes, nameA: PVOID, size: InOut[ULONG], disposition: ULONG
) -> NTSTATUS:
    """``size`` counts bytes with the terminator. A missing last component is STATUS_NO_SUCH_FILE, name given."""
    if attr.root is not None or not attr.name.startswith(_PREFIX):
        return STATUS_OBJECT_PATH_SYNTAX_BAD
    found = call.process.system.drives.resolve(attr.name[len(_PREFIX) :])
    if not found.exists and disposition in (FILE_OPEN, FILE_OVERWRITE):
        return STATUS_OBJECT_NAME_NOT_FOUND
    if found.exists and disposition == FILE_CREATE:
        return STATUS_OBJECT_NAME_COLLISION
    data = os.fsencode(found.host) + b"\0"
    room = size.value
    size.set(len(data))
    if room < len(data):
        return STATUS_BUFFER_TOO_SMALL
    call.space.write(nameA, data)
    return STATUS_SUCCESS if found.exists else STATUS_NO_SUCH_FILE


@syscall
def wine_unix_to_nt_file_name(call: Call, name: PVOID, buffer: PVOID, size: InOut[ULONG]) -> NTSTATUS:
    """``size`` counts UTF-16 units with the terminator."""
    text = encode_wide(_PREFIX + call.process.system.drives.to_dos(os.fsdecode(_string(call, name)))) + b"\0\0"
    room = size.value
    size.set(len(text) // 2)
    if room < len(text) // 2:
        return STATUS_BUFFER_TOO_SMALL
    call.space.write(buffer, text)
    return STATUS_SUCCESS


def _string(call: Call, address: int) -> bytes:
    """A string of bytes that ends in a zero, read no further than the page it ends in."""
    result = b""
    while len(result) < _LONGEST:
        piece = call.space.read(address + len(result), 256 - (address + len(result)) % 256)
        end = piece.find(b"\0")
        if end >= 0:
            return result + piece[:end]
        result += piece
    raise NtError(STATUS_NAME_TOO_LONG)
