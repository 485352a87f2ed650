"""Checks of the commands on registrations, and of those that are ours."""

from __future__ import annotations

import errno
import os
import time

from lswctl.conformance.client import Client, check, expect, fails, known_numbers
from lswd.ioctl.commands import (
    EXECUTE_PE,
    FEATURE_EMULATE,
    GET_STATUS,
    INFO,
    KILL_PE,
    PROTOCOL,
    REASON_EXITED,
    REASON_RUNNING,
    REGISTER_PE,
    SIGNAL_PE,
    STILL_ACTIVE,
    SYSCALL,
    UNREGISTER_PE,
    WAIT_PE,
    WORD,
    Info,
    Kill,
    Signal,
    Wait,
)

NO_PID = 4_194_304  # one more than the largest there can be
_OURS = "has no such command"


@check("REGISTER_PE and UNREGISTER_PE of the own pid count up and down")
def register_and_unregister(client: Client) -> None:
    before = client.status()
    client.register(os.getpid())
    expect(before + 1, client.status())
    expect(0, client.command(UNREGISTER_PE, os.getpid()))
    expect(before, client.status())


@check("REGISTER_PE twice takes two slots, UNREGISTER_PE frees one at a time")
def register_twice(client: Client) -> None:
    before = client.status()
    client.register(os.getpid())
    client.register(os.getpid())
    expect(before + 2, client.status())
    client.command(UNREGISTER_PE, os.getpid())
    expect(before + 1, client.status())
    client.command(UNREGISTER_PE, os.getpid())
    fails(errno.ESRCH, lambda: client.command(UNREGISTER_PE, os.getpid()))


@check("UNREGISTER_PE of what is not registered is ESRCH")
def unregister_unknown(client: Client) -> None:
    fails(errno.ESRCH, lambda: client.command(UNREGISTER_PE, os.getpid()))


@check("UNREGISTER_PE takes its pid by value, the low 32 bits of it")
def unregister_by_value(client: Client) -> None:
    client.register(os.getpid())
    expect(0, client.command(UNREGISTER_PE, 0xABCD << 32 | os.getpid()))


@check("REGISTER_PE of pid 0 only counts, and so does UNREGISTER_PE")
def pid_zero(client: Client) -> None:
    before = client.status()
    client.register(0)
    expect(before + 1, client.status())
    expect(0, client.command(UNREGISTER_PE, 0))
    expect(0, client.command(UNREGISTER_PE, 0))
    expect(before - 1, client.status())
    client.register(0)


@check("a bad pointer is EFAULT")
def bad_pointers(client: Client) -> None:
    for command in (REGISTER_PE, GET_STATUS, SYSCALL):
        fails(errno.EFAULT, lambda command=command: client.command(command, 0), command.name)  # type: ignore[misc]
        fails(errno.EFAULT, lambda command=command: client.command(command, 8), command.name)  # type: ignore[misc]


@check("an unknown command is EINVAL, those of terminals too")
def unknown_commands(client: Client) -> None:
    address = client.space(4096)
    for command in (0x5401, 0x541B, 0x4C00, 0x80044C05, 0xC0544C05, 0xC0544C04, 0x411C4C01, 0x41204D01, 0):
        if command not in known_numbers():
            fails(errno.EINVAL, lambda command=command: client.device.ioctl(command, address), hex(command))  # type: ignore[misc]


@check("a command may come sign-extended")
def sign_extended(client: Client) -> None:
    address = client.space(4)
    expect(0, client.device.ioctl(0xFFFF_FFFF_0000_0000 | GET_STATUS.number, address))


@check("GET_STATUS writes four bytes and no more")
def status_size(client: Client) -> None:
    address = client.place(b"\xaa" * 16)
    client.command(GET_STATUS, address)
    expect(b"\xaa" * 12, client.at(address + 4, 12))


@check("EXECUTE_PE of a registration without an image is 0")
def execute_nothing(client: Client) -> None:
    client.register(os.getpid(), path=b"nothing-is-called-like-this")
    expect(0, client.command(EXECUTE_PE, os.getpid()))


@check("EXECUTE_PE of what is not registered is ESRCH")
def execute_unknown(client: Client) -> None:
    fails(errno.ESRCH, lambda: client.command(EXECUTE_PE, os.getpid()))


@check("EXECUTE_PE of pid 0 is 0")
def execute_zero(client: Client) -> None:
    expect(0, client.command(EXECUTE_PE, 0))


@check("closing the device drops its registrations", "keeps them until it is unloaded")
def registrations_go(client: Client) -> None:
    before = client.status()
    client.register(os.getpid())
    client.again()
    deadline = time.monotonic() + 5  # a release is told when it is told
    while client.status() != before and time.monotonic() < deadline:
        time.sleep(0.01)
    expect(before, client.status())
    fails(errno.ESRCH, lambda: client.command(UNREGISTER_PE, os.getpid()))


@check("1000 registrations one after the other find room", "is full after 256 programs that did not unregister")
def no_exhaustion(client: Client) -> None:
    for _ in range(4):
        for _ in range(250):
            client.register(os.getpid())
        for _ in range(250):
            client.command(UNREGISTER_PE, os.getpid())


@check("a process that does not exist cannot be registered", "registers any number")
def register_nobody(client: Client) -> None:
    fails(errno.ESRCH, lambda: client.register(NO_PID))


@check("INFO tells protocol and limit", _OURS)
def info(client: Client) -> None:
    client.register(os.getpid())
    answer = Info.unpack(WORD, client.struct(INFO, bytes(32)))
    expect(PROTOCOL, answer.protocol)
    if not answer.limit or not answer.registered:
        expect("a limit and a registration", (answer.limit, answer.registered))


def _wait(client: Client, pid: int, milliseconds: int) -> tuple[int, int]:
    data = Wait(pid=pid, timeout_ms=milliseconds).pack(WORD)
    answer = Wait.unpack(WORD, client.struct(WAIT_PE, data))
    return answer.exit_status, answer.reason


@check("WAIT_PE of what has not been executed times out, still active", _OURS)
def wait_running(client: Client) -> None:
    client.register(os.getpid())
    expect((STILL_ACTIVE, REASON_RUNNING), _wait(client, os.getpid(), 0))
    expect((STILL_ACTIVE, REASON_RUNNING), _wait(client, os.getpid(), 20))


@check("WAIT_PE of what is not registered is ESRCH", _OURS)
def wait_unknown(client: Client) -> None:
    fails(errno.ESRCH, lambda: _wait(client, NO_PID, 0))
    fails(errno.ESRCH, lambda: _wait(client, 0, 0))


@check("WAIT_PE after EXECUTE_PE tells how it ended", _OURS)
def wait_ended(client: Client) -> None:
    client.register(os.getpid())
    client.command(EXECUTE_PE, os.getpid())
    emulates = Info.unpack(WORD, client.struct(INFO, bytes(32))).features & FEATURE_EMULATE
    expect((0, REASON_EXITED) if emulates else (STILL_ACTIVE, REASON_RUNNING), _wait(client, os.getpid(), 0))


@check("KILL_PE and SIGNAL_PE of what does not run are ESRCH", _OURS)
def kill_unknown(client: Client) -> None:
    client.register(os.getpid())
    fails(errno.ESRCH, lambda: client.struct(KILL_PE, Kill(pid=os.getpid(), exit_status=1).pack(WORD)))
    fails(errno.ESRCH, lambda: client.struct(SIGNAL_PE, Signal(pid=os.getpid(), event=0).pack(WORD)))


@check("SIGNAL_PE with an unknown event is EINVAL", _OURS)
def unknown_event(client: Client) -> None:
    fails(errno.EINVAL, lambda: client.struct(SIGNAL_PE, Signal(pid=os.getpid(), event=77).pack(WORD)))


@check("another user's process can neither be registered nor executed", "lets anybody do anything")
def foreign_process(client: Client) -> None:
    if os.geteuid() in (0, os.stat("/proc/1").st_uid):
        return  # root may; and here process 1 is our own
    fails(errno.EPERM, lambda: client.register(1))
