"""A service for the commands of trivial.py, and a daemon with it: `python -m tests.vm.trivial_daemon NAME`."""

from __future__ import annotations

import argparse
import errno
import struct
import sys
import time
from collections.abc import Awaitable, Sequence

import trio

from lswd.device.cuse.node import create
from lswd.device.cuse.server import Server
from tests.vm.trivial import (
    BOTH,
    BREAK,
    BY_VALUE,
    FAIL,
    IN,
    LOOSE,
    MISFIT,
    OUT,
    RELEASED,
    SIZES,
    STUBBORN,
    THREAD,
    WAIT,
    WAITING,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.device.transport import Answer, Caller


class Trivial:
    """The service."""

    def __init__(self) -> None:
        self.open = 0
        self.released_count = 0
        self.waiting = 0
        self.stopping = False
        """Whether who is interrupted will be back."""
        self.refuse = 0
        """The errno that opening fails with."""

    def opened(self, caller: Caller, flags: int) -> object:
        """Count it."""
        if self.refuse:
            raise OSError(self.refuse, "refused")
        self.open += 1
        return [caller.tid]

    def sizes(self, command: int) -> tuple[int, int] | None:
        """From the table."""
        return SIZES.get(command)

    def ioctl(
        self, opener: object, caller: Caller, command: int, argument: int, data: bytes, descriptors: Sequence[int] = ()
    ) -> Answer | Awaitable[Answer]:
        """One command."""
        if command == BY_VALUE:
            return (argument * 2 + 1) & 0x7FFFFFFF, b""
        if command == IN:
            return sum(data), b""
        if command == OUT:
            return 3, struct.pack("<I", 0x12345678)
        if command == BOTH:
            return self._both(data)
        if command in (WAIT, STUBBORN):
            seconds = argument / 1000 if command == WAIT else min(argument / 1000, 3)
            return self._wait(seconds, shield=command == STUBBORN)
        if command == FAIL:
            return -argument, b""
        if command == BREAK:
            if argument == 1:
                return self._break()
            raise RuntimeError("broken at once")
        if command == RELEASED:
            return self.released_count, b""
        if command == WAITING:
            return self.waiting, b""
        if command == THREAD:
            return (caller.tid, caller.uid, caller.gid)[argument], b""
        if command == MISFIT:
            return 0, b"few"
        if command == LOOSE:
            return self._later(data)
        return -errno.EINVAL, b""

    def _both(self, data: bytes) -> Answer:
        (first,) = struct.unpack_from("<I", data)
        return 7, struct.pack("<I", (first + 1) & 0xFFFFFFFF) + data[4:]

    async def _later(self, data: bytes) -> Answer:
        await trio.lowlevel.checkpoint()
        return self._both(data)

    async def _break(self) -> Answer:
        await trio.lowlevel.checkpoint()
        raise RuntimeError("broken later")

    async def _wait(self, seconds: float, *, shield: bool) -> Answer:
        self.waiting += 1
        try:
            with trio.CancelScope(shield=shield):
                await trio.sleep(seconds)
        finally:
            self.waiting -= 1
        return 42, b""

    def interrupted(self, opener: object, caller: Caller, command: int, argument: int) -> bool:
        """As set."""
        return self.stopping

    async def released(self, opener: object) -> None:
        """Count it, after a moment."""
        await trio.lowlevel.checkpoint()
        self.open -= 1
        self.released_count += 1


def log(level: str, message: str) -> None:
    """A line on standard error."""
    print(f"{time.monotonic():.3f} {level}: {message}", file=sys.stderr, flush=True)


async def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("name")
    parser.add_argument("--group", type=int)
    parser.add_argument("--mode", type=lambda text: int(text, 8))
    arguments = parser.parse_args()
    channel = create(arguments.name, group=arguments.group, mode=arguments.mode)
    print("ready", flush=True)
    await Server(channel, Trivial(), log).run()


if __name__ == "__main__":
    trio.run(main)
