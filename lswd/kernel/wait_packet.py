"""Wait completion packets: a wait that no thread makes, whose end is put into a completion port.

Source: Microsoft "NtCreateWaitCompletionPacket", "NtAssociateWaitCompletionPacket", "NtCancelWaitCompletionPacket".
"""

from __future__ import annotations

from lswd.kernel.object import KernelObject
from lswd.kernel.wait import Wait

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.completion_port import CompletionPort, Packet
    from lswd.kernel.object import Waitable
    from lswd.kernel.thread import Thread

WAIT_PACKET_MODIFY_STATE = 0x0001
WAIT_PACKET_ALL_ACCESS = 0xF0001


class _PacketWait(Wait):
    """A wait on behalf of a packet; ``thread`` is the one that has asked for it, and waits for nothing."""

    __slots__ = ("_owner",)

    def __init__(self, owner: WaitPacket, target: Waitable, thread: Thread) -> None:
        super().__init__(thread, [target], wait_all=False)
        self._owner = owner

    def try_satisfy(self) -> None:
        if self.take() is not None:
            self._owner.satisfied()


class WaitPacket(KernelObject):
    """See the module's docstring."""

    type_name = "WaitCompletionPacket"
    generic = (0x20000, 0x20001, 0x20000, WAIT_PACKET_ALL_ACCESS)

    def __init__(self) -> None:
        super().__init__()
        self._wait: Wait | None = None
        self._port: CompletionPort | None = None
        self._packet: Packet | None = None

    @property
    def queued(self) -> bool:
        """Is its packet in a port, and nobody has taken it yet?"""
        return self._port is not None and self._packet in self._port.packets

    @property
    def in_use(self) -> bool:
        return self._wait is not None or self.queued

    def associate(self, target: Waitable, thread: Thread, port: CompletionPort, packet: Packet) -> bool:
        """Post ``packet`` to ``port`` once ``target`` is signalled, taking the signal; is it already?"""
        self._port, self._packet = port, packet
        wait = self._wait = _PacketWait(self, target, thread)
        if wait.take() is not None:
            self.satisfied()
            return True
        wait.enqueue()
        return False

    def satisfied(self) -> None:
        """The wait is over."""
        assert self._port is not None and self._packet is not None
        self.cancel()
        self._port.add(self._packet)

    def take_back(self) -> None:
        """Take the packet out of the port."""
        assert self._port is not None and self._packet is not None
        self._port.packets.remove(self._packet)

    def cancel(self) -> bool:
        """Give the wait up; was there one?"""
        wait, self._wait = self._wait, None
        if wait is not None:
            wait.remove()
        return wait is not None

    def on_last_handle(self) -> None:
        super().on_last_handle()
        self.cancel()
