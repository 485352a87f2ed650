"""One Uc per process, its guest threads as green threads, memory by a software TLB that we fill.

Address translation is ours (UC_TLB_VIRTUAL): the Uc sees each backing once, as flat "physical" memory, and asks
``AddressSpace.translate`` on a TLB miss (about 1 us, measured). So mapping, protecting and freeing guest memory cost
the engine nothing but a flush, however many regions there are.
"""

from __future__ import annotations

import ctypes

from lswd.cpu import engine as cpu
from lswd.cpu.engine import EngineError, Fault
from lswd.cpu.unicorn import library as uc
from lswd.cpu.unicorn.callback import Callbacks
from lswd.cpu.unicorn.guest import Guest32, Guest64
from lswd.cpu.unicorn.handoff import MAILBOX, RESULT
from lswd.cpu.unicorn.preempt import Preemption
from lswd.memory.protection import EXECUTE, PAGE_EXECUTE_READ, PAGE_SIZE
from lswd.ntdef.status import NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.cpu.context import Context
    from lswd.cpu.engine import SystemCallHandler
    from lswd.memory.backing import Backing
    from lswd.memory.region import Original
    from lswd.memory.space import AddressSpace

_TCG_BUFFER = 64 << 20  # the default asks for 1 GiB of address space and takes 13 ms to set up (measured)
# "Run until" an address nobody goes to. It has to be mapped: at the end of a run Unicorn looks its translation up.
_NEVER = cpu.HANDOFF_PAGE + PAGE_SIZE - 0x10
_GDT_AT = 0xC00  # in the hand-off page
_HOLE = 1 << 46  # physical memory that is never mapped
_INT = 0xFFFF_FFFF  # what of a callback's argument is an int's or a uint32_t's
_ACCESS = {uc.UC_MEM_READ: 1, uc.UC_MEM_WRITE: 2, uc.UC_MEM_FETCH: 4}


class UnicornThread:
    """A guest thread: its saved processor state and its mailbox."""

    __slots__ = ("_engine", "_first", "_rax", "_result_in_rax", "_saved", "fault", "teb")  # "rax" is eax in 32 bits

    def __init__(self, engine: UnicornEngine, teb: int) -> None:
        self._engine = engine
        self.teb = teb
        self.fault: Fault | None = None
        self._saved: ctypes.c_void_p | None = None
        self._first: Context | None = None  # registers to start with, until the first run
        self._result_in_rax = False  # where the system call's result goes: else to the mailbox, for the stub to load
        self._rax: int | None = None  # what to put there before the next run

    def set_result(self, value: int) -> None:
        if self._result_in_rax:
            self._rax = value
        else:
            self._engine.space.write_u64(self.teb + RESULT, value)

    def get_context(self) -> Context:
        if self._first is not None:
            return self._first.copy()
        return self._engine.context_of(self)

    def set_context(self, context: Context) -> None:
        known = self._first is not None or self._engine.knows(self)
        current = self.get_context() if known else self._engine.registers.context.user()
        current.merge(context)
        if self._engine.knows(self):
            self._engine.load(current)
            self._result_in_rax = True
            self._rax = None
        else:
            self._first = current

    def run(self, handler: SystemCallHandler) -> int:
        return self._engine.run(self, handler)

    def interrupt(self) -> None:
        if self._engine.runs(self):
            self._engine.interrupt()

    def close(self) -> None:
        self._engine.forget(self)


class UnicornEngine:
    """See the module's docstring; the interface is ``cpu.engine.Engine``."""

    name = "unicorn"
    handoff = cpu.HANDOFF_PAGE
    parallel = False

    def __init__(self, space: AddressSpace) -> None:
        kind = Guest64 if space.word == 8 else Guest32
        self.space = space
        self._lib = uc.load()
        self._uc = ctypes.c_void_p()
        self._check(self._lib.uc_open(uc.UC_ARCH_X86, kind.mode, ctypes.byref(self._uc)))
        self._control(uc.UC_CTL_TCG_BUFFER_SIZE, ctypes.c_uint32(_TCG_BUFFER))
        self._control(uc.UC_CTL_CPU_MODEL, ctypes.c_int(uc.UC_CPU_X86_HASWELL))
        self._next_physical = 0
        self.attach_backing(space.private)
        space.private.users += 1
        self._control(uc.UC_CTL_TLB_TYPE, ctypes.c_int(uc.UC_TLB_VIRTUAL))
        self._current: UnicornThread | None = None
        self._handler: SystemCallHandler | None = None
        self._replacement: Context | None = None
        self._running = False
        self._left = False
        self._stale_code: list[tuple[int, int]] = []
        self._detached: list[tuple[int, int]] = []
        self._page_fault: Fault | None = None
        self._trap: int | None = None
        self._trap_behind = 0  # how far behind the instruction of the trap the Uc will stop
        self._error: BaseException | None = None
        self._callbacks = Callbacks()
        callback = self._callbacks.add
        self._hook(uc.UC_HOOK_TLB_FILL, callback(self._fill, 5))
        self._hook(uc.UC_HOOK_DATA_UNMAPPED, callback(self._invalid_memory, 6))
        self._hook(uc.UC_HOOK_INTR, callback(self._interrupt_hook, 3))
        self._preemption = Preemption(self._lib, self._callbacks)
        self._hook(uc.UC_HOOK_BLOCK, self._preemption.hook, data=self._preemption.page)
        spilled = cpu.HANDOFF_PAGE + kind.syscall_at
        self._hook(uc.UC_HOOK_INSN, callback(self._spilled_call, 2), spilled, spilled, uc.UC_X86_INS_SYSCALL)
        direct = callback(self._direct_call if space.word == 8 else self._no_direct_call, 2)
        self._hook(uc.UC_HOOK_INSN, direct, 2, cpu.HANDOFF_PAGE - 1, uc.UC_X86_INS_SYSCALL)
        self._hook(uc.UC_HOOK_INSN, direct, cpu.HANDOFF_PAGE + PAGE_SIZE, kind.highest, uc.UC_X86_INS_SYSCALL)
        space.listener = self
        page = space.reserve(cpu.HANDOFF_PAGE & -0x10000, 0x10000, PAGE_EXECUTE_READ, name="KUSER_SHARED_DATA")
        space.commit(page, cpu.HANDOFF_PAGE, PAGE_SIZE, PAGE_EXECUTE_READ)
        view = space.raw(page)[cpu.HANDOFF_PAGE - page.base :]
        view[: len(kind.stub)] = kind.stub
        self._guest = kind(self._lib, self._uc, view[_GDT_AT:], cpu.HANDOFF_PAGE + _GDT_AT)
        self.registers = self._guest.registers

    # ---- the library

    def _check(self, error: int) -> None:
        if error:
            raise EngineError(f"unicorn: {self._lib.uc_strerror(error).decode()}")

    def _control(self, kind: int, *arguments: object) -> None:
        self._check(self._lib.uc_ctl(self._uc, uc.control(kind, arguments=len(arguments)), *arguments))

    def _hook(self, kind: int, callback: int, begin: int = 1, end: int = 0, *extra: int, data: int = 0) -> None:
        handle = ctypes.c_size_t()
        self._check(
            self._lib.uc_hook_add(
                self._uc, ctypes.byref(handle), ctypes.c_int(kind), ctypes.c_void_p(callback),
                ctypes.c_void_p(data), ctypes.c_uint64(begin), ctypes.c_uint64(end), *(ctypes.c_int(e) for e in extra),
            )
        )  # fmt: skip

    # ---- memory listener

    def attach_backing(self, backing: Backing) -> None:
        size = (backing.size + PAGE_SIZE - 1) & -PAGE_SIZE
        backing.physical = self._next_physical
        self._check(self._lib.uc_mem_map_ptr(self._uc, backing.physical, size, 7, _address(backing.view)))
        self._next_physical += size + PAGE_SIZE

    def detach_backing(self, backing: Backing) -> None:
        # Unmapping from inside a hook makes Unicorn translate the range as if it were code, which ends the run with a
        # fault of nobody's making. No address in physical space is used twice, so it can wait.
        self._detached.append((backing.physical, (backing.size + PAGE_SIZE - 1) & -PAGE_SIZE))

    def committed(self, base: int, size: int) -> None: ...

    def offer(self, original: Original) -> bool:
        return False

    def settle(self) -> None:
        """Nothing is ever left for later."""

    def changed(self, base: int, size: int) -> bool:
        self._control(uc.UC_CTL_TLB_FLUSH)
        return False

    def afterwards(self, action: Callable[[], None]) -> None:
        action()

    def code_changed(self, base: int, size: int) -> None:
        """Translated code of the range is stale; a size of 0 means all code."""
        if self._running:
            # Freeing the block that is being executed from inside its own hook is not safe: do it between runs.
            self._stale_code.append((base, size))
            self._lib.uc_emu_stop(self._uc)
        else:
            self._drop_code(base, size)

    def _drop_code(self, base: int, size: int) -> None:
        if size == 0 or size > 1 << 20:
            self._control(uc.UC_CTL_TB_FLUSH)
            return
        for page in range(base & -PAGE_SIZE, base + size, PAGE_SIZE):
            if self.space.translate(page, EXECUTE) is not None:
                self._control(uc.UC_CTL_TB_REMOVE_CACHE, ctypes.c_uint64(page), ctypes.c_uint64(page + PAGE_SIZE))

    # ---- callbacks: an exception must not leave one, so it is kept and raised from run()

    def _fill(self, _uc: int, address: int, kind: int, entry: int, _data: int) -> bool:
        try:
            access = _ACCESS[kind & _INT]
            found = self.space.translate(address, access)
            e = uc.TlbEntry.from_address(entry)
            if found is not None:
                e.paddr, e.perms = found
                return True
            if access == EXECUTE:
                self._page_fault = Fault(cpu.PAGE_FAULT, address, access)
                return False
            # The callback sees page addresses only. Letting the access go to physical memory that does not exist makes
            # Unicorn call the invalid-memory hook, which learns the offset; the entry is flushed with the fault.
            self._page_fault = Fault(cpu.PAGE_FAULT, address, access)
            e.paddr, e.perms = _HOLE, 7
            return True
        except BaseException as error:
            self._error = error
            return False

    def _invalid_memory(self, _uc: int, _kind: int, address: int, _size: int, _value: int, _data: int) -> bool:
        fault = self._page_fault
        if fault is not None:
            fault.address = fault.address & -PAGE_SIZE | address & (PAGE_SIZE - 1)
        return False

    def _spilled_call(self, _uc: int, _data: int) -> None:
        try:
            thread = self._current
            assert thread is not None and self._handler is not None
            found = self.space.translate(thread.teb + MAILBOX, 2)
            if found is None:
                raise EngineError("the guest unmapped its own TEB")
            at = found[0] + ((thread.teb + MAILBOX) & 0xFFF)
            view = self.space.private.view
            thread._result_in_rax = False
            result = self._handler(*self._guest.frame.unpack_from(view, at))
            if result is None:
                self._left = True
                self._lib.uc_emu_stop(self._uc)
            else:
                view[at + 0x30 : at + 0x38] = (result & 0xFFFFFFFFFFFFFFFF).to_bytes(8, "little")
        except BaseException as error:
            self._error = error
            self._lib.uc_emu_stop(self._uc)

    def _direct_call(self, _uc: int, _data: int) -> None:
        """A ``syscall`` instruction outside the hand-off stub: arguments are still in registers."""
        try:
            thread = self._current
            assert thread is not None and self._handler is not None
            r = self.registers.read()
            thread._result_in_rax = True
            result = self._handler(r["rax"] & 0xFFFFFFFF, r["r10"], r["rdx"], r["r8"], r["r9"], r["rsp"])
            if result is None:
                self._left = True
                self._lib.uc_emu_stop(self._uc)
            else:
                self.registers.set(self._guest.result, result)
        except BaseException as error:
            self._error = error
            self._lib.uc_emu_stop(self._uc)

    def _no_direct_call(self, _uc: int, _data: int) -> None:
        """32-bit code has no such instruction."""
        self._trap = cpu.INVALID_OPCODE
        self._trap_behind = 2
        self._lib.uc_emu_stop(self._uc)

    def _interrupt_hook(self, _uc: int, number: int, _data: int) -> None:
        self._trap = number & _INT
        self._lib.uc_emu_stop(self._uc)

    # ---- threads

    def new_thread(self, teb: int) -> UnicornThread:
        return UnicornThread(self, teb)

    def knows(self, thread: UnicornThread) -> bool:
        """True once the Uc or a saved context holds the thread's registers (and makes it current)."""
        if self._current is thread:
            return True
        if thread._saved is None:
            return False
        self.switch(thread)
        return True

    def context_of(self, thread: UnicornThread) -> Context:
        """The registers of a thread that has run before; one that is in the hand-off stub has returned from there."""
        self.switch(thread)
        if self._replacement is not None:
            return self._replacement.copy()
        context = self.registers.read()
        if self._running:
            context.pc += 2  # inside the hook the Uc has not passed the syscall instruction yet
        if context.pc == cpu.HANDOFF_PAGE + self._guest.syscall_at + 2:
            try:
                result, caller = self.space.read_u64(thread.teb + RESULT), self.space.read_pointer(context.sp)
            except NtError:
                return context  # it will find out itself
            context.result = result
            context.pc = caller
            context.sp += context.word
        elif thread._rax is not None:
            context.result = thread._rax
        return context

    def load(self, context: Context) -> None:
        """Replace the current thread's registers; from inside a hook that waits for the end of the run."""
        if self._running:
            self._replacement = context
        else:
            self.registers.write(context)

    def switch(self, thread: UnicornThread) -> None:
        """Make ``thread`` the one whose registers the Uc holds."""
        if self._current is thread:
            return
        previous = self._current
        if previous is not None:
            if previous._saved is None:
                previous._saved = ctypes.c_void_p()
                self._check(self._lib.uc_context_alloc(self._uc, ctypes.byref(previous._saved)))
            self._check(self._lib.uc_context_save(self._uc, previous._saved))
        self._current = thread
        if thread._saved is not None:
            self._check(self._lib.uc_context_restore(self._uc, thread._saved))
            self._guest.resume(thread.teb)
        else:
            self.registers.write(thread._first or self.registers.context.user())
            self._guest.begin(thread.teb)
            thread._first = None

    def forget(self, thread: UnicornThread) -> None:
        """Free a dead thread's state."""
        if self._current is thread:
            self._current = None
        if thread._saved is not None:
            self._lib.uc_context_free(thread._saved)
            thread._saved = None

    def run(self, thread: UnicornThread, handler: SystemCallHandler) -> int:
        self.switch(thread)
        self._handler = handler
        while self._detached:
            self._check(self._lib.uc_mem_unmap(self._uc, *self._detached.pop()))
        self._forget_outcome()
        thread.fault = None
        if thread._rax is not None:
            self.registers.set(self._guest.result, thread._rax)
            thread._rax = None
        registers = self.registers
        while True:
            self._running = True
            error = self._lib.uc_emu_start(self._uc, registers.get(self._guest.pc), _NEVER, 0, 0)
            self._running = False
            if self._replacement is not None:
                registers.write(self._replacement)
                self._replacement = None
            if self._error is not None:
                raised, self._error = self._error, None
                raise raised
            if self._stale_code:
                for base, size in self._stale_code:
                    self._drop_code(base, size)
                self._stale_code.clear()
                if not (self._left or self._preemption.requested() or self._trap is not None or error):
                    continue
            break
        interrupted = self._preemption.take()
        if self._left:
            return cpu.LEFT
        if self._trap is not None:
            if self._trap_behind:
                registers.set(self._guest.pc, registers.get(self._guest.pc) - self._trap_behind)
            thread.fault = Fault(self._trap if self._trap < 20 else cpu.SOFTWARE_INTERRUPT + self._trap)
            return cpu.FAULT
        fault = self._page_fault
        if fault is not None and error in uc.UC_ERR_MEMORY:
            if fault.access == EXECUTE:
                fault.address = self.registers.get(self._guest.pc)
            else:
                self._control(uc.UC_CTL_TLB_FLUSH)
            thread.fault = fault
            return cpu.FAULT
        if error == uc.UC_ERR_INSN_INVALID:
            thread.fault = Fault(cpu.INVALID_OPCODE)
            return cpu.FAULT
        if error:
            self._check(error)
        if interrupted:
            return cpu.INTERRUPTED
        # The Uc stopped by itself: `hlt`, which user code may not execute.
        thread.fault = Fault(cpu.GENERAL_PROTECTION)
        return cpu.FAULT

    def _forget_outcome(self) -> None:
        self._left = False
        self._trap = self._page_fault = None
        self._trap_behind = 0

    def runs(self, thread: UnicornThread) -> bool:
        """Is it this thread's guest code that runs now?"""
        return self._running and self._current is thread

    def interrupt(self) -> None:
        self._preemption.request()

    def close(self) -> None:
        if self._uc.value:
            self._lib.uc_close(self._uc)
            self._uc = ctypes.c_void_p()


class _PyBuffer(ctypes.Structure):
    """``Py_buffer`` (CPython's object.h), enough of it to learn a read-only buffer's address."""

    _fields_ = (
        ("buf", ctypes.c_void_p), ("obj", ctypes.py_object), ("len", ctypes.c_ssize_t), ("itemsize", ctypes.c_ssize_t),
        ("readonly", ctypes.c_int), ("ndim", ctypes.c_int), ("format", ctypes.c_char_p), ("shape", ctypes.c_void_p),
        ("strides", ctypes.c_void_p), ("suboffsets", ctypes.c_void_p), ("internal", ctypes.c_void_p),
    )  # fmt: skip


def _address(view: memoryview) -> int:
    """Address of a buffer, read-only ones included (``ctypes``' from_buffer refuses those)."""
    buffer = _PyBuffer()
    ctypes.pythonapi.PyObject_GetBuffer(ctypes.py_object(view), ctypes.byref(buffer), 0)
    address = buffer.buf or 0
    ctypes.pythonapi.PyBuffer_Release(ctypes.byref(buffer))
    return address
