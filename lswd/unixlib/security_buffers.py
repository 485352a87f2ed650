"""SecBufferDesc: the array of buffers that the functions of SSPI take.

Source: Microsoft "SecBufferDesc", "SecBuffer".
"""

from __future__ import annotations

from lswd.ntdef.status import STATUS_INVALID_PARAMETER, NtError
from lswd.ntdef.types import PVOID, ULONG, Struct
from lswd.unixlib.arguments import structure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from lswd.memory.space import AddressSpace

SECBUFFER_EMPTY = 0
SECBUFFER_DATA = 1
SECBUFFER_TOKEN = 2
SECBUFFER_STREAM_TRAILER = 6
SECBUFFER_STREAM_HEADER = 7
_ATTRIBUTES = 0xF0000000
_MOST = 64


class SecBufferDesc(Struct):
    ulVersion: ULONG
    cBuffers: ULONG
    pBuffers: PVOID


class SecBuffer(Struct):
    cbBuffer: ULONG
    BufferType: ULONG
    pvBuffer: PVOID


class Buffers:
    """The buffers as they were when this was made."""

    def __init__(self, space: AddressSpace, address: int) -> None:
        """
        Raises:
            NtError: STATUS_INVALID_PARAMETER: too many.
        """
        self._space = space
        head = structure(space, address, SecBufferDesc)
        if head.cBuffers > _MOST:
            raise NtError(STATUS_INVALID_PARAMETER)
        size = SecBuffer.size(space.word)
        self._buffers = [structure(space, head.pBuffers + i * size, SecBuffer) for i in range(head.cBuffers)]

    def find(self, kind: int, start: int = 0) -> int:
        """The first one of that type, from ``start`` on; -1 if there is none."""
        for i in range(start, len(self._buffers)):
            if self._buffers[i].BufferType & ~_ATTRIBUTES == kind:
                return i
        return -1

    def in_order(self, kinds: Iterable[int]) -> list[int]:
        """One of each type, none twice; types that are not there are left out."""
        found: list[int] = []
        for kind in kinds:
            index = self.find(kind)
            while index in found:
                index = self.find(kind, index + 1)
            if index >= 0:
                found.append(index)
        return found

    def room(self, index: int) -> int:
        size: int = self._buffers[index].cbBuffer
        return size

    def probe_write(self, index: int, most: int) -> None:
        """Check that its first ``most`` bytes can be written, before something that cannot be taken back."""
        self._space.probe_write(self._buffers[index].pvBuffer, min(most, self.room(index)))

    def read(self, kind: int, size: int) -> bytes:
        """The first ``size`` bytes of the first one of that type.

        Raises:
            NtError: STATUS_INVALID_PARAMETER: there is none, or it is shorter.
        """
        index = self.find(kind)
        if index < 0 or size > self._buffers[index].cbBuffer:
            raise NtError(STATUS_INVALID_PARAMETER)
        return self._space.read(self._buffers[index].pvBuffer, size)

    def write(self, index: int, data: bytes) -> None:
        """To its beginning; its length is the caller's business."""
        self._space.write(self._buffers[index].pvBuffer, data)
