"""Numbers and properties of windows: GetWindowLongPtr, SetProp and their kin.

Source: Microsoft "SetWindowLongPtr", "GetWindowLongPtr", "WM_STYLECHANGING", "SetProp", "EnumPropsEx".
"""

from __future__ import annotations

from lswd.kernel.atom import AtomTable
from lswd.kernel.user_callback import UserMode
from lswd.kernel.window import MOST_PROPERTIES, WS_CLIPSIBLINGS, Window
from lswd.nt.declare import Call, Out, syscall
from lswd.nt.user_failure import (
    ERROR_ACCESS_DENIED,
    ERROR_INVALID_INDEX,
    ERROR_NOT_ENOUGH_QUOTA,
    failed,
)
from lswd.nt.user_function import user_function, user_structure
from lswd.nt.user_procedure import client_of, find_window, windows_of
from lswd.nt.user_send import send
from lswd.nt.user_text import read_text
from lswd.nt.user_window import WS_EX_TOPMOST, complete_ex_style
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_HANDLE,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import BOOL, HANDLE, LONG, LONG_PTR, NTSTATUS, PVOID, ULONG, ULONG_PTR, USHORT, Struct

GWLP_WNDPROC, GWLP_HINSTANCE, GWLP_HWNDPARENT, GWLP_ID, GWL_STYLE, GWL_EXSTYLE = -4, -6, -8, -12, -16, -20
GWLP_USERDATA = -21
WM_STYLECHANGING, WM_STYLECHANGED = 0x7C, 0x7D


class STYLESTRUCT(Struct):
    styleOld: ULONG
    styleNew: ULONG


def _signed(index: int) -> int:
    return (index & 0xFFFFFFFF ^ 0x80000000) - 0x80000000


# ---- GetWindowLong, SetWindowLong


def _get(call: Call, hwnd: int, index: int, size: int, *, ansi: bool) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    index = _signed(index)
    if index >= 0:
        if window.process is not call.process:
            return failed(call.thread, ERROR_ACCESS_DENIED)
        if index + size > len(window.extra):
            return failed(call.thread, ERROR_INVALID_INDEX)
        value = int.from_bytes(window.extra[index : index + size], "little")
    elif index == GWLP_WNDPROC:
        if window.process is not call.process:
            return failed(call.thread, ERROR_ACCESS_DENIED)
        value = client_of(call.process).procedures.address(window.procedure, ansi=ansi)
    elif index == GWLP_HWNDPARENT:
        above = window.parent if window.is_child else window.owner
        value = 0 if above is None or above is windows_of(call.thread).desktop else above.handle
    else:
        values = {
            GWLP_HINSTANCE: window.instance, GWLP_ID: window.identifier, GWL_STYLE: window.style,
            GWL_EXSTYLE: window.ex_style, GWLP_USERDATA: window.user_data,
        }  # fmt: skip
        if index not in values:
            return failed(call.thread, ERROR_INVALID_INDEX)
        value = values[index]
    return value & (1 << 8 * size) - 1


async def _set(call: Call, hwnd: int, index: int, value: int, size: int, *, ansi: bool) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    if window.process is not call.process:
        return failed(call.thread, ERROR_ACCESS_DENIED)
    value &= (1 << 8 * size) - 1
    if index >= 0:
        if index + size > len(window.extra):
            return failed(call.thread, ERROR_INVALID_INDEX)
        previous = int.from_bytes(window.extra[index : index + size], "little")
        window.extra[index : index + size] = value.to_bytes(size, "little")
        return previous
    if index in (GWL_STYLE, GWL_EXSTYLE):
        return await _set_style(call, window, index, value & 0xFFFFFFFF)
    previous = _get(call, hwnd, index, size, ansi=ansi)
    if index == GWLP_WNDPROC:
        procedures = client_of(call.process).procedures
        window.procedure = procedures.handle(value, ansi=ansi) or window.procedure
        window.unicode = procedures.is_unicode(window.procedure, window.unicode)
    elif index == GWLP_HWNDPARENT:
        from lswd.nt.user_relation import NtUserSetParent

        if window.is_child:
            return int(await NtUserSetParent(call, hwnd, value))
        window.owner = windows_of(call.thread).find(value) if value else None
    elif index == GWLP_HINSTANCE:
        window.instance = value
    elif index == GWLP_ID:
        window.identifier = value
    elif index == GWLP_USERDATA:
        window.user_data = value
    else:
        return failed(call.thread, ERROR_INVALID_INDEX)
    return previous


async def _set_style(call: Call, window: Window, index: int, value: int) -> int:
    """The window is asked before and told after; it may change the new style."""
    previous = window.style if index == GWL_STYLE else window.ex_style
    thread, word = call.thread, call.word
    if window.thread is thread:
        user = UserMode(thread)
        at = user.push(STYLESTRUCT(styleOld=previous, styleNew=value).pack(word))
        await send(thread, window, WM_STYLECHANGING, index, at, user=user)
        value = STYLESTRUCT.unpack(word, call.space.read(at, STYLESTRUCT.size(word))).styleNew
    if index == GWL_STYLE:
        if window.parent is windows_of(thread).desktop:
            value |= WS_CLIPSIBLINGS
        window.style = value
    else:  # SetWindowPos alone makes windows topmost
        value = value & ~WS_EX_TOPMOST | window.ex_style & WS_EX_TOPMOST
        window.ex_style = value = complete_ex_style(window.style, value)
    if window.thread is thread and window.alive:
        at = user.push(STYLESTRUCT(styleOld=previous, styleNew=value).pack(word))
        await send(thread, window, WM_STYLECHANGED, index, at, user=user)
    return previous


@syscall(partial="windows of other threads are not told")
async def NtUserSetWindowLong(call: Call, hwnd: HANDLE, offset: LONG, newval: LONG, ansi: BOOL) -> ULONG:
    return await _set(call, hwnd, offset, newval, 4, ansi=bool(ansi))


@syscall(partial="windows of other threads are not told")
async def NtUserSetWindowLongPtr(call: Call, hwnd: HANDLE, offset: LONG, newval: LONG_PTR, ansi: BOOL) -> ULONG_PTR:
    return await _set(call, hwnd, offset, newval, call.word, ansi=bool(ansi))


@syscall
async def NtUserSetWindowWord(call: Call, hwnd: HANDLE, offset: LONG, newval: USHORT) -> USHORT:
    return await _set(call, hwnd, offset, newval, 2, ansi=True)


@user_function
def CallHwndParam_GetWindowLongA(call: Call, hwnd: int, index: int) -> int:
    return _get(call, hwnd, index, 4, ansi=True)


@user_function
def CallHwndParam_GetWindowLongW(call: Call, hwnd: int, index: int) -> int:
    return _get(call, hwnd, index, 4, ansi=False)


@user_function
def CallHwndParam_GetWindowLongPtrA(call: Call, hwnd: int, index: int) -> int:
    return _get(call, hwnd, index, call.word, ansi=True)


@user_function
def CallHwndParam_GetWindowLongPtrW(call: Call, hwnd: int, index: int) -> int:
    return _get(call, hwnd, index, call.word, ansi=False)


@user_function
def CallHwndParam_GetWindowWord(call: Call, hwnd: int, index: int) -> int:
    return _get(call, hwnd, index, 2, ansi=True)


@user_function
def AllocWinProc(call: Call, procedure: int, ansi: int) -> int:
    return client_of(call.process).procedures.handle(procedure, ansi=bool(ansi))


@user_function
def CallTwoParam_GetDialogProc(call: Call, procedure: int, ansi: int) -> int:
    return client_of(call.process).procedures.address(procedure, ansi=bool(ansi))


def _own_window(call: Call, handle: int) -> Window | None:
    """A window of the caller's process."""
    window = find_window(call, handle)
    return window if window is not None and window.process is call.process else None


@user_function
def CallHwnd_GetDialogInfo(call: Call, hwnd: int) -> int:
    window = _own_window(call, hwnd)
    return window.dialog_info if window is not None else 0


@user_function
def CallHwndParam_SetDialogInfo(call: Call, hwnd: int, info: int) -> int:
    window = _own_window(call, hwnd)
    if window is None:
        return 0
    window.dialog_info = info
    return 1


@user_function
def CallHwnd_GetMDIClientInfo(call: Call, hwnd: int) -> int:
    window = _own_window(call, hwnd)
    return window.mdi_info if window is not None else 0


@user_function
def CallHwndParam_SetMDIClientInfo(call: Call, hwnd: int, info: int) -> int:
    window = _own_window(call, hwnd)
    if window is None:
        return 0
    window.mdi_info = info
    return 1


@user_function
def CallHwnd_GetWindowContextHelpId(call: Call, hwnd: int) -> int:
    window = find_window(call, hwnd)
    return 0 if window is None else window.help_id


@user_function
def CallHwndParam_SetWindowContextHelpId(call: Call, hwnd: int, identifier: int) -> int:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    window.help_id = identifier & 0xFFFFFFFF
    return 1


# ---- properties


def _atoms(call: Call) -> AtomTable:
    """Names of properties are global atoms: EnumProps looks them up there."""
    return call.process.system.part(AtomTable)


def _find_property(call: Call, name: int) -> int:
    """The atom of a property's name, which may be one; 0: no property has that name."""
    if name <= 0xFFFF:
        return name
    try:
        return _atoms(call).find(read_text(call.process, name, ansi=False))
    except NtError as error:
        if error.status != STATUS_OBJECT_NAME_NOT_FOUND:
            raise
        return 0


@syscall
def NtUserSetProp(call: Call, hwnd: HANDLE, name: PVOID, handle: HANDLE) -> BOOL:
    window = find_window(call, hwnd)
    if window is None:
        return 0
    atom = _find_property(call, name)
    if not atom or atom not in window.properties:
        if len(window.properties) >= MOST_PROPERTIES:
            return failed(call.thread, ERROR_NOT_ENOUGH_QUOTA)
        if name > 0xFFFF:
            atom = _atoms(call).add(read_text(call.process, name, ansi=False))
    window.properties[atom] = handle
    return 1


@syscall
def NtUserGetProp(call: Call, hwnd: HANDLE, name: PVOID) -> HANDLE:
    window = find_window(call, hwnd)
    return 0 if window is None else window.properties.get(_find_property(call, name), 0)


@syscall
def NtUserRemoveProp(call: Call, hwnd: HANDLE, name: PVOID) -> HANDLE:
    window = find_window(call, hwnd)
    return 0 if window is None else window.properties.pop(_find_property(call, name), 0)


@syscall
def NtUserBuildPropList(call: Call, hwnd: HANDLE, count: ULONG, buffer: PVOID, size: Out[ULONG]) -> NTSTATUS:
    window = find_window(call, hwnd)
    if window is None:
        return STATUS_INVALID_HANDLE
    size.set(len(window.properties))
    if count < len(window.properties):
        return STATUS_BUFFER_TOO_SMALL
    layout = user_structure(call.process, "ntuser_property_list")
    data = b"".join(layout.pack(data=value, atom=atom, string=1) for atom, value in window.properties.items())
    call.space.write(buffer, data)
    return STATUS_SUCCESS
