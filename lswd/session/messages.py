"""Packets between the daemon and a session: one header, then bytes whose length each kind prescribes.

A session runs as its user and may be in his hands: whoever receives checks.
"""

from __future__ import annotations

import errno
import os
import socket
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

HEADER = struct.Struct("<B3xIQ")  # kind, value, identifier
NATIVE = struct.Struct("<QI4x")  # opener, thread; the request follows
IMAGE = struct.Struct("<I")  # process; the PeInfo follows
LARGEST = 16 << 10
LARGEST_REPORT = 4080
MOST_DESCRIPTORS = 8

# To the part that runs programs (zygote).
START_IMAGE = 1  # IMAGE, PeInfo, and the name of the usual engine
START_ORDER = 2  # that name; with descriptors
SIGNAL = 3  # value: the signal
KILL = 4  # value: the exit status
HEAT = 16  # to a spare: see spare.py
# From it.
STARTED = 5  # value: the Linux process
ENDED = 6  # an Ending
# To the part that serves native calls (worker). value: the SYSCALL ioctl's number.
REQUEST = 7
CANCEL = 8
CLOSED = 9  # identifier: an opener
# From it.
ANSWER = 10  # value: the result; the request, or nothing
STALE = 11  # the caller is not who this session is for any more
BORROW = 13  # identifier: a request; lend.py's address and size: some of its caller's memory, please
GIVE_BACK = 14  # the same and bytes, to be written there
# To it.
MEMORY = 15  # value: an errno; the bytes
# From either.
LOG = 12  # a text


def pack(kind: int, identifier: int, value: int = 0, data: bytes = b"") -> bytes:
    """A packet."""
    return HEADER.pack(kind, value & 0xFFFF_FFFF, identifier) + data


def unpack(packet: bytes) -> tuple[int, int, int, bytes]:
    """Kind, identifier, value and what follows. Raises ValueError: too short."""
    if len(packet) < HEADER.size:
        raise ValueError("a packet that is too short")
    kind, value, identifier = HEADER.unpack_from(packet)
    return kind, identifier, value, packet[HEADER.size :]


def pair() -> tuple[socket.socket, socket.socket]:
    """Two connected ends for packets."""
    return socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)


def send_with(connection: socket.socket, packet: bytes, descriptors: Sequence[int], flags: int = 0) -> None:
    """Send a packet with descriptors. Raises OSError."""
    rights = struct.pack(f"<{len(descriptors)}i", *descriptors)
    connection.sendmsg([packet], [(socket.SOL_SOCKET, socket.SCM_RIGHTS, rights)] if descriptors else [], flags)


def receive_with(connection: socket.socket) -> tuple[bytes, list[int]]:
    """A packet, b"" at the end, and its descriptors, which are close-on-exec and the receiver's.

    Raises:
        OSError: EPROTO: a packet that is too large.
    """
    space = socket.CMSG_SPACE(4 * MOST_DESCRIPTORS)
    data, ancillary, flags, _ = connection.recvmsg(LARGEST, space, socket.MSG_CMSG_CLOEXEC)
    descriptors: list[int] = []
    for level, kind, rights in ancillary:
        if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS):
            descriptors += struct.unpack(f"<{len(rights) // 4}i", rights[: len(rights) & ~3])
    if flags & (socket.MSG_TRUNC | socket.MSG_CTRUNC):
        for fd in descriptors:
            os.close(fd)
        raise OSError(errno.EPROTO, "a packet that is too large")
    return data, descriptors
