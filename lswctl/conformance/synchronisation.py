"""Checks of native calls on events, mutexes, waits and memory."""

from __future__ import annotations

import errno
import os
import struct
import threading
import time

from lswctl.conformance.client import Client, Unfulfilled, check, expect

EVENT, MUTEX, WAIT, SET, RELEASE = 0x48, 0xC4, 0x04, 0x0E, 0x1D
ALLOCATE, FREE, PROTECT, READ_MEMORY = 0x18, 0x1E, 0x50, 0x3F
TIMEOUT = 0x102
BAD_HANDLE = -errno.EBADF
_INVALID = -errno.EINVAL


@check("events: set ones let everybody through, again and again")
def event(client: Client) -> None:
    handle, error = client.call(EVENT, 0, 0)
    expect(0, error)
    expect((TIMEOUT, 0), client.call(WAIT, handle, 10))
    expect((0, 0), client.call(SET, handle))
    expect((0, 0), client.call(WAIT, handle, 10))
    expect((0, 0), client.call(WAIT, handle, 10))
    handle, _ = client.call(EVENT, 1, 1 << 40)
    expect((0, 0), client.call(WAIT, handle, 10), "any bit is true")


@check("mutexes: one wait takes them, a release gives them back")
def mutex(client: Client) -> None:
    handle, error = client.call(MUTEX, 0)
    expect(0, error)
    expect((0, 0), client.call(WAIT, handle, 10))
    expect((TIMEOUT, 0), client.call(WAIT, handle, 10), "not recursive")
    expect((0, 0), client.call(RELEASE, handle))
    expect((0, 0), client.call(RELEASE, handle), "a free one")
    expect((0, 0), client.call(WAIT, handle, 10))
    handle, _ = client.call(MUTEX, 1)
    expect((TIMEOUT, 0), client.call(WAIT, handle, 10), "owned from the start")
    expect((0, 0), client.call(SET, handle), "NtSetEvent of a mutex")
    expect((0, 0), client.call(WAIT, handle, 10))


@check("an endless wait that succeeds is no error, and takes the mutex", "reports -1 and does not take it")
def endless(client: Client) -> None:
    handle, _ = client.call(MUTEX, 0)
    expect((0, 0), client.call(WAIT, handle, 0))
    expect((TIMEOUT, 0), client.call(WAIT, handle, 10))
    handle, _ = client.call(EVENT, 1, 1)
    expect((0, 0), client.call(WAIT, handle, 0xFFFF_FFFF))


@check("a wait ends when another thread sets the event; others are served meanwhile")
def woken(client: Client) -> None:
    handle, _ = client.call(EVENT, 1, 0)
    answers = []
    waiter = threading.Thread(target=lambda: answers.append(client.call(WAIT, handle, 20_000)))
    waiter.start()
    while not client.call(EVENT, 1, 0)[0]:
        pass
    expect((0, 0), client.call(SET, handle))
    waiter.join(20)
    if waiter.is_alive():
        raise Unfulfilled("it still waits")
    expect(0, answers[0][0])


@check("handles of events are of no use for files, and NtClose does not know them")
def kinds(client: Client) -> None:
    handle, _ = client.call(EVENT, 1, 1)
    expect((0, BAD_HANDLE), client.call(0x0F, handle))
    expect((0, BAD_HANDLE), client.call(0x06, handle, client.space(4), 4))
    for number in (WAIT, SET, RELEASE):
        expect((0, BAD_HANDLE), client.call(number, 0x7777, 1), hex(number))


@check("NtDelayExecution sleeps", "returns at once")
def sleeping(client: Client) -> None:
    before = time.monotonic()
    expect((0, 0), client.call(0x33, 0, -1_000_000))
    if time.monotonic() - before < 0.09:
        raise Unfulfilled("it returned too early")


@check("NtWaitForMultipleObjects is a sleep that succeeds")
def multiple(client: Client) -> None:
    expect((0, 0), client.call(0x58, 1, 8, 1, 10))
    expect((0, 0), client.call(0x58, 1, 8, 1, 0xFFFF_FFFF))


@check("NtTerminateThread succeeds and leaves the thread alone", "kills the calling thread")
def terminate_thread(client: Client) -> None:
    expect((0, 0), client.call(0x53, 0, 7))


@check("memory: allocate, protect, read, free")
def memory(client: Client) -> None:
    expect((0x40_0000, 0), client.call(ALLOCATE, 0x40_0000, 0x1000, 0x3000, 4))
    expect((4, 0), client.call(PROTECT, 0x40_0000, 0x1000, 2))
    expect((2, 0), client.call(PROTECT, 0x40_0000, 1, 4))
    expect((256, 0), client.call(READ_MEMORY, 0, 0x40_0000, 4096))
    expect((16, 0), client.call(READ_MEMORY, 0, 0x40_0FF0, 4096))
    expect((5, 0), client.call(READ_MEMORY, 0, 0x40_0000, 5))
    expect((0, _INVALID), client.call(READ_MEMORY, 0, 0x40_1000, 5))
    expect((0, _INVALID), client.call(PROTECT, 0x40_0001, 1, 4))
    expect((0, _INVALID), client.call(FREE, 0x40_0001))
    expect((0, 0), client.call(FREE, 0x40_0000))
    expect((0, _INVALID), client.call(FREE, 0x40_0000))


@check("memory: sizes of 0 and above 4 GiB are ENOMEM; base 0 is chosen")
def memory_sizes(client: Client) -> None:
    expect((0, -errno.ENOMEM), client.call(ALLOCATE, 0, 0, 0, 0))
    expect((0, -errno.ENOMEM), client.call(ALLOCATE, 0, (1 << 32) + 1, 0, 0))
    base, error = client.call(ALLOCATE, 0, 0x1000, 0, 4)
    expect(0, error)
    if not base:
        raise Unfulfilled("no address")
    expect((0, 0), client.call(FREE, base))


@check("memory: one base may be allocated twice and is freed as often")
def memory_twice(client: Client) -> None:
    for protect in (1, 2):
        expect((0x50_0000, 0), client.call(ALLOCATE, 0x50_0000, 0x1000, 0, protect))
    expect((2, 0), client.call(PROTECT, 0x50_0000, 0, 8), "the newest is found first")
    expect((0, 0), client.call(FREE, 0x50_0000))
    expect((1, 0), client.call(PROTECT, 0x50_0000, 0, 8))
    expect((0, 0), client.call(FREE, 0x50_0000))


@check("NtQuerySystemInformation: classes 0 and 5")
def system_information(client: Client) -> None:
    expect((0, 0), client.call(0x36, 0))
    count, error = client.call(0x36, 5)
    expect(0, error)
    if not count:
        raise Unfulfilled("no processes at all")
    expect((0, -errno.ENOSYS), client.call(0x36, 1))


@check("NtQueryInformationProcess: class 0 tells pid and parent")
def process_information(client: Client) -> None:
    buffer = client.place(b"\xff" * 64)
    expect((0, 0), client.call(0x19, 0, 0, buffer, 48))
    expect((0, 0, 0, 0, os.getpid(), os.getppid()), struct.unpack("<6Q", client.at(buffer, 48)))
    expect((0xC000_0005, -errno.EFAULT), client.call(0x19, 0, 0, 8, 48))
    expect((0, 0), client.call(0x19, 0, 7, buffer, 16))
    expect(bytes(16), client.at(buffer, 16))
