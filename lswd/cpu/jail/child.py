"""The jailed process seen from the kernel: how it is started and locked, waited for, told to go on, and ended."""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import struct
import time
from select import POLLIN, poll

from lswd.cpu.engine import EngineError, GuestLost
from lswd.cpu.jail import layout
from lswd.cpu.jail.layout import CONTROL, OPERATIONS
from lswd.cpu.jail.lock import MOST_DESCRIPTORS, locking
from lswd.cpu.jail.message import MESSAGE_DESCRIPTOR, MESSAGE_SIZE, MSG_CMSG_CLOEXEC, MSG_DONTWAIT, message, put_message
from lswd.cpu.jail.placement import Placement
from lswd.cpu.jail.spin import Spin
from lswd.cpu.jail.stub_code import executable, labels, stub_code
from lswd.memory.backing import FileMapping

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Operation = tuple[int, ...]  # a Linux system call: number and up to six arguments

_NOTIFY_RECEIVE, _NOTIFY_SEND = 0xC0502100, 0xC0182101  # SECCOMP_IOCTL_NOTIF_*
_NOTIFICATION_SIZE = 80
_NOTIFY_CONTINUE = 1
_START_SECONDS = 5.0  # a start takes about a millisecond
FOREVER = float("inf")
_LOOK = 0.02  # seconds between looks at whether the child still lives
_COMPUTES = 0.002  # seconds without a call, after which a guest seems to do something by itself
_DEAF_SECONDS = 10.0  # an interrupted guest has stopped long before, unless it keeps its signals from coming
_FUTEX_WAIT, _FUTEX_WAKE = 0, 1
_SPINS = 40  # looks at what takes no time, before sleeping
_OPERATION = struct.Struct("<8Q")
_MASK = (1 << 64) - 1
_GETPID = 39


class NoAnswer(EngineError):
    """The process hangs when it starts. Finding that out takes seconds, so it is worth remembering."""


class _Timespec(ctypes.Structure):
    _fields_ = (("seconds", ctypes.c_long), ("nanoseconds", ctypes.c_long))


class Child:
    """The process and the blocks it shares with us.

    Attributes:
        pid: its process id.
        view, words, quads: the blocks' memory as bytes, u32 and u64.
        address: where that is.
        addresses: where the stub's labels are in it.
        interrupted: since when threads, by their blocks, have been told to stop and have not done so.
        hurried: there is something else to do than to wait for the guest; who heeds it resets it.
        until: when there will be, on the monotonic clock.
        placement: where it runs, and we. spin: who spins for whom.
    """

    def __init__(self, memory_fd: int) -> None:
        """Start a process with ``memory_fd`` as the guest's memory, and lock it.

        Raises:
            EngineError: this host does not let us; the message says what.
        """
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._syscall = self._libc.syscall
        self._syscall.restype = ctypes.c_long
        self._syscall.argtypes = [ctypes.c_long, ctypes.c_void_p, ctypes.c_long, ctypes.c_long, ctypes.c_void_p]
        self._timeout = _Timespec(0, int(_LOOK * 1e9))
        self._timeout_at = ctypes.addressof(self._timeout)
        self.pid = 0
        self._ready = False
        self.interrupted: dict[int, float] = {}
        self.hurried = False
        self.until = FOREVER
        self._sleeping_at = 0  # the address we sleep at
        self.placement = Placement()
        self.spin = Spin(self.placement)
        self._threads = 1  # started so far
        self._socket = self._listener = -1
        stub = stub_code()
        self.addresses = labels(stub)
        control = os.memfd_create("jail", os.MFD_CLOEXEC)
        descriptors = [control]
        try:
            os.ftruncate(control, layout.CONTROL_SIZE)
            self._map = FileMapping(control, layout.CONTROL_SIZE)
            self.address = self._map.address
            self.view = self._map.view
            self.words = self.view.cast("I")
            self.quads = self.view.cast("Q")
            pair = (ctypes.c_int * 2)()
            # AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC
            if self._libc.socketpair(1, 5 | os.O_CLOEXEC, 0, pair):
                raise OSError(ctypes.get_errno(), "socketpair")
            self._socket = pair[0]
            descriptors += [pair[1], executable(stub)]
            self._prepare()
            self._spawn([memory_fd, *descriptors], descriptors)
            self._started()
            self._ready = True
        except OSError as error:
            self.close()
            raise EngineError(f"the jail does not start here: {error}") from None
        except BaseException:
            self.close()
            raise
        finally:
            for fd in descriptors:
                os.close(fd)

    # ---- start

    def _prepare(self) -> None:
        """Fill in the manager's block: what the stub does before it answers for the first time."""
        self.quads[layout.SELF >> 3] = CONTROL
        self.words[layout.CREATOR >> 2] = os.getpid()
        operations, self._optional = locking(self.view, self.addresses)
        self.put_operations(0, operations)
        self._expected = len(operations)

    def _spawn(self, wanted: Sequence[int], descriptors: list[int]) -> None:
        """posix_spawn with ``wanted`` as the descriptors from 3 on."""
        # None of them may sit where another is to be put.
        high = [fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, 100) for fd in wanted]
        try:
            self.pid = os.posix_spawn(
                f"/proc/self/fd/{descriptors[-1]}", ["guest"], {}, setsid=True, setsigmask=(),
                file_actions=[(os.POSIX_SPAWN_DUP2, fd, 3 + i) for i, fd in enumerate(high)],
            )  # fmt: skip
        finally:
            for fd in high:
                os.close(fd)
        self.placement.pid = self.pid

    def _started(self) -> None:
        self._wait_for(0, time.monotonic() + _START_SECONDS)
        at = OPERATIONS
        supervised = True
        for i in range(self._expected):
            number, *arguments, result = _OPERATION.unpack_from(self.view, at)
            if result > _MASK - 4095 and i in self._optional:
                supervised = False  # somebody listens to this process already, or Linux is too old
            elif result > _MASK - 4095:
                code = (1 << 64) - result
                name = errno.errorcode.get(code, str(code))
                raise EngineError(f"the jail cannot be locked here: system call {number}({arguments[0]:#x}): {name}")
            at += 64
        if supervised:
            self._listener = self._receive_descriptor()
        self._test_filter()

    def _test_filter(self) -> None:
        """Does a system call that is not allowed end in the signal handler?"""
        self.put_operations(0, [(_GETPID,)])
        self.resume(0, layout.ACTION_IDLE)
        self._wait_for(0, time.monotonic() + _START_SECONDS)
        kind, signal = self.words[layout.KIND >> 2], self.quads[layout.SIGNAL_NUMBER >> 3]
        if kind != layout.KIND_SIGNAL or signal != layout.SIGSYS:
            raise EngineError("the jail cannot be locked here: a forbidden system call is not stopped")
        self.resume(0, layout.ACTION_SIGNAL)
        self._wait_for(0, time.monotonic() + _START_SECONDS)

    # ---- hand-off

    def put_operations(self, block: int, operations: Sequence[Operation]) -> None:
        """List Linux system calls for the thread of ``block`` (its offset) to make before it goes on."""
        at = block + OPERATIONS
        for operation in operations:
            _OPERATION.pack_into(self.view, at, *operation, *(0,) * (8 - len(operation)))
            at += 64
        self.words[block + layout.OPERATION_COUNT >> 2] = len(operations)
        if operations:
            self.words[block + layout.CARRYING_OUT >> 2] = 1

    def carried_out(self, block: int) -> None:
        """Until the thread of ``block`` has carried out what it was given.

        Raises:
            GuestLost: it does not.
        """
        words, at = self.words, block + layout.CARRYING_OUT >> 2
        for _ in range(_SPINS):
            if not words[at]:
                return
        deadline = time.monotonic() + _DEAF_SECONDS
        while words[at]:
            time.sleep(0.00005)
            if time.monotonic() > deadline or not self.alive():
                raise GuestLost("the guest does not carry out changes of its memory")

    def has_carried_out(self, block: int) -> bool:
        """``carried_out`` without waiting."""
        return not self.words[block + layout.CARRYING_OUT >> 2]

    def resume(self, block: int, action: int) -> None:
        """Let a stopped thread go on."""
        words = self.words
        spin = self.spin
        spin.note(words[block + layout.GUEST_SLEEPS >> 2])
        self.quads[block + layout.SPIN >> 3] = spin.counts
        words[block + layout.ACTION >> 2] = action
        words[block + layout.STATE >> 2] = layout.STATE_RUNNING
        if words[block + layout.GUEST_SLEEPS >> 2]:
            self.wake(block)

    def wake(self, block: int) -> None:
        """The thread sleeps, and may go on."""
        self._syscall(layout.SYS_FUTEX, self.address + block + layout.STATE, _FUTEX_WAKE, 1, None)

    def wait(self, block: int) -> bool:
        """Until the thread has stopped; False when that is not so yet and there is something else to do.

        Raises:
            GuestLost: it never will.
        """
        words, at = self.words, block + layout.STATE >> 2
        for _ in range(self.spin.looks):
            if words[at] == layout.STATE_STOPPED:
                return True
        self.spin.looked_in_vain()
        return self.sleep(block)

    def sleep(self, block: int) -> bool:
        """``wait``, when looking has not helped."""
        return self._wait_for(block, 0.0)

    def _wait_for_manager(self) -> None:
        """Until the manager has done what it was told, which takes no time unless the guest meddles with it."""
        self._wait_for(0, time.monotonic() + _DEAF_SECONDS)

    def _wait_for(self, block: int, deadline: float) -> bool:
        words, at = self.words, block + layout.STATE >> 2
        sleeps = block + layout.HOST_SLEEPS >> 2
        address = self.address + block + layout.STATE
        words[sleeps] = 1
        self._sleeping_at = address
        woken = False
        try:
            while True:
                state = words[at]
                if state == layout.STATE_STOPPED:
                    return True
                if woken or state == layout.STATE_GONE:
                    self.check(block, deadline)
                if state == layout.STATE_GONE and block:
                    raise GuestLost("a thread of the guest has ended itself")
                seconds = _LOOK
                if block:
                    if self.placement.tied:
                        if woken:
                            self.placement.release()  # the guest computes
                        else:
                            seconds = _COMPUTES
                    if self.until < FOREVER:
                        seconds = min(seconds, self.until - time.monotonic())
                self._timeout.nanoseconds = max(int(seconds * 1e9), 0)
                if block and (self.hurried or seconds <= 0):
                    self.hurried = False
                    return False
                self._syscall(layout.SYS_FUTEX, address, _FUTEX_WAIT, state, self._timeout_at)
                woken = True  # by the thread, by time, or by a guest that wants us to wait for ever
        finally:
            self._sleeping_at = 0
            words[sleeps] = 0

    def hurry(self) -> None:
        """Have a ``wait`` for a thread of the guest end soon, the next one too; from any host thread."""
        self.hurried = True
        self._timeout.nanoseconds = 0  # if it is about to sleep, and has looked already
        address = self._sleeping_at
        if address:
            self._syscall(layout.SYS_FUTEX, address, _FUTEX_WAKE, 2, None)

    def check(self, block: int, deadline: float = 0.0) -> None:
        """The thread has not stopped for a while: is that all right?

        Raises:
            GuestLost: it is not.
        """
        if not self.alive():
            raise GuestLost("the guest's process has died")
        self.count_threads()
        now = time.monotonic()
        if deadline and now > deadline:
            if self._ready:
                raise GuestLost("the guest has stopped what starts its threads and maps its memory")
            raise NoAnswer("the jail does not start here: no answer")
        if now - self.interrupted.get(block, now) > _DEAF_SECONDS:
            raise GuestLost("the guest does not react to interrupts")

    def count_threads(self) -> None:
        """Where nobody can be asked about new threads: are there only those that have been ordered?

        Raises:
            GuestLost: there are more.
        """
        if self._listener < 0 and self.pid and os.stat(f"/proc/{self.pid}/task").st_nlink - 2 > self._threads:
            raise GuestLost("the guest has started a thread by itself")

    def operate(self, operations: Sequence[Operation]) -> list[int]:
        """Have the manager make Linux system calls now; returns their results."""
        results = []
        for first in range(0, len(operations), layout.MOST_OPERATIONS):
            batch = operations[first : first + layout.MOST_OPERATIONS]
            self.put_operations(0, batch)
            self.resume(0, layout.ACTION_IDLE)
            self._wait_for_manager()
            for i in range(len(batch)):
                result = self.quads[(OPERATIONS >> 3) + 8 * i + 7]
                results.append(result - (1 << 64) if result >> 63 else result)
        return results

    def signal(self, thread: int) -> None:
        """Send a thread of it the interrupt signal; from any host thread."""
        if self.pid and thread:
            self._syscall(layout.SYS_TGKILL, self.pid, thread, layout.INTERRUPT_SIGNAL, None)

    def start_thread(self, block: int) -> int:
        """Create a Linux thread for a prepared block; returns its id.

        Raises:
            GuestLost: it does not start.
        """
        base = CONTROL + block
        self.put_operations(
            0, [(layout.SYS_CLONE, layout.CLONE_FLAGS, base + layout.BLOCK_SIZE, 0, base + layout.STATE, base)]
        )
        self.resume(0, layout.ACTION_IDLE)
        if self._listener >= 0:
            self._allow_thread()
        self._threads += 1
        self._wait_for_manager()
        result = self.quads[(OPERATIONS >> 3) + 7]
        if result >> 63:
            raise GuestLost(f"a thread does not start: {os.strerror((1 << 64) - result & 0xFFF)}")
        return result & 0x7FFFFFFF

    def _allow_thread(self) -> None:
        """Answer Linux's question about the manager's new thread; those of others are refused."""
        deadline = time.monotonic() + _START_SECONDS
        orders = poll()
        orders.register(self._listener, POLLIN)
        while time.monotonic() < deadline:
            if not orders.poll(_LOOK * 1000):
                self.check(0, deadline)
                continue
            question = bytearray(_NOTIFICATION_SIZE)
            try:
                fcntl.ioctl(self._listener, _NOTIFY_RECEIVE, question)
                identifier, thread = struct.unpack_from("<QI", question)
                ours = thread == self.pid
                answer = (identifier, 0, 0, _NOTIFY_CONTINUE) if ours else (identifier, 0, -errno.EPERM, 0)
                fcntl.ioctl(self._listener, _NOTIFY_SEND, bytearray(struct.pack("<QqiI", *answer)))
            except OSError:  # who asked has been interrupted or is gone
                continue
            if ours:
                return
        raise GuestLost("a thread does not start: no answer")

    # ---- descriptors

    def send_descriptor(self, fd: int) -> int:
        """Give the child a descriptor; returns its number there, -1 if it did not get there."""
        buffer = (ctypes.c_char * MESSAGE_SIZE)()
        ctypes.memmove(buffer, message(ctypes.addressof(buffer), fd), MESSAGE_SIZE)
        if self._syscall(layout.SYS_SENDMSG, self._socket, ctypes.addressof(buffer), 0, None) != 1:
            return -1
        put_message(self.view, layout.SCRATCH, -1)
        receive = (layout.SYS_RECVMSG, layout.SOCKET_FD, CONTROL + layout.SCRATCH, MSG_DONTWAIT)
        try:
            (result,) = self.operate([receive])
        except GuestLost:  # which will be noticed again where it can be told
            return -1
        number = self.words[layout.SCRATCH + MESSAGE_DESCRIPTOR >> 2]
        return number if result == 1 and number < MOST_DESCRIPTORS else -1

    def _receive_descriptor(self) -> int:
        """The one descriptor that the child sends, before it is locked."""
        buffer = (ctypes.c_char * MESSAGE_SIZE)()
        ctypes.memmove(buffer, message(ctypes.addressof(buffer), -1), MESSAGE_SIZE)
        flags = MSG_DONTWAIT | MSG_CMSG_CLOEXEC
        if self._syscall(layout.SYS_RECVMSG, self._socket, ctypes.addressof(buffer), flags, None) != 1:
            raise EngineError(f"the jail cannot be locked here: {os.strerror(ctypes.get_errno())}")
        return int(struct.unpack_from("<i", buffer, MESSAGE_DESCRIPTOR)[0])

    # ---- end

    def alive(self) -> bool:
        """Is the process still there?"""
        if not self.pid:
            return False
        try:
            ended = os.waitpid(self.pid, os.WNOHANG)[0]
        except ChildProcessError:
            ended = self.pid
        if ended:
            self.pid = self.placement.pid = 0
        return not ended

    def __del__(self) -> None:
        self.close()

    def kill(self) -> None:
        """End the process."""
        if self.pid:
            try:
                os.kill(self.pid, 9)
                os.waitpid(self.pid, 0)
            except (ProcessLookupError, ChildProcessError):
                pass
            self.pid = 0
        self.placement.close()

    def close(self) -> None:
        """End the process and let go of the blocks."""
        self.kill()
        for fd in (self._socket, self._listener):
            if fd >= 0:
                os.close(fd)
        self._socket = self._listener = -1
        if getattr(self, "words", None) is not None:
            self.words.release()
            self.quads.release()
            self._map.close()
            del self.words, self.quads, self.view
