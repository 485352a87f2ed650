"""What GDI's system calls do with handles: find what they stand for, and make new ones."""

from __future__ import annotations

from lswd.kernel.gdi.device_context import AttributeRoom, DeviceContext
from lswd.kernel.gdi.handle_table import gdi_handles
from lswd.kernel.gdi.objects import GdiObject
from lswd.kernel.gdi.region import Region
from lswd.nt.user_failure import ERROR_INVALID_HANDLE, failed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeVar

    from lswd.nt.declare import Call

    T = TypeVar("T", bound=GdiObject)

ERROR_NOT_ENOUGH_MEMORY = 8


def found(call: Call, handle: int, kind: type[T]) -> T | None:
    """The object of that kind behind a handle, or None."""
    known = gdi_handles(call.process).get(handle)
    return known if isinstance(known, kind) else None


def context(call: Call, handle: int) -> DeviceContext | None:
    """The device context; None leaves the error that says there is none."""
    known = gdi_handles(call.process).get(handle)
    if isinstance(known, DeviceContext):
        return known
    failed(call.thread, ERROR_INVALID_HANDLE)
    return None


def region(call: Call, handle: int) -> Region | None:
    """The region; None leaves the error that says there is none."""
    known = gdi_handles(call.process).get(handle)
    if isinstance(known, Region):
        return known
    failed(call.thread, ERROR_INVALID_HANDLE)
    return None


def shown(call: Call, handle: int) -> int:
    """A handle as the process has it: pointer-sized, with the sign of its 32 bits."""
    return handle | (0xFFFFFFFF00000000 if handle & 0x80000000 and call.word == 8 else 0)


def new_handle(call: Call, made: GdiObject, pointer: int = 0) -> int:
    """The handle of a new object; 0 if the process has too many."""
    handle = gdi_handles(call.process).add(made, pointer)
    if not handle:
        release = getattr(made, "release", None)
        if release is not None:
            release()
        return failed(call.thread, ERROR_NOT_ENOUGH_MEMORY)
    return shown(call, handle)


def new_context(call: Call, *, memory: bool) -> int:
    """The handle of a new device context."""
    handles = gdi_handles(call.process)
    if handles.room is None:
        handles.room = AttributeRoom(call.process)
    made = DeviceContext(call.process, handles, handles.room, memory=memory)
    handle = new_handle(call, made, made.attributes.address)
    if handle:
        made.opened()
    return handle
