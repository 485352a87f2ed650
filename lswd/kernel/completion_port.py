"""I/O completion ports: a queue of finished requests that threads take from.

Source: Microsoft "I/O Completion Ports", "NtSetIoCompletion", "NtRemoveIoCompletion"; waiting threads are released last
in, first out.
"""

from __future__ import annotations

from lswd.kernel.object import Waitable
from lswd.kernel.wait import park, sockets_have_news
from lswd.ntdef.status import STATUS_ABANDONED_WAIT_0, STATUS_SUCCESS, STATUS_TIMEOUT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

IO_COMPLETION_QUERY_STATE = 0x0001
IO_COMPLETION_MODIFY_STATE = 0x0002
IO_COMPLETION_ALL_ACCESS = 0x1F0003


class Packet:
    """A finished request: whose (``key``), which (``value``), and how it ended."""

    __slots__ = ("information", "key", "status", "value")

    def __init__(self, key: int, value: int, status: int, information: int) -> None:
        self.key = key
        self.value = value
        self.status = status
        self.information = information


class _Taker:
    """A thread that waits for packets."""

    __slots__ = ("packets", "thread")

    def __init__(self, thread: Thread) -> None:
        self.thread = thread
        self.packets: list[Packet] = []


class CompletionPort(Waitable):
    """See the module's docstring."""

    type_name = "IoCompletion"
    generic = (0x20001, 0x20002, 0x120000, IO_COMPLETION_ALL_ACCESS)

    def __init__(self) -> None:
        super().__init__()
        self.packets: list[Packet] = []
        self._takers: list[_Taker] = []

    def is_signalled(self, thread: Thread) -> bool:
        return bool(self.packets)

    def post(self, key: int, value: int, status: int, information: int) -> None:
        """A request has finished.

        Args:
            key: the one the file was associated with the port under.
            value: the request's own (its ApcContext: Win32's OVERLAPPED pointer).
        """
        self.add(Packet(key, value, status, information))

    def add(self, packet: Packet) -> None:
        """The same for a packet that there is already."""
        if self._takers:
            taker = self._takers[-1]
            taker.packets.append(packet)
            taker.thread.unpark(STATUS_SUCCESS)  # withdraws it from the list
        else:
            self.packets.append(packet)
            self.wake()

    async def take(
        self, thread: Thread, count: int, *, alertable: bool, timeout: int | None
    ) -> tuple[int, list[Packet]]:
        """Wait for packets and take up to ``count`` of them.

        Returns:
            STATUS_SUCCESS with at least one packet, or none with STATUS_TIMEOUT, STATUS_USER_APC, STATUS_ALERTED or
            STATUS_ABANDONED_WAIT_0 (the port was closed).
        """
        taker = _Taker(thread)
        if not self.packets and timeout == 0:
            sockets_have_news(thread)  # which comes as packets
        if not self.packets:
            if timeout == 0 and not (alertable and thread.interruptible()):
                return STATUS_TIMEOUT, []
            self._takers.append(taker)
            status = await park(
                thread, alertable=alertable, timeout=timeout, withdraw=lambda: self._takers.remove(taker)
            )
            if not taker.packets:
                return status, []
        room = count - len(taker.packets)
        taker.packets += self.packets[:room]
        del self.packets[:room]
        return STATUS_SUCCESS, taker.packets

    def on_last_handle(self) -> None:
        super().on_last_handle()
        for taker in tuple(self._takers):
            taker.thread.unpark(STATUS_ABANDONED_WAIT_0)
