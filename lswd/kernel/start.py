"""Process and thread start, the way NT does it: images mapped, blocks filled in, LdrInitializeThunk entered."""

from __future__ import annotations

import os
import struct
import time

from lswd.cpu.context import context_type
from lswd.cpu.engine import HANDOFF_PAGE, HANDOFF_POINTER
from lswd.image.pe import FILE_LARGE_ADDRESS_AWARE
from lswd.kernel import environment_block as blocks
from lswd.kernel.clock import Clock
from lswd.kernel.environment_block import KUSER_SHARED_DATA as K
from lswd.kernel.environment_block import PEB, RTL_USER_PROCESS_PARAMETERS, TEB
from lswd.kernel.process import Process
from lswd.kernel.section import ImageSection
from lswd.kernel.stack import reserve_stack
from lswd.kernel.thread import Thread
from lswd.memory.protection import PAGE_READONLY, PAGE_READWRITE, PAGE_SIZE
from lswd.ntdef.types import UNICODE_STRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from lswd.kernel.system import System
    from lswd.memory.region import Region
    from lswd.memory.space import AddressSpace

SHARED_DATA = 0x7FFE0000
# Where ntdll's __wine_unix_call goes: a system call stub with a number of our own, behind the engine's hand-off code.
UNIX_CALL_GATE = HANDOFF_PAGE + 0x800
UNIX_CALL_NUMBER = 0x7000
NTDLL_UNIX_HANDLE = 1  # see lswd.unixlib
_DIRECTORY_ROOM = 520  # bytes, MAX_PATH characters, for the current directory
_TEB_AREA = 0x7FFD0000  # PEB and TEBs go below this, where NT puts them for small processes


def _gate(number: int, word: int, argument_bytes: int) -> bytes:
    """Code that makes the system call ``number``, and in a 32-bit process takes its arguments off the stack."""
    load = b"\xb8" + number.to_bytes(4, "little")  # mov eax, number
    pointer = HANDOFF_POINTER.to_bytes(4, "little")
    if word == 8:
        return b"\x49\x89\xca" + load + b"\xff\x14\x25" + pointer + b"\xc3"  # mov r10, rcx; ...; call [hand-off]; ret
    return load + b"\xff\x15" + pointer + b"\xc2" + argument_bytes.to_bytes(2, "little")


class StartParameters:
    """What a new process is told: strings as the guest sees them, and its standard handles."""

    def __init__(
        self,
        *,
        image_path: str,
        command_line: str,
        current_directory: str,
        environment: bytes,
        dll_path: str = "",
        console_handle: int = 0,
        standard_handles: tuple[int, int, int] = (0, 0, 0),
        window_title: str = "",
        desktop: str = "WinSta0\\Default",
        shell: str = "",
        runtime_data: bytes = b"",
        numbers: Mapping[str, int] | None = None,
    ) -> None:
        """``runtime_data`` is what a C runtime tells its child's; ``numbers`` are fields of
        RTL_USER_PROCESS_PARAMETERS by name, for those that differ from the usual."""
        self.image_path = image_path
        self.command_line = command_line
        self.current_directory = current_directory
        self.environment = environment
        self.dll_path = dll_path
        self.console_handle = console_handle
        self.standard_handles = standard_handles
        self.window_title = window_title or image_path
        self.desktop = desktop
        self.shell = shell
        self.runtime_data = runtime_data
        self.numbers = {"ShowWindowFlags": 1, **(numbers or {})}


def map_images(process: Process, image: ImageSection, ntdll: ImageSection) -> None:
    """Map ntdll and the program."""
    space = process.space
    if space.word == 4 and image.image.characteristics & FILE_LARGE_ADDRESS_AWARE:
        space.use_all_of_4_gib()
    ready, process.ready = process.ready, None
    region = ready.map_ntdll(ntdll) if ready is not None else ntdll.map(space, 0, 0, 0, 0)[0]
    process.ntdll_base = region.base
    connect_stubs(process, ntdll, region)
    gate = process.userland.ntdll_exports.get("__wine_unix_call_dispatcher")
    if gate is not None:
        space.poke(region, gate, UNIX_CALL_GATE.to_bytes(space.word, "little"))
    handle = process.userland.ntdll_exports.get("__wine_unixlib_handle")  # since Wine 9 ntdll does not ask for its own
    if handle is not None:
        space.poke(region, handle, NTDLL_UNIX_HANDLE.to_bytes(8, "little"))
    region, _ = image.map(space, 0, 0, 0, 0)
    process.image = image
    process.image_base = region.base
    process.image_region = region


def connect_stubs(process: Process, image: ImageSection, region: Region) -> None:
    """Make the system call stubs of a 32-bit userland DLL that has been mapped enter the kernel.

    64-bit stubs find the way behind KUSER_SHARED_DATA by themselves. Functions of win32u that would call its Unix half
    become stubs, too, and its clients find the table of GDI's handles.
    """
    slot = process.userland.dispatcher_slot(image.file_name) if process.space.word == 4 else 0
    if 0 < slot <= region.size - 4:
        process.space.poke(region, slot, process.engine.handoff.to_bytes(4, "little"))
    if os.path.basename(image.file_name) == "win32u.dll" and process.userland.owns(image.file_name):
        from lswd.kernel.gdi.handle_table import show_handles

        for number, rva, argument_bytes in process.userland.win32u_wrappers.values():
            process.space.poke(region, rva, _gate(number, process.space.word, argument_bytes))
        show_handles(process)


def fill_shared_data(process: Process, handoff: int) -> None:
    """KUSER_SHARED_DATA, and the pointer through which ntdll's stubs reach the hand-off at ``handoff``."""
    space = process.space
    region = space.find(SHARED_DATA)
    assert region is not None
    space.commit(region, SHARED_DATA, PAGE_SIZE, PAGE_READONLY)
    space.commit(region, HANDOFF_POINTER, PAGE_SIZE, PAGE_READONLY)
    view = space.raw(region)
    struct.pack_into("<Q", view, HANDOFF_POINTER - SHARED_DATA, handoff)
    gate = _gate(UNIX_CALL_NUMBER, space.word, 16)
    view[UNIX_CALL_GATE - SHARED_DATA : UNIX_CALL_GATE - SHARED_DATA + len(gate)] = gate
    windows = process.system.windows
    processors = os.cpu_count() or 1
    root = "C:\\windows".encode("utf-16-le")
    view[K.NtSystemRoot : K.NtSystemRoot + len(root)] = root
    for offset, form, value in (
        (K.TickCountMultiplier, "<I", 1 << 24),  # one tick is one millisecond
        (K.TimeZoneBias, "<Q", (_bias_seconds() * 10_000_000) & 0xFFFFFFFFFFFFFFFF),
        (K.ImageNumberLow, "<HH", (0x8664, 0x8664) if space.word == 8 else (0x14C, 0x14C)),
        (K.NtBuildNumber, "<I", windows.build),
        (K.NtProductType, "<I", 1),
        (K.ProductTypeIsValid, "<B", 1),
        (K.NativeProcessorArchitecture, "<H", 9 if space.word == 8 else 0),
        (K.NtMajorVersion, "<I", windows.major),
        (K.NtMinorVersion, "<I", windows.minor),
        (K.SuiteMask, "<I", 0x100),
        (K.NumberOfPhysicalPages, "<I", min(os.sysconf("SC_PHYS_PAGES"), 0xFFFFFFFF)),
        (K.QpcFrequency, "<Q", 10_000_000),
        (K.SystemCall, "<I", 1),
        (K.ActiveProcessorCount, "<I", processors),
        (K.ActiveGroupCount, "<B", 1),
        (K.ActiveConsoleId, "<I", 1),
    ):
        if isinstance(value, tuple):
            struct.pack_into(form, view, offset, *value)
        else:
            struct.pack_into(form, view, offset, value)
    # winnt.h PF_*: what the processors an engine offers have in common. Never AVX: see cpu.unicorn.
    for feature in (2, 3, 6, 8, 9, 10, 12, 13, 14, 17, 20, 22, 23, 28, 32, 36, 37, 38):
        view[K.ProcessorFeatures + feature] = 1
    process.clock = Clock(view[:PAGE_SIZE])


def _bias_seconds() -> int:
    """Seconds to add to local time to get UTC, now."""
    return -time.localtime().tm_gmtoff


def _pack_string(data: bytes, at: int) -> tuple[UNICODE_STRING, bytes]:
    data = data[:0xFFFC]
    padded = data + b"\0\0" + b"\0" * (-(len(data) + 2) % 8)
    return UNICODE_STRING(Length=len(data), MaximumLength=len(data) + 2, Buffer=at), padded


def write_parameters(process: Process, start: StartParameters) -> int:
    """RTL_USER_PROCESS_PARAMETERS with its strings behind it; returns its guest address."""
    space = process.space
    word = space.word
    head = RTL_USER_PROCESS_PARAMETERS.size(word)
    texts = {
        "CurrentDirectory": start.current_directory,
        "DllPath": start.dll_path,
        "ImagePathName": start.image_path,
        "CommandLine": start.command_line,
        "WindowTitle": start.window_title,
        "DesktopInfo": start.desktop,
        "ShellInfo": start.shell,
    }
    contents = {name: text.encode("utf-16-le", "surrogatepass") for name, text in texts.items()}
    contents["RuntimeData"] = start.runtime_data
    room = sum(len(data) + 16 for data in contents.values()) + _DIRECTORY_ROOM
    total = head + len(start.environment) + room
    region = space.reserve(0, total, PAGE_READWRITE, name="process parameters")
    space.commit(region, region.base, region.size, PAGE_READWRITE)
    base = region.base
    view = space.raw(region)
    at = head
    strings: dict[str, UNICODE_STRING] = {}
    for name, content in contents.items():
        if not content and name in ("DllPath", "RuntimeData"):
            strings[name] = UNICODE_STRING()  # ntdll takes a DllPath with a buffer as one to search, empty or not
            continue
        strings[name], data = _pack_string(content, base + at)
        if name == "RuntimeData":  # no text, so without a terminator
            strings[name].MaximumLength = strings[name].Length
        elif name == "CurrentDirectory":  # others are put there
            strings[name].MaximumLength = max(strings[name].MaximumLength, _DIRECTORY_ROOM)
            data = data.ljust(_DIRECTORY_ROOM, b"\0")
        view[at : at + len(data)] = data
        at += len(data)
    view[at : at + len(start.environment)] = start.environment
    environment_at = base + at
    directory = blocks.CURDIR(DosPath=strings.pop("CurrentDirectory"))
    stdin, stdout, stderr = start.standard_handles
    parameters = RTL_USER_PROCESS_PARAMETERS(
        AllocationSize=region.size,
        Size=at + len(start.environment),
        Flags=1,  # RTL_USER_PROCESS_PARAMETERS_NORMALIZED
        ConsoleHandle=start.console_handle,
        StandardInput=stdin,
        StandardOutput=stdout,
        StandardError=stderr,
        CurrentDirectory=directory,
        Environment=environment_at,
        EnvironmentSize=len(start.environment),
        **start.numbers,
        **strings,
    )
    view[:head] = parameters.pack(word)
    return base


def write_peb(process: Process, parameters: int) -> None:
    """Allocate and fill in the PEB."""
    space = process.space
    assert process.image is not None
    image = process.image.image
    windows = process.system.windows
    processors = os.cpu_count() or 1
    # Wine's ntdll keeps its debug channel options two pages behind the PEB; zeros mean none are set.
    region = space.reserve(0, 4 * PAGE_SIZE, PAGE_READWRITE, high=_TEB_AREA, top_down=True, name="PEB")
    space.commit(region, region.base, region.size, PAGE_READWRITE)
    process.peb = region.base
    peb = PEB(
        ImageBaseAddress=process.image_base,
        ProcessParameters=parameters,
        ApiSetMap=_map_api_sets(process),
        NumberOfProcessors=processors,
        CriticalSectionTimeout=-2592000 * 10_000_000,
        HeapSegmentReserve=image.heap_reserve or 0x100000,
        HeapSegmentCommit=image.heap_commit or 0x2000,
        HeapDeCommitTotalFreeThreshold=0x10000,
        HeapDeCommitFreeBlockThreshold=0x1000,
        OSMajorVersion=windows.major,
        OSMinorVersion=windows.minor,
        OSBuildNumber=windows.build,
        OSCSDVersion=windows.service_pack << 8,
        OSPlatformId=2,
        ImageSubsystem=image.subsystem,
        ImageSubsystemMajorVersion=image.subsystem_version[0],
        ImageSubsystemMinorVersion=image.subsystem_version[1],
        ActiveProcessAffinityMask=(1 << processors) - 1,
    )
    data = peb.pack(space.word)
    space.raw(region)[: len(data)] = data
    session_id = {8: 0x2C0, 4: 0x1D4}[space.word]  # PEB.SessionId
    struct.pack_into("<I", space.raw(region), session_id, 1)


def _map_api_sets(process: Process) -> int:
    """The API set schema, where the loader looks up which DLL stands behind ``api-ms-win-*``."""
    schema = process.userland.apiset_schema
    if not schema:
        return 0
    region = process.space.reserve(0, len(schema), PAGE_READONLY, name="ApiSetMap")
    process.space.commit(region, region.base, region.size, PAGE_READONLY)
    process.space.private.store(region.offset, schema)
    return region.base


def _write_teb(process: Process, tid: int, stack_base: int, stack_limit: int, stack_bottom: int) -> int:
    space = process.space
    word = space.word
    region = space.reserve(0, blocks.TEB_SIZE, PAGE_READWRITE, high=_TEB_AREA, top_down=True, name=f"TEB {tid:#x}")
    space.commit(region, region.base, blocks.TEB_SIZE, PAGE_READWRITE)
    at = region.base
    view = space.raw(region)
    teb = TEB(
        ExceptionList=(1 << 8 * word) - 1,  # the end of the chain; ntdll walks it on x64 too
        StackBase=stack_base,
        StackLimit=stack_limit,
        Self=at,
        UniqueProcess=process.pid,
        UniqueThread=tid,
        ProcessEnvironmentBlock=process.peb,
    ).pack(word)
    view[: len(teb)] = teb

    def pointer(offset: int, value: int) -> None:
        view[offset : offset + word] = value.to_bytes(word, "little")

    pointer(blocks.REAL_CLIENT_ID[word], process.pid)
    pointer(blocks.REAL_CLIENT_ID[word] + word, tid)
    pointer(blocks.DEALLOCATION_STACK[word], stack_bottom)
    if word == 4:
        pointer(blocks.WOW32_RESERVED, process.engine.handoff)  # some stubs of newer userlands go this way
    buffer = UNICODE_STRING(MaximumLength=blocks.STATIC_UNICODE_SIZE, Buffer=at + blocks.STATIC_UNICODE_BUFFER[word])
    static = blocks.STATIC_UNICODE_STRING[word]
    view[static : static + buffer.size(word)] = buffer.pack(word)
    # ACTIVATION_CONTEXT_STACK { ActiveFrame, FrameListCache, Flags, NextCookie, StackId }: an empty list.
    stack = blocks.ACTIVATION_CONTEXT_STACK_AT
    pointer(blocks.ACTIVATION_CONTEXT_STACK_POINTER[word], at + stack)
    pointer(stack + word, at + stack + word)
    pointer(stack + 2 * word, at + stack + word)
    return at


def new_thread(
    process: Process, start: int, parameter: int, *, stack_reserve: int = 0, stack_commit: int = 0
) -> Thread:
    """Create a thread that will run ``start(parameter)``; it does not run before the scheduler is told.

    Raises:
        NtError: STATUS_NO_MEMORY.
    """
    space = process.space
    assert process.image is not None and process.make_handler is not None
    image = process.image.image
    tid = process.system.new_id()
    stack = reserve_stack(space, max(stack_reserve or image.stack_reserve, stack_commit), f"stack {tid:#x}")
    teb = _write_teb(process, tid, stack.end, stack.base + PAGE_SIZE, stack.base)
    thread = Thread(process, tid, teb, stack)
    thread.start_address = start
    thread.stack_commit = stack_commit or image.stack_commit
    _enter_loader(process, thread, start, parameter)
    thread.handler = process.make_handler(thread)
    process.threads.append(thread)
    return thread


def _enter_loader(process: Process, thread: Thread, start: int, parameter: int) -> None:
    """LdrInitializeThunk(context, ntdll): it initialises, then continues at RtlUserThreadStart(start, parameter)."""
    space: AddressSpace = process.space
    assert thread.stack is not None
    top = thread.stack.end
    kind = context_type(space.word)
    context_at = (top - kind.size - 0x100) & -16
    thread.initial_context = context_at
    continue_at, enter_at = process.ntdll_export("RtlUserThreadStart"), process.ntdll_export("LdrInitializeThunk")
    if space.word == 8:
        begin = kind.user(rip=continue_at, rsp=top - 0x28, rcx=start, rdx=parameter)
        entry = kind.user(rip=enter_at, rsp=context_at - 0x28 & -16 | 8, rcx=context_at, rdx=process.ntdll_base)
    else:
        begin = kind.user(eip=continue_at, esp=top - 0x10, eax=start, ebx=parameter)
        entry = kind.user(eip=enter_at, esp=context_at - 0x20)
        space.write(entry.sp, struct.pack("<5I", 0, context_at, process.ntdll_base, 0, 0))
    space.write(context_at, bytes(begin.data))
    thread.cpu.set_context(entry)


def free_thread_memory(thread: Thread, *, keep_teb: bool = False) -> None:
    """Give back a dead thread's stack and TEB.

    Args:
        keep_teb: the thread was killed: ntdll has not taken its TEB off the lists it keeps of them.
    """
    space = thread.process.space
    for region in (thread.stack, None if keep_teb else space.find(thread.teb)):
        if region is not None and space.find(region.base) is region:
            space.unmap(region)


def open_ntdll(system: System, word: int = 8) -> ImageSection:
    """The userland's ntdll, which every process has mapped first.

    Raises:
        OSError, ImageError: it is not there any more, or no PE file. UserlandError: there is no 32-bit userland.
    """
    userland = system.userland if word == 8 else system.userland.i386
    return ImageSection.open(userland.dll("ntdll.dll") or "", "C:\\windows\\system32\\ntdll.dll", steady=True)


def create_process(process: Process, image: ImageSection, ntdll: ImageSection, start: StartParameters) -> Thread:
    """Everything up to the first instruction; returns the first thread."""
    map_images(process, image, ntdll)
    fill_shared_data(process, process.engine.handoff)
    parameters = write_parameters(process, start)
    write_peb(process, parameters)
    entry = process.image_base + image.image.entry_rva
    return new_thread(process, entry, process.peb)
