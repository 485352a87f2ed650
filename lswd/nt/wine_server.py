"""wine_server_call: what older userlands (Wine 8) ask Wine's server, where newer ones have a system call of win32u's.

Numbers and layouts of the requests are in the type information of user32.
Source: Microsoft "PostQuitMessage", "EnumWindows", "EnumChildWindows", "EnumPropsEx", for what they are asked for.
"""

from __future__ import annotations

import struct

from lswd.nt.declare import Call, syscall
from lswd.nt.user_procedure import windows_of
from lswd.nt.user_relation import found_window, of_thread
from lswd.nt.user_send import queue_of
from lswd.ntdef.status import (
    STATUS_INVALID_HANDLE,
    STATUS_NOT_IMPLEMENTED,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import NTSTATUS, PVOID

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_PROPERTY = struct.Struct("<IiQ")  # property_data_t: atom, is it a string's, data

def _field(call: Call, request: int, structure: str, name: str) -> int:
    layout = call.process.userland.structure("user32.dll", structure)
    return call.space.read_u32(request + layout.offset(name))


def _answer(call: Call, request: int, structure: str, data: bytes, **values: int) -> None:
    """Write the reply over the request, and as much of ``data`` as there is room for."""
    userland = call.process.userland
    info = userland.structure("user32.dll", "__server_request_info")
    header = userland.structure("user32.dll", "request_header")
    room = call.space.read_u32(request + header.offset("reply_size"))
    where = call.space.read_pointer(request + info.offset("reply_data"))
    data = data[:room]
    if data:
        call.space.write(where, data)
    reply = userland.structure("user32.dll", structure).pack(**values)
    size = userland.structure("user32.dll", "reply_header").offset("reply_size")
    call.space.write(request, reply[:size] + len(data).to_bytes(4, "little") + reply[size + 4 :])


def _quit(call: Call, request: int) -> int:
    queue_of(call.thread).post_quit(_field(call, request, "post_quit_message_request", "exit_code"))
    return STATUS_SUCCESS


def _children(call: Call, request: int) -> int:
    """Without a parent, those of a desktop."""
    structure = "get_window_children_request"
    parent, thread = _field(call, request, structure, "parent"), _field(call, request, structure, "tid")
    try:
        found = [window.handle for window in of_thread(found_window(call, parent).children, thread)]
    except KeyError:
        return STATUS_INVALID_HANDLE
    data = b"".join(handle.to_bytes(4, "little") for handle in found)
    _answer(call, request, "get_window_children_reply", data, count=len(found))
    return STATUS_SUCCESS


def _properties(call: Call, request: int) -> int:
    window = windows_of(call.thread).find(_field(call, request, "get_window_properties_request", "window"))
    if window is None:
        return STATUS_INVALID_HANDLE
    data = b"".join(_PROPERTY.pack(atom, True, value) for atom, value in window.properties.items())
    _answer(call, request, "get_window_properties_reply", data, total=len(window.properties))
    return STATUS_SUCCESS


_REQUESTS: dict[str, Callable[[Call, int], int]] = {
    "post_quit_message": _quit, "get_window_children": _children, "get_window_properties": _properties,
}  # fmt: skip


@syscall(partial="what user32 of older userlands asks about windows")
def wine_server_call(call: Call, request: PVOID) -> NTSTATUS:
    userland = call.process.userland
    number = call.space.read_u32(request)
    for name, handler in _REQUESTS.items():
        if userland.constant("user32.dll", f"REQ_{name}") == number:
            if not userland.structure("user32.dll", "__server_request_info").size:
                raise NtError(STATUS_NOT_IMPLEMENTED)
            return handler(call, request)
    missing = call.process.missing_calls
    missing["wine_server_call"] = missing.get("wine_server_call", 0) + 1
    return STATUS_NOT_IMPLEMENTED


