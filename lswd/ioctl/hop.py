"""What the service needs of sessions; ``lswd.session.pool`` has it, and so have tests without any other process."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from typing import Protocol

    import trio

    from lswd.device.transport import Answer, Caller
    from lswd.ioctl.commands import PeInfo

    class Ending(Protocol):
        """How a program ended (session.order.Ending)."""

        exit_status: int
        reason: int
        exit_code: int

        def to_bytes(self, limit: int) -> bytes: ...

    class Program(Protocol):
        """A program that a session runs.

        Attributes:
            host_pid: its Linux process, 0 while there is none yet.
            ended: set when it is over; ``ending`` is there from then on.
        """

        host_pid: int

        @property
        def ended(self) -> trio.Event: ...

        @property
        def ending(self) -> Ending: ...

        def signal(self, number: int) -> None:
            """Send a signal."""

        def kill(self, exit_status: int) -> None:
            """End it with this status."""

    class Sessions(Protocol):
        """All sessions there are. Who may do what has been decided before these are called."""

        def native(self, caller: Caller, opener: int, command: int, data: bytes) -> Answer | Awaitable[Answer]:
            """Serve SYSCALL (``command``: 4 or 5) as the caller. Cancelling it is an interruption."""
            ...

        async def execute(self, caller: Caller, pid: int, info: PeInfo) -> Program:
            """Run the image that process ``pid`` has registered. Raises OSError."""
            ...

        async def launch(self, caller: Caller, descriptors: Sequence[int]) -> Program:
            """Run an order: stdin, stdout, stderr, working directory, memfd. Raises OSError."""
            ...

        def closed(self, opener: int) -> None:
            """An open file of the device is gone."""

        async def run(self, nursery: trio.Nursery) -> None:
            """Start what runs in the background."""

        async def close(self) -> None:
            """End all sessions."""
