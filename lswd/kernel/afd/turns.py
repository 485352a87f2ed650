"""Whose turn it is: operations that wait for one another on a socket."""

from __future__ import annotations

from collections import OrderedDict

from lswd.kernel.afd.watch import fire

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file import Waiter


class Turns:
    """Operations of one kind on one socket, first come first served: none overtakes another. Who is not first waits for
    its turn only (``HostWait.until_turn``), so that each costs the same however many there are.

    Attributes:
        mask: the host's events that the first one waits for.
    """

    __slots__ = ("_places", "mask")

    def __init__(self, mask: int) -> None:
        self.mask = mask
        self._places: OrderedDict[object, Waiter | None] = OrderedDict()

    def join(self) -> object:
        """Queue up; returns what stands for the place."""
        token = object()
        self._places[token] = None
        return token

    def is_first(self, token: object) -> bool:
        return next(iter(self._places)) is token

    def leave(self, token: object) -> bool:
        """Is it another's turn now?"""
        passed = self.is_first(token)
        del self._places[token]
        return passed and bool(self._places)

    def wait(self, token: object, waiter: Waiter | None) -> None:
        """``waiter`` fires when it is the turn of ``token``; with None nobody waits there any more."""
        self._places[token] = waiter

    def call_first(self) -> None:
        """Let the first have a try, if it waits for its turn."""
        waiter = next(iter(self._places.values()), None)
        if waiter is not None:
            fire(waiter)
