"""Mapping modes and world transforms: from logical to device coordinates and back.

Source: Microsoft "Coordinate Spaces and Transformations", "XFORM", "SetMapMode", "SetGraphicsMode".
"""

from __future__ import annotations

import math
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    Matrix: TypeAlias = tuple[float, float, float, float, float, float]

IDENTITY: Matrix = (1.0, 0.0, 0.0, 1.0, 0.0, 0.0)
MM_TEXT, MM_LOMETRIC, MM_HIMETRIC, MM_LOENGLISH, MM_HIENGLISH, MM_TWIPS, MM_ISOTROPIC, MM_ANISOTROPIC = range(1, 9)
_LARGEST = 0x7FFFFFFF


def unpack_matrix(data: bytes) -> Matrix:
    """An XFORM."""
    values = struct.unpack("<6f", data)
    return values[0], values[1], values[2], values[3], values[4], values[5]


def pack_matrix(matrix: Matrix) -> bytes:
    """The inverse; what no float can hold is infinite."""
    return b"".join([_float(value) for value in matrix])


def _float(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        return struct.pack("<f", math.copysign(math.inf, value))


def multiplied(one: Matrix, other: Matrix) -> Matrix:
    """First ``one``, then ``other``."""
    a11, a12, a21, a22, ax, ay = one
    b11, b12, b21, b22, bx, by = other
    return (
        a11 * b11 + a12 * b21, a11 * b12 + a12 * b22, a21 * b11 + a22 * b21, a21 * b12 + a22 * b22,
        ax * b11 + ay * b21 + bx, ax * b12 + ay * b22 + by,
    )  # fmt: skip


def inverted(matrix: Matrix) -> Matrix | None:
    """The way back; None: there is none."""
    a11, a12, a21, a22, dx, dy = matrix
    determinant = a11 * a22 - a12 * a21
    if not math.isfinite(determinant) or abs(determinant) < 1e-12:
        return None
    b11, b12, b21, b22 = a22 / determinant, -a12 / determinant, -a21 / determinant, a11 / determinant
    return b11, b12, b21, b22, -dx * b11 - dy * b21, -dx * b12 - dy * b22


def apply(matrix: Matrix, x: float, y: float) -> tuple[float, float]:
    """Where a point goes."""
    return (
        x * matrix[0] + y * matrix[2] + matrix[4],
        x * matrix[1] + y * matrix[3] + matrix[5],
    )


def rounded(value: float) -> int:
    """The nearest whole number that has 32 bits, halves upwards."""
    if math.isnan(value):
        return 0
    if abs(value) > _LARGEST:
        return _LARGEST if value > 0 else -_LARGEST - 1
    return math.floor(value + 0.5)


def scale_of_mode(
    mode: int, resolution: tuple[int, int], millimetres: tuple[int, int]
) -> tuple[int, int, int, int] | None:
    """The window's and the viewport's extents of a mapping mode that has fixed ones; None: it has not.

    Args:
        resolution: the device's points; millimetres: its size.
    """
    unit = {MM_LOMETRIC: 10, MM_HIMETRIC: 100, MM_LOENGLISH: 1000, MM_HIENGLISH: 10000, MM_TWIPS: 14400}.get(mode)
    if mode == MM_TEXT:
        return 1, 1, 1, 1
    if unit is None:
        return None
    if mode in (MM_LOMETRIC, MM_HIMETRIC):
        window = unit * millimetres[0], unit * millimetres[1]
    else:
        window = _muldiv(unit, millimetres[0], 254), _muldiv(unit, millimetres[1], 254)
    return *window, resolution[0], -resolution[1]


def _muldiv(a: int, b: int, c: int) -> int:
    return (a * b + c // 2) // c
