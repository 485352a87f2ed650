"""What goes over the socket: one packet a message, a header and the command's struct behind it.

    command   u32   the ioctl's number
    flags     u32   what kind of packet this is, see below
    sequence  u64   the client's number for this request; its reply carries it too
    argument  u64   the ioctl's argument; in a reply its result: 0..0x7FFFFFFF or -errno, as a signed number
    length    u32   of what follows
    reserved  u32   0

Little endian. The struct is what the device would read from the argument's address (request) or write to it (reply).
A request may carry up to eight descriptors (SCM_RIGHTS). Many requests may be under way on one connection; replies come
in the order in which the requests are done.

    flags 0   a request
    REPLY     its answer; every request gets one
    CANCEL    to the daemon: the request with this sequence shall end now; it is answered with what it comes to, most
              often -EINTR; no answer to the cancelling itself
    GOODBYE   from the daemon: this connection is closed, result -errno, and the text that follows says why

Shared by both ends; imports nothing that takes time, for a client's launch waits for it.
"""

from __future__ import annotations

from struct import Struct

HEADER = Struct("<IIQQII")
MAX_DATA = 16 << 10
MAX_PACKET = HEADER.size + MAX_DATA
MAX_DESCRIPTORS = 8

REQUEST = 0
REPLY = 1
CANCEL = 2
GOODBYE = 4

SYSTEM_SOCKET = "/run/lsw/lswd.sock"
USER_SOCKET = "lsw/lswd.sock"  # in $XDG_RUNTIME_DIR

_SIGN = 1 << 63


class BadPacket(Exception):
    """These bytes are no packet; the message says what is wrong with them."""


class Packet:
    """One packet. ``argument`` is signed in those that come from the daemon (``result``)."""

    __slots__ = ("argument", "command", "data", "flags", "sequence")

    def __init__(self, command: int, flags: int, sequence: int, argument: int, data: bytes = b"") -> None:
        self.command = command
        self.flags = flags
        self.sequence = sequence
        self.argument = argument
        self.data = data

    @property
    def result(self) -> int:
        """The argument as a reply means it."""
        return self.argument - (self.argument & _SIGN) * 2

    def pack(self) -> bytes:
        """The packet's bytes."""
        argument = self.argument & (1 << 64) - 1
        return HEADER.pack(self.command, self.flags, self.sequence, argument, len(self.data), 0) + self.data


def unpack(message: bytes) -> Packet:
    """The packet in a message. Raises BadPacket."""
    if len(message) < HEADER.size:
        raise BadPacket(f"{len(message)} bytes are no packet, its header alone has {HEADER.size}")
    command, flags, sequence, argument, length, reserved = HEADER.unpack_from(message)
    if length != len(message) - HEADER.size:
        raise BadPacket(f"length {length}, but {len(message) - HEADER.size} bytes follow the header")
    if length > MAX_DATA:
        raise BadPacket(f"length {length} is more than {MAX_DATA}")
    if flags not in (REQUEST, REPLY, CANCEL, GOODBYE):
        raise BadPacket(f"flags {flags:#x} are unknown")
    if reserved:
        raise BadPacket(f"the reserved field is {reserved:#x}, not 0")
    return Packet(command, flags, sequence, argument, message[HEADER.size :])
