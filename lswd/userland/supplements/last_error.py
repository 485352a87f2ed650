"""Functions that fail by GetLastError: FALSE, and the error in the thread's TEB.

Source: Microsoft "System Error Codes", "RtlNtStatusToDosError".
"""

from __future__ import annotations

from functools import wraps

from lswd.ntdef import status as nt
from lswd.ntdef.status import NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeVar

    from lswd.userland.supplements.declare import ProcessCall

    F = TypeVar("F", bound=Callable[..., Any])

_COROUTINE = 0x80  # inspect.CO_COROUTINE
_LAST_ERROR = {8: 0x68, 4: 0x34}  # TEB.LastErrorValue
ERROR_PATH_NOT_FOUND, ERROR_GEN_FAILURE, ERROR_INVALID_PARAMETER, ERROR_INSUFFICIENT_BUFFER = 3, 31, 87, 122
_ERRORS = {
    nt.STATUS_INVALID_DEVICE_REQUEST: 1,  # ERROR_INVALID_FUNCTION
    nt.STATUS_OBJECT_NAME_NOT_FOUND: 2,  # ERROR_FILE_NOT_FOUND
    nt.STATUS_OBJECT_PATH_NOT_FOUND: ERROR_PATH_NOT_FOUND,
    nt.STATUS_NOT_A_DIRECTORY: ERROR_PATH_NOT_FOUND,
    nt.STATUS_ACCESS_DENIED: 5,  # ERROR_ACCESS_DENIED
    nt.STATUS_CANNOT_DELETE: 5,
    nt.STATUS_DELETE_PENDING: 5,
    nt.STATUS_FILE_IS_A_DIRECTORY: 5,
    nt.STATUS_INVALID_HANDLE: 6,  # ERROR_INVALID_HANDLE
    nt.STATUS_OBJECT_TYPE_MISMATCH: 6,
    nt.STATUS_NOT_SAME_DEVICE: 17,  # ERROR_NOT_SAME_DEVICE
    nt.STATUS_MEDIA_WRITE_PROTECTED: 19,  # ERROR_WRITE_PROTECT
    nt.STATUS_INFO_LENGTH_MISMATCH: 24,  # ERROR_BAD_LENGTH
    nt.STATUS_SHARING_VIOLATION: 32,  # ERROR_SHARING_VIOLATION
    nt.STATUS_NOT_SUPPORTED: 50,  # ERROR_NOT_SUPPORTED
    nt.STATUS_INVALID_PARAMETER: ERROR_INVALID_PARAMETER,
    nt.STATUS_INVALID_INFO_CLASS: ERROR_INVALID_PARAMETER,
    nt.STATUS_DISK_FULL: 112,  # ERROR_DISK_FULL
    nt.STATUS_BUFFER_TOO_SMALL: ERROR_INSUFFICIENT_BUFFER,
    nt.STATUS_OBJECT_NAME_INVALID: 123,  # ERROR_INVALID_NAME
    nt.STATUS_DIRECTORY_NOT_EMPTY: 145,  # ERROR_DIR_NOT_EMPTY
    nt.STATUS_OBJECT_PATH_SYNTAX_BAD: 161,  # ERROR_BAD_PATHNAME
    nt.STATUS_OBJECT_NAME_COLLISION: 183,  # ERROR_ALREADY_EXISTS
    nt.STATUS_NAME_TOO_LONG: 206,  # ERROR_FILENAME_EXCED_RANGE
    nt.STATUS_ACCESS_VIOLATION: 998,  # ERROR_NOACCESS
    nt.STATUS_USER_MAPPED_FILE: 1224,  # ERROR_USER_MAPPED_FILE
    nt.STATUS_IO_REPARSE_DATA_INVALID: 4392,  # ERROR_INVALID_REPARSE_DATA
}


def failed(call: ProcessCall, error: int, result: int = 0) -> int:
    """Set the thread's last error; returns ``result``."""
    call.space.write(call.thread.teb + _LAST_ERROR[call.word], error.to_bytes(4, "little"))
    return result


def error_of(status: int) -> int:
    """The error that stands for a status."""
    return _ERRORS.get(status, ERROR_GEN_FAILURE)


def fails_by_last_error(handler: F) -> F:
    """A handler, or one that is a coroutine, whose NtErrors become FALSE and a last error."""
    if handler.__code__.co_flags & _COROUTINE:

        @wraps(handler)
        async def answer_later(call: ProcessCall, *arguments: Any) -> Any:
            try:
                return await handler(call, *arguments)
            except NtError as error:
                return failed(call, error_of(error.status))

        return answer_later  # type: ignore[return-value]

    @wraps(handler)
    def answer(call: ProcessCall, *arguments: Any, **named: Any) -> Any:
        try:
            return handler(call, *arguments, **named)
        except NtError as error:
            return failed(call, error_of(error.status))

    return answer  # type: ignore[return-value]


def checked(status: int) -> None:
    """Raise NtError for a status that is an error."""
    if status & 0x80000000:
        raise NtError(status)
