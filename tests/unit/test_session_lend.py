"""Where the system restricts tracing (Yama) a session cannot reach its caller's memory, and the daemon lends a hand."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Iterator

import pytest

import lswd.service.program as launcher
from lswctl.conformance.client import CHECKS, Declared
from lswctl.conformance.run import run_one
from lswd.host.process_memory import read_memory
from lswd.session import caller_image, lend, pool, zygote
from lswd.session import messages as m
from lswd.session import program as session_program
from lswd.session.order import Ending, Order
from lswd.session.pool import Sessions
from lswd.session.spawner import start
from tests.unit.in_process_device import InProcessDevice

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="NEEDS ROOT: a user's daemon cannot lend anything")

CHOSEN = ("NtCreateFile", "NtReadFile and", "LswWriteConsole", "LswReadConsole", "NtQueryInformationProcess", "LdrLoad")


class Restricted:
    """The launcher in sessions that may not look into other processes."""

    def preload(self) -> None:
        launcher.preload()

        def refuse(*_: object) -> bytes:
            raise PermissionError(errno.EPERM, "restricted")

        for name in ("read_memory", "read_some", "write_memory"):
            setattr(lend, name, refuse)
        for module in (caller_image, zygote, session_program):
            for name in ("retire", "is_mapped"):
                if hasattr(module, name):
                    setattr(module, name, lambda *_: False)

    def warm_up(self) -> None:
        launcher.warm_up()

    def prepare(self) -> None:
        launcher.prepare()

    def run(self, order: Order) -> Ending:
        return launcher.run(order)


@pytest.fixture(scope="module")
def device() -> Iterator[InProcessDevice]:
    spawner = start(Restricted())
    with (
        pytest.MonkeyPatch.context() as patch,
        InProcessDevice(lambda settings: Sessions(spawner, settings, lambda *_: None)) as device,
    ):
        patch.setattr(pool, "tracing_is_restricted", lambda: True)
        yield device


@pytest.mark.parametrize(
    "declared", [d for d in CHECKS if d.title.startswith(CHOSEN)], ids=lambda declared: declared.title
)
def test_native_calls_work_all_the_same(declared: Declared, device: InProcessDevice) -> None:
    assert "" == run_one(declared, device.open).why


def test_the_entry_point_is_retired_all_the_same(device: InProcessDevice) -> None:
    (declared,) = (d for d in CHECKS if d.title.startswith("EXECUTE_PE runs the program"))
    assert "" == run_one(declared, device.open).why


def _ask(address: int, size: int, data: bytes = b"") -> bytes:
    return struct.pack("<QI", address, size) + data


def test_only_the_users_own_memory_is_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    buffer = read_memory(os.getpid(), id(None), 16)
    request = _ask(id(None), 16)
    assert (0, buffer) == lend.serve(m.BORROW, os.getpid(), 0, request)
    assert (errno.EPERM, b"") == lend.serve(m.BORROW, os.getpid(), 1000, request)
    assert (errno.EPERM, b"") == lend.serve(m.BORROW, 1 << 30, 0, request)
    assert (errno.EFAULT, b"") == lend.serve(m.BORROW, os.getpid(), 0, _ask(8, 4))
    assert (errno.EFAULT, b"") == lend.serve(m.GIVE_BACK, os.getpid(), 0, _ask(8, 1, b"x"))
    assert (errno.EINVAL, b"") == lend.serve(m.BORROW, os.getpid(), 0, _ask(8, lend.LARGEST_LOAN + 1))
    assert (errno.EPERM, b"") == lend.serve(m.BORROW, os.getpid(), 0, b"short")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert (errno.EPERM, b"") == lend.serve(m.BORROW, os.getpid(), 0, request)
