"""A slice of the fuzzers for commands, and hostile bytes for whatever is read from a session or a client."""

from __future__ import annotations

import os
import random
import socket
from typing import cast

import pytest
import trio
import trio.testing

from lswd.ioctl.native.process_files import open_proc
from lswd.session import messages as m
from lswd.session.identity import Identity
from lswd.session.log_limit import PERIOD_SECONDS, LimitedLog
from lswd.session.order import Ending, Order, OrderError
from lswd.session.session import Session
from lswd.session.worker import Worker
from tests.fuzz.ioctls import fuzz


@pytest.mark.parametrize("seed", [1, 2])
def test_every_command_is_answered(seed: int, capfd: pytest.CaptureFixture[str]) -> None:
    answers = fuzz(1500, seed)
    assert 1500 == sum(count for name, count in answers.items() if not name.startswith("open"))
    assert 30 < len(answers)


def test_a_hostile_session_cannot_hurt_the_daemon() -> None:
    source = random.Random(3)
    log: list[str] = []

    async def main() -> None:
        ours, its = m.pair(), m.pair()
        session = Session(Identity(1, 1, ()), 1, ours[0], its[0], lambda level, text: log.append(text))
        answers = []

        async def ask() -> None:
            answers.append(await session.finish(session.begin(1, 1, 5, bytes(88))))

        async with trio.open_nursery() as nursery:
            nursery.start_soon(session.run)
            programs = [session.start(m.START_ORDER, b"") for _ in range(20)]
            for _ in range(20):
                nursery.start_soon(ask)
            for number in range(3000):
                packet = m.pack(source.randrange(16), source.randrange(50), source.getrandbits(32))
                packet = (
                    (packet + source.randbytes(source.choice((0, 0, 88, 3)))) if number % 3 else source.randbytes(20)
                )
                source.choice((ours, its))[1].send(packet)
                if number % 16 == 0:
                    await trio.sleep(0)
            ours[1].close()
            its[1].close()
        assert 20 == len(answers)
        assert all(program.ended.is_set() for program in programs)

    trio.run(main)
    assert all(text.isprintable() for text in log)


class Talking:
    """A connection to a session that always has something to say."""

    def send(self, packet: bytes, flags: int = 0) -> int:
        return len(packet)

    def recv(self, size: int, flags: int = 0) -> bytes:
        return m.pack(m.LOG, 0, 0, b"noise")

    def setblocking(self, _blocking: bool) -> None: ...
    def setsockopt(self, *_: object) -> None: ...
    def shutdown(self, _how: int) -> None: ...
    def close(self) -> None: ...


def test_a_session_that_never_stops_talking_holds_up_nobody() -> None:
    log: list[str] = []

    async def main() -> None:
        ends = cast("tuple[socket.socket, socket.socket]", (Talking(), Talking()))
        session = Session(Identity(1, 1, ()), 1, *ends, lambda level, text: log.append(text))
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(session.run)
                for _ in range(20):
                    assert not session.begin(1, 1, 5, bytes(88)).done
                    await trio.sleep(0.01)
                nursery.cancel_scope.cancel()

    trio.run(main)
    *said, first, last = (text.removeprefix("session of uid 1, gid 1: ") for text in log)
    assert (["noise"] * 100, "more than 100 lines in 600 seconds: the others are left out") == (said, first)
    assert last.endswith(" lines were left out")


def test_a_session_that_was_cut_short_may_speak_again_later() -> None:
    log: list[str] = []

    async def main() -> None:
        limited = LimitedLog(log.append)
        for _ in range(103):
            limited.say("noise")
        assert 101 == len(log)
        await trio.sleep(PERIOD_SECONDS)
        limited.say("one more")
        limited.tell_left_out()

    trio.run(main, clock=trio.testing.MockClock(autojump_threshold=0))
    assert ["3 lines were left out", "one more"] == log[101:]


def test_a_worker_ignores_packets_that_are_none() -> None:
    source = random.Random(4)
    worker = Worker(lambda packet: None, open_proc(), None, 4, 4)
    for _ in range(2000):
        kind = source.choice((m.CANCEL, m.CLOSED, 0, 77))
        worker.handle(m.pack(kind, source.getrandbits(64), 0, source.randbytes(source.randrange(4))))
        worker.handle(source.randbytes(source.randrange(12)))
    worker.close()


ORDER = Order("a.exe", ["one", "\udc80"], environ={"A": "b"}, drives=[("X:", "/")], cwd="/", umask=0o22, verbose=True)


def test_an_order_survives_its_journey() -> None:
    again = Order.from_bytes(ORDER.to_bytes())
    assert [getattr(ORDER, name) for name in Order.__slots__] == [getattr(again, name) for name in Order.__slots__]


@pytest.mark.parametrize(
    "data",
    [
        b"", b"[]", b"{}", b"\xff", b"{" * 100_000, b'{"order": 1}', b'{"order": 2, "program": "a"}',
        b'{"order": 1, "program": 5}', b'{"order": 1, "program": "a\\u0000"}', b'{"order": 1, "program": "a", "x": 1}',
        b'{"order": 1, "program": "a", "arguments": "b"}', b'{"order": 1, "program": "a", "environ": {"A": 1}}',
        b'{"order": 1, "program": "a", "environ": {"A=B": ""}}', b'{"order": 1, "program": "a", "drives": [["X:"]]}',
        b'{"order": 1, "program": "a", "umask": true}', b'{"order": 1, "program": "a", "verbose": 1}',
    ],
)  # fmt: skip
def test_what_is_no_order_is_an_order_error(data: bytes) -> None:
    with pytest.raises(OrderError):
        Order.from_bytes(data)


def test_mutated_orders_and_endings_are_read_or_refused() -> None:
    source = random.Random(5)
    ending = Ending(5)
    ending.missing_calls, ending.phases = {"NtNothing": 3}, [("open", 0.5)]
    for original, read in ((ORDER.to_bytes(), Order.from_bytes), (ending.to_bytes(4080), Ending.from_bytes)):
        read(original)
        refused = 0
        for _ in range(2000):
            data = bytearray(original)
            for _ in range(source.randrange(1, 4)):
                data[source.randrange(len(data))] = source.choice((source.randrange(256), ord('"'), ord("["), ord("0")))
            try:
                read(bytes(data))
            except OrderError:
                refused += 1
        assert 100 < refused


def test_a_packet_that_is_too_large_brings_no_descriptors() -> None:
    ours, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    before = len(os.listdir("/proc/self/fd"))
    with ours, its:
        m.send_with(ours, bytes(m.LARGEST + 1), [0, 1])
        with pytest.raises(OSError, match="too large"):
            m.receive_with(its)
        assert before == len(os.listdir("/proc/self/fd"))
