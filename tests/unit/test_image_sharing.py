"""Images whose file nobody changes are shown to the guest as they stand in it, until somebody writes."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu.jail.engine import JailEngine
from lswd.cpu.unicorn.engine import UnicornEngine
from lswd.kernel.section import ImageSection, file_identity
from lswd.memory.protection import (
    ABSENT,
    PAGE_NOACCESS,
    PAGE_READONLY,
    PAGE_READWRITE,
    PAGE_SIZE,
    PAGE_WRITECOPY,
    encode,
)
from lswd.memory.region import Region
from lswd.ntdef.status import NtError
from tests.unit.pe_builder import CODE, DATA, RDATA, build_pe
from tests.unit.test_cpu_unicorn import Machine, assembled

BASE = 0x20000000
TEXT, CONSTANTS, VARIABLES = 0x1000, 0x5000, 0x9000  # where the sections lie
LARGE = 0x20000


@pytest.fixture(params=[JailEngine, UnicornEngine])
def machine(request: pytest.FixtureRequest) -> Iterator[Machine]:
    machine = Machine(request.param)
    yield machine
    machine.engine.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Code that returns 7; read-only data; and variables, more than are copied at once."""
    path = tmp_path / "x.dll"
    sections = (
        (".text", b"\xb8\x07\0\0\0\xc3" + bytes(0x3FFA), 0, CODE),
        (".rdata", b"R" * 0x4000, 0, RDATA),
        (".data", b"D" * LARGE, 0, DATA),
    )
    path.write_bytes(build_pe(sections, image_base=BASE, file_alignment=PAGE_SIZE))
    return path


def mapped(machine: Machine, path: Path) -> Region:
    region, status = ImageSection.open(str(path), steady=True).map(machine.space, 0, 0, 0, 0)
    assert (BASE, 0) == (region.base, status)
    return region


def absent(region: Region, rva: int) -> bool:
    return bool(region.pages[rva // PAGE_SIZE] & ABSENT)


def run(machine: Machine, code: str, tmp_path: Path) -> dict[str, int]:
    """Run to the end of the code; its registers."""
    thread = machine.thread(assembled(f"{code}\nhlt", tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    assert thread.fault is not None and cpu.GENERAL_PROTECTION == thread.fault.vector
    context = thread.get_context()
    return {name: context[name] for name in ("rax", "rbx", "rcx", "rdx")}


def test_the_guest_runs_and_reads_it(machine: Machine, path: Path, tmp_path: Path) -> None:
    region = mapped(machine, path)
    code = f"mov rdx, {BASE + TEXT}\ncall rdx\n"
    code += f"movzx ebx, byte [{BASE + CONSTANTS}]\nmovzx ecx, byte [{BASE + VARIABLES}]"
    found = run(machine, code, tmp_path)
    assert (7, ord("R"), ord("D")) == (found["rax"], found["rbx"], found["rcx"])
    shown = machine.engine.name == "jail"  # emulated code reads what Python has
    assert [shown] * 3 == [absent(region, rva) for rva in (TEXT, CONSTANTS, VARIABLES)]


def test_the_guest_writes_its_own_copy(machine: Machine, path: Path, tmp_path: Path) -> None:
    region = mapped(machine, path)
    at = BASE + VARIABLES + 0x1234
    code = f"movzx ebx, byte [{at}]\nmov byte [{at}], 9\nmovzx ecx, byte [{at}]\nmovzx edx, byte [{at + PAGE_SIZE}]"
    found = run(machine, code, tmp_path)
    assert (ord("D"), 9, ord("D")) == (found["rbx"], found["rcx"], found["rdx"])
    assert b"D\x09D" == machine.space.read(at - 1, 3)
    assert b"D" * 4 == path.read_bytes()[VARIABLES + 0x1233 : VARIABLES + 0x1237]
    assert PAGE_READWRITE == machine.space.query(at)[5]
    assert PAGE_WRITECOPY == machine.space.query(at + PAGE_SIZE)[5]
    assert not absent(region, VARIABLES + 0x1234)
    assert machine.engine.name == "unicorn" or absent(region, VARIABLES + LARGE - PAGE_SIZE)


def test_a_few_variables_are_written_at_once_and_that_is_noticed(machine: Machine, tmp_path: Path) -> None:
    path = tmp_path / "y.dll"
    sections = ((".text", b"\xc3", 0, CODE), (".data", b"D" * 0x3800, 0x5000, DATA))
    path.write_bytes(build_pe(sections, image_base=BASE))
    region, _ = ImageSection.open(str(path)).map(machine.space, 0, 0, 0, 0)
    data = BASE + bytes(region.pages).index(encode(PAGE_WRITECOPY)) * PAGE_SIZE
    assert (5 * PAGE_SIZE, PAGE_WRITECOPY) == machine.space.query(data)[3:6:2]
    changed, same, last = data + PAGE_SIZE, data + 4 * PAGE_SIZE, data + 2 * PAGE_SIZE
    run(machine, f"mov byte [{changed}], 9\nmov byte [{same}], 0\nmov byte [{last + 9}], 9", tmp_path)
    written = [changed, last]
    if isinstance(machine.engine, JailEngine):
        assert 0 == machine.engine.faults
    else:  # what has been written without a change it can tell, too
        written.append(same)
    for at in range(data, data + 5 * PAGE_SIZE, PAGE_SIZE):
        assert (PAGE_READWRITE if at in written else PAGE_WRITECOPY) == machine.space.query(at)[5], hex(at)
    assert PAGE_READWRITE == machine.space.protect(data + 2 * PAGE_SIZE, PAGE_SIZE, PAGE_READONLY)
    assert PAGE_WRITECOPY == machine.space.protect(data, PAGE_SIZE, PAGE_READONLY)


def test_the_guest_sees_what_the_kernel_writes(machine: Machine, path: Path, tmp_path: Path) -> None:
    region = mapped(machine, path)
    look = f"movzx ebx, byte [{BASE + VARIABLES}]\nmovzx edx, byte [{BASE + CONSTANTS}]\nmov eax, 1\ncall [0x7ffe1000]"
    thread = machine.thread(assembled(f"{look}\n{look}\nhlt", tmp_path))
    assert cpu.LEFT == thread.run(machine.answer)
    machine.space.write(BASE + VARIABLES, b"\x05")
    machine.space.poke(region, CONSTANTS, b"\x06")
    thread.set_result(0)
    assert cpu.LEFT == thread.run(machine.answer)
    context = thread.get_context()
    assert (5, 6) == (context["rbx"], context["rdx"])
    assert b"\x06R" == machine.space.read(BASE + CONSTANTS, 2)


def test_what_the_kernel_reads_is_the_same(machine: Machine, path: Path, tmp_path: Path) -> None:
    mapped(machine, path)
    assert b"\0R" == machine.space.read(BASE + CONSTANTS - 1, 2)
    assert ord("R") == run(machine, f"movzx ebx, byte [{BASE + CONSTANTS}]", tmp_path)["rbx"]


def test_what_the_kernel_reads_stays_in_the_file(machine: Machine, path: Path, tmp_path: Path) -> None:
    region = mapped(machine, path)
    shown = region.original is not None  # by the jail
    at = BASE + VARIABLES + PAGE_SIZE
    assert b"DD" == machine.space.read(at, 2)
    assert shown == absent(region, VARIABLES + PAGE_SIZE)
    run(machine, f"mov byte [{at}], 'x'", tmp_path)
    assert b"xD" == machine.space.read(at, 2)
    constants = BASE + CONSTANTS
    assert b"RR" == machine.space.read(constants, 2)
    assert b"R" * 8 == machine.space.read(constants + PAGE_SIZE - 4, 8)
    machine.space.protect(constants, PAGE_SIZE, PAGE_READWRITE)
    machine.space.write(constants, b"y")
    assert b"yR" == machine.space.read(constants, 2)
    machine.space.protect(constants, PAGE_SIZE, PAGE_NOACCESS)
    with pytest.raises(NtError):
        machine.space.read(constants, 2)
    assert b"R" == machine.space.read(constants + 2 * PAGE_SIZE, 1)
    machine.space.unmap(region)
    with pytest.raises(NtError):
        machine.space.read(constants + 2 * PAGE_SIZE, 1)


def test_a_page_made_writable_is_written(machine: Machine, path: Path, tmp_path: Path) -> None:
    mapped(machine, path)
    at = BASE + CONSTANTS
    assert PAGE_READONLY == machine.space.protect(at, PAGE_SIZE, PAGE_READWRITE)
    found = run(machine, f"mov byte [{at}], 3\nmovzx ebx, byte [{at}]\nmovzx ecx, byte [{at + 1}]", tmp_path)
    assert (3, ord("R")) == (found["rbx"], found["rcx"])
    assert b"\x03R" == machine.space.read(at, 2)


def test_a_read_only_page_stays_one(machine: Machine, path: Path, tmp_path: Path) -> None:
    mapped(machine, path)
    thread = machine.thread(assembled(f"mov byte [{BASE + CONSTANTS}], 3\nhlt", tmp_path))
    assert cpu.FAULT == thread.run(machine.answer)
    assert thread.fault is not None and (cpu.PAGE_FAULT, 2) == (thread.fault.vector, thread.fault.access)


def test_other_programs_do_not_see_the_writes(machine: Machine, path: Path, tmp_path: Path) -> None:
    mapped(machine, path)
    run(machine, f"mov byte [{BASE + VARIABLES}], 9", tmp_path)
    other = Machine(type(machine.engine))
    mapped(other, path)
    assert ord("D") == run(other, f"movzx ebx, byte [{BASE + VARIABLES}]", tmp_path)["rbx"]
    other.engine.close()


def test_a_file_that_may_change_is_copied(machine: Machine, path: Path, tmp_path: Path) -> None:
    region, _ = ImageSection.open(str(path)).map(machine.space, 0, 0, 0, 0)
    assert not any(code & ABSENT for code in region.pages)
    path.write_bytes(b"")
    assert ord("R") == run(machine, f"movzx ebx, byte [{BASE + CONSTANTS}]", tmp_path)["rbx"]


def test_an_image_elsewhere_is_copied_and_relocated(machine: Machine, path: Path) -> None:
    first = mapped(machine, path)
    second, _ = ImageSection.open(str(path), steady=True).map(machine.space, 0, 0, 0, 0)
    assert second.base != first.base
    assert not any(code & ABSENT for code in second.pages)


def test_neighbours_in_memory_and_file_are_one_piece(tmp_path: Path) -> None:
    sections = (
        (".text", b"T" * 0x2000, 0, CODE),
        (".rdata", b"R" * 0x1000, 0, RDATA),
        (".data", b"D" * 0x1000, 0, DATA),
        (".more", b"M" * 0x1000, 0x3000, DATA),
        (".last", b"L" * 0x1000, 0, RDATA),
    )
    path = tmp_path / "x.dll"
    path.write_bytes(build_pe(sections, image_base=BASE, file_alignment=PAGE_SIZE))
    section = ImageSection.open(str(path), steady=True)
    machine = Machine(JailEngine)
    region, _ = section.map(machine.space, 0, 0, 0, 0)
    assert region.original is not None
    assert [(0, 4, 0), (8, 1, 0x6000)] == list(region.original.parts)
    contents = b"".join(bytes([machine.space.read(BASE + page * PAGE_SIZE, 1)[0]]) for page in range(1, 9))
    assert b"TTRDM\0\0L" == contents
    machine.engine.close()


def test_one_descriptor_serves_all_views(path: Path) -> None:
    machine = Machine(JailEngine)
    engine = machine.engine
    assert isinstance(engine, JailEngine)
    for _ in range(3):
        machine.space.unmap(mapped(machine, path))
    assert 1 == len(engine.descriptors)
    engine.close()


def test_a_new_version_of_a_file_is_another_file(path: Path, tmp_path: Path) -> None:
    """A userland is updated while a process waits for its program."""
    machine = Machine(JailEngine)
    region = mapped(machine, path)
    assert b"R" == machine.space.read(BASE + CONSTANTS, 1)
    machine.space.unmap(region)
    new = tmp_path / "new"
    sections = ((".text", bytes(0x4000), 0, CODE), (".rdata", b"S" * 0x4000, 0, RDATA))
    new.write_bytes(build_pe(sections, image_base=BASE, file_alignment=PAGE_SIZE))
    os.rename(new, path)
    section = ImageSection.open(str(path), steady=True)
    assert 2 == len(section.image.sections)
    section.map(machine.space, 0, 0, 0, 0)
    assert ord("S") == run(machine, f"movzx ebx, byte [{BASE + CONSTANTS}]", tmp_path)["rbx"]
    machine.engine.close()


def test_a_changed_file_has_another_identity(path: Path) -> None:
    fd = os.open(path, os.O_RDWR)
    before = file_identity(fd)
    assert before == file_identity(fd)
    os.pwrite(fd, b"x", 0x5000)
    os.utime(fd, ns=(0, before[3]))  # a time can be set back, but not without a trace
    assert before != file_identity(fd)
    os.close(fd)
