"""Random and mutated commands for the service: each is answered, once, and nothing is raised.

`python -m tests.fuzz.ioctls --count 100000 --seed 1` prints what was answered how often.
"""

from __future__ import annotations

import argparse
import ctypes
import mmap
import os
import random
import struct
import tempfile
from collections import Counter

import trio

from lswd.device.transport import Caller
from lswd.ioctl import commands as c
from lswd.ioctl.native.serve import NATIVE
from lswd.ioctl.registrations import Opener
from lswd.ioctl.service import LswService
from lswd.ioctl.settings import Settings
from tests.unit.in_process_device import LocalSessions

OUTSTANDING = 32
PATIENCE = 60
_EDGES = (0, 1, 2, 3, 4, 8, 0xFF, 0x1000, 0x1001, 0x2000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFF5, 0xFFFF_FFFF,
          1 << 32, 1 << 63, (1 << 64) - 1, (1 << 64) - 11)  # fmt: skip


class Fuzzer:
    """A seeded source of commands, and the service they go to."""

    def __init__(self, seed: int, directory: str) -> None:
        self.random = random.Random(seed)
        self.errors: list[str] = []
        self.answers: Counter[str] = Counter()
        self.sessions = LocalSessions(256)
        settings = Settings(registrations=8, openers=16, handles=32, programs=4, interrupt_grace=0.0)
        self.service = LswService(settings, self.sessions, self._log)
        self.callers = [Caller(os.getpid(), uid, uid) for uid in (0, 1000, 1001)] + [
            Caller(0, 0, 0),
            Caller(1, 1000, 5),
        ]
        self.openers: list[tuple[Opener, Caller]] = []
        self._memory = mmap.mmap(-1, 4 * mmap.PAGESIZE)
        base = ctypes.addressof(ctypes.c_char.from_buffer(self._memory))
        ctypes.CDLL(None).mprotect(ctypes.c_void_p(base + 2 * mmap.PAGESIZE), mmap.PAGESIZE, 0)
        for number, name in enumerate(("a", "b", "no/such", "fifo", ".")):
            path = os.path.join(directory, name).encode()
            self._memory[256 * number : 256 * number + len(path) + 1] = path + b"\0"
        os.mkfifo(os.path.join(directory, "fifo"))
        self._pointers = [base + 256 * number for number in range(5)]
        self._pointers += [base + mmap.PAGESIZE, base + 2 * mmap.PAGESIZE - 3, 0, 8, (1 << 64) - 8]

    def _log(self, level: str, message: str) -> None:
        if level == "error":
            self.errors.append(message)

    def _number(self) -> int:
        choice = self.random.randrange(4)
        if choice == 0:
            return self.random.choice(_EDGES)
        if choice == 1:
            return self.random.choice(self._pointers)
        return self.random.getrandbits(self.random.choice((4, 8, 16, 32, 64)))

    def _request(self) -> bytes:
        number = self.random.choice([*NATIVE, 0x4E]) if self.random.random() < 0.95 else self.random.getrandbits(32)
        arguments = [self._number() for _ in range(8)]
        if number == 0x55:  # paths that lead elsewhere would write there
            arguments[0] = self.random.choice(self._pointers)
            count = self.random.randrange(4, 9)
        else:
            count = self.random.randrange(9)
        return struct.pack("<II8QQi4x", number, count, *arguments, 0, 0)

    def _data(self, command: c.Command) -> bytes:
        if command.nr in (4, 5) and command.in_size == 88:
            return self._request()
        if command is c.REGISTER_PE:
            pid = self.random.choice((0, 1, os.getpid(), self.random.getrandbits(32)))
            return c.PeInfo(pid=pid, base=self._number(), path=self.random.randbytes(256)).pack(8)
        if command in (c.WAIT_PE, c.KILL_PE, c.SIGNAL_PE):
            pid = self.random.choice((0, 1, os.getpid(), self.random.getrandbits(32)))
            return struct.pack("<II", pid, self.random.choice(_EDGES) & 0xFFFF_FFFF).ljust(command.in_size, b"\0")
        return self.random.randbytes(command.in_size)

    def _choose(self) -> tuple[int, bytes]:
        """A command's number and data: sensible ones, mutated ones, and noise."""
        command = self.random.choice(list(c.COMMANDS.values()))
        data = self._data(command)
        choice = self.random.randrange(20)
        if choice == 0:
            return command.number ^ 1 << self.random.randrange(32), data
        if choice == 1:
            return command.number, data[: self.random.randrange(len(data) + 1)] + self.random.randbytes(3)
        if choice == 2 and command is not c.SYSCALL:
            return command.number, self.random.randbytes(len(data))
        return command.number, data

    async def run(self, count: int) -> None:
        """Make ``count`` commands; raises what should not have been."""
        async with trio.open_nursery() as nursery:
            await self.service.run(nursery)
            async with trio.open_nursery() as requests:
                scopes: list[trio.CancelScope] = []
                for number in range(count):
                    self._open_and_close()
                    scope = trio.CancelScope()
                    requests.start_soon(self._one, scope)
                    scopes.append(scope)
                    if len(scopes) > OUTSTANDING:
                        scopes.pop(0).cancel()
                    if number % 8 == 0:
                        await trio.lowlevel.checkpoint()
                for scope in scopes:
                    scope.cancel()
                for opener, _ in self.openers:
                    self.service.released(opener)
                with trio.fail_after(PATIENCE):
                    while len(requests.child_tasks):
                        await trio.sleep(0.01)
            await self.service.close()
            nursery.cancel_scope.cancel()
        assert [] == self.errors, self.errors[:3]
        assert 0 == self.service.table.count, "registrations are left"
        assert [] == self.service.programs(), "programs are left"

    def _open_and_close(self) -> None:
        if len(self.openers) < 3 or self.random.random() < 0.01:
            caller = self.random.choice(self.callers)
            try:
                self.openers.append((self.service.opened(caller, 0), caller))
            except OSError as error:
                self.answers[f"open: {error.errno}"] += 1
        if len(self.openers) > 12:
            opener, _ = self.openers.pop(self.random.randrange(len(self.openers)))
            self.service.released(opener)
        for program in self.sessions.programs:
            if not program.ended.is_set() and self.random.random() < 0.2:
                program.kill(self.random.getrandbits(32))
        self.sessions.programs.clear()
        self.sessions.hold = self.random.random() < 0.2

    async def _one(self, scope: trio.CancelScope) -> None:
        opener, own = self.random.choice(self.openers)
        caller = own if self.random.random() < 0.9 else self.random.choice(self.callers)
        number, data = self._choose()
        if number == c.SYSCALL_A.number and data[:4] == b"\x55\0\0\0":
            number = c.SYSCALL.number  # the old NtCreateFile writes to a file in /tmp
        descriptors = [os.open(os.devnull, os.O_RDONLY) for _ in range(self.random.choice((0, 0, 0, 0, 1, 5)))]
        with scope:
            answer = self.service.ioctl(opener, caller, number, self._number(), data, tuple(descriptors))
            result, back = answer if isinstance(answer, tuple) else await answer
            sizes = self.service.sizes(number)
            assert -511 <= result <= 0x7FFF_FFFF, (hex(number), result)
            assert not back or (sizes is not None and len(back) == sizes[1]), (hex(number), len(back))
            name = c.COMMANDS[number].name if number in c.COMMANDS else "unknown"
            self.answers[f"{name}: {min(result, 0)}"] += 1
        if scope.cancelled_caught:
            self.answers["interrupted"] += 1


def fuzz(count: int, seed: int) -> Counter[str]:
    """Make ``count`` commands; returns how they were answered."""
    with tempfile.TemporaryDirectory() as directory:
        fuzzer = Fuzzer(seed, directory)
        trio.run(fuzzer.run, count)
    return fuzzer.answers


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--count", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    for name, count in sorted(fuzz(options.count, options.seed).items()):
        print(f"{count:8} {name}")


if __name__ == "__main__":
    main()
