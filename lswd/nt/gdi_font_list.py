"""Which fonts there are.

Source: Microsoft "EnumFontFamiliesEx", "ENUMLOGFONTEX", "NEWTEXTMETRICEX", "FONTSIGNATURE"; how gdi32 has it: Wine,
dlls/win32u/font.c, struct font_enum_entry.
"""

from __future__ import annotations

import struct

from lswd.host.freetype import FreeTypeError
from lswd.kernel.gdi.fonts import FontFile, Metrics, fonts
from lswd.kernel.gdi.stock import logical_font
from lswd.nt.declare import Call, InOut, decode_wide, encode_wide, syscall
from lswd.nt.gdi_lookup import context
from lswd.nt.gdi_text import text_metrics
from lswd.nt.user_failure import ERROR_NOT_SUPPORTED, failed
from lswd.ntdef.types import BOOL, HANDLE, PVOID, ULONG

# The charset of each bit of a font's code pages; gdi32 makes the bit's number the script's name.
_SCRIPTS = {
    0: 0, 1: 238, 2: 204, 3: 161, 4: 162, 5: 177, 6: 178, 7: 186, 8: 163, 16: 222, 17: 128, 18: 134, 19: 129, 20: 136,
    31: 2,
}  # fmt: skip
_TRUETYPE = 4
_SIZE = 32  # pixels to the em, of the metrics that are told
_DEFAULT_CHARSET = 1
_ENTRY = 452
_LONGEST_NAME = 64


@syscall(partial="needs FreeType on the host; sorted by file")
def NtGdiEnumFonts(
    call: Call, hdc: HANDLE, type: ULONG, win32_compat: ULONG, face_name_len: ULONG, face_name: PVOID,  # noqa: A002
    charset: ULONG, count: InOut[ULONG], buf: PVOID,
) -> BOOL:  # fmt: skip
    if context(call, hdc) is None or face_name_len > _LONGEST_NAME:
        return 0
    name = decode_wide(call.space.read(face_name, 2 * face_name_len)).partition("\0")[0] if face_name_len else ""
    try:
        entries = _entries(name, charset)
    except FreeTypeError as error:
        call.process.missing_calls[str(error)] = 1
        return failed(call.thread, ERROR_NOT_SUPPORTED)
    room = count.value // _ENTRY
    count.set(len(entries) * _ENTRY)
    if buf and entries:
        call.space.write(buf, b"".join(entries[:room]))
    return int(not buf or len(entries) <= room)


def _entries(name: str, charset: int) -> list[bytes]:
    chosen: dict[str, list[FontFile]] = {}
    for file in fonts().files:
        if not name or file.family.lower() == name.lower():
            chosen.setdefault(file.family, []).append(file)
    result = []
    for files in chosen.values():
        if not name:  # one of each family: the plainest
            files = [min(files, key=lambda file: (file.face.italic, abs(file.weight - 400)))]
        for file in files:
            pages = int.from_bytes(file.signature[16:20], "little")
            for bit, number in _SCRIPTS.items():
                if pages >> bit & 1 and charset in (_DEFAULT_CHARSET, number):
                    result.append(_entry(file, number, bit))
    return result


def _entry(file: FontFile, charset: int, script: int) -> bytes:
    face, total = file.face, file.ascent + file.descent
    height = (_SIZE * total * 2 + file.units) // (2 * file.units)  # whole pixels, to which the size is made to fit
    metrics = Metrics(file, height * file.units / total if total else _SIZE)
    pitch = metrics.family | (1 if metrics.fixed else 2)
    logical = bytearray(logical_font(metrics.height, metrics.average, metrics.weight, charset, pitch, file.family[:31]))
    logical[20] = 255 if metrics.italic else 0
    names = [
        encode_wide(text[: size - 1]).ljust(2 * size, b"\0")
        for text, size in ((file.full, 64), (file.style, 32), (chr(script), 32))
    ]
    style = 0x40 if file.style in ("Regular", "Book") else (0x20 if face.bold else 0) | (1 if face.italic else 0)
    tail = struct.pack("<4I", style, file.units, file.ascent + file.descent, file.average)
    return struct.pack("<I", _TRUETYPE) + bytes(logical) + b"".join(names) + (
        text_metrics(metrics, charset).ljust(60, b"\0") + tail + file.signature)  # fmt: skip


@syscall
def NtGdiAddFontResourceW(
    call: Call, str: PVOID, size: ULONG, files: ULONG, flags: ULONG, tid: ULONG, dv: PVOID  # noqa: A002 NT's name
) -> ULONG:  # fmt: skip
    """A program's own fonts are parsed by nobody here: none is added."""
    return 0


@syscall
def NtGdiAddFontMemResourceEx(
    call: Call, ptr: PVOID, size: ULONG, dv: PVOID, dv_size: ULONG, count: PVOID
) -> HANDLE:
    return 0
