"""Security descriptors, access checks, and file permissions seen as either."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import hypothesis
import hypothesis.strategies as st
import pytest

from lswd.kernel import sid as sids
from lswd.kernel.access_check import access_check
from lswd.kernel.file_security import descriptor_of, mode_of
from lswd.kernel.security_descriptor import Ace, Acl, SecurityDescriptor, allow, deny, read_descriptor
from lswd.kernel.sid import Sid
from lswd.kernel.token import SE_SECURITY, SE_TAKE_OWNERSHIP, Luids, Token
from lswd.memory.protection import PAGE_READWRITE
from lswd.memory.space import AddressSpace
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_GENERIC_NOT_MAPPED,
    STATUS_INVALID_ACL,
    STATUS_INVALID_SECURITY_DESCR,
    STATUS_NO_IMPERSONATION_TOKEN,
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_SUCCESS,
    STATUS_UNKNOWN_REVISION,
    NtError,
)

from .system_calls import Caller

READ, WRITE, EXECUTE, FULL = 0x120089, 0x120116, 0x1200A0, 0x1F01FF
GENERIC = (READ, WRITE, EXECUTE, FULL)
MAXIMUM = 0x02000000
OWNER_GROUP_DACL = 7
SYSTEM = sids.LOCAL_SYSTEM


def token() -> Token:
    return Token(Luids(None))  # type: ignore[arg-type]


def check(aces: list[Ace] | None, wanted: int, *, owner: Sid = SYSTEM, who: Token | None = None) -> tuple[int, int]:
    descriptor = SecurityDescriptor(owner, SYSTEM, None if aces is None else Acl(aces))
    decision = access_check(descriptor, who or token(), wanted, GENERIC)
    return decision.status, decision.granted


def test_an_entry_for_one_of_the_groups_gives_access() -> None:
    assert (STATUS_SUCCESS, 1) == check([allow(READ, sids.USERS)], 1)


def test_what_no_entry_gives_is_denied() -> None:
    assert (STATUS_ACCESS_DENIED, 0) == check([allow(READ, sids.USERS)], 3)
    assert (STATUS_ACCESS_DENIED, 0) == check([], 1)


def test_no_list_at_all_gives_everything() -> None:
    assert (STATUS_SUCCESS, FULL) == check(None, FULL)


def test_the_first_entry_that_speaks_of_a_right_decides() -> None:
    assert STATUS_ACCESS_DENIED == check([deny(READ, sids.USERS), allow(FULL, sids.EVERYONE)], 1)[0]
    assert STATUS_SUCCESS == check([allow(FULL, sids.EVERYONE), deny(READ, sids.USERS)], 1)[0]


def test_generic_rights_in_entries_mean_what_the_type_says() -> None:
    assert (STATUS_SUCCESS, READ) == check([allow(0x80000000, sids.USER)], MAXIMUM)


def test_entries_for_children_do_not_count() -> None:
    assert STATUS_ACCESS_DENIED == check([allow(FULL, sids.EVERYONE, 8)], 1)[0]


def test_the_owner_may_always_read_and_change_the_list() -> None:
    assert (STATUS_SUCCESS, 0x60000) == check([], MAXIMUM, owner=sids.USER)


def test_an_entry_for_owner_rights_limits_the_owner() -> None:
    assert (STATUS_SUCCESS, 0x20000) == check([allow(0x20000, sids.OWNER_RIGHTS)], MAXIMUM, owner=sids.USER)


def test_maximum_access_with_a_right_that_is_not_there_fails() -> None:
    assert STATUS_ACCESS_DENIED == check([allow(READ, sids.EVERYONE)], MAXIMUM | 2)[0]


def test_asking_for_nothing_gets_nothing() -> None:
    assert (STATUS_ACCESS_DENIED, 0) == check([allow(FULL, sids.EVERYONE)], 0)


def test_a_deny_only_group_denies_but_does_not_allow() -> None:
    who = token()
    who.groups[sids.ADMINISTRATORS] = 0x10
    assert STATUS_ACCESS_DENIED == check([allow(FULL, sids.ADMINISTRATORS)], 1, who=who)[0]
    assert STATUS_ACCESS_DENIED == check([deny(1, sids.ADMINISTRATORS), allow(1, sids.EVERYONE)], 1, who=who)[0]


def test_a_restricted_token_needs_both_halves_to_agree() -> None:
    who = token()
    who.restricted = {sids.USERS: 7}
    assert STATUS_ACCESS_DENIED == check([allow(FULL, sids.USER)], 1, who=who)[0]
    assert STATUS_SUCCESS == check([allow(FULL, sids.USER), allow(READ, sids.USERS)], 1, who=who)[0]


def test_system_access_takes_a_privilege() -> None:
    who = token()
    assert STATUS_PRIVILEGE_NOT_HELD == check([], 0x01000000, who=who)[0]
    who.privileges[SE_SECURITY] = 2
    decision = access_check(SecurityDescriptor(SYSTEM, SYSTEM, Acl([])), who, 0x01000000, GENERIC)
    assert (STATUS_SUCCESS, 0x01000000, [SE_SECURITY]) == (decision.status, decision.granted, decision.privileges)


def test_ownership_can_be_taken_with_the_privilege() -> None:
    who = token()
    who.privileges[SE_TAKE_OWNERSHIP] = 2
    assert (STATUS_SUCCESS, 0x80000) == check([], 0x80000, who=who)


def test_a_token_of_lower_integrity_does_not_write_up() -> None:
    label = Acl([Ace.make(17, 0, 1, Sid(16, 0x4000))])
    descriptor = SecurityDescriptor(SYSTEM, SYSTEM, Acl([allow(FULL, sids.EVERYONE)]), label)
    assert STATUS_ACCESS_DENIED == access_check(descriptor, token(), 2, GENERIC).status
    assert STATUS_SUCCESS == access_check(descriptor, token(), 1, GENERIC).status


# ---- reading and writing


@pytest.fixture
def space() -> AddressSpace:
    space = AddressSpace(8)
    region = space.reserve(0x100000, 0x10000, PAGE_READWRITE)
    space.commit(region, region.base, region.size, PAGE_READWRITE)
    return space


AT = 0x100000
SAMPLE = SecurityDescriptor(
    sids.USER, sids.USERS, Acl([allow(FULL, sids.USER), deny(1, sids.EVERYONE, 3)]), Acl([Ace.make(2, 0xC0, 1, SYSTEM)])
)


def test_a_self_relative_descriptor_survives_a_round_trip(space: AddressSpace) -> None:
    packed = SAMPLE.pack(0x1F)
    space.write(AT, packed)
    assert packed == read_descriptor(space, AT).pack(0x1F)


def test_only_the_parts_that_are_asked_for_are_given() -> None:
    packed = SAMPLE.pack(1)
    assert (20, 0, 0, 0) == struct.unpack_from("<4I", packed, 4)
    assert sids.USER.pack() == packed[20:]


def test_a_descriptor_with_pointers_is_understood(space: AddressSpace) -> None:
    space.write(AT + 0x100, sids.USER.pack())
    space.write(AT + 0x200, Acl([allow(1, sids.EVERYONE)]).pack())
    space.write(AT, struct.pack("<BBH4x4Q", 1, 0, 4, AT + 0x100, 0, 0, AT + 0x200))
    found = read_descriptor(space, AT)
    assert (sids.USER, None, 1) == (found.owner, found.group, found.dacl.aces[0].mask if found.dacl else 0)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (struct.pack("<BBH4I", 2, 0, 0x8000, 0, 0, 0, 0), STATUS_UNKNOWN_REVISION),
        (struct.pack("<BBH4I", 1, 0, 0x8000, 4, 0, 0, 0), STATUS_INVALID_SECURITY_DESCR),
        (struct.pack("<BBH4I", 1, 0, 0x8004, 0, 0, 0, 20) + b"\2\0\x40\0\1\0\0\0" + bytes(60), STATUS_INVALID_ACL),
        (struct.pack("<BBH4I", 1, 0, 0x8004, 0, 0, 0, 20) + b"\x09\0\x08\0\0\0\0\0", STATUS_INVALID_ACL),
    ],
)
def test_a_broken_descriptor_is_refused(space: AddressSpace, data: bytes, status: int) -> None:
    space.write(AT, data)
    with pytest.raises(NtError) as failure:
        read_descriptor(space, AT)
    assert status == failure.value.status


@hypothesis.given(st.binary(max_size=120))
def test_any_bytes_are_a_list_or_an_error(data: bytes) -> None:
    try:
        acl = Acl.unpack(data)
    except NtError:
        return
    assert len(acl.aces) == struct.unpack_from("<H", data, 4)[0]


@hypothesis.given(st.lists(st.tuples(st.integers(0, 255), st.integers(0, 255), st.binary(min_size=4, max_size=60))))
def test_entries_of_any_type_survive_or_are_refused(rows: list[tuple[int, int, bytes]]) -> None:
    try:
        acl = Acl([Ace(kind, flags, body.ljust(len(body) + -len(body) % 4, b"\0")) for kind, flags, body in rows])
    except NtError:
        return
    assert acl.pack() == Acl.unpack(acl.pack()).pack()


# ---- through system calls


def descriptor_bytes(caller: Caller, handle: int, information: int = OWNER_GROUP_DACL) -> tuple[int, bytes]:
    buffer, needed = caller.guest.room(1024), caller.cell(size=4)
    status = caller.call("NtQuerySecurityObject", handle, information, buffer, 1024, needed)
    return status, caller.process.space.read(buffer, caller.number(needed))


def test_an_object_belongs_to_the_tokens_owner_by_default() -> None:
    caller = Caller()
    event = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    status, data = descriptor_bytes(caller, event, 1)
    assert (STATUS_SUCCESS, sids.DOMAIN_USERS.pack()) == (status, data[20:])


def test_a_descriptor_that_was_set_is_the_one_that_is_read() -> None:
    caller = Caller()
    event = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    new = SecurityDescriptor(dacl=Acl([allow(0x1F0003, sids.EVERYONE)]))
    at = caller.guest.stored(new.pack(4))
    assert STATUS_SUCCESS == caller.call("NtSetSecurityObject", event, 4, at)
    assert new.pack(4) == descriptor_bytes(caller, event, 4)[1]
    assert sids.DOMAIN_USERS.pack() == descriptor_bytes(caller, event, 1)[1][20:]


def test_an_owner_that_is_not_given_cannot_be_set() -> None:
    caller = Caller()
    event = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    at = caller.guest.stored(SecurityDescriptor().pack(0))
    assert STATUS_INVALID_SECURITY_DESCR == caller.call("NtSetSecurityObject", event, 1, at)


def test_reading_and_setting_take_the_rights_for_it() -> None:
    caller = Caller()
    event = caller.handle("NtCreateEvent", 0x100000, 0, 0, 0)
    at = caller.guest.stored(SAMPLE.pack(7))
    assert STATUS_ACCESS_DENIED == descriptor_bytes(caller, event)[0]
    assert STATUS_ACCESS_DENIED == caller.call("NtSetSecurityObject", event, 4, at)
    full = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    assert STATUS_ACCESS_DENIED == descriptor_bytes(caller, full, 8)[0]


def access(caller: Caller, handle: int, descriptor: bytes, wanted: int, room: int = 20) -> tuple[int, int, int]:
    mapping = caller.guest.stored(struct.pack("<4I", *GENERIC))
    granted, status, length = caller.cell(size=4), caller.cell(size=4), caller.cell(room, 4)
    at = caller.guest.stored(descriptor)
    result = caller.call(
        "NtAccessCheck", at, handle, wanted, mapping, caller.guest.room(64), length, granted, status
    )
    return result, caller.number(granted), caller.number(status)


def test_access_is_checked_for_an_impersonation_token() -> None:
    caller = Caller()
    who = caller.process.handles.add(token().duplicate(2, 2), 0xF01FF)
    packed = SAMPLE.pack(7)
    assert (STATUS_SUCCESS, 2, STATUS_SUCCESS) == access(caller, who, packed, 2)
    assert (STATUS_SUCCESS, 0, STATUS_ACCESS_DENIED) == access(
        caller, who, SecurityDescriptor(SYSTEM, SYSTEM, Acl([])).pack(7), 2
    )


def test_access_checks_that_make_no_sense_are_refused() -> None:
    caller = Caller()
    primary = caller.process.handles.add(token(), 0xF01FF)
    who = caller.process.handles.add(token().duplicate(2, 2), 0xF01FF)
    assert STATUS_NO_IMPERSONATION_TOKEN == access(caller, primary, SAMPLE.pack(7), 1)[0]
    assert STATUS_GENERIC_NOT_MAPPED == access(caller, who, SAMPLE.pack(7), 0x80000000)[0]
    assert STATUS_INVALID_SECURITY_DESCR == access(caller, who, SAMPLE.pack(4), 1)[0]
    assert STATUS_BUFFER_TOO_SMALL == access(caller, who, SAMPLE.pack(7), 1, room=19)[0]


# ---- files


def mode(path: Path, bits: int) -> os.stat_result:
    path.touch()
    path.chmod(bits)
    return path.stat()


def entries(found: os.stat_result) -> list[tuple[int, int, str]]:
    dacl = descriptor_of(found).dacl
    assert dacl is not None
    return [(ace.kind, ace.mask, str(ace.sid)) for ace in dacl.aces[1:]]


ME = str(sids.USER)


@pytest.mark.parametrize(
    ("bits", "expected"),
    [
        (0o644, [(0, FULL, ME), (0, 0x1200A9, "S-1-1-0")]),
        (0o600, [(0, FULL, ME)]),
        (0o400, [(0, 0x1E00A9, ME)]),
        (0o200, [(0, 0x1F0156, ME)]),
        (0o777, [(0, FULL, ME), (0, 0x1301FF, "S-1-1-0")]),
        (0o204, [(0, 0x1F0156, ME), (1, 0xA9, ME), (0, 0x1200A9, "S-1-1-0")]),
        (0o000, []),
    ],
)
def test_permissions_look_as_wine_shows_them(tmp_path: Path, bits: int, expected: list[tuple[int, int, str]]) -> None:
    assert expected == entries(mode(tmp_path / "f", bits))


def test_a_directorys_entries_are_inherited(tmp_path: Path) -> None:
    dacl = descriptor_of(tmp_path.stat()).dacl
    assert dacl is not None
    assert {3} == {ace.flags for ace in dacl.aces}


@pytest.mark.parametrize(
    ("aces", "bits"),
    [
        ([allow(FULL, sids.EVERYONE)], 0o777),
        ([allow(FULL, sids.USER)], 0o700),
        ([allow(READ, sids.USER), allow(FULL, sids.ADMINISTRATORS)], 0o700),
        ([deny(WRITE, sids.EVERYONE), allow(FULL, sids.EVERYONE)], 0o555),
        ([allow(FULL, sids.USER), allow(0x80000000, sids.AUTHENTICATED_USERS)], 0o740),
        ([allow(FULL, sids.USER), allow(READ, sids.EVERYONE)], 0o744),
        ([allow(FULL, sids.LOCAL_SYSTEM)], 0o000),
        ([], 0o000),
    ],
)
def test_a_list_becomes_permissions(tmp_path: Path, aces: list[Ace], bits: int) -> None:
    found = mode(tmp_path / "f", 0o600)
    assert bits == mode_of(SecurityDescriptor(dacl=Acl(aces)), found)


def test_no_list_lets_everybody_in(tmp_path: Path) -> None:
    assert 0o777 == mode_of(SecurityDescriptor(), mode(tmp_path / "f", 0o600))


def test_the_sticky_bit_stays(tmp_path: Path) -> None:
    assert 0o1777 == mode_of(SecurityDescriptor(), mode(tmp_path / "f", 0o1600))
