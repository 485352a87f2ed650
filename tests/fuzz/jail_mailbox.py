"""Guests that write random things where they meet the kernel: `python -m tests.fuzz.jail_mailbox [--count N]`.

A guest in the jail carries out a random script: it writes to the blocks of all its threads, claims to have stopped,
makes system calls by each way, faults, and goes on while the kernel acts on what it has left there. Whatever it does,
the kernel's side raises nothing but GuestLost, and comes to an end. `--seed S --only I` makes case I again, up to the
races between guest and kernel. Exit code 0 when all went well, 1 when something did not.
"""

from __future__ import annotations

import argparse
import struct
import sys
import threading
import time
import traceback
from collections import Counter
from random import Random
from unittest import mock

from lswd.cpu import engine as cpu
from lswd.cpu.engine import GuestLost
from lswd.cpu.jail import child, layout
from lswd.cpu.jail.engine import JailEngine
from lswd.cpu.jail.thread import JailThread
from lswd.memory.protection import PAGE_NOACCESS, PAGE_READWRITE
from lswd.ntdef.status import NtError
from tests.unit.jail_attack import Attack, in_long_mode
from tests.unit.test_cpu_unicorn import DATA

STEPS = 400
SECONDS = 0.15  # a case
PATIENCE = 20.0  # until a case that has not ended never will
THREADS = 2  # of the guest, beside the manager
_STEP = struct.Struct("<QQQ")
_SCRIPT = DATA + 0x1000
_WAYS = ("write8", "write4", "exchange", "call", "syscall", "undefined", "touch", "breakpoint", "pause", "int80")

# Each thread has its own place in the script, R14; the kernel's side, too, lets it go on at ``next``.
_INTERPRETER = f"""
    mov r14, {_SCRIPT:#x}
next:
    mov eax, [r14]
    mov rbx, [r14 + 8]
    mov rcx, [r14 + 16]
    add r14, 24
    mov rdx, {_SCRIPT + STEPS * _STEP.size:#x}
    cmp r14, rdx
    jae again
    mov rdx, {_SCRIPT:#x}
    cmp r14, rdx
    jae go
again:
    mov r14, {_SCRIPT:#x}
go: lea rdx, [rel ways]
    jmp [rdx + rax * 8]
align 8
ways: dq {", ".join(_WAYS)}
write8: mov [rbx], rcx
    jmp next
write4: mov [rbx], ecx
    jmp next
exchange: xchg [rbx], ecx
    jmp next
call: mov rax, rcx
    mov r10, rbx
    call [0x7ffe1000]
    jmp next
syscall: mov rax, rcx
    syscall
    jmp next
undefined: ud2
touch: mov [rcx], al
    jmp next
breakpoint: int3
    jmp next
pause: mov edx, 3000
    dec edx
    jnz $ - 2
    jmp next
int80: mov eax, ecx
    int 0x80
    jmp next
"""
# Fields of a block that the kernel reads, or Linux, or the stub.
_FIELDS = (
    layout.SELF, layout.STATE, layout.HOST_SLEEPS, layout.GUEST_SLEEPS, layout.KIND, layout.ACTION, layout.INTERRUPT,
    layout.SPIN, layout.OPERATION_COUNT, layout.OPERATION_ERROR, layout.SIGNAL_NUMBER, layout.SIGNAL_INFO,
    layout.SIGNAL_CONTEXT, layout.FS_BASE, layout.IRET, layout.FLAGS, layout.FLOAT, layout.SCRATCH + 0x70,
    layout.OPERATIONS, layout.OPERATIONS + 0x38, layout.OPERATIONS + 0x78,
    *(layout.REGISTERS + 8 * i for i in range(17)),
)  # fmt: skip


def script(random: Random) -> bytes:
    """What the guest is going to do."""
    return b"".join(_step(random) for _ in range(STEPS))


def _step(random: Random) -> bytes:
    base = layout.CONTROL + layout.BLOCK_SIZE * random.choices((0, 1, 2, 3), (1, 6, 3, 1))[0]
    roll = random.random()
    if roll < 0.35:
        return _STEP.pack(random.randrange(2), base + random.choice(_FIELDS), _value(random))
    if roll < 0.5:  # anywhere in the block: signal frames, operations, stacks
        at = random.randrange(layout.BLOCK_SIZE - 8) & -random.choice((1, 4, 8))
        return _STEP.pack(random.randrange(2), base + at, _value(random))
    if roll < 0.58:
        kind = random.choice((layout.KIND_IDLE, layout.KIND_CALL, layout.KIND_SIGNAL, random.getrandbits(32)))
        return _STEP.pack(1, base + layout.KIND, kind)
    if roll < 0.66:  # a stop, perhaps a false one
        state = random.choice((layout.STATE_STOPPED, layout.STATE_STOPPED, layout.STATE_GONE, 3))
        return _STEP.pack(2, base + layout.STATE, state)
    way = random.choices(range(3, len(_WAYS)), (6, 3, 1, 2, 1, 8, 1))[0]
    return _STEP.pack(way, _value(random), _value(random))


def _value(random: Random) -> int:
    own = layout.CONTROL + layout.BLOCK_SIZE + random.randrange(layout.BLOCK_SIZE)
    few = random.choice((0, 1, 2, 3, 4, 5, 7, 8, 10, 11, 14, 31, 56, 60, 0x7777))
    return random.choice(
        (few, few, own, own & -8, layout.CONTROL, layout.STUB + random.randrange(4096), DATA, random.getrandbits(64),
         random.getrandbits(32), (1 << 64) - random.randrange(1, 5000), 1 << random.randrange(64))
    )  # fmt: skip


class Case:
    """One guest, and a kernel that does a little of all that kernels do."""

    def __init__(self, seed: int, index: int) -> None:
        self._random = Random(f"{seed} {index}")
        word = self._random.choice((8, 8, 4))
        self._attack = Attack(_INTERPRETER if word == 8 else in_long_mode(_INTERPRETER), word=word)
        self._code = self._attack.context()
        self._attack.machine.space.write(_SCRIPT, script(self._random))
        self._engine: JailEngine = self._attack.engine
        self._engine.shared = self._random.random() < 0.5  # several threads run at once

    def run(self) -> str:
        """What came of it. Raises what must not be raised."""
        machine, engine = self._attack.machine, self._engine
        threads = [self._attack.thread]
        for i in range(1, THREADS):
            machine.region(0x700000 + 0x10000 * i, 0x4000, PAGE_READWRITE)
            thread = engine.new_thread(0x700000 + 0x10000 * i)
            thread.set_context(self._code)
            threads.append(thread)
        ended = threading.Event()
        helper = threading.Thread(target=self._interrupt, args=(ended,))
        helper.start()
        end = time.monotonic() + SECONDS
        try:
            while time.monotonic() < end:
                for thread in threads:
                    if not thread.running or thread.stopped():
                        self._turn(thread)
                running = [thread for thread in threads if thread.running]
                if running:
                    engine.wait_any(running, 0.01)
                    for thread in running:
                        thread.check()
        except GuestLost as error:
            return str(error)
        finally:
            ended.set()
            helper.join()
            self._attack.close()
        return "still there"

    def _interrupt(self, ended: threading.Event) -> None:
        since = time.monotonic()
        while not ended.wait(0.005):
            self._engine.interrupt()
            self._engine.hurry()
            if time.monotonic() - since > PATIENCE:
                self._attack.too_late = True
                self._attack.kill()

    def _turn(self, thread: JailThread) -> None:
        outcome = thread.run(self._answer)
        if outcome == cpu.LEFT:
            thread.set_result(self._random.getrandbits(64))
        elif outcome == cpu.FAULT:
            assert thread.fault is not None
            context = thread.get_context()
            context.pc, context.sp = self._code.pc, self._code.sp
            thread.set_context(context)
        elif outcome == cpu.INTERRUPTED:
            thread.get_context()
        else:
            assert cpu.RUNNING == outcome

    def _answer(self, number: int, *arguments: int) -> int | None:
        """An NT system call, for the guest to be busy with."""
        assert all(0 <= each < 1 << 64 for each in (number, *arguments))
        space, choice = self._attack.machine.space, self._random.randrange(12)
        try:
            if choice == 0:
                return None
            if choice == 1:
                region = space.reserve(0, 0x20000, PAGE_READWRITE)
                space.commit(region, region.base, 0x10000, PAGE_READWRITE)
                space.protect(region.base, 0x1000, PAGE_NOACCESS)
                space.write(region.base + 0x2000, b"written")
                space.release(region.base)
            if choice == 2:
                space.read(arguments[-1], 16)
        except NtError as error:
            return error.status
        return self._random.getrandbits(self._random.choice((1, 32, 64)))


def run(seed: int, indices: range) -> tuple[Counter[str], list[tuple[int, str]]]:
    """Outcomes, and what went wrong by case."""
    outcomes: Counter[str] = Counter()
    failures = []
    with mock.patch.object(child, "_DEAF_SECONDS", 0.5):
        for index in indices:
            case = Case(seed, index)
            try:
                outcomes[case.run()] += 1
            except Exception:
                failures.append((index, traceback.format_exc()))
            if case._attack.too_late:
                failures.append((index, "it would have gone on for ever"))
    return outcomes, failures


def main(arguments: list[str]) -> int:
    """Run the command."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--only", type=int, metavar="I")
    options = parser.parse_args(arguments)
    outcomes, failures = run(
        options.seed, range(options.count) if options.only is None else range(options.only, options.only + 1)
    )
    for outcome, count in outcomes.most_common():
        print(f"{count:7}  {outcome}")
    for index, what in failures:
        print(f"FAILED   --seed {options.seed} --only {index}\n{what}")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
