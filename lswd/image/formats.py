"""Naming things: the machines and subsystems of PE files, and the files that are no PE at all.

Sources: Microsoft "PE Format" (machine types, Windows subsystem); the first bytes of other formats from their own
specifications; the NE and MZ header fields from Microsoft's "Executable-File Header Format" (KB65260).
"""

from __future__ import annotations

from struct import unpack_from

from lswd.image.errors import DOS_PROGRAM, NOT_PE, TRUNCATED, ImageError
from lswd.ntdef.status import (
    STATUS_INVALID_IMAGE_FORMAT,
    STATUS_INVALID_IMAGE_LE_FORMAT,
    STATUS_INVALID_IMAGE_NE_FORMAT,
    STATUS_INVALID_IMAGE_NOT_MZ,
    STATUS_INVALID_IMAGE_PROTECT,
    STATUS_INVALID_IMAGE_WIN_16,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    import mmap

    Data = bytes | bytearray | memoryview | mmap.mmap

I386 = 0x014C
AMD64 = 0x8664

# Machine -> (name, bits of its PE format).
MACHINES = {
    I386: ("x86 (32-bit)", 32),
    AMD64: ("x86-64", 64),
    0x0160: ("MIPS", 32),
    0x0162: ("MIPS", 32),
    0x0166: ("MIPS", 32),
    0x0168: ("MIPS", 32),
    0x0169: ("MIPS", 32),
    0x0184: ("Alpha", 32),
    0x01A2: ("SuperH", 32),
    0x01A3: ("SuperH", 32),
    0x01A6: ("SuperH", 32),
    0x01A8: ("SuperH", 32),
    0x01C0: ("ARM", 32),
    0x01C2: ("ARM (Thumb)", 32),
    0x01C4: ("ARM (32-bit)", 32),
    0x01F0: ("PowerPC", 32),
    0x01F1: ("PowerPC", 32),
    0x01F2: ("PowerPC (Xbox 360)", 32),
    0x0200: ("Itanium (IA64)", 64),
    0x0266: ("MIPS", 32),
    0x0284: ("Alpha (64-bit)", 64),
    0x0366: ("MIPS", 32),
    0x0466: ("MIPS", 32),
    0x0EBC: ("EFI byte code", 64),
    0x5032: ("RISC-V (32-bit)", 32),
    0x5064: ("RISC-V (64-bit)", 64),
    0x5128: ("RISC-V (128-bit)", 64),
    0x6232: ("LoongArch (32-bit)", 32),
    0x6264: ("LoongArch (64-bit)", 64),
    0xA641: ("ARM64EC", 64),
    0xA64E: ("ARM64X", 64),
    0xAA64: ("ARM64", 64),
}

SUBSYSTEM_NATIVE = 1
SUBSYSTEM_WINDOWS_GUI = 2
SUBSYSTEM_WINDOWS_CUI = 3
SUBSYSTEM_NATIVE_WINDOWS = 8
EFI_SUBSYSTEMS = (10, 11, 12, 13)
SUBSYSTEMS = {
    0: "no subsystem",
    5: "OS/2",
    7: "POSIX",
    9: "Windows CE",
    14: "Xbox",
    16: "Windows boot application",
    17: "Xbox",
}

# How a file begins -> what it is. Longer beginnings first.
_BEGINNINGS = (
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an installer package (.msi) or an old Office document"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"\x7fELF", "a Linux program (ELF)"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"MSCF", "a cabinet archive (.cab)"),
    (b"Rar!", "a RAR archive"),
    (b"%PDF", "a PDF document"),
    (b"\xca\xfe\xba\xbe", "a macOS program or a Java class"),
    (b"\xcf\xfa\xed\xfe", "a macOS program"),
    (b"\xce\xfa\xed\xfe", "a macOS program"),
    (b"\x4c\x00\x00\x00\x01\x14\x02\x00", "a Windows shortcut (.lnk)"),
    (b"\x1f\x8b", "a gzip file"),
    (b"#!", "a script"),
)
_BATCH = (".bat", ".cmd")
_OS2_TARGETS = {1: "OS/2", 2: "16-bit Windows", 3: "16-bit DOS", 4: "16-bit Windows", 5: "16-bit DOS"}


def machine_name(machine: int) -> str:
    """A machine type in words."""
    known = MACHINES.get(machine)
    return known[0] if known else f"of unknown type 0x{machine:04x}"


def not_mz(data: Data, name: str) -> ImageError:
    """The error for a file that does not begin with MZ."""
    head = bytes(data[:16])
    hint = "only Windows programs (.exe) can be launched"
    if not head:
        reason, hint = "the file is empty", "download or build it again"
    else:
        for beginning, what in _BEGINNINGS:
            if head.startswith(beginning):
                reason = f"not a Windows program: it is {what}"
                break
        else:
            if name.lower().endswith(_BATCH):
                reason, hint = "not a Windows program: it is a batch script", "launch cmd.exe with /c and the script"
            else:
                reason = "not a Windows program: it does not begin with MZ"
    return ImageError(NOT_PE, reason, status=STATUS_INVALID_IMAGE_NOT_MZ, hint=hint, name=name)


def not_pe(data: Data, size: int, name: str) -> ImageError:
    """The error for an MZ file of ``size`` bytes without a PE signature: a program for something older, or damage.

    Statuses as Windows gives them: the signature decides, and for NE the target system in it (byte 0x36).
    """
    relocations_at = unpack_from("<H", data, 0x18)[0] if size >= 0x1A else 0
    header_at = unpack_from("<I", data, 0x3C)[0] if size >= 0x40 else 0
    # A linker for anything newer than DOS puts the DOS relocation table at 0x40, behind the pointer to its header.
    newer_than_dos = relocations_at >= 0x40
    signature = bytes(data[header_at : header_at + 2]) if header_at + 2 <= size else b""
    hint = "programs for DOS and 16-bit Windows run in DOSBox"

    if signature == b"NE":
        target = data[header_at + 0x36] if header_at + 0x36 < size else 0
        status = {2: STATUS_INVALID_IMAGE_WIN_16, 5: STATUS_INVALID_IMAGE_PROTECT}.get(
            target, STATUS_INVALID_IMAGE_NE_FORMAT
        )
        what = _OS2_TARGETS.get(target, "16-bit Windows or OS/2")
        return ImageError(DOS_PROGRAM, f"a program for {what} (NE format)", status=status, hint=hint, name=name)
    if signature in (b"LE", b"LX"):
        return ImageError(
            DOS_PROGRAM,
            f"a program for DOS, OS/2 or Windows 9x ({signature.decode()} format)",
            status=STATUS_INVALID_IMAGE_LE_FORMAT,
            hint=hint,
            name=name,
        )
    if not newer_than_dos and size >= 0x20:
        return ImageError(
            DOS_PROGRAM, "a 16-bit DOS program", status=STATUS_INVALID_IMAGE_PROTECT, hint=hint, name=name
        )
    if size < 0x40 or header_at + 4 > size:
        detail = f"its PE header should be at byte {header_at:#x}, and it has {size:#x} bytes"
        return truncated(detail, name, STATUS_INVALID_IMAGE_PROTECT)
    return ImageError(
        NOT_PE,
        f"not a Windows program: no PE signature at byte {header_at:#x}",
        status=STATUS_INVALID_IMAGE_PROTECT,
        hint="it is damaged, or made for another system",
        name=name,
    )


def truncated(detail: str, name: str, status: int = STATUS_INVALID_IMAGE_FORMAT) -> ImageError:
    """The error for a file that ends before what its headers promise."""
    reason = f"the file is truncated: {detail}"
    return ImageError(TRUNCATED, reason, status=status, hint="download or copy it again", name=name)
