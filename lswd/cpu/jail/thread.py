"""A guest thread in the jail: its block, and its registers wherever they are while it is stopped."""

from __future__ import annotations

import struct

from lswd.cpu import context as record
from lswd.cpu import engine as cpu
from lswd.cpu.context import Context
from lswd.cpu.engine import Fault, GuestLost
from lswd.cpu.jail import layout
from lswd.ntdef.status import NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.engine import SystemCallHandler
    from lswd.cpu.jail.engine import JailEngine

# Where the registers of a thread are.
NEW = 0  # in ``replaced``; there is no Linux thread yet
CALL = 1  # in its block: it is in the hand-off
REPLACED = 2  # in ``replaced``; to be loaded from its block
SIGNAL = 3  # in a signal frame in its block

_ALLOWED_FLAGS = record.EFLAGS_USER & ~0x4000  # NT would make the stub's iretq fail
_MXCSR_MASK = 0xFFFF
_FLOAT_KEPT = 464  # of the FXSAVE image; Linux keeps notes of its own behind it
# gregs of a ucontext (sys/ucontext.h): their order, by index into CONTEXT's
_FRAME_ORDER = (8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4, 16)  # r8-r15 rdi rsi rbp rbx rdx rax rcx rsp rip
_TO_FRAME = tuple(_FRAME_ORDER)
_FROM_FRAME = tuple(_FRAME_ORDER.index(i) for i in range(17))
_SEVENTEEN = struct.Struct("<17Q")
RAX, RCX, RDX, RSP, R8, R9, R10, RIP = 0, 1, 2, 4, 8, 9, 10, 16
_SEGMENTS = struct.pack(
    "<6H", record.USER_CS, record.USER_DS, record.USER_DS, record.USER_FS, record.USER_DS, record.USER_DS
)
_XSAVE_HEADER = 512
_FP_AND_SSE = 3


class JailThread:
    """See ``cpu.engine.CpuThread``."""

    __slots__ = ("_engine", "_float", "block", "fault", "frame", "linux_thread", "replaced", "state", "teb")

    def __init__(self, engine: JailEngine, teb: int) -> None:
        self._engine = engine
        self.teb = teb
        self.fault: Fault | None = None
        self.state = NEW
        self.replaced: Context | None = Context.user()
        self.block = -1  # offset of its block, once it has run
        self.linux_thread = 0
        self.frame = self._float = 0  # offsets of ucontext and XSAVE image in the blocks, in state SIGNAL

    def run(self, handler: SystemCallHandler) -> int:
        return self._engine.run(self, handler)

    def close(self) -> None:
        self._engine.forget(self)

    def set_result(self, value: int) -> None:
        value &= (1 << 64) - 1
        if self.replaced is not None:
            self.replaced["rax"] = value
        elif self.state == SIGNAL:
            self.set_frame_register(RAX, value)
        else:
            self._engine.child.quads[self.block + layout.REGISTERS >> 3] = value

    # ---- registers

    def get_context(self) -> Context:
        if self.replaced is not None:
            return Context(self.replaced.data)
        context = Context()
        data = context.data
        view = self._engine.child.view
        context.flags = record.CONTEXT_FULL | record.CONTEXT_SEGMENTS
        data[record.SEGMENTS : record.SEGMENTS + 12] = _SEGMENTS
        if self.state == SIGNAL:
            frame = self.frame + layout.UCONTEXT_REGISTERS
            gregs = _SEVENTEEN.unpack_from(view, frame)
            _SEVENTEEN.pack_into(data, record.INTEGER, *(gregs[i] for i in _FROM_FRAME))
            flags = int.from_bytes(view[frame + 17 * 8 : frame + 17 * 8 + 4], "little")
            at = self._float
        else:
            at = self.block + layout.REGISTERS
            data[record.INTEGER : record.INTEGER + 17 * 8] = view[at : at + 17 * 8]
            try:
                context["rip"] = self._engine.space.read_u64(context["rsp"])
            except NtError:
                context["rip"] = 0  # it will find out itself
            context["rsp"] += 8
            flags = int.from_bytes(view[self.block + layout.FLAGS : self.block + layout.FLAGS + 4], "little")
            at = self.block + layout.FLOAT
        context.eflags = flags & _ALLOWED_FLAGS | 0x202
        data[record.FLOAT : record.FLOAT + _FLOAT_KEPT] = view[at : at + _FLOAT_KEPT]
        data[record.MXCSR : record.MXCSR + 4] = data[record.FLOAT + 24 : record.FLOAT + 28]
        return context

    def set_context(self, context: Context) -> None:
        current = self.get_context()
        current.merge(context)
        if self.state == SIGNAL:
            self._write_frame(current)
        else:
            self.replaced = current
            if self.state == CALL:
                self.state = REPLACED

    def load(self) -> None:
        """Put ``replaced`` into the block, for the stub to load."""
        context, self.replaced = self.replaced, None
        assert context is not None
        data, view, block = context.data, self._engine.child.view, self.block
        view[block + layout.REGISTERS : block + layout.REGISTERS + 17 * 8] = data[record.INTEGER : record.INTEGER + 136]
        flags = context.eflags & _ALLOWED_FLAGS | 0x202
        struct.pack_into(
            "<5Q", view, block + layout.IRET, context["rip"], record.USER_CS, flags, context["rsp"], record.USER_DS
        )
        at = block + layout.FLOAT
        view[at : at + _FLOAT_KEPT] = data[record.FLOAT : record.FLOAT + _FLOAT_KEPT]
        _put_mxcsr(view, at, data)

    # ---- the signal frame, which the guest can write: only its own registers are in it

    def enter_frame(self) -> None:
        """The thread has stopped in its signal handler: find its registers.

        Raises:
            GuestLost: its block says they are where they cannot be.
        """
        child = self._engine.child
        at = child.quads[self.block + layout.SIGNAL_CONTEXT >> 3] - layout.CONTROL
        if not self._in_signal_stack(at, layout.UCONTEXT_SIZE):
            raise GuestLost("the guest has destroyed its signal stack")
        float_at = child.quads[at + layout.UCONTEXT_FLOAT >> 3] - layout.CONTROL
        if not self._in_signal_stack(float_at, _XSAVE_HEADER + 64):
            raise GuestLost("the guest has destroyed its signal stack")
        # Looked up once: other threads of the guest may change it at any time.
        self.frame, self._float = at, float_at
        self.state = SIGNAL

    def _in_signal_stack(self, at: int, size: int) -> bool:
        first = self.block + layout.SIGNAL_STACK
        return first <= at <= self.block + layout.BLOCK_SIZE - size and not at & 7

    def frame_register(self, index: int) -> int:
        """A register by its index in the CONTEXT record's order; 17 is the flags."""
        return self._engine.child.quads[self._frame_slot(index)]

    def set_frame_register(self, index: int, value: int) -> None:
        self._engine.child.quads[self._frame_slot(index)] = value & (1 << 64) - 1

    def _frame_slot(self, index: int) -> int:
        slot = _FROM_FRAME[index] if index < 17 else index
        return (self.frame + layout.UCONTEXT_REGISTERS >> 3) + slot

    def _write_frame(self, context: Context) -> None:
        view, data = self._engine.child.view, context.data
        values = _SEVENTEEN.unpack_from(data, record.INTEGER)
        _SEVENTEEN.pack_into(view, self.frame + layout.UCONTEXT_REGISTERS, *(values[i] for i in _TO_FRAME))
        self.set_frame_register(17, context.eflags & _ALLOWED_FLAGS | 0x202)
        at = self._float
        view[at : at + _FLOAT_KEPT] = data[record.FLOAT : record.FLOAT + _FLOAT_KEPT]
        _put_mxcsr(view, at, data)
        view[at + _XSAVE_HEADER] |= _FP_AND_SSE  # both parts are there to be loaded

    def settle(self) -> None:
        """A signal came inside the stub's way in or out: give the frame the registers that the guest has there."""
        engine = self._engine
        places = engine.child.addresses
        rip = self.frame_register(RIP)
        if places["call_entry"] <= rip < places["call_saved"]:
            self.set_frame_register(RIP, places["call_entry"])
            return
        returning = places["return_begin"] <= rip <= places["return_end"]
        if not returning and not places["restore_begin"] <= rip <= places["restore_end"]:
            return
        view = engine.child.view
        values = list(_SEVENTEEN.unpack_from(view, self.block + layout.REGISTERS))
        if returning:
            try:
                values[RIP] = engine.space.read_u64(values[RSP])
            except NtError:
                return
            values[RSP] += 8
        else:
            flags = self.block + layout.IRET + 16
            self.set_frame_register(17, int.from_bytes(view[flags : flags + 4], "little") & _ALLOWED_FLAGS | 0x202)
            at, saved = self._float, self.block + layout.FLOAT
            view[at : at + _FLOAT_KEPT] = view[saved : saved + _FLOAT_KEPT]
            view[at + _XSAVE_HEADER] |= _FP_AND_SSE
        mask = (1 << 64) - 1
        _SEVENTEEN.pack_into(view, self.frame + layout.UCONTEXT_REGISTERS, *(values[i] & mask for i in _TO_FRAME))

    def take_fault(self) -> Fault:
        """The processor exception behind a signal, with the registers as an NT kernel would find them."""
        child = self._engine.child
        at = (self.frame + layout.UCONTEXT_REGISTERS >> 3) + 17
        error, vector = child.quads[at + 2] & 0xFFFFFFFF, child.quads[at + 3] & 0xFFFFFFFF
        if vector == cpu.PAGE_FAULT:
            access = 4 if error & 16 else 2 if error & 2 else 1
            return Fault(cpu.PAGE_FAULT, child.quads[at + 5], access)
        if vector == cpu.GENERAL_PROTECTION and error & 2:  # `int n`: the code names the gate
            number = error >> 3 & 0xFF
            self.set_frame_register(RIP, self.frame_register(RIP) + 2)
            return Fault(cpu.SOFTWARE_INTERRUPT + number)
        if vector in (cpu.GENERAL_PROTECTION, 12):
            if self._privileged():
                return Fault(cpu.GENERAL_PROTECTION)
            return Fault(cpu.PAGE_FAULT, (1 << 64) - 1, 1)  # an address that is none, or misaligned SSE
        return Fault(vector if vector < 20 else cpu.INVALID_OPCODE)

    def _privileged(self) -> bool:
        """Is the instruction at RIP one that user code may not execute? (Intel SDM volume 3, 6.9)"""
        code = b""
        rip = self.frame_register(RIP)
        for length in (15, 4, 1):
            try:
                code = self._engine.space.read(rip, length)
                break
            except NtError:
                continue
        code = code.lstrip(b"\x66\x67\xf2\xf3\x2e\x36\x3e\x26\x64\x65")
        if code and 0x40 <= code[0] <= 0x4F:
            code = code[1:]
        if not code:
            return False
        if code[0] == 0x0F:
            return len(code) > 1 and code[1] in (
                0x00, 0x01, 0x06, 0x07, 0x08, 0x09, 0x20, 0x21, 0x22, 0x23, 0x30, 0x32, 0x33, 0x35, 0x78, 0x79
            )  # fmt: skip
        return code[0] in (
            0xF4, 0xFA, 0xFB, 0xE4, 0xE5, 0xE6, 0xE7, 0xEC, 0xED, 0xEE, 0xEF, 0x6C, 0x6D, 0x6E, 0x6F
        )  # fmt: skip


def _put_mxcsr(view: memoryview, at: int, data: bytearray) -> None:
    """MXCSR with a reserved bit set would be refused."""
    value = int.from_bytes(data[record.MXCSR : record.MXCSR + 4], "little") & _MXCSR_MASK
    view[at + 24 : at + 28] = value.to_bytes(4, "little")
