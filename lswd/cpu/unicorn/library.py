"""libunicorn through ctypes: the dozen entry points the engine needs.

The ``unicorn`` package's own binding costs 60-90 ms to import (inspect, importlib.resources, every architecture's
constants) and twice as much per callback; the launch path cannot afford either. The library file is that package's.
Constants are checked against the package in tests/unit/test_cpu_unicorn.py.
"""

from __future__ import annotations

import ctypes
import os
from importlib.machinery import PathFinder

from lswd.cpu.engine import EngineError

UC_ARCH_X86 = 4
UC_MODE_32 = 4
UC_MODE_64 = 8
UC_CPU_X86_HASWELL = 19

UC_ERR_OK = 0
UC_ERR_INSN_INVALID = 10
UC_ERR_EXCEPTION = 21
UC_ERR_MEMORY = (6, 7, 8, UC_ERR_EXCEPTION)  # read, write and fetch of unmapped memory, and a failed TLB fill

UC_HOOK_INTR = 1
UC_HOOK_INSN = 2
UC_HOOK_BLOCK = 1 << 3
UC_HOOK_DATA_UNMAPPED = 1 << 4 | 1 << 5  # reads and writes
UC_HOOK_TLB_FILL = 1 << 17
UC_X86_INS_SYSCALL = 699

UC_MEM_READ = 16
UC_MEM_WRITE = 17
UC_MEM_FETCH = 18

UC_CTL_CPU_MODEL = 7
UC_CTL_TB_REMOVE_CACHE = 9
UC_CTL_TB_FLUSH = 10
UC_CTL_TLB_FLUSH = 11
UC_CTL_TLB_TYPE = 12
UC_CTL_TCG_BUFFER_SIZE = 13
UC_TLB_VIRTUAL = 1


class TlbEntry(ctypes.Structure):
    """``uc_tlb_entry`` (unicorn.h)."""

    _fields_ = (("paddr", ctypes.c_uint64), ("perms", ctypes.c_uint32))


def _find() -> str:
    spec = PathFinder.find_spec("unicorn")
    for folder in (spec.submodule_search_locations or ()) if spec else ():
        for name in ("libunicorn.so.2", "libunicorn.so"):
            path = os.path.join(folder, "lib", name)
            if os.path.exists(path):
                return path
    raise EngineError("the Python package 'unicorn' is not installed: pip install unicorn")


def control(kind: int, *, arguments: int, write: bool = True) -> int:
    """``UC_CTL_WRITE``/``UC_CTL_READ`` of unicorn.h: kind, argument count and direction in one word."""
    return kind | arguments << 26 | (1 if write else 2) << 30


def _open(path: str) -> ctypes.CDLL:
    """As ``ctypes.CDLL``, but functions are bound when they are first called: ctypes insists on binding all 7800."""
    process = ctypes.CDLL(None)
    process.dlopen.argtypes = [ctypes.c_char_p, ctypes.c_int]
    process.dlopen.restype = ctypes.c_void_p
    handle = process.dlopen(os.fsencode(path), os.RTLD_LAZY | os.RTLD_LOCAL)
    # Without a handle ctypes tries itself, and says in its exception what is wrong.
    return ctypes.CDLL(path, handle=handle)


def load() -> ctypes.CDLL:
    """The library with the signatures declared.

    Raises:
        EngineError: the package is missing or its library does not load.
    """
    try:
        lib = _open(_find())
    except OSError as error:
        raise EngineError(f"the unicorn library does not load: {error}") from None
    pointer, u64, size_t, u32 = ctypes.c_void_p, ctypes.c_uint64, ctypes.c_size_t, ctypes.c_uint32
    lib.uc_open.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.POINTER(pointer)]
    lib.uc_close.argtypes = [pointer]
    lib.uc_emu_start.argtypes = [pointer, u64, u64, u64, size_t]
    lib.uc_emu_stop.argtypes = [pointer]
    lib.uc_mem_map_ptr.argtypes = [pointer, u64, u64, u32, pointer]
    lib.uc_mem_unmap.argtypes = [pointer, u64, u64]
    lib.uc_reg_read_batch.argtypes = [pointer, pointer, pointer, ctypes.c_int]
    lib.uc_reg_write_batch.argtypes = [pointer, pointer, pointer, ctypes.c_int]
    lib.uc_context_alloc.argtypes = [pointer, ctypes.POINTER(pointer)]
    lib.uc_context_save.argtypes = [pointer, pointer]
    lib.uc_context_restore.argtypes = [pointer, pointer]
    lib.uc_context_free.argtypes = [pointer]
    lib.uc_strerror.argtypes = [ctypes.c_int]
    lib.uc_strerror.restype = ctypes.c_char_p
    return lib
