"""Global atoms: NtAddAtom, NtFindAtom, NtDeleteAtom, NtQueryInformationAtom. See ``kernel.atom``."""

from __future__ import annotations

from lswd.kernel.atom import FIRST_STRING_ATOM, LONGEST_NAME, AtomTable
from lswd.nt.declare import Call, Out, decode_wide, encode_wide, syscall
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import NTSTATUS, PVOID, ULONG, USHORT, Struct

AtomBasicInformation = 0


class ATOM_BASIC_INFORMATION(Struct):
    ReferenceCount: USHORT
    Pinned: USHORT
    NameLength: USHORT


_LEAST = 8  # the structure with one character


def _name(call: Call, address: int, length: int) -> str:
    """The name at ``address``; a 16-bit "address" is the number of an integer atom."""
    if address <= 0xFFFF:
        if not 0 < address < FIRST_STRING_ATOM:
            raise NtError(STATUS_INVALID_PARAMETER)
        return f"#{address}"
    if length > 2 * LONGEST_NAME:
        raise NtError(STATUS_INVALID_PARAMETER)
    return decode_wide(call.space.read(address, length & ~1))


@syscall
def NtAddAtom(call: Call, AtomName: PVOID, Length: ULONG, Atom: Out[USHORT]) -> NTSTATUS:
    Atom.set(call.process.system.part(AtomTable).add(_name(call, AtomName, Length)))
    return STATUS_SUCCESS


@syscall
def NtFindAtom(call: Call, AtomName: PVOID, Length: ULONG, Atom: Out[USHORT]) -> NTSTATUS:
    Atom.set(0)
    Atom.set(call.process.system.part(AtomTable).find(_name(call, AtomName, Length)))
    return STATUS_SUCCESS


@syscall
def NtDeleteAtom(call: Call, Atom: USHORT) -> NTSTATUS:
    call.process.system.part(AtomTable).delete(Atom)
    return STATUS_SUCCESS


@syscall(partial="the list of all atoms")
def NtQueryInformationAtom(
    call: Call,
    Atom: USHORT,
    AtomInformationClass: ULONG,
    AtomInformation: PVOID,
    AtomInformationLength: ULONG,
    ReturnLength: Out[ULONG] | None,
) -> NTSTATUS:
    """A name that does not fit is cut short, unless there is no room for any of it."""
    if AtomInformationClass != AtomBasicInformation:
        return STATUS_INVALID_INFO_CLASS
    if not Atom or AtomInformationLength < _LEAST:
        return STATUS_INVALID_PARAMETER
    if Atom < FIRST_STRING_ATOM:
        name, references, pinned = f"#{Atom}", 1, 1
    else:
        found = call.process.system.part(AtomTable).get(Atom)
        name, references, pinned = found.name, found.references, 0
    text = encode_wide(name)
    room = (AtomInformationLength - _LEAST) & ~1
    if ReturnLength is not None:
        ReturnLength.set(_LEAST + min(len(text), room) if room else _LEAST + len(text))
    if not room:
        return STATUS_BUFFER_TOO_SMALL
    text = text[:room]
    head = ATOM_BASIC_INFORMATION(ReferenceCount=references, Pinned=pinned, NameLength=len(text)).pack(call.word)
    call.space.write(AtomInformation, head + text + b"\0\0")
    return STATUS_SUCCESS
