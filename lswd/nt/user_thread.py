"""What user32 reads of a thread in its TEB: the last message's time, how the current one was sent, two windows.

The structure (``ntuser_thread_info``, in TEB.Win32ClientInfo) is in the type information of Wine's user32.
"""

from __future__ import annotations

from contextlib import contextmanager

from lswd.kernel.sent_message import ISMEX_SEND
from lswd.ntdef.status import NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from lswd.kernel.sent_message import SentMessage
    from lswd.kernel.thread import Thread

_WIN32_CLIENT_INFO = {8: 0x800, 4: 0x6CC}  # by word size


def put(thread: Thread, **values: int) -> None:
    """Set members of it; one that this userland's does not have, or a TEB that is gone, is nobody's loss."""
    space = thread.process.space
    fields = thread.process.userland.structure("user32.dll", "ntuser_thread_info").fields
    base = thread.teb + _WIN32_CLIENT_INFO[space.word]
    for name, value in values.items():
        if name in fields:
            try:
                space.write_u32(base + fields[name][0], value & 0xFFFFFFFF)
            except NtError:
                return


def nesting(thread: Thread) -> int:
    """How deep user32 is in window procedures that have sent messages to windows of their own thread."""
    space = thread.process.space
    fields = thread.process.userland.structure("user32.dll", "ntuser_thread_info").fields
    if "recursion_count" not in fields:
        return 0
    return space.read_u16(thread.teb + _WIN32_CLIENT_INFO[space.word] + fields["recursion_count"][0])


@contextmanager
def receiving_flags(thread: Thread, sent: SentMessage | None) -> Iterator[None]:
    """Meanwhile, InSendMessageEx says how ``sent`` was sent."""
    queue = thread.messages
    put(thread, receive_flags=sent.kind if sent is not None else 0)
    try:
        yield
    finally:
        outer = queue.receiving[-2] if queue is not None and len(queue.receiving) > 1 else None
        put(thread, receive_flags=outer.kind if outer is not None else 0)


def replied(thread: Thread) -> None:
    """The message that the thread works on has been answered."""
    queue = thread.messages
    if queue is not None and queue.receiving:
        put(thread, receive_flags=queue.receiving[-1].kind | ISMEX_SEND)
