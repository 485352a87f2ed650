"""Hostile guests against the kernel's own side: it raises nothing but GuestLost, does not wait for ever, and looks at
nothing that is not the guest's (docs/security.md).

Each is met twice: with the check that is there for it, and without, when it has to do harm.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu.jail import layout, lock
from lswd.memory.backing import FileMapping
from lswd.ntdef.status import NtError
from tests.unit.jail_attack import LOST, STOPPED, Attack, pokes, through_the_stub, without_limit
from tests.unit.jail_forgeries import BLOCK, forgeries

ROOT = Path(__file__).resolve().parent.parent.parent
FORGERIES = dict(forgeries())
each_of_them = pytest.mark.parametrize(
    ("word", "name"), [(word, name) for name, each in FORGERIES.items() for word in each.kinds]
)


@pytest.fixture
def attacks() -> Iterator[list[Attack]]:
    """Those that are to be closed."""
    begun: list[Attack] = []
    yield begun
    for each in begun:
        each.close()


@each_of_them
def test_it_ends_the_guest_or_comes_to_nothing(
    word: int, name: str, attacks: list[Attack], monkeypatch: pytest.MonkeyPatch
) -> None:
    forgery = FORGERIES[name]
    forgery.setting(monkeypatch)
    trial = forgery.begin(word)
    attacks.append(trial)
    outcome = trial.run(interrupted=forgery.interrupted)
    assert not trial.too_late
    assert not forgery.harmed(trial, None)
    if forgery.words:
        assert LOST == outcome
        assert trial.lost in forgery.words
    else:
        assert (forgery.outcome, "") == (outcome, trial.lost)


@each_of_them
def test_it_would_do_harm_without_the_check(
    word: int, name: str, attacks: list[Attack], monkeypatch: pytest.MonkeyPatch
) -> None:
    forgery = FORGERIES[name]
    forgery.setting(monkeypatch)
    forgery.opening(monkeypatch)
    trial = forgery.begin(word)
    attacks.append(trial)
    raised: Exception | None = None
    try:
        if trial.run(interrupted=forgery.interrupted, seconds=forgery.seconds) == cpu.FAULT:
            trial.context()  # which the kernel looks at
    except Exception as error:
        raised = error
    assert forgery.harmed(trial, raised)


def test_a_stop_of_no_kind_ends_the_guest(attacks: list[Attack]) -> None:
    attacks.append(Attack(pokes(BLOCK, (layout.KIND, 99)) + STOPPED + "l: jmp l"))
    assert LOST == attacks[-1].run()
    assert "the guest has destroyed its mailbox" == attacks[-1].lost


def test_the_death_of_the_process_is_noticed(attacks: list[Attack]) -> None:
    attacks.append(Attack("l: jmp l"))
    os.kill(attacks[-1].process, 9)
    assert LOST == attacks[-1].run()
    assert "the guest's process has died" == attacks[-1].lost


def test_a_guest_that_unmaps_its_code_faults(attacks: list[Attack]) -> None:
    attacks.append(Attack(through_the_stub(layout.SYS_MUNMAP, 0x10000, layout.LIMIT - 0x30000)))
    assert attacks[-1].run() in (cpu.FAULT, cpu.LEFT)  # what it needs comes back; it is no use to unmap it


@pytest.mark.parametrize("protected", [True, False])
def test_it_gets_no_more_descriptors_than_there_are_for_it(
    protected: bool, attacks: list[Attack], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if protected:
        limits = dict(lock._LIMITS) | {7: 10}  # RLIMIT_NOFILE
        monkeypatch.setattr(lock, "_LIMITS", tuple(limits.items()))
    else:
        without_limit(7)(monkeypatch)
    trial = Attack("l: jmp l")
    attacks.append(trial)
    (tmp_path / "file").write_bytes(bytes(4096))
    refused = 0
    mappings = []
    for _ in range(20):
        fd = os.open(tmp_path / "file", os.O_RDONLY)
        mappings.append(FileMapping(fd, 4096, writable=False))
        try:
            trial.engine.attach_backing(mappings[-1])
        except NtError:
            refused += 1
        os.close(fd)
    for each in mappings:
        each.close()
    assert (12 if protected else 0) == refused


def test_the_process_holds_no_descriptor_but_its_memory_and_the_socket(
    monkeypatch: pytest.MonkeyPatch, attacks: list[Attack]
) -> None:
    monkeypatch.setattr(lock, "_PR_SET_DUMPABLE", 3)  # only ask: else an ordinary user could not look either
    attacks.append(Attack("hlt"))
    assert ["3", "5"] == sorted(os.listdir(f"/proc/{attacks[-1].process}/fd"))


def test_the_process_sees_nothing_but_guest_memory_and_the_stub(
    monkeypatch: pytest.MonkeyPatch, attacks: list[Attack]
) -> None:
    monkeypatch.setattr(lock, "_PR_SET_DUMPABLE", 3)
    attacks.append(Attack("hlt"))
    with open(f"/proc/{attacks[-1].process}/maps") as file:
        lines = [line.split() for line in file]
    names = {" ".join(line[5:]) for line in lines}
    assert {"/memfd:jail (deleted)", "[vsyscall]"} >= names
    assert [f"{layout.STUB:x}-{layout.STUB + layout.STUB_SIZE:x}"] == [
        line[0] for line in lines if "x" in line[1] and line[-1] != "[vsyscall]"
    ]


_KERNEL = """
import sys
from tests.unit.jail_attack import Attack, stub
from lswd.cpu.jail import child
if sys.argv[1] == "unprotected":  # PR_SET_PDEATHSIG becomes PR_GET_DUMPABLE
    code = stub().replace(bytes.fromhex("b89d000000bf01000000"), bytes.fromhex("b89d000000bf03000000"))
    assert code != stub()
    child.stub_code = lambda: code
attack = Attack("l: jmp l")
print(attack.process, flush=True)
attack.run()
"""


@pytest.mark.parametrize("protected", [True, False])
def test_the_kernels_death_ends_the_guest(protected: bool) -> None:
    command = [sys.executable, "-c", _KERNEL, "protected" if protected else "unprotected"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as kernel:
        assert kernel.stdout is not None
        guest = int(kernel.stdout.readline())
        before = os.stat(f"/proc/{guest}").st_ino
        kernel.kill()
    if protected:
        while _is_same(guest, before):
            time.sleep(0.001)
    else:
        time.sleep(0.2)
        assert _is_same(guest, before)
        os.kill(guest, 9)


def _is_same(process: int, identity: int) -> bool:
    """Is it still that process, and alive?"""
    try:
        with open(f"/proc/{process}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
        return os.stat(f"/proc/{process}").st_ino == identity and state != "Z"
    except OSError:
        return False
