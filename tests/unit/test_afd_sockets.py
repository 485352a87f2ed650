"""Sockets below ws2_32: order of operations, ends of connections, polling, closing, hostile arguments."""

from __future__ import annotations

import socket
import struct
from pathlib import Path

import pytest

from lswd.kernel.afd import ancillary
from lswd.kernel.afd import protocol as afd
from lswd.kernel.afd.controls import handler_of
from lswd.kernel.afd.endpoint import Socket
from lswd.kernel.afd.options import HANDLERS
from lswd.kernel.afd.turns import Turns
from lswd.ntdef.status import (
    STATUS_BAD_DEVICE_TYPE,
    STATUS_CANCELLED,
    STATUS_CONNECTION_RESET,
    STATUS_DEVICE_NOT_READY,
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_YIELD_PERFORMED,
    STATUS_PENDING,
    STATUS_TIMEOUT,
)
from lswd.ntdef.types import Struct

from .afd_guest import DATAGRAM, OVERLAPPED, Body, Sockets, polled, run_with_sockets
from .file_guest import Files
from .guest_threads import Guest

FileCompletionInformation = 30
FOR_EVER = 0x7FFFFFFFFFFFFFFF
HARD = struct.pack("<ii", 1, 0)
ALL_CONTROLS = [getattr(afd, name) for name in dir(afd) if name.startswith("IOCTL_")] + sorted(HANDLERS)


@pytest.mark.parametrize(
    ("structure", "size"),
    [
        (afd.CreateParameters, 16),
        (afd.ListenParameters, 12),
        (afd.AcceptIntoParameters, 12),
        (afd.ConnectParameters, 8),
        (afd.ReceiveParameters, 24),
        (afd.RecvmsgParameters, 48),
        (afd.SendmsgParameters, 32),
        (afd.TransmitParameters, 48),
        (afd.PollHeader, 16),
        (afd.PollEntry, 16),
        (afd.EventSelectParameters, 16),
        (afd.NetworkEvents, 56),
        (afd.Information, 12),
    ],
)
def test_arguments_are_as_large_as_ws2_32_makes_them(structure: type[Struct], size: int) -> None:
    assert size == structure.size(8)


def test_every_control_that_is_named_is_done() -> None:
    assert [] == [hex(code) for code in ALL_CONTROLS if handler_of(code) is None]


def test_pending_receives_get_what_arrives_in_the_order_they_were_made(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        waiting = []
        for _ in range(5):
            request, status = yield from sockets.begin_receive(handle, 3)
            waiting.append(request)
            guest.log.append(status)
        host.sendall(b"aaabbbcccddde")
        for request in waiting:
            guest.log.append((yield from request.end()))
        host.close()

    expected = [(0, b"aaa"), (0, b"bbb"), (0, b"ccc"), (0, b"ddd"), (0, b"e")]
    assert [STATUS_PENDING] * 5 + expected == run_with_sockets(tmp_path, main)


def test_many_pending_receives_end_without_running_inside_one_another(tmp_path: Path) -> None:
    count = 2000

    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        room = guest.room(1)
        vector = guest.stored(afd.WSABUF(len=1, buf=room).pack(8))
        parameters = guest.stored(afd.RecvmsgParameters(force_async=1, count=1, buffers_ptr=vector).pack(8))
        blocks = guest.room(16 * count)
        event = yield from guest.event()
        for i in range(count):
            status = yield (
                "NtDeviceIoControlFile", handle, event if i == count - 1 else 0, 0, 0, blocks + 16 * i,
                afd.IOCTL_AFD_WINE_RECVMSG, parameters, 48, 0, 0,
            )  # fmt: skip
            assert status == STATUS_PENDING
        host.sendall(bytes(count))
        yield from guest.wait(event)
        done = [sockets.memory.read_u64(blocks + 16 * i + 8) for i in range(count)]
        guest.log.append(sum(done))
        host.close()

    assert [count] == run_with_sockets(tmp_path, main)


def test_a_pending_receive_takes_no_turns_from_a_thread(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        request, _ = yield from sockets.begin_receive(handle, 1)
        host.sendall(b"w")
        guest.log.append((yield from request.end()))  # by now the event loop runs
        request, status = yield from sockets.begin_receive(handle, 1)
        guest.log += [status, (yield ("NtYieldExecution",))]
        host.sendall(b"x")
        guest.log.append((yield from request.end()))
        host.close()

    assert [(0, b"w"), STATUS_PENDING, STATUS_NO_YIELD_PERFORMED, (0, b"x")] == run_with_sockets(tmp_path, main)


def test_who_only_asks_hears_of_what_has_arrived(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        at_once = guest.time(0)
        for wanted in (b"by wait", b"by yielding", b"by a sleep of nothing"):
            request, _ = yield from sockets.begin_receive(handle, 100)
            host.sendall(wanted)
            if wanted == b"by wait":
                guest.log.append((yield "NtWaitForSingleObject", request._event, 0, at_once))
            elif wanted == b"by yielding":
                yield ("NtYieldExecution",)
            else:
                yield "NtDelayExecution", 0, at_once
            guest.log.append(request.outcome())
        host.close()

    expected = [0, (0, b"by wait"), (0, b"by yielding"), (0, b"by a sleep of nothing")]
    assert expected == run_with_sockets(tmp_path, main)


def test_who_only_asks_a_completion_port_hears_of_what_has_arrived(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        port = yield from guest.create("NtCreateIoCompletion", 0)
        block = guest.room(16)
        association = guest.stored(struct.pack("<QQ", port, 7))
        assert 0 == (yield "NtSetInformationFile", handle, block, association, 16, FileCompletionInformation)
        vector = guest.stored(afd.WSABUF(len=1, buf=guest.room(1)).pack(8))
        parameters = guest.stored(afd.RecvmsgParameters(force_async=1, count=1, buffers_ptr=vector).pack(8))
        code = afd.IOCTL_AFD_WINE_RECVMSG
        guest.log.append((yield "NtDeviceIoControlFile", handle, 0, 0, 9, block, code, parameters, 48, 0, 0))
        host.sendall(b"x")
        key, value = guest.room(8), guest.room(8)
        guest.log.append((yield "NtRemoveIoCompletion", port, key, value, guest.room(16), guest.time(0)))
        guest.log += [guest.value(key), guest.value(value)]
        host.close()

    assert [STATUS_PENDING, 0, 7, 9] == run_with_sockets(tmp_path, main)


def test_a_thread_that_waits_leaves_the_rest_to_the_request_behind_it(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        first, _ = yield from sockets.begin_receive(handle, 2)
        second, _ = yield from sockets.begin_receive(handle, 8)
        yield "NtCancelIoFileEx", handle, first._block, sockets.guest.room(16)
        host.sendall(b"rest")
        guest.log.append((yield from first.end()))
        guest.log.append((yield from second.end()))
        host.close()

    assert [(STATUS_CANCELLED, b""), (0, b"rest")] == run_with_sockets(tmp_path, main)


def test_a_connection_that_was_reset_stays_so(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected()
        host.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HARD)
        host.close()
        guest.log.append((yield from sockets.receive(handle, 8)))
        guest.log.append((yield from sockets.receive(handle, 8)))
        guest.log.append((yield from sockets.send(handle, b"x")))
        request, status = yield from sockets.begin_poll(handle, 0, (handle, 0x1FF))
        guest.log.append((status, [flags for _, flags in polled(request.outcome()[1])]))

    reset = (STATUS_CONNECTION_RESET, b"")
    told = (0, [afd.POLL_RESET | afd.POLL_CONNECT])
    assert [reset, reset, STATUS_CONNECTION_RESET, told] == run_with_sockets(tmp_path, main)


def test_receiving_can_wait_for_all_of_a_buffer(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        host.sendall(b"first,")
        request, status = yield from sockets.begin_receive(handle, 12, afd.MSG_WAITALL)
        guest.log.append(status)
        host.sendall(b"second")
        guest.log.append((yield from request.end()))
        host.close()

    assert [STATUS_PENDING, (0, b"first,second")] == run_with_sockets(tmp_path, main)


def test_a_call_on_a_nonblocking_socket_waits_only_when_it_is_overlapped(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        yield from sockets.control(handle, afd.IOCTL_AFD_WINE_FIONBIO, b"\1\0\0\0")
        guest.log.append((yield from sockets.receive(handle, 4, force=False)))
        request, status = yield from sockets.begin_receive(handle, 4, force=True)
        guest.log.append(status)
        guest.log.append((yield from sockets.receive(handle, 4, force=False)))  # nor does it overtake
        host.sendall(b"data")
        guest.log.append((yield from request.end()))
        host.close()

    refused = (STATUS_DEVICE_NOT_READY, b"")
    assert [refused, STATUS_PENDING, refused, (0, b"data")] == run_with_sockets(tmp_path, main)


def test_closing_a_socket_cancels_its_requests_and_tells_those_who_poll_it(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        other = yield from sockets.open(OVERLAPPED, "\\Device\\Afd\\Poll")
        receiving, _ = yield from sockets.begin_receive(handle, 4)
        polling, status = yield from sockets.begin_poll(other, FOR_EVER, (handle, afd.POLL_READ))
        guest.log.append(status)
        yield "NtClose", handle
        guest.log.append((yield from receiving.end()))
        status, output = yield from polling.end()
        guest.log.append((status, polled(output) == [(handle, afd.POLL_CLOSE)]))
        guest.log.append(host.recv(1))
        host.close()

    assert [STATUS_PENDING, (STATUS_CANCELLED, b""), (0, True), b""] == run_with_sockets(tmp_path, main)


def test_ending_many_pending_requests_costs_each_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    count = 300
    looks: list[object] = []
    original = Turns.is_first

    def counted(self: Turns, token: object) -> bool:
        looks.append(token)
        return original(self, token)

    monkeypatch.setattr(Turns, "is_first", counted)

    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        requests = []
        for _ in range(count):
            request, _ = yield from sockets.begin_receive(handle, 1)
            requests.append(request)
        yield "NtClose", handle
        for request in requests:
            guest.log.append((yield from request.end()))
        host.close()

    assert [(STATUS_CANCELLED, b"")] * count == run_with_sockets(tmp_path, main)
    assert len(looks) < 8 * count


def test_a_handle_without_a_socket_polls_others_and_does_nothing_else(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        other = yield from sockets.open(OVERLAPPED, "\\Device\\Afd\\Mio")
        handle, host = yield from sockets.connected(OVERLAPPED)
        request, status = yield from sockets.begin_poll(other, FOR_EVER, (handle, afd.POLL_READ | afd.POLL_HUP))
        guest.log.append(status)
        host.sendall(b"x")
        status, output = yield from request.end()
        guest.log.append((status, polled(output) == [(handle, afd.POLL_READ)]))
        guest.log.append((yield from sockets.bind(other))[0])
        guest.log.append((yield from sockets.receive(other, 1))[0])
        host.close()

    expected = [STATUS_PENDING, (0, True), STATUS_BAD_DEVICE_TYPE, STATUS_BAD_DEVICE_TYPE]
    assert expected == run_with_sockets(tmp_path, main)


def test_a_poll_that_finds_nothing_says_so(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected()
        request, status = yield from sockets.begin_poll(handle, 0, (handle, afd.POLL_READ), (handle, afd.POLL_OOB))
        guest.log.append((status, polled(request.outcome()[1])))
        host.close()

    assert [(STATUS_TIMEOUT, [])] == run_with_sockets(tmp_path, main)


def test_a_condition_nobody_waits_for_is_not_looked_at_over_and_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[int] = []
    original = Socket.on_host_events

    def counted(self: Socket, events: int) -> None:
        looks.append(events)
        original(self, events)

    monkeypatch.setattr(Socket, "on_host_events", counted)

    def main(guest: Guest, sockets: Sockets) -> Body:
        handle, host = yield from sockets.connected(OVERLAPPED)
        other, its_host = yield from sockets.connected(OVERLAPPED)
        host.sendall(b"unread")
        yield from sockets.begin_poll(handle, FOR_EVER, (handle, afd.POLL_HUP), (handle, afd.POLL_OOB))
        for i in range(50):  # the event loop turns each time
            request, _ = yield from sockets.begin_receive(other, 1)
            its_host.sendall(bytes([i]))
            yield from request.end()
        guest.log.append(sum(1 for events in looks) < 120)
        host.close()
        its_host.close()

    assert [True] == run_with_sockets(tmp_path, main)


def test_what_is_unknown_is_refused_and_counted(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.create()
        guest.log.append((yield from sockets.control(handle, afd.wine_control(999)))[0])
        guest.log.append(dict(guest.machine.process.missing_calls))

    name = f"\\Device\\Afd control {afd.wine_control(999):#x}"
    assert [STATUS_INVALID_DEVICE_REQUEST, {name: 1}] == run_with_sockets(tmp_path, main)


def test_an_address_in_use_is_shared_only_when_both_agree(tmp_path: Path) -> None:
    reuse = afd.wine_control(234)

    def main(guest: Guest, sockets: Sockets) -> Body:
        first = yield from sockets.create()
        _, address = yield from sockets.bind(first)
        second = yield from sockets.create()
        guest.log.append((yield from sockets.bind(second, *address))[0])
        yield from sockets.control(second, reuse, b"\1\0\0\0")
        guest.log.append((yield from sockets.bind(second, *address))[0])
        yield from sockets.control(first, reuse, b"\1\0\0\0")
        guest.log.append((yield from sockets.bind(second, *address))[0])
        yield "NtClose", first
        third = yield from sockets.create()
        guest.log.append((yield from sockets.bind(third, *address))[0])

    assert [0xC000020A, 0xC000020A, 0, 0xC000020A] == run_with_sockets(tmp_path, main)


HOSTILE = [b"", b"\xff", b"\xff" * 16, b"\0" * 48, b"\xff" * 64, struct.pack("<12I", *[0x7FFFFFFF] * 12)]


@pytest.mark.parametrize("kind", ["nothing", "stream", "datagram", "connected", "listening"])
def test_no_control_minds_senseless_arguments(kind: str, tmp_path: Path) -> None:
    def made(sockets: Sockets) -> Body:
        if kind == "nothing":
            return (yield from sockets.open(OVERLAPPED))
        if kind == "connected":
            return (yield from sockets.connected(OVERLAPPED))[0]
        handle = yield from sockets.create(DATAGRAM if kind == "datagram" else (1, 6), OVERLAPPED)
        if kind == "listening":
            yield from sockets.bind(handle)
            yield from sockets.control(handle, afd.IOCTL_AFD_LISTEN, afd.ListenParameters(backlog=1))
        return handle

    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from made(sockets)
        for code in ALL_CONTROLS:
            for data in HOSTILE:
                for size in (0, 3, 64):
                    yield from sockets.begin(handle, code, data, size)
            yield "NtDeviceIoControlFile", handle, 0, 0, 0, guest.room(16), code, 16, 64, 16, 64
        status, _ = yield from sockets.control(handle, afd.IOCTL_AFD_BIND, bytes(2))
        guest.log.append(status >= 0xC0000000)

    assert [True] == run_with_sockets(tmp_path, main)


def test_a_timeout_and_flags_of_a_poll_are_checked_before_anything_waits(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        handle = yield from sockets.create()
        for count in (0, 2, 0x7FFFFFFF, 0xFFFFFFFF):
            head = afd.PollHeader(timeout=FOR_EVER, count=count).pack(8) + bytes(16)
            guest.log.append((yield from sockets.control(handle, afd.IOCTL_AFD_POLL, head, 32))[0])
        files: Files = sockets.files
        status, _ = yield from files.read(handle, 4)
        guest.log.append(status >= 0xC0000000)

    assert [STATUS_INVALID_PARAMETER] * 4 + [True] == run_with_sockets(tmp_path, main)


TTL = (socket.IPPROTO_IP, 2, struct.pack("<i", 64))
DESTINATION = (socket.IPPROTO_IP, 8, struct.pack("<I4s4s", 3, b"\x7f\0\0\1", b"\x7f\0\0\2"))


def test_messages_beside_the_data_are_laid_out_for_the_guest() -> None:
    wide, _ = ancillary.for_guest([TTL, DESTINATION], 8, 128)
    assert struct.pack("<Qiii4xQii4sI", 20, 0, 4, 64, 24, 0, 19, b"\x7f\0\0\2", 3) == wide
    narrow, _ = ancillary.for_guest([TTL, DESTINATION], 4, 128)
    assert struct.pack("<IiiiIii4sI", 16, 0, 4, 64, 20, 0, 19, b"\x7f\0\0\2", 3) == narrow


def test_messages_beside_the_data_that_do_not_fit_are_left_out() -> None:
    assert (b"", True) == ancillary.for_guest([TTL], 8, 19)
    assert 20 == len(ancillary.for_guest([TTL, DESTINATION], 8, 47)[0])
    assert (b"", False) == ancillary.for_guest([(socket.IPPROTO_IP, 99, b"1234")], 8, 128)
    assert (b"", False) == ancillary.for_guest([], 8, 0)


def test_a_selection_made_before_a_connection_is_accepted_into_a_socket_holds_after(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        listening = yield from sockets.create(options=OVERLAPPED)
        _, address = yield from sockets.bind(listening)
        yield from sockets.control(listening, afd.IOCTL_AFD_LISTEN, afd.ListenParameters(backlog=5))
        waiting = yield from sockets.create(options=OVERLAPPED)
        event = yield from guest.event()
        selection = afd.EventSelectParameters(event=event, mask=afd.POLL_READ)
        yield from sockets.control(waiting, afd.IOCTL_AFD_EVENT_SELECT, selection)
        into = afd.AcceptIntoParameters(accept_handle=waiting, recv_len=0, local_len=32)
        request, status = yield from sockets.begin(listening, afd.IOCTL_AFD_WINE_ACCEPT_INTO, into, 64)
        guest.log.append(status)
        with socket.create_connection(address) as host:
            guest.log.append((yield from request.end())[0])
            host.sendall(b"news")
            yield from guest.wait(event)
            _, told = yield from sockets.control(waiting, afd.IOCTL_AFD_GET_EVENTS, size=56)
            guest.log.append(afd.NetworkEvents.unpack(8, told).flags)

    assert [STATUS_PENDING, 0, afd.POLL_READ] == run_with_sockets(tmp_path, main)
