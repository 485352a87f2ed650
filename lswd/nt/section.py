"""Section objects: NtCreateSection, NtMapViewOfSection and their kin.

Source: Microsoft "NtCreateSection", "NtMapViewOfSection", "NtQuerySection"; SECTION_IMAGE_INFORMATION from ntdll's
public symbols.
"""

from __future__ import annotations

import os

from lswd.image.errors import ImageError
from lswd.image.pe import Image
from lswd.kernel.debug_object import stay
from lswd.kernel.file import FileObject
from lswd.kernel.process import PROCESS_VM_OPERATION, Process
from lswd.kernel.section import (
    SEC_COMMIT,
    SEC_FILE,
    SEC_IMAGE,
    SEC_RESERVE,
    SECTION_ALL_ACCESS,
    SECTION_MAP_EXECUTE,
    SECTION_MAP_READ,
    SECTION_MAP_WRITE,
    SECTION_QUERY,
    FileSection,
    ImageSection,
    Section,
)
from lswd.kernel.start import connect_stubs
from lswd.memory.placeholder import (
    MEM_PRESERVE_PLACEHOLDER,
    MEM_REPLACE_PLACEHOLDER,
    fill,
    leave,
    reserve_placeholder,
)
from lswd.memory.protection import GRANULARITY, PAGE_SIZE, encode
from lswd.memory.region import MEM_IMAGE, MEM_MAPPED, MEM_TOP_DOWN
from lswd.nt.declare import Call, Handle, InOut, ObjectAttributes, Out, syscall
from lswd.nt.named_object import create_object, open_object
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_COMMITMENT_LIMIT,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_FILE_FOR_SECTION,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PAGE_PROTECTION,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PARAMETER_4,
    STATUS_INVALID_PARAMETER_9,
    STATUS_INVALID_VIEW_SIZE,
    STATUS_MAPPED_ALIGNMENT,
    STATUS_MAPPED_FILE_SIZE_ZERO,
    STATUS_NO_MEMORY,
    STATUS_NOT_MAPPED_VIEW,
    STATUS_NOT_SAME_DEVICE,
    STATUS_SECTION_NOT_IMAGE,
    STATUS_SECTION_PROTECTION,
    STATUS_SECTION_TOO_BIG,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import (
    ACCESS_MASK,
    HANDLE,
    LARGE_INTEGER,
    NTSTATUS,
    PVOID,
    SIZE_T,
    UCHAR,
    ULONG,
    ULONG_PTR,
    USHORT,
    Struct,
)

SectionBasicInformation = 0
SectionImageInformation = 1

_WRITABLE = (0x04, 0x40)
_VIEW_ACCESS = {  # a view's PAGE_* to the rights its section must have been opened with
    0x01: SECTION_MAP_READ,
    0x02: SECTION_MAP_READ,
    0x04: SECTION_MAP_WRITE,
    0x08: SECTION_MAP_READ,
    0x10: SECTION_MAP_EXECUTE,
    0x20: SECTION_MAP_READ | SECTION_MAP_EXECUTE,
    0x40: SECTION_MAP_WRITE | SECTION_MAP_EXECUTE,
    0x80: SECTION_MAP_READ | SECTION_MAP_EXECUTE,
}


class SECTION_BASIC_INFORMATION(Struct):
    BaseAddress: PVOID
    Attributes: ULONG
    Size: LARGE_INTEGER


class SECTION_IMAGE_INFORMATION(Struct):
    TransferAddress: PVOID
    ZeroBits: ULONG
    MaximumStackSize: SIZE_T
    CommittedStackSize: SIZE_T
    SubSystemType: ULONG
    SubSystemMinorVersion: USHORT
    SubSystemMajorVersion: USHORT
    MajorOperatingSystemVersion: USHORT
    MinorOperatingSystemVersion: USHORT
    ImageCharacteristics: USHORT
    DllCharacteristics: USHORT
    Machine: USHORT
    ImageContainsCode: UCHAR
    ImageFlags: UCHAR
    LoaderFlags: ULONG
    ImageFileSize: ULONG
    CheckSum: ULONG


def image_information(image: Image) -> SECTION_IMAGE_INFORMATION:
    """What NtQuerySection and NtQueryInformationProcess say of an image."""
    return SECTION_IMAGE_INFORMATION(
        TransferAddress=image.image_base + image.entry_rva if image.entry_rva else 0,
        MaximumStackSize=image.stack_reserve or 0x100000,
        CommittedStackSize=image.stack_commit or 0x1000,
        SubSystemType=image.subsystem,
        SubSystemMinorVersion=image.subsystem_version[1],
        SubSystemMajorVersion=image.subsystem_version[0],
        MajorOperatingSystemVersion=image.os_version[0],
        MinorOperatingSystemVersion=image.os_version[1],
        ImageCharacteristics=image.characteristics,
        DllCharacteristics=image.dll_characteristics,
        Machine=image.machine,
        ImageContainsCode=1,
        LoaderFlags=image.loader_flags,
        ImageFileSize=image.file_size,
        CheckSum=image.checksum,
    )


def _anonymous(process: Process, size: int, protect: int, attributes: int) -> Section:
    """A section backed by the page file."""
    job = process.job
    if job is None:
        return FileSection.anonymous(size, protect, attributes)
    if not attributes & SEC_RESERVE and not job.check_memory(process, size):
        raise NtError(STATUS_COMMITMENT_LIMIT)
    section = FileSection.anonymous(size, protect, attributes)
    job.note_section(section)
    return section


def _create(call: Call, size: int, protect: int, attributes: int, file: FileObject | None) -> Section:
    if encode(protect) < 0 or not protect & 0xFE:
        raise NtError(STATUS_INVALID_PAGE_PROTECTION)
    if attributes & SEC_IMAGE:
        if file is None:
            raise NtError(STATUS_INVALID_FILE_FOR_SECTION)
        try:
            path = file.host_path
            steady = call.process.userland.owns(path)
            return ImageSection.from_fd(file.section_fd(), path, file.dos_path, steady=steady)
        except ImageError as error:
            raise NtError(error.status) from None
    if file is None:
        if size <= 0:
            raise NtError(STATUS_INVALID_PARAMETER_4)
        return _anonymous(call.process, size, protect, attributes or SEC_COMMIT)
    writable = protect & 0xFF in _WRITABLE
    if writable and not file.granted_write:
        raise NtError(STATUS_ACCESS_DENIED)
    fd = file.section_fd()
    length = os.fstat(fd).st_size
    if size > length:
        if not writable:
            os.close(fd)
            raise NtError(STATUS_SECTION_TOO_BIG)
        os.ftruncate(fd, size)
    if not (size or length):
        os.close(fd)
        raise NtError(STATUS_MAPPED_FILE_SIZE_ZERO)
    return FileSection(fd, size or length, protect, SEC_FILE, name=file.dos_path)


@syscall
def NtCreateSection(
    call: Call,
    SectionHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
    MaximumSize: PVOID,
    SectionPageProtection: ULONG,
    AllocationAttributes: ULONG,
    FileHandle: Handle[FileObject] | None,
) -> NTSTATUS:
    size = call.space.read_u64(MaximumSize) if MaximumSize else 0
    if size >> 63:
        return STATUS_SECTION_TOO_BIG
    if FileHandle is not None and FileHandle.is_directory:
        return STATUS_FILE_IS_A_DIRECTORY
    try:
        return create_object(
            call,
            SectionHandle,
            ObjectAttributes,
            DesiredAccess,
            Section,
            lambda: _create(call, size, SectionPageProtection, AllocationAttributes, FileHandle),
        )
    except OSError:
        return STATUS_NO_MEMORY


@syscall
def NtOpenSection(
    call: Call, SectionHandle: Out[HANDLE], DesiredAccess: ACCESS_MASK, ObjectAttributes: ObjectAttributes
) -> NTSTATUS:
    return open_object(call, SectionHandle, ObjectAttributes, DesiredAccess, Section)


def _map(
    call: Call, section: Section, process: Process, base: InOut[PVOID], offset: int, size: InOut[SIZE_T], kind: int,
    protect: int, high: int,
) -> int:  # fmt: skip
    space = process.living_space()
    address = base.value
    replace = bool(kind & MEM_REPLACE_PLACEHOLDER)
    if encode(protect) < 0:
        return STATUS_INVALID_PAGE_PROTECTION
    granularity = PAGE_SIZE if replace else GRANULARITY
    if address % granularity or offset % granularity:
        return STATUS_MAPPED_ALIGNMENT
    if section.attributes & SEC_IMAGE == 0:
        wanted = size.value or section.size - offset
        if offset + wanted > (section.size + 0xFFF) & -0x1000 or wanted <= 0:
            return STATUS_INVALID_VIEW_SIZE
        if protect & 0xFF in _WRITABLE and section.protect & 0xFF not in _WRITABLE:
            return STATUS_SECTION_PROTECTION
    if replace:
        fill(space, address, size.value)
    try:
        region, status = section.map(
            space, address, offset, size.value, protect, high=high, top_down=bool(kind & MEM_TOP_DOWN)
        )
    except NtError:
        if replace:
            reserve_placeholder(space, address, size.value)
        raise
    if isinstance(section, ImageSection):
        connect_stubs(process, section, region)
    base.set(region.base)
    size.set(region.size)
    if process.debugger is not None and region.kind == MEM_IMAGE and process is call.process:
        process.debugger.image_mapped(call.thread, region)
        stay(call.thread, status)
    return status


def _section(call: Call, handle: int, protect: int) -> Section:
    """The section, if its handle was opened for views of this protection."""
    access = _VIEW_ACCESS.get(protect & 0xFF)
    if access is None:
        raise NtError(STATUS_INVALID_PAGE_PROTECTION)
    section = call.process.handles.get(handle, Section, access)
    assert isinstance(section, Section)
    return section


@syscall(
    partial="a copy-on-write view of a file is copied when it is mapped, not when it is written to",
    access={"ProcessHandle": PROCESS_VM_OPERATION},
)
def NtMapViewOfSection(
    call: Call,
    SectionHandle: HANDLE,
    ProcessHandle: Handle[Process],
    BaseAddress: InOut[PVOID],
    ZeroBits: ULONG_PTR,
    CommitSize: SIZE_T,
    SectionOffset: InOut[LARGE_INTEGER] | None,
    ViewSize: InOut[SIZE_T],
    InheritDisposition: ULONG,
    AllocationType: ULONG,
    Win32Protect: ULONG,
) -> NTSTATUS:
    high = 0
    if ZeroBits:
        high = (1 << ZeroBits.bit_length()) - 1 if ZeroBits >= 32 else (1 << max(32 - ZeroBits, 16)) - 1
    offset = SectionOffset.value if SectionOffset is not None else 0
    section = _section(call, SectionHandle, Win32Protect)
    return _map(call, section, ProcessHandle, BaseAddress, offset, ViewSize, AllocationType, Win32Protect, high)


@syscall(
    partial="extended parameters are refused; copy-on-write views are copied when they are mapped",
    access={"ProcessHandle": PROCESS_VM_OPERATION},
)
def NtMapViewOfSectionEx(
    call: Call,
    SectionHandle: HANDLE,
    ProcessHandle: Handle[Process],
    BaseAddress: InOut[PVOID],
    SectionOffset: InOut[LARGE_INTEGER] | None,
    ViewSize: InOut[SIZE_T],
    AllocationType: ULONG,
    Win32Protect: ULONG,
    ExtendedParameters: PVOID,
    ExtendedParameterCount: ULONG,
) -> NTSTATUS:
    if ExtendedParameterCount:
        return STATUS_INVALID_PARAMETER_9
    offset = SectionOffset.value if SectionOffset is not None else 0
    section = _section(call, SectionHandle, Win32Protect)
    return _map(call, section, ProcessHandle, BaseAddress, offset, ViewSize, AllocationType, Win32Protect, 0)


def _unmap(call: Call, process: Process, address: int, *, preserve: bool = False) -> int:
    space = process.living_space()
    region = space.find(address)
    if region is None or region.kind not in (MEM_MAPPED, MEM_IMAGE):
        return STATUS_NOT_MAPPED_VIEW
    if preserve:
        leave(space, region)
    else:
        space.unmap(region)
    process.settle_memory(call.process)
    if process.debugger is not None and region.kind == MEM_IMAGE and process is call.process:
        process.debugger.image_unmapped(call.thread, region)
        stay(call.thread, STATUS_SUCCESS)
    return STATUS_SUCCESS


@syscall(access={"ProcessHandle": PROCESS_VM_OPERATION})
def NtUnmapViewOfSection(call: Call, ProcessHandle: Handle[Process], BaseAddress: PVOID) -> NTSTATUS:
    return _unmap(call, ProcessHandle, BaseAddress)


@syscall(access={"ProcessHandle": PROCESS_VM_OPERATION})
def NtUnmapViewOfSectionEx(
    call: Call, ProcessHandle: Handle[Process], BaseAddress: PVOID, Flags: ULONG
) -> NTSTATUS:
    if Flags & ~(1 | MEM_PRESERVE_PLACEHOLDER):  # the other: MEM_UNMAP_WITH_TRANSIENT_BOOST, a hint
        return STATUS_INVALID_PARAMETER
    return _unmap(call, ProcessHandle, BaseAddress, preserve=bool(Flags & MEM_PRESERVE_PLACEHOLDER))


@syscall(access={"SectionHandle": SECTION_QUERY})
def NtQuerySection(
    call: Call,
    SectionHandle: Handle[Section],
    SectionInformationClass: ULONG,
    SectionInformation: PVOID,
    SectionInformationLength: SIZE_T,
    ReturnLength: Out[SIZE_T] | None,
) -> NTSTATUS:
    if SectionInformationClass == SectionBasicInformation:
        data = SECTION_BASIC_INFORMATION(Attributes=SectionHandle.attributes, Size=SectionHandle.size).pack(call.word)
    elif SectionInformationClass == SectionImageInformation:
        if not isinstance(SectionHandle, ImageSection):
            return STATUS_SECTION_NOT_IMAGE
        data = image_information(SectionHandle.image).pack(call.word)
    else:
        return STATUS_INVALID_INFO_CLASS
    if SectionInformationLength < len(data):
        return STATUS_INFO_LENGTH_MISMATCH
    call.space.write(SectionInformation, data)
    if ReturnLength is not None:
        ReturnLength.set(len(data))
    return STATUS_SUCCESS


@syscall
def NtExtendSection(call: Call, SectionHandle: Handle[Section], NewSectionSize: InOut[LARGE_INTEGER]) -> NTSTATUS:
    section = SectionHandle
    if not isinstance(section, FileSection) or not section.attributes & SEC_FILE:
        return STATUS_INVALID_PARAMETER
    if NewSectionSize.value > section.size:
        try:
            os.ftruncate(section.fd, NewSectionSize.value)
        except OSError:
            return STATUS_ACCESS_DENIED
        section.size = NewSectionSize.value
    NewSectionSize.set(section.size)
    return STATUS_SUCCESS


@syscall
def NtAreMappedFilesTheSame(call: Call, Address1: PVOID, Address2: PVOID) -> NTSTATUS:
    first, second = call.space.find(Address1), call.space.find(Address2)
    if first is None or second is None or first.source is None or second.source is None:
        return STATUS_NOT_MAPPED_VIEW
    return STATUS_SUCCESS if first.name.upper() == second.name.upper() else STATUS_NOT_SAME_DEVICE


__all__ = ["SECTION_ALL_ACCESS", "SECTION_MAP_READ", "SECTION_MAP_WRITE", "SEC_RESERVE", "image_information"]
