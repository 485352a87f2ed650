"""The processors this process may use.

Asked for once: while a guest shares one with the kernel (cpu.jail.placement), the kernel thread may use only that one,
which says nothing about how many a program has.
"""

from __future__ import annotations

import functools
import os


@functools.cache
def usable() -> frozenset[int]:
    """Their numbers."""
    return frozenset(os.sched_getaffinity(0))
