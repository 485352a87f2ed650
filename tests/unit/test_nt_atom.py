"""Global atoms; the answers are those that Wine gives."""

from __future__ import annotations

import struct

import pytest

from lswd.kernel.atom import AtomTable
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
    NtError,
)

from .system_calls import Caller


@pytest.fixture
def caller() -> Caller:
    return Caller()


def add(caller: Caller, name: str | int, call: str = "NtAddAtom") -> tuple[int, int]:
    cell = caller.cell(size=4)
    if isinstance(name, int):
        status = caller.call(call, name, 0, cell)
    else:
        data = name.encode("utf-16-le")
        status = caller.call(call, caller.guest.stored(data or b"\0\0"), len(data), cell)
    return status, caller.number(cell, 2)


def test_a_name_is_one_atom_in_any_case(caller: Caller) -> None:
    first = add(caller, "Hello")
    assert first == add(caller, "hELLO") == add(caller, "HELLO", "NtFindAtom")
    assert 0xC000 <= first[1]


@pytest.mark.parametrize(("name", "atom"), [(0x1234, 0x1234), (0xBFFF, 0xBFFF), ("#77", 77), ("#49151", 0xBFFF)])
def test_small_numbers_stand_for_themselves(caller: Caller, name: str | int, atom: int) -> None:
    assert (STATUS_SUCCESS, atom) == add(caller, name)


@pytest.mark.parametrize("name", ["#77x", "#", "odd", "a" * 255])
def test_other_names_become_strings(caller: Caller, name: str) -> None:
    assert 0xC000 <= add(caller, name)[1]


@pytest.mark.parametrize("name", [0, 0xC000, "#0", "#49152", "a" * 256])
def test_impossible_names_are_refused(caller: Caller, name: str | int) -> None:
    assert STATUS_INVALID_PARAMETER == add(caller, name)[0]


def test_an_empty_name_is_none(caller: Caller) -> None:
    assert STATUS_OBJECT_NAME_INVALID == add(caller, "")[0]


def test_an_atom_lives_until_it_is_deleted_as_often_as_it_was_added(caller: Caller) -> None:
    _, atom = add(caller, "Twice")
    add(caller, "Twice")
    assert STATUS_SUCCESS == caller.call("NtDeleteAtom", atom)
    assert STATUS_SUCCESS == add(caller, "Twice", "NtFindAtom")[0]
    assert STATUS_SUCCESS == caller.call("NtDeleteAtom", atom)
    assert STATUS_OBJECT_NAME_NOT_FOUND == add(caller, "Twice", "NtFindAtom")[0]
    assert STATUS_INVALID_HANDLE == caller.call("NtDeleteAtom", atom)


def test_a_number_is_no_atom_to_delete(caller: Caller) -> None:
    assert STATUS_INVALID_HANDLE == caller.call("NtDeleteAtom", 77)


def query(caller: Caller, atom: int, length: int, kind: int = 0) -> tuple[int, bytes]:
    return caller.query("NtQueryInformationAtom", atom, kind, length=length)


def test_an_atom_tells_its_name_and_how_often_it_was_added(caller: Caller) -> None:
    _, atom = add(caller, "Hello")
    add(caller, "hello")
    status, data = query(caller, atom, 100)
    assert (STATUS_SUCCESS, struct.pack("<HHH", 2, 0, 10) + "Hello\0".encode("utf-16-le")) == (status, data)


def test_a_name_that_does_not_fit_is_cut(caller: Caller) -> None:
    _, atom = add(caller, "Hello")
    assert struct.pack("<HHH", 1, 0, 4) + "He\0".encode("utf-16-le") == query(caller, atom, 12)[1]
    assert STATUS_BUFFER_TOO_SMALL == query(caller, atom, 8)[0]
    assert STATUS_INVALID_PARAMETER == query(caller, atom, 7)[0]


def test_a_number_tells_itself(caller: Caller) -> None:
    assert struct.pack("<HHH", 1, 1, 6) + "#77\0".encode("utf-16-le") == query(caller, 77, 100)[1]


def test_what_is_no_atom_tells_nothing(caller: Caller) -> None:
    assert [STATUS_INVALID_PARAMETER, STATUS_INVALID_HANDLE, STATUS_INVALID_INFO_CLASS] == [
        query(caller, 0, 100)[0],
        query(caller, 0xCFFF, 100)[0],
        query(caller, 77, 100, kind=1)[0],
    ]


def test_the_table_has_room_for_16384_names() -> None:
    table = AtomTable()
    numbers = {table.add(f"name {i}") for i in range(0x4000)}
    assert (0x4000, 0xC000, 0xFFFF) == (len(numbers), min(numbers), max(numbers))
    with pytest.raises(NtError) as failure:
        table.add("one more")
    assert STATUS_NO_MEMORY == failure.value.status
    table.delete(0xC123)
    assert 0xC123 == table.add("one more")
