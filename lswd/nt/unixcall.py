"""Calls from a userland DLL to its Unix half, which is part of our kernel surface (``lswd.unixlib``).

Wine's PE DLLs with a Unix half ask for its handle (NtQueryVirtualMemory, MemoryWineUnixFuncs) and then call
``__wine_unix_call(handle, code, arguments)``, which ntdll sends to the gate in kernel.start.
"""

from __future__ import annotations

from lswd import unixlib
from lswd.kernel.start import UNIX_CALL_NUMBER
from lswd.nt.declare import Call, syscall
from lswd.ntdef.status import STATUS_DLL_NOT_FOUND, STATUS_NOT_IMPLEMENTED, STATUS_SUCCESS
from lswd.ntdef.types import NTSTATUS, PVOID, ULONG, ULONGLONG

NUMBERS = {UNIX_CALL_NUMBER: "__wine_unix_call"}


def unix_library(call: Call, address: int, result: int) -> int:
    """The handle of the Unix half of the module mapped at ``address``."""
    region = call.space.find(address)
    name = region.name.rsplit("\\", 1)[-1].lower() if region is not None else ""
    handle = unixlib.handle_of(name)
    if handle == 0:
        return STATUS_DLL_NOT_FOUND
    call.space.write_u64(result, handle)
    return STATUS_SUCCESS


@syscall(partial="only the Unix halves in lswd.unixlib exist")
async def __wine_unix_call(call: Call, handle: ULONGLONG, code: ULONG, arguments: PVOID) -> NTSTATUS:
    function = unixlib.function(call.process, handle, code)
    if function is None:
        missing = call.process.missing_calls
        name = f"unix call {unixlib.name_of(handle)}:{code}"
        missing[name] = missing.get(name, 0) + 1
        return STATUS_NOT_IMPLEMENTED
    result = function(call.thread, arguments)
    return result if isinstance(result, int) else await result
