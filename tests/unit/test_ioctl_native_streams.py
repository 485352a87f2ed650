"""Reading descriptors that are not ready: several calls may wait for the same one."""

from __future__ import annotations

import os

import trio
import trio.testing

from lswd.ioctl.native.streams import read_stream


def test_two_calls_wait_for_one_descriptor() -> None:
    reading, writing = os.pipe()
    got = []

    async def read() -> None:
        got.append(await read_stream(reading, 1))

    async def main() -> None:
        with trio.fail_after(10):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(read)
                nursery.start_soon(read)
                await trio.testing.wait_all_tasks_blocked()
                os.write(writing, b"ab")

    trio.run(main)
    assert [b"a", b"b"] == sorted(got)
    os.close(reading)
    os.close(writing)
