"""Display devices and their modes, and keyboard layouts: one adapter with one monitor that nobody looks at.

Source: Microsoft "EnumDisplayDevices", "EnumDisplaySettings", "DEVMODE", "GetDisplayConfigBufferSizes",
"DisplayConfigGetDeviceInfo", "GetKeyboardLayoutList"; names and values as Wine has them without a display.
"""

from __future__ import annotations

import struct

from lswd.nt.declare import Call, Out, decode_wide, encode_wide, syscall
from lswd.nt.user_failure import failed
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_SUCCESS, STATUS_UNSUCCESSFUL
from lswd.ntdef.types import BOOL, LONG, NTSTATUS, PVOID, ULONG, UNICODE_STRING

ERROR_SUCCESS, ERROR_INVALID_PARAMETER = 0, 87
_ADAPTER = "\\\\.\\DISPLAY1"
_CONTROL = "\\Registry\\Machine\\System\\CurrentControlSet\\Control\\"
_MONITOR_CLASS = "{4D36E96E-E325-11CE-BFC1-08002BE10318}\\0000"
# Name, description, state, identifier, key.
_ADAPTERS = ((
    _ADAPTER, "Wine Adapter", 0x15, "PCI\\VEN_0000&DEV_0000&SUBSYS_00000000&REV_00",
    _CONTROL + "Video\\{7625e9c1-bd30-49e6-a2dd-1e4bbfa51ef4}\\0000",
),)  # fmt: skip
_MONITORS = ((
    _ADAPTER + "\\Monitor0", "Generic Non-PnP Monitor", 3, "MONITOR\\Default_Monitor\\" + _MONITOR_CLASS,
    _CONTROL + "Class\\" + _MONITOR_CLASS,
),)  # fmt: skip
_INTERFACE = "\\\\?\\DISPLAY#Default_Monitor#0000&0000#{E6F07B5F-EE97-4A90-B076-33F57BF4EAA7}"
EDD_GET_DEVICE_INTERFACE_NAME = 1
ENUM_CURRENT_SETTINGS, ENUM_REGISTRY_SETTINGS = -1 & 0xFFFFFFFF, -2 & 0xFFFFFFFF
_MODES = tuple((width, height, bits) for bits in (32, 16) for width, height in ((640, 480), (800, 600), (1024, 768)))
_CURRENT = (1024, 768, 32)
_FREQUENCY = 60
# DM_POSITION, _DISPLAYORIENTATION, _BITSPERPEL, _PELSWIDTH, _PELSHEIGHT, _DISPLAYFLAGS, _DISPLAYFREQUENCY
_FIELDS = 0x20 | 0x80 | 0x7C0000
_DEVMODE = struct.Struct("<64s4HI2i2I10x64xHIIIII")
_QDC = (1, 2, 4)
_ADAPTER_ID, _SOURCE = 0x3F0, 0
GET_SOURCE_NAME = 1
LAYOUT, LAYOUT_NAME = 0x04090409, "00000409"


def _device(call: Call, address: int) -> str | None:
    """The name in a UNICODE_STRING; None: no name."""
    if not address:
        return None
    layout = UNICODE_STRING.layout(call.word)
    length, _, buffer = layout.packer.unpack(call.space.read(address, layout.size))
    return decode_wide(call.space.read(buffer, length & ~1)) if length else None


def _text(text: str, characters: int) -> bytes:
    return encode_wide(text).ljust(2 * characters, b"\0")


@syscall
def NtUserEnumDisplayDevices(call: Call, device: PVOID, index: ULONG, info: PVOID, flags: ULONG) -> NTSTATUS:
    """The adapters, or an adapter's monitors. A caller's structure may end before the identifier."""
    name = _device(call, device)
    if name is not None and name.upper() != _ADAPTER:
        return STATUS_UNSUCCESSFUL
    devices = _ADAPTERS if name is None else _MONITORS
    if index >= len(devices):
        return STATUS_UNSUCCESSFUL
    name, text, state, identifier, key = devices[index]
    if flags & EDD_GET_DEVICE_INTERFACE_NAME:
        identifier = _INTERFACE if devices is _MONITORS else ""
    content = (
        _text(name, 32) + _text(text, 128) + state.to_bytes(4, "little") + _text(identifier, 128) + _text(key, 128))
    call.space.write(info + 4, content[: max(0, call.space.read_u32(info) - 4)])
    return STATUS_SUCCESS


@syscall
def NtUserEnumDisplaySettings(call: Call, device: PVOID, mode: ULONG, dev_mode: PVOID, flags: ULONG) -> BOOL:
    name = _device(call, device)
    if name is not None and name.upper() != _ADAPTER:
        return 0
    if mode in (ENUM_CURRENT_SETTINGS, ENUM_REGISTRY_SETTINGS):
        chosen = _CURRENT
    elif mode < len(_MODES):
        chosen = _MODES[mode]
    else:
        return failed(call.thread, 0)
    width, height, bits = chosen
    content = _DEVMODE.pack(
        encode_wide("Wine Display Driver"), 0x401, 0, 0, 0, _FIELDS, 0, 0, 0, 0, 0, bits, width, height, 0, _FREQUENCY)
    size = int.from_bytes(call.space.read(dev_mode + 68, 2), "little")
    extra = call.space.read(dev_mode + 70, 2)
    content = content[:68] + _DEVMODE.size.to_bytes(2, "little") + extra + content[72:]
    call.space.write(dev_mode, content[: min(size, len(content))])
    return 1


@syscall
def NtUserGetDisplayConfigBufferSizes(
    call: Call, flags: ULONG, num_path_info: Out[ULONG] | None, num_mode_info: Out[ULONG] | None
) -> LONG:
    """Returns a Win32 error."""
    if num_path_info is None or num_mode_info is None:
        return ERROR_INVALID_PARAMETER
    num_path_info.set(0)
    if flags not in _QDC:
        return ERROR_INVALID_PARAMETER
    num_path_info.set(1)
    num_mode_info.set(2)
    return ERROR_SUCCESS


@syscall(partial="the name of the source")
def NtUserDisplayConfigGetDeviceInfo(call: Call, packet: PVOID) -> NTSTATUS:
    kind, size, low, high, identifier = struct.unpack("<2IIiI", call.space.read(packet, 20))
    if size < 20:
        return STATUS_INVALID_PARAMETER
    if (low, high, identifier) != (_ADAPTER_ID, 0, _SOURCE):
        return STATUS_UNSUCCESSFUL
    if kind != GET_SOURCE_NAME:
        return STATUS_NOT_SUPPORTED
    if size < 20 + 64:
        return STATUS_INVALID_PARAMETER
    call.space.write(packet + 20, _text(_ADAPTER, 32))
    return STATUS_SUCCESS


@syscall
def NtUserGetKeyboardLayout(call: Call, thread_id: ULONG) -> PVOID:
    return LAYOUT


@syscall
def NtUserGetKeyboardLayoutList(call: Call, size: LONG, layouts: PVOID) -> ULONG:
    """How many there are, or have been written."""
    if size and layouts:
        call.space.write_pointer(layouts, LAYOUT)
    return 1


@syscall
def NtUserGetKeyboardLayoutName(call: Call, name: PVOID) -> BOOL:
    call.space.write(name, encode_wide(LAYOUT_NAME) + b"\0\0")
    return 1
