"""The TLS connections of programs, as Schannel's calls name them, and what these calls answer.

Source: Microsoft "Schannel", "Schannel Error Codes for TLS and SSL Alerts".
"""

from __future__ import annotations

from lswd.ntdef.types import PVOID, ULONGLONG, Struct
from lswd.unixlib.handles import Handles
from lswd.unixlib.tls import TlsClient

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

SEC_E_OK = 0
SEC_E_UNSUPPORTED_FUNCTION = 0x80090302
SEC_E_INTERNAL_ERROR = 0x80090304
SEC_E_BUFFER_TOO_SMALL = 0x80090321
SEC_E_ILLEGAL_MESSAGE = 0x80090326
SEC_E_ALGORITHM_MISMATCH = 0x80090331
SEC_I_CONTINUE_NEEDED = 0x00090312

ALPN = 2  # SecApplicationProtocolNegotiationExt_ALPN


class SessionQuestion(Struct):
    session: ULONGLONG


class InfoQuestion(Struct):
    session: ULONGLONG
    info: PVOID


class Sessions(Handles[TlsClient]):
    """A part of the System."""


def session_of(thread: Thread, number: int) -> TlsClient:
    return thread.process.system.part(Sessions).get(thread.process, number)
