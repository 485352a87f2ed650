"""From the registers of a system call to what its handler receives: every direction, NULL, access rights."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from lswd.kernel.event import Event
from lswd.nt import declare
from lswd.nt.catalogue import load_families
from lswd.nt.declare import Call, Handle, In, InOut, ObjectAttributes, Out, UnicodeString, syscall
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_ACCESS_VIOLATION,
    STATUS_INVALID_HANDLE,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_TYPE_MISMATCH,
    NtError,
)
from lswd.ntdef.types import (
    BOOLEAN,
    CLIENT_ID,
    LARGE_INTEGER,
    LONG,
    NTSTATUS,
    OBJECT_ATTRIBUTES,
    ULONG,
    UNICODE_STRING,
    USHORT,
)

from .system_calls import Caller

UNMAPPED = 0x7FFF0000_0000


@pytest.fixture(autouse=True)
def own_declarations(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is declared here is nobody else's business; what the families declare is there already."""
    load_families()
    monkeypatch.setattr(declare, "DECLARED", {})


@pytest.fixture
def caller() -> Caller:
    return Caller()


@pytest.fixture
def call(caller: Caller) -> Call:
    return Call(caller.thread)


def decoded(call: Call, handler: Any, *values: int, **access: int) -> list[Any]:
    """What ``handler``, declared as a system call, would get."""
    declare.DECLARED.clear()
    syscall(access=access)(handler)
    parameters = declare.DECLARED[handler.__name__].parameters
    return [p.decode(call, value) for p, value in zip(parameters, values, strict=True)]


def refused(call: Call, handler: Any, *values: int, **access: int) -> int:
    """The status its decoding ends in."""
    with pytest.raises(NtError) as caught:
        decoded(call, handler, *values, **access)
    return caught.value.status


def scalars(call: Call, A: ULONG, B: LONG, C: BOOLEAN, D: USHORT) -> NTSTATUS: ...  # type: ignore[empty-body]
def one_handle(call: Call, EventHandle: Handle[Event]) -> NTSTATUS: ...  # type: ignore[empty-body]
def maybe_handle(call: Call, EventHandle: Handle[Event] | None) -> NTSTATUS: ...  # type: ignore[empty-body]
def one_in(call: Call, Value: In[LONG], Id: In[CLIENT_ID]) -> NTSTATUS: ...  # type: ignore[empty-body]
def maybe_in(call: Call, Value: In[LONG] | None) -> NTSTATUS: ...  # type: ignore[empty-body]
def one_out(call: Call, Value: Out[ULONG]) -> NTSTATUS: ...  # type: ignore[empty-body]
def maybe_out(call: Call, Value: Out[ULONG] | None) -> NTSTATUS: ...  # type: ignore[empty-body]
def out_struct(call: Call, Id: Out[CLIENT_ID]) -> NTSTATUS: ...  # type: ignore[empty-body]
def one_inout(call: Call, Value: InOut[LONG]) -> NTSTATUS: ...  # type: ignore[empty-body]
def one_string(call: Call, Name: UnicodeString) -> NTSTATUS: ...  # type: ignore[empty-body]
def maybe_string(call: Call, Name: UnicodeString | None) -> NTSTATUS: ...  # type: ignore[empty-body]
def attributes(call: Call, A: ObjectAttributes) -> NTSTATUS: ...  # type: ignore[empty-body]
def maybe_attributes(call: Call, A: ObjectAttributes | None) -> NTSTATUS: ...  # type: ignore[empty-body]


def test_scalars_are_cut_to_their_width_and_get_their_sign(call: Call) -> None:
    dirty = 0xDEADBEEF_FFFFFFFE
    assert [0xFFFFFFFE, -2, 0xFE, 0xFFFE] == decoded(call, scalars, dirty, dirty, dirty, dirty)


def test_a_handle_arrives_as_its_object(call: Call, caller: Caller) -> None:
    handle = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    assert [caller.guest.object(handle)] == decoded(call, one_handle, handle)


def test_a_handle_must_have_been_opened_with_the_access_a_call_needs(call: Call, caller: Caller) -> None:
    handle = caller.handle("NtCreateEvent", 0x100000, 0, 0, 0)
    assert STATUS_ACCESS_DENIED == refused(call, one_handle, handle, EventHandle=2)


def test_a_handle_of_another_type_is_refused(call: Call) -> None:
    assert STATUS_OBJECT_TYPE_MISMATCH == refused(call, one_handle, 0xFFFFFFFFFFFFFFFF)


def test_no_handle_is_none_where_that_is_declared_and_invalid_elsewhere(call: Call) -> None:
    assert [None] == decoded(call, maybe_handle, 0)
    assert STATUS_INVALID_HANDLE == refused(call, one_handle, 0)
    assert STATUS_INVALID_HANDLE == refused(call, maybe_handle, 0x4444, EventHandle=0)


def test_values_are_read_through_pointers(call: Call, caller: Caller) -> None:
    number = caller.cell(-5, 4)
    identity = caller.stored(CLIENT_ID(UniqueProcess=8, UniqueThread=12))
    assert [-5, CLIENT_ID(UniqueProcess=8, UniqueThread=12)] == decoded(call, one_in, number, identity)


def test_a_bad_pointer_is_an_access_violation_in_every_direction(call: Call) -> None:
    for handler in (maybe_in, maybe_out, one_out, out_struct, one_inout, one_string, maybe_string, maybe_attributes):
        assert STATUS_ACCESS_VIOLATION == refused(call, handler, UNMAPPED), handler.__name__


def test_null_is_none_where_that_is_declared_and_an_access_violation_elsewhere(call: Call) -> None:
    optional: list[Any] = [maybe_in, maybe_out, maybe_string, maybe_attributes]
    required: list[Any] = [one_out, one_inout, one_string, attributes]
    for handler in optional:
        assert [None] == decoded(call, handler, 0), handler.__name__
    for handler in required:
        assert STATUS_ACCESS_VIOLATION == refused(call, handler, 0), handler.__name__


def test_an_output_cell_writes_only_its_own_width(call: Call, caller: Caller) -> None:
    place = caller.cell(-1)
    [cell] = decoded(call, one_out, place)
    cell.set(0x1_00000007)
    assert (7, 0xFFFFFFFF) == (caller.number(place), caller.number(place + 4))
    assert "[0x7]" == repr(cell)


def test_an_output_structure_is_written_whole(call: Call, caller: Caller) -> None:
    place = caller.guest.room(16)
    [cell] = decoded(call, out_struct, place)
    cell.set(CLIENT_ID(UniqueProcess=3, UniqueThread=4))
    assert (3, 4) == (caller.number(place, 8), caller.number(place + 8, 8))


def test_a_cell_for_both_directions_can_be_read_and_written(call: Call, caller: Caller) -> None:
    place = caller.cell(-9, 4)
    [cell] = decoded(call, one_inout, place)
    before = cell.value
    cell.set(before - 1)
    assert (-9, -10) == (before, cell.value)


def test_strings_are_counted_and_keep_lone_surrogates(call: Call, caller: Caller) -> None:
    assert ["Grüße"] == decoded(call, one_string, caller.guest.unicode("Grüße"))
    lone = UNICODE_STRING(Length=2, MaximumLength=2, Buffer=caller.guest.stored(b"\x00\xd8"))
    assert "\ud800" == call.unicode_string(caller.stored(lone))
    assert "" == call.unicode_string(caller.stored(UNICODE_STRING(Buffer=UNMAPPED)))


def test_a_string_of_half_a_character_is_no_name(call: Call, caller: Caller) -> None:
    odd = UNICODE_STRING(Length=3, MaximumLength=4, Buffer=caller.guest.stored(b"a\0b\0"))
    assert STATUS_OBJECT_NAME_INVALID == refused(call, one_string, caller.stored(odd))


def test_object_attributes_are_name_flags_and_root(call: Call, caller: Caller) -> None:
    [got] = decoded(call, attributes, caller.guest.named("\\BaseNamedObjects\\x", 0x42))
    assert ("\\BaseNamedObjects\\x", 0x42, None) == (got.name, got.attributes, got.root)
    root = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    given = caller.stored(OBJECT_ATTRIBUTES(Length=48, RootDirectory=root))
    assert caller.guest.object(root) is declare._object_attributes(False)(call, given).root


def test_a_call_is_declared_once(call: Call) -> None:
    syscall(one_out)
    with pytest.raises(ValueError, match="one_out is declared twice"):
        syscall(one_out)


def mixed(call: Call, A: ULONG, B: LARGE_INTEGER, C: LONG, D: BOOLEAN, E: In[ULONG] | None) -> NTSTATUS: ...  # type: ignore[empty-body]


def test_on_a_32_bit_stack_every_argument_takes_one_slot_but_a_64_bit_number_two(call: Call) -> None:
    declare.DECLARED.clear()
    syscall(mixed)
    parameters = declare.DECLARED["mixed"].parameters
    codes = "<" + "".join(p.code32 for p in parameters)
    data = struct.pack("<IQIII", 5, (1 << 64) - 2, 0xFFFFFFFF, 0x101, 0)
    values = struct.unpack(codes, data)
    assert [5, -2, -1, 1, None] == [p.decode(call, value) for p, value in zip(parameters, values, strict=True)]


def test_a_pointer_is_cut_to_the_callers_word_size(call: Call) -> None:
    assert bytes.fromhex("8877665544332211") == call.pointer(0x1122334455667788)
    call.word = 4
    assert bytes.fromhex("88776655") == call.pointer(0x1122334455667788)
