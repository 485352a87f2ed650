"""The structures a process is born with: PEB, TEB, process parameters and KUSER_SHARED_DATA, 32- and 64-bit.

Source: winternl.h, Microsoft "PEB structure", "TEB structure", ntddk.h KUSER_SHARED_DATA; field order from the public
symbols of ntdll. Fields that nobody reads before ntdll has set them are left zero.
"""

from __future__ import annotations

from lswd.ntdef.types import (
    HANDLE,
    LARGE_INTEGER,
    PVOID,
    SIZE_T,
    UCHAR,
    ULONG,
    ULONG_PTR,
    UNICODE_STRING,
    USHORT,
    Struct,
    array,
)


class CURDIR(Struct):
    DosPath: UNICODE_STRING
    Handle: HANDLE


class RTL_DRIVE_LETTER_CURDIR(Struct):
    Flags: USHORT
    Length: USHORT
    TimeStamp: ULONG
    DosPath: UNICODE_STRING


class RTL_USER_PROCESS_PARAMETERS(Struct):
    AllocationSize: ULONG
    Size: ULONG
    Flags: ULONG
    DebugFlags: ULONG
    ConsoleHandle: HANDLE
    ConsoleFlags: ULONG
    StandardInput: HANDLE
    StandardOutput: HANDLE
    StandardError: HANDLE
    CurrentDirectory: CURDIR
    DllPath: UNICODE_STRING
    ImagePathName: UNICODE_STRING
    CommandLine: UNICODE_STRING
    Environment: PVOID
    StartingX: ULONG
    StartingY: ULONG
    CountX: ULONG
    CountY: ULONG
    CountCharsX: ULONG
    CountCharsY: ULONG
    FillAttribute: ULONG
    WindowFlags: ULONG
    ShowWindowFlags: ULONG
    WindowTitle: UNICODE_STRING
    DesktopInfo: UNICODE_STRING
    ShellInfo: UNICODE_STRING
    RuntimeData: UNICODE_STRING
    CurrentDirectories: bytes = array(RTL_DRIVE_LETTER_CURDIR, 32)
    EnvironmentSize: SIZE_T
    EnvironmentVersion: SIZE_T
    PackageDependencyData: PVOID
    ProcessGroupId: ULONG
    LoaderThreads: ULONG


class PEB(Struct):
    InheritedAddressSpace: UCHAR
    ReadImageFileExecOptions: UCHAR
    BeingDebugged: UCHAR
    BitField: UCHAR
    Mutant: HANDLE
    ImageBaseAddress: PVOID
    Ldr: PVOID
    ProcessParameters: PVOID
    SubSystemData: PVOID
    ProcessHeap: PVOID
    FastPebLock: PVOID
    AtlThunkSListPtr: PVOID
    IFEOKey: PVOID
    CrossProcessFlags: ULONG_PTR
    KernelCallbackTable: PVOID
    SystemReserved: ULONG
    AtlThunkSListPtr32: ULONG
    ApiSetMap: PVOID
    TlsExpansionCounter: ULONG
    TlsBitmap: PVOID
    TlsBitmapBits: tuple[int, ...] = array(ULONG, 2)
    ReadOnlySharedMemoryBase: PVOID
    SharedData: PVOID
    ReadOnlyStaticServerData: PVOID
    AnsiCodePageData: PVOID
    OemCodePageData: PVOID
    UnicodeCaseTableData: PVOID
    NumberOfProcessors: ULONG
    NtGlobalFlag: ULONG
    CriticalSectionTimeout: LARGE_INTEGER
    HeapSegmentReserve: SIZE_T
    HeapSegmentCommit: SIZE_T
    HeapDeCommitTotalFreeThreshold: SIZE_T
    HeapDeCommitFreeBlockThreshold: SIZE_T
    NumberOfHeaps: ULONG
    MaximumNumberOfHeaps: ULONG
    ProcessHeaps: PVOID
    GdiSharedHandleTable: PVOID
    ProcessStarterHelper: PVOID
    GdiDCAttributeList: ULONG_PTR
    LoaderLock: PVOID
    OSMajorVersion: ULONG
    OSMinorVersion: ULONG
    OSBuildNumber: USHORT
    OSCSDVersion: USHORT
    OSPlatformId: ULONG
    ImageSubsystem: ULONG
    ImageSubsystemMajorVersion: ULONG
    ImageSubsystemMinorVersion: ULONG
    ActiveProcessAffinityMask: ULONG_PTR


class TEB(Struct):
    """The beginning of the TEB; what lies further back is in ``TEB_FIELDS``."""

    ExceptionList: PVOID
    StackBase: PVOID
    StackLimit: PVOID
    SubSystemTib: PVOID
    FiberData: PVOID
    ArbitraryUserPointer: PVOID
    Self: PVOID
    EnvironmentPointer: PVOID
    UniqueProcess: HANDLE
    UniqueThread: HANDLE
    ActiveRpcHandle: PVOID
    ThreadLocalStoragePointer: PVOID
    ProcessEnvironmentBlock: PVOID
    LastErrorValue: ULONG


# Offsets of later TEB fields by word size.
ACTIVATION_CONTEXT_STACK_POINTER = {8: 0x2C8, 4: 0x1A8}
WOW32_RESERVED = 0xC0  # of a 32-bit TEB
REAL_CLIENT_ID = {8: 0x7D8, 4: 0x6B4}
STATIC_UNICODE_STRING = {8: 0x1258, 4: 0xBF8}
STATIC_UNICODE_BUFFER = {8: 0x1268, 4: 0xC00}
STATIC_UNICODE_SIZE = 261 * 2
DEALLOCATION_STACK = {8: 0x1478, 4: 0xE0C}
TLS_SLOTS = {8: 0x1480, 4: 0xE10}
TLS_EXPANSION_SLOTS = {8: 0x1780, 4: 0xF94}
GUARANTEED_STACK_BYTES = {8: 0x1748, 4: 0xF78}
SAME_TEB_FLAGS = {8: 0x17EE, 4: 0xFCA}
TEB_SKIP_THREAD_ATTACH = 0x0008  # in SameTebFlags
# The structure, the activation context stack below and the engine's mailbox at 0x1f00; a page for a WoW64 process's
# 32-bit TEB; and one for the debug output buffers of Wine's ntdll.
TEB_SIZE = 0x4000
ACTIVATION_CONTEXT_STACK_AT = 0x1E00


class KUSER_SHARED_DATA:
    """Offsets (the same for every word size) of the fields this kernel fills in."""

    TickCountMultiplier = 0x004
    InterruptTime = 0x008
    SystemTime = 0x014
    TimeZoneBias = 0x020
    ImageNumberLow = 0x02C
    NtSystemRoot = 0x030
    NtBuildNumber = 0x260
    NtProductType = 0x264
    ProductTypeIsValid = 0x268
    NativeProcessorArchitecture = 0x26A
    NtMajorVersion = 0x26C
    NtMinorVersion = 0x270
    ProcessorFeatures = 0x274
    SuiteMask = 0x2D0
    ActiveConsoleId = 0x2D8
    NumberOfPhysicalPages = 0x2E8
    SafeBootMode = 0x2EC
    QpcFrequency = 0x300
    SystemCall = 0x308
    TickCount = 0x320
    ActiveProcessorCount = 0x3C0
    ActiveGroupCount = 0x3C4
    QpcBypassEnabled = 0x3C6

