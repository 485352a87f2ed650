"""NtCallbackReturn: how code that the kernel has called in user mode returns. See ``kernel.user_callback``.

Source: Microsoft "NtCallbackReturn" in the symbols of ntdll; ntdll's and user32's use of it.
"""

from __future__ import annotations

from lswd.kernel.user_callback import MOST_RETURNED, finish_callback
from lswd.nt.declare import Call, syscall
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, NtError
from lswd.ntdef.types import NTSTATUS, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Coroutine
    from typing import Any


@syscall
def NtCallbackReturn(
    call: Call, OutputBuffer: PVOID, OutputLength: ULONG, Status: NTSTATUS
) -> Coroutine[Any, Any, int]:
    """Returns to whoever made the system call that called back, which goes on."""
    if OutputLength > MOST_RETURNED:
        raise NtError(STATUS_INVALID_PARAMETER)
    output = call.space.read(OutputBuffer, OutputLength) if OutputLength else b""
    return finish_callback(call.thread, Status, output)
