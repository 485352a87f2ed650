"""The messages of the CUSE protocol: each structure declared once, and the functions that read and write them.

Numbers and layouts are those of <linux/fuse.h>, version 7.38, little endian. Reading is a matter of trust in the kernel
alone, but nothing here reads beyond what was received, whatever the message says.
"""

from __future__ import annotations

import errno
from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Final, TypeAlias

    Buffer: TypeAlias = bytes | bytearray | memoryview

MAJOR: Final = 7
MINOR: Final = 38
OLDEST_MINOR: Final = 11
"""The first version with CUSE."""

# Opcodes that a character device can see.
FORGET: Final = 2
OPEN: Final = 14
READ: Final = 15
WRITE: Final = 16
RELEASE: Final = 18
FSYNC: Final = 20
FLUSH: Final = 25
INTERRUPT: Final = 36
DESTROY: Final = 38
IOCTL: Final = 39
POLL: Final = 40
NOTIFY_REPLY: Final = 41
BATCH_FORGET: Final = 42
CUSE_INIT: Final = 4096

UNANSWERED: Final = frozenset((FORGET, INTERRUPT, NOTIFY_REPLY, BATCH_FORGET))
"""The kernel waits for no answer to these."""

RESTART: Final = 512
"""-ERESTARTSYS as a result: the kernel makes the call again, when no handler of a signal says otherwise."""
UNRESTRICTED_IOCTL: Final = 1
"""CUSE_INIT flag: commands arrive with their raw argument, and the daemon says what to copy."""
IOCTL_RETRY: Final = 4
"""Flag of an answer: copy the memory that follows, and ask again."""

READY: Final = 0x145
"""What a device without a poll function of its own is: POLLIN | POLLOUT | POLLRDNORM | POLLWRNORM."""

MAX_TRANSFER: Final = 4096
"""The size of one read or write that the kernel may ask for; the smallest it accepts, as both only ever fail."""
BUFFER_SIZE: Final = 65536
"""What a message may take. The kernel refuses to be read into less than 8192 bytes; the largest structs fit easily."""

REQUEST_HEADER: Final = Struct("<IIQQIIIHH")
"""length, opcode, unique, node, uid, gid, thread, extensions, padding."""
ANSWER_HEADER: Final = Struct("<IiQ")
"""length, -errno or 0, unique."""
INIT_REQUEST: Final = Struct("<IIII")
"""major, minor, unused, flags."""
INIT_ANSWER: Final = Struct("<8I40x")
"""major, minor, unused, flags, longest read, longest write, device major, device minor. DEVNAME=... follows."""
OPEN_REQUEST: Final = Struct("<II")
"""flags, open flags."""
OPEN_ANSWER: Final = Struct("<QII")
"""file, open flags, padding."""
FILE_REQUEST: Final = Struct("<Q")
"""file: how RELEASE, READ, WRITE, POLL and IOCTL begin."""
IOCTL_REQUEST: Final = Struct("<IIQQIIIHHQIIQII")
"""The header, then: file, flags, command, argument, bytes that follow, bytes that may be answered."""
IOCTL_ANSWER: Final = Struct("<IiQiIII")
"""The header, then: result, flags, counts of input and output areas. Data or areas follow."""
AREA: Final = Struct("<QQ")
"""address, length: memory of the caller."""
POLL_ANSWER: Final = Struct("<II")
"""events, padding."""
INTERRUPTED: Final = Struct("<Q")
"""unique of the request that is to end."""

_IN: Final = Struct("<IiQiIIIQQ")
_BOTH: Final = Struct("<IiQiIIIQQQQ")


class WireError(Exception):
    """A message that is not what the protocol says."""


def read_header(message: Buffer, received: int) -> tuple[int, int, int, int, int]:
    """Opcode, unique, thread, uid and gid of a request.

    Args:
        message: begins with the request.
        received: its true length.

    Raises WireError when it is too short for a header.
    """
    if received < REQUEST_HEADER.size:
        raise WireError(f"a request of {received} bytes")
    _, opcode, unique, _, uid, gid, thread, _, _ = REQUEST_HEADER.unpack_from(message)
    return opcode, unique, thread, uid, gid


def read_body(structure: Struct, message: Buffer, received: int) -> tuple[int, ...]:
    """The fields of the structure that follows a request's header.

    Raises WireError when the request is too short for it, or not as long as it says.
    """
    if received < REQUEST_HEADER.size + structure.size or int.from_bytes(message[:4], "little") != received:
        raise WireError(f"a request of {received} bytes with a structure of {structure.size}")
    return structure.unpack_from(message, REQUEST_HEADER.size)


def answer(unique: int, payload: bytes = b"") -> bytes:
    """A successful answer."""
    return ANSWER_HEADER.pack(ANSWER_HEADER.size + len(payload), 0, unique) + payload


def failure(unique: int, error: int) -> bytes:
    """An answer that fails the request itself with an errno; one that is none becomes EIO.

    The kernel refuses -512 and below here, which would leave the caller waiting.
    """
    return ANSWER_HEADER.pack(ANSWER_HEADER.size, -error if 0 < error < 512 else -errno.EIO, unique)


def initialisation(unique: int, name: str, minor: int) -> bytes:
    """The answer to CUSE_INIT that creates /dev/``name``, for a kernel that speaks 7.``minor``."""
    fields = (MAJOR, min(minor, MINOR), 0, UNRESTRICTED_IOCTL, MAX_TRANSFER, MAX_TRANSFER, 0, 0)
    return answer(unique, INIT_ANSWER.pack(*fields) + b"DEVNAME=" + name.encode("ascii") + b"\0")


def opened(unique: int, file: int) -> bytes:
    """The answer to OPEN: ``file`` names it from now on."""
    return answer(unique, OPEN_ANSWER.pack(file, 0, 0))


def ready(unique: int, events: int) -> bytes:
    """The answer to POLL."""
    return answer(unique, POLL_ANSWER.pack(events, 0))


def result(unique: int, value: int, data: bytes = b"") -> bytes:
    """The answer to IOCTL: what ioctl() returns (or -errno), and the bytes for the caller.

    Raises struct.error when ``value`` has no place in 32 bits.
    """
    return IOCTL_ANSWER.pack(32 + len(data), 0, unique, value, 0, 0, 0) + data


def retry(unique: int, address: int, size_in: int, size_out: int) -> bytes:
    """The answer to IOCTL that makes the kernel copy a struct of the caller and ask again, under another unique."""
    if size_in and size_out:
        return _BOTH.pack(64, 0, unique, 0, IOCTL_RETRY, 1, 1, address, size_in, address, size_out)
    if size_in:
        return _IN.pack(48, 0, unique, 0, IOCTL_RETRY, 1, 0, address, size_in)
    return _IN.pack(48, 0, unique, 0, IOCTL_RETRY, 0, 1, address, size_out)
