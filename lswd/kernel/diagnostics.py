"""What the userland itself has to say: the diagnostics of Wine's DLLs, which come through ntdll."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process

_LONGEST_MESSAGE = 1 << 16


def write_diagnostics(process: Process, address: int, length: int) -> int:
    """Returns how much was written. As with Wine, WINEDEBUG=-all asks for silence; so does not setting it, here."""
    length = min(length, _LONGEST_MESSAGE)
    text = process.space.read(address, length)
    process.last_words = text.decode("utf-8", "replace")
    if os.environ.get("WINEDEBUG", "-all") != "-all":
        print_to_host(text)
    return length


def print_to_host(data: bytes) -> None:
    """Write to the host's standard error."""
    try:
        os.write(2, data)
    except OSError:
        pass  # a terminal that is gone does not concern the program
