"""The headers of a PE file: read in one go, checked as NT checks them, and nothing else read.

``parse`` refuses what NtCreateSection(SEC_IMAGE) refuses; ``check_program`` refuses, with a reason, what is a sound
image and still no program for this version. Sources: Microsoft "PE Format"; what Windows accepts beyond its text is
noted in ``lswd.image.verify``.
"""

from __future__ import annotations

from struct import Struct, unpack_from

from lswd.image.errors import (
    BAD_ENTRY,
    BAD_HEADER,
    BAD_SIZE,
    DOTNET,
    DRIVER,
    EFI,
    NOT_EXECUTABLE,
    WRONG_MACHINE,
    WRONG_SUBSYSTEM,
    ImageError,
)
from lswd.image.formats import (
    AMD64,
    EFI_SUBSYSTEMS,
    I386,
    MACHINES,
    SUBSYSTEM_NATIVE,
    SUBSYSTEM_NATIVE_WINDOWS,
    SUBSYSTEM_WINDOWS_CUI,
    SUBSYSTEM_WINDOWS_GUI,
    SUBSYSTEMS,
    machine_name,
    not_mz,
    not_pe,
    truncated,
)
from lswd.image.verify import MAX_SECTIONS, verify

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.image.formats import Data

# Directory indices (IMAGE_DIRECTORY_ENTRY_*).
DIRECTORY_EXPORT = 0
DIRECTORY_IMPORT = 1
DIRECTORY_RESOURCE = 2
DIRECTORY_EXCEPTION = 3
DIRECTORY_BASERELOC = 5
DIRECTORY_TLS = 9
DIRECTORY_LOAD_CONFIG = 10
DIRECTORY_DELAY_IMPORT = 13
DIRECTORY_COM_DESCRIPTOR = 14
DIRECTORIES = 16

# Image.characteristics (IMAGE_FILE_*).
FILE_RELOCS_STRIPPED = 0x0001
FILE_EXECUTABLE_IMAGE = 0x0002
FILE_LARGE_ADDRESS_AWARE = 0x0020
FILE_DLL = 0x2000

# Image.dll_characteristics (IMAGE_DLLCHARACTERISTICS_*).
DLL_HIGH_ENTROPY_VA = 0x0020
DLL_DYNAMIC_BASE = 0x0040

COMIMAGE_FLAGS_ILONLY = 0x1

MAX_THREAD_DATA = 1 << 28  # ours: far more than a program wants for each of its threads

_FILE_HEADER = Struct("<IHHIIIHH")
_OPTIONAL_32 = Struct("<HBBIIIIIIIIIHHHHHHIIIIHHIIIIII")
_OPTIONAL_64 = Struct("<HBBIIIIIQIIHHHHHHIIIIHHQQQQII")
_SECTION = Struct("<8sIIII12xI")
_DIRECTORY = Struct("<II")
_COR20 = Struct("<IHHIII")
_TLS_32 = Struct("<4II4x")
_TLS_64 = Struct("<4QI4x")
_PE_SIGNATURE = 0x00004550


class Section:
    """One row of the section table, as the file has it."""

    __slots__ = ("characteristics", "name", "raw_offset", "raw_size", "virtual_address", "virtual_size")

    def __init__(
        self, name: str, virtual_size: int, virtual_address: int, raw_size: int, raw_offset: int, characteristics: int
    ) -> None:
        self.name = name
        self.virtual_size = virtual_size
        self.virtual_address = virtual_address
        self.raw_size = raw_size
        self.raw_offset = raw_offset
        self.characteristics = characteristics

    def __repr__(self) -> str:
        return f"<Section {self.name!r} rva {self.virtual_address:#x}+{self.virtual_size:#x}>"


class Image:
    """What the headers of a PE file say.

    ``directories`` always has 16 ``(rva, size)`` pairs. ``clr`` is ``(major, minor, flags)`` of the .NET header, or
    None for an image without a readable one. ``flat`` images (section alignment below a page) are mapped as the file
    lies. ``thread_data`` is how many bytes its TLS directory wants for each thread.
    """

    __slots__ = (
        "characteristics",
        "checksum",
        "clr",
        "directories",
        "dll_characteristics",
        "entry_rva",
        "file_alignment",
        "file_size",
        "flat",
        "heap_commit",
        "heap_reserve",
        "image_base",
        "is_64bit",
        "loader_flags",
        "machine",
        "name",
        "number_of_rva_and_sizes",
        "os_version",
        "section_alignment",
        "sections",
        "size_of_code",
        "size_of_headers",
        "size_of_image",
        "stack_commit",
        "stack_reserve",
        "subsystem",
        "subsystem_version",
        "thread_data",
        "timestamp",
    )

    name: str
    machine: int
    is_64bit: bool
    characteristics: int
    dll_characteristics: int
    image_base: int
    entry_rva: int
    size_of_code: int
    size_of_image: int
    size_of_headers: int
    section_alignment: int
    file_alignment: int
    subsystem: int
    subsystem_version: tuple[int, int]
    os_version: tuple[int, int]
    checksum: int
    timestamp: int
    stack_reserve: int
    stack_commit: int
    heap_reserve: int
    heap_commit: int
    loader_flags: int
    number_of_rva_and_sizes: int
    directories: list[tuple[int, int]]
    sections: list[Section]
    file_size: int
    flat: bool
    clr: tuple[int, int, int] | None
    thread_data: int

    def __repr__(self) -> str:
        return f"<Image {self.name!r} {machine_name(self.machine)} {self.size_of_image:#x} bytes>"


def parse(data: Data, name: str) -> Image:
    """Read and check the headers of the PE file ``data``.

    Args:
        data: the whole file; only its headers are touched. (A mapped file that somebody truncates kills the process
            that touches it: map or read what cannot shrink.)
        name: what to call the file in errors.

    Raises:
        ImageError: it is not a PE file, or one that NT would not map. ``status`` is NT's.
    """
    size = len(data)
    if size < 2 or data[0] != 0x4D or data[1] != 0x5A:
        raise not_mz(data, name)
    at = unpack_from("<I", data, 0x3C)[0] if size >= 0x40 else size
    if at + _FILE_HEADER.size > size or unpack_from("<I", data, at)[0] != _PE_SIGNATURE:
        raise not_pe(data, size, name)
    if at & 3:
        raise ImageError(BAD_HEADER, f"damaged: its PE header is at the odd place {at:#x}", name=name)
    _, machine, section_count, timestamp, _, _, optional_size, characteristics = _FILE_HEADER.unpack_from(data, at)
    at += _FILE_HEADER.size

    known = MACHINES.get(machine)
    if known is None:
        raise ImageError(
            WRONG_MACHINE, f"a program for a machine {machine_name(machine)}", hint="get the x86-64 build", name=name
        )
    bits = known[1]
    layout = _OPTIONAL_64 if bits == 64 else _OPTIONAL_32
    magic = unpack_from("<H", data, at)[0] if at + 2 <= size else 0
    if at + layout.size > size:
        raise truncated("it ends within its PE header", name)
    if magic != (0x20B if bits == 64 else 0x10B):
        raise ImageError(
            BAD_HEADER,
            f"damaged: machine type {machine_name(machine)} with an optional header of type {magic:#x}",
            name=name,
        )

    image = Image()
    image.name = name
    image.file_size = size
    image.machine = machine
    image.timestamp = timestamp
    image.characteristics = characteristics
    image.is_64bit = bits == 64
    header = layout.unpack_from(data, at)
    if bits == 32:  # BaseOfData stands before ImageBase there, and nowhere else
        header = header[:8] + header[9:]
    image.size_of_code = header[3]
    image.entry_rva = header[6]
    image.image_base = header[8]
    image.section_alignment = header[9]
    image.file_alignment = header[10]
    image.os_version = header[11:13]
    image.subsystem_version = header[15:17]
    (
        image.size_of_image,
        image.size_of_headers,
        image.checksum,
        image.subsystem,
        image.dll_characteristics,
        image.stack_reserve,
        image.stack_commit,
        image.heap_reserve,
        image.heap_commit,
        image.loader_flags,
        count,
    ) = header[18:]
    image.number_of_rva_and_sizes = count
    image.flat = image.section_alignment < 0x1000

    start = at + layout.size
    count = min(count, DIRECTORIES, (size - start) // 8)
    directories: list[tuple[int, int]] = list(_DIRECTORY.iter_unpack(data[start : start + 8 * count]))
    if count < DIRECTORIES:
        directories += [(0, 0)] * (DIRECTORIES - count)
    image.directories = directories

    # SizeOfOptionalHeader only says where the section table is; it need not be that header's size.
    start = at + optional_size
    if section_count > MAX_SECTIONS:
        raise ImageError(
            BAD_HEADER, f"damaged: {section_count} sections, at most {MAX_SECTIONS} are allowed", name=name
        )
    if start + section_count * _SECTION.size > size:
        raise truncated("it ends within its section table", name)
    image.sections = [
        Section(label.rstrip(b"\0").decode("latin-1"), *numbers)
        for label, *numbers in _SECTION.iter_unpack(data[start : start + section_count * _SECTION.size])
    ]
    verify(image)
    image.clr = _clr_header(data, image) if directories[DIRECTORY_COM_DESCRIPTOR][0] else None
    image.thread_data = _thread_data(data, image) if directories[DIRECTORY_TLS][0] else 0
    return image


def _thread_data(data: Data, image: Image) -> int:
    """Bytes that the TLS directory (IMAGE_TLS_DIRECTORY) has the loader allocate for each thread; 0 if unreadable."""
    from lswd.image.rva import OnDisk

    layout = _TLS_64 if image.is_64bit else _TLS_32
    try:
        header = OnDisk(data, image).read(image.directories[DIRECTORY_TLS][0], layout.size)
    except ImageError:
        return 0
    start, end, _, _, zeros = layout.unpack(header)
    size: int = (end - start) % (1 << 64 if image.is_64bit else 1 << 32) + zeros
    return size


def _clr_header(data: Data, image: Image) -> tuple[int, int, int] | None:
    """Version and flags of the .NET header (IMAGE_COR20_HEADER). One that cannot be read is as good as none."""
    from lswd.image.rva import OnDisk

    rva, size = image.directories[DIRECTORY_COM_DESCRIPTOR]
    if size < _COR20.size:
        return None
    try:
        header = OnDisk(data, image).read(rva, _COR20.size)
    except ImageError:
        return None
    _, major, minor, _, _, flags = _COR20.unpack(header)
    return major, minor, flags


def check_machine(image: Image) -> None:
    """Refuse an image whose code this kernel could not run at all (NT: NtCreateSection, NtMapViewOfSection).

    Raises:
        ImageError: WRONG_MACHINE, naming the machine.
    """
    if image.machine not in (AMD64, I386):
        raise ImageError(
            WRONG_MACHINE,
            f"a program for {machine_name(image.machine)} processors",
            hint="get the x86-64 (amd64, x64) build of it",
            name=image.name,
        )


def check_program(image: Image) -> None:
    """Refuse an image that is sound, but cannot be launched as a program.

    Raises:
        ImageError: DOTNET, WRONG_MACHINE, EFI, DRIVER, NOT_EXECUTABLE (a DLL), WRONG_SUBSYSTEM, BAD_SIZE (of its
            TLS data) or BAD_ENTRY, with a hint at what to do.
    """
    name = image.name
    if image.clr is not None:
        if image.clr[2] & COMIMAGE_FLAGS_ILONLY:
            what = "a .NET assembly: it holds no processor code"
        else:
            what = "a .NET assembly mixed with processor code (C++/CLI)"
        raise ImageError(DOTNET, what, hint="run it with dotnet or mono", name=name)
    check_machine(image)
    if image.subsystem in EFI_SUBSYSTEMS:
        raise ImageError(EFI, "an EFI program: firmware runs it, not Windows", name=name)
    if image.subsystem in (SUBSYSTEM_NATIVE, SUBSYSTEM_NATIVE_WINDOWS):
        raise ImageError(
            DRIVER,
            "a driver or a program of the boot phase (native subsystem)",
            hint="drivers cannot run here; launch the program that uses it",
            name=name,
        )
    if image.characteristics & FILE_DLL:
        raise ImageError(NOT_EXECUTABLE, "a DLL, not a program", hint="launch the program that uses it", name=name)
    if image.subsystem not in (SUBSYSTEM_WINDOWS_GUI, SUBSYSTEM_WINDOWS_CUI):
        what = SUBSYSTEMS.get(image.subsystem, f"the unknown subsystem {image.subsystem}")
        raise ImageError(
            WRONG_SUBSYSTEM, f"a program for {what}", hint="only Windows console and GUI programs can run", name=name
        )
    if image.thread_data > MAX_THREAD_DATA:
        raise ImageError(
            BAD_SIZE,
            f"damaged: it asks for {image.thread_data:#x} bytes for each thread (its TLS directory)",
            hint="download or build it again",
            name=name,
        )
    if image.entry_rva >= image.size_of_image:
        raise ImageError(
            BAD_ENTRY,
            f"damaged: its entry point {image.entry_rva:#x} lies outside of it",
            hint="download or build it again",
            name=name,
        )
