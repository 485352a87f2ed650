"""Commands that show what a transport does, for the service of trivial_daemon.py and its clients."""

from __future__ import annotations


def command(direction: int, number: int, size: int) -> int:
    """A command's number, as the macros of <linux/ioctl.h> make it. direction: 0 none, 1 in, 2 out, 3 both."""
    return direction << 30 | size << 16 | ord("T") << 8 | number


BY_VALUE = command(1, 1, 4)
"""Returns twice its argument and one."""
IN = command(1, 2, 288)
"""Returns the sum of the struct's bytes."""
OUT = command(2, 3, 4)
"""Writes 0x12345678, returns 3."""
BOTH = command(3, 4, 88)
"""Increments the first number of the struct, returns 7."""
WAIT = command(0, 5, 0)
"""Waits for so many milliseconds, returns 42."""
STUBBORN = command(0, 6, 0)
"""The same, up to three seconds (a busy host is slow to send a signal), and does not let itself be interrupted."""
FAIL = command(0, 7, 0)
"""Fails with the errno of its argument."""
BREAK = command(0, 8, 0)
"""Raises an exception, at once or (argument 1) later."""
RELEASED = command(0, 9, 0)
"""Returns how many open files were released so far."""
WAITING = command(0, 10, 0)
"""Returns how many commands are waiting."""
THREAD = command(0, 11, 0)
"""Returns who the caller is, as (argument) 0 the thread, 1 the user, 2 the group."""
MISFIT = command(3, 12, 88)
"""Gives fewer bytes than it should."""
LOOSE = command(3, 13, 88)
"""As BOTH, from a task."""

SIZES = {
    **dict.fromkeys((BY_VALUE, WAIT, STUBBORN, FAIL, BREAK, RELEASED, WAITING, THREAD), (0, 0)),
    **dict.fromkeys((BOTH, MISFIT, LOOSE), (88, 88)),
    IN: (288, 0),
    OUT: (0, 4),
}
