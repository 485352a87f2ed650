"""The jail engine: guest threads are Linux threads of a locked child process, and run at the same time.

The kernel and a guest thread take turns on the thread's block (layout.py): the thread stops and says why, the kernel
answers, the thread goes on. Changes of memory are carried out in the order in which they were made: as long as a thread
has some to carry out, no other goes on.
"""

from __future__ import annotations

import ctypes
import os
import struct
import time

from lswd.cpu import engine as cpu
from lswd.cpu.engine import EngineError, GuestLost
from lswd.cpu.jail import gate, layout
from lswd.cpu.jail.child import Child
from lswd.cpu.jail.mirror import Mirror
from lswd.cpu.jail.registers import Registers32, Registers64
from lswd.cpu.jail.spin import Spin
from lswd.cpu.jail.thread import (
    CALL,
    NEW,
    R8,
    R9,
    R10,
    RAX,
    RDX,
    REPLACED,
    RIP,
    RSP,
    SIGNAL,
    JailThread,
)
from lswd.cpu.jail.watch import Watch
from lswd.memory.protection import PAGE_EXECUTE_READ, PAGE_SIZE
from lswd.ntdef.status import STATUS_NO_MEMORY, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.cpu.engine import SystemCallHandler
    from lswd.cpu.jail.child import Operation
    from lswd.memory.space import AddressSpace

_NATIVE = 0xC000003E  # AUDIT_ARCH_X86_64
_SIGINFO_ARCH, _SIGINFO_SIZE = 0x1C, 0x80  # the offset of si_arch
_TRAP_FLAG = 0x100
_PATIENCE = 2000  # milliseconds
_SAME_FAULT = 8  # times a page fault may come back although the page was mapped
_OF_A_CALL = struct.Struct("<Q8xQ8xQ24x3Q")  # rax, rdx, rsp, r8, r9, r10 of them
_STOPPED, _ANSWERED = -1, -2  # what _calls has left a thread like
_watch = Watch()


class WrongGuest(EngineError):
    """The jail works here, but not for guests of this kind."""


class JailEngine:
    """See the module's docstring; the interface is ``cpu.engine.Engine``."""

    name = "jail"
    parallel = True

    def __init__(self, space: AddressSpace) -> None:
        """Start the child process.

        Raises:
            EngineError: the jail does not work here; says why.
        """
        if space.word == 4 and not _sets_segment_bases():
            raise WrongGuest("32-bit programs need a processor and a Linux with FSGSBASE in the jail")
        self.space = space
        self.child = Child(space.private.fd)
        self.form = Registers64 if space.word == 8 else Registers32
        self.handoff = self.child.addresses["call_entry"] if space.word == 8 else gate.ADDRESS
        self._threads: set[JailThread] = set()
        self._mirror = Mirror(space, self.child, self._threads)
        self.attach_backing = self._mirror.attach_backing
        self.detach_backing = self._mirror.detach_backing
        self.offer = self._mirror.offer
        self.committed = self._mirror.committed
        self.changed = self._mirror.changed
        self.afterwards = self._mirror.afterwards
        self._blocks = list(range((layout.BLOCKS - 1) * layout.BLOCK_SIZE, 0, -layout.BLOCK_SIZE))
        self._leaving: list[int] = []  # blocks of threads that have been told to end
        self._carrier: JailThread | None = None  # who has been given changes of memory last
        self.hurry = self.child.hurry
        self.wait_any, self.wake = _watch.wait, _watch.wake
        self.faults = 0  # page faults that were answered with a mapping
        space.private.users += 1
        space.listener = self
        page = space.reserve(cpu.HANDOFF_PAGE & -0x10000, 0x10000, PAGE_EXECUTE_READ, name="KUSER_SHARED_DATA")
        space.commit(page, cpu.HANDOFF_PAGE, PAGE_SIZE, PAGE_EXECUTE_READ)
        if space.word == 8:
            space.ceiling = layout.RESERVED - 1
        else:
            code = gate.code(self.child.addresses["call32_entry"])
            at = cpu.HANDOFF_PAGE - page.base
            space.raw(page)[at : at + len(code)] = code

    @property
    def descriptors(self) -> list[int]:
        """The numbers that files mapped into the guest have there."""
        return self._mirror.descriptors()

    @property
    def shared(self) -> bool:
        """Are there other threads that run, or want to?"""
        return self.child.placement.shared

    @shared.setter
    def shared(self, value: bool) -> None:
        self.child.placement.shared = value

    def blocks_in_use(self) -> int:
        """Blocks of threads that have not ended for certain, and the manager's."""
        return layout.BLOCKS - len(self._blocks)

    def settle(self) -> None:
        """Carry out now what else the next thread to run would."""
        self._let_carrier_finish()
        self.child.operate(self._mirror.pending())
        self._mirror.carried_out()

    def look_after_carrier(self) -> None:
        """Nobody has asked for a while: has what was given to a thread to carry out been carried out?"""
        carrier = self._carrier
        if carrier is not None and self.child.has_carried_out(carrier.block):
            self._carrier = None
            self._mirror.carried_out()

    def code_changed(self, base: int, size: int) -> None:
        """The processor notices by itself."""

    # ---- threads

    def new_thread(self, teb: int) -> JailThread:
        """A thread; Linux creates it when it first runs.

        Raises:
            NtError: STATUS_NO_MEMORY when there are too many.
        """
        if len(self._threads) >= layout.BLOCKS - 1:
            raise NtError(STATUS_NO_MEMORY)
        if not self._threads:  # the engine may have been started long ago, when the host was busy
            self.child.spin = Spin(self.child.placement)
        thread = JailThread(self, teb)
        self._threads.add(thread)
        return thread

    def _take_block(self) -> int:
        for _ in range(_PATIENCE):
            for i, block in enumerate(self._leaving):
                if self.child.words[block + layout.STATE >> 2] == layout.STATE_GONE:
                    del self._leaving[i]
                    return block
            if self._blocks:
                return self._blocks.pop()
            time.sleep(0.001)  # as many threads as there can be are on their way out
        raise GuestLost("threads of the guest do not end")

    def _start(self, thread: JailThread, operations: list[Operation]) -> None:
        """Create the Linux thread; it runs at once."""
        child = self.child
        block = thread.block = self._take_block()
        view = child.view
        view[block : block + layout.STACK_TOP] = bytes(layout.STACK_TOP)
        child.quads[block + layout.SELF >> 3] = layout.CONTROL + block
        stack = block + layout.SCRATCH
        signal_stack = layout.CONTROL + block + layout.SIGNAL_STACK
        struct.pack_into("<QIIQ", view, stack, signal_stack, 0, 0, layout.SIGNAL_STACK_SIZE)
        thread.load()
        own: list[Operation] = [(layout.SYS_SIGALTSTACK, layout.CONTROL + stack, 0)]
        if self.space.word == 8:
            own.append((layout.SYS_ARCH_PRCTL, layout.ARCH_SET_GS, thread.teb))
        else:
            child.quads[block + layout.FS_BASE >> 3] = thread.teb
            self.space.write(thread.teb + layout.TEB_BLOCK, (layout.CONTROL + block).to_bytes(8, "little"))
        if len(self._threads) == 1:
            child.placement.join()  # the manager, from which the thread has it
        else:
            child.placement.release()  # or Linux could not start it where there is room
        child.put_operations(block, own)
        child.words[block + layout.ACTION >> 2] = layout.ACTION_CONTEXT
        child.words[block + layout.STATE >> 2] = layout.STATE_RUNNING
        if operations:
            child.operate(operations)
        thread.linux_thread = child.start_thread(block)
        thread.state = CALL

    def forget(self, thread: JailThread) -> None:
        """End a thread that is not running."""
        self._threads.discard(thread)
        if self._carrier is thread:
            self._carrier = None
        self.child.interrupted.pop(thread.block, None)  # or it would count for the next thread with the block
        if thread.block >= 0 and self.child.pid:
            self.child.put_operations(thread.block, ())
            self.child.resume(thread.block, layout.ACTION_EXIT)
            self._leaving.append(thread.block)
        thread.block = -1
        thread.state = NEW

    # ---- running

    @property
    def until(self) -> float:
        return self.child.until

    @until.setter
    def until(self, value: float) -> None:
        self.child.until = value

    def interrupt(self) -> None:
        for thread in tuple(self._threads):
            thread.interrupt()

    def halt(self) -> None:
        self.child.kill()

    def run(self, thread: JailThread, handler: SystemCallHandler) -> int:
        thread.fault = None
        child = self.child
        going_on = thread.running
        if not going_on:
            thread.interrupted = False
            child.interrupted.pop(thread.block, None)
            thread.fault_at = (0, 0)
            if thread.block >= 0:
                child.words[thread.block + layout.INTERRUPT >> 2] = 0
        filling: list[Operation] = []
        while True:
            if not going_on:
                thread.running = True
                if thread.interrupted or child.hurried:
                    thread.running = child.hurried = False
                    return cpu.INTERRUPTED
                self._resume(thread, filling)
                filling = []
                if self._mirror.growth.expects and child.spin.apart():
                    self._mirror.growth.fill_ahead(alone=not self.shared)
                if self.shared:
                    return cpu.RUNNING
            going_on = False
            if not child.wait(thread.block):
                return cpu.RUNNING
            thread.running = False
            child.count_threads()
            self._check_operations(thread.block)
            kind = child.words[thread.block + layout.KIND >> 2]
            if kind == layout.KIND_CALL:
                left = self._calls(thread, handler)
                if left >= 0:
                    return left
                going_on = left == _STOPPED
                continue
            if kind != layout.KIND_SIGNAL:
                raise GuestLost("the guest has destroyed its mailbox")
            outcome = self._signal(thread, handler)
            if outcome is not None:
                return outcome
            fault = thread.fault
            if fault is None:
                continue
            found = self._mirror.fill(fault.address, fault.access) if fault.vector == cpu.PAGE_FAULT else None
            if found is None or thread.faults_again(fault.address) > _SAME_FAULT:
                return cpu.FAULT
            self.faults += 1
            filling = found
            thread.fault = None

    def _resume(self, thread: JailThread, operations: list[Operation]) -> None:
        child = self.child
        mirror = self._mirror
        if self._carrier is not thread:
            self._let_carrier_finish()
        elif mirror.under_way:
            mirror.carried_out()
        operations = mirror.pending() + operations
        self._carrier = thread if operations else None
        if thread.state == NEW:
            self._start(thread, operations)
            return
        if len(operations) > layout.MOST_OPERATIONS:
            child.operate(operations)
            operations = []
        child.put_operations(thread.block, operations)
        if thread.state == SIGNAL:
            child.resume(thread.block, layout.ACTION_SIGNAL)
        elif thread.state == REPLACED:
            thread.load()
            thread.state = CALL
            child.resume(thread.block, layout.ACTION_CONTEXT)
        elif self.space.word == 8:
            child.resume(thread.block, layout.ACTION_RETURN)
        else:
            thread.load_return()
            child.resume(thread.block, layout.ACTION_CONTEXT)

    def _let_carrier_finish(self) -> None:
        """What has been given to a thread to carry out comes first."""
        carrier = self._carrier
        if carrier is not None:
            self.child.carried_out(carrier.block)
            self._carrier = None
            self._mirror.carried_out()

    def _check_operations(self, block: int) -> None:
        error = self.child.quads[block + layout.OPERATION_ERROR >> 3]
        if error:
            code = (1 << 64) - error
            if code < 4096:
                raise GuestLost(f"the host refuses memory to the guest: {os.strerror(code)}")
            raise GuestLost("the guest has destroyed its mailbox")

    def _calls(self, thread: JailThread, handler: SystemCallHandler) -> int:
        """Answer a system call through the hand-off, and those that come after it, as long as there is nothing else to
        do: this is ``run`` without what most calls do not need.

        Returns:
            What ``run`` returns, _STOPPED (the thread has, for something else) or _ANSWERED (it has to be resumed).
        """
        thread.state = CALL
        if self._carrier is thread:  # what it was given came before this call
            self._carrier = None
            if self._mirror.under_way:
                self._mirror.carried_out()
        word = self.space.word
        mask = (1 << 8 * word) - 1
        action = layout.ACTION_RETURN if word == 8 else layout.ACTION_CONTEXT
        child, mirror, block = self.child, self._mirror, thread.block
        view, words, quads, spin = child.view, child.words, child.quads, child.spin
        registers = block + layout.REGISTERS
        rax_at, spin_at, error_at = registers >> 3, block + layout.SPIN >> 3, block + layout.OPERATION_ERROR >> 3
        state_at, kind_at = block + layout.STATE >> 2, block + layout.KIND >> 2
        action_at, sleeps_at = block + layout.ACTION >> 2, block + layout.GUEST_SLEEPS >> 2
        unpack = _OF_A_CALL.unpack_from
        while True:
            rax, rdx, rsp, r8, r9, r10 = unpack(view, registers)
            result = handler(rax, r10, rdx, r8, r9, rsp + word & mask)
            if result is None:
                return cpu.LEFT
            quads[rax_at] = result & mask
            if self.shared or mirror.dirty or mirror.closing or self._carrier is not None:
                return _ANSWERED
            thread.running = True
            if thread.interrupted or child.hurried:
                thread.running = child.hurried = False
                return cpu.INTERRUPTED
            if word == 4:
                thread.load_return()
            words[action_at] = action
            words[state_at] = layout.STATE_RUNNING
            if words[sleeps_at]:
                child.wake(block)
                spin.slept()
                quads[spin_at] = spin.counts
            spin.left -= 1
            if spin.left <= 0:
                spin.decide()
                quads[spin_at] = spin.counts
                child.count_threads()
            for _ in range(spin.looks):
                if words[state_at] == layout.STATE_STOPPED:
                    break
            else:
                spin.looked_in_vain()
                quads[spin_at] = spin.counts
                if not child.sleep(block):
                    return cpu.RUNNING
            thread.running = False
            if words[kind_at] != layout.KIND_CALL or quads[error_at]:
                return _STOPPED

    def _signal(self, thread: JailThread, handler: SystemCallHandler) -> int | None:
        """A signal: returns why the run ends, or None to go on (with a fault to look at in ``thread.fault``)."""
        thread.enter_frame()
        child = self.child
        signal = child.quads[thread.block + layout.SIGNAL_NUMBER >> 3]
        rip = thread.frame_register(RIP)
        places = child.addresses
        in_stub = layout.STUB <= rip < places["code_end"] or (self.space.word == 4 and gate.begins(rip))
        if signal == layout.INTERRUPT_SIGNAL or (in_stub and signal == layout.SIGTRAP):
            if signal == layout.SIGTRAP and rip < places["call_saved"]:
                # Single-stepping reached the hand-off, which NT does not step through.
                thread.set_frame_register(17, thread.frame_register(17) & ~_TRAP_FLAG)
                return None
            thread.settle()
            child.words[thread.block + layout.INTERRUPT >> 2] = 0
            return cpu.INTERRUPTED
        if signal == layout.SIGSYS:
            if self.space.word == 4 and not in_stub:
                by_interrupt = thread.code_at(rip - 2)[:2] == b"\xcd\x80"  # else SYSCALL or SYSENTER
                thread.fault = cpu.Fault(cpu.SOFTWARE_INTERRUPT + 0x80 if by_interrupt else cpu.INVALID_OPCODE)
                return cpu.FAULT
            if in_stub:  # the guest has tried to use it for something that the filter forbids
                thread.fault = cpu.Fault(cpu.GENERAL_PROTECTION)
                return cpu.FAULT
            return self._direct_call(thread, handler)
        thread.fault = thread.take_fault()
        return None

    def _direct_call(self, thread: JailThread, handler: SystemCallHandler) -> int | None:
        """A ``syscall`` instruction in guest code."""
        child = self.child
        info = child.quads[thread.block + layout.SIGNAL_INFO >> 3] - layout.CONTROL
        if not thread.in_signal_stack(info, _SIGINFO_SIZE):
            raise GuestLost("the guest has destroyed its signal stack")
        if child.words[info + _SIGINFO_ARCH >> 2] != _NATIVE:
            thread.fault = cpu.Fault(cpu.SOFTWARE_INTERRUPT + 0x80)
            return cpu.FAULT
        register = thread.frame_register
        number = register(RAX) & 0xFFFFFFFF
        result = handler(number, register(R10), register(RDX), register(R8), register(R9), register(RSP))
        if result is None:
            return cpu.LEFT
        thread.set_frame_register(RAX, result)
        return None

    def close(self) -> None:
        self.child.close()


def _sets_segment_bases() -> bool:
    """Has Linux allowed the WRFSBASE instruction? (HWCAP2_FSGSBASE, asm/hwcap2.h)"""
    libc = ctypes.CDLL(None)
    libc.getauxval.argtypes, libc.getauxval.restype = [ctypes.c_ulong], ctypes.c_ulong
    return bool(libc.getauxval(26) & 2)  # AT_HWCAP2
