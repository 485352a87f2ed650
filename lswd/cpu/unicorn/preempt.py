"""Stopping guest code from another host thread, at the start of a block.

``uc_emu_stop`` called while guest code runs stops it between two blocks, but when the first has jumped to the second
directly, RIP still says the first (measured with Unicorn 2.1.4): resumed, it would run twice. Unicorn's block hook does
write RIP before it calls, so a hook that looks at a flag is the way to stop. Called tens of millions of times a second,
the hook has to be machine code.
"""

from __future__ import annotations

import ctypes
import os

from lswd.cpu.unicorn.callback import own_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ctypes import CDLL

    from lswd.cpu.unicorn.callback import Callbacks

# void hook(uc_engine *uc, uint64_t address, uint32_t size, void *page): page holds a 32-bit flag, and at 8 the address
# of uc_emu_stop, which takes the same first argument.
_CODE = {
    # cmp dword [rcx], 0; jne +1; ret; jmp [rcx + 8]
    "x86_64": bytes.fromhex("833900 7501 c3 ff6108"),
    # ldr w8, [x3]; cbnz w8, +8; ret; ldr x8, [x3, 8]; br x8
    "aarch64": bytes.fromhex("680040b9 48000035 c0035fd6 680440f9 00011fd6"),
}


class Preemption:
    """The flag and the hook of one Uc.

    Attributes:
        hook: address of the hook, for ``uc_hook_add``.
        page: address of what it is to be given as user data.
    """

    def __init__(self, lib: CDLL, callbacks: Callbacks) -> None:
        stop = ctypes.cast(lib.uc_emu_stop, ctypes.c_void_p).value or 0
        self._flag = own_memory()
        self._flag[8:16] = stop.to_bytes(8, "little")
        self._anchor = ctypes.c_char.from_buffer(self._flag)
        self.page = ctypes.addressof(self._anchor)
        code = _CODE.get(os.uname().machine)
        if code is None:
            self._stop = lib.uc_emu_stop
            self.hook = callbacks.add(self._look, 4)
        else:
            self._code = own_memory(executable=True)
            self._code[: len(code)] = code
            self._code_anchor = ctypes.c_char.from_buffer(self._code)
            self.hook = ctypes.addressof(self._code_anchor)

    def _look(self, handle: int, _address: int, _size: int, _page: int) -> None:
        """The hook on processors we have no machine code for: the same, slowly."""
        if self._flag[0]:
            self._stop(handle)

    def request(self) -> None:
        """Stop at the next block, if only that of the next run; from any host thread."""
        self._flag[0] = 1

    def requested(self) -> bool:
        """Has it been asked for?"""
        return self._flag[0] != 0

    def take(self) -> bool:
        """A run is over: has it been asked to? It has heeded that, and the next has not."""
        requested = self.requested()
        if requested:
            self._flag[0] = 0
        return requested
