"""Hard errors: NtRaiseHardError, the message of last resort. Source: Microsoft "SetErrorMode"; winternl.h, ntddk.h."""

from __future__ import annotations

import os
import sys

from lswd.nt.declare import Call, Out, syscall
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, STATUS_SUCCESS, status_name
from lswd.ntdef.types import NTSTATUS, PVOID, ULONG

_MAX_PARAMETERS = 5  # MAXIMUM_HARDERROR_PARAMETERS

# HARDERROR_RESPONSE_OPTION to what pressing Return in its box answers (HARDERROR_RESPONSE).
_RETURN_TO_CALLER, _ABORT, _OK, _RETRY, _YES = 0, 2, 6, 7, 8
_DEFAULT_RESPONSES = (_ABORT, _OK, _OK, _RETRY, _YES, _YES, _RETURN_TO_CALLER, _RETURN_TO_CALLER, _RETURN_TO_CALLER)

_SEM_FAILCRITICALERRORS = 1


@syscall(partial="there is nobody to choose an answer: the default button is pressed")
def NtRaiseHardError(
    call: Call,
    ErrorStatus: NTSTATUS,
    NumberOfParameters: ULONG,
    UnicodeStringParameterMask: ULONG,
    Parameters: PVOID,
    ValidResponseOptions: ULONG,
    Response: Out[ULONG],
) -> NTSTATUS:
    """Says it on the terminal, unless the process has turned such messages off (SetErrorMode)."""
    if NumberOfParameters > _MAX_PARAMETERS or ValidResponseOptions >= len(_DEFAULT_RESPONSES):
        return STATUS_INVALID_PARAMETER
    Response.set(_DEFAULT_RESPONSES[ValidResponseOptions])
    if call.process.error_mode & _SEM_FAILCRITICALERRORS:
        return STATUS_SUCCESS
    texts = []
    for i in range(NumberOfParameters):
        value = call.space.read_pointer(Parameters + i * call.word)
        if UnicodeStringParameterMask >> i & 1:
            texts.append(repr(call.unicode_string(value)))
        else:
            texts.append(f"{value:#x}")
    image = call.process.image
    name = os.path.basename(image.file_name) if image is not None else "program"
    message = f"{name}: hard error {status_name(ErrorStatus)}"
    print(": ".join([message, *([", ".join(texts)] if texts else [])]), file=sys.stderr)
    return STATUS_SUCCESS
