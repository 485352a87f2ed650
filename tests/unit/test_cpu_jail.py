"""The jail engine does what the Unicorn engine does (the same tests), and what only it can."""

from __future__ import annotations

import os
import struct
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu import select
from lswd.cpu.engine import EngineError
from lswd.cpu.jail import assemble, child, layout, lock
from lswd.cpu.jail.engine import JailEngine
from lswd.cpu.jail.growth import Growth
from lswd.memory.backing import FileMapping
from lswd.memory.protection import PAGE_READONLY, PAGE_READWRITE, PAGE_WRITECOPY
from lswd.memory.region import MEM_MAPPED
from lswd.memory.space import AddressSpace
from tests.unit.jail_attack import through_the_stub
from tests.unit.test_cpu_unicorn import (
    Machine,
    assembled,
    test_a_call_through_the_hand_off_carries_arguments_and_result,
    test_a_context_survives_a_round_trip_with_floating_point,
    test_a_context_taken_during_a_call_goes_on_behind_it,
    test_a_direct_syscall_instruction_works_too,
    test_a_fault_can_be_mended_and_the_instruction_goes_on,
    test_a_handler_may_replace_the_registers_of_its_own_thread,
    test_a_result_reaches_a_thread_whose_registers_were_replaced,
    test_an_endless_loop_is_interrupted_from_another_host_thread,
    test_code_the_guest_writes_itself_runs,
    test_code_written_by_the_kernel_during_a_call_is_seen_on_return,
    test_code_written_by_the_kernel_replaces_what_was_translated,
    test_faults_are_told_exactly,
    test_memory_that_is_freed_and_reused_runs_its_new_code,
    test_set_context_takes_only_the_parts_its_flags_name,
    test_taking_write_access_away_is_noticed,
    test_threads_keep_their_own_registers_and_teb,
    test_user_code_sees_the_selectors_windows_uses,
)

if TYPE_CHECKING:
    from lswd.cpu.engine import CpuThread
    from tests.unit.test_cpu_unicorn32 import Machine as Machine32

__all__ = [
    "test_a_call_through_the_hand_off_carries_arguments_and_result",
    "test_a_context_survives_a_round_trip_with_floating_point",
    "test_a_context_taken_during_a_call_goes_on_behind_it",
    "test_a_direct_syscall_instruction_works_too",
    "test_a_fault_can_be_mended_and_the_instruction_goes_on",
    "test_a_handler_may_replace_the_registers_of_its_own_thread",
    "test_a_result_reaches_a_thread_whose_registers_were_replaced",
    "test_an_endless_loop_is_interrupted_from_another_host_thread",
    "test_code_the_guest_writes_itself_runs",
    "test_code_written_by_the_kernel_during_a_call_is_seen_on_return",
    "test_code_written_by_the_kernel_replaces_what_was_translated",
    "test_faults_are_told_exactly",
    "test_memory_that_is_freed_and_reused_runs_its_new_code",
    "test_set_context_takes_only_the_parts_its_flags_name",
    "test_taking_write_access_away_is_noticed",
    "test_threads_keep_their_own_registers_and_teb",
    "test_user_code_sees_the_selectors_windows_uses",
]


@pytest.fixture
def machine() -> Iterator[Machine]:
    machine = Machine(JailEngine)
    yield machine
    machine.engine.close()


def wait_until(condition: Callable[[], bool]) -> None:
    """Look until it is so; pytest ends a test that never gets there."""
    while not condition():
        time.sleep(0.001)


def test_the_stub_is_what_its_source_assembles_to(tmp_path: object) -> None:
    assemble.assemble(f"{tmp_path}/stub.bin")
    with open(f"{tmp_path}/stub.bin", "rb") as built, open(assemble.BINARY, "rb") as kept:
        assert built.read() == kept.read()


_CALLS = 3000
_LOOP = f"""
    xor r12d, r12d
    mov rbx, 0x1111
    mov rsi, 0x2222
    mov rdi, 0x3333
    mov r13, 0x4444
    mov r14, 0x5555
    mov r15, 0x6666
    mov rbp, 0x7777
    movq xmm7, rbp
again:
    mov r10, r12
    mov eax, 2
    call [0x7ffe1000]
    inc r12
    cmp rax, r12
    jne bad
    lea rax, [rbx + rsi]
    add rax, rdi
    add rax, r13
    add rax, r14
    add rax, r15
    add rax, rbp
    cmp rax, {0x1111 + 0x2222 + 0x3333 + 0x4444 + 0x5555 + 0x6666 + 0x7777}
    jne bad
    movq rax, xmm7
    cmp rax, rbp
    jne bad
    cmp r12d, {_CALLS}
    jne again
    mov eax, 1
    call [0x7ffe1000]
bad:
    hlt
"""


def run_interrupted(machine: Machine | Machine32, thread: CpuThread, replace: bool) -> int:
    """Run a thread until it leaves, interrupted all the time; how often it was.

    ``replace``: its registers are taken and put back each time.
    """
    done, came = threading.Event(), threading.Event()

    def interrupt() -> None:
        while not done.is_set():
            machine.engine.interrupt()
            came.set()
            done.wait(0.00005)

    def answer(*call: int) -> int | None:
        if not len(machine.calls) % 500:  # however busy the host is, some interrupts come
            came.clear()
            came.wait()
        return machine.answer(*call)

    helper = threading.Thread(target=interrupt)
    helper.start()
    interrupted = 0
    try:
        while (outcome := thread.run(answer)) == cpu.INTERRUPTED:
            interrupted += 1
            if replace:
                thread.set_context(thread.get_context())
    finally:
        done.set()
        helper.join()
    assert cpu.LEFT == outcome
    return interrupted


@pytest.mark.parametrize("replace", [False, True])
def test_calls_that_are_interrupted_anywhere_lose_nothing(machine: Machine, tmp_path: Path, replace: bool) -> None:
    thread = machine.thread(assembled(_LOOP, tmp_path))
    assert run_interrupted(machine, thread, replace) > 0
    assert [*range(_CALLS)] == [call[1] for call in machine.calls[:-1]]


def test_an_interrupt_before_a_thread_has_its_signal_stack_destroys_nothing(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep_busy = [(layout.SYS_MUNMAP, 0x10000000, 0x100000)] * 100
    assert isinstance(machine.engine, JailEngine)
    jailed = machine.engine.child
    put, start = jailed.put_operations, jailed.start_thread

    def put_more(block: int, operations: Sequence[child.Operation]) -> None:
        begins = block and operations and operations[0][0] == layout.SYS_SIGALTSTACK
        put(block, [*keep_busy, *operations] if begins else operations)

    def start_and_interrupt(block: int) -> int:
        thread = start(block)
        jailed.signal(thread)
        return thread

    monkeypatch.setattr(jailed, "put_operations", put_more)
    monkeypatch.setattr(jailed, "start_thread", start_and_interrupt)
    code = assembled("jmp $", tmp_path)
    for _ in range(20):
        thread = machine.thread(code, rbx=0x1234)
        assert cpu.INTERRUPTED == thread.run(machine.answer)
        assert 0x1234 == thread.get_context()["rbx"]
        thread.close()


def test_single_stepping_steps_over_the_hand_off(machine: Machine, tmp_path: Path) -> None:
    code = "pushf\nor dword [rsp], 0x100\npopf\nmov eax, 2\nmov r10, 5\ncall [0x7ffe1000]\nmov rbx, rax\nhlt"
    thread = machine.thread(assembled(code, tmp_path))
    steps = 0
    while thread.run(machine.answer) == cpu.FAULT and thread.fault is not None and thread.fault.vector == cpu.DEBUG:
        steps += 1
    assert steps >= 2
    assert thread.fault is not None and cpu.GENERAL_PROTECTION == thread.fault.vector
    assert 6 == thread.get_context()["rbx"]


@pytest.mark.parametrize(
    ("instruction", "vector", "address"),
    [
        ("mov rax, 0x1234567890abcdef\nmov al, [rax]", cpu.PAGE_FAULT, (1 << 64) - 1),
        ("lea rax, [rsp + 1]\nmovaps xmm0, [rax]", cpu.PAGE_FAULT, (1 << 64) - 1),
        ("cli", cpu.GENERAL_PROTECTION, 0),
        ("in al, 0x60", cpu.GENERAL_PROTECTION, 0),
        ("mov rax, cr0", cpu.GENERAL_PROTECTION, 0),
        ("int 0x2d", cpu.SOFTWARE_INTERRUPT + 0x2D, 0),
        ("int 0x80", cpu.SOFTWARE_INTERRUPT + 0x80, 0),
        ("mov eax, 0x80000000\nmov ecx, -1\ncdq\nidiv ecx", cpu.DIVIDE_ERROR, 0),
    ],
)
def test_what_only_a_processor_can_tell(
    machine: Machine, tmp_path: Path, instruction: str, vector: int, address: int
) -> None:
    thread = machine.thread(assembled(instruction, tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    assert thread.fault is not None
    assert (vector, address) == (thread.fault.vector, thread.fault.address)


def test_a_file_is_the_same_memory_on_both_sides(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"\x05" + bytes(0x2FFF))
    with open(path, "r+b") as file:
        backing = FileMapping(file.fileno(), 0x2000, offset=0x1000)
        region = machine.space.map(0x900000, 0x2000, MEM_MAPPED, PAGE_READWRITE, backing=backing)
    machine.space.commit(region, 0x900000, 0x2000, PAGE_READWRITE)
    code = "mov byte [0x900010], 7\nmov eax, 1\ncall [0x7ffe1000]\nmov bl, [0x901020]\nmov bh, [0x901fff]\nhlt"
    thread = machine.thread(assembled(code, tmp_path))
    assert cpu.LEFT == thread.run(machine.answer)
    assert 7 == path.read_bytes()[0x1010]
    with open(path, "r+b") as file:
        file.seek(0x2020)
        file.write(b"\x09")
    machine.space.write(0x901FFF, b"\x0a")
    thread.set_result(0)
    assert cpu.FAULT == thread.run(machine.answer)
    assert 0x0A09 == thread.get_context()["rbx"] & 0xFFFF


def test_a_file_mapped_for_reading_cannot_be_written(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(0x1000))
    with open(path, "r+b") as file:
        backing = FileMapping(file.fileno(), 0x1000, writable=False)
        region = machine.space.map(0x900000, 0x1000, MEM_MAPPED, PAGE_READONLY, backing=backing)
    machine.space.commit(region, 0x900000, 0x1000, PAGE_READONLY)
    # The guest's own attempt, with whatever descriptor the file has got.
    attempt = "\n".join(
        through_the_stub(layout.SYS_MMAP, 0x900000, 0x1000, 3, layout.MAP_SHARED_FIXED, fd, 0).partition("mov r10")[0]
        for fd in (0, 1, 2, 4, 6)
    )
    thread = machine.thread(assembled(f"mov bl, [0x900000]\n{attempt}\nmov byte [0x900000], 1\nhlt", tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    assert thread.fault is not None and (cpu.PAGE_FAULT, 2) == (thread.fault.vector, thread.fault.access)
    assert bytes(0x1000) == path.read_bytes()


def test_a_view_that_is_gone_is_gone_and_its_descriptor_is_used_again(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(0x1000))
    engine = machine.engine
    assert isinstance(engine, JailEngine)
    thread = machine.thread(assembled("l: mov bl, [0x900000]\nmov eax, 1\ncall [0x7ffe1000]\njmp l", tmp_path))
    for _ in range(3):
        with open(path, "r+b") as file:
            backing = FileMapping(file.fileno(), 0x1000)
            region = machine.space.map(0x900000, 0x1000, MEM_MAPPED, PAGE_READWRITE, backing=backing)
        machine.space.commit(region, 0x900000, 0x1000, PAGE_READWRITE)
        assert engine.descriptors in ([0], [1])  # the old one is closed when the guest runs again
        assert cpu.LEFT == thread.run(machine.answer)
        thread.set_result(0)
        machine.space.unmap(region)
    assert cpu.FAULT == thread.run(machine.answer)


def test_threads_come_and_go(machine: Machine, tmp_path: Path) -> None:
    engine = machine.engine
    assert isinstance(engine, JailEngine)
    code = assembled("mov eax, 1\ncall [0x7ffe1000]\nhlt", tmp_path)
    for _ in range(20):
        thread = machine.thread(code)
        assert cpu.LEFT == thread.run(machine.answer)
        thread.close()
        wait_until(lambda: 1 == len(os.listdir(f"/proc/{engine.child.pid}/task")))
    assert engine.blocks_in_use() <= 2


def test_a_copy_on_write_page_is_written_once_asked_for(machine: Machine, tmp_path: Path) -> None:
    region = machine.space.reserve(0x900000, 0x10000, PAGE_READWRITE)
    machine.space.commit(region, 0x900000, 0x4000, PAGE_WRITECOPY)
    thread = machine.thread(assembled("mov bl, [0x901000]\nmov byte [0x901000], 1\nhlt", tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    assert thread.fault is not None and cpu.GENERAL_PROTECTION == thread.fault.vector
    assert PAGE_READWRITE == machine.space.query(0x901000)[5]


def test_pieces_committed_one_after_another_are_zero_and_the_guests_own(machine: Machine, tmp_path: Path) -> None:
    engine = machine.engine
    assert isinstance(engine, JailEngine)
    region = machine.space.reserve(0x900000, 0x100000, PAGE_READWRITE)
    machine.space.commit(region, 0x900000, 0x20000, PAGE_READWRITE)
    machine.space.raw(region)[:0x20000] = b"\xff" * 0x20000
    machine.space.decommit(region, 0x900000, 0x20000, briefly=True)
    # Each call commits the next 64 KiB; all that the guest sees there goes into bl, and then it writes.
    code = """
        mov r12, 0x900000
    again:
        mov eax, 1
        call [0x7ffe1000]
        mov ecx, 0x2000
    look:
        or rbx, [r12]
        mov qword [r12], -1
        add r12, 8
        loop look
        cmp r12, 0x980000
        jne again
        hlt
    """
    pieces = iter(range(0x900000, 0x980000, 0x10000))

    def answer(*call: int) -> int:
        machine.space.commit(region, next(pieces), 0x10000, PAGE_READWRITE)
        return 0

    engine.child.spin.looks = 100
    thread = machine.thread(assembled(code, tmp_path))
    assert cpu.FAULT == thread.run(answer)
    assert thread.fault is not None and cpu.GENERAL_PROTECTION == thread.fault.vector
    assert 0 == thread.get_context()["rbx"]
    assert b"\xff" * 0x80000 == machine.space.read(0x900000, 0x80000)
    assert bytes(0x80000) == bytes(machine.space.raw(region)[0x80000:])


def test_what_was_committed_otherwise_meanwhile_is_not_cleared(machine: Machine) -> None:
    space = machine.space
    growth = Growth(space)
    region = space.reserve(0x900000, 0x100000, PAGE_READWRITE)
    for base in (0x900000, 0x910000):
        space.commit(region, base, 0x10000, PAGE_READWRITE)
        assert growth.committed(base, 0x10000)
    space.commit(region, 0x928000, 0x20000, PAGE_READWRITE)
    growth.committed(0x928000, 0x20000)
    space.write(0x928000, b"kept")
    growth.fill_ahead(alone=True)
    assert b"kept" == space.read(0x928000, 4)
    for base in (0x950000, 0x960000):
        space.commit(region, base, 0x10000, PAGE_READWRITE)
        assert growth.committed(base, 0x10000)
    space.release(0x900000)
    growth.fill_ahead(alone=True)


def test_many_regions_are_mapped_in_several_rounds(machine: Machine, tmp_path: Path) -> None:
    for i in range(400):
        base = 0x1000000 + i * 0x10000
        region = machine.space.reserve(base, 0x10000, PAGE_READWRITE)
        machine.space.commit(region, base, 0x1000, PAGE_READWRITE)
    code = "mov rax, 0x1000000\nl: mov byte [rax], 1\nadd rax, 0x10000\ncmp rax, 0x2900000\njne l\nhlt"
    engine = machine.engine
    assert isinstance(engine, JailEngine)
    thread = machine.thread(assembled(code, tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    assert 0x2900000 == thread.get_context()["rax"]
    assert 0 == engine.faults


def test_a_call_that_changes_memory_costs_one_turn_more(
    machine: Machine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine, space = machine.engine, machine.space
    assert isinstance(engine, JailEngine)
    turns: list[int] = []
    pending = engine._mirror.pending

    def counted() -> object:
        turns.append(1)
        return pending()

    monkeypatch.setattr(engine._mirror, "pending", counted)
    region = space.reserve(0x1000000, 0x10000, PAGE_READWRITE)

    def answer(number: int, *_: int) -> int:
        if number == 2:
            space.commit(region, region.base, 0x10000, PAGE_READWRITE)
        return 0

    call = "mov eax, {}\ncall [0x7ffe1000]\n"
    code = call.format(3) * 2 + call.format(2) + "mov byte [0x1000000], 7\n" + call.format(3) * 4 + "hlt"
    thread = machine.thread(assembled(code, tmp_path))
    assert cpu.FAULT == thread.run(answer)
    assert [1, 1] == turns
    assert b"\x07" == space.read(0x1000000, 1)


def test_auto_takes_the_jail_and_falls_back_with_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(select, "_reason", "")
    space = AddressSpace()
    engine = select.engine_factory("auto")(space)
    assert ("jail", "") == (engine.name, select.why_not())
    engine.close()
    # A host that lets everything through.
    monkeypatch.setattr(lock, "program", lambda: struct.pack("<HBBI", 6, 0, 0, 0x7FFF0000))
    engine = select.engine_factory("")(AddressSpace())
    assert "unicorn" == engine.name
    assert "the jail cannot be locked here: a forbidden system call is not stopped" == select.why_not()
    engine.close()


def test_a_host_without_answer_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(child, "_START_SECONDS", 0.05)
    monkeypatch.setattr(child, "stub_code", assemble_hanging)
    with pytest.raises(EngineError, match="no answer"):
        JailEngine(AddressSpace())


def test_a_host_that_hangs_is_asked_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(child, "_START_SECONDS", 0.05)
    monkeypatch.setattr(child, "stub_code", assemble_hanging)
    for start in (JailEngine.__init__, None):
        monkeypatch.setattr(select, "_reason", "")
        if start is None:
            monkeypatch.delattr(JailEngine, "__init__")
        engine = select.engine_factory("auto")(AddressSpace())
        assert ("unicorn", "the jail does not start here: no answer") == (engine.name, select.why_not())
        engine.close()


def assemble_hanging() -> bytes:
    """The stub, but it spins at its first instruction."""
    with open(assemble.BINARY, "rb") as file:
        stub = bytearray(file.read())
    entry = int.from_bytes(stub[24:32], "little") & 0xFFF
    stub[entry : entry + 2] = b"\xeb\xfe"
    return bytes(stub)
