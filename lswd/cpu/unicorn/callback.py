"""Python functions that C calls, in memory that no other process has.

ctypes' own callbacks are libffi's closures. Where there is SELinux, libffi keeps those in a file that it maps shared:
then a forked process has its parent's and its siblings', and each writes its own over the others'. In such a session's
process Unicorn called what had been a function in the process made before it (measured: a tuple).
Source: Python/C API "PyGILState_Ensure", "PyObject_CallFunction"; System V ABI, AMD64 supplement; libffi's closures.c.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MOST_ARGUMENTS = 6
# callback.asm, up to the table it calls through.
_CODE = bytes.fromhex(
    "5341544883ec384c8904244c894c240848897c24104889742418488954242048894c2428ff159600000089c3488b3dbd0000"
    "00488d35be000000488b542410488b4c24184c8b4424204c8b4c242831c0ff15720000004989c44885c074284889c7ff1569"
    "0000004c89e74189c4ff156500000089dfff15650000004489e04883c438415c5bc3488b3d63000000ff1555000000ebde"
)
_TABLE = 0xC0  # in a block: six functions of the interpreter's, the Python function, the arguments' format
_BLOCK = 0x100
_CALLED = (
    "PyGILState_Ensure", "PyObject_CallFunction", "PyObject_IsTrue", "Py_DecRef", "PyGILState_Release",
    "PyErr_WriteUnraisable",
)  # fmt: skip


def own_memory(*, executable: bool = False) -> mmap.mmap:
    """A page of this process's: a forked one has a copy of it, where mmap's own default would have the two share it."""
    access = mmap.PROT_READ | mmap.PROT_WRITE | (mmap.PROT_EXEC if executable else 0)
    return mmap.mmap(-1, mmap.PAGESIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, access)


class Callbacks:
    """Room for a few of them, which are there as long as this is."""

    def __init__(self) -> None:
        self._functions: list[object] = []
        self._page = own_memory(executable=True)
        self._anchor = ctypes.c_char.from_buffer(self._page)
        self._called = [ctypes.cast(getattr(ctypes.pythonapi, name), ctypes.c_void_p).value for name in _CALLED]

    def add(self, function: Callable[..., bool | None], arguments: int) -> int:
        """The address at which C finds ``function``.

        Args:
            function: takes integers of 64 bits; of one that is shorter in C the upper bits may be anything. C is told
                1 if it returns what is true, else 0, also after an exception, which is reported.
            arguments: how many C passes, 2 to 6.
        """
        assert 2 <= arguments <= MOST_ARGUMENTS
        if os.uname().machine != "x86_64":  # no code of ours
            closure = ctypes.CFUNCTYPE(ctypes.c_int, *[ctypes.c_uint64] * arguments)(function)
            self._functions.append(closure)
            return ctypes.cast(closure, ctypes.c_void_p).value or 0
        at = len(self._functions) * _BLOCK
        self._functions.append(function)
        self._page[at : at + len(_CODE)] = _CODE
        struct.pack_into("7Q8s", self._page, at + _TABLE, *self._called, id(function), b"K" * arguments)
        return ctypes.addressof(self._anchor) + at
