"""``\\Device\\NamedPipe``: creating, opening and controlling named pipes.

Source: Microsoft "NtCreateNamedPipeFile", "FSCTL_PIPE_PEEK" and its kin ([MS-FSCC] 2.3.27 and on).
"""

from __future__ import annotations

import struct

from lswd.kernel.file import FileDevice, FileObject, Overflow, notify, wait_for_change
from lswd.kernel.object import MAXIMUM_ALLOWED
from lswd.kernel.pipe import CONNECTED, FULL_DUPLEX, INBOUND, LISTENING, OUTBOUND, Instance, NamedPipe, PipeEnd
from lswd.ntdef import file as nt
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INSTANCE_NOT_AVAILABLE,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_READ_MODE,
    STATUS_IO_TIMEOUT,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_PIPE_BUSY,
    STATUS_PIPE_NOT_AVAILABLE,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file import OpenParameters
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

FSCTL_PIPE_DISCONNECT = 0x110004
FSCTL_PIPE_LISTEN = 0x110008
FSCTL_PIPE_PEEK = 0x11400C
FSCTL_PIPE_TRANSCEIVE = 0x11C017
FSCTL_PIPE_WAIT = 0x110018
FSCTL_PIPE_GET_CONNECTION_ATTRIBUTE = 0x110030

FileBasicInformation = 4
FileStandardInformation = 5
FilePositionInformation = 14
FilePipeInformation = 23
FilePipeLocalInformation = 24

_PEEK_HEADER = 16
_WAIT_HEADER = 14
_MAX_NAME = 256
_CLIENT_READS = nt.FILE_READ_DATA
_CLIENT_WRITES = nt.FILE_WRITE_DATA


class PipeParameters:
    """What NtCreateNamedPipeFile has to say beyond NtCreateFile (``OpenParameters.extra``)."""

    __slots__ = ("max_instances", "message", "message_reads", "nonblocking", "quotas", "timeout")

    def __init__(
        self, *, message: bool, message_reads: bool, nonblocking: bool, max_instances: int,
        quotas: tuple[int, int], timeout: int,
    ) -> None:  # fmt: skip
        self.message = message
        self.message_reads = message_reads
        self.nonblocking = nonblocking
        self.max_instances = max_instances
        self.quotas = quotas
        self.timeout = timeout


class NamedPipeDevice(FileDevice):
    """The device; ``pipes`` by upper-case name."""

    def __init__(self) -> None:
        super().__init__()
        self.pipes: dict[str, NamedPipe] = {}

    def open(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        """Open the device itself, or a pipe as a client."""
        name = rest.removeprefix("\\")
        if not name:
            parameters.information = nt.FILE_OPENED
            return PipeDeviceFile(self, parameters)
        return self.open_pipe(process, name, parameters)

    def create_pipe(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        name = rest.removeprefix("\\")
        if not name:  # those without a name are created relative to the open device
            raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
        return self.open_pipe(process, name, parameters)

    def open_pipe(self, process: Process, name: str, parameters: OpenParameters) -> PipeEnd:
        """Open a pipe: as its server with ``parameters.extra``, else as a client.

        Raises:
            NtError: STATUS_OBJECT_NAME_NOT_FOUND, STATUS_PIPE_NOT_AVAILABLE, STATUS_INSTANCE_NOT_AVAILABLE,
                STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER.
        """
        if len(name) > _MAX_NAME:
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        extra = parameters.extra
        if isinstance(extra, PipeParameters):
            return self._create(process, name, parameters, extra)
        pipe = self.pipes.get(name.upper())
        if pipe is None:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        return connect(process, pipe, parameters)

    def _create(self, process: Process, name: str, parameters: OpenParameters, extra: PipeParameters) -> PipeEnd:
        directions = {nt.FILE_SHARE_READ: OUTBOUND, nt.FILE_SHARE_WRITE: INBOUND, 3: FULL_DUPLEX}
        direction = directions.get(parameters.share)
        if direction is None or (extra.message_reads and not extra.message) or not extra.max_instances:
            raise NtError(STATUS_INVALID_PARAMETER)
        pipe = self.pipes.get(name.upper()) if name else None
        if pipe is None:
            if parameters.disposition == nt.FILE_OPEN:
                raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
            pipe = NamedPipe(
                self, name, message=extra.message, direction=direction, max_instances=extra.max_instances,
                quotas=extra.quotas, timeout=extra.timeout,
            )  # fmt: skip
            if name:
                self.pipes[pipe.key] = pipe
            parameters.information = nt.FILE_CREATED
        else:
            if parameters.disposition == nt.FILE_CREATE:
                raise NtError(STATUS_ACCESS_DENIED)
            if len(pipe.instances) >= pipe.max_instances:
                raise NtError(STATUS_INSTANCE_NOT_AVAILABLE)
            if pipe.direction != direction or pipe.message != extra.message:
                raise NtError(STATUS_ACCESS_DENIED)
            parameters.information = nt.FILE_OPENED
        instance = Instance(pipe)
        pipe.instances.append(instance)
        if parameters.access & MAXIMUM_ALLOWED:
            parameters.access = nt.FILE_ALL_ACCESS
        end = NamedPipeEnd(instance, parameters, process, server=True)
        end.message_reads = extra.message_reads
        end.nonblocking = extra.nonblocking
        instance.server = end
        notify(pipe.waiters)
        return end


def connect(process: Process, pipe: NamedPipe, parameters: OpenParameters, only: Instance | None = None) -> PipeEnd:
    """Open a pipe as a client: the first instance that listens (or ``only``) gets it."""
    access = parameters.access
    if access & MAXIMUM_ALLOWED:
        access = nt.FILE_ALL_ACCESS
        if pipe.direction == INBOUND:
            access &= ~_CLIENT_READS
        elif pipe.direction == OUTBOUND:
            access &= ~_CLIENT_WRITES
        parameters.access = access
    if (access & _CLIENT_READS and pipe.direction == INBOUND) or (
        access & _CLIENT_WRITES and pipe.direction == OUTBOUND
    ):
        raise NtError(STATUS_ACCESS_DENIED)
    for instance in pipe.instances:
        if instance.state == LISTENING and only in (None, instance):
            end = NamedPipeEnd(instance, parameters, process, server=False)
            instance.client = end
            instance.state = CONNECTED
            parameters.information = nt.FILE_OPENED
            assert instance.server is not None
            notify(instance.server.waiters)
            return end
    raise NtError(STATUS_PIPE_NOT_AVAILABLE)


class NamedPipeEnd(PipeEnd):
    """A pipe's end with the controls and information NT has for it."""

    def open_relative(self, process: Process, name: str, parameters: OpenParameters) -> FileObject:
        """The client's end of an anonymous pipe is opened relative to the server's, without a name."""
        if name or not self.server:
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        return connect(process, self.instance.pipe, parameters, self.instance)

    async def file_system_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        if code == FSCTL_PIPE_PEEK:
            return self._peek(thread, out_address, out_length)
        if code == FSCTL_PIPE_TRANSCEIVE:
            return await self._transceive(thread, address, length, out_address, out_length)
        if code == FSCTL_PIPE_GET_CONNECTION_ATTRIBUTE:
            return self._attribute(thread, thread.process.space.read(address, min(length, 64)), out_address, out_length)
        if code == FSCTL_PIPE_LISTEN and self.server:
            await self.listen()
            return 0
        if code == FSCTL_PIPE_DISCONNECT and self.server:
            self.disconnect()
            return 0
        raise NtError(STATUS_INVALID_DEVICE_REQUEST)

    def _peek(self, thread: Thread, address: int, length: int) -> int:
        if length < _PEEK_HEADER:
            raise NtError(STATUS_BUFFER_TOO_SMALL)
        if not self.queue:
            self.require_connection()
        data = self.peek(length - _PEEK_HEADER)
        first = len(self.queue[0]) if self.queue else 0
        message = self.instance.pipe.message
        header = struct.pack(
            "<4I", self.instance.state, self.queued, len(self.queue) if message else 0, first if message else 0
        )
        thread.process.space.write(address, header + data)
        there = first if self.message_reads else self.queued
        if there > len(data):
            raise Overflow(STATUS_BUFFER_OVERFLOW, _PEEK_HEADER + len(data))
        return _PEEK_HEADER + len(data)

    async def _transceive(self, thread: Thread, address: int, length: int, out_address: int, out_length: int) -> int:
        if not self.message_reads:
            raise NtError(STATUS_INVALID_READ_MODE)
        peer = self.require_connection()
        if self.queue:
            raise NtError(STATUS_PIPE_BUSY)
        await self.send(peer, thread.process.space.read(address, length))
        return await self.read(thread, out_address, out_length, None)

    def _attribute(self, thread: Thread, name: bytes, address: int, length: int) -> int:
        """Process identifiers of the two ends (GetNamedPipeClientProcessId)."""
        ends = {b"ClientProcessId": self.instance.client, b"ServerProcessId": self.instance.server}
        end = ends.get(name.partition(b"\0")[0])
        if end is None:
            raise NtError(STATUS_INVALID_PARAMETER)
        if length < 4:
            raise NtError(STATUS_BUFFER_TOO_SMALL)
        thread.process.space.write(address, end.process_id.to_bytes(min(length, 8), "little"))
        return min(length, 8)

    def query(self, information_class: int) -> bytes:
        pipe = self.instance.pipe
        if information_class == FilePipeInformation:
            return struct.pack("<II", self.message_reads, self.nonblocking)
        if information_class == FilePipeLocalInformation:
            peer = self.peer
            inbound, outbound = pipe.quotas
            limit = 0xFFFFFFFF if pipe.max_instances >= 255 else pipe.max_instances
            return struct.pack(
                "<10I", pipe.message, pipe.direction, limit, len(pipe.instances), inbound, self.queued, outbound,
                max(0, peer.quota - peer.queued) if peer is not None else 0, self.instance.state, self.server,
            )  # fmt: skip
        if information_class == FileBasicInformation:
            return struct.pack("<qqqqI4x", 0, 0, 0, 0, nt.FILE_ATTRIBUTE_NORMAL)
        if information_class == FilePositionInformation:
            return bytes(8)
        if information_class == FileStandardInformation:
            return struct.pack("<qqIBB2x", sum(pipe.quotas), self.queued, 1, 1, 0)
        raise NtError(STATUS_INVALID_INFO_CLASS)

    def set(self, information_class: int, data: bytes) -> None:
        if information_class != FilePipeInformation:
            raise NtError(STATUS_INVALID_INFO_CLASS)
        read_mode, completion_mode = struct.unpack("<II", data[:8])
        if read_mode > 1 or completion_mode > 1 or (read_mode and not self.instance.pipe.message):
            raise NtError(STATUS_INVALID_PARAMETER)
        self.message_reads = bool(read_mode)
        self.nonblocking = bool(completion_mode)


class PipeDeviceFile(FileObject):
    """The device opened itself, to wait for a pipe or to create anonymous ones relative to it."""

    device_type = nt.FILE_DEVICE_NAMED_PIPE
    is_directory = True

    def __init__(self, device: NamedPipeDevice, parameters: OpenParameters) -> None:
        super().__init__(parameters.access & ~MAXIMUM_ALLOWED or nt.FILE_GENERIC_READ, parameters.options)
        self._device = device

    def path(self) -> str:
        return "\\Device\\NamedPipe\\"

    def file_name(self) -> str:
        return "\\"

    def open_relative(self, process: Process, name: str, parameters: OpenParameters) -> FileObject:
        return self._device.open_pipe(process, name, parameters)

    create_pipe = open_relative

    async def file_system_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        """FSCTL_PIPE_WAIT: FILE_PIPE_WAIT_FOR_BUFFER is Timeout, NameLength, TimeoutSpecified, Name."""
        if code != FSCTL_PIPE_WAIT:
            raise NtError(STATUS_INVALID_DEVICE_REQUEST)
        data = thread.process.space.read(address, min(length, _WAIT_HEADER + 2 * _MAX_NAME))
        if len(data) < _WAIT_HEADER:
            raise NtError(STATUS_INVALID_PARAMETER)
        timeout, name_length, specified = struct.unpack("<qI?", data[:13])
        if name_length & 1 or _WAIT_HEADER + name_length > len(data):
            raise NtError(STATUS_INVALID_PARAMETER)
        name = data[_WAIT_HEADER : _WAIT_HEADER + name_length].decode("utf-16-le", "surrogatepass")
        await self._wait(thread, name, timeout if specified else None)
        return 0

    async def _wait(self, thread: Thread, name: str, timeout: int | None) -> None:
        """Until an instance of the pipe listens."""
        pipe = self._device.pipes.get(name.upper())
        if pipe is None:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        from lswd.kernel.wait import seconds_until

        seconds = seconds_until(pipe.timeout if timeout is None else timeout)
        expired = False

        def expire() -> None:
            nonlocal expired
            expired = True
            notify(pipe.waiters)

        scheduler = thread.process.scheduler
        assert scheduler is not None
        deadline = None
        if seconds is not None:
            deadline = scheduler.deadlines.add(seconds, expire)
        try:
            while not any(instance.state == LISTENING for instance in pipe.instances):
                if expired:
                    raise NtError(STATUS_IO_TIMEOUT)
                if not pipe.instances:
                    raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
                await wait_for_change(pipe.waiters)
        finally:
            if deadline is not None:
                scheduler.deadlines.cancel(deadline)
