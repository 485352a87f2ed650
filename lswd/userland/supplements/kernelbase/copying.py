"""CopyFile2, made of system calls: Wine 8 has only the older functions that copy.

Source: Microsoft "CopyFile2", "COPYFILE2_EXTENDED_PARAMETERS", "CopyFileExW" (what a copy has of its original).
"""

from __future__ import annotations

from lswd.ntdef import file as nt
from lswd.ntdef.status import (
    STATUS_END_OF_FILE,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_OBJECT_NAME_COLLISION,
    NtError,
)
from lswd.ntdef.types import (
    CURRENT_PROCESS,
    IO_STATUS_BLOCK,
    LONG,
    OBJECT_ATTRIBUTES,
    PVOID,
    UNICODE_STRING,
)
from lswd.userland.supplements.declare import supplement
from lswd.userland.supplements.guest_text import nt_name, text
from lswd.userland.supplements.last_error import ERROR_INVALID_PARAMETER, ERROR_PATH_NOT_FOUND, checked, error_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.userland.supplements.declare import ProcessCall

# COPY_FILE_*: those that change what is done here, and those that say how, or what there is not.
_FAIL_IF_EXISTS, _OPEN_SOURCE_FOR_WRITE, _COPY_SYMLINK = 0x1, 0x4, 0x800
_ERROR_FILE_EXISTS, _ERROR_REQUEST_ABORTED, _ERROR_NOT_SUPPORTED = 80, 1235, 50
_HRESULT = 0x80070000  # HRESULT_FROM_WIN32
_PIECE = 1 << 20
_GENERIC_READ, _GENERIC_WRITE, _DELETE, _SYNCHRONIZE = 0x80000000, 0x40000000, 0x10000, 0x100000
_CASE_INSENSITIVE = 0x40  # OBJ_CASE_INSENSITIVE
_BASIC_INFORMATION, _DISPOSITION_INFORMATION_EX = 4, 64
_DELETE_ALL_THE_SAME = 0x11  # FILE_DISPOSITION_DELETE, _IGNORE_READONLY_ATTRIBUTE
_BASIC_SIZE = 40
_KEPT = 0x27  # FILE_ATTRIBUTE_READONLY, _HIDDEN, _SYSTEM, _ARCHIVE
_MEM_COMMIT, _MEM_RELEASE, _PAGE_READWRITE = 0x3000, 0x8000, 4


@supplement("kernelbase.dll", partial="nobody is told of progress; links themselves are not copied")
async def CopyFile2(
    call: ProcessCall, pwszExistingFileName: PVOID, pwszNewFileName: PVOID, pExtendedParameters: PVOID
) -> LONG:
    """An HRESULT."""
    error = 0
    try:
        flags = cancel = 0
        if pExtendedParameters:
            flags = int.from_bytes(call.space.read(pExtendedParameters + 4, 4), "little")
            cancel = int.from_bytes(call.space.read(pExtendedParameters + 8, call.word), "little")
        if not pwszExistingFileName or not pwszNewFileName:
            return _result(ERROR_INVALID_PARAMETER)
        source = nt_name(call, text(call, pwszExistingFileName))
        copy = _Copy(call, source, nt_name(call, text(call, pwszNewFileName)), flags, cancel)
        error = await copy.make()
    except ValueError:  # no name at all
        error = ERROR_PATH_NOT_FOUND
    except NtError as failure:
        error = error_of(failure.status)
    return _result(error)


def _result(error: int) -> int:
    return (_HRESULT | error) - (1 << 32) if error else 0


class _Copy:
    """One file being copied, in memory of the caller's."""

    def __init__(self, call: ProcessCall, source: str, target: str, flags: int, cancel: int) -> None:
        self._call = call
        self._source = source
        self._target = target
        self._flags = flags
        self._cancel = cancel
        self._stack = call.user_mode()
        self._block = self._stack.push(bytes(IO_STATUS_BLOCK.size(call.word)))
        self._cells = (self._stack.push(bytes(call.word)), self._stack.push(_PIECE.to_bytes(call.word, "little")))

    async def make(self) -> int:
        """The error that it ends with. Raises NtError."""
        call = self._call
        access = _GENERIC_READ | (_GENERIC_WRITE if self._flags & _OPEN_SOURCE_FOR_WRITE else 0)
        options = nt.FILE_OPEN_REPARSE_POINT if self._flags & _COPY_SYMLINK else 0
        source = self._open(self._source, access, nt.FILE_SHARE_READ | nt.FILE_SHARE_WRITE, nt.FILE_OPEN, options)
        try:
            basic = self._stack.push(bytes(_BASIC_SIZE))
            checked(call.system_call(
                "NtQueryInformationFile", source, self._block, basic, _BASIC_SIZE, _BASIC_INFORMATION
            ))  # fmt: skip
            attributes = int.from_bytes(call.space.read(basic + 32, 4), "little")
            if attributes & nt.FILE_ATTRIBUTE_REPARSE_POINT:
                return _ERROR_NOT_SUPPORTED
            disposition = nt.FILE_CREATE if self._flags & _FAIL_IF_EXISTS else nt.FILE_OVERWRITE_IF
            try:
                target = self._open(
                    self._target, _GENERIC_WRITE | _DELETE, 0, disposition, attributes=attributes & _KEPT
                )
            except NtError as error:
                if error.status == STATUS_OBJECT_NAME_COLLISION:
                    return _ERROR_FILE_EXISTS
                raise
            try:
                done = await self._contents(source, target)
                if done:
                    self._times(basic, target)
                else:
                    self._delete(target)
            except NtError:
                self._delete(target)
                raise
            finally:
                call.system_call("NtClose", target)
        finally:
            call.system_call("NtClose", source)
        return 0 if done else _ERROR_REQUEST_ABORTED

    def _open(
        self, name: str, access: int, share: int, disposition: int, options: int = 0, attributes: int = 0
    ) -> int:
        call, stack, word = self._call, self._stack, self._call.word
        encoded = name.encode("utf-16-le", "surrogatepass")
        string = UNICODE_STRING(Length=len(encoded), MaximumLength=len(encoded), Buffer=stack.push(encoded))
        described = OBJECT_ATTRIBUTES(
            Length=OBJECT_ATTRIBUTES.size(word), ObjectName=stack.push(string.pack(word)), Attributes=_CASE_INSENSITIVE
        )
        handle, at = stack.push(bytes(word)), stack.push(described.pack(word))
        options |= nt.FILE_SYNCHRONOUS_IO_NONALERT | nt.FILE_NON_DIRECTORY_FILE
        access |= _SYNCHRONIZE
        try:
            checked(call.system_call(
                "NtCreateFile", handle, access, at, self._block, 0, attributes, share, disposition, options, 0, 0
            ))  # fmt: skip
        except NtError as error:
            if error.status == STATUS_FILE_IS_A_DIRECTORY and disposition == nt.FILE_CREATE:
                raise NtError(STATUS_OBJECT_NAME_COLLISION) from error
            raise
        return int.from_bytes(call.space.read(handle, word), "little")

    async def _contents(self, source: int, target: int) -> bool:
        """Copy them; False: the caller does not want them any more."""
        call = self._call
        base, size = self._cells
        checked(call.system_call(
            "NtAllocateVirtualMemory", CURRENT_PROCESS, base, 0, size, _MEM_COMMIT, _PAGE_READWRITE
        ))  # fmt: skip
        buffer = int.from_bytes(call.space.read(base, call.word), "little")
        try:
            while not self._cancelled():
                try:
                    await self._transfer("NtReadFile", source, buffer, _PIECE)
                except NtError as error:
                    if error.status == STATUS_END_OF_FILE:
                        return True
                    raise
                block = IO_STATUS_BLOCK.unpack(
                    call.word, call.space.read(self._block, IO_STATUS_BLOCK.size(call.word))
                )
                if not block.Information:
                    return True
                await self._transfer("NtWriteFile", target, buffer, block.Information)
        finally:
            call.space.write(size, bytes(call.word))
            call.system_call("NtFreeVirtualMemory", CURRENT_PROCESS, base, size, _MEM_RELEASE)
        return False

    async def _transfer(self, name: str, file: int, buffer: int, length: int) -> None:
        status = self._call.system_call(name, file, 0, 0, 0, self._block, buffer, length, 0, 0)
        checked(status if isinstance(status, int) else await status)

    def _cancelled(self) -> bool:
        return bool(self._cancel) and any(self._call.space.read(self._cancel, 4))

    def _times(self, basic: int, target: int) -> None:
        """A copy was written when its original was, and made now."""
        space = self._call.space
        written = space.read(basic + 16, 8)
        space.write(basic, bytes(16) + written + bytes(_BASIC_SIZE - 24))
        checked(self._call.system_call(
            "NtSetInformationFile", target, self._block, basic, _BASIC_SIZE, _BASIC_INFORMATION
        ))  # fmt: skip

    def _delete(self, target: int) -> None:
        at = self._stack.push(_DELETE_ALL_THE_SAME.to_bytes(4, "little"))
        self._call.system_call("NtSetInformationFile", target, self._block, at, 4, _DISPOSITION_INFORMATION_EX)
