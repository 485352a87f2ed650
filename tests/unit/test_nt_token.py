"""Tokens: what they say, how they are changed and copied."""

from __future__ import annotations

import struct

import pytest

from lswd.kernel import sid as sids
from lswd.kernel import token as tokens
from lswd.kernel.security_descriptor import Acl, allow
from lswd.kernel.sid import Sid
from lswd.kernel.token import Luids, Token, primary_token
from lswd.nt import token_information as nt
from lswd.nt.token import DISABLE_MAX_PRIVILEGE
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_BAD_IMPERSONATION_LEVEL,
    STATUS_BUFFER_TOO_SMALL,
    STATUS_CANT_DISABLE_MANDATORY,
    STATUS_CANT_OPEN_ANONYMOUS,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_OWNER,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_PRIMARY_GROUP,
    STATUS_INVALID_SID,
    STATUS_NO_TOKEN,
    STATUS_NOT_ALL_ASSIGNED,
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import (
    CURRENT_EFFECTIVE_TOKEN,
    CURRENT_PROCESS,
    CURRENT_PROCESS_TOKEN,
    CURRENT_THREAD,
    CURRENT_THREAD_TOKEN,
)

from .system_calls import Caller

IDENTIFICATION, IMPERSONATION = 1, 2


@pytest.fixture
def caller() -> Caller:
    return Caller()


def opened(caller: Caller, access: int = tokens.TOKEN_ALL_ACCESS) -> int:
    cell = caller.cell()
    assert STATUS_SUCCESS == caller.call("NtOpenProcessToken", CURRENT_PROCESS, access, cell)
    return caller.number(cell, 8)


def ask(caller: Caller, token: int, kind: int) -> tuple[int, bytes]:
    return caller.query("NtQueryInformationToken", token, kind)


def duplicate(caller: Caller, token: int, level: int, kind: int) -> tuple[int, int]:
    cell = caller.cell()
    status = caller.call("NtDuplicateToken", token, tokens.TOKEN_ALL_ACCESS, 0, level, kind, cell)
    return status, caller.number(cell, 8)


def sid_at(caller: Caller, address: int) -> Sid:
    return Sid.unpack(caller.process.space.read(address, 68))


def sid_and_attributes(caller: Caller, rows: bytes) -> list[tuple[str, int]]:
    return [
        (str(sid_at(caller, at)), attributes & 0xFFFFFFFF) for at, attributes in struct.iter_unpack("<QQ", rows)
    ]


def test_sids_are_written_as_microsoft_writes_them() -> None:
    assert ["S-1-1-0", "S-1-5-32-544", "S-1-5-21-0-0-0-1000"] == [
        str(sid) for sid in (sids.EVERYONE, sids.ADMINISTRATORS, sids.USER)
    ]


def test_a_sid_survives_packing() -> None:
    assert sids.USER == Sid.unpack(sids.USER.pack() + b"more")


@pytest.mark.parametrize("data", [b"", b"\2\1" + bytes(10), b"\1\x10" + bytes(80), b"\1\2" + bytes(10)])
def test_what_is_no_sid_is_refused(data: bytes) -> None:
    with pytest.raises(NtError) as failure:
        Sid.unpack(data)
    assert STATUS_INVALID_SID == failure.value.status


def test_the_user_is_the_one_that_wine_has(caller: Caller) -> None:
    status, data = ask(caller, opened(caller), nt.TokenUser)
    assert (STATUS_SUCCESS, 44) == (status, len(data))
    assert [("S-1-5-21-0-0-0-1000", 0)] == sid_and_attributes(caller, data[:16])


def test_the_groups_make_the_user_an_administrator(caller: Caller) -> None:
    _, data = ask(caller, opened(caller), nt.TokenGroups)
    groups = sid_and_attributes(caller, data[8 : 8 + 16 * data[0]])
    assert 264 == len(data)
    assert ("S-1-5-32-544", 0xF) in groups
    assert ("S-1-5-5-0-0", 0xC0000007) in groups


@pytest.mark.parametrize(
    ("kind", "answer"),
    [
        (nt.TokenType, 1),
        (nt.TokenSessionId, 1),
        (nt.TokenElevationType, 2),
        (nt.TokenElevation, 1),
        (nt.TokenVirtualizationEnabled, 0),
        (nt.TokenIsAppContainer, 0),
        (nt.TokenUIAccess, 0),
        (nt.TokenMandatoryPolicy, 1),
        (nt.TokenHasRestrictions, 0),
    ],
)
def test_simple_facts_are_single_numbers(caller: Caller, kind: int, answer: int) -> None:
    assert (STATUS_SUCCESS, struct.pack("<I", answer)) == ask(caller, opened(caller), kind)


def test_the_integrity_level_is_high(caller: Caller) -> None:
    _, data = ask(caller, opened(caller), nt.TokenIntegrityLevel)
    assert [("S-1-16-12288", 0x60)] == sid_and_attributes(caller, data[:16])


def test_a_short_buffer_is_told_the_length(caller: Caller) -> None:
    assert (STATUS_BUFFER_TOO_SMALL, 44) == caller.needed(
        "NtQueryInformationToken", opened(caller), nt.TokenUser, length=43
    )


def test_a_primary_token_has_no_impersonation_level(caller: Caller) -> None:
    assert STATUS_INVALID_PARAMETER == ask(caller, opened(caller), nt.TokenImpersonationLevel)[0]


def test_an_unknown_class_is_refused(caller: Caller) -> None:
    assert STATUS_INVALID_INFO_CLASS == ask(caller, opened(caller), 999)[0]


def test_statistics_tell_what_kind_of_token_it_is(caller: Caller) -> None:
    _, data = ask(caller, opened(caller), nt.TokenStatistics)
    assert (56, 1, 0xFFFFFFFF, 8, 21) == (
        len(data),
        *struct.unpack_from("<II", data, 24),
        *struct.unpack_from("<II", data, 40),
    )


def test_a_handle_without_the_right_tells_nothing(caller: Caller) -> None:
    assert STATUS_ACCESS_DENIED == ask(caller, opened(caller, tokens.TOKEN_DUPLICATE), nt.TokenUser)[0]


def test_pseudo_handles_stand_for_the_tokens_of_process_and_thread(caller: Caller) -> None:
    assert STATUS_SUCCESS == ask(caller, CURRENT_PROCESS_TOKEN, nt.TokenUser)[0]
    assert STATUS_NO_TOKEN == ask(caller, CURRENT_THREAD_TOKEN, nt.TokenUser)[0]
    assert struct.pack("<I", 1) == ask(caller, CURRENT_EFFECTIVE_TOKEN, nt.TokenType)[1]
    caller.thread.impersonation_token = primary_token(caller.process).duplicate(2, IMPERSONATION)
    assert STATUS_SUCCESS == ask(caller, CURRENT_THREAD_TOKEN, nt.TokenUser)[0]
    assert struct.pack("<I", 2) == ask(caller, CURRENT_EFFECTIVE_TOKEN, nt.TokenType)[1]


def test_a_thread_without_impersonation_has_no_token(caller: Caller) -> None:
    cell = caller.cell()
    assert STATUS_NO_TOKEN == caller.call("NtOpenThreadToken", CURRENT_THREAD, 8, 0, cell)
    assert STATUS_SUCCESS == caller.call("NtImpersonateAnonymousToken", CURRENT_THREAD)
    assert STATUS_CANT_OPEN_ANONYMOUS == caller.call("NtOpenThreadToken", CURRENT_THREAD, 8, 0, cell)
    caller.thread.impersonation_token = primary_token(caller.process).duplicate(2, IMPERSONATION)
    assert STATUS_SUCCESS == caller.call("NtOpenThreadTokenEx", CURRENT_THREAD, 8, 0, 0, cell)


# ---- privileges


def adjust(caller: Caller, token: int, luid: int, attributes: int, previous: int = 0, room: int = 0) -> int:
    state = caller.guest.stored(struct.pack("<IQI", 1, luid, attributes))
    returned = caller.cell(size=4) if previous else 0
    return caller.call("NtAdjustPrivilegesToken", token, 0, state, room, previous, returned)


def test_a_privilege_is_enabled_and_the_old_state_told(caller: Caller) -> None:
    token = opened(caller)
    previous = caller.guest.room(64)
    assert STATUS_SUCCESS == adjust(caller, token, tokens.SE_DEBUG, 2, previous, 64)
    assert (1, tokens.SE_DEBUG, 0) == struct.unpack("<IQI", caller.process.space.read(previous, 16))
    assert primary_token(caller.process).holds(tokens.SE_DEBUG)


def test_nothing_changes_when_the_old_state_does_not_fit(caller: Caller) -> None:
    token = opened(caller)
    assert STATUS_BUFFER_TOO_SMALL == adjust(caller, token, tokens.SE_DEBUG, 2, caller.guest.room(64), 15)
    assert not primary_token(caller.process).holds(tokens.SE_DEBUG)


def test_a_privilege_that_is_not_held_is_left_out(caller: Caller) -> None:
    assert STATUS_NOT_ALL_ASSIGNED == adjust(caller, opened(caller), 4, 2)


def test_a_removed_privilege_is_gone_for_good(caller: Caller) -> None:
    token = opened(caller)
    assert STATUS_SUCCESS == adjust(caller, token, tokens.SE_SHUTDOWN, 4)
    assert STATUS_NOT_ALL_ASSIGNED == adjust(caller, token, tokens.SE_SHUTDOWN, 2)


def test_all_privileges_can_be_disabled_at_once(caller: Caller) -> None:
    assert STATUS_SUCCESS == caller.call("NtAdjustPrivilegesToken", opened(caller), 1, 0, 0, 0, 0)
    assert not any(primary_token(caller.process).holds(luid) for luid in range(40))


def test_an_absurd_number_of_privileges_is_refused(caller: Caller) -> None:
    state = caller.guest.stored(struct.pack("<I", 0xFFFFFFFF))
    assert STATUS_INVALID_PARAMETER == caller.call("NtAdjustPrivilegesToken", opened(caller), 0, state, 0, 0, 0)


@pytest.mark.parametrize(("control", "held"), [(1, 0), (0, 1)])
def test_privileges_are_checked_all_or_any(caller: Caller, control: int, held: int) -> None:
    rows = struct.pack("<QIQI", tokens.SE_CHANGE_NOTIFY, 0, tokens.SE_DEBUG, 0)
    wanted = caller.guest.stored(struct.pack("<II", 2, control) + rows)
    result = caller.cell(9)
    assert STATUS_SUCCESS == caller.call("NtPrivilegeCheck", opened(caller), wanted, result)
    assert (held, 0x80000000, 0) == (
        caller.number(result, 1),
        caller.number(wanted + 16),
        caller.number(wanted + 28),
    )


def test_mandatory_groups_cannot_be_disabled(caller: Caller) -> None:
    sid = caller.guest.stored(sids.USERS.pack())
    state = caller.guest.stored(struct.pack("<QQQ", 1, sid, 0))
    assert STATUS_CANT_DISABLE_MANDATORY == caller.call("NtAdjustGroupsToken", opened(caller), 0, state, 0, 0, 0)


def test_an_optional_group_can_be_disabled(caller: Caller) -> None:
    token = opened(caller)
    primary_token(caller.process).groups[Sid(5, 99)] = 4
    state = caller.guest.stored(struct.pack("<QQQ", 1, caller.guest.stored(Sid(5, 99).pack()), 0))
    assert STATUS_SUCCESS == caller.call("NtAdjustGroupsToken", token, 0, state, 0, 0, 0)
    assert not primary_token(caller.process).is_member(Sid(5, 99))


# ---- owner, group, default DACL, level


def set_pointer(caller: Caller, kind: int, data: bytes) -> int:
    at = caller.guest.stored(data) if data else 0
    return caller.call("NtSetInformationToken", opened(caller), kind, caller.cell(at), 8)


def test_the_owner_must_be_the_user_or_a_group_that_may_own(caller: Caller) -> None:
    assert STATUS_SUCCESS == set_pointer(caller, nt.TokenOwner, sids.ADMINISTRATORS.pack())
    assert STATUS_INVALID_OWNER == set_pointer(caller, nt.TokenOwner, sids.USERS.pack())
    assert sids.ADMINISTRATORS == primary_token(caller.process).owner


def test_the_primary_group_must_be_one_of_the_groups(caller: Caller) -> None:
    assert STATUS_SUCCESS == set_pointer(caller, nt.TokenPrimaryGroup, sids.USERS.pack())
    assert STATUS_INVALID_PRIMARY_GROUP == set_pointer(caller, nt.TokenPrimaryGroup, sids.LOCAL_SYSTEM.pack())


def test_the_default_dacl_can_be_replaced_and_taken_away(caller: Caller) -> None:
    acl = Acl([allow(1, sids.EVERYONE)]).pack()
    assert STATUS_SUCCESS == set_pointer(caller, nt.TokenDefaultDacl, acl)
    assert acl == ask(caller, opened(caller), nt.TokenDefaultDacl)[1][8:]
    assert STATUS_SUCCESS == set_pointer(caller, nt.TokenDefaultDacl, b"")
    assert bytes(8) == ask(caller, opened(caller), nt.TokenDefaultDacl)[1]


def test_the_integrity_level_goes_down_only(caller: Caller) -> None:
    def level(sid: Sid) -> int:
        value = caller.guest.stored(struct.pack("<QQ", caller.guest.stored(sid.pack()), 0))
        return caller.call("NtSetInformationToken", opened(caller), nt.TokenIntegrityLevel, value, 16)

    assert [STATUS_SUCCESS, STATUS_PRIVILEGE_NOT_HELD, STATUS_INVALID_PARAMETER] == [
        level(sid) for sid in (sids.MEDIUM_LEVEL, sids.HIGH_LEVEL, sids.USERS)
    ]


def test_another_session_takes_a_privilege(caller: Caller) -> None:
    token = opened(caller)
    same, other = caller.cell(1, 4), caller.cell(2, 4)
    assert STATUS_SUCCESS == caller.call("NtSetInformationToken", token, nt.TokenSessionId, same, 4)
    assert STATUS_PRIVILEGE_NOT_HELD == caller.call("NtSetInformationToken", token, nt.TokenSessionId, other, 4)


# ---- copies


def test_a_copy_for_impersonation_has_a_level(caller: Caller) -> None:
    status, copy = duplicate(caller, opened(caller), IMPERSONATION, 2)
    assert (STATUS_SUCCESS, struct.pack("<I", 2)) == (status, ask(caller, copy, nt.TokenImpersonationLevel)[1])


def test_a_copy_never_impersonates_more_than_its_original(caller: Caller) -> None:
    _, weak = duplicate(caller, opened(caller), IDENTIFICATION, 2)
    assert STATUS_BAD_IMPERSONATION_LEVEL == duplicate(caller, weak, IMPERSONATION, 2)[0]
    assert STATUS_BAD_IMPERSONATION_LEVEL == duplicate(caller, weak, 4, 2)[0]


def test_a_quality_of_service_goes_before_the_level(caller: Caller) -> None:
    quality = caller.guest.stored(struct.pack("<IIBBxx", 12, IDENTIFICATION, 0, 0))
    attributes = caller.guest.stored(struct.pack("<I4xQQI4xQQ", 48, 0, 0, 0, 0, quality))
    cell = caller.cell()
    assert STATUS_SUCCESS == caller.call("NtDuplicateToken", opened(caller), 8, attributes, IMPERSONATION, 2, cell)
    assert struct.pack("<I", 1) == ask(caller, caller.number(cell, 8), nt.TokenImpersonationLevel)[1]


def test_a_copy_is_independent_of_its_original() -> None:
    token = Token(Luids(None))  # type: ignore[arg-type]
    copy = token.duplicate(2, IMPERSONATION)
    copy.groups.clear()
    copy.privileges.clear()
    assert (8, 21) == (len(token.groups), len(token.privileges))
    assert token.token_id != copy.token_id


def test_the_linked_token_is_limited_and_for_identification_only(caller: Caller) -> None:
    _, data = ask(caller, opened(caller), nt.TokenLinkedToken)
    linked = int.from_bytes(data, "little")
    assert [3, 0, 1] == [
        int.from_bytes(ask(caller, linked, kind)[1], "little")
        for kind in (nt.TokenElevationType, nt.TokenElevation, nt.TokenImpersonationLevel)
    ]


def test_asking_for_the_length_of_the_linked_token_opens_none(caller: Caller) -> None:
    token = opened(caller)
    before = len(caller.process.handles)
    assert (STATUS_BUFFER_TOO_SMALL, 8) == caller.needed("NtQueryInformationToken", token, nt.TokenLinkedToken)
    assert before == len(caller.process.handles)


def test_a_restricted_token_has_fewer_rights(caller: Caller) -> None:
    disabled = struct.pack("<QQQ", 1, caller.guest.stored(sids.ADMINISTRATORS.pack()), 0)
    deleted = struct.pack("<IQI", 1, tokens.SE_DEBUG, 0)
    only = struct.pack("<QQQ", 1, caller.guest.stored(sids.USERS.pack()), 0)
    cell = caller.cell()
    at = [caller.guest.stored(data) for data in (disabled, deleted, only)]
    assert STATUS_SUCCESS == caller.call("NtFilterToken", opened(caller), 0, *at, cell)
    token = caller.process.handles.get(caller.number(cell, 8), Token)
    assert isinstance(token, Token)
    assert (False, True) == (token.is_member(sids.ADMINISTRATORS), token.is_member(sids.ADMINISTRATORS, deny=True))
    assert (False, [sids.USERS]) == (tokens.SE_DEBUG in token.privileges, list(token.restricted))


def test_a_restricted_token_may_lose_all_privileges_but_one(caller: Caller) -> None:
    cell = caller.cell()
    assert STATUS_SUCCESS == caller.call("NtFilterToken", opened(caller), DISABLE_MAX_PRIVILEGE, 0, 0, 0, cell)
    _, data = ask(caller, caller.number(cell, 8), nt.TokenPrivileges)
    assert struct.pack("<IQI", 1, tokens.SE_CHANGE_NOTIFY, 3) == data
    assert STATUS_INVALID_PARAMETER == caller.call("NtFilterToken", opened(caller), 4, 0, 0, 0, cell)
