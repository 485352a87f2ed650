"""The Unicorn engine: faults, hand-off, threads, and code that changes under it."""

from __future__ import annotations

import subprocess
import threading
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu.context import CONTEXT_INTEGER, REGISTERS, Context
from lswd.cpu.unicorn import library, registers
from lswd.cpu.unicorn.engine import UnicornEngine
from lswd.cpu.unicorn.handoff import HANDOFF64, SYSCALL_AT
from lswd.memory.protection import PAGE_EXECUTE_READ, PAGE_EXECUTE_READWRITE, PAGE_READONLY, PAGE_READWRITE
from lswd.memory.region import Region
from lswd.memory.space import AddressSpace

if TYPE_CHECKING:
    from lswd.cpu.engine import CpuThread, EngineFactory

CODE = 0x400000
DATA = 0x500000
STACK_TOP = 0x610000 - 0x100


class Machine:
    """An address space with code, data, a stack and a TEB, and one thread."""

    def __init__(self, engine: EngineFactory = UnicornEngine) -> None:
        self.space = AddressSpace()
        self.engine = engine(self.space)
        self.code = self.region(CODE, 0x10000, PAGE_EXECUTE_READWRITE)
        self.data = self.region(DATA, 0x10000, PAGE_READWRITE)
        self.region(0x600000, 0x10000, PAGE_READWRITE)
        shared = self.space.find(0x7FFE0000)
        assert shared is not None
        self.space.commit(shared, cpu.HANDOFF_POINTER, 0x1000, PAGE_READONLY)
        view = self.space.raw(shared)
        view[0x1000:0x1008] = self.engine.handoff.to_bytes(8, "little")
        self.calls: list[tuple[int, ...]] = []

    def region(self, base: int, size: int, protect: int) -> Region:
        region = self.space.reserve(base, size, PAGE_READWRITE)
        self.space.commit(region, base, size, protect)
        return region

    def thread(self, code: bytes, at: int = CODE, teb: int = 0x700000, **values: int) -> CpuThread:
        self.space.raw(self.code)[at - CODE : at - CODE + len(code)] = code
        if self.space.find(teb) is None:
            self.region(teb, 0x4000, PAGE_READWRITE)
        thread = self.engine.new_thread(teb)
        thread.set_context(Context.user(rip=at, rsp=STACK_TOP, **values))
        return thread

    def answer(self, *call: int) -> int | None:
        """A system call handler: number 1 leaves, everything else returns its first argument plus one."""
        self.calls.append(call)
        return None if call[0] == 1 else call[1] + 1


@pytest.fixture
def machine() -> Machine:
    return Machine()


def assembled(source: str, tmp_path: Path) -> bytes:
    (tmp_path / "t.asm").write_text("bits 64\n" + source)
    subprocess.run(["nasm", "-f", "bin", "-o", "t.bin", "t.asm"], cwd=tmp_path, check=True)
    return (tmp_path / "t.bin").read_bytes()


def test_constants_are_those_of_the_installed_package() -> None:
    import unicorn
    from unicorn import unicorn_const, x86_const

    assert unicorn.UC_ARCH_X86 == library.UC_ARCH_X86
    for name in vars(library):
        if name.startswith("UC_") and hasattr(unicorn_const, name):
            assert getattr(unicorn_const, name) == getattr(library, name), name
    assert x86_const.UC_CPU_X86_HASWELL == library.UC_CPU_X86_HASWELL
    assert x86_const.UC_X86_INS_SYSCALL == library.UC_X86_INS_SYSCALL
    assert library.UC_HOOK_DATA_UNMAPPED == unicorn_const.UC_HOOK_MEM_READ_UNMAPPED | (
        unicorn_const.UC_HOOK_MEM_WRITE_UNMAPPED
    )
    numbers = dict(zip(REGISTERS, registers._INTEGER, strict=True))
    for name, number in numbers.items():
        assert getattr(x86_const, f"UC_X86_REG_{name.upper()}") == number
    assert x86_const.UC_X86_REG_GS_BASE == registers.GS_BASE


def test_the_stub_is_what_its_source_assembles_to(tmp_path: Path) -> None:
    source = Path(library.__file__).with_name("handoff64.asm").read_text()
    assert assembled(source, tmp_path) == HANDOFF64
    assert HANDOFF64[SYSCALL_AT : SYSCALL_AT + 2] == b"\x0f\x05"


def test_a_call_through_the_hand_off_carries_arguments_and_result(machine: Machine, tmp_path: Path) -> None:
    code = assembled(
        "mov eax, 0x55\nmov r10, 41\nmov edx, 2\nmov r8d, 3\nmov r9d, 4\ncall [0x7ffe1000]\nmov rbx, rax\n"
        "mov eax, 1\ncall [0x7ffe1000]\nmov rcx, rax\nhlt",
        tmp_path,
    )
    thread = machine.thread(code)
    assert thread.run(machine.answer) == cpu.LEFT
    assert machine.calls[0] == (0x55, 41, 2, 3, 4, STACK_TOP)
    assert thread.get_context()["rbx"] == 42
    thread.set_result(99)
    assert thread.run(machine.answer) == cpu.FAULT
    assert thread.get_context()["rcx"] == 99


def test_a_direct_syscall_instruction_works_too(machine: Machine, tmp_path: Path) -> None:
    code = assembled("mov eax, 7\nmov r10, 9\nsyscall\nmov rbx, rax\nmov eax, 1\nsyscall\nhlt", tmp_path)
    thread = machine.thread(code)
    assert thread.run(machine.answer) == cpu.LEFT
    assert thread.get_context()["rbx"] == 10
    thread.set_result(0x1234)
    assert thread.run(machine.answer) == cpu.FAULT
    assert thread.get_context()["rax"] == 0x1234


@pytest.mark.parametrize(
    ("instruction", "vector", "address", "access"),
    [
        ("mov rax, [0x123456]", cpu.PAGE_FAULT, 0x123456, 1),
        ("mov [0x123457], al", cpu.PAGE_FAULT, 0x123457, 2),
        ("mov byte [0x520010], 1", cpu.PAGE_FAULT, 0x520010, 2),
        ("mov rax, 0x654321\njmp rax", cpu.PAGE_FAULT, 0x654321, 4),
        ("mov rax, 0x500010\njmp rax", cpu.PAGE_FAULT, 0x500010, 4),
        ("xor ecx, ecx\ndiv ecx", cpu.DIVIDE_ERROR, 0, 0),
        ("ud2", cpu.INVALID_OPCODE, 0, 0),
        ("int3", cpu.BREAKPOINT, 0, 0),
        ("int 0x29", cpu.SOFTWARE_INTERRUPT + 0x29, 0, 0),
        ("hlt", cpu.GENERAL_PROTECTION, 0, 0),
    ],
)
def test_faults_are_told_exactly(
    machine: Machine, tmp_path: Path, instruction: str, vector: int, address: int, access: int
) -> None:
    machine.region(0x520000, 0x10000, PAGE_READONLY)
    thread = machine.thread(assembled("mov ebx, 5\nadd ebx, 6\n" + instruction, tmp_path))
    assert thread.run(machine.answer) == cpu.FAULT
    assert thread.fault is not None
    assert (thread.fault.vector, thread.fault.address, thread.fault.access) == (vector, address, access)
    assert thread.get_context()["rbx"] == 11


def test_a_fault_can_be_mended_and_the_instruction_goes_on(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("mov byte [0x530010], 7\nmov al, [0x530010]\nhlt", tmp_path))
    region = machine.space.reserve(0x530000, 0x10000, PAGE_READWRITE)
    assert thread.run(machine.answer) == cpu.FAULT
    assert thread.fault is not None and thread.fault.vector == cpu.PAGE_FAULT
    machine.space.commit(region, 0x530000, 0x1000, PAGE_READWRITE)
    assert thread.run(machine.answer) == cpu.FAULT
    assert thread.fault is not None and thread.fault.vector == cpu.GENERAL_PROTECTION
    assert thread.get_context()["rax"] & 0xFF == 7


def test_taking_write_access_away_is_noticed(machine: Machine, tmp_path: Path) -> None:
    write = "mov byte [0x500000], 1\n"
    thread = machine.thread(assembled(f"{write}mov eax, 1\ncall [0x7ffe1000]\n{write}hlt", tmp_path))
    assert thread.run(machine.answer) == cpu.LEFT
    machine.space.protect(DATA, 0x1000, PAGE_READONLY)
    assert thread.run(machine.answer) == cpu.FAULT
    assert thread.fault is not None
    assert (thread.fault.vector, thread.fault.address) == (cpu.PAGE_FAULT, DATA)


def test_code_written_by_the_kernel_replaces_what_was_translated(machine: Machine, tmp_path: Path) -> None:
    old, new = assembled("mov ebx, 1\nhlt", tmp_path), assembled("mov ebx, 2\nhlt", tmp_path)
    thread = machine.thread(old)
    thread.run(machine.answer)
    assert thread.get_context()["rbx"] == 1
    machine.space.write(CODE, new)
    thread.set_context(Context.user(rip=CODE, rsp=STACK_TOP))
    thread.run(machine.answer)
    assert thread.get_context()["rbx"] == 2


def test_code_written_by_the_kernel_during_a_call_is_seen_on_return(machine: Machine, tmp_path: Path) -> None:
    code = assembled("mov eax, 2\ncall [0x7ffe1000]\nmov ebx, 1\nmov eax, 1\ncall [0x7ffe1000]", tmp_path)
    patched = code.replace(assembled("mov ebx, 1", tmp_path), assembled("mov ebx, 2", tmp_path))
    thread = machine.thread(code)

    def patch(*call: int) -> int | None:
        machine.space.write(CODE, patched)
        return machine.answer(*call)

    assert thread.run(patch) == cpu.LEFT
    assert thread.get_context()["rbx"] == 2


def test_code_the_guest_writes_itself_runs(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("lea rax, [rel t]\nmov byte [rax+1], 0x22\nt: mov bl, 0x11\nhlt", tmp_path))
    thread.run(machine.answer)
    assert thread.get_context()["rbx"] & 0xFF == 0x22


def test_memory_that_is_freed_and_reused_runs_its_new_code(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("mov rax, 0x900000\ncall rax\nhlt", tmp_path))
    for value in (1, 2, 3):
        region = machine.region(0x900000, 0x10000, PAGE_EXECUTE_READ)
        body = assembled(f"mov ebx, {value}\nret", tmp_path)
        machine.space.raw(region)[: len(body)] = body
        thread.set_context(Context.user(rip=CODE, rsp=STACK_TOP))
        thread.run(machine.answer)
        assert thread.get_context()["rbx"] == value
        machine.space.release(0x900000)


def test_interrupts_from_another_host_thread_do_not_change_what_code_computes(
    machine: Machine, tmp_path: Path
) -> None:
    # Blocks that change memory and jump to each other directly: a block that ran twice would be seen in the sums.
    code = assembled(
        """
        mov ecx, 300000
    again:
        call sum
        add [rdi], rax
        test ecx, 1
        jz even
        add qword [rdi + 8], 5
        jmp next
    even:
        add [rdi + 8], rcx
    next:
        dec ecx
        jnz again
        mov r10, [rdi]
        mov rdx, [rdi + 8]
        mov eax, 1
        syscall
    sum:
        lea rax, [rcx + 3]
        ret
        """,
        tmp_path,
    )
    thread = machine.thread(code, rdi=DATA)
    done = threading.Event()

    def interrupt() -> None:
        while not done.wait(0.0001):
            machine.engine.interrupt()

    other = threading.Thread(target=interrupt)
    other.start()
    interrupts = 0
    try:
        while thread.run(machine.answer) == cpu.INTERRUPTED:
            interrupts += 1
    finally:
        done.set()
        other.join()
    assert interrupts > 0
    numbers = range(1, 300001)
    expected = (sum(n + 3 for n in numbers), sum(5 if n & 1 else n for n in numbers))
    assert [expected] == [call[1:3] for call in machine.calls]


def test_an_interrupt_that_comes_too_early_is_not_forgotten(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("mov ecx, 1000\nagain: loop again\nhlt", tmp_path))
    machine.engine.interrupt()
    assert cpu.INTERRUPTED == thread.run(machine.answer)


def test_an_endless_loop_is_interrupted_from_another_host_thread(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("l: inc rbx\njmp l", tmp_path))
    done = threading.Event()

    def interrupt() -> None:
        while not done.wait(0.01):
            machine.engine.interrupt()

    helper = threading.Thread(target=interrupt)
    helper.start()
    try:
        while not thread.get_context()["rbx"]:  # an interrupt may come before the first instruction
            assert thread.run(machine.answer) == cpu.INTERRUPTED
    finally:
        done.set()
        helper.join()


def test_threads_keep_their_own_registers_and_teb(machine: Machine, tmp_path: Path) -> None:
    code = assembled("mov rbx, [gs:0]\nmov eax, 1\ncall [0x7ffe1000]\nmov rcx, [gs:0]\nhlt", tmp_path)
    first = machine.thread(code, teb=0x700000)
    second = machine.thread(code, teb=0x800000)
    machine.space.write_u64(0x700000, 111)
    machine.space.write_u64(0x800000, 222)
    assert first.run(machine.answer) == second.run(machine.answer) == cpu.LEFT
    assert (first.get_context()["rbx"], second.get_context()["rbx"]) == (111, 222)
    first.set_result(1)
    second.set_result(2)
    first.run(machine.answer)
    second.run(machine.answer)
    assert (first.get_context()["rcx"], second.get_context()["rcx"]) == (111, 222)
    assert (first.get_context()["rax"], second.get_context()["rax"]) == (1, 2)


def test_a_context_survives_a_round_trip_with_floating_point(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("fld1\nfldpi\nmov rax, 0x3ff8000000000000\nmovq xmm7, rax\nhlt", tmp_path))
    thread.run(machine.answer)
    saved = thread.get_context()
    other = machine.thread(b"\xd9\xee\xf4", at=CODE + 0x100, teb=0x800000)  # fldz; hlt
    other.run(machine.answer)
    thread.set_context(saved)
    assert thread.get_context().data == saved.data
    assert saved.data[0x100 + 4] == 0b11000000  # two registers in use
    assert saved.data[0x1A0 + 16 * 7 : 0x1A0 + 16 * 7 + 8] == (0x3FF8000000000000).to_bytes(8, "little")


def test_set_context_takes_only_the_parts_its_flags_name(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("mov ebx, 1\nhlt", tmp_path))
    thread.run(machine.answer)
    rip = thread.get_context()["rip"]
    change = Context.user(rbx=77, rip=0x1234)
    change.flags = CONTEXT_INTEGER
    thread.set_context(change)
    assert (thread.get_context()["rbx"], thread.get_context()["rip"]) == (77, rip)


@pytest.mark.parametrize("call", ["call [0x7ffe1000]", "syscall"])
def test_a_handler_may_replace_the_registers_of_its_own_thread(machine: Machine, tmp_path: Path, call: str) -> None:
    start = assembled(f"mov eax, 1\n{call}\nhlt", tmp_path)
    thread = machine.thread(start)
    target = CODE + 0x100
    machine.space.write(target, assembled("mov ebx, 5\nhlt", tmp_path))
    seen = []

    def jump(*_call: int) -> int | None:
        seen.append(thread.get_context()["rip"])
        thread.set_context(Context.user(rip=target, rsp=STACK_TOP, rbx=1))
        seen.append(thread.get_context()["rip"])
        return None

    assert thread.run(jump) == cpu.LEFT
    assert seen == [CODE + len(start) - 1, target]
    assert thread.get_context()["rip"] == target
    thread.run(machine.answer)
    assert thread.get_context()["rbx"] == 5


@pytest.mark.parametrize("call", ["call [0x7ffe1000]", "syscall"])
def test_a_context_taken_during_a_call_goes_on_behind_it(machine: Machine, tmp_path: Path, call: str) -> None:
    thread = machine.thread(assembled(f"mov eax, 1\n{call}\nmov rbx, rax\nhlt", tmp_path))
    assert thread.run(machine.answer) == cpu.LEFT
    thread.set_result(5)
    saved = thread.get_context()
    # Something else uses the thread and makes calls of its own: an APC routine, say.
    thread.set_context(Context.user(rip=CODE, rsp=saved["rsp"]))
    assert thread.run(machine.answer) == cpu.LEFT
    thread.set_result(6)
    saved["rax"] = 7
    thread.set_context(saved)
    thread.run(machine.answer)
    assert thread.get_context()["rbx"] == 7


@pytest.mark.parametrize("call", ["call [0x7ffe1000]", "syscall"])
def test_a_result_reaches_a_thread_whose_registers_were_replaced(machine: Machine, tmp_path: Path, call: str) -> None:
    thread = machine.thread(assembled(f"mov eax, 1\n{call}\nmov rbx, rax\nhlt", tmp_path))
    assert thread.run(machine.answer) == cpu.LEFT
    thread.set_context(thread.get_context())
    thread.set_result(8)
    assert thread.get_context()["rax"] == 8
    thread.run(machine.answer)
    assert thread.get_context()["rbx"] == 8


def test_user_code_sees_the_selectors_windows_uses(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("mov ebx, cs\nmov ecx, ss\nmov edx, ds\nhlt", tmp_path))
    thread.run(machine.answer)
    context = thread.get_context()
    assert (context["rbx"], context["rcx"], context["rdx"]) == (0x33, 0x2B, 0x2B)


def test_the_processor_does_not_offer_avx(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("mov eax, 1\ncpuid\nhlt", tmp_path))
    thread.run(machine.answer)
    assert thread.get_context()["rcx"] >> 28 & 1 == 0
