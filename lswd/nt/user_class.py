"""Window classes: registering, looking up and changing them.

Texts of menu names are user32's own; the kernel only keeps where they are (``client_menu_name``).
Source: Microsoft "RegisterClassEx", "GetClassInfoEx", "UnregisterClass", "GetClassLongPtr", "SetClassLongPtr";
parameters from user32's use of the calls.
"""

from __future__ import annotations

from lswd.host.names import upcase
from lswd.kernel.atom import FIRST_STRING_ATOM, AtomTable
from lswd.kernel.user_callback import UserMode
from lswd.kernel.window import Window
from lswd.kernel.window_class import CS_GLOBALCLASS, MOST_EXTRA, WindowClass, WindowClient
from lswd.nt.declare import Call, decode_wide, encode_wide, syscall
from lswd.nt.user_builtin import add_builtin_classes
from lswd.nt.user_failure import (
    ERROR_ACCESS_DENIED,
    ERROR_CLASS_ALREADY_EXISTS,
    ERROR_CLASS_DOES_NOT_EXIST,
    ERROR_CLASS_HAS_WINDOWS,
    ERROR_INSUFFICIENT_BUFFER,
    ERROR_INVALID_HANDLE,
    ERROR_INVALID_INDEX,
    ERROR_INVALID_PARAMETER,
    failed,
)
from lswd.nt.user_function import callback_code, user_function, user_structure
from lswd.nt.user_procedure import client_of, find_window
from lswd.ntdef.status import NtError
from lswd.ntdef.types import BOOL, HANDLE, LONG, LONG_PTR, PVOID, ULONG, ULONG_PTR, UNICODE_STRING, USHORT, Struct

_MOST_PROCEDURES = 32
# GetClassLong's indices.
GCLP_MENUNAME, GCLP_HBRBACKGROUND, GCLP_HCURSOR, GCLP_HICON, GCLP_HMODULE = -8, -10, -12, -14, -16
GCL_CBWNDEXTRA, GCL_CBCLSEXTRA, GCLP_WNDPROC, GCL_STYLE, GCW_ATOM, GCLP_HICONSM = -18, -20, -24, -26, -32, -34
_NUMBERS = {
    GCLP_HBRBACKGROUND: "background", GCLP_HCURSOR: "cursor", GCLP_HICON: "icon", GCLP_HICONSM: "small_icon",
    GCLP_HMODULE: "instance", GCL_STYLE: "style", GCL_CBWNDEXTRA: "window_extra", GCW_ATOM: "atom",
}  # fmt: skip


class WNDCLASSEX(Struct):
    cbSize: ULONG
    style: ULONG
    lpfnWndProc: PVOID
    cbClsExtra: LONG
    cbWndExtra: LONG
    hInstance: HANDLE
    hIcon: HANDLE
    hCursor: HANDLE
    hbrBackground: HANDLE
    lpszMenuName: PVOID
    lpszClassName: PVOID
    hIconSm: HANDLE


class UserAtoms(AtomTable):
    """Names of classes; a part of the System."""


@syscall(partial="the drawing routines of user32 are not called")
def NtUserInitializeClientPfnArrays(
    call: Call, client_procsA: PVOID, client_procsW: PVOID, client_workers: PVOID, user_module: PVOID
) -> LONG:
    word = call.word
    known = call.process.userland.enumeration("user32.dll", "NTUSER_WNDPROC_")
    if known:
        count, stride = len(known), 8
    else:  # of older userlands a structure of plain pointers
        count, stride = user_structure(call.process, "user_client_procs").size // word, word
    count = min(count, _MOST_PROCEDURES)
    procedures = [
        (call.space.read_pointer(client_procsA + i * stride), call.space.read_pointer(client_procsW + i * stride))
        for i in range(count)
    ]
    call.process.window_client = WindowClient(procedures, user_module)
    return 0


def name_of(call: Call, address: int) -> str:
    """The name in a UNICODE_STRING; a 16-bit "buffer" is the number of an atom, given as ``#1234`` or its name.

    Raises:
        NtError: it cannot be read, or there is no such atom.
    """
    layout = UNICODE_STRING.layout(call.word)
    length, _, buffer = layout.packer.unpack(call.space.read(address, layout.size))
    if buffer <= 0xFFFF:
        return atom_name(call, buffer)
    return decode_wide(call.space.read(buffer, length & ~1))


def atom_name(call: Call, atom: int) -> str:
    """Raises NtError when there is no such atom."""
    if atom < FIRST_STRING_ATOM:
        return f"#{atom}"
    return call.process.system.part(UserAtoms).get(atom).name


def put_name(call: Call, address: int, name: str) -> int:
    """Write as much of a name as a UNICODE_STRING has room for, with a zero; how many characters."""
    layout = UNICODE_STRING.layout(call.word)
    _, most, buffer = layout.packer.unpack(call.space.read(address, layout.size))
    if most < 2:
        return failed(call.thread, ERROR_INSUFFICIENT_BUFFER)
    data = encode_wide(name)[: (most & ~1) - 2]
    call.space.write(buffer, data + b"\0\0")
    return len(data) // 2


async def complete_classes(call: Call, user: UserMode | None = None) -> WindowClient:
    """Have user32 register its own classes, the first time that a class is needed.

    Raises:
        NtError: user32 cannot be called.
    """
    client = client_of(call.process)
    if not client.complete:
        client.complete = True
        add_builtin_classes(call.process, client, call.process.system.part(UserAtoms))
        await (user or UserMode(call.thread)).call(callback_code(call.process, "InitBuiltinClasses"), b"")
    return client


@syscall(partial="icons are not made smaller")
async def NtUserRegisterClassExWOW(
    call: Call, wc: PVOID, name: PVOID, version: PVOID, client_menu_name: PVOID, fnid: ULONG, flags: ULONG, wow: PVOID
) -> USHORT:
    """``fnid``: it is one of user32's own. ``flags``: its procedure takes ANSI."""
    client = client_of(call.process) if fnid else await complete_classes(call)
    told = WNDCLASSEX.unpack(call.word, call.space.read(wc, WNDCLASSEX.size(call.word)))
    if (
        told.cbSize != WNDCLASSEX.size(call.word)
        or not 0 <= told.cbClsExtra <= MOST_EXTRA or not 0 <= told.cbWndExtra <= MOST_EXTRA
        or (not fnid and told.hInstance == client.user32)
    ):  # fmt: skip
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    atoms = call.process.system.part(UserAtoms)
    class_name = name_of(call, name)
    menu_name = b""
    if client_menu_name:
        menu_name = call.space.read(client_menu_name, user_structure(call.process, "client_menu_name").size)
    atom = atoms.add(class_name)
    procedure = client.procedures.handle(told.lpfnWndProc, ansi=bool(flags))
    made = WindowClass(class_name, atom, procedure, told.hInstance or call.process.image_base, told.style)
    made.local = not fnid and not told.style & CS_GLOBALCLASS
    made.extra = bytearray(told.cbClsExtra)
    made.window_extra = told.cbWndExtra
    made.icon, made.small_icon, made.cursor = told.hIcon, told.hIconSm, told.hCursor
    made.background = told.hbrBackground
    made.menu_name = menu_name
    if not client.add(made):
        _forget_atom(atoms, atom)
        return failed(call.thread, ERROR_CLASS_ALREADY_EXISTS)
    return atom


def _forget_atom(atoms: UserAtoms, atom: int) -> None:
    if atom >= FIRST_STRING_ATOM:
        atoms.delete(atom)


@syscall
async def NtUserUnregisterClass(call: Call, name: PVOID, instance: HANDLE, client_menu_name: PVOID) -> BOOL:
    client = await complete_classes(call)
    found = client.find(name_of(call, name), instance)
    if found is None or (not found.local and found.instance == client.user32):
        return failed(call.thread, ERROR_CLASS_DOES_NOT_EXIST)
    if found.windows:
        return failed(call.thread, ERROR_CLASS_HAS_WINDOWS)
    call.space.write(client_menu_name, found.menu_name or bytes(user_structure(call.process, "client_menu_name").size))
    client.remove(found)
    _forget_atom(call.process.system.part(UserAtoms), found.atom)
    return 1


@syscall
async def NtUserGetClassInfoEx(
    call: Call, instance: HANDLE, name: PVOID, wc: PVOID, menu_name: PVOID, ansi: BOOL
) -> USHORT:
    client = await complete_classes(call)
    found = client.find(name_of(call, name), instance)
    if found is None:
        return failed(call.thread, ERROR_CLASS_DOES_NOT_EXIST)
    menu = found.menu_name or bytes(user_structure(call.process, "client_menu_name").size)
    if wc:
        word = call.word
        where = user_structure(call.process, "client_menu_name").offset("nameA" if ansi else "nameW")
        told = WNDCLASSEX(
            cbSize=call.space.read_u32(wc), style=found.style,
            lpfnWndProc=client.procedures.address(found.procedure, ansi=bool(ansi)), cbClsExtra=len(found.extra),
            cbWndExtra=found.window_extra, hInstance=0 if instance == client.user32 else instance, hIcon=found.icon,
            hCursor=found.cursor, hbrBackground=found.background, hIconSm=found.small_icon,
            lpszMenuName=int.from_bytes(menu[where : where + word], "little"),
            lpszClassName=call.space.read_pointer(name + UNICODE_STRING.offset(word, "Buffer")),
        )  # fmt: skip
        call.space.write(wc, told.pack(word))
    if menu_name:
        call.space.write(menu_name, menu)
    return found.atom


@syscall
def NtUserGetClassName(call: Call, hwnd: HANDLE, real: BOOL, name: PVOID) -> LONG:
    window = find_window(call, hwnd)
    return 0 if window is None else put_name(call, name, window.window_class.name)


@syscall
def NtUserGetAtomName(call: Call, atom: USHORT, name: PVOID) -> ULONG:
    try:
        text = atom_name(call, atom)
    except NtError:
        return failed(call.thread, ERROR_INVALID_HANDLE)
    return put_name(call, name, text)


# ---- GetClassLong, SetClassLong


def _get(call: Call, hwnd: int, index: int, size: int, *, ansi: bool) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    kind = window.window_class
    index = _signed(index)
    if index >= 0:
        if index + size > len(kind.extra):
            return failed(call.thread, ERROR_INVALID_INDEX)
        return int.from_bytes(kind.extra[index : index + size], "little")
    if index in _NUMBERS:
        return int(getattr(kind, _NUMBERS[index]))
    if index == GCL_CBCLSEXTRA:
        return len(kind.extra)
    if window.process is call.process and index == GCLP_WNDPROC:
        return client_of(call.process).procedures.address(kind.procedure, ansi=ansi)
    if window.process is call.process and index == GCLP_MENUNAME:
        where = user_structure(call.process, "client_menu_name").offset("nameA" if ansi else "nameW")
        return int.from_bytes(kind.menu_name[where : where + call.word], "little")
    return failed(call.thread, ERROR_INVALID_HANDLE if window.process is not call.process else ERROR_INVALID_INDEX)


def _signed(index: int) -> int:
    return (index & 0xFFFFFFFF ^ 0x80000000) - 0x80000000


def _own_class(call: Call, hwnd: int) -> WindowClass | None:
    """The class of a window of the calling process."""
    window: Window | None = find_window(call, hwnd)
    if window is None:
        return None
    if window.process is not call.process:
        failed(call.thread, ERROR_ACCESS_DENIED)
        return None
    return window.window_class


def _set(call: Call, hwnd: int, index: int, value: int, size: int, *, ansi: bool) -> int:
    kind = _own_class(call, hwnd)
    if kind is None:
        return 0
    if index >= 0:
        if index + size > len(kind.extra):
            return failed(call.thread, ERROR_INVALID_INDEX)
        previous = int.from_bytes(kind.extra[index : index + size], "little")
        kind.extra[index : index + size] = (value & (1 << 8 * size) - 1).to_bytes(size, "little")
        return previous
    if index == GCLP_WNDPROC:
        procedures = client_of(call.process).procedures
        previous = procedures.address(kind.procedure, ansi=ansi)
        kind.procedure = procedures.handle(value & (1 << 8 * call.word) - 1, ansi=ansi)
        return previous
    if index == GCLP_MENUNAME:  # the value points to user32's names, which get the previous ones
        size = user_structure(call.process, "client_menu_name").size
        menu_name = call.space.read(value, size)
        call.space.write(value, kind.menu_name or bytes(size))
        kind.menu_name = menu_name
        return 0
    if index == GCL_CBCLSEXTRA:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if index not in _NUMBERS:
        return failed(call.thread, ERROR_INVALID_INDEX)
    previous = int(getattr(kind, _NUMBERS[index]))
    if index == GCL_CBWNDEXTRA and not 0 <= value <= MOST_EXTRA:
        return failed(call.thread, ERROR_INVALID_PARAMETER)
    if index == GCW_ATOM:
        kind.name = atom_name(call, value & 0xFFFF)
    setattr(kind, _NUMBERS[index], value & (1 << 8 * size) - 1)
    return previous


@syscall
def NtUserSetClassLong(call: Call, hwnd: HANDLE, offset: LONG, newval: LONG, ansi: BOOL) -> ULONG:
    return _set(call, hwnd, offset, newval, 4, ansi=bool(ansi))


@syscall
def NtUserSetClassLongPtr(call: Call, hwnd: HANDLE, offset: LONG, newval: LONG_PTR, ansi: BOOL) -> ULONG_PTR:
    return _set(call, hwnd, offset, newval, call.word, ansi=bool(ansi))


@syscall
def NtUserSetClassWord(call: Call, hwnd: HANDLE, offset: LONG, newval: USHORT) -> USHORT:
    return _set(call, hwnd, offset, newval, 2, ansi=True)


@user_function
def CallHwndParam_GetClassLongA(call: Call, hwnd: int, index: int) -> int:
    return _get(call, hwnd, index, 4, ansi=True)


@user_function
def CallHwndParam_GetClassLongW(call: Call, hwnd: int, index: int) -> int:
    return _get(call, hwnd, index, 4, ansi=False)


@user_function
def CallHwndParam_GetClassLongPtrA(call: Call, hwnd: int, index: int) -> int:
    return _get(call, hwnd, index, call.word, ansi=True)


@user_function
def CallHwndParam_GetClassLongPtrW(call: Call, hwnd: int, index: int) -> int:
    return _get(call, hwnd, index, call.word, ansi=False)


@user_function
def CallHwndParam_GetClassWord(call: Call, hwnd: int, index: int) -> int:
    return _get(call, hwnd, index, 2, ansi=True)


def same_name(one: str, other: str) -> bool:
    """As names of classes and windows are compared."""
    return upcase(one) == upcase(other)
