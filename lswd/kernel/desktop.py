"""The window station and the desktop that every process of a session has.

Source: Microsoft "Window Stations and Desktops".
"""

from __future__ import annotations

from lswd.kernel.object import KernelObject

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.handle import HandleTable

WINSTA_ALL_ACCESS = 0xF037F
DESKTOP_ALL_ACCESS = 0xF01FF


class WindowStation(KernelObject):
    type_name = "WindowStation"
    generic = (0x20303, 0x2001C, 0x20060, WINSTA_ALL_ACCESS)


class Desktop(KernelObject):
    type_name = "Desktop"
    generic = (0x20041, 0x200BE, 0x20100, DESKTOP_ALL_ACCESS)


class Surroundings:
    """Where a process's windows would be: handles that it is given whenever it asks."""

    __slots__ = ("desktop", "window_station")

    def __init__(self, process_handles: HandleTable) -> None:
        station, desktop = WindowStation(), Desktop()
        station.name, desktop.name = "WinSta0", "Default"
        self.window_station = process_handles.add(station, WINSTA_ALL_ACCESS)
        self.desktop = process_handles.add(desktop, DESKTOP_ALL_ACCESS)
