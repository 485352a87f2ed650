"""Calls on any object: NtClose, NtDuplicateObject, NtQueryObject, NtSetInformationObject, NtMakeTemporaryObject.

Source: Microsoft "NtClose", "NtDuplicateObject", "NtQueryObject".
"""

from __future__ import annotations

from lswd.kernel.handle import OBJ_INHERIT
from lswd.kernel.object import KernelObject
from lswd.kernel.process import PROCESS_DUP_HANDLE, Process
from lswd.nt.declare import Call, Handle, Out, encode_wide, syscall
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_HANDLE_NOT_CLOSABLE,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_INFO_CLASS,
    STATUS_NOT_SAME_OBJECT,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import (
    ACCESS_MASK,
    BOOLEAN,
    CURRENT_THREAD,
    HANDLE,
    LARGE_INTEGER,
    NTSTATUS,
    PVOID,
    ULONG,
    UNICODE_STRING,
    Struct,
    array,
)

DUPLICATE_CLOSE_SOURCE = 1
DUPLICATE_SAME_ACCESS = 2
DUPLICATE_SAME_ATTRIBUTES = 4

ObjectBasicInformation = 0
ObjectNameInformation = 1
ObjectTypeInformation = 2
ObjectHandleFlagInformation = 4


class OBJECT_BASIC_INFORMATION(Struct):
    Attributes: ULONG
    GrantedAccess: ACCESS_MASK
    HandleCount: ULONG
    PointerCount: ULONG
    PagedPoolUsage: ULONG
    NonPagedPoolUsage: ULONG
    Reserved: tuple[int, ...] = array(ULONG, 3)
    NameInformationLength: ULONG
    TypeInformationLength: ULONG
    SecurityDescriptorLength: ULONG
    CreateTime: LARGE_INTEGER


class OBJECT_HANDLE_FLAG_INFORMATION(Struct):
    Inherit: BOOLEAN
    ProtectFromClose: BOOLEAN


@syscall
def NtClose(call: Call, Handle: HANDLE) -> NTSTATUS:
    table = call.process.handles
    signed = Handle | 0xFFFFFFFF00000000 if Handle & 0x80000000 else Handle
    if signed in table.pseudo:
        return STATUS_SUCCESS
    if table.entry(Handle).protect_from_close:
        return STATUS_HANDLE_NOT_CLOSABLE
    table.close(Handle)
    return STATUS_SUCCESS


@syscall(access={"SourceProcessHandle": PROCESS_DUP_HANDLE})
def NtDuplicateObject(
    call: Call,
    SourceProcessHandle: Handle[Process],
    SourceHandle: HANDLE,
    TargetProcessHandle: HANDLE,
    TargetHandle: Out[HANDLE] | None,
    DesiredAccess: ACCESS_MASK,
    HandleAttributes: ULONG,
    Options: ULONG,
) -> NTSTATUS:
    if SourceProcessHandle.ended:
        return STATUS_PROCESS_IS_TERMINATING
    source = SourceProcessHandle.handles
    # In the table of another process the caller's thread still is the current one.
    own_thread = SourceHandle & 0xFFFFFFFF == CURRENT_THREAD & 0xFFFFFFFF
    obj = call.thread if own_thread else source.get(SourceHandle)
    try:
        entry = source.entry(SourceHandle)
        access, inherit = entry.access, entry.inherit
    except NtError:  # a pseudo handle stands for everything
        access, inherit = obj.map_access(0x10000000), False
    if TargetProcessHandle:
        target = call.process.handles.get(TargetProcessHandle, Process, PROCESS_DUP_HANDLE)
        assert isinstance(target, Process)
        if target.ended:
            return STATUS_PROCESS_IS_TERMINATING
        granted = access if Options & DUPLICATE_SAME_ACCESS else obj.map_access(DesiredAccess)
        if not Options & DUPLICATE_SAME_ATTRIBUTES:
            inherit = bool(HandleAttributes & OBJ_INHERIT)
        handle = target.handles.add(obj, granted, inherit=inherit)
        if TargetHandle is not None:
            TargetHandle.set(handle)
    elif not Options & DUPLICATE_CLOSE_SOURCE:
        return STATUS_INVALID_HANDLE
    if Options & DUPLICATE_CLOSE_SOURCE:
        try:
            if source.entry(SourceHandle).protect_from_close:
                return STATUS_HANDLE_NOT_CLOSABLE
        except NtError:
            return STATUS_SUCCESS
        source.close(SourceHandle)
    return STATUS_SUCCESS


def _sized(call: Call, buffer: int, length: int, returned: Out[ULONG] | None, data: bytes, least: int) -> int:
    if returned is not None:
        returned.set(len(data))
    if length < least:
        return STATUS_INFO_LENGTH_MISMATCH
    if length < len(data):
        return STATUS_BUFFER_OVERFLOW
    call.space.write(buffer, data)
    return STATUS_SUCCESS


def counted_string(call: Call, text: str, at: int) -> bytes:
    """A UNICODE_STRING whose text follows it, for a buffer at ``at``; empty text gives a null string."""
    head = UNICODE_STRING.size(call.word)
    if not text:
        return UNICODE_STRING().pack(call.word)
    data = encode_wide(text)
    counted = UNICODE_STRING(Length=len(data), MaximumLength=len(data) + 2, Buffer=at + head)
    return counted.pack(call.word) + data + b"\0\0"


@syscall(partial="type information holds the name only")
def NtQueryObject(
    call: Call,
    Handle: HANDLE,
    ObjectInformationClass: ULONG,
    ObjectInformation: PVOID,
    ObjectInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    table = call.process.handles
    obj = table.get(Handle)
    word = call.word
    if ObjectInformationClass == ObjectBasicInformation:
        entry = table.entry(Handle)
        data = OBJECT_BASIC_INFORMATION(
            Attributes=2 if entry.inherit else 0,
            GrantedAccess=entry.access,
            HandleCount=obj.handle_count,
            PointerCount=obj.handle_count + 1,
        ).pack(word)
        return _sized(call, ObjectInformation, ObjectInformationLength, ReturnLength, data, len(data))
    if ObjectInformationClass == ObjectNameInformation:
        data = counted_string(call, obj.path(), ObjectInformation)
        least = UNICODE_STRING.size(word)
        return _sized(call, ObjectInformation, ObjectInformationLength, ReturnLength, data, least)
    if ObjectInformationClass == ObjectTypeInformation:
        head = UNICODE_STRING.size(word)
        name = encode_wide(obj.type_name)
        body = UNICODE_STRING(Length=len(name), MaximumLength=len(name) + 2, Buffer=ObjectInformation + head + 88)
        data = body.pack(word) + bytes(88) + name + b"\0\0"  # 22 ULONGs of OBJECT_TYPE_INFORMATION
        return _sized(call, ObjectInformation, ObjectInformationLength, ReturnLength, data, len(data))
    if ObjectInformationClass == ObjectHandleFlagInformation:
        entry = table.entry(Handle)
        data = OBJECT_HANDLE_FLAG_INFORMATION(
            Inherit=int(entry.inherit), ProtectFromClose=int(entry.protect_from_close)
        ).pack(word)
        return _sized(call, ObjectInformation, ObjectInformationLength, ReturnLength, data, len(data))
    return STATUS_INVALID_INFO_CLASS


@syscall
def NtSetInformationObject(
    call: Call, Handle: HANDLE, ObjectInformationClass: ULONG, ObjectInformation: PVOID, ObjectInformationLength: ULONG
) -> NTSTATUS:
    if ObjectInformationClass != ObjectHandleFlagInformation:
        return STATUS_INVALID_INFO_CLASS
    if ObjectInformationLength < 2:
        return STATUS_INFO_LENGTH_MISMATCH
    flags = OBJECT_HANDLE_FLAG_INFORMATION.unpack(call.word, call.space.read(ObjectInformation, 2))
    entry = call.process.handles.entry(Handle)
    entry.inherit = bool(flags.Inherit)
    entry.protect_from_close = bool(flags.ProtectFromClose)
    return STATUS_SUCCESS


@syscall
def NtMakeTemporaryObject(call: Call, Handle: Handle[KernelObject]) -> NTSTATUS:
    Handle.permanent = False
    return STATUS_SUCCESS


@syscall
def NtMakePermanentObject(call: Call, Handle: Handle[KernelObject]) -> NTSTATUS:
    """Needs SeCreatePermanentPrivilege, which users do not have."""
    return STATUS_ACCESS_DENIED


@syscall
def NtCompareObjects(
    call: Call, FirstObjectHandle: Handle[KernelObject], SecondObjectHandle: Handle[KernelObject]
) -> NTSTATUS:
    return STATUS_SUCCESS if FirstObjectHandle is SecondObjectHandle else STATUS_NOT_SAME_OBJECT
