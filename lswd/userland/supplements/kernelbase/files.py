"""Files: classes of SetFileInformationByHandle and GetFileInformationByHandleEx that Wine 8 does not know, and
GetFileInformationByName.

Source: Microsoft "SetFileInformationByHandle", "GetFileInformationByHandleEx", "FILE_INFO_BY_HANDLE_CLASS",
"FILE_RENAME_INFO", "FILE_STORAGE_INFO", "FILE_REMOTE_PROTOCOL_INFO" (of a file that is on no network share none),
"GetFileInformationByName", "FILE_INFO_BY_NAME_CLASS".
"""

from __future__ import annotations

from lswd.ntdef.status import STATUS_BUFFER_OVERFLOW
from lswd.ntdef.types import BOOL, HANDLE, IO_STATUS_BLOCK, OBJECT_ATTRIBUTES, PVOID, ULONG, UNICODE_STRING
from lswd.userland.supplements.declare import supplement
from lswd.userland.supplements.guest_text import nt_name, text
from lswd.userland.supplements.last_error import (
    ERROR_INVALID_PARAMETER,
    ERROR_PATH_NOT_FOUND,
    checked,
    failed,
    fails_by_last_error,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.userland.supplements.declare import ProcessCall

_ERROR_BAD_LENGTH, _ERROR_MORE_DATA = 24, 234
_RENAME_EX = 22
# FILE_INFO_BY_HANDLE_CLASS -> FILE_INFORMATION_CLASS: allocation, disposition with flags, renaming with flags
_BY_HANDLE = {5: 19, 21: 64, _RENAME_EX: 65}
# Case-sensitivity and the name without short parts; storage (a FS_INFORMATION_CLASS: sector sizes)
_OF_HANDLE = {23: 71, 24: 48}
_STORAGE, _FS_SECTOR_SIZE_INFORMATION = 16, 11
# FILE_INFO_BY_NAME_CLASS -> FILE_INFORMATION_CLASS: stat, case-sensitivity, more of stat
_BY_NAME = {0: 68, 2: 71, 3: 77}
_CASE_INSENSITIVE = 0x40  # OBJ_CASE_INSENSITIVE


@supplement("kernelbase.dll")
@fails_by_last_error
def SetFileInformationByHandle(
    call: ProcessCall, hFile: HANDLE, FileInformationClass: ULONG, lpFileInformation: PVOID, dwBufferSize: ULONG
) -> BOOL:
    stack = call.user_mode()
    block = stack.push(bytes(IO_STATUS_BLOCK.size(call.word)))
    address, size = lpFileInformation, dwBufferSize
    if FileInformationClass == _RENAME_EX:
        if size < 2 * call.word + 6:
            return failed(call, _ERROR_BAD_LENGTH)
        try:
            data = _renaming(call, call.space.read(address, min(size, 0x20000)))
        except ValueError:  # no name at all
            return failed(call, ERROR_PATH_NOT_FOUND)
        address, size = stack.push(data), len(data)
    kind = _BY_HANDLE[FileInformationClass]
    checked(call.system_call("NtSetInformationFile", hFile, block, address, size, kind))
    return 1


def _renaming(call: ProcessCall, info: bytes) -> bytes:
    """FILE_RENAME_INFORMATION of FILE_RENAME_INFO, which is the same with a DOS path that ends in a zero."""
    word = call.word
    start = 2 * word + 4
    whole = info[start : start + (len(info) - start) // 2 * 2]
    name = whole.decode("utf-16-le", "surrogatepass").partition("\0")[0]
    if not any(info[word : 2 * word]):  # a name in no directory
        name = nt_name(call, name)
    encoded = name.encode("utf-16-le", "surrogatepass")
    return info[: 2 * word] + len(encoded).to_bytes(4, "little") + encoded


@supplement("kernelbase.dll")
@fails_by_last_error
def GetFileInformationByHandleEx(
    call: ProcessCall, hFile: HANDLE, FileInformationClass: ULONG, lpFileInformation: PVOID, dwBufferSize: ULONG
) -> BOOL:
    block = call.user_mode().push(bytes(IO_STATUS_BLOCK.size(call.word)))
    name, kind = "NtQueryInformationFile", _OF_HANDLE.get(FileInformationClass)
    if FileInformationClass == _STORAGE:
        name, kind = "NtQueryVolumeInformationFile", _FS_SECTOR_SIZE_INFORMATION
    if kind is None:
        return failed(call, ERROR_INVALID_PARAMETER)
    status = call.system_call(name, hFile, block, lpFileInformation, dwBufferSize, kind)
    if status == STATUS_BUFFER_OVERFLOW:
        return failed(call, _ERROR_MORE_DATA)
    checked(status)
    return 1


@supplement("kernelbase.dll", partial="what is special about files of Linux (FileStatLxByNameInfo) is not there")
@fails_by_last_error
def GetFileInformationByName(
    call: ProcessCall, FileName: PVOID, FileInformationClass: ULONG, FileInfoBuffer: PVOID, FileInfoBufferSize: ULONG
) -> BOOL:
    """Without a handle, and of a link itself."""
    kind = _BY_NAME.get(FileInformationClass)
    if kind is None:
        return failed(call, ERROR_INVALID_PARAMETER)
    try:
        name = nt_name(call, text(call, FileName)).encode("utf-16-le", "surrogatepass")
    except ValueError:
        return failed(call, ERROR_PATH_NOT_FOUND)
    stack, word = call.user_mode(), call.word
    string = UNICODE_STRING(Length=len(name), MaximumLength=len(name), Buffer=stack.push(name))
    attributes = OBJECT_ATTRIBUTES(
        Length=OBJECT_ATTRIBUTES.size(word), ObjectName=stack.push(string.pack(word)), Attributes=_CASE_INSENSITIVE
    )
    block = stack.push(bytes(IO_STATUS_BLOCK.size(word)))
    at = stack.push(attributes.pack(word))
    checked(call.system_call("NtQueryInformationByName", at, block, FileInfoBuffer, FileInfoBufferSize, kind))
    return 1
