"""Large RSA keys that a guest brings: to see whether their primes are some takes up to minutes."""

from __future__ import annotations

from lswd.kernel.copied import in_copy

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

QUICK_BITS = 4096
"""The largest keys that are checked in less than a second."""

_MOST_SECONDS = 60


async def is_sound(make: Callable[[], object]) -> bool:
    """Whether ``make``, which makes a key and checks it, does not fail or take too long; found out elsewhere.

    Raises:
        OSError: the host has no room for another process.
    """

    def work() -> bytes:
        make()
        return b"sound"

    return await in_copy(work, _MOST_SECONDS) is not None
