"""Directories of the object manager. Source: Microsoft "NtOpenDirectoryObject", "NtQueryDirectoryObject"."""

from __future__ import annotations

from lswd.kernel.namespace import Directory
from lswd.nt.declare import Call, Handle, InOut, ObjectAttributes, Out, encode_wide, syscall
from lswd.nt.named_object import create_object, open_object
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_MORE_ENTRIES,
    STATUS_NO_MORE_ENTRIES,
    STATUS_SUCCESS,
)
from lswd.ntdef.types import ACCESS_MASK, BOOLEAN, HANDLE, NTSTATUS, PVOID, ULONG, UNICODE_STRING, Struct

DIRECTORY_QUERY = 0x0001


class OBJECT_DIRECTORY_INFORMATION(Struct):
    Name: UNICODE_STRING
    TypeName: UNICODE_STRING


def _create_directory() -> Directory:
    directory = Directory()
    directory.permanent = False
    return directory


@syscall
def NtCreateDirectoryObject(
    call: Call, DirectoryHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return create_object(call, DirectoryHandle, ObjectAttributes, DesiredAccess, Directory, _create_directory)


@syscall
def NtOpenDirectoryObject(
    call: Call, DirectoryHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return open_object(call, DirectoryHandle, ObjectAttributes, DesiredAccess, Directory)


@syscall(access={"DirectoryHandle": DIRECTORY_QUERY})
def NtQueryDirectoryObject(
    call: Call,
    DirectoryHandle: Handle[Directory],
    Buffer: PVOID,
    Length: ULONG,
    ReturnSingleEntry: BOOLEAN,
    RestartScan: BOOLEAN,
    Context: InOut[ULONG],
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    """An array that ends with an empty entry, the texts behind it."""
    word = call.word
    one = OBJECT_DIRECTORY_INFORMATION.size(word)
    start = 0 if RestartScan else Context.value
    entries = [(encode_wide(o.name), encode_wide(o.type_name)) for o in DirectoryHandle.entries.values()][start:]
    if not entries:
        return STATUS_NO_MORE_ENTRIES
    taken = 0
    needed = one
    for name, kind in entries:
        size = one + len(name) + len(kind) + 4
        if needed + size > Length:
            break
        needed += size
        taken += 1
        if ReturnSingleEntry:
            break
    if not taken:
        if ReturnLength is not None:
            ReturnLength.set(one + size)
        return STATUS_BUFFER_TOO_SMALL
    texts = b""
    head = b""
    at = Buffer + one * (taken + 1)
    for pair in entries[:taken]:
        strings = []
        for text in pair:
            strings.append(UNICODE_STRING(Length=len(text), MaximumLength=len(text) + 2, Buffer=at + len(texts)))
            texts += text + b"\0\0"
        head += OBJECT_DIRECTORY_INFORMATION(Name=strings[0], TypeName=strings[1]).pack(word)
    call.space.write(Buffer, head + bytes(one) + texts)
    Context.set(start + taken)
    if ReturnLength is not None:
        ReturnLength.set(needed)
    return STATUS_MORE_ENTRIES if not ReturnSingleEntry and taken < len(entries) else STATUS_SUCCESS
