"""The jail engine with 32-bit guests does what the Unicorn engine does: the same tests, and some of its own."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu.context32 import ContextI386
from lswd.cpu.jail.engine import JailEngine
from tests.unit.test_cpu_jail import run_interrupted
from tests.unit.test_cpu_unicorn32 import (
    CODE,
    STACK_TOP,
    STUBS,
    Machine,
    assembled,
    test_a_call_through_the_hand_off_carries_arguments_and_result,
    test_a_context_taken_inside_a_call_is_that_of_the_stub,
    test_floating_point_registers_survive_a_way_through_the_context,
)

__all__ = [
    "test_a_call_through_the_hand_off_carries_arguments_and_result",
    "test_a_context_taken_inside_a_call_is_that_of_the_stub",
    "test_floating_point_registers_survive_a_way_through_the_context",
]
_CALLS = 2000


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine(JailEngine)
    yield machine
    machine.engine.close()


def test_each_thread_has_its_own_teb_at_fs(machine: Machine, tmp_path: Path) -> None:
    body = "mov ebx, [fs:0x18]\npush 0\npush 0\ncall stub1\nmov esi, [fs:0x18]\nhlt"
    code = assembled(f"org {CODE:#x}\n{STUBS}{body}", tmp_path)
    threads = []
    for teb in (0x700000, 0x800000):
        threads.append(machine.thread(code, teb=teb))
        machine.space.write_u32(teb + 0x18, teb)
    for thread in threads:
        assert cpu.LEFT == thread.run(machine.answer)
    for thread in threads:
        thread.set_result(0)
        assert cpu.FAULT == thread.run(machine.answer)
    for thread, teb in zip(threads, (0x700000, 0x800000), strict=True):
        assert (teb, teb) == (thread.get_context()["ebx"], thread.get_context()["esi"])


@pytest.mark.parametrize(
    ("instruction", "vector", "address", "access"),
    [
        ("mov eax, [0x123456]", cpu.PAGE_FAULT, 0x123456, 1),
        ("mov [0x123457], al", cpu.PAGE_FAULT, 0x123457, 2),
        ("mov eax, 0x654321\njmp eax", cpu.PAGE_FAULT, 0x654321, 4),
        ("xor ecx, ecx\ndiv ecx", cpu.DIVIDE_ERROR, 0, 0),
        ("ud2", cpu.INVALID_OPCODE, 0, 0),
        ("int3", cpu.BREAKPOINT, 0, 0),
        ("int 0x2e", cpu.SOFTWARE_INTERRUPT + 0x2E, 0, 0),
        ("int 0x80", cpu.SOFTWARE_INTERRUPT + 0x80, 0, 0),
        ("inc eax\nhlt", cpu.GENERAL_PROTECTION, 0, 0),
    ],
)
def test_faults_are_told_exactly(
    machine: Machine, tmp_path: Path, instruction: str, vector: int, address: int, access: int
) -> None:
    thread = machine.thread(assembled("mov ebx, 5\nadd ebx, 6\n" + instruction, tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    assert thread.fault is not None
    assert (vector, address, access) == (thread.fault.vector, thread.fault.address, thread.fault.access)
    assert 11 == thread.get_context()["ebx"]


@pytest.mark.parametrize("replace", [False, True])
def test_calls_that_are_interrupted_anywhere_lose_nothing(machine: Machine, tmp_path: Path, replace: bool) -> None:
    code = assembled(
        f"org {CODE:#x}\n{STUBS}xor esi, esi\nmov ebx, 0x1111\nmov edi, 0x2222\nmov ebp, 0x3333\n"
        "again: push 0\npush esi\ncall stub5\ninc esi\ncmp eax, esi\njne bad\n"
        f"lea eax, [ebx + edi]\nadd eax, ebp\ncmp eax, 0x6666\njne bad\ncmp esi, {_CALLS}\njne again\n"
        "push 0\npush 0\ncall stub1\nbad: hlt",
        tmp_path,
    )
    thread = machine.thread(code)
    assert run_interrupted(machine, thread, replace) > 0
    assert [*range(_CALLS)] == [arguments[0] for _, arguments in machine.calls[:-1]]


def test_registers_can_be_replaced(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("ud2", tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    machine.space.write(CODE + 0x100, assembled("mov ecx, [esp]\nhlt", tmp_path))
    machine.space.write_u32(STACK_TOP, 0x77)
    thread.set_context(ContextI386.user(eip=CODE + 0x100, esp=STACK_TOP))
    assert cpu.FAULT == thread.run(machine.answer)
    assert 0x77 == thread.get_context()["ecx"]
