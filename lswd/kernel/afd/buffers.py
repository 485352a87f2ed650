"""The guest's buffers of one call (WSABUF), of which there may be more than the host takes at once.

Source: Microsoft "WSASend", "WSARecv"; Linux sendmsg(2), recvmsg(2).
"""

from __future__ import annotations

from lswd.kernel.afd import protocol as afd
from lswd.ntdef.status import STATUS_BUFFER_OVERFLOW, STATUS_INVALID_PARAMETER, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.memory.space import AddressSpace

    Buffers = list[tuple[int, int]]  # guest address and length

MOST_AT_ONCE = 1024  # IOV_MAX of the host
_MOST_BYTES = 0x7FFFF000  # likewise (MAX_RW_COUNT)
LONGEST_DATAGRAM = 0xFFFF
_MOST_BUFFERS = 1 << 16  # Winsock knows no limit; it bounds how long one call takes


def buffers_at(space: AddressSpace, address: int, count: int) -> Buffers:
    """An array of WSABUF.

    Raises:
        NtError: STATUS_INVALID_PARAMETER for unreasonably many, STATUS_ACCESS_VIOLATION.
    """
    if count > _MOST_BUFFERS:
        raise NtError(STATUS_INVALID_PARAMETER)
    size = afd.WSABUF.size(space.word)
    data = space.read(address, count * size)
    found = (afd.WSABUF.unpack(space.word, data, i * size) for i in range(count))
    return [(buffer.buf, buffer.len) for buffer in found]


def writable(space: AddressSpace, buffers: Buffers) -> list[memoryview]:
    """The buffers, but no more bytes than the host takes at once; raises STATUS_ACCESS_VIOLATION."""
    views: list[memoryview] = []
    left = _MOST_BYTES
    for address, length in buffers:
        views += space.writable(address, length)
        left -= length
        if left <= 0:
            break
    return views


def readable(space: AddressSpace, buffers: Buffers, done: int = 0) -> list[memoryview]:
    """What is left of the buffers behind the first ``done`` bytes, but no more than the host takes at once."""
    views: list[memoryview] = []
    left = _MOST_BYTES
    for address, length in buffers:
        if done >= length:
            done -= length
            continue
        views += space.readable(address + done, length - done)
        left -= length - done
        done = 0
        if left <= 0 or len(views) >= MOST_AT_ONCE:
            break
    return views[:MOST_AT_ONCE]


def gathered(space: AddressSpace, buffers: Buffers) -> bytes:
    """A datagram that lies in more pieces than the host takes.

    Raises:
        NtError: STATUS_BUFFER_OVERFLOW (WSAEMSGSIZE) for one that is too long.
    """
    if sum(length for _, length in buffers) > LONGEST_DATAGRAM:
        raise NtError(STATUS_BUFFER_OVERFLOW)
    return b"".join(space.read(address, length) for address, length in buffers)


def scatter(views: list[memoryview], data: memoryview) -> None:
    """Fill ``views``, in their order, with ``data``."""
    for view in views:
        count = min(len(view), len(data))
        view[:count] = data[:count]
        data = data[count:]


def rest(buffers: Buffers, done: int) -> Buffers:
    """The buffers behind the first ``done`` bytes."""
    left = []
    for address, length in buffers:
        skip = min(done, length)
        done -= skip
        left.append((address + skip, length - skip))
    return left
