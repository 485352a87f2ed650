"""Page protections: NT's PAGE_* values, and the one-byte code this kernel keeps for each page.

A page's code is 0 when it is only reserved; otherwise the low nibble is 1 + the bit number of its PAGE_* value and the
high nibble holds the modifiers. Tables indexed by code answer every question without branching.
Source: Microsoft "Memory Protection Constants" (memoryapi.h).
"""

from __future__ import annotations

PAGE_SIZE = 0x1000
GRANULARITY = 0x10000

PAGE_NOACCESS = 0x01
PAGE_READONLY = 0x02
PAGE_READWRITE = 0x04
PAGE_WRITECOPY = 0x08
PAGE_EXECUTE = 0x10
PAGE_EXECUTE_READ = 0x20
PAGE_EXECUTE_READWRITE = 0x40
PAGE_EXECUTE_WRITECOPY = 0x80
PAGE_GUARD = 0x100
PAGE_NOCACHE = 0x200
PAGE_WRITECOMBINE = 0x400
PAGE_TARGETS_INVALID = 0x40000000  # for Control Flow Guard, which this kernel does not have
PAGE_ENCLAVE_NO_CHANGE = 0x20000000  # nor enclaves

RESERVED = 0  # the code of a page that is reserved and not committed
_GUARD_BIT = 0x10
ABSENT = 0x80  # bit of a code: the page's contents have not been fetched yet, so the processor may not touch it

READ, WRITE, EXECUTE = 1, 2, 4  # host access bits; the values Unicorn's UC_PROT_* use

_EXECUTABLE = PAGE_EXECUTE | PAGE_EXECUTE_READ | PAGE_EXECUTE_READWRITE | PAGE_EXECUTE_WRITECOPY
_ACCESS = {
    PAGE_NOACCESS: 0,
    PAGE_READONLY: READ,
    PAGE_READWRITE: READ | WRITE,
    PAGE_WRITECOPY: READ | WRITE,
    PAGE_EXECUTE: EXECUTE | READ,  # x86 cannot tell execute-only from execute-read
    PAGE_EXECUTE_READ: READ | EXECUTE,
    PAGE_EXECUTE_READWRITE: READ | WRITE | EXECUTE,
    PAGE_EXECUTE_WRITECOPY: READ | WRITE | EXECUTE,
}


def encode(protect: int) -> int:
    """Code of a PAGE_* value, or -1 when NT would refuse it (STATUS_INVALID_PAGE_PROTECTION)."""
    base = protect & 0xFF
    modifiers = protect & ~(0xFF | PAGE_TARGETS_INVALID | PAGE_ENCLAVE_NO_CHANGE)
    if base not in _ACCESS or modifiers & ~(PAGE_GUARD | PAGE_NOCACHE | PAGE_WRITECOMBINE):
        return -1
    if modifiers and base == PAGE_NOACCESS:
        return -1
    if protect & PAGE_TARGETS_INVALID and not base & _EXECUTABLE:
        return -1
    return base.bit_length() | modifiers >> 4


NT_PROTECT: list[int] = [0] * 256  # code -> PAGE_* value
ACCESS: list[int] = [0] * 256  # code -> what the processor allows now (guard pages: nothing)
COPY_ON_WRITE: list[int] = [0] * 256  # code -> the code after a first write, or 0 when it is no copy-on-write page
for _modifiers in (0, PAGE_GUARD, PAGE_NOCACHE, PAGE_WRITECOMBINE, PAGE_GUARD | PAGE_NOCACHE):
    for _base, _bits in _ACCESS.items():
        _code = encode(_base | _modifiers)
        if _code > 0:
            NT_PROTECT[_code] = _base | _modifiers
            ACCESS[_code] = 0 if _modifiers & PAGE_GUARD else _bits
            NT_PROTECT[_code | ABSENT] = _base | _modifiers
for _from, _to in ((PAGE_WRITECOPY, PAGE_READWRITE), (PAGE_EXECUTE_WRITECOPY, PAGE_EXECUTE_READWRITE)):
    COPY_ON_WRITE[encode(_from)] = encode(_to)

# For bytes.translate(None, X): what is left over are the pages that do not allow the access.
READABLE_CODES = bytes(c for c in range(256) if ACCESS[c] & READ)
WRITABLE_CODES = bytes(c for c in range(256) if ACCESS[c] & WRITE)
PLAIN_CODES = bytes(c for c in WRITABLE_CODES if not COPY_ON_WRITE[c] and not ACCESS[c] & EXECUTE)  # just data
EXECUTABLE_CODES = [bytes((c,)) for c in range(256) if ACCESS[c] & EXECUTE]


def is_guard(code: int) -> bool:
    """True for a committed page with PAGE_GUARD."""
    return bool(code & _GUARD_BIT)


def without_guard(code: int) -> int:
    """The code once the guard has been consumed."""
    return code & ~_GUARD_BIT
