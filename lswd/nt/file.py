"""Opening and naming files: NtCreateFile, NtOpenFile, NtDeleteFile, NtQueryAttributesFile and their kin.

Source: Microsoft "NtCreateFile", "NtOpenFile", "NtQueryAttributesFile".
"""

from __future__ import annotations

from lswd.kernel.file import FileDevice, FileObject, OpenParameters
from lswd.kernel.file_disk import DiskObject
from lswd.kernel.handle import OBJ_CASE_INSENSITIVE, OBJ_DONT_REPARSE, OBJ_INHERIT
from lswd.kernel.object import DELETE, MAXIMUM_ALLOWED, SYNCHRONIZE
from lswd.nt.declare import Call, In, ObjectAttributes, Out, syscall
from lswd.nt.file_structures import FILE_BASIC_INFORMATION, basic_information, network_open_information
from lswd.nt.file_structures import FILE_NETWORK_OPEN_INFORMATION as NETWORK_OPEN
from lswd.ntdef.file import (
    FILE_CREATE,
    FILE_DELETE_ON_CLOSE,
    FILE_DIRECTORY_FILE,
    FILE_NON_DIRECTORY_FILE,
    FILE_OPEN,
    FILE_OPEN_FOR_BACKUP_INTENT,
    FILE_OPEN_IF,
    FILE_OPEN_REPARSE_POINT,
    FILE_OVERWRITE_IF,
    FILE_SHARE_DELETE,
    FILE_SHARE_READ,
    FILE_SHARE_WRITE,
    FILE_SYNCHRONOUS_IO_ALERT,
    FILE_SYNCHRONOUS_IO_NONALERT,
    FILE_VALID_OPTIONS,
    OPEN_LINK_ITSELF,
)
from lswd.ntdef.status import (
    STATUS_EAS_NOT_SUPPORTED,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_SYNTAX_BAD,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import ACCESS_MASK, HANDLE, IO_STATUS_BLOCK, LARGE_INTEGER, NTSTATUS, PVOID, ULONG

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file_metadata import Metadata

SHARE_ALL = FILE_SHARE_READ | FILE_SHARE_WRITE | FILE_SHARE_DELETE
_SYNCHRONOUS = FILE_SYNCHRONOUS_IO_ALERT | FILE_SYNCHRONOUS_IO_NONALERT


def check_parameters(parameters: OpenParameters) -> None:
    """What NtCreateFile refuses before it looks at the name.

    Raises:
        NtError: STATUS_INVALID_PARAMETER.
    """
    options, disposition = parameters.options, parameters.disposition
    directory = options & FILE_DIRECTORY_FILE
    if (
        options & ~FILE_VALID_OPTIONS
        or disposition > FILE_OVERWRITE_IF
        or parameters.share & ~SHARE_ALL
        or (directory and options & FILE_NON_DIRECTORY_FILE)
        or (directory and disposition not in (FILE_CREATE, FILE_OPEN, FILE_OPEN_IF))
        or options & _SYNCHRONOUS == _SYNCHRONOUS
        or (options & FILE_DELETE_ON_CLOSE and not parameters.access & (DELETE | MAXIMUM_ALLOWED))
    ):
        raise NtError(STATUS_INVALID_PARAMETER)


def open_object_file(call: Call, attributes: ObjectAttributes, parameters: OpenParameters) -> FileObject:
    """Open the file that OBJECT_ATTRIBUTES name.

    Raises:
        NtError: what the namespace and the device say.
    """
    check_parameters(parameters)
    parameters.through_links = not attributes.attributes & OBJ_DONT_REPARSE
    name, root = attributes.name, attributes.root
    if isinstance(root, FileObject):
        if name.startswith("\\"):
            raise NtError(STATUS_OBJECT_PATH_SYNTAX_BAD)
        open_relative = root.open_relative if parameters.extra is None else root.create_pipe
        return open_relative(call.process, name, parameters)
    device, rest = call.process.system.namespace.walk(
        name, root, case_sensitive=not attributes.attributes & OBJ_CASE_INSENSITIVE
    )
    if isinstance(device, FileDevice):
        opener = device.open if parameters.extra is None else device.create_pipe
        return opener(call.process, rest, parameters)
    raise NtError(STATUS_OBJECT_NAME_NOT_FOUND if rest else STATUS_OBJECT_TYPE_MISMATCH)


def create_handle(
    call: Call,
    handle: Out[int],
    status_block: Out[IO_STATUS_BLOCK],
    attributes: ObjectAttributes,
    parameters: OpenParameters,
) -> int:
    """Open a file and put its handle and what came of it where the caller wants them."""
    handle.set(0)  # NT leaves it as it was when it fails; Wine's own calls do not
    if parameters.options & _SYNCHRONOUS:
        parameters.access |= SYNCHRONIZE  # NT asks the caller for it; waiting for its own file harms nobody
    file = open_object_file(call, attributes, parameters)
    handle.set(call.process.handles.add(file, file.access, inherit=bool(attributes.attributes & OBJ_INHERIT)))
    status_block.set(IO_STATUS_BLOCK(Status=STATUS_SUCCESS, Information=parameters.information))
    return STATUS_SUCCESS


@syscall(partial="extended attributes and opening by file identifier are refused")
def NtCreateFile(
    call: Call,
    FileHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    AllocationSize: In[LARGE_INTEGER] | None,
    FileAttributes: ULONG,
    ShareAccess: ULONG,
    CreateDisposition: ULONG,
    CreateOptions: ULONG,
    EaBuffer: PVOID,
    EaLength: ULONG,
) -> NTSTATUS:
    if EaBuffer and EaLength:
        return STATUS_EAS_NOT_SUPPORTED
    if DesiredAccess & OPEN_LINK_ITSELF:
        DesiredAccess &= ~OPEN_LINK_ITSELF
        CreateOptions |= FILE_OPEN_REPARSE_POINT
    parameters = OpenParameters(
        FileObject.mapped(DesiredAccess),
        ShareAccess,
        CreateDisposition,
        CreateOptions,
        FileAttributes,
        AllocationSize or 0,
    )
    return create_handle(call, FileHandle, IoStatusBlock, ObjectAttributes, parameters)


@syscall(partial="opening by file identifier is refused")
def NtOpenFile(
    call: Call,
    FileHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    ShareAccess: ULONG,
    OpenOptions: ULONG,
) -> NTSTATUS:
    parameters = OpenParameters(FileObject.mapped(DesiredAccess), ShareAccess, FILE_OPEN, OpenOptions)
    return create_handle(call, FileHandle, IoStatusBlock, ObjectAttributes, parameters)


@syscall
def NtDeleteFile(call: Call, ObjectAttributes: ObjectAttributes) -> NTSTATUS:
    options = FILE_DELETE_ON_CLOSE | FILE_OPEN_FOR_BACKUP_INTENT | FILE_OPEN_REPARSE_POINT
    open_object_file(call, ObjectAttributes, OpenParameters(DELETE, SHARE_ALL, FILE_OPEN, options)).on_last_handle()
    return STATUS_SUCCESS


def _metadata(call: Call, attributes: ObjectAttributes, *, links_known: bool = False) -> Metadata:
    """What is known about a file that need not be opened for it; a link is meant itself (see ``Volume.look_at``)."""
    name, root = attributes.name, attributes.root
    if isinstance(root, DiskObject) and not name.startswith("\\"):
        return root.volume.look_at(root.dos_path.rstrip("\\") + "\\" + name, links_known=links_known)
    device, rest = call.process.system.namespace.walk(
        name, root, case_sensitive=not attributes.attributes & OBJ_CASE_INSENSITIVE
    )
    if isinstance(device, FileDevice):
        return device.look(call.process, rest, links_known=links_known)
    raise NtError(STATUS_OBJECT_NAME_NOT_FOUND if rest else STATUS_OBJECT_TYPE_MISMATCH)


@syscall
def NtQueryAttributesFile(
    call: Call, ObjectAttributes: ObjectAttributes, FileInformation: Out[FILE_BASIC_INFORMATION]
) -> NTSTATUS:
    FileInformation.set(basic_information(_metadata(call, ObjectAttributes)))
    return STATUS_SUCCESS


@syscall
def NtQueryFullAttributesFile(
    call: Call, ObjectAttributes: ObjectAttributes, FileInformation: Out[NETWORK_OPEN]
) -> NTSTATUS:
    FileInformation.set(network_open_information(_metadata(call, ObjectAttributes)))
    return STATUS_SUCCESS


@syscall(partial="what is special about files of Linux is not there; all access is said to be granted")
def NtQueryInformationByName(
    call: Call,
    ObjectAttributes: ObjectAttributes,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    FileInformation: PVOID,
    Length: ULONG,
    FileInformationClass: ULONG,
) -> NTSTATUS:
    from lswd.nt.file_information import stat_by_name

    data = stat_by_name(FileInformationClass, _metadata(call, ObjectAttributes, links_known=True))
    if Length < len(data):
        return STATUS_INFO_LENGTH_MISMATCH
    call.space.write(FileInformation, data)
    IoStatusBlock.set(IO_STATUS_BLOCK(Information=len(data)))
    return STATUS_SUCCESS
