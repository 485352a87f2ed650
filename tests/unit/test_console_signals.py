"""The host's signals as control events of a program."""

from __future__ import annotations

import os
import signal
from collections.abc import Generator
from typing import Any

import pytest

from lswd.kernel.console import protocol
from lswd.kernel.console.protocol import CTRL_EVENT_PARAMETERS
from lswd.kernel.console.signals import install

from .console_guest import Body, Consoles, Terminal, run_on_terminal
from .guest_threads import PREEMPT, Guest, Machine

STATUS_CONTROL_C_EXIT = 0xC000013A
STATUS_TIMEOUT = 0x102
CURRENT_PROCESS = 0xFFFFFFFFFFFFFFFF
C, BREAK, CLOSE = 0, 1, 2

Handler = Any


def machine_with(routine: Handler, *, initialized: bool = True) -> Machine:
    """A machine whose ntdll has ``routine`` as its control routine, and which gets this process's signals."""
    machine = Machine()
    prepare(machine, routine)
    machine.process.initialized = initialized
    return machine


def prepare(machine: Machine, routine: Handler) -> None:
    exports: Any = machine.system.userland
    address = machine.engine.address_of(routine)
    exports.ntdll_exports = {**exports.ntdll_exports, "__wine_ctrl_routine": address - machine.process.ntdll_base}
    machine.process.initialized = True
    install(machine.process)


def run(machine: Machine, program: Handler) -> tuple[int, list[Any]]:
    """The exit status and the log."""
    try:
        return machine.run(program), machine.guest.log
    finally:
        machine.process.restore_host()


def take(guest: Guest, event: int) -> Body:
    """A handler that takes care of the event."""
    guest.log.append(event)
    yield PREEMPT
    return 1


def never_ready(guest: Guest, event: int) -> Body:
    guest.log.append(event)
    yield from guest.sleep(1000)


def give_up(guest: Guest, event: int) -> Body:
    """What runs last: the end of the process."""
    guest.log.append(event)
    yield "NtTerminateProcess", CURRENT_PROCESS, STATUS_CONTROL_C_EXIT


def kill(number: int) -> None:
    os.kill(os.getpid(), number)


@pytest.mark.parametrize(("number", "event"), [(signal.SIGINT, C), (signal.SIGQUIT, BREAK)])
def test_a_signal_is_handled_in_a_new_thread(number: int, event: int) -> None:
    def program(guest: Guest, _: int) -> Body:
        kill(number)
        for _ in range(4):
            yield PREEMPT
        guest.log.append("goes on")
        return 7

    assert (7, [event, "goes on"]) == run(machine_with(take), program)


def test_a_waiting_program_is_told_at_once() -> None:
    def program(guest: Guest, _: int) -> Body:
        kill(signal.SIGINT)
        yield from guest.wait((yield from guest.event()))

    assert (STATUS_CONTROL_C_EXIT, [C]) == run(machine_with(give_up), program)


def test_a_program_that_is_still_loading_just_ends() -> None:
    def program(guest: Guest, _: int) -> Body:
        kill(signal.SIGINT)
        yield PREEMPT
        guest.log.append("not reached")

    machine = machine_with(take)
    machine.process.initialized = False
    assert (STATUS_CONTROL_C_EXIT, []) == run(machine, program)


def test_a_userland_without_a_control_routine_just_ends() -> None:
    def program(guest: Guest, _: int) -> Body:
        kill(signal.SIGINT)
        yield PREEMPT
        guest.log.append("not reached")

    machine = Machine()
    machine.process.initialized = True
    install(machine.process)
    assert (STATUS_CONTROL_C_EXIT, []) == run(machine, program)


def test_insisting_ends_a_program_that_does_not_get_on_with_it() -> None:
    def program(guest: Guest, _: int) -> Body:
        for _ in range(2):
            kill(signal.SIGINT)
            yield PREEMPT
            yield PREEMPT
        guest.log.append("not reached")

    assert (STATUS_CONTROL_C_EXIT, [C]) == run(machine_with(never_ready), program)


def test_a_program_that_handles_interrupts_may_have_many() -> None:
    def program(guest: Guest, _: int) -> Body:
        for _ in range(4):
            kill(signal.SIGINT)
            for _ in range(4):
                yield PREEMPT
        return 3

    assert (3, [C] * 4) == run(machine_with(take), program)


def test_a_second_break_ends_any_program() -> None:
    def program(guest: Guest, _: int) -> Body:
        for _ in range(2):
            kill(signal.SIGQUIT)
            for _ in range(4):
                yield PREEMPT
        guest.log.append("not reached")

    assert (STATUS_CONTROL_C_EXIT, [BREAK]) == run(machine_with(take), program)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_program_has_five_seconds_to_close(number: int) -> None:
    def program(guest: Guest, _: int) -> Body:
        kill(number)
        yield PREEMPT
        for _ in range(100):
            yield from guest.sleep(0.1)
            guest.log.append(guest.now)

    status, log = run(machine_with(never_ready), program)
    assert (STATUS_CONTROL_C_EXIT, CLOSE) == (status, log[0])
    assert 4.8 < max(log[1:]) < 5.0


def test_a_close_handler_that_returns_has_finished() -> None:
    def program(guest: Guest, _: int) -> Body:
        kill(signal.SIGTERM)
        yield PREEMPT
        for _ in range(100):
            yield from guest.sleep(0.1)
            guest.log.append(guest.now)

    status, log = run(machine_with(take), program)
    assert (STATUS_CONTROL_C_EXIT, CLOSE) == (status, log[0])
    assert max([0, *log[1:]]) < 0.2


def test_a_second_request_to_end_is_final() -> None:
    def program(guest: Guest, _: int) -> Body:
        for _ in range(2):
            kill(signal.SIGTERM)
            yield PREEMPT
            yield PREEMPT
        guest.log.append("not reached")

    assert (STATUS_CONTROL_C_EXIT, [CLOSE]) == run(machine_with(never_ready), program)


@pytest.fixture
def ignored_interrupts() -> Generator[None, None, None]:
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("ignored_interrupts")
def test_ignored_signals_stay_ignored() -> None:
    def program(guest: Guest, _: int) -> Body:
        kill(signal.SIGINT)
        yield PREEMPT
        return 5

    assert (5, []) == run(machine_with(take), program)
    assert signal.SIG_IGN == signal.getsignal(signal.SIGINT)


def test_signals_are_the_host_s_again_afterwards() -> None:
    numbers = (signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGWINCH, signal.SIGCONT)
    before = [signal.getsignal(number) for number in numbers]

    def program(guest: Guest, _: int) -> Body:
        guest.log.append(signal.getsignal(signal.SIGINT) is before[0])
        yield PREEMPT

    assert [False] == run(machine_with(take), program)[1]
    assert before == [signal.getsignal(number) for number in numbers]


def test_a_generated_event_reaches_the_program_itself() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        for event, group in ((C, 0), (BREAK, guest.machine.process.pid), (C, 12344)):
            data = CTRL_EVENT_PARAMETERS(Event=event, Group=group).pack(8)
            yield from c.ioctl(c.reference, protocol.CTRL_EVENT, data)
            for _ in range(4):
                yield PREEMPT

    assert [C, BREAK] == run_on_terminal(program, prepare=lambda machine: prepare(machine, take))


def test_a_new_size_of_the_terminal_is_noticed() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.ioctl(c.input, protocol.SET_MODE, (0x0F).to_bytes(4, "little"))
        resize(c.terminal, 100, 30)
        yield PREEMPT
        guest.log.append((c.console.screen.width, c.console.screen.height))
        _, record = yield from c.ioctl(c.input, protocol.READ_INPUT, b"", 20)
        guest.log.append([int.from_bytes(record[i : i + 2], "little") for i in (0, 4, 6)])

    assert [(100, 30), [4, 100, 30]] == run_on_terminal(program, prepare=lambda machine: prepare(machine, take))


def resize(terminal: Terminal, columns: int, rows: int) -> None:
    import fcntl
    import struct
    import termios

    fcntl.ioctl(terminal.slave, termios.TIOCSWINSZ, struct.pack("4H", rows, columns, 0, 0))
    kill(signal.SIGWINCH)


def test_a_terminal_that_a_shell_has_used_is_set_up_again() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        import termios

        before = termios.tcgetattr(c.terminal.slave)
        yield from c.ioctl(c.input, protocol.SET_MODE, bytes(4))
        termios.tcsetattr(c.terminal.slave, termios.TCSANOW, before)
        kill(signal.SIGCONT)
        yield PREEMPT
        guest.log.append(c.terminal.flag("ICANON"))

    assert [False] == run_on_terminal(program, prepare=lambda machine: prepare(machine, take))
