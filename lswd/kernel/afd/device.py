"""The device: every open makes a handle on which a socket can be created, or which only polls others."""

from __future__ import annotations

from lswd.kernel.afd.endpoint import ALL_ACCESS, Shared, Socket
from lswd.kernel.file import FileDevice
from lswd.kernel.object import MAXIMUM_ALLOWED
from lswd.ntdef.file import FILE_OPENED, FILE_READ_DATA, FILE_WRITE_DATA

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file import FileObject, OpenParameters
    from lswd.kernel.process import Process


class AfdDevice(FileDevice):
    """``\\Device\\Afd``. Names below it (``\\Endpoint``, or whatever a program likes) mean nothing more."""

    def __init__(self) -> None:
        super().__init__()
        self._shared = Shared()

    def open(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        parameters.information = FILE_OPENED
        access = ALL_ACCESS if parameters.access & MAXIMUM_ALLOWED else parameters.access
        return Socket(self._shared, access | FILE_READ_DATA | FILE_WRITE_DATA, parameters.options)
