"""Hostile guests: whatever they try, they are stopped or refused, and the kernel stays whole (docs/security.md)."""

from __future__ import annotations

import os
import random
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu.jail import assemble, child, layout, seccomp
from lswd.cpu.jail.child import Child
from tests.unit.jail_attack import (
    FORBIDDEN,
    LOST,
    NO_RESULT,
    SPACE,
    Attack,
    directly,
    through_the_stub,
)
from tests.unit.test_cpu_unicorn import CODE, STACK_TOP

ROOT = Path(__file__).resolve().parent.parent.parent
TOLD = 0x7777  # the NT call that attacks end with
CONTROL, STATE = layout.CONTROL, layout.STATE
# A thread with a block of the guest's own making.
_NEW_THREAD = f"mov rax, {SPACE:#x}\nmov [rax], rax\n" + through_the_stub(
    layout.SYS_CLONE, layout.CLONE_FLAGS, SPACE + 0x800, 0, SPACE + 0x100, SPACE
)


@pytest.fixture
def attack() -> Iterator[Callable[[str], Attack]]:
    """Starts attacks, and ends their processes."""
    attacks = []

    def start(source: str) -> Attack:
        attacks.append(Attack(source))
        return attacks[-1]

    yield start
    for each in attacks:
        each.close()


@pytest.fixture
def no_filter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A jail whose filter allows everything."""
    allow = struct.pack("<HBBI", 6, 0, 0, 0x7FFF0000)
    monkeypatch.setattr(child, "program", lambda: allow)
    monkeypatch.setattr(Child, "_test_filter", lambda self: None)


def test_there_are_enough_ways_to_try() -> None:
    assert len(FORBIDDEN) >= 40


@pytest.mark.parametrize("name", FORBIDDEN)
def test_a_system_call_of_the_guests_own_is_an_nt_call_and_none_of_linux(
    name: str, attack: Callable[[str], Attack]
) -> None:
    trial = attack(directly(*FORBIDDEN[name]))
    assert cpu.LEFT == trial.run()
    assert [FORBIDDEN[name][0]] == [call[0] for call in trial.calls]


@pytest.mark.parametrize("name", FORBIDDEN)
def test_the_stub_makes_no_system_call_that_is_not_its_own(name: str, attack: Callable[[str], Attack]) -> None:
    trial = attack(through_the_stub(*FORBIDDEN[name]))
    assert cpu.FAULT == trial.run()
    assert trial.thread.fault is not None and cpu.GENERAL_PROTECTION == trial.thread.fault.vector
    assert layout.STUB <= trial.thread.get_context()["rip"] < layout.STUB + layout.STUB_SIZE
    assert [] == trial.calls


@pytest.mark.parametrize("name", sorted(set(FORBIDDEN) - NO_RESULT))
@pytest.mark.parametrize("way", [directly, through_the_stub])
def test_without_the_filter_the_same_attempts_reach_linux(
    name: str, way: Callable[..., str], no_filter: None, attack: Callable[[str], Attack]
) -> None:
    trial = attack(way(*FORBIDDEN[name]))
    assert cpu.LEFT == trial.run()
    assert [TOLD] == [call[0] for call in trial.calls]


@pytest.mark.parametrize(
    "code",
    [
        "mov eax, 20\nint 0x80",
        "sub rsp, 64\nlea rbp, [rsp]\nmov eax, 20\nsysenter",
        "mov eax, 39\nmov rcx, 0xffffffffff600000\ncall rcx",
        "mov eax, 96\nmov rcx, 0xffffffffff600400\ncall rcx",
    ],
    ids=["int80", "sysenter", "vsyscall", "vsyscall-time"],
)
def test_older_ways_into_linux_are_closed(code: str, attack: Callable[[str], Attack]) -> None:
    trial = attack(f"{code}\nmov r10, rax\nmov eax, {TOLD}\ncall [0x7ffe1000]\nhlt")
    assert trial.run() in (cpu.FAULT, cpu.LEFT)
    assert [] == [call for call in trial.calls if call[0] == TOLD]


@pytest.mark.parametrize("entry", ["int 0x80", "syscall", "sysenter"])
def test_32_bit_code_gets_no_further(entry: str, attack: Callable[[str], Attack]) -> None:
    trial = attack(
        f"mov rsp, {SPACE + 0x700:#x}\njmp far [rel there]\nthere: dd low\ndw 0x23\n"
        f"bits 32\nlow: mov eax, 20\nmov ebp, esp\n{entry}\nmov [{SPACE:#x}], eax\nl: jmp l"
    )
    assert cpu.FAULT == trial.run(interrupted=True)
    assert 0 == trial.machine.space.read_u32(SPACE)


def test_code_that_the_guest_writes_itself_is_no_better(attack: Callable[[str], Attack]) -> None:
    trial = attack("mov dword [rel t], 0xf4050f\nmov eax, 39\nt: nop\nnop\nnop\nnop\nhlt")
    assert cpu.LEFT == trial.run()
    assert [39] == [call[0] for call in trial.calls]


def test_a_thread_of_the_guests_own_making_does_not_start(attack: Callable[[str], Attack]) -> None:
    trial = attack(_NEW_THREAD)
    assert trial.run(interrupted=True) in (cpu.INTERRUPTED, cpu.LEFT)
    assert 2 == len(os.listdir(f"/proc/{trial.engine.child.pid}/task"))


def test_without_supervision_it_would(monkeypatch: pytest.MonkeyPatch, attack: Callable[[str], Attack]) -> None:
    monkeypatch.setattr(Child, "_allow_thread", lambda self: None)
    # The listener is asked for nothing: a filter that has none of its own answers.
    monkeypatch.setattr(child, "supervision", lambda: struct.pack("<HBBI", 6, 0, 0, 0x7FFF0000))
    trial = attack(_NEW_THREAD)
    trial.run(interrupted=True)
    assert 3 == len(os.listdir(f"/proc/{trial.engine.child.pid}/task"))


def test_a_guest_that_keeps_signals_away_is_ended(
    monkeypatch: pytest.MonkeyPatch, attack: Callable[[str], Attack]
) -> None:
    monkeypatch.setattr(child, "_DEAF_SECONDS", 0.1)
    with open(assemble.BINARY, "rb") as file:
        restorer = child.labels(file.read())["signal_restorer"]
    trial = attack(f"mov rsp, {SPACE:#x}\nmov rax, {restorer:#x}\njmp rax\nalign 256\nl: jmp l")
    registers = [0] * 15 + [STACK_TOP, CODE + 0x100, 0x202, 0x33 | 0x2B << 48, 0, 0, 0, 0]
    frame = struct.pack("<QQQIIQ", 0, 0, 0, 2, 0, 0) + struct.pack("<23Q", *registers)
    trial.machine.space.write(SPACE, frame + struct.pack("<9Q", *[0] * 9) + struct.pack("<Q", (1 << 64) - 1))
    assert LOST == trial.run(interrupted=True)
    assert "the guest does not react to interrupts" == trial.lost


def test_a_thread_that_ends_itself_is_noticed(attack: Callable[[str], Attack]) -> None:
    trial = attack(through_the_stub(layout.SYS_EXIT, 0))
    assert LOST == trial.run()
    assert "a thread of the guest has ended itself" == trial.lost


def test_the_death_of_the_process_is_noticed(attack: Callable[[str], Attack]) -> None:
    trial = attack("l: jmp l")
    os.kill(trial.engine.child.pid, 9)
    assert LOST == trial.run()
    assert "the guest's process has died" == trial.lost


def test_a_guest_that_unmaps_its_code_faults(attack: Callable[[str], Attack]) -> None:
    trial = attack(through_the_stub(layout.SYS_MUNMAP, 0x10000, layout.LIMIT - 0x30000))
    assert trial.run() in (cpu.FAULT, cpu.LEFT)  # what it needs comes back; it is no use to unmap it


def test_memory_that_was_not_given_cannot_be_taken(attack: Callable[[str], Attack]) -> None:
    size = 64 << 20
    mapped = through_the_stub(
        layout.SYS_MMAP, 0x10000000, size, 3, layout.MAP_SHARED_FIXED, layout.MEMORY_FD, 1 << 29
    )
    used = f"mov rdi, rax\nmov ecx, {size}\nmov al, 1\nrep stosb\nl: jmp l"
    trial = attack(mapped.replace("mov r10, rax", used))
    assert LOST == trial.run()
    assert "the guest has taken memory that it was not given" == trial.lost


@pytest.mark.parametrize(
    ("field", "value", "words"),
    [
        (layout.SIGNAL_CONTEXT, 0, "the guest has destroyed its signal stack"),
        (layout.SIGNAL_CONTEXT, (1 << 64) - 8, "the guest has destroyed its signal stack"),
        (layout.KIND, 99, "the guest has destroyed its mailbox"),
    ],
)
def test_a_forged_mailbox_ends_the_guest(field: int, value: int, words: str, attack: Callable[[str], Attack]) -> None:
    # The block claims to have stopped with a signal (or what else the attack says).
    trial = attack(
        f"mov rbx, {CONTROL + layout.BLOCK_SIZE:#x}\nmov dword [rbx + {layout.KIND}], {layout.KIND_SIGNAL}\n"
        f"mov rax, {value:#x}\nmov [rbx + {field}], rax\nmov eax, 1\nxchg [rbx + {STATE}], eax\nl: jmp l"
    )
    assert LOST == trial.run()
    assert words == trial.lost


def test_random_mailboxes_do_no_harm(monkeypatch: pytest.MonkeyPatch, attack: Callable[[str], Attack]) -> None:
    monkeypatch.setattr(child, "_DEAF_SECONDS", 0.05)
    rng = random.Random(4)
    outcomes = set()
    for _ in range(60):
        at = CONTROL + layout.BLOCK_SIZE + 8 * rng.randrange(layout.BLOCK_SIZE // 8)
        pokes = "\n".join(
            f"mov rax, {rng.choice([0, 1, 2, 3, 56, layout.CONTROL, rng.getrandbits(64)]):#x}\n"
            f"mov [rbx + {8 * rng.randrange(0x60 // 8)}], rax"
            for _ in range(8)
        )
        trial = attack(
            f"mov rbx, {at:#x}\nmov rax, {rng.getrandbits(64):#x}\nmov [rbx], rax\n"
            f"mov rbx, {CONTROL + layout.BLOCK_SIZE * rng.randrange(2):#x}\n{pokes}\n"
            f"mov eax, {TOLD}\ncall [0x7ffe1000]\nl: jmp l"
        )
        outcomes.add(trial.run(interrupted=True))
        trial.close()
    assert outcomes <= {LOST, cpu.LEFT, cpu.FAULT, cpu.INTERRUPTED}
    assert LOST in outcomes


def test_the_process_holds_no_descriptor_but_its_memory_and_the_socket(
    monkeypatch: pytest.MonkeyPatch, attack: Callable[[str], Attack]
) -> None:
    monkeypatch.setattr(child, "_PR_SET_DUMPABLE", 3)  # only ask: else an ordinary user could not look either
    trial = attack("hlt")
    assert ["3", "5"] == sorted(os.listdir(f"/proc/{trial.engine.child.pid}/fd"))


def test_the_process_sees_nothing_but_guest_memory_and_the_stub(
    monkeypatch: pytest.MonkeyPatch, attack: Callable[[str], Attack]
) -> None:
    monkeypatch.setattr(child, "_PR_SET_DUMPABLE", 3)
    trial = attack("hlt")
    with open(f"/proc/{trial.engine.child.pid}/maps") as file:
        lines = [line.split() for line in file]
    names = {" ".join(line[5:]) for line in lines}
    assert {"/memfd:jail (deleted)", "[vsyscall]"} == names
    assert [f"{layout.STUB:x}-{layout.STUB + layout.STUB_SIZE:x}"] == [
        line[0] for line in lines if "x" in line[1] and line[-1] != "[vsyscall]"
    ]


def test_the_filter_is_a_program_linux_takes_and_no_longer_than_it_may_be() -> None:
    assert len(seccomp.program()) % 8 == 0
    assert len(seccomp.program()) // 8 < 4096


def test_where_nobody_can_be_asked_threads_are_counted(
    monkeypatch: pytest.MonkeyPatch, attack: Callable[[str], Attack]
) -> None:
    monkeypatch.setattr(child, "_NEW_LISTENER", 1 << 30)  # Linux knows no such flag
    trial = attack(_NEW_THREAD.replace("mov r10, rax", "l: jmp l"))
    assert LOST == trial.run()
    assert "the guest has started a thread by itself" == trial.lost


_KERNEL = """
import sys
from tests.unit.jail_attack import Attack
attack = Attack("l: jmp l")
print(attack.engine.child.pid, flush=True)
attack.run()
"""


def test_the_kernels_death_ends_the_guest() -> None:
    with subprocess.Popen([sys.executable, "-c", _KERNEL], cwd=ROOT, stdout=subprocess.PIPE, text=True) as kernel:
        assert kernel.stdout is not None
        guest = int(kernel.stdout.readline())
        before = os.stat(f"/proc/{guest}").st_ino
        kernel.kill()
    while _is_same(guest, before):
        time.sleep(0.001)


def _is_same(process: int, identity: int) -> bool:
    """Is it still that process, and alive?"""
    try:
        with open(f"/proc/{process}/stat") as file:
            state = file.read().rpartition(")")[2].split()[0]
        return os.stat(f"/proc/{process}").st_ino == identity and state != "Z"
    except OSError:
        return False
