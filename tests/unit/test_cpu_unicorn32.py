"""The Unicorn engine with 32-bit guests: hand-off, TEB segment, faults, threads and the i386 CONTEXT."""

from __future__ import annotations

import struct
import subprocess
from pathlib import Path

import pytest

from lswd.cpu import context32 as layout
from lswd.cpu import engine as cpu
from lswd.cpu.context import context_type
from lswd.cpu.context32 import ContextI386
from lswd.cpu.unicorn import library, registers
from lswd.cpu.unicorn.engine import UnicornEngine
from lswd.cpu.unicorn.handoff import HANDOFF32, SYSCALL_AT_32
from lswd.memory.protection import PAGE_EXECUTE_READWRITE, PAGE_READONLY, PAGE_READWRITE
from lswd.memory.region import Region
from lswd.memory.space import AddressSpace

CODE = 0x400000
DATA = 0x500000
STACK_TOP = 0x610000 - 0x100
TEB = 0x700000


class Machine:
    """A 32-bit address space with code, data and a stack."""

    def __init__(self, engine: cpu.EngineFactory = UnicornEngine) -> None:
        self.space = AddressSpace(4)
        self.engine = engine(self.space)
        self.code = self.region(CODE, 0x10000, PAGE_EXECUTE_READWRITE)
        self.region(DATA, 0x10000, PAGE_READWRITE)
        self.region(0x600000, 0x10000, PAGE_READWRITE)
        shared = self.space.find(0x7FFE0000)
        assert shared is not None
        self.space.commit(shared, cpu.HANDOFF_POINTER, 0x1000, PAGE_READONLY)
        self.space.raw(shared)[0x1000:0x1008] = self.engine.handoff.to_bytes(8, "little")
        self.calls: list[tuple[int, tuple[int, ...]]] = []

    def region(self, base: int, size: int, protect: int) -> Region:
        region = self.space.reserve(base, size, PAGE_READWRITE)
        self.space.commit(region, base, size, protect)
        return region

    def thread(self, code: bytes, at: int = CODE, teb: int = TEB, **values: int) -> cpu.CpuThread:
        self.space.raw(self.code)[at - CODE : at - CODE + len(code)] = code
        if self.space.find(teb) is None:
            self.region(teb, 0x4000, PAGE_READWRITE)
        thread = self.engine.new_thread(teb)
        thread.set_context(ContextI386.user(eip=at, esp=STACK_TOP, **values))
        return thread

    def answer(self, number: int, _a1: int, _a2: int, _a3: int, _a4: int, stack: int) -> int | None:
        """A system call handler: number 1 leaves, everything else returns its first argument plus one."""
        arguments = struct.unpack("<2I", self.space.read(stack + 4, 8))
        self.calls.append((number, arguments))
        return None if number == 1 else arguments[0] + 1


@pytest.fixture
def machine() -> Machine:
    return Machine()


def assembled(source: str, tmp_path: Path) -> bytes:
    (tmp_path / "t.asm").write_text("bits 32\n" + source)
    subprocess.run(["nasm", "-f", "bin", "-o", "t.bin", "t.asm"], cwd=tmp_path, check=True)
    return (tmp_path / "t.bin").read_bytes()


# Functions as ntdll's: a stub that drops its arguments, and a thunk.
STUBS = (
    "jmp start\nstub5: mov eax, 0x55\nmov edx, thunk\ncall edx\nret 8\n"
    "stub1: mov eax, 1\nmov edx, thunk\ncall edx\nret 8\nthunk: jmp [0x7ffe1000]\nstart:\n"
)


def test_register_numbers_are_those_of_the_installed_package() -> None:
    from unicorn import x86_const

    for name, number in registers._INTEGER32.items():
        assert getattr(x86_const, f"UC_X86_REG_{name.upper()}") == number
    assert (x86_const.UC_X86_REG_EIP, x86_const.UC_X86_REG_EAX) == (registers.EIP, registers.EAX)


def test_the_stub_is_what_its_source_assembles_to(tmp_path: Path) -> None:
    source = Path(library.__file__).with_name("handoff32.asm").read_text()
    assert assembled(source, tmp_path) == HANDOFF32
    assert HANDOFF32[SYSCALL_AT_32 : SYSCALL_AT_32 + 2] == b"\x0f\x05"


def test_a_call_through_the_hand_off_carries_arguments_and_result(machine: Machine, tmp_path: Path) -> None:
    code = assembled(
        f"org {CODE:#x}\n{STUBS}push 7\npush 41\ncall stub5\nmov ebx, eax\n"
        "push 9\npush 8\ncall stub1\nmov esi, eax\nhlt",
        tmp_path,
    )
    thread = machine.thread(code)
    assert cpu.LEFT == thread.run(machine.answer)
    assert [(0x55, (41, 7)), (1, (8, 9))] == machine.calls
    assert 42 == thread.get_context()["ebx"]
    thread.set_result(99)
    assert cpu.FAULT == thread.run(machine.answer)
    context = thread.get_context()
    assert (99, STACK_TOP) == (context["esi"], context["esp"])


def test_a_context_taken_inside_a_call_is_that_of_the_stub(machine: Machine, tmp_path: Path) -> None:
    code = assembled(f"org {CODE:#x}\n{STUBS}push 9\npush 8\ncall stub1\nhlt", tmp_path)
    thread = machine.thread(code)
    assert cpu.LEFT == thread.run(machine.answer)
    thread.set_result(5)
    context = thread.get_context()
    assert (5, b"\xc2\x08\0") == (context.result, machine.space.read(context.pc, 3))  # it goes on at `ret 8`


def test_each_thread_has_its_own_teb_at_fs(machine: Machine, tmp_path: Path) -> None:
    code = assembled(
        f"org {CODE:#x}\n{STUBS}mov ebx, [fs:0x18]\npush 0\npush 0\ncall stub1\nmov esi, [fs:0x18]\npush fs\npop fs\n"
        "mov edi, [fs:0x18]\nhlt",
        tmp_path,
    )
    tebs = (TEB, TEB + 0x10000)
    threads = [machine.thread(code, teb=teb) for teb in tebs]
    for teb in tebs:
        machine.space.write_u32(teb + 0x18, teb)
    assert [cpu.LEFT] * 2 == [thread.run(machine.answer) for thread in threads]
    for thread in threads:
        thread.set_result(0)
    assert [cpu.FAULT] * 2 == [thread.run(machine.answer) for thread in threads]
    for thread, teb in zip(threads, tebs, strict=True):
        context = thread.get_context()
        assert [teb] * 3 == [context[name] for name in ("ebx", "esi", "edi")]


@pytest.mark.parametrize(
    ("instruction", "vector", "address", "access"),
    [
        ("mov eax, [0x123456]", cpu.PAGE_FAULT, 0x123456, 1),
        ("mov [0x123457], al", cpu.PAGE_FAULT, 0x123457, 2),
        ("mov byte [0x520010], 1", cpu.PAGE_FAULT, 0x520010, 2),
        ("mov eax, [0xfffffff0]", cpu.PAGE_FAULT, 0xFFFFFFF0, 1),
        ("mov eax, 0x654321\njmp eax", cpu.PAGE_FAULT, 0x654321, 4),
        ("xor ecx, ecx\ndiv ecx", cpu.DIVIDE_ERROR, 0, 0),
        ("ud2", cpu.INVALID_OPCODE, 0, 0),
        ("syscall", cpu.INVALID_OPCODE, 0, 0),
        ("int3", cpu.BREAKPOINT, 0, 0),
        ("int 0x2e", cpu.SOFTWARE_INTERRUPT + 0x2E, 0, 0),
        ("hlt", cpu.GENERAL_PROTECTION, 0, 0),
    ],
)
def test_faults_are_told_exactly(
    machine: Machine, tmp_path: Path, instruction: str, vector: int, address: int, access: int
) -> None:
    machine.region(0x520000, 0x10000, PAGE_READONLY)
    thread = machine.thread(assembled("mov ebx, 5\nadd ebx, 6\n" + instruction, tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    assert thread.fault is not None
    assert (vector, address, access) == (thread.fault.vector, thread.fault.address, thread.fault.access)
    assert 11 == thread.get_context()["ebx"]


def test_a_system_call_instruction_of_its_own_faults_where_it_is(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("nop\nsyscall\nhlt", tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    assert CODE + 1 == thread.get_context().pc
    assert [] == machine.calls


def test_64_bit_code_cannot_be_reached(machine: Machine, tmp_path: Path) -> None:
    thread = machine.thread(assembled("jmp 0x33:0x400000", tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    assert thread.fault is not None
    assert cpu.GENERAL_PROTECTION == thread.fault.vector


def test_a_guest_that_loses_its_teb_segment_only_harms_itself(machine: Machine, tmp_path: Path) -> None:
    code = assembled(f"org {CODE:#x}\n{STUBS}xor eax, eax\nmov fs, ax\npush 9\npush 8\ncall stub1\nhlt", tmp_path)
    thread = machine.thread(code)
    assert cpu.FAULT == thread.run(machine.answer)
    assert [] == machine.calls


def test_a_jump_behind_the_spilling_finds_what_the_guest_has_put_there(machine: Machine, tmp_path: Path) -> None:
    """The mailbox is the guest's own memory: only number and stack are taken from it, as 32 bits."""
    handoff = machine.engine.handoff + SYSCALL_AT_32
    code = assembled(f"mov eax, {handoff}\njmp eax", tmp_path)
    thread = machine.thread(code)
    machine.space.write(TEB + 0x1F00, b"\xff" * 0x28 + STACK_TOP.to_bytes(4, "little") + b"\xff" * 4)
    machine.space.write(STACK_TOP + 4, struct.pack("<2I", 6, 7))
    machine.space.write_u32(STACK_TOP, CODE + len(code))
    machine.space.raw(machine.code)[len(code) : len(code) + 1] = b"\xf4"
    assert cpu.FAULT == thread.run(machine.answer)
    assert [(0xFFFFFFFF, (6, 7))] == machine.calls
    assert 7 == thread.get_context()["eax"]


def test_floating_point_registers_survive_a_way_through_the_context(machine: Machine, tmp_path: Path) -> None:
    code = assembled(
        f"org {CODE:#x}\n{STUBS}fldpi\nfld1\nmovups xmm5, [esp]\npush 0\npush 0\ncall stub1\nfstp qword [{DATA}]\n"
        f"fstp qword [{DATA + 8}]\nmovups [{DATA + 16}], xmm5\nhlt",
        tmp_path,
    )
    thread = machine.thread(code)
    machine.space.write(STACK_TOP, bytes(range(16)))
    assert cpu.LEFT == thread.run(machine.answer)
    context = thread.get_context()
    thread.set_result(0)
    thread.set_context(context)
    assert cpu.FAULT == thread.run(machine.answer)
    one, pi = struct.unpack("<dd", machine.space.read(DATA, 16))
    assert (1.0, 3.141592653589793) == (one, pi)
    assert bytes(range(16)) == machine.space.read(DATA + 16, 16)


def test_the_record_has_the_layout_of_winnt_h() -> None:
    context = ContextI386.user(eip=0x11223344, esp=0x55667788, eax=1, ebp=2)
    data = bytes(context.data)
    assert 0x2CC == len(data) == context.size
    assert (0x11223344, 0x55667788, 1, 2) == tuple(
        int.from_bytes(data[at : at + 4], "little") for at in (0xB8, 0xC4, 0xB0, 0xB4)
    )
    assert (0x23, 0x2B, 0x53) == (data[0xBC], data[0xC8], data[0x90])
    assert (0x11223344, 0x55667788, 1) == (context.pc, context.sp, context.result)
    assert ContextI386 is context_type(4)


def test_only_the_parts_that_are_asked_for_are_replaced() -> None:
    mine, theirs = ContextI386.user(eax=1, eip=2, ebp=3), ContextI386.user(eax=11, eip=12, ebp=13)
    theirs.flags = layout.CONTEXT_I386 | layout.CONTEXT_CONTROL
    mine.merge(theirs)
    assert (1, 12, 13) == (mine["eax"], mine["eip"], mine["ebp"])
    theirs.flags = layout.CONTEXT_I386 | layout.CONTEXT_INTEGER
    mine.merge(theirs)
    assert 11 == mine["eax"]


def test_flags_no_program_may_set_are_not_set() -> None:
    mine, theirs = ContextI386.user(), ContextI386.user()
    theirs.eflags = 0xFFFFFFFF
    mine.merge(theirs)
    assert 0 == mine.eflags & 0x3000  # IOPL
    assert 0x202 == mine.eflags & 0x202


def test_the_old_floating_point_area_is_taken_when_it_alone_is_given() -> None:
    mine, theirs = ContextI386.user(), ContextI386.user()
    struct.pack_into("<7I", theirs.data, layout.FLOAT, 0xFFFF0123, 0xFFFF3800, 0xFFFF3FFF, 1, 2, 3, 4)
    theirs.data[layout.FLOAT + 28 : layout.FLOAT + 38] = bytes(range(1, 11))
    theirs.flags = layout.CONTEXT_I386 | layout.CONTEXT_FLOATING_POINT
    mine.merge(theirs)
    assert 0x123 == int.from_bytes(mine.data[layout.EXTENDED : layout.EXTENDED + 2], "little")
    assert 0x80 == mine.data[layout.EXTENDED + 4]  # register 7 is not empty
    assert bytes(range(1, 11)) == mine.data[layout.EXTENDED + 32 : layout.EXTENDED + 42]


@pytest.mark.parametrize(("value", "tag"), [(bytes(10), 1), (b"\0" * 7 + b"\x80\xff\x3f", 0), (b"\xff" * 10, 2)])
def test_the_tag_word_tells_zeros_and_special_numbers(value: bytes, tag: int) -> None:
    context = ContextI386.user()
    struct.pack_into("<HHB", context.data, layout.EXTENDED, 0x27F, 7 << 11, 0x80)  # one value, in register 7
    context.data[layout.EXTENDED + 32 : layout.EXTENDED + 42] = value
    context.complete()
    word = int.from_bytes(context.data[layout.FLOAT + 8 : layout.FLOAT + 10], "little")
    assert tag << 14 | 0x3FFF == word
