"""The coverage page is generated from the declarations and is up to date."""

from __future__ import annotations

import os
from pathlib import Path

from lswd.nt import FAMILIES
from lswd.nt.catalogue import load_families
from lswd.nt.coverage import ABSENT, rows
from lswd.nt.declare import DECLARED
from lswd.userland.discovery import find

PAGE = Path(__file__).parents[2] / "docs" / "coverage.md"


def test_the_page_says_what_the_declarations_say() -> None:
    load_families()
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    table = {line.split(" | ")[0].removeprefix("| "): line for line in lines if line.startswith("| ")}
    for row in rows(()):
        line = f"| {row.name} | {row.level} | {row.module} | {row.missing} |"
        assert table.get(row.name) == line, "run `make coverage-page`"


def test_nothing_the_page_calls_absent_is_declared() -> None:
    load_families()
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    absent = [line.split(" | ")[0][2:] for line in lines if f"| {ABSENT} |" in line]
    assert absent
    assert [name for name in absent if name in DECLARED] == []


def test_every_module_of_the_package_is_a_family_and_declares_something() -> None:
    load_families()
    modules = {call.module.rpartition(".")[2] for call in DECLARED.values()}
    assert [f for f in FAMILIES if f not in modules and f not in _SUPPORT] == []


# Modules of the package that only serve the families.
_SUPPORT = {
    "file_structures",
    "information",
    "named_object",
    "process_counters",
    "system_modules",
    "user_activate",
    "user_builtin",
    "user_default",
    "user_frame",
    "user_function",
    "user_procedure",
    "user_rectangle",
    "user_send",
    "user_text",
    "user_thread",
    "system_processes",
    "system_time_zone",
    "gdi_lookup",
    "gdi_system_brush",
    "user_expose",
    "user_failure",
    "token_lists",
}


def test_declared_calls_that_are_windows_own_are_known_to_the_userland() -> None:
    load_families()
    userland = find(os.environ)
    known = {*userland.system_calls.values(), *userland.win32u_system_calls.values()}
    misspelt = [name for name in DECLARED if name.startswith("Nt") and name not in known and name not in _NEWER]
    assert misspelt == []


# Calls of Windows that the reference userland does not make, for userlands that do.
_NEWER = {
    "NtAssociateWaitCompletionPacket",
    "NtCancelWaitCompletionPacket",
    "NtCreateWaitCompletionPacket",
    "NtExtendSection",
    "NtFlushBuffersFileEx",
    "NtMakePermanentObject",
    "NtNotifyChangeDirectoryFileEx",
    "NtQueryDirectoryFileEx",
    "NtQueryInformationByName",
    "NtQueueApcThreadEx",
    "NtUserBuildPropList",
    "NtWow64IsProcessorFeaturePresent",
}
