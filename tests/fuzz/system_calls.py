"""Programs that make random system calls: `python -m tests.fuzz.system_calls [--count N] [--seed S] [--word 4]`.

Which calls there are and what their parameters are is taken from their declarations. Most arguments are of the right
kind: handles that may be open, places in memory that hold structures, texts and pointers, lengths, flags. Whatever a
program asks for, the kernel answers or ends that program; a traceback, a hang or a crash is a bug of ours. Case number
I of a seed is always the same: `--seed S --only I` runs it again. What fails is kept in build/fuzz-calls/.
"""

from __future__ import annotations

import argparse
import functools
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from random import Random

from lswd.nt.catalogue import declaration, index, load_families
from lswd.nt.declare import Parameter, SystemCall, encode_wide
from lswd.ntdef.types import OBJECT_ATTRIBUTES, UNICODE_STRING
from lswd.userland.discovery import find
from tests.fuzz.corpus import Damaged, Entry
from tests.fuzz.launcher import Launcher, judge
from tests.fuzz.mutated_pe import Tally, run
from tests.guest.build import PREFIXES

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
OUTPUT = ROOT / "build" / "fuzz-calls"
CALLS = 250
MEMORY = 0x10000000
SIZE = 0x20000
_STRINGS, _ATTRIBUTES, _TEXTS, _FREE = 0, 0x1000, 0x3000, 0x6000
_COUNT = 64  # strings and attributes
_CALL = struct.Struct("<56sII20Q")
_ALL = (1 << 64) - 1

# They end or stop the program, as they should, and with it the case.
_ENDING = {
    "NtContinue", "NtRaiseException", "NtRaiseHardError", "NtSetContextThread", "NtShutdownSystem", "NtSuspendProcess",
    "NtSuspendThread", "NtTerminateJobObject", "NtTerminateProcess", "NtTerminateThread", "NtUserDisableThreadIme",
}  # fmt: skip
_NAMES = (
    "", "a", "fuzz", "\\BaseNamedObjects\\fuzz", "\\BaseNamedObjects", "\\??\\C:\\fuzz", "\\??\\C:\\windows",
    "\\??\\C:\\windows\\system32\\ntdll.dll", "\\??\\C:\\", "\\??\\C:\\fuzz\\..\\fuzz:stream", "\\??\\pipe\\fuzz",
    "\\Device\\NamedPipe\\fuzz", "\\Device\\Afd", "\\Registry\\Machine\\Software", "\\Registry\\User\\fuzz", "*",
    "\\KnownDlls\\kernel32.dll", "\\??\\NUL", "\\??\\CON", "\\Device\\ConDrv\\CurrentIn", "x" * 300, "\ud800\0\uffff",
    "#32769", "Static", "\\??\\Z:\\", "\\", "\\\\", "\\??\\", "\\??\\C:", "\\Device\\Null",
)  # fmt: skip


def program(word: int) -> Path:
    """The program that makes the calls, compiled when its source has changed. Raises subprocess.CalledProcessError."""
    source = HERE / "system_calls.c"
    made = ROOT / "build" / "guest" / f"fuzz-calls-{8 * word}.exe"
    if not made.exists() or made.stat().st_mtime < source.stat().st_mtime:
        made.parent.mkdir(parents=True, exist_ok=True)
        compiler = PREFIXES["x86_64" if word == 8 else "i386"] + "gcc"
        subprocess.run([compiler, "-O1", "-Wall", "-Wextra", "-Wno-cast-function-type", "-o", made, source], check=True)
    return made


@functools.cache
def callable_calls() -> dict[str, list[SystemCall]]:
    """All declared calls that the userland has stubs for, by the module that declares them."""
    load_families()
    userland = find(os.environ)
    stubs = {*userland.system_calls.values(), *userland.win32u_system_calls.values()}
    families: dict[str, list[SystemCall]] = {}
    for name, family in sorted(index().items()):
        call = declaration(name)
        if call is not None and name in stubs and name not in _ENDING:
            families.setdefault(family, []).append(call)
    return families


class Script:
    """What one program does: its memory, and calls with arguments."""

    def __init__(self, random: Random, word: int) -> None:
        self._random = random
        self._word = word
        families = callable_calls()
        favourite = random.choice(sorted(families))
        everything = [call for calls in families.values() for call in calls]
        chosen = [random.choice(families[favourite] if random.random() < 0.6 else everything) for _ in range(CALLS)]
        self.calls = [(call, [self._argument(each) for each in call.parameters]) for call in chosen]
        self.description = f"{8 * word}-bit, mostly {favourite}"

    def to_bytes(self) -> bytes:
        """As the program reads it."""
        data = struct.pack("<II", SIZE, len(self.calls)) + self._memory()
        for call, arguments in self.calls:
            padded = [value & _ALL for value in arguments] + [self._number() & _ALL] * 20
            data += _CALL.pack(call.name.encode(), len(arguments), 0, *padded[:20])
        return data

    def _argument(self, parameter: Parameter) -> int:
        random = self._random
        if random.random() < 0.03:
            return random.choice((self._number, self._pointer, self._handle))()
        if parameter.direction == "handle":
            return self._handle()
        if parameter.direction == "string":
            return MEMORY + _STRINGS + 16 * random.randrange(_COUNT)
        if parameter.direction == "attributes":
            return MEMORY + _ATTRIBUTES + 48 * random.randrange(_COUNT)
        if parameter.direction in ("in", "cell"):
            return self._pointer()
        if parameter.kind.name == "HANDLE":
            return self._handle()
        if parameter.kind.name in ("PVOID", "ULONG_PTR"):
            return self._pointer() if random.random() < 0.7 else self._number()
        if "lass" in parameter.name:
            return random.randrange(120)
        if "ength" in parameter.name or "ize" in parameter.name:
            return random.choice((0, 4, 8, 16, 24, 32, 40, 48, 56, 64, 72, 104, 0x100, 0x1000, 0x10000, self._number()))
        return self._number()

    def _number(self) -> int:
        random = self._random
        roll = random.random()
        if roll < 0.6:
            return random.randrange(17)
        if roll < 0.75:
            return (1 << random.randrange(64)) - random.randrange(2)
        if roll < 0.85:
            return random.choice((-1, -2, -3, -4, -10_000, -(1 << 31), 1 << 31, 0xFFFF, 0x10000, 0x7FFFFFFF, 0x1F0003))
        return random.getrandbits(random.choice((8, 16, 24, 32, 64)))

    def _handle(self) -> int:
        random = self._random
        roll = random.random()
        if roll < 0.75:
            return 4 * random.randrange(1, 80)
        if roll < 0.85:
            return random.choice((-1, -2, -4, -5, -6))
        return random.choice((0, 0x10020, 0x10022, 0x20024, -3, 0xFFFF, self._number()))

    def _pointer(self) -> int:
        random = self._random
        roll = random.random()
        if roll < 0.75:
            return MEMORY + (random.randrange(_FREE, SIZE) & -random.choice((1, 4, 8, 16)))
        if roll < 0.85:
            return MEMORY + random.choice((_STRINGS, _ATTRIBUTES)) + 16 * random.randrange(_COUNT)
        if roll < 0.93:
            return 0
        end = MEMORY + SIZE
        return random.choice((end - random.randrange(40), end, 0x7FFE0000, 1, 0xFFFF8000_00000000, -1, -8, 0x6FFFFFF0))

    def _memory(self) -> bytes:
        random = self._random
        mask = (1 << 8 * self._word) - 1
        memory = bytearray(SIZE)
        for at in range(0, SIZE, 8):
            memory[at : at + 8] = (self._cell() & _ALL).to_bytes(8, "little")
        at = _TEXTS
        texts = []
        for name in _NAMES:
            text = encode_wide(name)
            texts.append((at, len(text)))
            memory[at : at + len(text) + 2] = text + b"\0\0"
            at += (len(text) + 17) & -16
        assert at <= _FREE
        for i in range(_COUNT):
            where, length = random.choice(texts)
            if random.random() < 0.05:
                length = random.choice((1, 0xFFFF, 0xFFFE, 3))
            string = UNICODE_STRING(Length=length, MaximumLength=length, Buffer=MEMORY + where).pack(self._word)
            memory[_STRINGS + 16 * i : _STRINGS + 16 * i + len(string)] = string
            attributes = OBJECT_ATTRIBUTES(
                Length=OBJECT_ATTRIBUTES.size(self._word),
                RootDirectory=self._handle() & mask if random.random() < 0.2 else 0,
                ObjectName=MEMORY + _STRINGS + 16 * random.randrange(_COUNT) if random.random() < 0.9 else 0,
                Attributes=random.choice((0, 0x40, 0x40, 0x80, 0x100, 0x200, random.getrandbits(10))),
                SecurityDescriptor=self._pointer() & mask if random.random() < 0.1 else 0,
            ).pack(self._word)
            memory[_ATTRIBUTES + 48 * i : _ATTRIBUTES + 48 * i + len(attributes)] = attributes
        return bytes(memory)

    def _cell(self) -> int:
        random = self._random
        roll = random.random()
        if roll < 0.35:
            return 0
        if roll < 0.6:
            return self._number()
        if roll < 0.75:
            return self._number() & 0xFFFF_FFFF | (self._number() & 0xFFFF_FFFF) << 32
        if roll < 0.9:
            return self._pointer()
        return self._handle() if roll < 0.95 else -random.randrange(1, 100_000)


class Scripts:
    """The cases of a seed (as ``corpus.Corpus``)."""

    def __init__(self, seed: int, word: int) -> None:
        self.seed = seed
        self._word = word
        self._entry = Entry("calls", program(word))
        self._data = self._entry.program.read_bytes()

    def case(self, index: int) -> Damaged:
        """Case number ``index``."""
        return self._made(index, Script(Random(f"{self.seed}:{index}"), self._word))

    def _made(self, index: int, script: Script) -> Damaged:
        files = ((self._entry.program.name, self._data), ("script", script.to_bytes()))
        return Damaged(index, self._entry, files, script.description)

    def sound(self) -> Damaged:
        """A program that asks for nothing, for a first run."""
        script = Script(Random(0), self._word)
        script.calls.clear()
        return self._made(-1, script)


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.system_calls", description=__doc__)
    parser.add_argument("--count", type=int, default=1000, help="how many programs (default: 1000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--word", type=int, choices=(4, 8), default=8, help="8: 64-bit programs (default); 4: 32-bit")
    parser.add_argument("--first", type=int, default=0, metavar="I", help="begin with case I")
    parser.add_argument("--only", type=int, metavar="I", help="run case I alone and say what it does")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--limit", type=float, default=8.0, metavar="S", help="stop programs that run longer")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where failures are kept")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every case")
    options = parser.parse_args(arguments)

    scripts = Scripts(options.seed, options.word)
    tally = Tally(scripts, options.output, f"python -m tests.fuzz.system_calls --word {options.word}")
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lsw-fuzz-") as scratch:
        launcher = Launcher(Path(scratch), limit=options.limit, jobs=max(options.jobs, 1))
        ending = launcher.prepare(scripts.sound())
        if judge(ending).failure or ending.exit_code:
            print(f"a program that asks for nothing ends with {ending.exit_code}\n{ending.stderr}", file=sys.stderr)
            return 2
        indices = range(options.first, options.first + options.count)
        if options.only is not None:
            indices = range(options.only, options.only + 1)
        run(launcher, tally, indices, verbose=options.verbose or options.only is not None)
    print(tally.report(time.monotonic() - began), end="")
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
