"""Serving a busy client with reads that block: nothing is lost, and everybody else gets his turn all the same."""

from __future__ import annotations

import itertools
import os
import random
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable

import pytest
import trio

from lswd.device.cuse import server, wire
from lswd.device.cuse.channel import Channel
from lswd.device.cuse.server import FAIR_SHARE, TICK_MILLISECONDS, Server
from lswd.device.cuse.ticks import Ticks
from tests.unit.fake_cuse import Answer, ioctl, pair, request
from tests.vm import trivial
from tests.vm.trivial_daemon import Trivial


class Client:
    """The kernel's end in a thread of its own, for the server's may be blocked."""

    def __init__(self, end: socket.socket) -> None:
        self.end = end
        end.settimeout(20)
        self.unique = 100
        self.file = 0

    def receive(self) -> Answer:
        return Answer(self.end.recv(65536))

    def open(self) -> None:
        self.end.send(request(wire.OPEN, 2, wire.OPEN_REQUEST.pack(os.O_RDWR, 0)))
        (self.file, *_) = wire.OPEN_ANSWER.unpack(self.receive().body)

    def start(self, command: int, argument: int) -> int:
        self.unique += 2
        self.end.send(ioctl(self.unique, self.file, command, argument))
        return self.unique

    def ask(self, argument: int) -> None:
        unique = self.start(trivial.BY_VALUE, argument)
        answer = self.receive()
        assert (unique, argument * 2 + 1) == (answer.unique, answer.result)


@pytest.fixture
def blocking(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """What reading was set to, in the order it was."""
    seen: list[bool] = []
    real = Channel.set_blocking

    def set_blocking(channel: Channel, value: bool) -> None:
        seen.append(value)
        real(channel, value)

    monkeypatch.setattr(Channel, "set_blocking", set_blocking)
    return seen


@pytest.fixture
def busy(blocking: list[bool], monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """The same, with a client that is busy however slow this host is just now."""
    monkeypatch.setattr(server, "BUSY_SECONDS", 60.0)
    return blocking


def serve(client: Callable[[Client], None], *others: Callable[[], Awaitable[None]]) -> None:
    """Serve a client until it has ended, and other tasks beside."""
    end, channel = pair()
    failures: list[BaseException] = []

    def run(token: trio.lowlevel.TrioToken, done: Callable[[], None]) -> None:
        try:
            kernel = Client(end)
            kernel.open()
            client(kernel)
        except BaseException as failure:
            failures.append(failure)
        token.run_sync_soon(done)

    async def main() -> None:
        with trio.fail_after(60):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(Server(channel, Trivial(), lambda *_: None).run)
                for other in others:
                    nursery.start_soon(other)
                token = trio.lowlevel.current_trio_token()
                thread = threading.Thread(target=run, args=(token, nursery.cancel_scope.cancel))
                thread.start()
        thread.join()

    try:
        trio.run(main)
    finally:
        end.close()
        channel.close()
    if failures:
        raise failures[0]


def test_a_busy_client_is_read_with_reads_that_block_and_an_idle_one_is_not(blocking: list[bool]) -> None:
    def client(kernel: Client) -> None:
        for number in range(5):
            kernel.ask(number)
            time.sleep(0.02)
        assert [] == blocking
        for number in range(500):
            kernel.ask(number)
        assert True in blocking
        time.sleep(0.1)
        assert False is blocking[-1]
        count = len(blocking)
        time.sleep(0.1)
        assert count == len(blocking)

    serve(client)


def test_no_request_is_lost_however_it_meets_the_ticks(busy: list[bool]) -> None:
    chance = random.Random(1)

    def client(kernel: Client) -> None:
        for number in range(4000):
            kernel.ask(number)
            if number % 40 == 0:
                time.sleep(chance.uniform(0, 2.5 * TICK_MILLISECONDS / 1000))

    serve(client)
    assert busy


def test_other_tasks_get_their_turn_meanwhile(busy: list[bool]) -> None:
    asked = 0
    turns: list[int] = []

    async def other() -> None:
        while True:
            turns.append(asked)
            await trio.sleep(0)

    def client(kernel: Client) -> None:
        nonlocal asked
        for number in range(3000):
            asked = number
            kernel.ask(number)

    serve(client, other)
    assert busy
    # Trio shuffles, and on a slow host the server changes its way of reading meanwhile: a share may begin anew twice.
    assert max(later - sooner for sooner, later in itertools.pairwise(turns)) < 4 * FAIR_SHARE


def test_what_waits_is_served_without(busy: list[bool]) -> None:
    """Its answer comes from elsewhere, and must not wait for a tick; nor must an interruption."""

    def client(kernel: Client) -> None:
        for number in range(300):
            kernel.ask(number)
        assert True in busy
        waiting = kernel.start(trivial.STUBBORN, 900)
        for number in range(300):
            kernel.ask(number)
        assert False is busy[-1]
        kernel.end.send(request(wire.INTERRUPT, waiting | 1, wire.INTERRUPTED.pack(waiting)))
        assert waiting == kernel.receive().unique

    serve(client)


def test_a_signal_reaches_the_daemon_while_it_reads(busy: list[bool]) -> None:
    heard = threading.Event()

    async def listen() -> None:
        with trio.open_signal_receiver(signal.SIGUSR1) as signals:
            async for _ in signals:
                heard.set()

    def client(kernel: Client) -> None:
        for number in range(300):
            kernel.ask(number)
        os.kill(os.getpid(), signal.SIGUSR1)
        while not heard.is_set():
            kernel.ask(1)

    serve(client, listen)
    assert busy


def test_ticks_come_until_they_are_stopped() -> None:
    ticks = Ticks(1)
    try:
        with ticks:
            deadline = time.monotonic() + 20
            for _ in range(3):
                while not ticks.ticked:
                    assert time.monotonic() < deadline
                ticks.ticked = False
        time.sleep(0.01)
        ticks.ticked = False
        time.sleep(0.05)
        assert not ticks.ticked
    finally:
        ticks.close()
