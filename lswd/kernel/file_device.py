"""The file devices of an NT system: drives, NUL, named pipes; and the host's standard streams as file objects.

``\\GLOBAL??\\C:`` is a symbolic link to ``\\Device\\HarddiskVolume3``, a :class:`lswd.kernel.volume.Volume`.
"""

from __future__ import annotations

import os
import stat

from lswd.kernel.file import FileDevice, FileObject, OpenParameters
from lswd.kernel.file_block import FileControlBlock, block_of
from lswd.kernel.file_disk import InheritedFile
from lswd.kernel.file_stream import NullDevice, StreamFile
from lswd.kernel.namespace import SymbolicLink
from lswd.kernel.object import MAXIMUM_ALLOWED
from lswd.kernel.volume import Volume, volume_guid_name
from lswd.ntdef import file as nt
from lswd.ntdef.status import STATUS_BAD_NETWORK_PATH, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.file_metadata import Metadata
    from lswd.kernel.process import Process
    from lswd.kernel.system import System


class NullDeviceObject(FileDevice):
    """``\\Device\\Null``."""

    def open(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        parameters.information = nt.FILE_OPENED
        return NullDevice(parameters.access & ~MAXIMUM_ALLOWED or nt.FILE_ALL_ACCESS, parameters.options)


class RemoteDevice(FileDevice):
    """``\\Device\\Mup``, where names of network shares lead: there are none."""

    def open(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        raise NtError(STATUS_BAD_NETWORK_PATH)

    def look(self, process: Process, rest: str, *, links_known: bool = False) -> Metadata:
        raise NtError(STATUS_BAD_NETWORK_PATH)


class LateDevice(FileDevice):
    """A device whose code is loaded when it is opened for the first time: most programs never do."""

    def __init__(self, make: Callable[[], FileDevice]) -> None:
        super().__init__()
        self._make = make
        self._device: FileDevice | None = None

    @property
    def device(self) -> FileDevice:
        if self._device is None:
            self._device = self._make()
        return self._device

    def open(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        return self.device.open(process, rest, parameters)

    def create_pipe(self, process: Process, rest: str, parameters: OpenParameters) -> FileObject:
        return self.device.create_pipe(process, rest, parameters)


class FileSystems:
    """The drives of one NT system, and the files that are open on them by host identity. A part of the System."""

    def __init__(self, system: System) -> None:
        self.drives = system.drives
        self.blocks: dict[tuple[int, int], FileControlBlock] = {}
        self.volumes: dict[str, Volume] = {}
        device = system.namespace.directory("\\Device")
        dos_devices = system.namespace.directory("\\GLOBAL??")

        def add(name: str, target: str, obj: FileDevice) -> None:
            obj.permanent = True
            device.insert(target.rpartition("\\")[2], obj)
            dos_devices.insert(name, SymbolicLink(target, permanent=True))

        names = {letter: system.volume_name(f"{letter}:") for letter in self.drives.letters()}
        for letter, name in names.items():
            volume = self.volumes[letter] = Volume(system, self.blocks, letter)
            add(f"{letter}:", name, volume)
            dos_devices.insert(volume_guid_name(letter), SymbolicLink(name, permanent=True))

        def mount_manager() -> FileDevice:
            from lswd.kernel.mount_manager import MountManager

            return MountManager(names)

        def named_pipes() -> FileDevice:
            from lswd.kernel.pipe_device import NamedPipeDevice

            return NamedPipeDevice()

        def sockets() -> FileDevice:
            from lswd.kernel.afd.device import AfdDevice

            return AfdDevice()

        def network_store() -> FileDevice:
            from lswd.kernel.nsi.device import NsiDevice

            return NsiDevice()

        add("MountPointManager", "\\Device\\MountPointManager", LateDevice(mount_manager))
        add("PIPE", "\\Device\\NamedPipe", LateDevice(named_pipes))
        add("Nsi", "\\Device\\Nsi", LateDevice(network_store))
        device.insert("Afd", _permanent(LateDevice(sockets)))
        add("NUL", "\\Device\\Null", NullDeviceObject())
        add("UNC", "\\Device\\Mup", RemoteDevice())

    def standard_file(self, fd: int, access: int) -> FileObject:
        """A standard stream of the host (not a terminal, which is the console's) as a file object.

        Args:
            fd: stays open when the file object is closed.
            access: the rights its handle will have; they may be generic.
        """
        access = FileObject.mapped(access) | nt.FILE_READ_ATTRIBUTES
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            return StreamFile(fd, access, owned=False)
        everything = nt.FILE_SHARE_READ | nt.FILE_SHARE_WRITE | nt.FILE_SHARE_DELETE
        parameters = OpenParameters(access, everything, nt.FILE_OPEN, nt.FILE_SYNCHRONOUS_IO_NONALERT)
        host = os.readlink(f"/proc/self/fd/{fd}")
        try:
            dos = self.drives.to_dos(host)
        except NtError:  # it lies on no drive: it can be used, but has no name that could be opened
            dos = f"{self.drives.letters()[0]}:\\"
        volume = self.volumes[dos[0]]
        return InheritedFile(
            volume, block_of(self.blocks, found), host, dos, os.dup(fd), parameters, path_only=False, overlay=False
        )


def _permanent(device: FileDevice) -> FileDevice:
    device.permanent = True
    return device


def install_devices(system: System) -> None:
    """Give a new system its file devices."""
    system.part(FileSystems)


def standard_file(system: System, fd: int, access: int) -> FileObject:
    """See ``FileSystems.standard_file``."""
    return system.part(FileSystems).standard_file(fd, access)
