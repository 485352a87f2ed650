"""Waiting for whichever of several guest threads stops first, of one process or of many.

Source: futex_waitv(2), Linux 5.16. On an older Linux we wait for one of them, and look at the others often.
"""

from __future__ import annotations

import ctypes
import struct
import time

from lswd.cpu.jail import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from lswd.cpu.jail.thread import JailThread

_FUTEX_WAIT, _FUTEX_WAKE = 0, 1
_FUTEX2_SIZE_U32 = 2
_CLOCK_MONOTONIC = 1
_ENTRY = struct.Struct("<QQII")  # struct futex_waitv: value, address, flags, reserved
_MOST = 127  # FUTEX_WAITV_MAX less the one that wakes us
_TIMESPEC = struct.Struct("<qq")
_ENOSYS, _EPERM = 38, 1  # a container's filter answers one or the other
_FEWEST_LOOKS = 20
_OFTEN = 0.001  # seconds between looks at those that are not among the ones we wait for


class Watch:
    """See the module's docstring. Used by one host thread; ``wake`` by any."""

    def __init__(self) -> None:
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._syscall = self._libc.syscall
        self._syscall.restype = ctypes.c_long
        self._syscall.argtypes = [ctypes.c_long, *[ctypes.c_void_p] * 5]
        self._bell = ctypes.c_uint32(0)
        self._bell_at = ctypes.addressof(self._bell)
        self._entries = ctypes.create_string_buffer((_MOST + 1) * _ENTRY.size)
        self._timeout = ctypes.create_string_buffer(_TIMESPEC.size)
        _ENTRY.pack_into(self._entries, 0, 0, self._bell_at, _FUTEX2_SIZE_U32, 0)
        self._several = True  # Linux can wait for several

    def wake(self) -> None:
        """End a ``wait`` that goes on, or the next one; from any host thread."""
        self._bell.value = 1
        self._syscall(layout.SYS_FUTEX, self._bell_at, _FUTEX_WAKE, 1, None, None)

    def wait(self, threads: Sequence[JailThread], seconds: float) -> None:
        """Until one of ``threads`` has stopped, or ``wake``, or for so long."""
        if self._look(threads):
            return
        if not self._several or len(threads) > _MOST:
            seconds = min(seconds, _OFTEN)
        watched = threads[-_MOST:]
        for thread in watched:
            thread.host_sleeps(True)
        try:
            if self._several:
                self._wait_for_several(watched, seconds)
            if not self._several and not self._bell.value:
                self._wait_for_one(watched[-1], min(seconds, _OFTEN))
        finally:
            for thread in watched:
                thread.host_sleeps(False)
            self._bell.value = 0

    def _look(self, threads: Sequence[JailThread]) -> bool:
        """Look at them for a while, as long as that may pay: has one stopped?"""
        spin = threads[0].spin
        states = [thread.state_word() for thread in threads]
        for _ in range(max(spin.looks // len(threads), _FEWEST_LOOKS)):
            for words, at in states:
                if words[at] != layout.STATE_RUNNING:
                    return True
        spin.looked_in_vain()
        return False

    def _wait_for_several(self, threads: Sequence[JailThread], seconds: float) -> None:
        for i, thread in enumerate(threads, 1):
            _ENTRY.pack_into(
                self._entries, i * _ENTRY.size, layout.STATE_RUNNING, thread.state_address(), _FUTEX2_SIZE_U32, 0
            )
        until = time.monotonic_ns() + int(seconds * 1e9)
        _TIMESPEC.pack_into(self._timeout, 0, *divmod(until, 10**9))
        result = self._syscall(
            layout.SYS_FUTEX_WAITV, self._entries, len(threads) + 1, 0, self._timeout, _CLOCK_MONOTONIC
        )
        if result < 0 and ctypes.get_errno() in (_ENOSYS, _EPERM):
            self._several = False

    def _wait_for_one(self, thread: JailThread, seconds: float) -> None:
        _TIMESPEC.pack_into(self._timeout, 0, 0, int(seconds * 1e9))
        self._syscall(
            layout.SYS_FUTEX, thread.state_address(), _FUTEX_WAIT, layout.STATE_RUNNING, self._timeout, None
        )
