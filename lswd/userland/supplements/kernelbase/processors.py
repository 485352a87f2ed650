"""Groups of processors, of which there is one, and NUMA nodes, of which there is one, too.

Source: Microsoft "GetProcessGroupAffinity", "SetThreadIdealProcessorEx", "GetNumaNodeProcessorMaskEx",
"GetNumaNodeProcessorMask2", "GROUP_AFFINITY".
"""

from __future__ import annotations

from lswd.ntdef.types import BOOL, HANDLE, PVOID, USHORT
from lswd.userland.supplements.declare import supplement
from lswd.userland.supplements.last_error import (
    ERROR_INSUFFICIENT_BUFFER,
    ERROR_INVALID_PARAMETER,
    checked,
    failed,
    fails_by_last_error,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.userland.supplements.declare import ProcessCall

_SYSTEM_BASIC_INFORMATION = 0
_PROCESS_GROUP_INFORMATION = 47
_THREAD_IDEAL_PROCESSOR_EX = 33
# SYSTEM_BASIC_INFORMATION: its size, and where ActiveProcessorsAffinityMask is
_BASIC = {8: (64, 48), 4: (44, 36)}


@supplement("kernelbase.dll")
@fails_by_last_error
def GetProcessGroupAffinity(call: ProcessCall, hProcess: HANDLE, GroupCount: PVOID, GroupArray: PVOID) -> BOOL:
    group = call.user_mode().push(bytes(2))
    checked(call.system_call("NtQueryInformationProcess", hProcess, _PROCESS_GROUP_INFORMATION, group, 2, 0))
    room = int.from_bytes(call.space.read(GroupCount, 2), "little")
    call.space.write(GroupCount, b"\1\0")
    if not room:
        return failed(call, ERROR_INSUFFICIENT_BUFFER)
    call.space.write(GroupArray, call.space.read(group, 2))
    return 1


@supplement("kernelbase.dll")
@fails_by_last_error
async def SetThreadIdealProcessorEx(
    call: ProcessCall, hThread: HANDLE, lpIdealProcessor: PVOID, lpPreviousIdealProcessor: PVOID
) -> BOOL:
    previous = call.user_mode().push(bytes(4))
    checked(await call.system_call("NtQueryInformationThread", hThread, _THREAD_IDEAL_PROCESSOR_EX, previous, 4, 0))
    checked(await call.system_call("NtSetInformationThread", hThread, _THREAD_IDEAL_PROCESSOR_EX, lpIdealProcessor, 4))
    if lpPreviousIdealProcessor:
        call.space.write(lpPreviousIdealProcessor, call.space.read(previous, 4))
    return 1


@supplement("kernelbase.dll")
@fails_by_last_error
def GetNumaNodeProcessorMaskEx(call: ProcessCall, Node: USHORT, ProcessorMask: PVOID) -> BOOL:
    if Node:
        return failed(call, ERROR_INVALID_PARAMETER)
    call.space.write(ProcessorMask, _all_processors(call))
    return 1


@supplement("kernelbase.dll")
@fails_by_last_error
def GetNumaNodeProcessorMask2(
    call: ProcessCall, NodeNumber: USHORT, ProcessorMasks: PVOID, ProcessorMaskCount: USHORT, RequiredMaskCount: PVOID
) -> BOOL:
    if NodeNumber:
        return failed(call, ERROR_INVALID_PARAMETER)
    call.space.write(RequiredMaskCount, b"\1\0")
    if not ProcessorMaskCount:
        return failed(call, ERROR_INSUFFICIENT_BUFFER)
    call.space.write(ProcessorMasks, _all_processors(call))
    return 1


def _all_processors(call: ProcessCall) -> bytes:
    """GROUP_AFFINITY: the mask; the group and its padding, zeros."""
    size, at = _BASIC[call.word]
    information = call.user_mode().push(bytes(size))
    checked(call.system_call("NtQuerySystemInformation", _SYSTEM_BASIC_INFORMATION, information, size, 0))
    return call.space.read(information + at, call.word) + bytes(8)
