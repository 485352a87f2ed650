"""File objects: what an open file, directory, pipe, device or console handle refers to.

``FileObject`` is the interface that the NT calls use; each kind of file is a subclass that implements what it can do
and inherits STATUS_INVALID_DEVICE_REQUEST for the rest. Operations that may have to wait are coroutines: a kind that
never waits simply does not await. They wait for each other with ``wait_for_change`` and for the host with trio (after
``await event_loop()``), never with ``kernel.wait.park``: the operation may go on behind the thread's back when the file
is an overlapped one.
Source: Microsoft "File Objects", "NtReadFile", "NtWriteFile".
"""

from __future__ import annotations

from lswd.kernel.namespace import Device
from lswd.kernel.object import MAXIMUM_ALLOWED, Waitable
from lswd.ntdef.file import (
    FILE_ALL_ACCESS,
    FILE_DEVICE_UNKNOWN,
    FILE_GENERIC_EXECUTE,
    FILE_GENERIC_READ,
    FILE_GENERIC_WRITE,
    FILE_SYNCHRONOUS_IO_ALERT,
    FILE_SYNCHRONOUS_IO_NONALERT,
)
from lswd.ntdef.status import (
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_FILE_FOR_SECTION,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_TYPE_MISMATCH,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from typing import Any

    from lswd.kernel.file_metadata import Metadata
    from lswd.kernel.process import Process
    from lswd.kernel.request import Request
    from lswd.kernel.thread import Thread

SYNCHRONOUS = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT


class OpenParameters:
    """What NtCreateFile was asked for, and in ``information`` what came of it (FILE_OPENED, ...).

    Attributes:
        access: desired access with generic rights already mapped; MAXIMUM_ALLOWED may still be in it.
        extra: further parameters of NtCreateNamedPipeFile, or None.
        through_links: may the name lead through links?
    """

    __slots__ = (
        "access", "allocation", "attributes", "disposition", "extra", "information", "options", "share",
        "through_links",
    )  # fmt: skip

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
        self.through_links = True


class FileObject(Waitable):
    """An open file of any kind.

    Attributes:
        access: the rights granted when it was opened.
        options: the FILE_* create options.
        immediate: its reads and writes never wait, so that ``read_now`` and ``write_now`` do them.
        host_path, dos_path: where the file is on both sides, for sections of it; granted_write: may they write.
        completion: the completion port and key that finished requests are reported to, or None.
        pending: the requests that go on in the background.
    """

    type_name = "File"
    generic = (FILE_GENERIC_READ, FILE_GENERIC_WRITE, FILE_GENERIC_EXECUTE, FILE_ALL_ACCESS)
    device_type = FILE_DEVICE_UNKNOWN
    characteristics = 0
    is_directory = False
    immediate = False
    host_path = ""
    dos_path = ""
    granted_write = False

    def __init__(self, access: int, options: int = FILE_SYNCHRONOUS_IO_NONALERT) -> None:
        super().__init__()
        self.access = access
        self.options = options
        self.signalled = True
        self.completion: tuple[Any, int] | None = None
        self.completion_modes = 0
        self.pending: list[Request] = []

    @classmethod
    def mapped(cls, access: int) -> int:
        """Desired access with generic rights mapped; MAXIMUM_ALLOWED is left for the file's device to resolve."""
        return cls.map_access(_ANY, access & ~MAXIMUM_ALLOWED) | access & MAXIMUM_ALLOWED

    @property
    def synchronous(self) -> bool:
        """Do calls on this file return only when they are done?"""
        return bool(self.options & SYNCHRONOUS)

    def is_signalled(self, thread: Thread) -> bool:
        return self.signalled

    def begin_request(self) -> None:
        """A request starts: the file is not signalled until it is done."""
        self.signalled = False

    def end_request(self) -> None:
        """A request is done."""
        self.signalled = True
        if self.waits:
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

    def read_now(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        """``read`` of a file that is ``immediate``."""
        raise NotImplementedError

    def write_now(self, thread: Thread, address: int, length: int, offset: int | None, key: int = 0) -> int:
        """``write`` of a file that is ``immediate``."""
        raise NotImplementedError

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

    async def flush(self, thread: Thread, *, data_only: bool = False) -> None:
        """Make what was written durable (or, for a pipe, wait until it has been read). ``data_only``: of what is known
        about the file only what it takes to read it again."""

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

    def create_pipe(self, process: Process, name: str, parameters: OpenParameters) -> FileObject:
        """Create an instance of the named pipe ``name`` relative to this file."""
        raise NtError(STATUS_OBJECT_NAME_INVALID)

    def file_name(self) -> str:
        """The name on its device (``\\dir\\file``), or "" when it has none."""
        return ""

    def section_fd(self) -> int:
        """A new descriptor for a section that maps the file.

        Raises:
            NtError: STATUS_INVALID_FILE_FOR_SECTION when it cannot be mapped.
        """
        raise NtError(STATUS_INVALID_FILE_FOR_SECTION)

    def cleanup(self) -> None:
        """The last handle is closed: let go of the host's resources."""

    def on_last_handle(self) -> None:
        for request in tuple(self.pending):
            request.cancel()
        self.cleanup()
        super().on_last_handle()


_ANY = FileObject(0)


class FileDevice(Device):
    """A device whose files are ``FileObject``\\s."""

    def open(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        """Open the file that the ``rest`` of the name means; ``parameters.information`` tells what came of it."""
        raise NotImplementedError

    def create_pipe(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        """Create an instance of the named pipe that the ``rest`` of the name means.

        Raises:
            NtError: STATUS_OBJECT_TYPE_MISMATCH or what else the device says, when there are no pipes on it.
        """
        raise NtError(STATUS_OBJECT_TYPE_MISMATCH)

    def make_link(self, process: Process, rest: str, target: str, *, relative: bool, directory: bool) -> None:
        """Make the ``rest`` of the name a symbolic link to ``target``, an NT name or one relative to the link.

        Args:
            directory: it is said to lead to one, so its own name may end in a backslash.

        Raises:
            NtError: STATUS_OBJECT_NAME_COLLISION or what else the device says; STATUS_INVALID_DEVICE_REQUEST if it has
                no links.
        """
        raise NtError(STATUS_INVALID_DEVICE_REQUEST)

    def look(self, process: Process, rest: str, *, links_known: bool = False) -> Metadata:
        """What is known about a file, or a link itself, without opening it. ``links_known``: the caller gets the
        reparse tag, too, by which a link is known.

        Raises:
            NtError: STATUS_INVALID_PARAMETER when the device has nothing of the kind.
        """
        raise NtError(STATUS_INVALID_PARAMETER)


class Overflow(NtError):
    """A read that filled the buffer but not with all of a message: STATUS_BUFFER_OVERFLOW with a byte count."""

    __slots__ = ("count",)

    def __init__(self, status: int, count: int) -> None:
        super().__init__(status)
        self.count = count


class Waiter:
    """What an operation yields when it has to wait for another one; kernel.request makes it go on."""

    __slots__ = ("fired", "go_on")

    def __init__(self) -> None:
        self.fired = False
        self.go_on: Callable[[], None] | None = None

    def __await__(self) -> Generator[Waiter, None, None]:
        if not self.fired:
            yield self


async def wait_for_change(waiters: list[Waiter]) -> None:
    """Wait until the owner of ``waiters`` calls ``notify`` on it."""
    waiter = Waiter()
    waiters.append(waiter)
    try:
        await waiter
    finally:
        if waiter in waiters:
            waiters.remove(waiter)


def notify(waiters: list[Waiter]) -> None:
    """Let all that wait look again, first come first served."""
    woken, waiters[:] = waiters[:], []
    for waiter in woken:
        waiter.fired = True
        if waiter.go_on is not None:
            waiter.go_on()
