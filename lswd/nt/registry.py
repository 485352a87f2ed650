"""Registry keys and values: NtOpenKey, NtCreateKey, NtQueryKey, NtEnumerateKey, NtQueryValueKey, NtSetValueKey, ...

Source: Microsoft "ZwCreateKey", "ZwQueryKey", "ZwEnumerateValueKey", "ZwSetValueKey", wdm.h (KEY_*_INFORMATION),
"Registry Key Security and Access Rights". How short buffers are answered was compared with Wine.
"""

from __future__ import annotations

from lswd.kernel.handle import OBJ_INHERIT, OBJ_OPENLINK
from lswd.kernel.registry.key import Key
from lswd.nt.declare import Call, Handle, ObjectAttributes, Out, UnicodeString, encode_wide, syscall
from lswd.ntdef.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MORE_ENTRIES,
    STATUS_NOT_SUPPORTED,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import ACCESS_MASK, HANDLE, LARGE_INTEGER, NTSTATUS, PVOID, ULONG, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    pass

KEY_QUERY_VALUE = 0x0001
KEY_SET_VALUE = 0x0002
KEY_CREATE_SUB_KEY = 0x0004
KEY_ENUMERATE_SUB_KEYS = 0x0008
KEY_NOTIFY = 0x0010
KEY_WOW64_64KEY = 0x0100
KEY_WOW64_32KEY = 0x0200
DELETE = 0x10000

REG_OPTION_VOLATILE = 1
REG_OPTION_CREATE_LINK = 2
REG_OPTION_BACKUP_RESTORE = 4
REG_OPTION_OPEN_LINK = 8

REG_CREATED_NEW_KEY = 1
REG_OPENED_EXISTING_KEY = 2

KeyBasicInformation = 0
KeyNodeInformation = 1
KeyFullInformation = 2
KeyNameInformation = 3
KeyCachedInformation = 4
KeyFlagsInformation = 5
KeyVirtualizationInformation = 6
KeyHandleTagsInformation = 7

KeyWriteTimeInformation = 0

_ENUMERABLE = (KeyBasicInformation, KeyNodeInformation, KeyFullInformation, KeyCachedInformation)
_NONE = 0xFFFFFFFF  # the offset of a class there is not


class KEY_BASIC_INFORMATION(Struct):
    LastWriteTime: LARGE_INTEGER
    TitleIndex: ULONG
    NameLength: ULONG


class KEY_NODE_INFORMATION(Struct):
    LastWriteTime: LARGE_INTEGER
    TitleIndex: ULONG
    ClassOffset: ULONG
    ClassLength: ULONG
    NameLength: ULONG


class KEY_FULL_INFORMATION(Struct):
    LastWriteTime: LARGE_INTEGER
    TitleIndex: ULONG
    ClassOffset: ULONG
    ClassLength: ULONG
    SubKeys: ULONG
    MaxNameLength: ULONG
    MaxClassLength: ULONG
    Values: ULONG
    MaxValueNameLength: ULONG
    MaxValueDataLength: ULONG


class KEY_CACHED_INFORMATION(Struct):
    LastWriteTime: LARGE_INTEGER
    TitleIndex: ULONG
    SubKeys: ULONG
    MaxNameLength: ULONG
    Values: ULONG
    MaxValueNameLength: ULONG
    MaxValueDataLength: ULONG
    NameLength: ULONG


# Where the variable part begins: behind the last field, before the padding the structure itself would have.
_FULL_CLASS_AT = 44
_CACHED_SIZE = 40


def give(call: Call, fixed: int, data: bytes, buffer: int, length: int, needed: Out[ULONG]) -> int:
    """Write as much of ``data`` as fits; its first ``fixed`` bytes must."""
    needed.set(len(data))
    if length < fixed:
        return STATUS_BUFFER_TOO_SMALL
    call.space.write(buffer, data[:length])
    return STATUS_SUCCESS if length >= len(data) else STATUS_BUFFER_OVERFLOW


def _view32(call: Call, access: int) -> bool:
    """Does the caller mean the 32-bit side of redirected keys?"""
    return bool(access & KEY_WOW64_32KEY) or (call.word == 4 and not access & KEY_WOW64_64KEY)


def _base(attributes: ObjectAttributes) -> Key | None:
    root = attributes.root
    if root is not None and not isinstance(root, Key):
        raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
    return root


def _open(call: Call, result: Out[HANDLE], access: int, attributes: ObjectAttributes, options: int) -> int:
    if options & ~(REG_OPTION_VOLATILE | REG_OPTION_CREATE_LINK | REG_OPTION_BACKUP_RESTORE | REG_OPTION_OPEN_LINK):
        return STATUS_INVALID_PARAMETER
    key = call.process.system.registry.open(
        attributes.name,
        _base(attributes),
        open_link=bool(options & REG_OPTION_OPEN_LINK or attributes.attributes & OBJ_OPENLINK),
        view32=_view32(call, access),
    )
    result.set(call.process.handles.add(key, access, inherit=bool(attributes.attributes & OBJ_INHERIT)))
    return STATUS_SUCCESS


@syscall
def NtOpenKey(
    call: Call, KeyHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes
) -> NTSTATUS:
    return _open(call, KeyHandle, DesiredAccess, ObjectAttributes, 0)


@syscall
def NtOpenKeyEx(
    call: Call,
    KeyHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes,
    OpenOptions: ULONG,
) -> NTSTATUS:
    return _open(call, KeyHandle, DesiredAccess, ObjectAttributes, OpenOptions)


@syscall
def NtCreateKey(
    call: Call,
    KeyHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes,
    TitleIndex: ULONG,
    Class: UnicodeString | None,
    CreateOptions: ULONG,
    Disposition: Out[ULONG] | None,
) -> NTSTATUS:
    attributes = ObjectAttributes
    key, created = call.process.system.registry.create(
        attributes.name,
        _base(attributes),
        class_name=Class or "",
        volatile=bool(CreateOptions & REG_OPTION_VOLATILE),
        link=bool(CreateOptions & REG_OPTION_CREATE_LINK),
        open_link=bool(CreateOptions & REG_OPTION_OPEN_LINK or attributes.attributes & OBJ_OPENLINK),
        view32=_view32(call, DesiredAccess),
    )
    KeyHandle.set(call.process.handles.add(key, DesiredAccess, inherit=bool(attributes.attributes & OBJ_INHERIT)))
    if Disposition is not None:
        Disposition.set(REG_CREATED_NEW_KEY if created else REG_OPENED_EXISTING_KEY)
    return STATUS_SUCCESS


@syscall
def NtOpenKeyTransacted(
    call: Call,
    KeyHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes,
    TransactionHandle: HANDLE,
) -> NTSTATUS:
    """There is no transaction manager, so no handle can be one of its transactions."""
    return STATUS_NOT_SUPPORTED


@syscall
def NtOpenKeyTransactedEx(
    call: Call,
    KeyHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes,
    OpenOptions: ULONG,
    TransactionHandle: HANDLE,
) -> NTSTATUS:
    return STATUS_NOT_SUPPORTED


@syscall
def NtCreateKeyTransacted(
    call: Call,
    KeyHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes,
    TitleIndex: ULONG,
    Class: UnicodeString | None,
    CreateOptions: ULONG,
    TransactionHandle: HANDLE,
    Disposition: Out[ULONG] | None,
) -> NTSTATUS:
    return STATUS_NOT_SUPPORTED


@syscall(access={"KeyHandle": DELETE})
def NtDeleteKey(call: Call, KeyHandle: Handle[Key]) -> NTSTATUS:
    KeyHandle.delete()
    return STATUS_SUCCESS


@syscall(access={"KeyHandle": KEY_CREATE_SUB_KEY})
def NtRenameKey(call: Call, KeyHandle: Handle[Key], NewName: UnicodeString) -> NTSTATUS:
    KeyHandle.rename(NewName)
    return STATUS_SUCCESS


@syscall
def NtFlushKey(call: Call, KeyHandle: Handle[Key]) -> NTSTATUS:
    KeyHandle.check()
    call.process.system.registry.flush()
    return STATUS_SUCCESS


# ---- what a key is


def _key_information(key: Key, information_class: int) -> tuple[int, bytes]:
    """The size of the fixed part, and everything."""
    info = key.info()
    name = encode_wide(info.name)
    if information_class == KeyBasicInformation:
        head = KEY_BASIC_INFORMATION(LastWriteTime=info.last_write, NameLength=len(name)).pack(8)
        return len(head), head + name
    class_name = encode_wide(info.class_name)
    if information_class == KeyNodeInformation:
        head = KEY_NODE_INFORMATION(
            LastWriteTime=info.last_write,
            ClassOffset=KEY_NODE_INFORMATION.size(8) + len(name) if class_name else _NONE,
            ClassLength=len(class_name),
            NameLength=len(name),
        ).pack(8)
        return len(head), head + name + class_name
    if information_class == KeyFullInformation:
        head = KEY_FULL_INFORMATION(
            LastWriteTime=info.last_write,
            ClassOffset=_FULL_CLASS_AT if class_name else _NONE,
            ClassLength=len(class_name),
            SubKeys=info.subkeys,
            MaxNameLength=info.max_name_length,
            MaxClassLength=info.max_class_length,
            Values=info.values,
            MaxValueNameLength=info.max_value_name_length,
            MaxValueDataLength=info.max_value_data_length,
        ).pack(8)[:_FULL_CLASS_AT]
        return len(head), head + class_name
    if information_class == KeyCachedInformation:
        data = KEY_CACHED_INFORMATION(
            LastWriteTime=info.last_write,
            SubKeys=info.subkeys,
            MaxNameLength=info.max_name_length,
            Values=info.values,
            MaxValueNameLength=info.max_value_name_length,
            MaxValueDataLength=info.max_value_data_length,
            NameLength=len(name),
        ).pack(8)
        assert len(data) == _CACHED_SIZE
        return len(data), data
    raise NtError(STATUS_INVALID_PARAMETER)


def _key(call: Call, handle: int, access: int = 0) -> Key:
    key = call.process.handles.get(handle, Key, access)
    assert isinstance(key, Key)
    return key


@syscall(partial="virtualisation, flags and handle tags")
def NtQueryKey(
    call: Call,
    KeyHandle: HANDLE,
    KeyInformationClass: ULONG,
    KeyInformation: PVOID,
    Length: ULONG,
    ResultLength: Out[ULONG],
) -> NTSTATUS:
    """A key's name needs no particular access, everything else does."""
    if KeyInformationClass == KeyNameInformation:
        key = _key(call, KeyHandle)
        key.check()
        name = encode_wide(key.path())
        data = len(name).to_bytes(4, "little") + name
        return give(call, 4, data, KeyInformation, Length, ResultLength)
    fixed, data = _key_information(_key(call, KeyHandle, KEY_QUERY_VALUE), KeyInformationClass)
    return give(call, fixed, data, KeyInformation, Length, ResultLength)


@syscall(access={"KeyHandle": KEY_ENUMERATE_SUB_KEYS})
def NtEnumerateKey(
    call: Call,
    KeyHandle: Handle[Key],
    Index: ULONG,
    KeyInformationClass: ULONG,
    KeyInformation: PVOID,
    Length: ULONG,
    ResultLength: Out[ULONG],
) -> NTSTATUS:
    if KeyInformationClass not in _ENUMERABLE:
        return STATUS_INVALID_PARAMETER
    child = KeyHandle.subkey_at(Index)
    if child is None:
        return STATUS_NO_MORE_ENTRIES
    fixed, data = _key_information(child, KeyInformationClass)
    return give(call, fixed, data, KeyInformation, Length, ResultLength)


@syscall(access={"KeyHandle": KEY_SET_VALUE}, partial="the time of the last write only")
def NtSetInformationKey(
    call: Call,
    KeyHandle: Handle[Key],
    KeySetInformationClass: ULONG,
    KeySetInformation: PVOID,
    KeySetInformationLength: ULONG,
) -> NTSTATUS:
    if KeySetInformationClass != KeyWriteTimeInformation:
        return STATUS_INVALID_INFO_CLASS
    if KeySetInformationLength != 8:
        return STATUS_INFO_LENGTH_MISMATCH
    KeyHandle.set_last_write(call.space.read_u64(KeySetInformation))
    return STATUS_SUCCESS
