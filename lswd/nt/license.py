"""License values: NtQueryLicenseValue, which reads them from the registry as Wine's does.

Source: Wine's documented key ``HKLM\\Software\\Wine\\LicenseInformation``.
"""

from __future__ import annotations

from lswd.nt.declare import Call, Out, UnicodeString, syscall
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import NTSTATUS, PVOID, ULONG

_KEY = "\\Registry\\Machine\\Software\\Wine\\LicenseInformation"


@syscall
def NtQueryLicenseValue(
    call: Call,
    Name: UnicodeString | None,
    Type: Out[ULONG] | None,
    Buffer: PVOID,
    Length: ULONG,
    ReturnLength: Out[ULONG],
) -> NTSTATUS:
    if not Name:
        return STATUS_INVALID_PARAMETER
    try:
        value = call.process.system.registry.open(_KEY).query_value(Name)
    except NtError as error:
        if error.status != STATUS_OBJECT_NAME_NOT_FOUND:
            raise
        return STATUS_OBJECT_NAME_NOT_FOUND
    ReturnLength.set(len(value.data))
    if Type is not None:
        Type.set(value.type)
    if Length < len(value.data):
        return STATUS_BUFFER_TOO_SMALL
    call.space.write(Buffer, value.data)
    return STATUS_SUCCESS
