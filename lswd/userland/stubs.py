"""System call numbers, read from the code of a userland's own stubs.

Every build numbers its system calls anew, so none is known beforehand: an exported function that begins with
``mov r10, rcx; mov eax, number`` is a stub, and says its number. Wine 8 to 10 and Windows itself agree on that much.
On i386 it is ``mov eax, number; mov edx, thunk; call edx; ret bytes``, and in Wine 10 for some, as on Windows,
``mov eax, number; call fs:[0xc0]; ret bytes``.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.image.rva import Reader

PREFIX = b"\x4c\x8b\xd1\xb8"  # mov r10, rcx; mov eax, imm32
_CALL_EDX = b"\xff\xd2\xc2"  # behind mov eax, imm32 (b8) and mov edx, imm32 (ba): call edx; ret imm16
_CALL_TEB = b"\x64\xff\x15\xc0\0\0\0\xc2"  # behind mov eax, imm32: call fs:[0xc0]; ret imm16
_RESTORE_STACK = b"\x8d\x61\xfc"  # lea esp, [ecx-4]; ret or ret imm16 follows
_FEWEST_WRAPPERS = 50
_LARGEST_NUMBER = 0x4000  # four service tables of 0x1000


def read_stubs(reader: Reader, exports: dict[str, int]) -> dict[int, str]:
    """Number -> name of the stubs among ``exports`` (name -> rva).

    Where a stub has several names, NtX comes before any other and ZwX, its alias, after all others.
    """
    from lswd.image.errors import ImageError

    found: dict[int, str] = {}
    for name, rva in exports.items():
        try:
            code = reader.read(rva, 16)
        except ImageError:
            continue  # an exported variable, or nothing
        number = _number(code)
        if 0 <= number < _LARGEST_NUMBER:
            known = found.get(number)
            if known is None or _rank(name) < _rank(known):
                found[number] = name
    return found


def _number(code: bytes) -> int:
    """The number that a stub with this code has; -1 when it is none."""
    if code[:4] == PREFIX:
        return int.from_bytes(code[4:8], "little")
    if code[:1] == b"\xb8" and (_calls_thunk(code) or code[5:13] == _CALL_TEB):
        return int.from_bytes(code[1:5], "little")
    return -1


def _calls_thunk(code: bytes) -> bool:
    return code[5:6] == b"\xba" and code[10:13] == _CALL_EDX


def argument_bytes(code: bytes) -> int:
    """How many bytes of arguments an i386 stub with this code takes off the stack."""
    return int.from_bytes(code[13:15], "little")


def dispatcher_slot(reader: Reader, exports: dict[str, int], image_base: int) -> int:
    """The rva of the variable through which i386 stubs enter the kernel; 0 when there is none.

    A stub calls a thunk, which is ``jmp [variable]``.
    """
    from lswd.image.errors import ImageError

    for rva in exports.values():
        try:
            code = reader.read(rva, 16)
            if code[:1] == b"\xb8" and _calls_thunk(code):
                thunk = reader.read(int.from_bytes(code[6:10], "little") - image_base, 6)
                if thunk[:2] == b"\xff\x25":
                    return int.from_bytes(thunk[2:], "little") - image_base
        except ImageError:
            continue
    return 0


def read_wrappers(reader: Reader, exports: dict[str, int], word: int) -> dict[str, tuple[int, int]]:
    """Functions that only call through a table which the DLL gets from its Unix half (win32u's, in Wine 8): name to
    (rva, bytes of arguments that an i386 one takes off the stack).

    They load the table's address from the same variable, and those of i386 end by restoring the stack.
    """
    from lswd.image.errors import ImageError

    begin, most = (b"\x48\x8b\x05", 48) if word == 8 else (b"\xa1", 160)  # mov rax, [variable]
    codes: dict[str, bytes] = {}
    loads: dict[str, list[int]] = {}
    for name, rva in exports.items():
        try:
            code = reader.read(rva, most + (0 if word == 8 else 400))
        except ImageError:
            continue  # no function, or the last one
        if _number(code) >= 0:
            continue
        codes[name], loads[name] = code, []
        at = code.find(begin, 0, most)
        while at >= 0:
            variable = int.from_bytes(code[at + len(begin) : at + len(begin) + 4], "little", signed=True)
            loads[name].append(variable + (rva + at + len(begin) + 4 if word == 8 else 0))
            at = code.find(begin, at + 1, most)
    every = [variable for each in loads.values() for variable in each]
    table = max(set(every), key=every.count, default=0)
    if every.count(table) < _FEWEST_WRAPPERS:
        return {}  # just a variable that some functions use
    found: dict[str, tuple[int, int]] = {}
    for name, code in codes.items():
        end = code.find(_RESTORE_STACK) + len(_RESTORE_STACK)
        if table in loads[name] and (word == 8 or code[end : end + 1] in (b"\xc2", b"\xc3")):
            dropped = int.from_bytes(code[end + 1 : end + 3], "little") if word == 4 and code[end] == 0xC2 else 0
            found[name] = exports[name], dropped
    return found


def _rank(name: str) -> tuple[int, str]:
    return ({"Nt": 0, "Zw": 2}.get(name[:2], 1), name)
