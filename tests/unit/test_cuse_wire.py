"""The messages of CUSE: their sizes, their bytes, and reading what is shorter than it says."""

from __future__ import annotations

import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lswd.device.cuse import wire
from tests.unit.fake_cuse import Answer, ioctl, request

BODY = struct.Struct("<QIIQII")
"""What follows an IOCTL's header."""


def test_the_structures_have_the_sizes_of_the_kernels_header() -> None:
    sizes = {
        "REQUEST_HEADER": 40, "ANSWER_HEADER": 16, "INIT_REQUEST": 16, "INIT_ANSWER": 72, "OPEN_REQUEST": 8,
        "OPEN_ANSWER": 16, "IOCTL_REQUEST": 40 + 32, "IOCTL_ANSWER": 16 + 16, "AREA": 16, "POLL_ANSWER": 8,
        "INTERRUPTED": 8,
    }  # fmt: skip
    assert sizes == {name: getattr(wire, name).size for name in sizes}


def test_the_introduction_asks_for_unrestricted_ioctls_and_names_the_device() -> None:
    message = Answer(wire.initialisation(6, "lsw", 38))
    assert (6, 0) == (message.unique, message.error)
    assert (7, 38, 0, 1, 4096, 4096, 0, 0) == wire.INIT_ANSWER.unpack_from(message.body)
    assert b"DEVNAME=lsw\0" == message.body[72:]


@pytest.mark.parametrize(("kernel", "spoken"), [(11, 11), (31, 31), (38, 38), (45, 38)])
def test_the_version_spoken_is_the_lower_of_both(kernel: int, spoken: int) -> None:
    assert spoken == wire.INIT_ANSWER.unpack_from(Answer(wire.initialisation(2, "x", kernel)).body)[1]


def test_the_read_buffer_is_large_enough_for_the_kernel() -> None:
    assert wire.BUFFER_SIZE >= max(8192, 80 + wire.MAX_TRANSFER)


@pytest.mark.parametrize(
    ("size_in", "size_out", "expected"),
    [(88, 88, (1, [(0x1000, 88), (0x1000, 88)])), (288, 0, (1, [(0x1000, 288)])), (0, 4, (0, [(0x1000, 4)]))],
)
def test_a_retry_lists_the_struct_as_input_and_as_output(
    size_in: int, size_out: int, expected: tuple[int, list[tuple[int, int]]]
) -> None:
    answer = Answer(wire.retry(8, 0x1000, size_in, size_out))
    assert (8, 0, expected) == (answer.unique, answer.error, answer.areas)


@pytest.mark.parametrize("value", [0, 42, 0x7FFFFFFF, -errno.EINTR, -512, -4095])
def test_a_result_is_what_ioctl_returns(value: int) -> None:
    answer = Answer(wire.result(10, value, b"data"))
    assert (10, 0, value, b"data") == (answer.unique, answer.error, answer.result, answer.data)


@pytest.mark.parametrize("value", [1 << 31, -(1 << 31) - 1])
def test_a_result_beyond_32_bits_is_refused(value: int) -> None:
    with pytest.raises(struct.error):
        wire.result(10, value)


@pytest.mark.parametrize(
    ("error", "expected"), [(errno.EPERM, -1), (511, -511), (512, -errno.EIO), (0, -errno.EIO), (-1, -errno.EIO)]
)
def test_a_failure_is_always_an_errno_that_the_kernel_takes(error: int, expected: int) -> None:
    assert expected == Answer(wire.failure(12, error)).error


def test_a_header_gives_who_asks_for_what() -> None:
    message = request(wire.OPEN, 14, b"12345678", thread=5, uid=6, gid=7)
    assert (wire.OPEN, 14, 5, 6, 7) == wire.read_header(message, len(message))


def test_a_message_that_is_shorter_than_it_says_is_refused() -> None:
    whole = ioctl(4, 1, 0x40044C04)
    for length in range(len(whole)):
        # The rest of the buffer holds an older request.
        with pytest.raises(wire.WireError):
            wire.read_body(BODY, whole, length)
    assert 6 == len(wire.read_body(BODY, whole, len(whole)))


@given(st.binary(max_size=200))
def test_reading_anything_gives_fields_or_a_wire_error(message: bytes) -> None:
    found: list[tuple[int, ...]] = []
    try:
        found.append(wire.read_header(message, len(message)))
        found.append(wire.read_body(wire.OPEN_REQUEST, message, len(message)))
        found.append(wire.read_body(wire.INTERRUPTED, message, len(message)))
    except wire.WireError:
        assert len(message) < 48 or int.from_bytes(message[:4], "little") != len(message)
    assert all(isinstance(field, int) for fields in found for field in fields)
