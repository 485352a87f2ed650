"""How calls of the window system fail: they return 0 and leave a Win32 error in the thread's TEB."""

from __future__ import annotations

from lswd.kernel.environment_block import TEB

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

ERROR_FILE_NOT_FOUND = 2
ERROR_ACCESS_DENIED = 5
ERROR_INVALID_HANDLE = 6
ERROR_NOT_SUPPORTED = 50
ERROR_INVALID_PARAMETER = 87
ERROR_CALL_NOT_IMPLEMENTED = 120
ERROR_INSUFFICIENT_BUFFER = 122
ERROR_MORE_DATA = 234
ERROR_INVALID_ADDRESS = 487
ERROR_NOACCESS = 998
ERROR_NO_MORE_USER_HANDLES = 1158
ERROR_INVALID_WINDOW_HANDLE = 1400
ERROR_TLW_WITH_WSCHILD = 1406
ERROR_CANNOT_FIND_WND_CLASS = 1407
ERROR_CLASS_ALREADY_EXISTS = 1410
ERROR_CLASS_DOES_NOT_EXIST = 1411
ERROR_CLASS_HAS_WINDOWS = 1412
ERROR_INVALID_INDEX = 1413
ERROR_CLIPBOARD_NOT_OPEN = 1418
ERROR_INVALID_SPI_VALUE = 1439
ERROR_INVALID_THREAD_ID = 1444
ERROR_TIMEOUT = 1460
ERROR_MESSAGE_SYNC_ONLY = 1159
ERROR_NOT_ENOUGH_QUOTA = 1816

# Those that return an NTSTATUS all the same.
_STATUS = (
    "NtUserBuildHwndList", "NtUserBuildPropList", "NtUserEnumDisplayDevices", "NtGdiDdDDI", "NtUserDisplayConfig",
    "NtUserGetDisplayConfig",
    "NtUserSetClipboardData",
)  # fmt: skip


def failed(thread: Thread, error: int) -> int:
    """What the call returns, ``error`` being why."""
    space = thread.process.space
    space.write_u32(thread.teb + TEB.offset(space.word, "LastErrorValue"), error)
    return 0


def returns_status(name: str) -> bool:
    """Does this call of win32u return an NTSTATUS?"""
    return name.startswith(_STATUS)
