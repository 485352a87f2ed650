"""Messages that carry one descriptor over the socket between the kernel and the jailed process.

Source: Linux unix(7) SCM_RIGHTS, cmsg(3).
"""

from __future__ import annotations

import struct

from lswd.cpu.jail.layout import CONTROL

MESSAGE_SIZE, MESSAGE_DESCRIPTOR = 0x78, 0x70
MSG_DONTWAIT, MSG_CMSG_CLOEXEC = 0x40, 0x40000000


def message(address: int, fd: int) -> bytes:
    """A ``struct msghdr`` at ``address`` and what belongs to it: one byte, and a descriptor (-1 for room to receive
    one) in a control message."""
    vector, byte, control = address + 0x38, address + 0x48, address + 0x60
    head = struct.pack("<7Q", 0, 0, vector, 1, control, 0x18, 0)
    # cmsghdr: length, SOL_SOCKET, SCM_RIGHTS
    return head + struct.pack("<QQQQQ", byte, 1, 0, 0, 0) + struct.pack("<QIIii", 20, 1, 1, fd, 0)


def put_message(view: memoryview, at: int, fd: int) -> None:
    """Write one to the blocks, for the jailed process to send or receive."""
    view[at : at + MESSAGE_SIZE] = message(CONTROL + at, fd)
