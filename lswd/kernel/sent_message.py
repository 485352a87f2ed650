"""A message that another thread has sent to a window, and that its sender may wait for.

Source: Microsoft "SendMessage", "SendMessageTimeout", "SendNotifyMessage", "SendMessageCallback", "InSendMessageEx".
"""

from __future__ import annotations

from lswd.kernel.object import Waitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.kernel.window import Window

ISMEX_SEND, ISMEX_NOTIFY, ISMEX_CALLBACK, ISMEX_REPLIED = 1, 2, 4, 8


class SentMessage(Waitable):
    """It is signalled once it has been answered.

    Attributes:
        kind: ISMEX_*: how it was sent, and whether it has been answered.
        sender: whose memory its parameters point into.
        data: what its second parameter points to, when that is another process's memory.
        failed: nobody has answered it: the window or its thread is gone.
        wanted: the sender still waits for it.
        answer: what the window has left in ``data``.
        on_answer: called with it once it has been answered.
    """

    type_name = "SentMessage"

    def __init__(self, window: Window, code: int, first: int, second: int, sender: Process, *, ansi: bool) -> None:
        super().__init__()
        self.window = window
        self.code = code
        self.first = first
        self.second = second
        self.sender = sender
        self.ansi = ansi
        self.kind = ISMEX_SEND
        self.data: bytes | None = None
        self.answer = b""
        self.result = 0
        self.answered = False
        self.failed = False
        self.wanted = True
        self.on_answer: Callable[[SentMessage], None] | None = None

    def is_signalled(self, thread: Thread) -> bool:
        return self.answered

    def reply(self, result: int) -> bool:
        """Answer it; False when it has been answered already."""
        if self.answered:
            return False
        self.answered = True
        self.result = result
        self.kind |= ISMEX_REPLIED
        if self.on_answer is not None:
            self.on_answer(self)
        self.wake()
        return True

    def fail(self) -> None:
        """Nobody will answer it."""
        self.failed = not self.answered
        self.reply(0)
