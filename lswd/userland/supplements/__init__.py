"""Supplements: exports that programs import and the userland lacks, written in Python.

A supplement is declared twice, on purpose. ``SUPPLEMENTS`` here says that it exists: it is all that a launch reads, so
programs which need none pay for none. The handler stands in this package's module of the DLL's name, decorated with
``lswd.userland.supplements.declare.supplement`` and typed like a system call; it is imported at its first call. The
guest sees a real export of a real image (``overlay`` makes it, ``image_builder`` knows how) whose code is a system call
stub with a number from here.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Cases: TypeAlias = tuple[tuple[int, tuple[int, ...]], ...]

# System calls (NtX and ZwX) that an ntdll may have no stubs for.
_SYSTEM_CALLS = (
    "AssociateWaitCompletionPacket@32",
    "CancelWaitCompletionPacket@8",
    "CreateWaitCompletionPacket@12",
    "ExtendSection@8",
    "FlushBuffersFileEx@20",
    "MakePermanentObject@4",
    "NotifyChangeDirectoryFileEx@40",
    "QueryDirectoryFileEx@40",
    "QueryInformationByName@20",
    "QueueApcThreadEx@24",
)
_NAMES = [each.partition("@")[0] for each in _SYSTEM_CALLS]

# DLL -> its exports in the notation of .def files: "Name@bytes", with the bytes of arguments that a 32-bit stdcall
# function takes off the stack, or "Name@bytes @ordinal" where the ordinal matters. "Name@bytes if 1=6,2=3|16" is for a
# function that the userland has but that lacks a case: ours is called when the second argument is 6 and the third 3 or
# 16 (they count from 0, and only the first four can be looked at), otherwise the userland's own. "Name@bytes if
# pretended" is for one that the userland has, but that does nothing, whether it says so or not (``pretence``).
# "Name = other" is another name of a function of the same DLL, "Name = dll.other" of one of another DLL. NtX of ntdll
# is the system call of that name, which has its handler already.
SUPPLEMENTS: dict[str, tuple[str, ...]] = {
    "bcryptprimitives.dll": ("ProcessPrng@8",),
    "crypt32.dll": ("CertVerifyCertificateChainPolicy@16 if 0=4",),
    "ws2_32.dll": (
        "getsockopt@20 if 1=6,2=3|16|17",
        "setsockopt@20 if 1=6,2=3|16|17",
        "WSAIoctl@36 if 1=2550136847",
    ),
    "kernel32.dll": (
        "CreateSymbolicLinkA@12 if pretended",
        "GetTempPath2A = GetTempPathA",
        "GetTempPath2W = GetTempPathW",
        "CopyFile2 = kernelbase.CopyFile2",
        "GetFileInformationByName = kernelbase.GetFileInformationByName",
        "IsUserCetAvailableInEnvironment = kernelbase.IsUserCetAvailableInEnvironment",
        "GetNumaNodeProcessorMask2 = kernelbase.GetNumaNodeProcessorMask2",
    ),
    "kernelbase.dll": (
        "CreateSymbolicLinkW@12 if pretended",
        "GetTempPath2A = GetTempPathA",
        "GetTempPath2W = GetTempPathW",
        "CopyFile2@12",
        "SetFileInformationByHandle@16 if 1=5|21|22",
        "GetFileInformationByHandleEx@16 if 1=13|16|23|24",
        "GetFileInformationByName@16",
        "GetProcessMitigationPolicy@16 if pretended",
        "IsUserCetAvailableInEnvironment@4",
        "GetProcessGroupAffinity@12 if pretended",
        "SetThreadIdealProcessorEx@12 if pretended",
        "GetNumaNodeProcessorMaskEx@8 if pretended",
        "GetNumaNodeProcessorMask2@16",
    ),
    "ntdll.dll": (*[f"Nt{each}" for each in _SYSTEM_CALLS], *[f"Zw{name} = Nt{name}" for name in _NAMES]),
}

# Flags that functions of the userland forget: DLL -> (function, number of the argument with the flag, the flag, number
# of an argument that the function passes on to its system call and that gets it too). The first argument is on the
# stack, the second one of the first four.
FORGOTTEN: dict[str, tuple[tuple[str, int, int, int], ...]] = {
    # FILE_FLAG_OPEN_REPARSE_POINT, as a bit of the desired access that means nothing (ntdef.file.OPEN_LINK_ITSELF)
    "kernelbase.dll": (("CreateFileA", 5, 0x200000, 1), ("CreateFileW", 5, 0x200000, 1)),
}

# Where the numbers begin: far above the service tables of ntdll (from 0) and win32u (from 0x1000).
FIRST_NUMBER = 0x8000


class Export:
    """One supplement as the guest sees it: ``dll`` exports ``name``, a stub for the system call ``number``.

    ``cases``: for which calls, as (argument, values) pairs that must all hold; none: for all. ``pretended``: it takes
    the place of one that does nothing. ``alias``: what it is another name of; it has no stub and no number then.
    """

    __slots__ = ("alias", "argument_bytes", "cases", "dll", "name", "number", "ordinal", "pretended")

    def __init__(
        self, dll: str, name: str, number: int, ordinal: int | None, argument_bytes: int = 0, cases: Cases = (),
        *, pretended: bool = False, alias: str = "",
    ) -> None:  # fmt: skip
        self.alias = alias
        self.dll = dll
        self.name = name
        self.number = number
        self.ordinal = ordinal
        self.argument_bytes = argument_bytes
        self.cases = cases
        self.pretended = pretended


def exports(table: dict[str, tuple[str, ...]] | None = None) -> dict[str, tuple[Export, ...]]:
    """Every supplement, by DLL. The numbers are the order of declaration: stable within a run, not between versions."""
    result = {}
    number = FIRST_NUMBER
    for dll, entries in (SUPPLEMENTS if table is None else table).items():
        declared = []
        for entry in entries:
            plain, _, conditions = entry.partition(" if ")
            plain, _, alias = plain.partition(" = ")
            decorated, _, ordinal = plain.partition(" @")
            name, _, size = decorated.partition("@")
            pretended = conditions == "pretended"
            cases = () if pretended else tuple([_case(each) for each in conditions.split(",") if each])
            place = int(ordinal) if ordinal else None
            if alias:
                declared.append(Export(dll, name, 0, place, alias=alias))
                continue
            declared.append(Export(dll, name, number, place, int(size or 0), cases, pretended=pretended))
            number += 1
        result[dll] = tuple(declared)
    return result


def system_calls() -> dict[int, str]:
    """Number -> name of the system calls for which an ntdll may lack a stub."""
    return {each.number: each.name for each in exports()["ntdll.dll"] if each.name.startswith("Nt")}


def _case(condition: str) -> tuple[int, tuple[int, ...]]:
    argument, _, values = condition.partition("=")
    return int(argument), tuple([int(value) for value in values.split("|")])
