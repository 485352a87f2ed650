"""A thread's message queue: what is posted to it, timers, and the wish to quit.

There are no windows here, so what arrives is what threads post to each other. As on NT a queue remembers which kinds of
message it has, and which of them nobody has been told about: waiting for input ends for news only.
Source: Microsoft "About Messages and Message Queues", "GetQueueStatus", "MsgWaitForMultipleObjectsEx", "SetTimer".
"""

from __future__ import annotations

import time

from lswd.kernel.object import Waitable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.deadline import Deadlines
    from lswd.kernel.thread import Thread

QS_POSTMESSAGE = 0x08
QS_TIMER = 0x10
QS_ALLPOSTMESSAGE = 0x100
WM_TIMER = 0x113
MOST_POSTED = 10000
_LAST_TIMER = 0x8000  # its number, from which those of others count down
_MOST_TIMERS = 10000
_SHORTEST_PERIOD = 10  # ms; USER_TIMER_MINIMUM


class Message:
    """One MSG without a window."""

    __slots__ = ("code", "first", "second", "time")

    def __init__(self, code: int, first: int, second: int) -> None:
        self.code = code
        self.first = first
        self.second = second
        self.time = time.monotonic_ns() // 1_000_000 & 0xFFFFFFFF


class _Timer:
    __slots__ = ("deadline", "due", "period", "routine")

    def __init__(self, period: int, routine: int) -> None:
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
    """See the module's docstring. ``changed``: QS_* bits of what nobody has been told about."""

    def __init__(self, deadlines: Deadlines) -> None:
        self._deadlines = deadlines
        self._posted: list[Message] = []
        self._timers: dict[int, _Timer] = {}
        self._listeners: list[News] = []
        self._last_timer = _LAST_TIMER
        self.changed = 0

    def there(self) -> int:
        """QS_* bits of what is in the queue."""
        bits = QS_POSTMESSAGE | QS_ALLPOSTMESSAGE if self._posted else 0
        return bits | (QS_TIMER if any(timer.due for timer in self._timers.values()) else 0)

    def post(self, message: Message) -> bool:
        """Append a message; False when the queue is full."""
        if len(self._posted) >= MOST_POSTED:
            return False
        self._posted.append(message)
        self._tell(QS_POSTMESSAGE | QS_ALLPOSTMESSAGE)
        return True

    def take(self, lowest: int, highest: int, *, remove: bool) -> Message | None:
        """The first message in the range of codes, timers last; ``None`` when there is none."""
        self.changed = 0
        for i, message in enumerate(self._posted):
            if lowest <= message.code <= highest:
                return self._posted.pop(i) if remove else message
        if lowest <= WM_TIMER <= highest:
            for identifier, timer in self._timers.items():
                if timer.due:
                    timer.due = not remove
                    return Message(WM_TIMER, identifier, timer.routine)
        return None

    def listen(self, mask: int, *, any_there: bool = False) -> News:
        """An object to wait for; ``forget`` it afterwards."""
        news = News(self, mask, any_there=any_there)
        self._listeners.append(news)
        return news

    def forget(self, news: News) -> None:
        """The wait is over."""
        self._listeners.remove(news)

    def set_timer(self, identifier: int, period: int, routine: int) -> int:
        """Begin a timer, or begin an existing one anew; returns its identifier, 0 when there are too many."""
        if identifier not in self._timers:
            if len(self._timers) >= _MOST_TIMERS:
                return 0
            identifier = self._new_identifier()
        self.kill_timer(identifier)
        timer = self._timers[identifier] = _Timer(max(period, _SHORTEST_PERIOD), routine)
        self._start(timer)
        return identifier

    def _new_identifier(self) -> int:
        while True:
            self._last_timer = self._last_timer - 1 or _LAST_TIMER
            if self._last_timer not in self._timers:
                return self._last_timer

    def kill_timer(self, identifier: int) -> bool:
        """End a timer; False when there is none."""
        timer = self._timers.pop(identifier, None)
        if timer is not None:
            self._deadlines.cancel(timer.deadline)  # type: ignore[arg-type]
        return timer is not None

    def close(self) -> None:
        """The thread has ended."""
        for identifier in tuple(self._timers):
            self.kill_timer(identifier)
        self._posted.clear()

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
