"""What a process is protected by: Wine 8's GetProcessMitigationPolicy says that it has told, and tells nothing.

Source: Microsoft "GetProcessMitigationPolicy", "PROCESS_MITIGATION_DEP_POLICY", "IsUserCetAvailableInEnvironment".
"""

from __future__ import annotations

from lswd.ntdef.types import BOOL, HANDLE, PVOID, SIZE_T, ULONG
from lswd.userland.supplements.declare import supplement
from lswd.userland.supplements.last_error import ERROR_INVALID_PARAMETER, checked, failed, fails_by_last_error

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.userland.supplements.declare import ProcessCall

_DEP, _OPTIONS_MASK, _POLICIES = 0, 5, 20
_SIZES = {_DEP: (8,), _OPTIONS_MASK: (8, 16, 24)}  # of the others: one ULONG
_EXECUTE_FLAGS = 34
# MEM_EXECUTE_OPTION_*
_DISABLE, _DISABLE_THUNKS, _PERMANENT = 1, 4, 8


@supplement("kernelbase.dll")
@fails_by_last_error
def GetProcessMitigationPolicy(
    call: ProcessCall, hProcess: HANDLE, MitigationPolicy: ULONG, lpBuffer: PVOID, dwLength: SIZE_T
) -> BOOL:
    """That memory which may not be executed is not; no other is in force."""
    if MitigationPolicy >= _POLICIES or dwLength not in _SIZES.get(MitigationPolicy, (4,)):
        return failed(call, ERROR_INVALID_PARAMETER)
    flags = call.user_mode().push(bytes(4))
    checked(call.system_call("NtQueryInformationProcess", hProcess, _EXECUTE_FLAGS, flags, 4, 0))
    policy = bytes(dwLength)
    if MitigationPolicy == _DEP:
        execute = int.from_bytes(call.space.read(flags, 4), "little")
        enabled = int(execute & _DISABLE != 0) | (2 if execute & _DISABLE_THUNKS else 0)
        policy = enabled.to_bytes(4, "little") + bytes((int(execute & _PERMANENT != 0), 0, 0, 0))
    call.space.write(lpBuffer, policy)
    return 1


@supplement("kernelbase.dll")
def IsUserCetAvailableInEnvironment(call: ProcessCall, UserCetEnvironment: ULONG) -> BOOL:
    """Shadow stacks: there are none."""
    return 0
