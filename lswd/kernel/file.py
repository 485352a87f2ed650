"""File objects: what an open file, directory, pipe, device or console handle refers to.

``FileObject`` is the interface that the NT calls use; each kind of file is a subclass that implements what it can do
and inherits STATUS_INVALID_DEVICE_REQUEST for the rest. Operations that may have to wait are coroutines: a kind that
never waits simply does not await. They wait with ``wait_for_change`` or trio (after ``await event_loop()``), never with
``kernel.wait.park``: the operation may go on behind the thread's back when the handle is an overlapped one.
Source: Microsoft "File Objects", "NtReadFile", "NtWriteFile".
"""

from __future__ import annotations

from lswd.kernel.loop import event_loop
from lswd.kernel.object import Waitable
from lswd.ntdef.file import (
    FILE_ALL_ACCESS,
    FILE_DEVICE_UNKNOWN,
    FILE_GENERIC_EXECUTE,
    FILE_GENERIC_READ,
    FILE_GENERIC_WRITE,
    FILE_SYNCHRONOUS_IO_ALERT,
    FILE_SYNCHRONOUS_IO_NONALERT,
)
from lswd.ntdef.status import STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_INFO_CLASS, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread

_SYNCHRONOUS = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT


class OpenParameters:
    """What NtCreateFile was asked for, and in ``information`` what came of it (FILE_OPENED, ...).

    Attributes:
        access: desired access with generic rights already mapped; MAXIMUM_ALLOWED may still be in it.
        extra: further parameters of NtCreateNamedPipeFile, or None.
    """

    __slots__ = ("access", "allocation", "attributes", "disposition", "extra", "information", "options", "share")

    def __init__(
        self, access: int, share: int, disposition: int, options: int, attributes: int = 0, allocation: int = 0
    ) -> None:
        self.access = access
        self.share = share
        self.disposition = disposition
        self.options = options
        self.attributes = attributes
        self.allocation = allocation
        self.information = 0
        self.extra: Any = None


class FileObject(Waitable):
    """An open file of any kind.

    Attributes:
        access: the rights granted when it was opened.
        options: the FILE_* create options.
        completion: the completion port and key that finished requests are reported to, or None.
        pending: cancel functions of requests that go on in the background, by request.
    """

    type_name = "File"
    generic = (FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS)
    device_type = FILE_DEVICE_UNKNOWN
    characteristics = 0
    is_directory = False

    def __init__(self, access: int, options: int = FILE_SYNCHRONOUS_IO_NONALERT) -> None:
        super().__init__()
        self.access = access
        self.options = options
        self.signalled = True
        self.completion: tuple[Any, int] | None = None
        self.completion_modes = 0
        self.pending: dict[object, Any] = {}

    @property
    def synchronous(self) -> bool:
        """Do calls on this file return only when they are done?"""
        return bool(self.options & _SYNCHRONOUS)

    def is_signalled(self, thread: Thread) -> bool:
        return self.signalled

    def begin_request(self) -> None:
        """A request starts: the file is not signalled until it is done."""
        self.signalled = False

    def end_request(self) -> None:
        """A request is done."""
        self.signalled = True
        if self.wait_blocks:
            self.wake()

    # ---- operations

    async def read(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        """Read into guest memory at ``address``.

        Args:
            offset: byte offset, or None for the file's own position (which then moves).
            key: the byte-range lock key.

        Returns:
            How many bytes were read, more than 0 unless ``length`` is 0.

        Raises:
            NtError: STATUS_END_OF_FILE, STATUS_PIPE_BROKEN, ... ; see also ``Overflow``.
        """
        raise NtError(STATUS_INVALID_DEVICE_REQUEST)

    async def write(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        """Write guest memory at ``address``; returns how many bytes were written. ``offset``: as for ``read``."""
        raise NtError(STATUS_INVALID_DEVICE_REQUEST)

    async def device_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        """IOCTL ``code`` on input and output in guest memory; returns how many bytes of output there are."""
        raise NtError(STATUS_INVALID_DEVICE_REQUEST)

    async def file_system_control(
        self, thread: Thread, code: int, address: int, length: int, out_address: int, out_length: int
    ) -> int:
        """FSCTL ``code``; arguments as for ``device_control``."""
        raise NtError(STATUS_INVALID_DEVICE_REQUEST)

    async def flush(self, thread: Thread) -> None:
        """Make what was written durable (or, for a pipe, wait until it has been read)."""

    def query(self, information_class: int) -> Any:
        """A kind's own FILE_INFORMATION_CLASS answers: a Struct, or bytes.

        Raises:
            NtError: STATUS_INVALID_INFO_CLASS when the kind has no such information.
        """
        raise NtError(STATUS_INVALID_INFO_CLASS)

    def set(self, information_class: int, data: bytes) -> None:
        """A kind's own part of NtSetInformationFile; raises as ``query`` does."""
        raise NtError(STATUS_INVALID_INFO_CLASS)

    def open_relative(self, process: Process, name: str, parameters: OpenParameters) -> FileObject:
        """Open ``name`` relative to this file."""
        raise NtError(STATUS_INVALID_DEVICE_REQUEST)

    def file_name(self) -> str:
        """The name on its device (``\\dir\\file``), or "" when it has none."""
        return ""

    def cleanup(self) -> None:
        """The last handle is closed: let go of the host's resources."""

    def on_last_handle(self) -> None:
        for cancel in list(self.pending.values()):
            cancel()
        self.cleanup()
        super().on_last_handle()


class Overflow(NtError):  # noqa: N818
    """A read that filled the buffer but not with all of a message: STATUS_BUFFER_OVERFLOW with a byte count."""

    __slots__ = ("count",)

    def __init__(self, status: int, count: int) -> None:
        super().__init__(status)
        self.count = count


class Waiter:
    """One coroutine waiting for a change."""

    __slots__ = ("event", "fired")

    def __init__(self) -> None:
        self.event: Any = None
        self.fired = False


async def wait_for_change(waiters: list[Waiter]) -> None:
    """Wait until the owner of ``waiters`` calls ``notify`` on it."""
    waiter = Waiter()
    waiters.append(waiter)
    try:
        await event_loop()
        if not waiter.fired:
            import trio

            waiter.event = trio.Event()
            await waiter.event.wait()
    finally:
        if waiter in waiters:
            waiters.remove(waiter)


def notify(waiters: list[Waiter]) -> None:
    """Wake all that wait, first come first served."""
    woken, waiters[:] = waiters[:], []
    for waiter in woken:
        waiter.fired = True
        if waiter.event is not None:
            waiter.event.set()
