"""The programs that are damaged: the guest suite's, with the arguments they are run with there, or given ones."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import Protocol

from tests.fuzz.mutations import Specimen, mutate


@dataclass(frozen=True)
class Entry:
    """A program, how it is started, and the DLLs of ours beside it."""

    name: str
    program: Path
    args: tuple[str, ...] = ()
    stdin: bytes = b""
    files: tuple[tuple[str, bytes], ...] = ()
    libraries: tuple[Path, ...] = ()


@dataclass(frozen=True)
class Damaged:
    """One case: what to put where, and what was damaged."""

    index: int
    entry: Entry
    files: tuple[tuple[str, bytes], ...]
    """The program (first) and its DLLs, one of them damaged."""
    description: str


class Cases(Protocol):
    """The cases of a seed, by their numbers."""

    seed: int

    def case(self, index: int) -> Damaged:
        """Case number ``index``."""
        ...


def from_paths(paths: list[Path]) -> list[Entry]:
    """Programs given by their paths, started without arguments."""
    return [Entry(path.name, path, libraries=_libraries(path)) for path in paths]


def guest_programs() -> list[Entry]:
    """Every case of the guest suite, its program compiled now if need be."""
    from tests.guest.build import build
    from tests.guest.cases import CASES

    entries = []
    for case in CASES:
        program = build(case.program)
        files = tuple((name, content() if callable(content) else content) for name, content in case.files)
        entries.append(Entry(case.name, program, case.args, case.stdin, files, _libraries(program)))
    return sorted(entries, key=lambda entry: entry.name)


def _libraries(program: Path) -> tuple[Path, ...]:
    return tuple(sorted(program.parent.glob("*.dll")))


class Corpus:
    """Makes the damaged files of a seed, one by one, in any order."""

    def __init__(self, entries: list[Entry], seed: int) -> None:
        self.entries = entries
        self.seed = seed
        self._specimens: dict[Path, Specimen] = {}

    def _specimen(self, path: Path) -> Specimen:
        if path not in self._specimens:
            self._specimens[path] = Specimen(path.read_bytes())
        return self._specimens[path]

    def case(self, index: int) -> Damaged:
        """The damaged program number ``index``."""
        random = Random(f"{self.seed}:{index}")
        entry = self.entries[random.randrange(len(self.entries))]
        paths = [entry.program, *entry.libraries]
        victim = entry.program
        if entry.libraries and random.random() < 0.3:
            victim = random.choice(entry.libraries)
        damaged, description = mutate(self._specimen(victim), random)
        files = tuple([(path.name, damaged if path == victim else self._specimen(path).data) for path in paths])
        return Damaged(index, entry, files, f"{entry.name}: {victim.name}: {description}")

    def sound(self, entry: Entry) -> Damaged:
        """``entry`` as it is, for a first run."""
        paths = [entry.program, *entry.libraries]
        return Damaged(-1, entry, tuple((path.name, path.read_bytes()) for path in paths), f"{entry.name}: sound")
