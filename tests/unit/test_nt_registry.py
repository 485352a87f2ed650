"""Registry system calls: what they answer, to buffers of any length."""

from __future__ import annotations

import struct
from collections.abc import Generator
from typing import Any

import pytest

from lswd.kernel.registry.values import REG_DWORD, REG_SZ
from lswd.nt import registry as nt
from lswd.nt import registry_value as nt_value
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_OVERFLOW,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_CANNOT_DELETE,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_KEY_DELETED,
    STATUS_NO_MORE_ENTRIES,
    STATUS_NOT_SUPPORTED,
    STATUS_NOTIFY_CLEANUP,
    STATUS_NOTIFY_ENUM_DIR,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_TYPE_MISMATCH,
    STATUS_PENDING,
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_SUCCESS,
)

from .guest_threads import Guest
from .registry_trees import APPS, small_registry
from .system_calls import Caller

ALL = 0xF003F
READ = 0x20019
MACHINE = r"\Registry\Machine"


@pytest.fixture
def caller() -> Caller:
    return Caller(small_registry())


def opened(caller: Caller, path: str = APPS, access: int = ALL, root: int = 0) -> int:
    return caller.handle("NtOpenKey", access, caller.guest.named(path, root=root))


def create(caller: Caller, path: str, *, class_name: str = "", options: int = 0, root: int = 0) -> tuple[int, int]:
    disposition = caller.cell(size=4)
    name = caller.guest.unicode(class_name) if class_name else 0
    handle = caller.handle("NtCreateKey", ALL, caller.guest.named(path, root=root), 0, name, options, disposition)
    return handle, caller.number(disposition)


def value(caller: Caller, key: int, name: str, kind: int = nt_value.KeyValuePartialInformation) -> tuple[int, bytes]:
    return caller.query("NtQueryValueKey", key, caller.guest.unicode(name), kind)


def set_value(caller: Caller, key: int, name: str, kind: int, data: bytes) -> int:
    at = caller.guest.stored(data) if data else 0
    return caller.call("NtSetValueKey", key, caller.guest.unicode(name), 0, kind, at, len(data))


def wide(text: str) -> bytes:
    return text.encode("utf-16-le")


def test_a_key_is_opened_by_its_full_name_in_any_case(caller: Caller) -> None:
    key = opened(caller, APPS.upper())
    assert (STATUS_SUCCESS, struct.pack("<III", 0, REG_DWORD, 4) + b"\7\0\0\0") == value(caller, key, "COUNT")


def test_a_key_is_opened_relative_to_another(caller: Caller) -> None:
    editor = opened(caller, "Editor", root=opened(caller))
    assert STATUS_SUCCESS == value(caller, editor, "Font")[0]


def test_a_missing_key_is_not_opened(caller: Caller) -> None:
    assert STATUS_OBJECT_NAME_NOT_FOUND == caller.call(
        "NtOpenKey", caller.cell(), READ, caller.guest.named(APPS + r"\None")
    )


def test_the_root_of_a_name_must_be_a_key(caller: Caller) -> None:
    event = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    name = caller.guest.named("Editor", root=event)
    assert STATUS_OBJECT_TYPE_MISMATCH == caller.call("NtOpenKey", caller.cell(), READ, name)


def test_unknown_open_options_are_refused(caller: Caller) -> None:
    assert STATUS_INVALID_PARAMETER == caller.call(
        "NtOpenKeyEx", caller.cell(), READ, caller.guest.named(APPS), 0x100
    )


def test_creating_tells_a_new_key_from_an_old_one(caller: Caller) -> None:
    first, made = create(caller, APPS + r"\New", class_name="Kind")
    second, found = create(caller, APPS + r"\new")
    assert (nt.REG_CREATED_NEW_KEY, nt.REG_OPENED_EXISTING_KEY) == (made, found)
    assert first != second


def test_a_program_of_32_bits_sees_its_own_branch_when_it_asks_for_it(caller: Caller) -> None:
    create(caller, MACHINE + r"\SOFTWARE\Wow6432Node")
    create(caller, MACHINE + r"\SOFTWARE\Wow6432Node\Only32")
    name = caller.guest.named(MACHINE + r"\SOFTWARE\Only32")
    assert STATUS_OBJECT_NAME_NOT_FOUND == caller.call("NtOpenKey", caller.cell(), READ, name)
    assert STATUS_SUCCESS == caller.call("NtOpenKey", caller.cell(), READ | nt.KEY_WOW64_32KEY, name)


def test_transactions_are_not_supported(caller: Caller) -> None:
    assert STATUS_NOT_SUPPORTED == caller.call(
        "NtCreateKeyTransacted", caller.cell(), ALL, caller.guest.named(APPS), 0, 0, 0, 4, 0
    )


def test_full_information_counts_and_measures(caller: Caller) -> None:
    key, _ = create(caller, APPS + r"\Sized", class_name="Kind")
    create(caller, "longer name", class_name="abc", root=key)
    create(caller, "x", root=key)
    set_value(caller, key, "seven77", REG_SZ, bytes(10))
    status, data = caller.query("NtQueryKey", key, nt.KeyFullInformation)
    assert (STATUS_SUCCESS, (0, 44, 8, 2, 22, 6, 1, 14, 10)) == (status, struct.unpack_from("<9I", data, 8))
    assert wide("Kind") == data[44:]


def test_node_information_has_the_class_behind_the_name(caller: Caller) -> None:
    key, _ = create(caller, APPS + r"\Node", class_name="Kind")
    status, data = caller.query("NtQueryKey", key, nt.KeyNodeInformation)
    assert (STATUS_SUCCESS, (0, 32, 8, 8), wide("NodeKind")) == (
        status,
        struct.unpack_from("<4I", data, 8),
        data[24:],
    )


def test_the_name_of_a_key_is_its_full_path_and_needs_no_access(caller: Caller) -> None:
    key = opened(caller, access=nt.KEY_NOTIFY)
    status, data = caller.query("NtQueryKey", key, nt.KeyNameInformation)
    name = wide(r"\REGISTRY\MACHINE\SOFTWARE\Apps")
    assert (STATUS_SUCCESS, struct.pack("<I", len(name)) + name) == (status, data)
    assert STATUS_ACCESS_DENIED == caller.query("NtQueryKey", key, nt.KeyBasicInformation)[0]


@pytest.mark.parametrize(
    ("length", "status"),
    [(0, STATUS_BUFFER_TOO_SMALL), (15, STATUS_BUFFER_TOO_SMALL), (16, STATUS_BUFFER_OVERFLOW), (24, STATUS_SUCCESS)],
)
def test_a_short_buffer_gets_the_length_and_what_fits(caller: Caller, length: int, status: int) -> None:
    key = opened(caller)
    assert (status, 24) == caller.needed("NtQueryKey", key, nt.KeyBasicInformation, length=length)


def test_subkeys_are_enumerated_until_there_are_no_more(caller: Caller) -> None:
    key = opened(caller)
    names = [caller.query("NtEnumerateKey", key, i, nt.KeyBasicInformation)[1][16:] for i in range(2)]
    assert [wide("Editor"), wide("Player")] == names
    assert STATUS_NO_MORE_ENTRIES == caller.query("NtEnumerateKey", key, 2, nt.KeyBasicInformation)[0]


def test_an_unknown_class_of_key_information_is_refused_before_the_index_is_looked_at(caller: Caller) -> None:
    key = opened(caller)
    assert STATUS_INVALID_PARAMETER == caller.query("NtEnumerateKey", key, 99, nt.KeyNameInformation)[0]
    assert STATUS_INVALID_PARAMETER == caller.query("NtEnumerateValueKey", key, 99, 5)[0]


def test_values_are_enumerated_with_name_and_data(caller: Caller) -> None:
    key, _ = create(caller, APPS + r"\Values")
    set_value(caller, key, "one", REG_SZ, wide("1\0"))
    status, data = caller.query("NtEnumerateValueKey", key, 0, nt_value.KeyValueFullInformation)
    assert (STATUS_SUCCESS, (0, REG_SZ, 26, 4, 6), wide("one1\0")) == (
        status,
        struct.unpack_from("<5I", data),
        data[20:],
    )
    assert STATUS_NO_MORE_ENTRIES == caller.query("NtEnumerateValueKey", key, 1, nt_value.KeyValueBasicInformation)[0]


def test_aligned_value_information_puts_the_data_at_a_multiple_of_eight(caller: Caller) -> None:
    key, _ = create(caller, APPS + r"\Values")
    set_value(caller, key, "one", REG_SZ, b"abcd")
    _, data = value(caller, key, "one", nt_value.KeyValueFullInformationAlign64)
    assert (32, b"abcd") == (struct.unpack_from("<I", data, 8)[0], data[32:])
    _, data = value(caller, key, "one", nt_value.KeyValuePartialInformationAlign64)
    assert struct.pack("<II", REG_SZ, 4) + b"abcd" == data


def test_a_value_that_does_not_fit_tells_its_length(caller: Caller) -> None:
    key = opened(caller)
    name = caller.guest.unicode("Count")
    kind = nt_value.KeyValuePartialInformation
    assert (STATUS_BUFFER_TOO_SMALL, 16) == caller.needed("NtQueryValueKey", key, name, kind, length=11)
    assert (STATUS_BUFFER_OVERFLOW, 16) == caller.needed("NtQueryValueKey", key, name, kind, length=12)


def test_setting_and_deleting_values(caller: Caller) -> None:
    key = opened(caller)
    assert STATUS_SUCCESS == set_value(caller, key, "fresh", 77, b"")
    assert (STATUS_SUCCESS, struct.pack("<III", 0, 77, 0)) == value(caller, key, "fresh")
    assert STATUS_SUCCESS == caller.call("NtDeleteValueKey", key, caller.guest.unicode("FRESH"))
    assert STATUS_OBJECT_NAME_NOT_FOUND == value(caller, key, "fresh")[0]


def test_a_handle_without_the_right_cannot_change_anything(caller: Caller) -> None:
    key = opened(caller, access=READ)
    assert STATUS_ACCESS_DENIED == set_value(caller, key, "x", REG_SZ, b"")
    assert STATUS_ACCESS_DENIED == caller.call("NtDeleteValueKey", key, caller.guest.unicode("Count"))
    assert STATUS_ACCESS_DENIED == caller.call("NtDeleteKey", key)


def test_more_data_than_a_value_can_hold_is_refused_before_it_is_read(caller: Caller) -> None:
    status = caller.call("NtSetValueKey", opened(caller), caller.guest.unicode("big"), 0, 3, 0x1000, 0xFFFFFFFF)
    assert 0xC000009A == status  # STATUS_INSUFFICIENT_RESOURCES


def test_many_values_are_read_at_once_and_aligned(caller: Caller) -> None:
    key, _ = create(caller, APPS + r"\Many")
    set_value(caller, key, "a", REG_SZ, b"123")
    set_value(caller, key, "b", REG_DWORD, b"wxyz")
    rows = [nt_value.KEY_VALUE_ENTRY(ValueName=caller.guest.unicode(name)) for name in "ab"]
    entries = caller.guest.stored(b"".join(row.pack(8) for row in rows))
    buffer, length, needed = caller.guest.room(16), caller.cell(16, 4), caller.cell(size=4)
    assert STATUS_SUCCESS == caller.call("NtQueryMultipleValueKey", key, entries, 2, buffer, length, needed)
    assert (8, 8, b"123\0wxyz") == (
        caller.number(length),
        caller.number(needed),
        caller.process.space.read(buffer, 8),
    )
    second = caller.guest.struct(nt_value.KEY_VALUE_ENTRY, entries + 24)
    assert (4, 4, REG_DWORD) == (second.DataLength, second.DataOffset, second.Type)
    caller.process.space.write_u32(length, 4)
    assert STATUS_BUFFER_OVERFLOW == caller.call("NtQueryMultipleValueKey", key, entries, 2, buffer, length, needed)
    assert 8 == caller.number(needed)


def test_a_key_with_subkeys_is_not_deleted_and_a_deleted_one_is_of_no_use(caller: Caller) -> None:
    editor = opened(caller, APPS + r"\Editor")
    assert STATUS_CANNOT_DELETE == caller.call("NtDeleteKey", editor)
    player = opened(caller, APPS + r"\Player")
    assert STATUS_SUCCESS == caller.call("NtDeleteKey", player)
    assert STATUS_KEY_DELETED == caller.query("NtQueryKey", player, nt.KeyBasicInformation)[0]


def test_a_key_is_renamed(caller: Caller) -> None:
    player = opened(caller, APPS + r"\Player")
    assert STATUS_SUCCESS == caller.call("NtRenameKey", player, caller.guest.unicode("Recorder"))
    assert STATUS_SUCCESS == caller.call("NtOpenKey", caller.cell(), READ, caller.guest.named(APPS + r"\recorder"))


def test_the_time_of_the_last_write_can_be_set(caller: Caller) -> None:
    key = opened(caller)
    when = caller.cell(0x01D0_0000_1234_5678)
    assert STATUS_SUCCESS == caller.call("NtSetInformationKey", key, nt.KeyWriteTimeInformation, when, 8)
    _, data = caller.query("NtQueryKey", key, nt.KeyBasicInformation)
    assert 0x01D0_0000_1234_5678 == struct.unpack_from("<Q", data)[0]
    assert STATUS_INFO_LENGTH_MISMATCH == caller.call("NtSetInformationKey", key, 0, when, 4)
    assert STATUS_INVALID_INFO_CLASS == caller.call("NtSetInformationKey", key, 9, when, 8)


def test_hives_take_privileges_to_load_and_save(caller: Caller) -> None:
    key = opened(caller)
    assert {STATUS_PRIVILEGE_NOT_HELD} == {
        caller.call("NtLoadKey", 0, 0),
        caller.call("NtUnloadKey", 0),
        caller.call("NtSaveKey", key, 0),
        caller.call("NtRestoreKey", key, 0, 0),
        caller.call("NtReplaceKey", 0, 0, 0),
    }


# ---- notification


def notify(caller: Caller, key: int, event: int, block: int, *, routine: int = 0, subtree: int = 0) -> int:
    changes = 5  # names and values
    return caller.call("NtNotifyChangeKey", key, event, routine, 0, block, changes, subtree, 0, 0, 1)


def signalled(caller: Caller, event: int) -> bool:
    return 0 == caller.call("NtWaitForSingleObject", event, 0, caller.cell(0))


def test_a_change_sets_the_event_and_leaves_the_status_block_alone(caller: Caller) -> None:
    """advapi32's block lies on a stack that other functions use by then."""
    key = opened(caller)
    event = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    block = caller.guest.stored(b"\xaa" * 16)
    assert STATUS_PENDING == notify(caller, key, event, block)
    assert not signalled(caller, event)
    set_value(caller, key, "x", REG_SZ, b"")
    assert signalled(caller, event)
    assert b"\xaa" * 16 == caller.process.space.read(block, 16)


def test_a_request_ends_with_the_first_change(caller: Caller) -> None:
    key = opened(caller)
    event = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    notify(caller, key, event, caller.guest.room(16))
    set_value(caller, key, "x", REG_SZ, b"")
    caller.call("NtResetEvent", event, 0)
    set_value(caller, key, "y", REG_SZ, b"")
    assert not signalled(caller, event)


def test_what_changes_between_two_requests_ends_the_second_at_once(caller: Caller) -> None:
    key, other = opened(caller), opened(caller)
    event = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    notify(caller, key, event, caller.guest.room(16))
    set_value(caller, key, "x", REG_SZ, b"")
    assert STATUS_PENDING == notify(caller, key, event, caller.guest.room(16))
    assert not signalled(caller, event)  # the change has been told
    set_value(caller, key, "y", REG_SZ, b"")
    assert signalled(caller, event)
    set_value(caller, key, "z", REG_SZ, b"")
    set_value(caller, key, "z", REG_SZ, b"again")
    notify(caller, key, event, caller.guest.room(16))
    assert signalled(caller, event)
    notify(caller, key, event, caller.guest.room(16))
    assert not signalled(caller, event)
    notify(caller, other, event, caller.guest.room(16))  # another handle knows nothing of it
    assert not signalled(caller, event)


def test_a_handle_that_is_closed_remembers_nothing(caller: Caller) -> None:
    key = opened(caller)
    event = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    notify(caller, key, event, caller.guest.room(16))
    set_value(caller, key, "x", REG_SZ, b"")
    set_value(caller, key, "y", REG_SZ, b"")
    caller.call("NtClose", key)
    assert key == opened(caller)
    notify(caller, key, event, caller.guest.room(16))
    assert not signalled(caller, event)


def test_changes_below_count_only_for_a_subtree(caller: Caller) -> None:
    key, below = opened(caller), opened(caller, APPS + r"\Editor")
    alone, subtree = (caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0) for _ in range(2))
    notify(caller, key, alone, caller.guest.room(16))
    notify(caller, key, subtree, caller.guest.room(16), subtree=1)
    set_value(caller, below, "x", REG_SZ, b"")
    assert (False, True) == (signalled(caller, alone), signalled(caller, subtree))


def test_a_request_for_no_kind_of_change_is_refused(caller: Caller) -> None:
    key = opened(caller)
    block = caller.guest.room(16)
    assert STATUS_INVALID_PARAMETER == caller.call("NtNotifyChangeKey", key, 0, 0, 0, block, 0, 0, 0, 0, 1)
    assert STATUS_INVALID_PARAMETER == caller.call("NtNotifyChangeKey", key, 0, 0, 0, block, 0x20, 0, 0, 0, 1)
    assert STATUS_NOT_SUPPORTED == caller.call("NtNotifyChangeMultipleKeys", key, 1, 0, 0, 0, 0, block, 1, 0, 0, 0, 1)


def test_closing_the_last_handle_ends_a_request() -> None:
    caller = Caller(small_registry())
    key = opened(caller)
    block = caller.guest.room(16)
    notify(caller, key, 0, block, routine=0x1000)
    caller.call("NtClose", key)
    caller.clock.now += 1
    caller.scheduler.deadlines.expire()
    assert STATUS_NOTIFY_CLEANUP == caller.number(block)
    assert 1 == len(caller.thread.user_apcs)


def test_a_synchronous_request_waits_for_a_change_by_another_thread() -> None:
    caller = Caller(small_registry())
    log: list[int] = []

    def changer(guest: Guest, key: int) -> Generator[Any, Any, Any]:
        yield "NtSetValueKey", key, guest.unicode("x"), 0, REG_SZ, 0, 0

    def watcher(guest: Guest, argument: int) -> Generator[Any, Any, Any]:
        key = yield from _open(guest)
        block = guest.room(16)
        yield from guest.thread(changer, key)
        log.append((yield "NtNotifyChangeKey", key, 0, 0, 0, block, 5, 0, 0, 0, 0))
        log.append(guest.value(block))
        yield "NtTerminateProcess", (1 << 64) - 1, 0

    caller.process.threads.clear()
    caller.run(watcher)
    assert [STATUS_SUCCESS, STATUS_NOTIFY_ENUM_DIR] == log


def _open(guest: Guest) -> Generator[Any, Any, int]:
    cell = guest.room(8)
    status = yield "NtOpenKey", cell, ALL, guest.named(APPS)
    assert status == 0
    return guest.value(cell, 8)
