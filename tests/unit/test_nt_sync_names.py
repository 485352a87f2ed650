"""Named objects, object directories and symbolic links."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from lswd.nt.object_directory import OBJECT_DIRECTORY_INFORMATION
from lswd.ntdef.types import UNICODE_STRING

from .guest_threads import Guest, run

Body = Generator[Any, Any, Any]

OBJ_INHERIT, OBJ_PERMANENT, OBJ_CASE_INSENSITIVE, OBJ_OPENIF, OBJ_OPENLINK = 0x02, 0x10, 0x40, 0x80, 0x100

STATUS_MORE_ENTRIES = 0x105
STATUS_OBJECT_NAME_EXISTS = 0x40000000
STATUS_NO_MORE_ENTRIES = 0x8000001A
STATUS_INVALID_PARAMETER = 0xC000000D
STATUS_BUFFER_TOO_SMALL = 0xC0000023
STATUS_OBJECT_TYPE_MISMATCH = 0xC0000024
STATUS_OBJECT_NAME_INVALID = 0xC0000033
STATUS_OBJECT_NAME_NOT_FOUND = 0xC0000034
STATUS_OBJECT_NAME_COLLISION = 0xC0000035
STATUS_OBJECT_PATH_NOT_FOUND = 0xC000003A
STATUS_OBJECT_PATH_SYNTAX_BAD = 0xC000003B
STATUS_PRIVILEGE_NOT_HELD = 0xC0000061

BASE = "\\BaseNamedObjects\\"


def create_event(guest: Guest, name: str, attributes: int = 0, root: int = 0) -> Any:
    """Status and handle of an event of that name."""
    cell = guest.room(8)
    status = yield "NtCreateEvent", cell, 0x1F0003, guest.named(name, attributes, root), 0, 0
    return status, guest.value(cell, 8)


def opened(guest: Guest, call: str, name: str, attributes: int = 0, root: int = 0) -> Any:
    """Status and handle of what a NtOpen* call opens."""
    cell = guest.room(8)
    status = yield call, cell, 0x80000000, guest.named(name, attributes, root)
    return status, guest.value(cell, 8)


def test_an_event_that_exists_can_be_created_again_only_with_openif() -> None:
    def main(guest: Guest, _: int) -> Body:
        _, first = yield from create_event(guest, BASE + "stop")
        guest.log.append((yield from create_event(guest, BASE + "stop"))[0])
        status, second = yield from create_event(guest, BASE + "stop", OBJ_OPENIF)
        guest.log.append((status, guest.object(first) is guest.object(second), first != second))
        status, third = yield from opened(guest, "NtOpenEvent", BASE + "stop")
        guest.log.append((status, guest.object(first) is guest.object(third)))

    assert [STATUS_OBJECT_NAME_COLLISION, (STATUS_OBJECT_NAME_EXISTS, True, True), (0, True)] == run(main)


def test_another_type_of_the_same_name_is_a_mismatch() -> None:
    def main(guest: Guest, _: int) -> Body:
        yield from create_event(guest, BASE + "thing")
        for attributes in (OBJ_OPENIF, 0):
            named = guest.named(BASE + "thing", attributes)
            guest.log.append((yield "NtCreateMutant", guest.room(8), 0x1F0001, named, 0))
        guest.log.append((yield from opened(guest, "NtOpenMutant", BASE + "thing"))[0])

    assert [STATUS_OBJECT_TYPE_MISMATCH, STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_TYPE_MISMATCH] == run(main)


def test_a_name_lasts_as_long_as_its_handles() -> None:
    def main(guest: Guest, _: int) -> Body:
        _, first = yield from create_event(guest, BASE + "stop")
        _, second = yield from opened(guest, "NtOpenEvent", BASE + "stop")
        for handle in (first, second):
            yield "NtClose", handle
            guest.log.append((yield from opened(guest, "NtOpenEvent", BASE + "stop"))[0])
        guest.log.append((yield from create_event(guest, BASE + "stop"))[0])

    # The handle that the first opening gave has to be closed too before the name goes.
    assert [0, 0, STATUS_OBJECT_NAME_COLLISION] == run(main)


def test_the_last_handle_takes_the_name_along() -> None:
    def main(guest: Guest, _: int) -> Body:
        _, handle = yield from create_event(guest, BASE + "stop")
        yield "NtClose", handle
        guest.log.append((yield from opened(guest, "NtOpenEvent", BASE + "stop"))[0])

    assert [STATUS_OBJECT_NAME_NOT_FOUND] == run(main)


def test_case_matters_unless_the_caller_says_otherwise() -> None:
    def main(guest: Guest, _: int) -> Body:
        _, upper = yield from create_event(guest, BASE + "STOP")
        guest.log.append((yield from opened(guest, "NtOpenEvent", BASE + "stop"))[0])
        _, lower = yield from create_event(guest, BASE + "stop")
        for name, handle in (("STOP", upper), ("stop", lower)):
            _, found = yield from opened(guest, "NtOpenEvent", BASE + name, OBJ_CASE_INSENSITIVE)
            guest.log.append(guest.object(found) is guest.object(handle))
        _, found = yield from opened(guest, "NtOpenEvent", "\\basenamedobjects\\Stop", OBJ_CASE_INSENSITIVE)
        guest.log.append(guest.object(found) is guest.object(upper))
        yield "NtClose", upper
        for _ in range(2):
            yield "NtClose", found
        guest.log.append((yield from create_event(guest, BASE + "Stop", OBJ_CASE_INSENSITIVE))[0])

    assert [STATUS_OBJECT_NAME_NOT_FOUND, True, True, True, STATUS_OBJECT_NAME_COLLISION] == run(main)


def test_names_relative_to_a_directory() -> None:
    def main(guest: Guest, _: int) -> Body:
        _, base = yield from opened(guest, "NtOpenDirectoryObject", "\\BaseNamedObjects")
        _, event = yield from create_event(guest, "stop", 0, base)
        status, found = yield from opened(guest, "NtOpenEvent", BASE + "stop")
        guest.log.append((status, guest.object(found) is guest.object(event), guest.object(event).path()))
        for name, root in (("\\stop", base), ("stop", 0), ("stop", event), ("", event)):
            guest.log.append((yield from create_event(guest, name, 0, root))[0])

    assert [
        (0, True, "\\BaseNamedObjects\\stop"),
        STATUS_OBJECT_PATH_SYNTAX_BAD,
        STATUS_OBJECT_PATH_SYNTAX_BAD,
        STATUS_OBJECT_TYPE_MISMATCH,
        STATUS_OBJECT_NAME_INVALID,
    ] == run(main)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("\\NoSuch\\stop", STATUS_OBJECT_PATH_NOT_FOUND),
        (BASE + "no\\stop", STATUS_OBJECT_PATH_NOT_FOUND),
        (BASE + "no", STATUS_OBJECT_NAME_NOT_FOUND),
        (BASE + "there\\beyond", STATUS_OBJECT_NAME_NOT_FOUND),
        ("\\BaseNamedObjects", STATUS_OBJECT_TYPE_MISMATCH),
        ("stop", STATUS_OBJECT_PATH_SYNTAX_BAD),
        ("", STATUS_OBJECT_PATH_SYNTAX_BAD),
    ],
)
def test_what_is_not_there_cannot_be_opened(name: str, expected: int) -> None:
    def main(guest: Guest, _: int) -> Body:
        yield from create_event(guest, BASE + "there")
        guest.log.append((yield from opened(guest, "NtOpenEvent", name))[0])

    assert [expected] == run(main)


def test_opening_needs_object_attributes() -> None:
    def main(guest: Guest, _: int) -> Body:
        guest.log.append((yield "NtOpenEvent", guest.room(8), 0x1F0003, 0))

    assert [STATUS_INVALID_PARAMETER] == run(main)


def test_permanent_objects_are_not_for_users() -> None:
    def main(guest: Guest, _: int) -> Body:
        guest.log.append((yield from create_event(guest, BASE + "stop", OBJ_PERMANENT))[0])
        guest.log.append((yield from opened(guest, "NtOpenEvent", BASE + "stop"))[0])

    assert [STATUS_PRIVILEGE_NOT_HELD, STATUS_OBJECT_NAME_NOT_FOUND] == run(main)


def test_handles_are_inheritable_when_asked_for() -> None:
    def main(guest: Guest, _: int) -> Body:
        handles = guest.machine.process.handles
        for attributes in (0, OBJ_INHERIT):
            _, handle = yield from create_event(guest, BASE + f"stop{attributes}", attributes)
            _, again = yield from opened(guest, "NtOpenEvent", BASE + f"stop{attributes}", attributes)
            guest.log.append((handles.entry(handle).inherit, handles.entry(again).inherit))

    assert [(False, False), (True, True)] == run(main)


def test_each_space_of_names_win32_knows_leads_to_the_session_s_or_the_global_one() -> None:
    session = "\\Sessions\\1\\BaseNamedObjects\\"

    def main(guest: Guest, _: int) -> Body:
        _, local = yield from create_event(guest, session + "Local\\stop")
        _, everybody = yield from create_event(guest, session + "Global\\stop")
        for name, event in (
            (session + "stop", local), (session + "Session\\1\\stop", local), (BASE + "stop", everybody),
            (BASE + "Local\\stop", everybody), (session + "Session\\0\\stop", everybody),
        ):  # fmt: skip
            _, found = yield from opened(guest, "NtOpenEvent", name)
            guest.log.append(guest.object(found) is guest.object(event))
        guest.log.append(guest.object(local) is guest.object(everybody))

    assert [True] * 5 + [False] == run(main)


# ---- symbolic links


def make_link(guest: Guest, name: str, target: str, attributes: int = 0) -> Any:
    cell = guest.room(8)
    named = guest.named(name, attributes)
    status = yield "NtCreateSymbolicLinkObject", cell, 0xF0001, named, guest.unicode(target)
    return status, guest.value(cell, 8)


def test_a_link_leads_to_its_target_and_is_opened_itself_only_as_a_link() -> None:
    def main(guest: Guest, _: int) -> Body:
        _, event = yield from create_event(guest, BASE + "stop")
        status, link = yield from make_link(guest, BASE + "alias", BASE + "stop")
        guest.log.append(status)
        _, found = yield from opened(guest, "NtOpenEvent", BASE + "alias")
        guest.log.append(guest.object(found) is guest.object(event))
        _, found = yield from opened(guest, "NtOpenSymbolicLinkObject", BASE + "alias")
        guest.log.append(guest.object(found) is guest.object(link))
        guest.log.append((yield from opened(guest, "NtOpenEvent", BASE + "alias", OBJ_OPENLINK))[0])
        guest.log.append((yield from make_link(guest, BASE + "alias", BASE + "other"))[0])
        guest.log.append((yield from opened(guest, "NtOpenSymbolicLinkObject", BASE + "stop"))[0])
        guest.log.append((yield from make_link(guest, BASE + "empty", ""))[0])

    assert [
        0, True, True, STATUS_OBJECT_TYPE_MISMATCH, STATUS_OBJECT_NAME_COLLISION, STATUS_OBJECT_TYPE_MISMATCH,
        STATUS_INVALID_PARAMETER,
    ] == run(main)  # fmt: skip


def test_links_that_lead_to_themselves_lead_nowhere() -> None:
    def main(guest: Guest, _: int) -> Body:
        yield from make_link(guest, BASE + "a", BASE + "b")
        yield from make_link(guest, BASE + "b", BASE + "a")
        guest.log.append((yield from opened(guest, "NtOpenEvent", BASE + "a"))[0])

    assert [STATUS_OBJECT_NAME_INVALID] == run(main)


def test_a_link_tells_its_target() -> None:
    def main(guest: Guest, _: int) -> Body:
        _, link = yield from make_link(guest, BASE + "alias", "\\Device\\žX")
        length = guest.room(8)
        for room in (21, 22):
            buffer = guest.room(64)
            string = guest.stored(UNICODE_STRING(MaximumLength=room, Buffer=buffer).pack(8))
            status = yield "NtQuerySymbolicLinkObject", link, string, length
            guest.log.append((status, guest.value(length)))
        data = guest.machine.process.space.read(buffer, 22)
        guest.log.append((guest.struct(UNICODE_STRING, string).Length, data.decode("utf-16-le")))

    assert [(STATUS_BUFFER_TOO_SMALL, 22), (0, 22), (20, "\\Device\\žX\0")] == run(main)


# ---- directories


def listed(guest: Guest, directory: int, size: int, single: int, restart: int, context: int) -> Any:
    """Status and [(name, type)] of one NtQueryDirectoryObject."""
    buffer, length = guest.room(size), guest.room(8)
    status = yield "NtQueryDirectoryObject", directory, buffer, size, single, restart, context, length
    entries = []
    if status in (0, STATUS_MORE_ENTRIES):
        space = guest.machine.process.space
        at = buffer
        while True:
            entry = guest.struct(OBJECT_DIRECTORY_INFORMATION, at)
            if not entry.Name.Length:
                break
            texts = [space.read(s.Buffer, s.Length + 2).decode("utf-16-le") for s in (entry.Name, entry.TypeName)]
            entries.append(tuple(t.rstrip("\0") for t in texts))
            at += OBJECT_DIRECTORY_INFORMATION.size(8)
        assert guest.value(length) <= size
    return status, entries, guest.value(length)


def new_directory(guest: Guest) -> Any:
    return (yield from guest.create("NtCreateDirectoryObject", access=0xF000F, attributes=guest.named(BASE + "d")))


def test_a_directory_lists_what_is_in_it() -> None:
    def main(guest: Guest, _: int) -> Body:
        directory = yield from new_directory(guest)
        context = guest.room(8)
        guest.log.append((yield from listed(guest, directory, 1000, 0, 1, context))[:2])
        yield from create_event(guest, "one", 0, directory)
        yield from create_event(guest, "two", 0, directory)
        for single, restart in ((0, 1), (0, 0), (1, 1), (1, 0), (1, 0)):
            guest.log.append((yield from listed(guest, directory, 1000, single, restart, context))[:2])

    both = [("one", "Event"), ("two", "Event")]
    assert [
        (STATUS_NO_MORE_ENTRIES, []), (0, both), (STATUS_NO_MORE_ENTRIES, []),
        (0, both[:1]), (0, both[1:]), (STATUS_NO_MORE_ENTRIES, []),
    ] == run(main)  # fmt: skip


def test_a_directory_listing_fits_its_buffer() -> None:
    def main(guest: Guest, _: int) -> Body:
        directory = yield from new_directory(guest)
        for name in ("one", "two"):
            yield from create_event(guest, name, 0, directory)
        context = guest.room(8)
        one = 2 * 32 + 2 * (3 + 1 + 5 + 1)  # two structures and two terminated texts
        status, _, length = yield from listed(guest, directory, one - 1, 0, 1, context)
        guest.log.append((status, length == one))
        guest.log.append((yield from listed(guest, directory, one, 0, 1, context))[:2])
        guest.log.append((yield from listed(guest, directory, one, 0, 0, context))[:2])

    assert [
        (STATUS_BUFFER_TOO_SMALL, True),
        (STATUS_MORE_ENTRIES, [("one", "Event")]),
        (0, [("two", "Event")]),
    ] == run(main)


def test_a_directory_goes_with_its_last_handle() -> None:
    def main(guest: Guest, _: int) -> Body:
        directory = yield from new_directory(guest)
        yield "NtClose", directory
        guest.log.append((yield from opened(guest, "NtOpenDirectoryObject", BASE + "d"))[0])
        guest.log.append((yield from opened(guest, "NtOpenDirectoryObject", "\\BaseNamedObjects"))[0])

    assert [STATUS_OBJECT_NAME_NOT_FOUND, 0] == run(main)
