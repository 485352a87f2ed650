"""Where a stopped guest thread was called from: its return addresses, found with the images' unwind data.

32-bit images have none: there the chain of frame pointers is followed, which the userland's DLLs keep.
Source: Microsoft "x64 exception handling" (RUNTIME_FUNCTION, UNWIND_INFO, UNWIND_CODE).
"""

from __future__ import annotations

import struct

from lswd.ntdef.status import NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.context import Context
    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.memory.region import Region
    from lswd.memory.space import AddressSpace

_EXCEPTION_DIRECTORY = 3
_FUNCTION = struct.Struct("<III")  # RUNTIME_FUNCTION: begin, end, unwind information
_CHAINED = 4  # UNW_FLAG_CHAININFO
_MOST_CHAINED = 32
# Registers in the order unwind codes number them
_REGISTERS = (
    "rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15",
)  # fmt: skip
_PUSH, _ALLOC_LARGE, _ALLOC_SMALL, _SET_FRAME, _SAVE, _SAVE_FAR = range(6)
_SAVE_XMM, _SAVE_XMM_FAR, _MACHINE_FRAME = 8, 9, 10


def backtrace(thread: Thread, limit: int = 64) -> list[int]:
    """The address a thread is at, then those it will return to, as far as they can be found."""
    context = thread.get_context()
    if context.word == 4:
        return _by_frame_pointers(thread, context, limit)
    registers = {name: context[name] for name in _REGISTERS}
    process = thread.process
    addresses: list[int] = []
    address = context["rip"]
    try:
        while address and len(addresses) < limit:
            addresses.append(address)
            # A return address may lie behind the end of its function, when the call was the last thing in there.
            address = _unwind(process, address - (len(addresses) > 1), registers)
    except (NtError, struct.error, IndexError):
        pass
    return addresses


def _by_frame_pointers(thread: Thread, context: Context, limit: int) -> list[int]:
    process, space = thread.process, thread.process.space
    addresses = [context.pc]
    frame = context["ebp"]
    try:
        region = space.find(context.pc)
        if region is not None and region.base == process.ntdll_base:  # a system call's function has no frame
            addresses.append(space.read_pointer(context.sp))
        while len(addresses) < limit and frame >= context.sp:
            addresses.append(space.read_pointer(frame + 4))
            above = space.read_pointer(frame)
            if above <= frame:
                break
            frame = above
    except NtError:
        pass
    return [address for address in addresses if address]


def _unwind(process: Process, address: int, registers: dict[str, int]) -> int:
    """Change ``registers`` to the caller's; returns where it goes on."""
    space = process.space
    region = space.find(address)
    function = _function(space, region, address) if region is not None else None
    if region is not None and function is not None:
        begin, _, info = function
        for _ in range(_MOST_CHAINED):
            chained = _undo(space, region.base, info, address - region.base - begin, registers)
            if chained is None:
                break
            begin, _, info = chained
            if not begin:  # a machine frame has said everything
                return registers.pop("rip")
    address = space.read_pointer(registers["rsp"])
    registers["rsp"] += 8
    return address


def _function(space: AddressSpace, region: Region, address: int) -> tuple[int, int, int] | None:
    """The RUNTIME_FUNCTION of the function at ``address``; None for a leaf."""
    image = getattr(region.source, "image", None)
    if image is None:
        return None
    start, size = image.directories[_EXCEPTION_DIRECTORY]
    rva = address - region.base
    low, high = 0, size // _FUNCTION.size
    while low < high:
        middle = (low + high) // 2
        found = _FUNCTION.unpack(space.read(region.base + start + middle * _FUNCTION.size, _FUNCTION.size))
        if rva < found[0]:
            high = middle
        elif rva >= found[1]:
            low = middle + 1
        else:
            return found
    return None


def _undo(
    space: AddressSpace, base: int, info: int, offset: int, registers: dict[str, int]
) -> tuple[int, int, int] | None:
    """Undo what a prologue has done up to ``offset``; returns the function it is a part of, if it is one."""
    head = bytes(space.read(base + info, 4))
    flags, prologue, count, frame = head[0] >> 3, head[1], head[2], head[3]
    codes = struct.unpack(f"<{count}H", space.read(base + info + 4, 2 * count))
    if frame & 0xF and offset >= _frame_set_at(codes):
        registers["rsp"] = registers[_REGISTERS[frame & 0xF]] - (frame >> 4) * 16
    fixed = registers["rsp"]
    i = 0
    while i < count:
        code, operation, detail = codes[i] & 0xFF, codes[i] >> 8 & 0xF, codes[i] >> 12
        done = offset >= prologue or code <= offset
        if operation == _PUSH:
            if done:
                registers[_REGISTERS[detail]] = space.read_pointer(registers["rsp"])
                registers["rsp"] += 8
        elif operation == _ALLOC_LARGE:
            size = codes[i + 1] * 8 if not detail else codes[i + 1] | codes[i + 2] << 16
            registers["rsp"] += size if done else 0
        elif operation == _ALLOC_SMALL:
            registers["rsp"] += detail * 8 + 8 if done else 0
        elif operation in (_SAVE, _SAVE_FAR):
            at = codes[i + 1] * 8 if operation == _SAVE else codes[i + 1] | codes[i + 2] << 16
            if done:
                registers[_REGISTERS[detail]] = space.read_pointer(fixed + at)
        elif operation == _MACHINE_FRAME and done:
            stack = registers["rsp"] + 8 * detail
            registers["rip"], registers["rsp"] = space.read_pointer(stack), space.read_pointer(stack + 24)
            return 0, 0, 0
        i += _slots(operation, detail)
    if flags & _CHAINED:
        chained: tuple[int, int, int] = _FUNCTION.unpack(space.read(base + info + 4 + 2 * (count + count % 2), 12))
        return chained
    return None


def _frame_set_at(codes: tuple[int, ...]) -> int:
    """The offset in the prologue from which on the frame register holds."""
    i = 0
    while i < len(codes):
        operation = codes[i] >> 8 & 0xF
        if operation == _SET_FRAME:
            return codes[i] & 0xFF
        i += _slots(operation, codes[i] >> 12)
    return 0


def _slots(operation: int, detail: int) -> int:
    if operation == _ALLOC_LARGE:
        return 3 if detail else 2
    return {_SAVE: 2, _SAVE_FAR: 3, _SAVE_XMM: 2, _SAVE_XMM_FAR: 3}.get(operation, 1)
