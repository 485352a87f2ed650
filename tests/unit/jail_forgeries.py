"""What hostile guests do to the kernel itself: forged mailboxes, deafness, taking more than they were given."""

from __future__ import annotations

import os
import resource
import struct
from collections.abc import Callable, Iterator

import pytest

from lswd.cpu import engine as cpu
from lswd.cpu.engine import GuestLost
from lswd.cpu.jail import child, layout, lock
from lswd.cpu.jail.child import Child
from lswd.cpu.jail.engine import JailEngine
from lswd.cpu.jail.stub_code import labels
from lswd.cpu.jail.thread import SIGNAL, JailThread
from lswd.memory.backing import PrivateMemory
from tests.unit.jail_attack import (
    LOST,
    RESULT,
    SPACE,
    STACK,
    STOPPED,
    TOLD,
    Attack,
    Opening,
    in_long_mode,
    no_supervision,
    pokes,
    replaced,
    stub,
    stub_call,
    through_the_stub,
    without_limit,
)
from tests.unit.test_cpu_unicorn import CODE, STACK_TOP

Judge = Callable[[Attack, Exception | None], bool]


class Forgery:
    """One of them.

    Attributes:
        source: 64-bit code; a 32-bit program has it, too.
        opening: takes away the check.
        harmed: has it got what it wanted? Also told what the kernel's side has raised.
        words: one of those with which the guest is ended; none: it is only refused, with ``outcome``.
        setting: holds in any case.
        handler: what the kernel does when the guest makes an NT call.
        interrupted: somebody wants the guest to stop.
        seconds: after which it is sure to go on for ever.
        kinds: of guests that it is for.
    """

    def __init__(
        self,
        source: str,
        opening: Opening,
        harmed: Judge,
        *,
        words: str | tuple[str, ...] = (),
        outcome: int = LOST,
        setting: Opening = lambda monkeypatch: None,
        handler: Callable[[Attack], int | None] = lambda attack: None,
        interrupted: bool = False,
        seconds: float = 1.0,
        data: bytes = b"",
        kinds: tuple[int, ...] = (8, 4),
    ) -> None:
        self.source = source
        self.opening = opening
        self.harmed = harmed
        self.words = (words,) if isinstance(words, str) else words
        self.outcome = outcome
        self.setting = setting
        self.handler = handler
        self.interrupted = interrupted
        self.seconds = seconds
        self.data = data
        self.kinds = kinds

    def begin(self, word: int) -> Attack:
        """The attack, about to run."""
        attack = Attack(self.source if word == 8 else in_long_mode(self.source), word=word)
        attack.machine.space.write(SPACE + 0x10, self.data)
        attack.answer = self.handler
        return attack


BLOCK = layout.BLOCK_SIZE  # of the first thread
_FRAME = layout.SIGNAL_STACK + 0x1000  # a place in its signal stack
_DESTROYED = "the guest has destroyed its signal stack"
_MAILBOX = "the guest has destroyed its mailbox"
_ENDED = "a thread of the guest has ended itself"
_DIED = ("the guest's process has died", _ENDED)  # whichever is seen first
_DEAF = "the guest does not react to interrupts"
_SOON = replaced(child, "_DEAF_SECONDS", 0.1)
_NEVER = replaced(child, "_DEAF_SECONDS", 1e9)
_LOOP = "here: jmp here\nspin: jmp spin\n"


def _for_ever(attack: Attack, raised: Exception | None) -> bool:
    return attack.too_late


def _strayed(attack: Attack, raised: Exception | None) -> bool:
    """The kernel's side has raised something, or has looked where it should not."""
    first, frame = attack.thread.block + layout.SIGNAL_STACK, attack.thread.frame
    inside = first <= frame <= attack.thread.block + BLOCK - layout.UCONTEXT_SIZE and not frame & 7
    return raised is not None or (attack.thread.state == SIGNAL and not inside)


def _strayed_float(attack: Attack, raised: Exception | None) -> bool:
    first = attack.thread.block + layout.SIGNAL_STACK
    inside = first <= attack.thread._float <= attack.thread.block + BLOCK
    return raised is not None or (attack.thread.state == SIGNAL and not inside)


def _raised(attack: Attack, raised: Exception | None) -> bool:
    return raised is not None


def _finished(attack: Attack, raised: Exception | None) -> bool:
    return attack.granted


def _third_thread(attack: Attack, raised: Exception | None) -> bool:
    return attack.tasks() == 3


def _signal(number: int, **fields: int) -> str:
    """Claim to have stopped with a signal."""
    at = {name: getattr(layout, name) for name in fields}
    kind = (layout.KIND, layout.KIND_SIGNAL)  # and ACTION behind it, which only the stub reads
    values = [(at[name], value) for name, value in fields.items()]
    return pokes(BLOCK, (layout.SIGNAL_NUMBER, number), kind, *values) + STOPPED + _LOOP


def _trust(self: JailThread, at: int, size: int) -> bool:
    return True


def _unchecked_error(self: JailEngine, block: int) -> None:
    error = self.child.quads[block + layout.OPERATION_ERROR >> 3]
    if error:
        raise GuestLost(os.strerror((1 << 64) - error))


def _operate(attack: Attack) -> int | None:
    attack.engine.child.operate([(layout.SYS_MUNMAP, 0x10000000, 0x10000)])
    return None


def _wake(block: int) -> str:
    return stub_call(layout.SYS_FUTEX, layout.CONTROL + block + layout.STATE, 1, 1)


def _masking_frame() -> bytes:
    """A signal frame, for sigreturn, with all signals held back."""
    registers = [0] * 15 + [STACK_TOP, CODE + 0x100, 0x202, 0x33 | 0x2B << 48, 0, 0, 0, 0]
    head = struct.pack("<QQQIIQ", 0, 0, 0, 2, 0, 0)
    return head + struct.pack("<23Q", *registers) + struct.pack("<10Q", *[0] * 9, (1 << 64) - 1)


def _deaf(then: str) -> str:
    """Code that no signal reaches."""
    restorer = labels(stub())["signal_restorer"]
    return f"mov rsp, {SPACE + 0x10:#x}\nmov rax, {restorer:#x}\njmp rax\nalign 256\ntimes 256 - ($ - $$) db 0\n{then}"


_MORE = 64 << 20
_TAKE = (
    stub_call(layout.SYS_MMAP, 0x10000000, _MORE, 3, layout.MAP_SHARED_FIXED, layout.MEMORY_FD, 1 << 29)
    + f"mov rdi, 0x10000000\nmov ecx, {_MORE}\nmov al, 1\nmov rdx, [{RESULT:#x}]\n"
    + f"mov rbx, -1\nmov [{RESULT:#x}], rbx\nrep stosb\nmov [{RESULT:#x}], rdx\nhlt\nspin: jmp spin\n"
)
_NEW_THREAD = f"mov rax, {SPACE:#x}\nmov [rax], rax\n" + through_the_stub(
    layout.SYS_CLONE, layout.CLONE_FLAGS, STACK, 0, SPACE + 0x100, SPACE, doubles=True
).replace("hlt", "here: jmp here")


def _look_away(self: Child, block: int = 0, deadline: float = 0.0) -> None:
    if hasattr(self, "given_up"):
        raise GuestLost("the test has")


_NO_CHECK = replaced(Child, "check", _look_away)


def _everything(self: PrivateMemory) -> None:
    self._end = self.size
    os.ftruncate(self.fd, self.size)


def _processor_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lock, "_LIMITS", (*lock._LIMITS, (resource.RLIMIT_CPU, 1)))


def _stacks() -> Iterator[tuple[str, int]]:
    base = layout.CONTROL + BLOCK
    yield "nowhere", 0
    yield "at the end of all addresses", -8
    yield "before the blocks", layout.CONTROL - 8
    yield "in the manager's block", layout.CONTROL + _FRAME
    yield "in its own block but not in its signal stack", base + 0x400
    yield "in another block", base + BLOCK + _FRAME
    yield "across the end of its block", base + BLOCK - 0x100
    yield "behind the blocks", layout.CONTROL + layout.CONTROL_SIZE
    yield "between two quads", base + _FRAME + 4
    yield "in the stub", layout.STUB


def forgeries() -> Iterator[tuple[str, Forgery]]:
    """All of them."""
    untrusted = replaced(JailThread, "in_signal_stack", _trust)
    for name, at in _stacks():
        source = _signal(layout.SIGSEGV, SIGNAL_CONTEXT=at)
        yield f"registers {name}", Forgery(source, untrusted, _strayed, words=_DESTROYED)
    frame = layout.CONTROL + BLOCK + _FRAME
    for name, at in (("nowhere", 0), ("at the end of all addresses", -8), ("behind the blocks", layout.STUB)):
        source = pokes(BLOCK, (_FRAME + layout.UCONTEXT_FLOAT, at)) + _signal(layout.SIGSEGV, SIGNAL_CONTEXT=frame)
        yield f"floating-point registers {name}", Forgery(source, untrusted, _strayed_float, words=_DESTROYED)
        where = pokes(BLOCK, (_FRAME + layout.UCONTEXT_FLOAT, frame + 0x400))
        source = where + _signal(layout.SIGSYS, SIGNAL_CONTEXT=frame, SIGNAL_INFO=at)
        yield (
            f"a system call's particulars {name}",
            Forgery(source, _trust_information, _raised, words=_DESTROYED, kinds=(8,)),
        )
    yield "an error there cannot be", Forgery(
        pokes(BLOCK, (layout.OPERATION_ERROR, 1 << 40), (layout.KIND, layout.KIND_CALL)) + STOPPED + _LOOP,
        replaced(JailEngine, "_check_operations", _unchecked_error), _raised, words=_MAILBOX,
    )  # fmt: skip
    yield "no manager any more", Forgery(
        pokes(0, (layout.KIND, layout.KIND_IDLE | layout.ACTION_EXIT << 32))
        + f"mov dword [rbx + {layout.STATE}], {layout.STATE_RUNNING}\n" + _wake(0)
        + f"mov ecx, 10000000\nlater: loop later\nmov eax, {TOLD}\ncall [0x7ffe1000]\nhlt\nspin: jmp spin\n",
        _NEVER, _for_ever, words="the guest has stopped what starts its threads and maps its memory",
        setting=_SOON, handler=_operate, kinds=(8,),
    )  # fmt: skip
    masked = _masking_frame()
    yield (
        "no signal comes through",
        Forgery(_deaf(_LOOP), _NEVER, _for_ever, words=_DEAF, setting=_SOON, interrupted=True, data=masked),
    )
    yield "no signal comes through, and the kernel is woken all the time", Forgery(
        _deaf(f"again:\n{_wake(BLOCK)}jmp again\nspin: jmp spin\n"),
        _NO_CHECK, _for_ever, words=_DEAF, setting=_SOON, interrupted=True, data=masked,
    )  # fmt: skip
    entry = labels(stub())["call_entry"]
    yield "a block of its own", Forgery(
        f"mov rax, {SPACE:#x}\nmov [rax], rax\nwrfsbase rax\nmov rax, {entry:#x}\njmp rax\n",
        _NEVER, _for_ever, words=_DEAF, setting=_SOON, interrupted=True,
    )  # fmt: skip
    yield "a signal stack of its own", Forgery(
        f"mov rax, {SPACE + 0x2000:#x}\nmov [{SPACE:#x}], rax\nmov qword [{SPACE + 0x10:#x}], 0x8000\n"
        + stub_call(layout.SYS_SIGALTSTACK, SPACE, 0) + "ud2\nspin: jmp spin\n",
        _NEVER, _for_ever, words=_DEAF, setting=_SOON, interrupted=True,
    )  # fmt: skip
    yield "a thread ends itself", Forgery(
        stub_call(layout.SYS_EXIT, 0) + "spin: jmp spin\n",
        replaced(layout, "STATE_GONE", 77), _for_ever, words=_ENDED,
    )  # fmt: skip
    yield "the process ends itself", Forgery(
        f"mov qword [{SPACE:#x}], 0x2000\nmov qword [{SPACE + 0x10:#x}], 0x8000\n"
        + stub_call(layout.SYS_SIGALTSTACK, SPACE, 0) + "ud2\nspin: jmp spin\n",
        _blind, _for_ever, words=_DIED,
    )  # fmt: skip
    yield (
        "more memory than it was given",
        Forgery(_TAKE, replaced(PrivateMemory, "_resize", _everything), _finished, outcome=cpu.FAULT, seconds=20),
    )
    yield "more addresses than there are for it", Forgery(
        through_the_stub(layout.SYS_MMAP, 1 << 36, 260 << 30, 3, layout.MAP_SHARED_FIXED, layout.MEMORY_FD, 0),
        without_limit(resource.RLIMIT_AS), _finished, outcome=cpu.FAULT,
    )  # fmt: skip
    yield (
        "a thread of its own",
        Forgery(_NEW_THREAD, no_supervision, _third_thread, outcome=cpu.INTERRUPTED, interrupted=True),
    )
    yield "a thread of its own, and nobody can be asked", Forgery(
        _NEW_THREAD, _NO_CHECK, _for_ever, words="the guest has started a thread by itself",
        setting=replaced(lock, "_NEW_LISTENER", 1 << 30),
    )  # fmt: skip
    yield "a thread of its own, and the kernel is never left in peace", Forgery(
        _NEW_THREAD.replace("here: jmp here", f"again: mov eax, {TOLD}\ncall [0x7ffe1000]\njmp again"),
        replaced(Child, "count_threads", _look_away), _for_ever, words="the guest has started a thread by itself",
        setting=replaced(lock, "_NEW_LISTENER", 1 << 30), handler=lambda attack: 1, kinds=(8,),
    )  # fmt: skip
    yield "processor time", Forgery(
        "here: jmp here\n", replaced(lock, "_LIMITS", lock._LIMITS), _for_ever,
        words=_DIED, setting=_processor_time, seconds=3,
    )  # fmt: skip


def _blind(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nobody sees that the process is dead, nor its thread."""
    monkeypatch.setattr(Child, "alive", lambda self: not hasattr(self, "given_up"))
    monkeypatch.setattr(layout, "STATE_GONE", 77)


def _trust_information(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is said about a system call is not checked; the rest is."""
    check = JailThread.in_signal_stack

    def only_others(self: JailThread, at: int, size: int) -> bool:
        return size == 0x80 or check(self, at, size)

    monkeypatch.setattr(JailThread, "in_signal_stack", only_others)
