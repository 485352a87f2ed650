"""The loop that serves the device, against a fake kernel: every request is answered once, whatever happens."""

from __future__ import annotations

import errno
import os
import random
import struct
from collections import Counter

import pytest
import trio
import trio.testing
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from lswd.device.cuse import wire
from lswd.device.cuse.channel import DeviceError, DeviceGoneError
from lswd.device.cuse.server import FAIR_SHARE, Server
from tests.unit.fake_cuse import Answer, Kernel, ioctl, pair, request, serve
from tests.vm import trivial
from tests.vm.trivial_daemon import Trivial


def test_a_command_by_value_takes_one_trip() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        assert 41 == (await kernel.ioctl(file, trivial.BY_VALUE, 20)).result

    serve(scenario)


@pytest.mark.parametrize(
    ("command", "size_in", "size_out", "inputs", "areas"),
    [
        (trivial.IN, 288, 0, 1, [(0x7000, 288)]),
        (trivial.OUT, 0, 4, 0, [(0x7000, 4)]),
        (trivial.BOTH, 88, 88, 1, [(0x7000, 88), (0x7000, 88)]),
        (trivial.LOOSE, 88, 88, 1, [(0x7000, 88), (0x7000, 88)]),
    ],
)
def test_a_struct_is_asked_for_and_comes_with_another_request(
    command: int, size_in: int, size_out: int, inputs: int, areas: list[tuple[int, int]]
) -> None:
    data = bytes(range(88)) if size_in == 88 else bytes(size_in)
    expected = {
        trivial.IN: (0, b""),
        trivial.OUT: (3, b"\x78\x56\x34\x12"),
        trivial.BOTH: (7, b"\x01" + data[1:]),
        trivial.LOOSE: (7, b"\x01" + data[1:]),
    }

    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        assert (inputs, areas) == (await kernel.ioctl(file, command, 0x7000)).areas
        answer = await kernel.ioctl(file, command, 0x7000, data, size_out)
        assert expected[command] == (answer.result, answer.data)

    serve(scenario)


def test_an_unknown_command_is_einval_and_never_reaches_the_service() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        for command in (0x5401, 0x541B, 0, 0xFFFFFFFF, trivial.BOTH + (1 << 16)):
            assert -errno.EINVAL == (await kernel.ioctl(file, command)).result

    _, logged = serve(scenario)
    assert [] == logged


@pytest.mark.parametrize("argument", [0, 1])
def test_a_service_that_raises_is_an_io_error_and_a_line_in_the_log(argument: int) -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        assert -errno.EIO == (await kernel.ioctl(file, trivial.BREAK, argument)).result
        assert 3 == (await kernel.ioctl(file, trivial.BY_VALUE, 1)).result

    _, logged = serve(scenario)
    assert 1 == len(logged)
    assert "error: /dev/lsw: command 0x5408: internal error: RuntimeError('broken" in logged[0]


@pytest.mark.parametrize(
    "answer", [(0, b"few"), (1 << 31, b""), (-4096, b""), (0,), ("0", b""), (0, b"\0" * 89), None, 5]
)
def test_an_answer_that_has_no_place_is_an_io_error(answer: object) -> None:
    class Careless(Trivial):
        def ioctl(self, *_: object) -> object:  # type: ignore[override]
            return answer

    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        assert -errno.EIO == (await kernel.ioctl(file, trivial.BOTH, 1, bytes(88), 88)).result

    _, logged = serve(scenario, Careless())
    assert 1 == len(logged)


def test_sizes_that_make_no_sense_are_an_io_error() -> None:
    class Careless(Trivial):
        def sizes(self, command: int) -> tuple[int, int] | None:
            if command == 1:
                raise RuntimeError("unsure")
            return (1 << 20, 0)

    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        for command in (1, 2):
            assert -errno.EIO == (await kernel.ioctl(file, command)).result

    assert 2 == len(serve(scenario, Careless())[1])


def test_the_caller_is_who_the_kernel_says_at_each_request() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        body = struct.pack("<QIIQII", file, 2, trivial.THREAD, 0, 0, 0)
        for thread, uid, gid in ((5, 1, 2), (6, 1, 2), (6, 0, 2), (6, 0, 0)):
            found = []
            for which in range(3):
                body = struct.pack("<QIIQII", file, 2, trivial.THREAD, which, 0, 0)
                await kernel.send(request(wire.IOCTL, 1000 + which, body, thread=thread, uid=uid, gid=gid))
                found.append((await kernel.receive()).result)
            assert [thread, uid, gid] == found

    serve(scenario)


def test_a_refused_opening_fails_with_its_errno() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        for refusal, expected in ((errno.EUSERS, errno.EUSERS), (errno.EPERM, errno.EPERM), (100000, errno.EIO)):
            service.refuse = refusal
            assert -expected == (await kernel.ask(wire.OPEN, wire.OPEN_REQUEST.pack(2, 0))).error
        service.refuse = 0
        assert 1 == (await kernel.ioctl(await kernel.open(), trivial.BY_VALUE, 0)).result

    assert [] == serve(scenario)[1]


def test_what_a_device_does_not_do_has_the_errno_of_the_module() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        transfer = struct.pack("<QQIIQII", file, 0, 4096, 0, 0, 0, 0)
        assert -errno.EINVAL == (await kernel.ask(wire.READ, transfer)).error
        assert -errno.EINVAL == (await kernel.ask(wire.WRITE, transfer + b"data")).error
        assert -errno.ENOSYS == (await kernel.ask(3)).error
        assert 0 == (await kernel.ask(wire.FLUSH, bytes(24))).error

    serve(scenario)


def test_the_device_is_always_ready() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        answer = await kernel.ask(wire.POLL, struct.pack("<QQII", file, 9, 1, 1))
        assert (0x145, 0) == wire.POLL_ANSWER.unpack(answer.body)

    serve(scenario)


def test_commands_that_wait_hold_up_nobody() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        first, second = await kernel.open(), await kernel.open()
        waits = [await kernel.start(file, trivial.WAIT, 3_600_000) for file in (first, first, second)]
        for number in range(100):
            assert number * 2 + 1 == (await kernel.ioctl(first, trivial.BY_VALUE, number)).result
        assert 3 == (await kernel.ioctl(second, trivial.WAITING)).result
        assert 42 == (await kernel.ioctl(second, trivial.WAIT, 1)).result
        for wait in waits:
            await kernel.interrupt(wait)
            answer = await kernel.receive()
            assert (wait, -errno.EINTR) == (answer.unique, answer.result)

    serve(scenario)


def test_an_interrupted_command_is_cancelled() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        await kernel.interrupt(await kernel.start(file, trivial.WAIT, 3_600_000))
        assert -errno.EINTR == (await kernel.receive()).result
        while service.waiting:
            await trio.lowlevel.checkpoint()

    serve(scenario)


def test_a_caller_who_is_only_being_stopped_is_told_to_ask_again() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        service.stopping = True
        unique = await kernel.start(file, trivial.WAIT, 3_600_000)
        await trio.testing.wait_all_tasks_blocked()
        await kernel.interrupt(unique)
        answer = await kernel.receive()
        assert (unique, -512, 0) == (answer.unique, answer.result, answer.error)  # ERESTARTSYS
        await trio.testing.wait_all_tasks_blocked()
        assert 0 == service.waiting

    serve(scenario)


def test_the_caller_of_a_command_that_cannot_be_cancelled_is_answered_at_once_all_the_same() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        wait = await kernel.start(file, trivial.STUBBORN, 1000)
        while not service.waiting:
            await trio.lowlevel.checkpoint()
        await kernel.interrupt(wait)
        answer = await kernel.receive()
        assert (wait, -errno.EINTR) == (answer.unique, answer.result)
        assert 1 == service.waiting  # still at it
        while service.waiting:
            await trio.sleep(0.01)
        # Its own end is no second answer.
        assert 1 == (await kernel.ioctl(file, trivial.BY_VALUE, 0)).result

    serve(scenario)


def test_interrupting_what_is_answered_or_was_never_asked_does_nothing() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        answered = await kernel.ioctl(file, trivial.BY_VALUE, 0)
        await kernel.interrupt(answered.unique)
        await kernel.interrupt(123456)
        assert 1 == (await kernel.ioctl(file, trivial.BY_VALUE, 0)).result

    assert [] == serve(scenario)[1]


def test_the_last_close_releases_the_file_once() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        first, second = await kernel.open(), await kernel.open()
        await kernel.close(first)
        await kernel.close(first)
        await kernel.close(12345)
        while (await kernel.ioctl(second, trivial.RELEASED)).result < 1:
            pass
        assert (1, 1) == (service.open, service.released_count)
        assert -errno.EIO == (await kernel.ioctl(first, trivial.BY_VALUE)).result

    service, _ = serve(scenario)
    assert (0, 2) == (service.open, service.released_count)  # the second with the device


def test_a_release_that_need_not_wait_is_done_before_the_next_request() -> None:
    class Prompt(Trivial):
        def released(self, opener: object) -> None:  # type: ignore[override]
            self.released_count += 1

    async def scenario(kernel: Kernel, service: Trivial) -> None:
        first, second = await kernel.open(), await kernel.open()
        await kernel.send(request(wire.RELEASE, 1000, struct.pack("<QIIQ", first, 0, 0, 0)))
        released = await kernel.start(second, trivial.RELEASED)
        assert [1000, released] == [(await kernel.receive()).unique, (answer := await kernel.receive()).unique]
        assert 1 == answer.result

    serve(scenario, Prompt())


def test_a_file_is_released_after_its_last_command_has_ended() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file, other = await kernel.open(), await kernel.open()
        wait = await kernel.start(file, trivial.STUBBORN, 200)
        while not service.waiting:
            await trio.lowlevel.checkpoint()
        await kernel.interrupt(wait)
        await kernel.receive()
        await kernel.close(file)
        while not service.released_count:
            await kernel.ioctl(other, trivial.BY_VALUE)
            assert not (service.waiting and service.released_count)

    serve(scenario)


def test_a_release_that_raises_is_a_line_in_the_log() -> None:
    class Careless(Trivial):
        def released(self, opener: object) -> None:  # type: ignore[override]
            raise RuntimeError("kept")

    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        await kernel.close(file)
        await kernel.open()

    assert 2 == len(serve(scenario, Careless())[1])


def test_a_server_that_is_cancelled_answers_and_releases_all() -> None:
    end, channel = pair()
    service = Trivial()

    async def main() -> list[Answer]:
        kernel = Kernel(end)
        async with trio.open_nursery() as nursery:
            server = Server(channel, service, lambda *_: None)
            nursery.start_soon(server.run)
            file = await kernel.open()
            await kernel.open()
            await kernel.start(file, trivial.WAIT, 3_600_000)
            await kernel.start(file, trivial.STUBBORN, 1000)
            while service.waiting < 2:
                await trio.lowlevel.checkpoint()
            assert 2 == server.waiting
            nursery.cancel_scope.cancel()
        return [await kernel.receive(), await kernel.receive()]

    answers = trio.run(main)
    assert [-errno.EINTR] * 2 == [answer.result for answer in answers]
    assert (0, 2, 0) == (service.open, service.released_count, service.waiting)
    assert b"" == end.recv(100)  # the device has ended
    end.close()


def test_a_device_that_the_kernel_ends_ends_the_server() -> None:
    end, channel = pair()
    service = Trivial()

    async def main() -> None:
        kernel = Kernel(end)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(Server(channel, service, lambda *_: None).run)
            await kernel.start(await kernel.open(), trivial.WAIT, 3_600_000)
            while not service.waiting:
                await trio.lowlevel.checkpoint()
            kernel.end.close()

    with pytest.RaisesGroup(pytest.RaisesExc(DeviceGoneError, match="/dev/lsw is gone")):
        trio.run(main)
    assert (0, 1, 0) == (service.open, service.released_count, service.waiting)


def test_a_read_that_keeps_failing_ends_the_server_instead_of_spinning(monkeypatch: pytest.MonkeyPatch) -> None:
    end, channel = pair()

    def refuse(*_: object) -> int:
        raise OSError(errno.EINVAL, "Invalid argument")

    monkeypatch.setattr("lswd.device.cuse.channel.os.readv", refuse)
    with pytest.raises(DeviceError, match="Invalid argument"):
        trio.run(Server(channel, Trivial(), lambda *_: None).run)
    end.close()


def test_an_answer_that_the_kernel_refuses_becomes_an_io_error(monkeypatch: pytest.MonkeyPatch) -> None:
    real, refusals = wire.result, iter([True])

    def odd(unique: int, value: int, data: bytes = b"") -> bytes:
        # Larger than the socket takes, as a reply may be larger than the kernel does.
        return real(unique, value, bytes(1 << 22)) if next(refusals, False) else real(unique, value, data)

    monkeypatch.setattr(wire, "result", odd)

    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        assert -errno.EIO == (await kernel.ioctl(file, trivial.BY_VALUE)).result
        assert 1 == (await kernel.ioctl(file, trivial.BY_VALUE)).result

    _, logged = serve(scenario)
    assert 1 == len(logged)
    assert "the kernel refuses an answer" in logged[0]


def test_many_requests_at_once_are_all_answered_and_others_get_their_turn() -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        files = [await kernel.open() for _ in range(64)]
        chance = random.Random(7)
        expected: dict[int, int] = {}
        answers: list[Answer] = []

        async def receive() -> None:
            while len(answers) < 64 * 100:
                answers.append(await kernel.receive())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(receive)
            for _ in range(100):
                for file in files:
                    if chance.random() < 0.2:
                        expected[await kernel.start(file, trivial.WAIT, chance.randrange(5))] = 42
                    else:
                        number = chance.randrange(1000)
                        expected[await kernel.start(file, trivial.BY_VALUE, number)] = number * 2 + 1
        assert expected == {answer.unique: answer.result for answer in answers}

    serve(scenario)


def test_other_tasks_get_their_turn_while_requests_keep_coming() -> None:
    turns: list[int] = []

    class Counting(Trivial):
        def sizes(self, command: int) -> tuple[int, int] | None:
            turns[-1] += 1
            return None

    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        uniques = list(range(1000, 1000 + 3 * FAIR_SHARE))
        for unique in uniques:  # all of them before the server looks
            os.write(kernel.end.fileno(), ioctl(unique, file, 1))
        while sum(turns) < len(uniques):
            turns.append(0)
            await trio.lowlevel.checkpoint()
        assert uniques == [(await kernel.receive()).unique for _ in uniques]

    serve(scenario, Counting())
    assert max(turns) <= 2 * FAIR_SHARE  # two in a row: trio shuffles


REQUESTS = [
    request(wire.OPEN, 4, wire.OPEN_REQUEST.pack(2, 0)),
    ioctl(6, 1, trivial.BY_VALUE, 5),
    ioctl(8, 1, trivial.BOTH, 0x1000),
    ioctl(10, 1, trivial.BOTH, 0x1000, bytes(88), 88),
    ioctl(12, 1, trivial.WAIT, 1),
    ioctl(14, 1, trivial.LOOSE, 0x1000, bytes(88), 88),
    ioctl(16, 1, trivial.BREAK, 1),
    request(wire.INTERRUPT, 13, wire.INTERRUPTED.pack(12)),
    request(wire.POLL, 18, struct.pack("<QQII", 1, 9, 1, 1)),
    request(wire.READ, 20, struct.pack("<QQIIQII", 1, 0, 4096, 0, 0, 0, 0)),
    request(wire.RELEASE, 22, struct.pack("<QIIQ", 1, 0, 0, 0)),
]


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """A request with bytes changed, missing or added, or nothing like one."""
    message = bytearray(draw(st.sampled_from(REQUESTS)))
    for _ in range(draw(st.integers(0, 4))):
        # The unique stays, so that answers can be counted.
        place = draw(st.integers(0, len(message) - 1).filter(lambda at: not 8 <= at < 16))
        message[place] = draw(st.integers(0, 255))
    end = draw(st.integers(1, len(message) + 20))
    return bytes(message[:end].ljust(end, b"\x55"))


@settings(max_examples=300, suppress_health_check=list(HealthCheck))
@given(st.lists(damaged(), max_size=12))
def test_damaged_requests_are_answered_once_at_most_and_end_nothing(messages: list[bytes]) -> None:
    async def scenario(kernel: Kernel, service: Trivial) -> None:
        file = await kernel.open()
        asked: Counter[int] = Counter()
        for number, message in enumerate(messages):
            if len(message) >= 16:
                unique = 1000 + 2 * number
                message = message[:8] + struct.pack("<Q", unique) + message[16:]
                opcode = struct.unpack_from("<I", message, 4)[0]
                if len(message) >= wire.REQUEST_HEADER.size and opcode not in wire.UNANSWERED:
                    asked[unique] += 1
            await kernel.send(message)
        last = await kernel.start(file, trivial.BY_VALUE, 3)
        asked[last] += 1
        answered: Counter[int] = Counter()
        # What waits ends in time, or with the server: here only what was asked must come.
        waiting = {1000 + 2 * n for n, m in enumerate(messages) if b"\x05T\0\0" in m or b"\x06T\0\0" in m}
        while set(asked) - set(answered) - waiting:
            answered[(await kernel.receive()).unique] += 1
        assert 1 == answered[last]
        assert {} == answered - asked

    serve(scenario)
