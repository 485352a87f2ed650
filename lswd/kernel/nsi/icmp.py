"""IOCTL_NSIPROXY_WINE_ICMP_ECHO: what IcmpSendEcho asks for, and its ICMP_ECHO_REPLY.

Source: Microsoft "IcmpSendEcho2", "ICMP_ECHO_REPLY", "IP_OPTION_INFORMATION"; Wine's public header wine/nsi.h, checked
against the type information in the iphlpapi.dll of Wine 8.0.
"""

from __future__ import annotations

import errno

from lswd.host.network.echo import (
    ECHO_REPLY,
    PARAMETER_PROBLEM,
    SOURCE_QUENCH,
    TIME_EXCEEDED,
    UNREACHABLE,
    EchoRequest,
    Reply,
)
from lswd.kernel.afd.address import to_host
from lswd.kernel.afd.policy import check_destination
from lswd.kernel.afd.protocol import AF_INET
from lswd.kernel.loop import event_loop
from lswd.ntdef.status import STATUS_ACCESS_DENIED, STATUS_INVALID_PARAMETER, NtError
from lswd.ntdef.types import PVOID, UCHAR, ULONG, ULONGLONG, USHORT, Struct, raw

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

# [ipexport.h] IP_STATUS
IP_SUCCESS = 0
IP_DEST_HOST_UNREACHABLE = 11003
IP_REQ_TIMED_OUT = 11010
IP_TTL_EXPIRED_TRANSIT = 11013
IP_GENERAL_FAILURE = 11050
_UNREACHABLE = (11002, 11003, 11004, 11005, 11009, 11012)  # by code: net, host, protocol, port, too big, bad route
_OF_KIND = {ECHO_REPLY: IP_SUCCESS, SOURCE_QUENCH: 11016, PARAMETER_PROBLEM: 11015}
_NETS = (6, 9, 11)  # codes that are about networks
_LONGEST = 65500
_LONGEST_WAIT = 600_000


class EchoQuestion(Struct):
    """nsiproxy_icmp_echo; options and data follow."""

    src: bytes = raw(28)
    dst: bytes = raw(28)
    user_reply_ptr: ULONGLONG
    bits: UCHAR
    ttl: UCHAR
    tos: UCHAR
    flags: UCHAR
    opt_size: ULONG
    req_size: ULONG
    timeout: ULONG


class IP_OPTION_INFORMATION(Struct):
    Ttl: UCHAR
    Tos: UCHAR
    Flags: UCHAR
    OptionsSize: UCHAR
    OptionsData: PVOID


class ICMP_ECHO_REPLY(Struct):
    """The data follow."""

    Address: bytes = raw(4)
    Status: ULONG
    RoundTripTime: ULONG
    DataSize: USHORT
    Reserved: USHORT
    Data: PVOID
    Options: IP_OPTION_INFORMATION


def _status(reply: Reply) -> int:
    if reply.kind == TIME_EXCEEDED:
        return IP_TTL_EXPIRED_TRANSIT + (reply.code == 1)
    if reply.kind == UNREACHABLE:
        if reply.code < len(_UNREACHABLE):
            return _UNREACHABLE[reply.code]
        return _UNREACHABLE[0] if reply.code in _NETS else IP_DEST_HOST_UNREACHABLE
    return _OF_KIND.get(reply.kind, IP_GENERAL_FAILURE)


async def echo(thread: Thread, question: bytes, room: int) -> bytes:
    """The reply as it lies in the caller's buffer, whose address is in the question.

    Raises:
        NtError: STATUS_INVALID_PARAMETER, STATUS_ACCESS_DENIED (by the policy, or the host's rights).
    """
    # Not aligned at its end: the data begin right behind the last field.
    head = EchoQuestion.offset(8, "timeout") + 4
    if len(question) < head:
        raise NtError(STATUS_INVALID_PARAMETER)
    q = EchoQuestion.unpack(8, question.ljust(EchoQuestion.size(8), b"\0"))
    begin = head + (q.opt_size + 3 & ~3)
    word = 4 if q.bits == 32 else 8
    size = ICMP_ECHO_REPLY.size(word)
    if q.req_size > _LONGEST or len(question) < begin + q.req_size or room < size:
        raise NtError(STATUS_INVALID_PARAMETER)
    address = to_host(q.dst, AF_INET)
    check_destination(thread.process.system.network, address)
    answer = await _ask(str(address[0]), question[begin : begin + q.req_size], q)
    if isinstance(answer, int):
        return ICMP_ECHO_REPLY(Status=answer).pack(word)
    if room < size + len(answer.data):
        return ICMP_ECHO_REPLY(Status=IP_GENERAL_FAILURE).pack(word)
    data_at = q.user_reply_ptr + size & (1 << 8 * word) - 1
    reply = ICMP_ECHO_REPLY(
        Address=bytes(int(part) for part in answer.address.split(".")),
        Status=_status(answer),
        RoundTripTime=answer.milliseconds,
        DataSize=len(answer.data),
        Reserved=1,  # how many replies there are
        Data=data_at,
        Options=IP_OPTION_INFORMATION(Ttl=answer.ttl, Tos=answer.tos, OptionsData=data_at),
    )
    return reply.pack(word) + answer.data


async def _ask(address: str, data: bytes, q: EchoQuestion) -> Reply | int:
    """What has come back, or the IP_STATUS that is all there is to tell."""
    await event_loop()
    import trio

    try:
        request = EchoRequest(address, data, ttl=q.ttl, tos=q.tos)
    except OSError:
        raise NtError(STATUS_ACCESS_DENIED) from None

    def ask() -> Reply | None:
        try:
            return request.ask(min(q.timeout, _LONGEST_WAIT) / 1000)
        finally:
            request.close()

    try:
        answer = await trio.to_thread.run_sync(ask, abandon_on_cancel=True)
    except OSError as error:
        return IP_DEST_HOST_UNREACHABLE if error.errno == errno.EHOSTUNREACH else IP_GENERAL_FAILURE
    return answer or IP_REQ_TIMED_OUT
