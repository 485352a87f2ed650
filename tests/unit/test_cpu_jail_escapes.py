"""Hostile guests: whatever they try, they are stopped or refused, and the kernel stays whole (docs/security.md).

Each attempt is made twice: as it is, and with its protections taken away, when it has to succeed.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu.jail import seccomp
from tests.unit.jail_attack import TOLD, Attack, assembled
from tests.unit.jail_attempts import Attempt, attempts
from tests.unit.test_cpu_unicorn import CODE

ATTEMPTS = dict(attempts())
_MOST_PROGRAM = 4096  # instructions of a filter


@pytest.fixture(params=ATTEMPTS)
def attempt(request: pytest.FixtureRequest) -> Attempt:
    """Each of them."""
    return ATTEMPTS[request.param]


@pytest.fixture
def attacks() -> Iterator[list[Attack]]:
    """Those that are to be closed."""
    begun: list[Attack] = []
    yield begun
    for each in begun:
        each.close()


def test_there_are_enough_of_both_kinds() -> None:
    kinds = [each.word for each in ATTEMPTS.values()]
    assert kinds.count(8) >= 40
    assert kinds.count(4) >= 40


def test_it_is_stopped_and_the_jail_serves_on(attempt: Attempt, attacks: list[Attack]) -> None:
    trial = Attack(attempt.source, word=attempt.word)
    attacks.append(trial)
    assert trial.run() in (cpu.FAULT, cpu.LEFT)
    assert trial.result is None
    assert not attempt.succeeded(trial)
    assert 2 == trial.tasks()
    trial.context()
    assert cpu.LEFT == trial.machine.thread(_told(attempt.word), at=CODE + 0x8000, teb=0x710000).run(trial.handler)
    assert TOLD == trial.calls[-1][0]


def _told(word: int) -> bytes:
    return assembled(f"bits {8 * word}\nmov eax, {TOLD}\ncall [0x7ffe1000]\nhlt")


def test_it_succeeds_without_its_protection(
    attempt: Attempt, attacks: list[Attack], monkeypatch: pytest.MonkeyPatch
) -> None:
    if attempt.why_not:
        pytest.skip(attempt.why_not)
    for opening in attempt.openings:
        opening(monkeypatch)
    trial = Attack(attempt.source, word=attempt.word)
    attacks.append(trial)
    trial.run()
    assert attempt.succeeded(trial)


def test_the_filter_is_a_program_linux_takes_and_no_longer_than_it_may_be() -> None:
    assert len(seccomp.program()) % 8 == 0
    assert len(seccomp.program()) // 8 < _MOST_PROGRAM
