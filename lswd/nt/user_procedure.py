"""How window procedures are called: by user32, with what it needs to translate between ANSI and Unicode.

Messages to a window of the calling thread are left to user32 itself where it asks how to (``fill``); others are calls
into user mode. A pointer that a message carries points to what the kernel has put on the stack.
Source: Microsoft "WindowProc", "CallWindowProc"; the structure is in the type information of Wine's user32.
"""

from __future__ import annotations

from lswd.kernel.user_callback import UserMode
from lswd.kernel.window import Window, Windows
from lswd.kernel.window_class import WindowClient
from lswd.nt.user_failure import ERROR_INVALID_WINDOW_HANDLE, failed
from lswd.nt.user_function import callback_code, user_structure
from lswd.ntdef.status import STATUS_NOT_SUPPORTED, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.nt.declare import Call


def windows_of(thread: Thread) -> Windows:
    """All there are."""
    return thread.process.system.part(Windows)


def client_of(process: Process) -> WindowClient:
    """What the process's user32 has told.

    Raises:
        NtError: STATUS_NOT_SUPPORTED: nothing yet, so it cannot be called either.
    """
    if process.window_client is None:
        raise NtError(STATUS_NOT_SUPPORTED)
    return process.window_client


def find_window(call: Call, handle: int) -> Window | None:
    """The window of a handle; None, with a last error, when there is none."""
    window = windows_of(call.thread).find(handle)
    if window is None:
        failed(call.thread, ERROR_INVALID_WINDOW_HANDLE)
    return window


def parameters(
    process: Process, procedure: int, window: int, message: int, first: int, second: int, *,
    ansi: bool, takes_ansi: bool, mapping: str, dialog: bool = False,
) -> bytes:  # fmt: skip
    """``win_proc_params``: what user32 needs for calling ``procedure``.

    Args:
        ansi: texts of the message are; takes_ansi: and those that the procedure wants.
        mapping: WMCHAR_MAP_*: how the message came here.
        dialog: it is a dialog's, whose kind of procedure is not chosen after the message's texts.
    """
    pair = client_of(process).procedures.pair(procedure)
    ansi_address, wide_address = pair or (0, 0)
    if pair is not None and not dialog:
        takes_ansi = bool(ansi_address) if ansi or not wide_address else False
    mappings = process.userland.enumeration("user32.dll", "WMCHAR_MAP_")
    return user_structure(process, "win_proc_params").pack(
        func=procedure, hwnd=window, msg=message, wparam=first, lparam=second, ansi=ansi, ansi_dst=takes_ansi,
        mapping=mappings.index(mapping) if mapping in mappings else 0, procA=ansi_address or procedure,
        procW=wide_address or procedure,
    )  # fmt: skip


def window_parameters(
    window: Window, message: int, first: int, second: int, *, ansi: bool, mapping: str = "SENDMESSAGE"
) -> bytes:
    """The same for the window's own procedure."""
    assert window.process is not None
    return parameters(
        window.process, window.procedure, window.handle, message, first, second, ansi=ansi,
        takes_ansi=not window.unicode, mapping=mapping, dialog=bool(window.dialog_info),
    )  # fmt: skip


async def call_window(
    thread: Thread, window: Window, message: int, first: int, second: int, *, ansi: bool = False,
    user: UserMode | None = None, mapping: str = "SENDMESSAGE",
) -> int:  # fmt: skip
    """Call a window's procedure; it must be one of the thread's own.

    Returns:
        What it returns, 0 when there is none any more.

    Raises:
        NtError: it cannot be called: too deep, or no room on the stack.
    """
    if not window.alive or not window.procedure:
        return 0
    data = window_parameters(window, message, first, second, ansi=ansi, mapping=mapping)
    code = callback_code(thread.process, "CallWinProc")
    _, output = await (user or UserMode(thread)).call(code, data)
    return signed(output[: thread.process.space.word], thread.process.space.word)


def signed(data: bytes, word: int) -> int:
    """An LRESULT; 0 for a procedure that has not returned one."""
    return int.from_bytes(data, "little", signed=True) if len(data) == word else 0
