"""A guest thread in the jail: its block, and its registers wherever they are while it is stopped."""

from __future__ import annotations

import struct
import time

from lswd.cpu import engine as cpu
from lswd.cpu.context import USER_DS, Context
from lswd.cpu.engine import Fault, GuestLost
from lswd.cpu.jail import gate, layout
from lswd.cpu.jail.registers import ALLOWED_FLAGS, COUNT, FLOAT_KEPT, VALUES
from lswd.ntdef.status import NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.engine import SystemCallHandler
    from lswd.cpu.jail.engine import JailEngine
    from lswd.cpu.jail.spin import Spin

# Where the registers of a thread are.
NEW = 0  # in ``replaced``; there is no Linux thread yet
CALL = 1  # in its block: it is in the hand-off
REPLACED = 2  # in ``replaced``; to be loaded from its block
SIGNAL = 3  # in a signal frame in its block

# gregs of a ucontext (sys/ucontext.h): their order, by index into CONTEXT's
_FRAME_ORDER = (8, 9, 10, 11, 12, 13, 14, 15, 7, 6, 5, 3, 2, 0, 1, 4, 16)  # r8-r15 rdi rsi rbp rbx rdx rax rcx rsp rip
_TO_FRAME = tuple(_FRAME_ORDER)
_FROM_FRAME = tuple(_FRAME_ORDER.index(i) for i in range(17))
_RETURN_FRAME = struct.Struct("<5Q")
RAX, RCX, RDX, RSP, R8, R9, R10, RIP = 0, 1, 2, 4, 8, 9, 10, 16
_FLAGS, _SELECTORS = 17, 18  # the slots behind them in the frame
_XSAVE_HEADER = 512
_FP_AND_SSE = 3


class JailThread:
    """See ``cpu.engine.CpuThread``."""

    __slots__ = (
        "_engine", "_float", "_form", "_repeated", "block", "fault", "fault_at", "frame", "interrupted", "linux_thread",
        "replaced", "running", "state", "teb",
    )  # fmt: skip

    def __init__(self, engine: JailEngine, teb: int) -> None:
        self._engine = engine
        self._form = engine.form
        self.teb = teb
        self.fault: Fault | None = None
        self.state = NEW
        self.replaced: Context | None = engine.form.initial()
        self.block = -1  # offset of its block, once it has run
        self.linux_thread = 0
        self.frame = self._float = 0  # offsets of ucontext and XSAVE image in the blocks, in state SIGNAL
        self.running = False  # its code runs, or has stopped and nobody has looked yet
        self.interrupted = False  # it is to stop
        self.fault_at = (0, 0)  # instruction and address of its last page fault
        self._repeated = 0  # how often it has had the same one in a row

    def run(self, handler: SystemCallHandler) -> int:
        return self._engine.run(self, handler)

    def interrupt(self) -> None:
        child = self._engine.child
        self.interrupted = True
        if self.running:
            child.interrupted.setdefault(self.block, time.monotonic())
            child.signal(self.linux_thread)

    def stopped(self) -> bool:
        """Has its code stopped, or gone?"""
        return self._engine.child.words[self.block + layout.STATE >> 2] != layout.STATE_RUNNING

    def check(self) -> None:
        """Look after a running thread; raises GuestLost when there is no hope for it."""
        self._engine.child.check(self.block)
        self._engine.look_after_carrier()

    @property
    def spin(self) -> Spin:
        """Is it worth while to spin for it?"""
        return self._engine.child.spin

    def state_word(self) -> tuple[memoryview, int]:
        """Where its state is: u32 words, and an index."""
        return self._engine.child.words, self.block + layout.STATE >> 2

    def state_address(self) -> int:
        """Where in our memory its state is."""
        return self._engine.child.address + self.block + layout.STATE

    def host_sleeps(self, yes: bool) -> None:
        """Should it wake us when it stops?"""
        self._engine.child.words[self.block + layout.HOST_SLEEPS >> 2] = yes

    def faults_again(self, address: int) -> int:
        """Note a page fault: how many like it were there just before?"""
        place = (self.frame_register(RIP), address)
        self._repeated = self._repeated + 1 if place == self.fault_at else 0
        self.fault_at = place
        return self._repeated

    def close(self) -> None:
        self._engine.forget(self)

    def set_result(self, value: int) -> None:
        value &= (1 << 8 * self._form.word) - 1
        if self.replaced is not None:
            self.replaced.result = value
        elif self.state == SIGNAL:
            self.set_frame_register(RAX, value)
        else:
            self._engine.child.quads[self.block + layout.REGISTERS >> 3] = value

    # ---- registers

    def get_context(self) -> Context:
        if self.replaced is not None:
            return self.replaced.copy()
        view = self._engine.child.view
        if self.state == SIGNAL:
            frame = self.frame + layout.UCONTEXT_REGISTERS
            gregs = VALUES.unpack_from(view, frame)
            values = [gregs[i] for i in _FROM_FRAME]
            flags = int.from_bytes(view[frame + COUNT * 8 : frame + COUNT * 8 + 4], "little")
            at = self._float
        else:
            values = self._returned()
            flags = int.from_bytes(view[self.block + layout.FLAGS : self.block + layout.FLAGS + 4], "little")
            at = self.block + layout.FLOAT
        return self._form.context(values, flags, view[at : at + FLOAT_KEPT])

    def _returned(self) -> list[int]:
        """The integer registers once the system call has returned."""
        values = list(VALUES.unpack_from(self._engine.child.view, self.block + layout.REGISTERS))
        values[RIP], values[RSP] = self._return_to(values[RSP])
        return values

    def _return_to(self, sp: int) -> tuple[int, int]:
        """Program counter and stack pointer once a system call has returned that was made with ``sp``."""
        word = self._form.word
        try:
            pc = int.from_bytes(self._engine.space.read(sp, word), "little")
        except NtError:
            pc = 0  # it will find out itself
        return pc, sp + word & (1 << 8 * word) - 1

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
        view, block = self._engine.child.view, self.block
        VALUES.pack_into(view, block + layout.REGISTERS, *self._form.values(context))
        self._load_return(context.pc, context.eflags, context.sp)
        at = block + layout.FLOAT
        view[at : at + FLOAT_KEPT] = self._form.floating(context)

    def load_return(self) -> None:
        """Prepare the return from a system call by loading all registers: how 32-bit code is returned to."""
        child, block = self._engine.child, self.block
        pc, sp = self._return_to(child.quads[(block + layout.REGISTERS >> 3) + RSP])
        self._load_return(pc, child.words[block + layout.FLAGS >> 2], sp)

    def _load_return(self, pc: int, flags: int, sp: int) -> None:
        flags = flags & ALLOWED_FLAGS | 0x202
        frame = (pc, self._form.code_segment, flags, sp, USER_DS)
        _RETURN_FRAME.pack_into(self._engine.child.view, self.block + layout.IRET, *frame)

    # ---- the signal frame, which the guest can write: only its own registers are in it

    def enter_frame(self) -> None:
        """The thread has stopped in its signal handler: find its registers.

        Raises:
            GuestLost: its block says they are where they cannot be.
        """
        child = self._engine.child
        at = child.quads[self.block + layout.SIGNAL_CONTEXT >> 3] - layout.CONTROL
        if not self.in_signal_stack(at, layout.UCONTEXT_SIZE):
            raise GuestLost("the guest has destroyed its signal stack")
        float_at = child.quads[at + layout.UCONTEXT_FLOAT >> 3] - layout.CONTROL
        if not self.in_signal_stack(float_at, _XSAVE_HEADER + 64):
            raise GuestLost("the guest has destroyed its signal stack")
        # Looked up once: other threads of the guest may change it at any time.
        self.frame, self._float = at, float_at
        self.state = SIGNAL

    def in_signal_stack(self, at: int, size: int) -> bool:
        """Can something of this size, as Linux leaves it for a signal handler, be at this offset in the blocks?"""
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
        self._put_frame(self._form.values(context), context.eflags, self._form.floating(context))

    def _put_frame(self, values: tuple[int, ...] | list[int], flags: int, floating: bytearray | memoryview) -> None:
        view, frame = self._engine.child.view, self.frame + layout.UCONTEXT_REGISTERS
        VALUES.pack_into(view, frame, *(values[i] for i in _TO_FRAME))
        self.set_frame_register(_FLAGS, flags & ALLOWED_FLAGS | 0x202)
        self._select_code()
        at = self._float
        view[at : at + FLOAT_KEPT] = floating
        view[at + _XSAVE_HEADER] |= _FP_AND_SSE  # both parts are there to be loaded

    def _select_code(self) -> None:
        """The frame goes on in guest code, not in the stub's."""
        self.set_frame_register(_SELECTORS, self._form.code_segment | USER_DS << 48)

    def settle(self) -> None:
        """A signal came inside the stub's way in or out: give the frame the registers that the guest has there."""
        places = self._engine.child.addresses
        rip = self.frame_register(RIP)
        if self._form.word == 4 and gate.begins(rip):
            self.set_frame_register(RIP, gate.ADDRESS)
            self._select_code()
        elif places["call_entry"] <= rip < places["call_saved"]:
            self.set_frame_register(RIP, places["call_entry"])
        elif places["return_begin"] <= rip <= places["return_end"]:
            self._put_frame(self._returned(), self.frame_register(_FLAGS), self._saved_floating())
        elif places["restore_begin"] <= rip <= places["restore_end"]:
            view = self._engine.child.view
            values = list(VALUES.unpack_from(view, self.block + layout.REGISTERS))
            values[RIP], _, flags, values[RSP], _ = _RETURN_FRAME.unpack_from(view, self.block + layout.IRET)
            self._put_frame(values, flags, self._saved_floating())

    def _saved_floating(self) -> memoryview:
        at = self.block + layout.FLOAT
        return self._engine.child.view[at : at + FLOAT_KEPT]

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

    def code_at(self, address: int) -> bytes:
        """Up to 15 bytes of guest code."""
        for length in (15, 4, 2, 1):
            try:
                return self._engine.space.read(address, length)
            except NtError:
                continue
        return b""

    def _privileged(self) -> bool:
        """Is the instruction at RIP one that user code may not execute? (Intel SDM volume 3, 6.9)"""
        code = self.code_at(self.frame_register(RIP))
        code = code.lstrip(b"\x66\x67\xf2\xf3\x2e\x36\x3e\x26\x64\x65")
        if self._form.word == 8 and code and 0x40 <= code[0] <= 0x4F:
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
