"""ICMP echo requests: by a raw socket where the user may have one, else by a datagram socket of ICMP's.

Source: RFC 792, RFC 1071; Linux icmp(7), raw(7).
"""

from __future__ import annotations

import itertools
import os
import select
import socket
import struct
import time

ECHO_REPLY, UNREACHABLE, SOURCE_QUENCH, ECHO_REQUEST, TIME_EXCEEDED, PARAMETER_PROBLEM = 0, 3, 4, 8, 11, 12

_HEAD = struct.Struct("!BBHHH")  # type, code, checksum, identifier, sequence
_IP_RECVTTL, _IP_RECVTOS = 12, 13  # linux/in.h
_LARGEST = 1 << 16
_sequences = itertools.count(1)


class Reply:
    """What came back: its kind and code, from whom, and of an echo the data, which has taken ``milliseconds``."""

    __slots__ = ("address", "code", "data", "kind", "milliseconds", "tos", "ttl")

    def __init__(self, kind: int, code: int, address: str, data: bytes, milliseconds: int, ttl: int, tos: int) -> None:
        self.kind = kind
        self.code = code
        self.address = address
        self.data = data
        self.milliseconds = milliseconds
        self.ttl = ttl
        self.tos = tos


def _checksum(data: bytes) -> int:
    total: int = sum(struct.unpack(f"!{len(data) // 2}H", data[: len(data) & -2]))
    if len(data) & 1:
        total += data[-1] << 8
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return ~total & 0xFFFF


class EchoRequest:
    """One request, and the wait for what comes of it."""

    def __init__(self, address: str, data: bytes, *, ttl: int = 0, tos: int = 0) -> None:
        """
        Raises:
            OSError: this user may have no such socket.
        """
        self._address = address
        self._sequence = next(_sequences) & 0xFFFF
        self._identifier = os.getpid() & 0xFFFF
        self._raw = True
        try:
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_ICMP)
        except PermissionError:
            self._raw = False
            self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM, socket.IPPROTO_ICMP)
        for option, value in ((socket.IP_TTL, ttl), (socket.IP_TOS, tos)):
            if value:
                self._socket.setsockopt(socket.IPPROTO_IP, option, value)
        for option in (_IP_RECVTTL, _IP_RECVTOS):
            self._socket.setsockopt(socket.IPPROTO_IP, option, 1)
        head = _HEAD.pack(ECHO_REQUEST, 0, 0, self._identifier, self._sequence)
        checksum = _checksum(head + data)
        self._message = _HEAD.pack(ECHO_REQUEST, 0, checksum, self._identifier, self._sequence) + data

    def close(self) -> None:
        self._socket.close()

    def ask(self, seconds: float) -> Reply | None:
        """Send it and wait; None when nothing has come in time.

        Raises:
            OSError: it cannot be sent, or the host says that it cannot arrive.
        """
        began = time.monotonic()
        self._socket.sendto(self._message, (self._address, 0))
        readable = select.poll()
        readable.register(self._socket, select.POLLIN)
        while (left := began + seconds - time.monotonic()) > 0:
            if not readable.poll(left * 1000):
                break
            data, ancillary, _, sender = self._socket.recvmsg(_LARGEST, 256)
            ttl = tos = 0
            for level, kind, value in ancillary:
                if level == socket.IPPROTO_IP and kind == socket.IP_TTL:
                    ttl = value[0]
                elif level == socket.IPPROTO_IP and kind == socket.IP_TOS:
                    tos = value[0]
            if self._raw:
                ttl, tos = data[8], data[1]
                data = data[(data[0] & 15) * 4 :]
            if self._is_answer(data):
                milliseconds = int((time.monotonic() - began) * 1000)
                content = data[_HEAD.size :] if data[0] == ECHO_REPLY else b""
                return Reply(data[0], data[1], sender[0], content, milliseconds, ttl, tos)
        return None

    def _is_answer(self, message: bytes) -> bool:
        """Is it an answer to this request? Errors have the packet they are about behind them."""
        if len(message) < _HEAD.size:
            return False
        kind = message[0]
        if kind in (UNREACHABLE, SOURCE_QUENCH, TIME_EXCEEDED, PARAMETER_PROBLEM):
            packet = message[_HEAD.size :]
            message = packet[(packet[0] & 15) * 4 :] if packet else b""
            if len(message) < _HEAD.size or message[0] != ECHO_REQUEST:
                return False
        elif kind != ECHO_REPLY:
            return False
        _, _, _, identifier, sequence = _HEAD.unpack_from(message)
        return sequence == self._sequence and (not self._raw or identifier == self._identifier)
