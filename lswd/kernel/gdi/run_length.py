"""Bitmaps with run-length coding, made plain rows.

Source: Microsoft "Bitmap Compression".
"""

from __future__ import annotations

from lswd.kernel.gdi.dib import packed

LARGEST = 1 << 26  # pixels
_END_OF_LINE, _END, _DELTA = 0, 1, 2


def expanded(data: bytes, width: int, height: int, bits: int) -> bytearray:
    """The rows, from the bottom up, each of whole 32-bit words; what the data leaves out is 0."""
    stride = (width * bits + 31) // 32 * 4
    room = (stride * 8) // bits
    result = bytearray(room * height)
    x = y = at = 0
    while at + 1 < len(data) and y < height:
        count, value = data[at], data[at + 1]
        at += 2
        if count:
            pixels = bytes([value]) * count if bits == 8 else (bytes([value >> 4, value & 15]) * 128)[:count]
        elif value == _END_OF_LINE:
            x, y = 0, y + 1
            continue
        elif value == _END:
            break
        elif value == _DELTA:
            if at + 1 >= len(data):
                break
            x, y, at = x + data[at], y + data[at + 1], at + 2
            continue
        else:
            size = value if bits == 8 else (value + 1) // 2
            plain = data[at : at + size]
            pixels = plain if bits == 8 else bytes([half for each in plain for half in (each >> 4, each & 15)])[:value]
            at += size + (size & 1)
        pixels = pixels[: max(0, width - x)]
        start = y * room + x
        result[start : start + len(pixels)] = pixels
        x += len(pixels)
    return bytearray(packed(bytes(result), bits))
