"""Native reads and writes that wait when their handle is closed."""

from __future__ import annotations

import errno
import os
from typing import Any

import pytest
import trio
import trio.testing

from lswd.ioctl.native.declare import REQUEST
from lswd.ioctl.native.holdings import Holdings, OpenFile
from lswd.ioctl.native.serve import serve

READ, WRITE, CLOSE = 0x06, 0x08, 0x0F


class Memory:
    """A caller whose memory is all there."""

    def read(self, *place: int) -> bytes:
        return bytes(place[-1])

    def write(self, *place: object) -> None: ...


def call(holdings: Holdings, number: int, *arguments: int) -> Any:
    request = REQUEST.pack(number, len(arguments), *arguments, *(0,) * (8 - len(arguments)), 0, 0)
    caller: Any = None
    memory: Any = Memory()
    return serve(request, 5, 1, holdings, caller, memory)


def error_of(answer: tuple[int, bytes]) -> int:
    result, data = answer
    assert result == 0
    return int.from_bytes(REQUEST.pack(*REQUEST.unpack(data))[-8:-4], "little", signed=True)


@pytest.mark.parametrize("number", [READ, WRITE])
@pytest.mark.parametrize("started", [True, False], ids=["waiting", "about to"])
def test_closing_a_handle_ends_what_waits_for_it(number: int, started: bool) -> None:
    ends = os.pipe()
    fd, other = ends if number == READ else ends[::-1]
    if number == WRITE:
        os.set_blocking(fd, False)
        with pytest.raises(BlockingIOError):
            while True:
                os.write(fd, bytes(4096))
    holdings = Holdings()
    handle = holdings.add_file(OpenFile(fd, readable=number == READ, writable=number == WRITE, waits=True))
    errors: list[int] = []

    async def wait() -> None:
        errors.append(error_of(await call(holdings, number, handle, 0x1000, 16)))

    async def main() -> None:
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                for _ in range(2):
                    nursery.start_soon(wait)
                if started:
                    await trio.testing.wait_all_tasks_blocked(0.001)
                    assert error_of(call(holdings, CLOSE, handle)) == 0
                else:
                    later = call(holdings, number, handle, 0x1000, 16)
                    await trio.testing.wait_all_tasks_blocked(0.001)
                    assert error_of(call(holdings, CLOSE, handle)) == 0
                    errors.append(error_of(await later))

    trio.run(main)
    assert set(errors) == {-errno.EBADF}
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)
    os.close(other)
