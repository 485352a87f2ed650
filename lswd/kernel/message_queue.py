"""A thread's message queue: what is sent and posted to it and its windows, timers, and the wish to quit.

As on NT a queue remembers which kinds of message it has, and which of them nobody has been told about: waiting for
input ends for news only.
Source: Microsoft "About Messages and Message Queues", "GetQueueStatus", "MsgWaitForMultipleObjectsEx", "SetTimer".
"""

from __future__ import annotations

import time

from lswd.kernel.input_state import InputState
from lswd.kernel.object import Waitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.deadline import Deadlines
    from lswd.kernel.sent_message import SentMessage
    from lswd.kernel.thread import Thread
    from lswd.kernel.window import Window

QS_POSTMESSAGE = 0x08
QS_TIMER = 0x10
QS_PAINT = 0x20
QS_SENDMESSAGE = 0x40
QS_ALLPOSTMESSAGE = 0x100
QS_ALLINPUT = 0x4FF
WM_PAINT = 0x0F
WM_QUIT = 0x12
WM_TIMER = 0x113
WM_SYSTIMER = 0x118
MOST_POSTED = 10000
MOST_SENT = 10000
_LAST_TIMER = 0x8000  # its number, from which those of others count down
_MOST_TIMERS = 10000
_SHORTEST_PERIOD = 10  # ms; USER_TIMER_MINIMUM


class Message:
    """One MSG; ``window`` is a handle, 0 for a message to the thread."""

    __slots__ = ("code", "first", "second", "time", "window")

    def __init__(self, code: int, first: int, second: int, window: int = 0) -> None:
        self.window = window
        self.code = code
        self.first = first
        self.second = second
        self.time = time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF


class Answer:
    """What a window has answered to a message whose sender did not wait: SendMessageCallback's routine gets it."""

    __slots__ = ("data", "message", "routine")

    def __init__(self, routine: int, data: int, message: SentMessage) -> None:
        self.routine = routine
        self.data = data
        self.message = message


class _Timer:
    __slots__ = ("code", "deadline", "due", "period", "routine")

    def __init__(self, period: int, routine: int, code: int) -> None:
        self.code = code
        self.period = period
        self.routine = routine
        self.due = False
        self.deadline: object = None


class News(Waitable):
    """What a thread waits for when it waits for messages: those of ``mask`` that it has not been told about, or with
    ``any_there`` also those it has."""

    type_name = "News"

    def __init__(self, queue: MessageQueue, mask: int, *, any_there: bool) -> None:
        super().__init__()
        self._queue = queue
        self._mask = mask
        self._any_there = any_there

    def is_signalled(self, thread: Thread) -> bool:
        bits = self._queue.changed | (self._queue.there() if self._any_there else 0)
        return bool(bits & self._mask)


class MessageQueue:
    """See the module's docstring.

    Attributes:
        changed: QS_* bits of what nobody has been told about.
        receiving: messages of other threads that its thread works on, the innermost last.
        on_close: called when its thread ends.
        unpainted: its windows that have something to paint, perhaps once they are shown.
        input: the thread's active window and focus.
    """

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._posted: list[Message] = []
        self._sent: list[SentMessage | Answer] = []
        self._timers: dict[tuple[int, int], _Timer] = {}  # by window and identifier
        self._quit: int | None = None
        self.receiving: list[SentMessage] = []
        self.on_close: Callable[[], None] | None = None
        self.input = InputState()
        self._listeners: list[News] = []
        self._last_timer = _LAST_TIMER
        self.unpainted: dict[Window, None] = {}
        self.changed = 0

    def there(self) -> int:
        """QS_* bits of what is in the queue."""
        bits = QS_POSTMESSAGE | QS_ALLPOSTMESSAGE if self._posted or self._quit is not None else 0
        if self._sent:
            bits |= QS_SENDMESSAGE
        if any(window.can_paint for window in self.unpainted):
            bits |= QS_PAINT
        return bits | (QS_TIMER if any(timer.due for timer in self._timers.values()) else 0)

    def post(self, message: Message) -> bool:
        """Append a message; False when the queue is full."""
        if len(self._posted) >= MOST_POSTED:
            return False
        self._posted.append(message)
        self._tell(QS_POSTMESSAGE | QS_ALLPOSTMESSAGE)
        return True

    def post_quit(self, code: int) -> None:
        """WM_QUIT, once nothing else is there."""
        self._quit = code
        self._tell(QS_POSTMESSAGE | QS_ALLPOSTMESSAGE)

    def to_paint(self, window: Window) -> None:
        """A window of the thread has something to paint."""
        self.unpainted[window] = None
        self._tell(QS_PAINT)

    def send(self, message: SentMessage) -> bool:
        """Append a sent message; False when there are too many."""
        if len(self._sent) >= MOST_SENT:
            return False
        self._sent.append(message)
        self._tell(QS_SENDMESSAGE)
        return True

    def send_answer(self, routine: int, data: int, message: SentMessage) -> None:
        """Append the answer to a message that the thread has sent, for SendMessageCallback's routine."""
        if len(self._sent) < 2 * MOST_SENT:
            self._sent.append(Answer(routine, data, message))
            self._tell(QS_SENDMESSAGE)

    def take_sent(self) -> SentMessage | Answer | None:
        """The first sent message that somebody still wants answered, or answer."""
        while self._sent:
            message = self._sent.pop(0)
            if isinstance(message, Answer) or message.wanted:
                return message
        self.changed &= ~QS_SENDMESSAGE
        return None

    def take(
        self, lowest: int, highest: int, *, remove: bool, accepts: Callable[[int], bool] = lambda window: True,
        kinds: int = QS_ALLINPUT,
    ) -> Message | None:  # fmt: skip
        """The first message in the range of codes whose window is accepted; what is to be painted comes late, timers
        last. ``kinds``: QS_*. ``None``: there is none."""
        self.changed = 0
        for i, message in enumerate(self._posted if kinds & QS_POSTMESSAGE else ()):
            if lowest <= message.code <= highest and accepts(message.window):
                return self._posted.pop(i) if remove else message
        if self._quit is not None and kinds & QS_POSTMESSAGE:
            quit_message = Message(WM_QUIT, self._quit, 0)
            if remove:
                self._quit = None
            return quit_message
        if self.unpainted and kinds & QS_PAINT and lowest <= WM_PAINT <= highest:
            painting = self._next_to_paint(accepts, remove=remove)
            if painting is not None:
                return painting
        for (window, identifier), timer in self._timers.items() if kinds & QS_TIMER else ():
            if timer.due and lowest <= timer.code <= highest and accepts(window):
                timer.due = not remove
                return Message(timer.code, identifier, timer.routine, window)
        return None

    def _next_to_paint(self, accepts: Callable[[int], bool], *, remove: bool) -> Message | None:
        """WM_PAINT, parents first; it comes again until the window's region is valid."""
        ready = [window for window in self.unpainted if window.can_paint and accepts(window.handle)]
        if not ready:
            return None
        window = min(ready, key=lambda each: each.depth())
        if remove and window.update is not None and not window.update.bands:
            window.update = None
            del self.unpainted[window]
        return Message(WM_PAINT, 0, 0, window.handle)

    def listen(self, mask: int, *, any_there: bool = False) -> News:
        """An object to wait for; ``forget`` it afterwards."""
        news = News(self, mask, any_there=any_there)
        self._listeners.append(news)
        return news

    def forget(self, news: News) -> None:
        """The wait is over."""
        self._listeners.remove(news)

    def set_timer(self, identifier: int, period: int, routine: int, window: int = 0, code: int = WM_TIMER) -> int:
        """Begin a timer, or begin an existing one anew; returns its identifier, which those without a window do not
        choose; 0 when there are too many."""
        if (window, identifier) not in self._timers:
            if len(self._timers) >= _MOST_TIMERS:
                return 0
            if not window:
                identifier = self._new_identifier()
        self.kill_timer(identifier, window)
        timer = self._timers[window, identifier] = _Timer(max(period, _SHORTEST_PERIOD), routine, code)
        self._start(timer)
        return identifier

    def _new_identifier(self) -> int:
        while True:
            self._last_timer = self._last_timer - 1 or _LAST_TIMER
            if (0, self._last_timer) not in self._timers:
                return self._last_timer

    def kill_timer(self, identifier: int, window: int = 0) -> bool:
        """End a timer; False when there is none."""
        timer = self._timers.pop((window, identifier), None)
        if timer is not None:
            self._deadlines.cancel(timer.deadline)  # type: ignore[arg-type]
        return timer is not None

    def forget_window(self, window: Window) -> None:
        """A window of the thread has been destroyed: what was on its way to it is lost."""
        handle = window.handle
        self.unpainted.pop(window, None)
        self._posted = [message for message in self._posted if message.window != handle]
        for timer_window, identifier in tuple(self._timers):
            if timer_window == handle:
                self.kill_timer(identifier, handle)
        for message in tuple(self._sent):
            if not isinstance(message, Answer) and message.window is window:
                self._sent.remove(message)
                message.fail()

    def close(self) -> None:
        """The thread has ended."""
        if self.on_close is not None:
            self.on_close()
        for window, identifier in tuple(self._timers):
            self.kill_timer(identifier, window)
        self._posted.clear()
        waiting, self._sent = [*self._sent, *self.receiving], []
        self.receiving.clear()
        for message in waiting:
            if not isinstance(message, Answer):
                message.fail()

    def _start(self, timer: _Timer) -> None:
        timer.deadline = self._deadlines.add(timer.period / 1000, lambda: self._elapsed(timer))

    def _elapsed(self, timer: _Timer) -> None:
        timer.due = True
        self._start(timer)
        self._tell(QS_TIMER)

    def _tell(self, bits: int) -> None:
        self.changed |= bits
        for news in tuple(self._listeners):
            news.wake()
