"""Every check of ``lswctl conformance`` against the service in this process, with and without real sessions."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

import lswd.service.program as launcher
from lswctl.conformance import main
from lswctl.conformance.client import CHECKS, Client, Declared, Unfulfilled, expect, fails
from lswctl.conformance.run import Result, run_one, table
from lswd.session.pool import Sessions
from lswd.session.spawner import Spawner, start
from tests.unit.in_process_device import InProcessDevice, LocalSessions

TITLES = [declared.title for declared in CHECKS]


@pytest.fixture(scope="module")
def spawner() -> Spawner:
    return start(launcher)


@pytest.fixture(scope="module")
def device(spawner: Spawner) -> Iterator[InProcessDevice]:
    """With real sessions."""
    messages: list[tuple[str, str]] = []
    with InProcessDevice(lambda settings: Sessions(spawner, settings, lambda *m: messages.append(m))) as device:
        yield device
    assert [] == [message for message in messages if message[0] not in ("debug", "info")]


@pytest.fixture(scope="module")
def local_device() -> Iterator[InProcessDevice]:
    with InProcessDevice(lambda settings: LocalSessions()) as device:
        yield device


@pytest.mark.parametrize("declared", CHECKS, ids=TITLES)
def test_a_service_with_sessions_passes(declared: Declared, device: InProcessDevice) -> None:
    assert "" == run_one(declared, device.open).why


@pytest.mark.parametrize(
    "declared", [d for d in CHECKS if not d.programs], ids=[d.title for d in CHECKS if not d.programs]
)
def test_a_service_without_processes_passes(declared: Declared, local_device: InProcessDevice) -> None:
    assert "" == run_one(declared, local_device.open).why


def test_titles_are_unique() -> None:
    assert len(TITLES) == len(set(TITLES))


def test_a_check_that_fails_is_a_line_with_its_reason() -> None:
    def wrong(client: Client) -> None:
        expect((1, 0x1000), (2, 0x1000))

    class Nothing:
        def ioctl(self, command: int, argument: int) -> int:
            return 0

        def close(self) -> None:
            pass

    result = run_one(Declared("Wrong", wrong, "is right", False), Nothing)
    assert (
        "FAIL  Wrong  [kernel module: is right]\n      expected (1, 0x1000), got (2, 0x1000)\n"
        "0 of 1 ok; the kernel module is known to fail 1 of them\n"
    ) == table([result])
    assert "ok    Fine\n" in table([Result(Declared("Fine", wrong, "", False), True, "")])


def test_what_must_fail_and_does_not_is_a_failure() -> None:
    with pytest.raises(Unfulfilled, match="expected ESRCH, got 5"):
        fails(3, lambda: 5)

    def wrong_errno() -> None:
        raise OSError(1, "EPERM")

    with pytest.raises(Unfulfilled, match="expected 'ESRCH', got 'EPERM'"):
        fails(3, wrong_errno)


def test_a_device_that_is_not_there_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert 122 == main(["--device", "/nonexistent/lsw"])
    assert "lswctl: /nonexistent/lsw: No such file or directory; is lswd running?\n" == capsys.readouterr().err


@pytest.mark.parametrize("arguments", [["--device"], ["--nope"], ["extra"], ["--only="]])
def test_wrong_usage_is_120(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert 120 == main(arguments)
    assert 1 == capsys.readouterr().err.count("\n")


def test_a_device_that_is_none_fails_every_row(capsys: pytest.CaptureFixture[str]) -> None:
    assert 1 == main(["--device", os.devnull, "--only", "unregister"])
    printed = capsys.readouterr().out
    assert "ok  " not in [line[:4] for line in printed.splitlines()] and "FAIL" in printed
