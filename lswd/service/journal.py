"""The daemon's log: to systemd's journal with fields to search by, or as lines to standard error.

    journalctl -u lswd LSW_UID=1000

Source: systemd "Native Journal Protocol", systemd.exec(5) on JOURNAL_STREAM. A message too large for a datagram goes to
standard error like anywhere else; ours are not.
"""

from __future__ import annotations

import os
import socket
import sys
from typing import TYPE_CHECKING

from lswd.service.settings import LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TextIO

JOURNAL = "/run/systemd/journal/socket"
_PRIORITIES = {"error": 3, "warning": 4, "notice": 5, "info": 6, "debug": 7}
_LONGEST = 4000


class Log:
    """Call it with a level, a message and fields.

    Attributes:
        level: messages less important than this are dropped.
    """

    def __init__(self, environ: Mapping[str, str], level: str = "info", stream: TextIO | None = None) -> None:
        self.level = level
        self._stream = sys.stderr if stream is None else stream
        self._to_journal = _is_journal(self._stream, environ.get("JOURNAL_STREAM", ""))
        self._socket: socket.socket | None = None
        if self._to_journal:
            self._socket = _connect(JOURNAL)

    def __call__(self, level: str, message: str, **fields: object) -> None:
        """Log a message; ``fields`` are searchable in the journal as LSW_<NAME> and shown behind it elsewhere."""
        if LEVELS.index(level) > LEVELS.index(self.level):
            return
        message = "".join(c if c.isprintable() else "?" for c in message[:_LONGEST])
        shown = {name: "".join(c if c.isprintable() else "?" for c in str(value)) for name, value in fields.items()}
        if self._socket is not None:
            try:
                self._socket.send(_entry(level, message, shown))
            except OSError:  # the journal is being restarted, or will not take it
                self._socket = _connect(JOURNAL)
            else:
                return
        line = message + "".join(f" {name}={value}" for name, value in shown.items())
        prefix = f"<{_PRIORITIES[level]}>" if self._to_journal else f"lswd: {level}: "
        try:
            self._stream.write(f"{prefix}{line}\n")
            self._stream.flush()
        except (OSError, ValueError):  # nobody listens
            pass


def _entry(level: str, message: str, fields: Mapping[str, str]) -> bytes:
    """An entry of fields without newlines."""
    lines = [f"PRIORITY={_PRIORITIES[level]}", "SYSLOG_IDENTIFIER=lswd", f"MESSAGE={message}"]
    lines += [f"LSW_{name.upper()}={value}" for name, value in fields.items()]
    return "\n".join([*lines, ""]).encode("utf-8", "replace")


def _is_journal(stream: TextIO, variable: str) -> bool:
    """Is ``stream`` what JOURNAL_STREAM speaks of? It is inherited by processes with other ideas about their stderr."""
    try:
        found = os.fstat(stream.fileno())
    except (OSError, ValueError):
        return False
    return variable == f"{found.st_dev}:{found.st_ino}"


def _connect(path: str) -> socket.socket | None:
    out = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    try:
        out.connect(path)
    except OSError:
        out.close()
        return None
    out.setblocking(False)
    return out
