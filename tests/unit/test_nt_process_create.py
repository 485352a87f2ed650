"""NtCreateUserProcess: what it takes from its caller, what a child inherits, and what goes wrong."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lswd.host.drives import Drives
from lswd.kernel import spawn as kernel_spawn
from lswd.kernel.environment_block import RTL_USER_PROCESS_PARAMETERS
from lswd.kernel.event import Event
from lswd.kernel.job import LIMIT_ACTIVE_PROCESS, Job
from lswd.kernel.process import PROCESS_ALL_ACCESS, PROCESS_CREATE_PROCESS, PROCESS_QUERY_INFORMATION, Process
from lswd.kernel.start import StartParameters, new_thread
from lswd.nt import process_create as nt
from lswd.nt.section import SECTION_IMAGE_INFORMATION
from lswd.nt.thread import PS_ATTRIBUTE
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_ACCESS_VIOLATION,
    STATUS_FILE_IS_A_DIRECTORY,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_IMAGE_NOT_MZ,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_SYNTAX_BAD,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_PROCESS_IS_TERMINATING,
    STATUS_QUOTA_EXCEEDED,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import UNICODE_STRING

from .guest_threads import FakeEngine, Guest
from .system_calls import Caller

PROGRAM = "\\??\\C:\\program.exe"


class Starter(Caller):
    """A caller whose children are processes without images: everything but mapping and running them is real."""

    def __init__(self) -> None:
        super().__init__()
        self.started: StartParameters | None = None
        self.system.new_process = self.new_process
        self.reason = STATUS_SUCCESS

    def new_process(self, word: int = 8) -> Process:
        process = Process(self.system, cast(Any, FakeEngine))
        process.scheduler = self.scheduler
        process.image = self.process.image
        process.ntdll_base = self.process.ntdll_base
        process.make_handler = self.process.make_handler
        cast(Any, process.engine).guest = Guest(self)
        return process

    def create_process(self, process: Process, image: object, ntdll: object, start: StartParameters) -> Any:
        if self.reason:
            raise NtError(self.reason)
        self.started = start
        return new_thread(process, 0x140000000, 0)

    def parameters(self, **fields: Any) -> int:
        """RTL_USER_PROCESS_PARAMETERS as kernelbase fills it in."""
        size = RTL_USER_PROCESS_PARAMETERS.size(8)
        return self.stored(RTL_USER_PROCESS_PARAMETERS(**{"Size": size, "Flags": 1, **fields}))

    def attributes(self, *entries: tuple[int, int, int], name: str = PROGRAM) -> int:
        """PS_ATTRIBUTE_LIST of (number, size, value), the image's name first when there is one."""
        text = name.encode("utf-16-le")
        named = ((nt.PsAttributeImageName, len(text), self.guest.stored(text)),) if name else ()
        packed = b"".join(PS_ATTRIBUTE(Attribute=n, Size=s, Value=v).pack(8) for n, s, v in (*named, *entries))
        return self.guest.stored((len(packed) + 8).to_bytes(8, "little") + packed)

    def create(self, *entries: tuple[int, int, int], flags: int = 0, name: str = PROGRAM, parameters: int = 0) -> int:
        self.cells = self.cell(), self.cell()
        parameters = parameters or self.parameters()
        attributes = self.attributes(*entries, name=name)
        arguments = PROCESS_ALL_ACCESS, 0x1FFFFF, 0, 0, flags, 1, parameters, 0, attributes
        return self.call("NtCreateUserProcess", *self.cells, *arguments)

    def child(self, *entries: tuple[int, int, int], flags: int = 0, parameters: int = 0) -> Process:
        """The process that a call which must succeed has made."""
        status = self.create(*entries, flags=flags, parameters=parameters)
        assert STATUS_SUCCESS == status, hex(status)
        return cast(Process, self.process.handles.get(self.number(self.cells[0], 8), Process))

    def array(self, *handles: int) -> tuple[int, int]:
        """Size and address of handles in memory."""
        return 8 * len(handles), self.guest.stored(b"".join(h.to_bytes(8, "little") for h in handles) or bytes(1))


@pytest.fixture
def starter(monkeypatch: pytest.MonkeyPatch) -> Starter:
    starter = Starter()
    image = SimpleNamespace(image=None, close=lambda: None)
    monkeypatch.setattr(nt, "open_program", lambda process, path: image)
    monkeypatch.setattr(nt, "image_information", lambda image: SECTION_IMAGE_INFORMATION())
    monkeypatch.setattr(kernel_spawn, "word_of", lambda image: 8)
    monkeypatch.setattr(kernel_spawn, "open_ntdll", lambda system, word: None)
    monkeypatch.setattr(kernel_spawn, "create_process", starter.create_process)
    return starter


# ---- what is inherited


def event(starter: Starter, *, inherit: bool = True) -> int:
    return starter.process.handles.add(Event(0, signalled=False), 0x1F0003, inherit=inherit)


def test_a_child_inherits_the_inheritable_handles_under_their_values(starter: Starter) -> None:
    first, private, last = event(starter), event(starter, inherit=False), event(starter)
    child = starter.child(flags=nt.PROCESS_CREATE_FLAGS_INHERIT_HANDLES)
    assert [first, last] == [value for value, _ in child.handles]
    assert starter.process.handles.get(first) is child.handles.get(first)
    assert private == child.handles.add(Event(0, signalled=False), 0x1F0003)


def test_a_list_of_handles_is_all_that_is_inherited(starter: Starter) -> None:
    first, listed, private = event(starter), event(starter), event(starter, inherit=False)
    handles = (nt.PsAttributeHandleList, *starter.array(listed, private, 0x7777))
    child = starter.child(handles, flags=nt.PROCESS_CREATE_FLAGS_INHERIT_HANDLES)
    assert [listed] == [value for value, _ in child.handles]
    assert first in dict(starter.process.handles)


def test_without_inheritance_there_are_copies_of_the_standard_handles_only(starter: Starter) -> None:
    event(starter)
    streams = [event(starter, inherit=False) for _ in range(3)]
    names = ("StandardInput", "StandardOutput", "StandardError")
    child = starter.child(parameters=starter.parameters(**dict(zip(names, streams, strict=True))))
    assert starter.started is not None
    copies = [child.handles.get(value) for value in starter.started.standard_handles]
    assert [starter.process.handles.get(value) for value in streams] == copies
    assert 3 == len(child.handles)


def test_a_child_knows_its_parent_and_belongs_to_its_group_unless_it_begins_one(starter: Starter) -> None:
    starter.process.error_mode = 3
    same = starter.child()
    other = starter.child(parameters=starter.parameters(ConsoleFlags=1, ConsoleHandle=4))
    assert (starter.process.pid, 3, starter.process.group) == (same.parent_pid, same.error_mode, same.group)
    assert (other.pid, False) == (other.group, other.detached)


@pytest.mark.parametrize("console", [0, 0xFFFFFFFFFFFFFFFF, 0xFFFFFFFFFFFFFFFE])
def test_a_child_may_be_started_apart_from_the_console(starter: Starter, console: int) -> None:
    assert starter.child(parameters=starter.parameters(ConsoleHandle=console)).detached


def test_a_child_is_in_the_jobs_of_its_parent_and_in_those_it_is_given(starter: Starter) -> None:
    own, given = Job(), Job()
    own.assign(starter.process)
    handle = starter.process.handles.add(given, 0x1F001F)
    child = starter.child((nt.PsAttributeJobList, *starter.array(handle)))
    assert (given, True) == (child.job, own.contains(child))
    assert STATUS_ACCESS_DENIED == starter.create(flags=nt.PROCESS_CREATE_FLAGS_BREAKAWAY)
    own.limits.flags, own.limits.active_processes = LIMIT_ACTIVE_PROCESS, 2
    assert STATUS_QUOTA_EXCEEDED == starter.create()
    assert [starter.process, child] == starter.system.running_processes()


def test_another_process_may_be_the_parent(starter: Starter) -> None:
    other = starter.new_process()
    theirs = other.handles.add(Event(0, signalled=False), 0x1F0003, inherit=True)
    handle = starter.process.handles.add(other, PROCESS_CREATE_PROCESS)
    parent = (nt.PsAttributeParentProcess, 8, handle)
    child = starter.child(parent, flags=nt.PROCESS_CREATE_FLAGS_INHERIT_HANDLES)
    assert (other.pid, [theirs]) == (child.parent_pid, [value for value, _ in child.handles])
    weak = starter.process.handles.add(other, PROCESS_QUERY_INFORMATION)
    assert STATUS_ACCESS_DENIED == starter.create((nt.PsAttributeParentProcess, 8, weak))
    other.end(0)
    assert STATUS_PROCESS_IS_TERMINATING == starter.create(parent)


# ---- what goes wrong


def test_parameters_that_cannot_be_are_refused(starter: Starter) -> None:
    long = UNICODE_STRING(Length=0xFFFE, MaximumLength=0xFFFE, Buffer=0x7FFF0000)
    job = starter.process.handles.add(Event(0, signalled=False), 0x1F0003)
    mistakes = {
        "no name": (STATUS_INVALID_PARAMETER, starter.create(name="")),
        "a huge block": (STATUS_INVALID_PARAMETER, starter.create(parameters=starter.parameters(Size=1 << 30))),
        "a huge environment": (
            STATUS_INVALID_PARAMETER, starter.create(parameters=starter.parameters(EnvironmentSize=1 << 40))),
        "a string nowhere": (STATUS_ACCESS_VIOLATION, starter.create(parameters=starter.parameters(CommandLine=long))),
        "no parameters": (STATUS_ACCESS_VIOLATION, starter.create(parameters=0x1234)),
        "no debugger": (STATUS_INVALID_HANDLE, starter.create((nt.PsAttributeDebugObject, 8, 0x5550))),
        "no process": (STATUS_INVALID_HANDLE, starter.create((nt.PsAttributeParentProcess, 8, 0x5550))),
        "no job": (STATUS_OBJECT_TYPE_MISMATCH, starter.create((nt.PsAttributeJobList, *starter.array(job)))),
        "a list nowhere": (STATUS_ACCESS_VIOLATION, starter.create((nt.PsAttributeHandleList, 64, 0x7FFF0000))),
        "a huge list": (STATUS_INVALID_PARAMETER, starter.create((nt.PsAttributeHandleList, 1 << 40, 0x10000))),
        "an answer nowhere": (STATUS_ACCESS_VIOLATION, starter.create((nt.PsAttributeImageInfo, 64, 0x7FFF0000))),
    }  # fmt: skip
    assert [] == [name for name, (expected, status) in mistakes.items() if expected != status]
    assert [starter.process] == starter.system.running_processes()


def test_nothing_is_left_of_a_process_that_could_not_be_set_up(starter: Starter) -> None:
    shared = event(starter)
    starter.reason = STATUS_NO_MEMORY
    assert STATUS_NO_MEMORY == starter.create(flags=nt.PROCESS_CREATE_FLAGS_INHERIT_HANDLES)
    assert 1 == starter.process.handles.get(shared).handle_count
    assert [starter.process.pid] == list(starter.system.processes)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("C:\\program.exe", STATUS_OBJECT_PATH_SYNTAX_BAD),
        ("\\??\\C:\\missing.exe", STATUS_OBJECT_NAME_NOT_FOUND),
        ("", STATUS_OBJECT_PATH_SYNTAX_BAD),
        ("\\??\\C:\\folder", STATUS_FILE_IS_A_DIRECTORY),
        ("\\??\\C:\\text.exe", STATUS_INVALID_IMAGE_NOT_MZ),
    ],
)
def test_what_is_no_program_is_refused(tmp_path: Any, path: str, status: int) -> None:
    starter = Starter()
    starter.system.drives = Drives({"C": str(tmp_path)})
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.exe").write_text("no program")
    with pytest.raises(NtError) as caught:
        kernel_spawn.open_program(starter.process, path)
    assert status == caught.value.status


@pytest.mark.parametrize("name", ["a\0b.exe", "x" * 5000, "\ud800", "*", "..\\..\\etc", "", "."])
def test_no_name_of_a_program_is_a_bug(tmp_path: Any, name: str) -> None:
    starter = Starter()
    starter.system.drives = Drives({"C": str(tmp_path)})
    with pytest.raises(NtError):
        kernel_spawn.open_program(starter.process, "\\??\\C:\\" + name)
