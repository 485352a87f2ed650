"""A slice of the random guests; `make fuzz-jail` makes as many as one likes."""

from __future__ import annotations

from random import Random

import pytest

from lswd.cpu.jail.engine import JailEngine
from lswd.cpu.jail.thread import JailThread
from tests.fuzz.jail_mailbox import run, script

SLICE = 60


def test_the_same_seed_makes_the_same_guest() -> None:
    assert script(Random(3)) == script(Random(3))
    assert script(Random(3)) != script(Random(4))


def test_random_mailboxes_do_no_harm() -> None:
    outcomes, failures = run(20, range(SLICE))
    assert [] == failures
    assert outcomes["the guest has destroyed its mailbox"]
    assert outcomes["still there"]


@pytest.mark.parametrize(
    ("target", "check"), [(JailThread, "in_signal_stack"), (JailEngine, "_check_operations")], ids=["frames", "errors"]
)
def test_a_check_that_is_not_there_is_missed(target: type, check: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def trusting(self: JailEngine, block: int) -> None:
        error = self.child.quads[block + 0x30 >> 3]
        if error:
            error.to_bytes(2, "little")

    monkeypatch.setattr(target, check, (lambda *arguments: True) if target is JailThread else trusting)
    for first in range(0, 400, 20):
        if run(20, range(first, first + 20))[1]:
            return
    raise AssertionError("nothing was found")
