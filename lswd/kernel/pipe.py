"""Named pipes: a name, its instances, and the two ends of each.

What is written to one end queues up at the other. A write is done when what it wrote fits into the quota of the pipe or
has been read, so data beyond the quota can be read while its writer waits, as in NT.
Source: Microsoft "Named Pipe Operations", "NtCreateNamedPipeFile"; [MS-FSCC] 2.3 "FSCTL_PIPE_*", 2.4 "FilePipe*".
"""

from __future__ import annotations

from lswd.kernel.file import FileObject, Overflow, Waiter, notify, wait_for_change
from lswd.ntdef.file import FILE_DEVICE_NAMED_PIPE
from lswd.ntdef.status import (
    STATUS_BUFFER_OVERFLOW,
    STATUS_INVALID_PIPE_STATE,
    STATUS_PIPE_BROKEN,
    STATUS_PIPE_CLOSING,
    STATUS_PIPE_CONNECTED,
    STATUS_PIPE_DISCONNECTED,
    STATUS_PIPE_EMPTY,
    STATUS_PIPE_LISTENING,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file import OpenParameters
    from lswd.kernel.pipe_device import NamedPipeDevice
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

# States of an instance (FILE_PIPE_*_STATE)
DISCONNECTED = 1
LISTENING = 2
CONNECTED = 3
CLOSING = 4

# Types and read modes, completion modes, directions
BYTE = 0
MESSAGE = 1
QUEUE = 0
COMPLETE = 1
INBOUND = 0
OUTBOUND = 1
FULL_DUPLEX = 2

_MAX_QUOTA = 1 << 24


class NamedPipe:
    """A pipe's name and what its instances have in common.

    Attributes:
        message: what is written keeps its boundaries.
        direction: INBOUND (from client to server), OUTBOUND or FULL_DUPLEX.
        quotas: bytes that may wait to be read by the server, and by the client.
        timeout: how long a client waits for an instance by default, in NT's relative time.
    """

    __slots__ = (
        "device", "direction", "instances", "key", "max_instances", "message", "name", "quotas", "timeout", "waiters",
    )  # fmt: skip

    def __init__(
        self, device: NamedPipeDevice, name: str, *, message: bool, direction: int, max_instances: int,
        quotas: tuple[int, int], timeout: int,
    ) -> None:  # fmt: skip
        self.device = device
        self.name = name
        self.key = name.upper()
        self.message = message
        self.direction = direction
        self.max_instances = max_instances
        self.quotas = (min(quotas[0], _MAX_QUOTA), min(quotas[1], _MAX_QUOTA))
        self.timeout = timeout
        self.instances: list[Instance] = []
        self.waiters: list[Waiter] = []  # clients that wait for an instance to listen

    def remove(self, instance: Instance) -> None:
        """The server has closed an instance; the name goes with the last."""
        self.instances.remove(instance)
        if not self.instances:
            self.device.pipes.pop(self.key, None)
        notify(self.waiters)


class Instance:
    """One connection: a server end and, once somebody has opened the name, a client end."""

    __slots__ = ("client", "pipe", "server", "state")

    def __init__(self, pipe: NamedPipe) -> None:
        self.pipe = pipe
        self.state = LISTENING
        self.server: PipeEnd | None = None
        self.client: PipeEnd | None = None


class _Chunk:
    """A write that has not been read completely."""

    __slots__ = ("at", "data")

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.at = 0

    def __len__(self) -> int:
        return len(self.data) - self.at


class PipeEnd(FileObject):
    """A server's or client's end.

    Attributes:
        queue: what is to be read here, oldest first; queued: how many bytes.
        message_reads: a read gives at most one message; nonblocking: nothing waits (the old PIPE_NOWAIT).
        waiters: operations on either end that wait for this end's state or queue to change.
    """

    device_type = FILE_DEVICE_NAMED_PIPE

    def __init__(self, instance: Instance, parameters: OpenParameters, process: Process, *, server: bool) -> None:
        super().__init__(parameters.access, parameters.options)
        self.instance = instance
        self.process_id = process.pid
        self.server = server
        self.queue: list[_Chunk] = []
        self.queued = 0
        self.message_reads = False
        self.nonblocking = False
        self.waiters: list[Waiter] = []

    @property
    def peer(self) -> PipeEnd | None:
        return self.instance.client if self.server else self.instance.server

    @property
    def quota(self) -> int:
        """Bytes that may wait to be read here."""
        return self.instance.pipe.quotas[0 if self.server else 1]

    def path(self) -> str:
        return "\\Device\\NamedPipe" + self.file_name()

    def file_name(self) -> str:
        return "\\" + self.instance.pipe.name

    # ---- reading

    def check_readable(self) -> None:
        """
        Raises:
            NtError: when there is nothing to read and, as things are, never will be.
        """
        state = self.instance.state
        if state == DISCONNECTED:
            raise NtError(STATUS_PIPE_DISCONNECTED)
        if state == LISTENING:
            raise NtError(STATUS_PIPE_LISTENING)
        if not self.queue and self.peer is None:
            raise NtError(STATUS_PIPE_BROKEN)

    async def read(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        space = thread.process.space
        space.probe_write(address, length)
        self.check_readable()
        while not self.queue:
            if self.nonblocking:
                raise NtError(STATUS_PIPE_EMPTY)
            await wait_for_change(self.waiters)
            self.check_readable()
        data = self.peek(length)
        left = len(self.queue[0]) - len(data) if self.message_reads else 0
        space.write(address, data)
        self._consume(len(data))
        if left > 0:
            raise Overflow(STATUS_BUFFER_OVERFLOW, len(data))
        return len(data)

    def peek(self, length: int) -> bytes:
        """What a read of ``length`` bytes would give now."""
        pieces = []
        for chunk in self.queue:
            piece = chunk.data[chunk.at : chunk.at + length]
            pieces.append(piece)
            length -= len(piece)
            if self.message_reads or length <= 0:
                break
        return b"".join(pieces)

    def _consume(self, count: int) -> None:
        """Take ``count`` bytes off the queue, or one empty message."""
        self.queued -= count
        while self.queue:
            chunk = self.queue[0]
            taken = min(count, len(chunk))
            chunk.at += taken
            count -= taken
            if len(chunk):
                break
            self.queue.pop(0)
            if not count and (self.message_reads or not self.queue or len(self.queue[0])):
                break
        notify(self.waiters)

    # ---- writing

    def check_writable(self) -> PipeEnd:
        """The end that gets what is written here.

        Raises:
            NtError: STATUS_PIPE_DISCONNECTED, STATUS_PIPE_LISTENING, STATUS_PIPE_CLOSING.
        """
        state = self.instance.state
        if state == DISCONNECTED:
            raise NtError(STATUS_PIPE_DISCONNECTED)
        if state == LISTENING:
            raise NtError(STATUS_PIPE_LISTENING)
        if self.peer is None:
            raise NtError(STATUS_PIPE_CLOSING)
        return self.peer

    async def write(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        data = thread.process.space.read(address, length)
        peer = self.check_writable()
        if not data and not self.instance.pipe.message:
            return 0
        if self.nonblocking and peer.queued + length > peer.quota:
            if self.instance.pipe.message:
                return 0
            data = data[: max(0, peer.quota - peer.queued)]
            if not data:
                return 0
        await self.send(peer, data)
        return len(data)

    async def send(self, peer: PipeEnd, data: bytes) -> None:
        """Queue ``data`` at ``peer`` and wait until it fits there.

        Raises:
            NtError: STATUS_PIPE_BROKEN, STATUS_PIPE_DISCONNECTED when the connection ends before that.
        """
        chunk = _Chunk(data)
        peer.queue.append(chunk)
        peer.queued += len(data)
        notify(peer.waiters)
        try:
            while chunk in peer.queue and peer.before(chunk) + len(chunk) > peer.quota:
                await wait_for_change(peer.waiters)
                if self.instance.state == DISCONNECTED:
                    raise NtError(STATUS_PIPE_DISCONNECTED)
                if self.peer is not peer and chunk in peer.queue:
                    raise NtError(STATUS_PIPE_BROKEN)
        except BaseException:
            if chunk in peer.queue:  # what nobody has read of it is taken back
                peer.queue.remove(chunk)
                peer.queued -= len(chunk)
                notify(peer.waiters)
            raise

    def before(self, chunk: _Chunk) -> int:
        """Bytes queued ahead of ``chunk``."""
        total = 0
        for other in self.queue:
            if other is chunk:
                break
            total += len(other)
        return total

    async def flush(self, thread: Thread, *, data_only: bool = False) -> None:
        peer = self.peer
        while peer is not None and peer.queue and self.peer is peer:
            await wait_for_change(peer.waiters)

    # ---- connecting

    async def listen(self) -> None:
        """Wait for a client (ConnectNamedPipe).

        Raises:
            NtError: STATUS_PIPE_CONNECTED when there is one already, STATUS_PIPE_CLOSING when it has gone,
                STATUS_PIPE_LISTENING in non-blocking mode.
        """
        instance = self.instance
        if instance.state == CONNECTED:
            raise NtError(STATUS_PIPE_CONNECTED)
        if instance.state == CLOSING:
            raise NtError(STATUS_PIPE_CLOSING)
        if instance.state == DISCONNECTED:
            instance.state = LISTENING
            notify(instance.pipe.waiters)
        while instance.state == LISTENING:
            if self.nonblocking:
                raise NtError(STATUS_PIPE_LISTENING)
            await wait_for_change(self.waiters)
        if instance.state == DISCONNECTED:
            raise NtError(STATUS_PIPE_DISCONNECTED)

    def disconnect(self) -> None:
        """Cut the client off (DisconnectNamedPipe); what it has not read is lost."""
        instance = self.instance
        if instance.state == DISCONNECTED:
            raise NtError(STATUS_PIPE_DISCONNECTED)
        if instance.state == LISTENING:
            raise NtError(STATUS_PIPE_LISTENING)
        client, instance.client = instance.client, None
        instance.state = DISCONNECTED
        self._drop_queue()
        if client is not None:
            # The client keeps its end, on an instance of its own that will never be connected again.
            client.instance = Instance(instance.pipe)
            client.instance.client = client
            client.instance.state = DISCONNECTED
            client._drop_queue()

    def _drop_queue(self) -> None:
        self.queue.clear()
        self.queued = 0
        notify(self.waiters)

    def require_connection(self) -> PipeEnd:
        """
        Raises:
            NtError: STATUS_INVALID_PIPE_STATE without a connection, STATUS_PIPE_BROKEN when the peer has gone.
        """
        if self.instance.state in (DISCONNECTED, LISTENING):
            raise NtError(STATUS_INVALID_PIPE_STATE)
        if self.peer is None:
            raise NtError(STATUS_PIPE_BROKEN)
        return self.peer

    def cleanup(self) -> None:
        instance = self.instance
        peer = self.peer
        if self.server:
            instance.server = None
            if instance in instance.pipe.instances:
                instance.pipe.remove(instance)
        else:
            instance.client = None
        if instance.state == CONNECTED:
            instance.state = CLOSING
        self._drop_queue()
        if peer is not None:
            notify(peer.waiters)
