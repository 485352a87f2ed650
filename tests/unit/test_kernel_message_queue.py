"""The timers of a message queue: their numbers, and how many there may be."""

from __future__ import annotations

from lswd.kernel.deadline import Deadlines
from lswd.kernel.message_queue import MessageQueue

FIRST = 0x7FFF


def test_numbers_of_timers_that_have_ended_are_used_again() -> None:
    queue = MessageQueue(Deadlines())
    kept = queue.set_timer(0, 1000, 0)
    for _ in range(0x10000):
        last = queue.set_timer(0, 1000, 0)
        assert last not in (0, kept)
        assert queue.kill_timer(last)
    assert FIRST == kept and 0 < last <= 0x8000


def test_a_queue_does_not_take_any_number_of_timers() -> None:
    queue = MessageQueue(Deadlines())
    made = [queue.set_timer(0, 1000, 0) for _ in range(10001)]
    assert len({*made}) == 10001 and made[-1] == 0
    assert made[0] == queue.set_timer(made[0], 2000, 0)
