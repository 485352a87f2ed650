"""Symbolic links of the object manager. Source: Microsoft "NtOpenSymbolicLinkObject", "NtQuerySymbolicLinkObject"."""

from __future__ import annotations

from lswd.kernel.namespace import SymbolicLink
from lswd.nt.declare import Call, Handle, InOut, ObjectAttributes, Out, UnicodeString, encode_wide, syscall
from lswd.nt.named_object import create_object, open_object
from lswd.ntdef.status import STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, STATUS_SUCCESS
from lswd.ntdef.types import ACCESS_MASK, HANDLE, NTSTATUS, ULONG, UNICODE_STRING

SYMBOLIC_LINK_QUERY = 0x0001


@syscall
def NtCreateSymbolicLinkObject(
    call: Call,
    LinkHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    LinkTarget: UnicodeString,
) -> NTSTATUS:
    if not LinkTarget:
        return STATUS_INVALID_PARAMETER
    return create_object(
        call, LinkHandle, ObjectAttributes, DesiredAccess, SymbolicLink, lambda: SymbolicLink(LinkTarget)
    )


@syscall
def NtOpenSymbolicLinkObject(
    call: Call, LinkHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes | None
) -> NTSTATUS:
    return open_object(call, LinkHandle, ObjectAttributes, DesiredAccess, SymbolicLink)


@syscall(access={"LinkHandle": SYMBOLIC_LINK_QUERY})
def NtQuerySymbolicLinkObject(
    call: Call,
    LinkHandle: Handle[SymbolicLink],
    LinkTarget: InOut[UNICODE_STRING],
    ReturnedLength: Out[ULONG] | None,
) -> NTSTATUS:
    """The text is terminated by a NUL that its Length does not count."""
    data = encode_wide(LinkHandle.target)
    if ReturnedLength is not None:
        ReturnedLength.set(len(data) + 2)
    string = LinkTarget.value
    if string.MaximumLength < len(data) + 2:
        return STATUS_BUFFER_TOO_SMALL
    call.space.write(string.Buffer, data + b"\0\0")
    string.Length = len(data)
    LinkTarget.set(string)
    return STATUS_SUCCESS
