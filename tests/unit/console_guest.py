"""A machine whose standard streams are a pseudoterminal, and the calls of consoles in the shape tests want them."""

from __future__ import annotations

import fcntl
import os
import select
import struct
import termios
import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

from lswd.host.drives import Drives
from lswd.kernel.console import attach_console
from lswd.kernel.console.attach import Terminals
from lswd.kernel.console.console import Console
from lswd.kernel.deadline import Deadlines
from lswd.kernel.file_device import install_devices

from .file_guest import Files
from .guest_threads import Guest, Machine

Body = Generator[Any, Any, Any]
WIDTH, HEIGHT = 80, 24
_END = b"\x05"


class Terminal:
    """A pseudoterminal: ``slave`` is the program's side, ``master`` the person's."""

    def __init__(self) -> None:
        self.master, self.slave = os.openpty()
        fcntl.ioctl(self.slave, termios.TIOCSWINSZ, struct.pack("4H", HEIGHT, WIDTH, 0, 0))

    def type(self, text: str) -> None:
        """Type ``text`` and wait until the other side can read it (in line mode, it must end a line)."""
        data = text.encode()
        before = self._waiting()
        os.write(self.master, data)
        needed = before + len(data) if not self.flag("ICANON") else before + (text != "\x04")
        readable = select.poll()
        readable.register(self.slave, select.POLLIN)
        while self._waiting() < needed or not readable.poll(0):
            time.sleep(0.0001)  # the kernel moves it over in a thread of its own

    def _waiting(self) -> int:
        """How many bytes the program could read."""
        return int.from_bytes(fcntl.ioctl(self.slave, termios.FIONREAD, bytes(4)), "little")

    def shown(self) -> str:
        """What has been sent to the terminal since the last look, echo included."""
        os.write(self.slave, _END)
        data = b""
        while not data.endswith(_END):
            data += os.read(self.master, 65536)
        return data.removesuffix(_END).decode()

    def flag(self, name: str) -> bool:
        """One of the local flags: ICANON, ECHO, ISIG."""
        return bool(termios.tcgetattr(self.slave)[3] & getattr(termios, name))

    def suspends(self) -> bool:
        """Does Ctrl-Z stop the program?"""
        return bool(termios.tcgetattr(self.slave)[6][termios.VSUSP] != b"\0")

    def close(self) -> None:
        os.close(self.master)
        os.close(self.slave)


class Consoles(Files):
    """Calls on console handles for ``yield from``; ``input`` and ``output`` are the standard handles."""

    def __init__(self, guest: Guest, terminal: Terminal, reference: int, handles: tuple[int, int, int]) -> None:
        super().__init__(guest)
        self.terminal = terminal
        self.reference = reference
        self.input, self.output, self.error = handles

    @property
    def console(self) -> Console:
        console = self.guest.machine.process.console
        assert isinstance(console, Console)
        return console

    def ioctl(self, handle: int, code: int, data: bytes = b"", size: int = 0) -> Any:
        """NtDeviceIoControlFile; returns the status and the output."""
        given = self.guest.stored(data) if data else 0
        buffer = self.guest.room(size) if size else 0
        block = self.guest.room(16)
        status = yield "NtDeviceIoControlFile", handle, 0, 0, 0, block, code, given, len(data), buffer, size
        return status, self.memory(buffer, self.outcome(block)[1]) if status < 0xC0000000 and size else b""

    def text(self, handle: int, code: int, size: int = 200) -> Any:
        """What an IOCTL that answers in UTF-16 says."""
        status, data = yield from self.ioctl(handle, code, b"", size)
        assert status == 0, hex(status)
        return data.decode("utf-16-le", "surrogatepass")

    def number(self, handle: int, code: int, data: bytes = b"") -> Any:
        """What an IOCTL that answers with one ULONG says."""
        status, answer = yield from self.ioctl(handle, code, data, 4)
        assert status == 0, hex(status)
        return int.from_bytes(answer, "little")


def run_on_terminal(
    program: Callable[[Guest, Consoles], Body], *, prepare: Callable[[Machine], None] = lambda machine: None
) -> list[Any]:
    """Run ``program(guest, consoles)`` with a terminal for its standard streams; returns what was logged."""
    terminal = Terminal()
    try:
        fds = (terminal.slave,) * 3
        return run_with_streams(fds, lambda guest, *c: program(guest, Consoles(guest, terminal, *c)), prepare=prepare)
    finally:
        terminal.close()


def run_with_streams(
    fds: tuple[int, int, int],
    program: Callable[[Guest, int, tuple[int, int, int]], Body],
    *,
    prepare: Callable[[Machine], None] = lambda machine: None,
) -> list[Any]:
    """Run ``program(guest, console handle, standard handles)`` with these standard streams."""
    machine = Machine()
    machine.system.drives = Drives({"C": str(Path("/"))})
    install_devices(machine.system)
    machine.scheduler.deadlines = Deadlines()  # the host's clock: trio waits by it
    machine.system.part(Terminals)._oem_code_page = 437  # there is no registry to look it up in
    handles = attach_console(machine.process, fds)
    prepare(machine)

    def main(guest: Guest, _: int) -> Body:
        return (yield from program(guest, *handles))

    try:
        machine.run(main)
    finally:
        machine.process.restore_host()
        machine.process.handles.close_all()
    return machine.guest.log
