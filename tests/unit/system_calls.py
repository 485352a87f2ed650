"""System calls one at a time: a process with one thread that only calls, on the machine of ``guest_threads``."""

from __future__ import annotations

from collections.abc import Generator
from types import SimpleNamespace
from typing import Any, cast

from lswd.kernel.registry import Registry
from lswd.kernel.start import new_thread
from lswd.ntdef.types import Struct

from .guest_threads import Guest, Machine


def _nothing(guest: Guest, argument: int) -> Generator[Any, Any, Any]:
    yield "NtTestAlert"


class Caller(Machine):
    """``status = caller.call("NtX", ...)``; what it wrote is read with ``guest``'s helpers."""

    def __init__(self, registry: Registry | None = None, nls: dict[str, str] | None = None) -> None:
        super().__init__()
        self.image_name = "Z:\\tools\\probe.exe"
        image = cast(Any, self.process.image)
        image.dos_name, image.file_name = self.image_name, "/tools/probe.exe"
        userland = cast(Any, self.system.userland)
        userland.native = (nls or {}).get
        self.system.drives = cast(Any, SimpleNamespace(letters=lambda: ["C", "Z"]))
        cast(Any, self.system)._open_registry = lambda: registry
        self.thread = new_thread(self.process, self.engine.address_of(_nothing), 0)
        self.process.current_thread = self.thread

    def call(self, name: str, *arguments: int) -> int:
        """Make a call that does not block; returns its status."""
        cpu = cast(Any, self.thread.cpu)
        result = cpu._call(self.thread.handler, name, *arguments)
        if result is None and not self.thread.terminated and not self.process.ended:
            raise AssertionError(f"{name} blocks")
        return -1 if result is None else int(result)

    def query(self, name: str, *subject: int, length: int = 4096) -> tuple[int, bytes]:
        """Make a query that ends in (buffer, length, length returned): its status and as much as it says it gave."""
        buffer, returned = self.guest.room(max(length, 1)), self.guest.room(8)
        status = self.call(name, *subject, buffer, length, returned)
        size = min(self.guest.value(returned), length)
        return status, self.process.space.read(buffer, size) if size > 0 else b""

    def needed(self, name: str, *subject: int, length: int = 0) -> tuple[int, int]:
        """The same with a buffer of ``length`` bytes: status and the length it would take."""
        buffer, returned = self.guest.room(max(length, 1)), self.guest.room(8)
        status = self.call(name, *subject, buffer, length, returned)
        return status, self.guest.value(returned)

    def cell(self, value: int = 0, size: int = 8) -> int:
        """The address of an integer."""
        return self.guest.stored((value & (1 << 8 * size) - 1).to_bytes(size, "little"))

    def number(self, address: int, size: int = 4) -> int:
        """An unsigned integer in memory."""
        return int.from_bytes(self.process.space.read(address, size), "little")

    def handle(self, name: str, *arguments: int) -> int:
        """The handle that a call puts into its first parameter; the call must succeed."""
        cell = self.cell()
        status = self.call(name, cell, *arguments)
        assert status == 0, f"{name}: {status:#x}"
        return self.number(cell, 8)

    def stored(self, value: Struct) -> int:
        """The address of a structure."""
        return self.guest.stored(value.pack(8))
