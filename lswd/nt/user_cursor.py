"""Cursors and icons: handles of pictures that nobody sees.

A shared one has been there before, says the kernel, so user32 does not look for its picture.
Source: Microsoft "LoadCursor", "LoadIcon", "SetCursor", "ShowCursor"; parameters from user32's use of the calls.
"""

from __future__ import annotations

from lswd.nt.declare import Call, decode_wide, syscall
from lswd.nt.user_function import user_function
from lswd.ntdef.types import BOOL, HANDLE, LONG, PVOID, ULONG, UNICODE_STRING

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.system import System

_FIRST, _MOST = 0x10001, 0x10000


class Pictures:
    """Shared pictures by module and name; a part of the System."""

    def __init__(self, system: System) -> None:
        self._handles: dict[tuple[str, str], int] = {}
        self.next = _FIRST
        self.cursor = 0
        self.shown = 0

    def shared(self, module: str, name: str) -> int:
        """The handle of one; 0 when there are too many."""
        found = self._handles.get((module, name), 0)
        if not found and len(self._handles) < _MOST:
            found = self._handles[module, name] = self.new()
        return found

    def system(self, name: str) -> int:
        """The handle of one of user32's own."""
        return self.shared("USER32.DLL", name)

    def new(self) -> int:
        """A handle."""
        handle, self.next = self.next, self.next + 2 if self.next < 0x7FFFFFFF else _FIRST
        return handle


def _name(call: Call, string: int) -> str:
    layout = UNICODE_STRING.layout(call.word)
    length, _, buffer = layout.packer.unpack(call.space.read(string, layout.size))
    return f"#{buffer}" if buffer <= 0xFFFF else decode_wide(call.space.read(buffer, length & ~1)).upper()


@syscall(partial="pictures of cursors and icons are not kept")
def NtUserFindExistingCursorIcon(call: Call, module: PVOID, res_name: PVOID, desc: PVOID) -> HANDLE:
    file = _name(call, module).rpartition("\\")[2]
    return call.process.system.part(Pictures).shared(file, _name(call, res_name))


@user_function
def CallOneParam_CreateCursorIcon(call: Call, is_icon: int) -> int:
    return call.process.system.part(Pictures).new()


@syscall(partial="pictures are not kept")
def NtUserSetCursorIconData(call: Call, cursor: HANDLE, module: PVOID, res_name: PVOID, desc: PVOID) -> BOOL:
    return 1


@syscall
def NtUserDestroyCursor(call: Call, cursor: HANDLE, arg: ULONG) -> BOOL:
    return 1


@syscall
def NtUserSetCursor(call: Call, cursor: HANDLE) -> HANDLE:
    pictures = call.process.system.part(Pictures)
    previous, pictures.cursor = pictures.cursor, cursor
    return previous


@syscall
def NtUserGetCursor(call: Call) -> HANDLE:
    return call.process.system.part(Pictures).cursor


@syscall
def NtUserShowCursor(call: Call, show: BOOL) -> LONG:
    """How often it has been shown, less how often hidden."""
    pictures = call.process.system.part(Pictures)
    pictures.shown = min(max(pictures.shown + (1 if show else -1), -0x8000), 0x7FFF)
    return pictures.shown


@syscall
def NtUserNotifyWinEvent(call: Call, event: ULONG, hwnd: HANDLE, object_id: LONG, child_id: LONG) -> ULONG:
    """Nobody can ask to be told. NT returns nothing."""
    return 0
