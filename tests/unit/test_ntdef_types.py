"""Declared structures have the layouts that C compilers give them, for 32- and 64-bit guests."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from lswd.ntdef.types import (
    CLIENT_ID,
    HANDLE,
    IO_STATUS_BLOCK,
    LARGE_INTEGER,
    LONG,
    OBJECT_ATTRIBUTES,
    PVOID,
    SIZE_T,
    UCHAR,
    ULONG,
    UNICODE_STRING,
    USHORT,
    Scalar,
    Struct,
    array,
    raw,
)


class MEMORY_BASIC_INFORMATION(Struct):  # noqa: N801
    """winnt.h: 48 bytes on x64, 28 on x86."""

    BaseAddress: PVOID
    AllocationBase: PVOID
    AllocationProtect: ULONG
    RegionSize: SIZE_T
    State: ULONG
    Protect: ULONG
    Type: ULONG


class Inner(Struct):
    Small: UCHAR
    Wide: LARGE_INTEGER


class Outer(Struct):
    First: USHORT
    Nested: Inner
    Many: tuple[int, ...] = array(LONG, 3)
    Tail: bytes = raw(5)
    Structures: bytes = array(CLIENT_ID, 2)
    Last: HANDLE


@pytest.mark.parametrize(
    ("kind", "wide", "narrow"),
    [
        (UNICODE_STRING, 16, 8),
        (CLIENT_ID, 16, 8),
        (IO_STATUS_BLOCK, 16, 8),
        (OBJECT_ATTRIBUTES, 48, 24),
        (MEMORY_BASIC_INFORMATION, 48, 28),
        (Inner, 16, 16),
        (Outer, 88, 64),
    ],
)
def test_sizes_are_those_of_c(kind: type[Struct], wide: int, narrow: int) -> None:
    assert (wide, narrow) == (kind.size(8), kind.size(4))


@pytest.mark.parametrize(
    ("word", "offsets"),
    [
        (8, [("First", 0), ("Nested", 8), ("Many", 24), ("Tail", 36), ("Structures", 48), ("Last", 80)]),
        (4, [("First", 0), ("Nested", 8), ("Many", 24), ("Tail", 36), ("Structures", 44), ("Last", 60)]),
    ],
)
def test_fields_are_aligned_as_in_c(word: int, offsets: list[tuple[str, int]]) -> None:
    assert offsets == [(name, Outer.offset(word, name)) for name, _ in offsets]


@pytest.mark.parametrize("word", [8, 4])
def test_what_is_packed_is_unpacked_again(word: int) -> None:
    value = Outer(
        First=1, Nested=Inner(Small=2, Wide=-3), Many=(4, -5, 6), Tail=b"12345", Structures=b"x" * 4 * word, Last=7
    )
    data = bytes(3) + value.pack(word)
    assert value == Outer.unpack(word, data, 3)


def test_fields_that_are_not_given_are_zero() -> None:
    assert bytes(88) == Outer().pack(8)
    assert bytes(80) + struct.pack("<Q", 9) == Outer(Last=9).pack(8)


def test_a_short_array_is_filled_with_zeros() -> None:
    assert (7, 0, 0) == Outer.unpack(8, Outer(Many=(7,)).pack(8)).Many


def test_padding_is_zero_whatever_the_values() -> None:
    packed = MEMORY_BASIC_INFORMATION(AllocationProtect=0xFFFFFFFF, RegionSize=-1 & (1 << 64) - 1).pack(8)
    assert b"\xff" * 4 + bytes(4) + b"\xff" * 8 == packed[16:32]


def test_a_value_that_does_not_fit_is_an_error() -> None:
    with pytest.raises(struct.error):
        UNICODE_STRING(Length=0x10000).pack(8)


def test_too_little_data_is_an_error() -> None:
    with pytest.raises(struct.error):
        UNICODE_STRING.unpack(8, bytes(15))


def test_structures_are_equal_by_class_and_value() -> None:
    assert UNICODE_STRING(Length=2) == UNICODE_STRING(Length=2)
    assert UNICODE_STRING(Length=2) != UNICODE_STRING(Length=4)
    assert Inner(Small=1) != Outer(Small=1)


@pytest.mark.parametrize(
    ("kind", "wide", "narrow", "signed"),
    [
        (UCHAR, 1, 1, False),
        (LONG, 4, 4, True),
        (LARGE_INTEGER, 8, 8, True),
        (SIZE_T, 8, 4, False),
        (HANDLE, 8, 4, False),
    ],
)
def test_scalars_have_the_width_and_sign_of_their_names(kind: Any, wide: int, narrow: int, signed: bool) -> None:
    assert isinstance(kind, Scalar)
    assert (wide, narrow, signed) == (kind.size(8), kind.size(4), kind.signed)


def test_a_pointer_behind_the_last_address_goes_round() -> None:
    data = UNICODE_STRING(Length=2, MaximumLength=4, Buffer=(1 << 64) + 8).pack(8)
    assert UNICODE_STRING(Length=2, MaximumLength=4, Buffer=8) == UNICODE_STRING.unpack(8, data)
    assert UNICODE_STRING(Length=2, MaximumLength=4, Buffer=8).pack(4) == UNICODE_STRING(
        Length=2, MaximumLength=4, Buffer=(1 << 32) + 8
    ).pack(4)
    with pytest.raises(struct.error):
        UNICODE_STRING(Length=1 << 16).pack(8)
