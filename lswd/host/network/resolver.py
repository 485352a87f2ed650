"""How this host finds names: its servers and search list, and questions to them by the C library.

Source: Linux resolv.conf(5), resolver(3); RFC 1035.
"""

from __future__ import annotations

import ctypes
import os
import socket

HOST_NOT_FOUND, TRY_AGAIN, NO_RECOVERY, NO_DATA = 1, 2, 3, 4

_MOST_SERVERS = 3
_CLASS_INTERNET = 1


class ResolverError(Exception):
    """``reason`` is one of the constants above."""

    def __init__(self, reason: int) -> None:
        super().__init__(reason)
        self.reason = reason


def _settings(path: str) -> list[list[str]]:
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            lines = file.read().splitlines()
    except OSError:
        return []
    return [words for line in lines if (words := line.split()) and not words[0].startswith(("#", ";"))]


def servers(path: str = "/etc/resolv.conf") -> list[tuple[int, bytes]]:
    """Family and address of each server; this machine where none is named."""
    found = []
    for words in _settings(path):
        if words[0] != "nameserver" or len(words) < 2:
            continue
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                found.append((int(family), socket.inet_pton(family, words[1].partition("%")[0])))
            except OSError:
                pass
    return found[:_MOST_SERVERS] or [(int(socket.AF_INET), b"\x7f\0\0\x01")]


def search_list(path: str = "/etc/resolv.conf") -> list[str]:
    """The domains that short names are looked for in."""
    found: list[str] = []
    for words in _settings(path):
        if words[0] in ("search", "domain"):
            found = words[1:]
    if not found:
        domain = os.uname().nodename.partition(".")[2]
        found = [domain] if domain else []
    return found


def query(name: bytes, kind: int, room: int) -> bytes:
    """The answer to a question, as it has come from the server. May take as long as the resolver tries.

    Raises:
        ResolverError
    """
    library = ctypes.CDLL("libc.so.6", use_errno=True)
    ask = getattr(library, "res_query", None) or getattr(ctypes.CDLL("libresolv.so.2"), "__res_query")
    ask.argtypes = [ctypes.c_char_p, ctypes.c_int, ctypes.c_int, ctypes.c_void_p, ctypes.c_int]
    reason = library.__h_errno_location
    reason.restype = ctypes.POINTER(ctypes.c_int)
    answer = ctypes.create_string_buffer(room)
    size = ask(name, _CLASS_INTERNET, kind, answer, room)
    if size < 0:
        raise ResolverError(reason().contents.value)
    return answer.raw[: min(size, room)]
