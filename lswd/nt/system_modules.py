"""The kernel's modules, as NtQuerySystemInformation lists them: what every kernel has, without addresses.

Windows shows a caller without privileges no addresses either. Source: phnt RTL_PROCESS_MODULES.
"""

from __future__ import annotations

from lswd.nt.system_information import QUERY, SystemModuleInformation
from lswd.ntdef.types import PVOID, ULONG, USHORT, Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.nt.declare import Call

_DIRECTORY = "\\SystemRoot\\system32\\"
_NAMES = ("ntoskrnl.exe", "hal.dll", "drivers\\mountmgr.sys")
_SIZE = 0x200000
_PATH_SIZE = 256


class RTL_PROCESS_MODULE_INFORMATION(Struct):
    """Its FullPathName, 256 bytes, follows."""

    Section: PVOID
    MappedBase: PVOID
    ImageBase: PVOID
    ImageSize: ULONG
    Flags: ULONG
    LoadOrderIndex: USHORT
    InitOrderIndex: USHORT
    LoadCount: USHORT
    OffsetToFileName: USHORT


@QUERY.answers(SystemModuleInformation)
def _modules(call: Call, subject: object, address: int) -> bytes:
    data = call.pointer(len(_NAMES))
    for index, name in enumerate(_NAMES):
        path = (_DIRECTORY + name).encode("ascii")
        head = RTL_PROCESS_MODULE_INFORMATION(
            ImageSize=_SIZE, LoadOrderIndex=index, LoadCount=1, OffsetToFileName=path.rindex(b"\\") + 1
        )
        data += head.pack(call.word) + path.ljust(_PATH_SIZE, b"\0")
    return data
