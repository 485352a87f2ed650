"""Registry values: NtQueryValueKey, NtEnumerateValueKey, NtSetValueKey, NtDeleteValueKey, NtQueryMultipleValueKey.

Source: Microsoft "ZwQueryValueKey", "ZwEnumerateValueKey", "ZwSetValueKey", wdm.h (KEY_VALUE_*_INFORMATION).
"""

from __future__ import annotations

from lswd.kernel.registry.key import MAX_VALUE_SIZE, Key
from lswd.nt.declare import Call, Handle, InOut, Out, UnicodeString, encode_wide, syscall
from lswd.nt.registry import KEY_QUERY_VALUE, KEY_SET_VALUE, give
from lswd.ntdef.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MORE_ENTRIES,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import NTSTATUS, PVOID, ULONG, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.values import Value

KeyValueBasicInformation = 0
KeyValueFullInformation = 1
KeyValuePartialInformation = 2
KeyValueFullInformationAlign64 = 3
KeyValuePartialInformationAlign64 = 4

_MAX_VALUES_AT_ONCE = 0x10000


class KEY_VALUE_BASIC_INFORMATION(Struct):
    TitleIndex: ULONG
    Type: ULONG
    NameLength: ULONG


class KEY_VALUE_FULL_INFORMATION(Struct):
    TitleIndex: ULONG
    Type: ULONG
    DataOffset: ULONG
    DataLength: ULONG
    NameLength: ULONG


class KEY_VALUE_PARTIAL_INFORMATION(Struct):
    TitleIndex: ULONG
    Type: ULONG
    DataLength: ULONG


class KEY_VALUE_PARTIAL_INFORMATION_ALIGN64(Struct):
    Type: ULONG
    DataLength: ULONG


class KEY_VALUE_ENTRY(Struct):
    ValueName: PVOID
    DataLength: ULONG
    DataOffset: ULONG
    Type: ULONG


def _value_information(value: Value, information_class: int) -> tuple[int, bytes]:
    """The size of the fixed part, and everything."""
    data = value.data
    if information_class == KeyValuePartialInformation:
        head = KEY_VALUE_PARTIAL_INFORMATION(Type=value.type, DataLength=len(data)).pack(8)
        return len(head), head + data
    if information_class == KeyValuePartialInformationAlign64:
        head = KEY_VALUE_PARTIAL_INFORMATION_ALIGN64(Type=value.type, DataLength=len(data)).pack(8)
        return len(head), head + data
    name = encode_wide(value.name)
    if information_class == KeyValueBasicInformation:
        head = KEY_VALUE_BASIC_INFORMATION(Type=value.type, NameLength=len(name)).pack(8)
        return len(head), head + name
    if information_class in (KeyValueFullInformation, KeyValueFullInformationAlign64):
        at = KEY_VALUE_FULL_INFORMATION.size(8) + len(name)
        padding = bytes(-at % 8) if information_class == KeyValueFullInformationAlign64 else b""
        head = KEY_VALUE_FULL_INFORMATION(
            Type=value.type, DataOffset=at + len(padding), DataLength=len(data), NameLength=len(name)
        ).pack(8)
        return len(head), head + name + padding + data
    raise NtError(STATUS_INVALID_PARAMETER)


@syscall(access={"KeyHandle": KEY_QUERY_VALUE})
def NtQueryValueKey(
    call: Call,
    KeyHandle: Handle[Key],
    ValueName: UnicodeString,
    KeyValueInformationClass: ULONG,
    KeyValueInformation: PVOID,
    Length: ULONG,
    ResultLength: Out[ULONG],
) -> NTSTATUS:
    if KeyValueInformationClass > KeyValuePartialInformationAlign64:
        return STATUS_INVALID_PARAMETER
    fixed, data = _value_information(KeyHandle.query_value(ValueName), KeyValueInformationClass)
    return give(call, fixed, data, KeyValueInformation, Length, ResultLength)


@syscall(access={"KeyHandle": KEY_QUERY_VALUE})
def NtEnumerateValueKey(
    call: Call,
    KeyHandle: Handle[Key],
    Index: ULONG,
    KeyValueInformationClass: ULONG,
    KeyValueInformation: PVOID,
    Length: ULONG,
    ResultLength: Out[ULONG],
) -> NTSTATUS:
    if KeyValueInformationClass > KeyValuePartialInformationAlign64:
        return STATUS_INVALID_PARAMETER
    value = KeyHandle.value_at(Index)
    if value is None:
        return STATUS_NO_MORE_ENTRIES
    fixed, data = _value_information(value, KeyValueInformationClass)
    return give(call, fixed, data, KeyValueInformation, Length, ResultLength)


@syscall(access={"KeyHandle": KEY_QUERY_VALUE})
def NtQueryMultipleValueKey(
    call: Call,
    KeyHandle: Handle[Key],
    ValueEntries: PVOID,
    EntryCount: ULONG,
    ValueBuffer: PVOID,
    BufferLength: InOut[ULONG],
    RequiredBufferLength: Out[ULONG] | None,
) -> NTSTATUS:
    """``ValueEntries`` is an array of KEY_VALUE_ENTRY; data goes into the buffer, aligned to 4 bytes each."""
    if EntryCount > _MAX_VALUES_AT_ONCE:
        return STATUS_INSUFFICIENT_RESOURCES
    word, space = call.word, call.space
    room = BufferLength.value
    size = KEY_VALUE_ENTRY.size(word)
    used, status = 0, STATUS_SUCCESS
    for i in range(EntryCount):
        at = ValueEntries + i * size
        entry = KEY_VALUE_ENTRY.unpack(word, space.read(at, size))
        value = KeyHandle.query_value(call.unicode_string(entry.ValueName))
        used = (used + 3) & -4
        if used + len(value.data) > room:
            status = STATUS_BUFFER_OVERFLOW
        if status == STATUS_SUCCESS:
            space.write(ValueBuffer + used, value.data)
            entry.DataLength, entry.DataOffset, entry.Type = len(value.data), used, value.type
            space.write(at, entry.pack(word))
        used += len(value.data)
    BufferLength.set(min(used, room))
    if RequiredBufferLength is not None:
        RequiredBufferLength.set(used)
    return status


@syscall(access={"KeyHandle": KEY_SET_VALUE})
def NtSetValueKey(
    call: Call,
    KeyHandle: Handle[Key],
    ValueName: UnicodeString,
    TitleIndex: ULONG,
    Type: ULONG,
    Data: PVOID,
    DataSize: ULONG,
) -> NTSTATUS:
    if DataSize > MAX_VALUE_SIZE:
        return STATUS_INSUFFICIENT_RESOURCES
    KeyHandle.set_value(ValueName, Type, call.space.read(Data, DataSize) if DataSize else b"")
    return STATUS_SUCCESS


@syscall(access={"KeyHandle": KEY_SET_VALUE})
def NtDeleteValueKey(call: Call, KeyHandle: Handle[Key], ValueName: UnicodeString) -> NTSTATUS:
    KeyHandle.delete_value(ValueName)
    return STATUS_SUCCESS
