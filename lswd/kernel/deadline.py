"""Things to do at a time: timeouts of waits and due times of timers, in one heap the scheduler looks at.

Times are those of the host's monotonic clock, which KUSER_SHARED_DATA's clocks are made from too.
"""

from __future__ import annotations

import time
from heapq import heapify, heappop, heappush

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_TIDY_AT = 64  # cancelled deadlines in the heap before it is worth rebuilding
FOREVER = 1e8  # seconds; three years, and short enough for every wait function of the host


class Deadline:
    """One entry; ``cancel`` it through ``Deadlines``."""

    __slots__ = ("action", "at", "order")

    def __init__(self, at: float, order: int, action: Callable[[], None]) -> None:
        self.at = at
        self.order = order
        self.action: Callable[[], None] | None = action

    def __lt__(self, other: Deadline) -> bool:
        return (self.at, self.order) < (other.at, other.order)


class Deadlines:
    """The heap. Equal times expire in the order they were added."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.now = clock
        self._heap: list[Deadline] = []
        self._cancelled = 0
        self._order = 0

    def __len__(self) -> int:
        return len(self._heap) - self._cancelled

    def add(self, seconds: float, action: Callable[[], None]) -> Deadline:
        """Call ``action`` from the scheduler in ``seconds`` seconds."""
        return self.add_at(self.now() + seconds, action)

    def add_at(self, at: float, action: Callable[[], None]) -> Deadline:
        """Call ``action`` from the scheduler at ``at`` on this clock."""
        self._order += 1
        deadline = Deadline(at, self._order, action)
        heappush(self._heap, deadline)
        return deadline

    def cancel(self, deadline: Deadline) -> None:
        """Forget a deadline; one that has expired already may be given too."""
        if deadline.action is None:
            return
        deadline.action = None
        self._cancelled += 1
        if self._cancelled > _TIDY_AT and self._cancelled * 2 > len(self._heap):
            self._heap = [d for d in self._heap if d.action is not None]
            heapify(self._heap)
            self._cancelled = 0

    def expire(self) -> None:
        """Do what is due."""
        if not self._heap:
            return
        now = self.now()
        while self._heap and self._heap[0].at <= now:
            deadline = heappop(self._heap)
            action, deadline.action = deadline.action, None
            if action is None:
                self._cancelled -= 1
            else:
                action()

    def due(self) -> bool:
        """Is there something to do now? May be asked from any host thread."""
        heap = self._heap
        try:
            return heap[0].at <= self.now()
        except IndexError:
            return False

    def seconds(self) -> float | None:
        """How long until there is something to do; None for ever."""
        while self._heap and self._heap[0].action is None:
            heappop(self._heap)
            self._cancelled -= 1
        if not self._heap:
            return None
        return max(0.0, self._heap[0].at - self.now())

    def at(self) -> float:
        """When there is something to do, on this clock; infinity for never. It may turn out to be cancelled."""
        return self._heap[0].at if self._heap else float("inf")
