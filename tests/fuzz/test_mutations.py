"""The fuzzer itself: the same seed damages the same way, and an ending is judged as the README promises."""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path
from random import Random

import pytest

from tests.fuzz.corpus import Corpus, from_paths
from tests.fuzz.launcher import Ending, judge
from tests.fuzz.mutations import MUTATIONS, Specimen, mutate
from tests.fuzz.sandbox import confine, version
from tests.unit.pe_builder import CODE, DATA, build_pe
from tests.unit.pe_tables import ImportTable, build_module, export_body

STACK_IN_ENGINE = '\n  File "/lswd/cpu/unicorn/engine.py", line 5 in run\n  File "/a.py", line 1 in main\n'
STACK_IN_PARSER = '\n  File "/lswd/image/pe.py", line 9 in parse\n  File "/lswd/cpu/a.py", line 1 in run\n'


def specimen() -> Specimen:
    table = ImportTable()
    table.add("a.dll", ["f", 3])
    return Specimen(bytes(build_module(export_body([0x1800], [("f", 0)]), table)))


def test_the_same_seed_damages_in_the_same_way() -> None:
    for seed in range(50):
        assert mutate(specimen(), Random(seed)) == mutate(specimen(), Random(seed))


def test_seeds_damage_in_many_ways() -> None:
    damaged = {mutate(specimen(), Random(seed))[0] for seed in range(300)}
    assert len(damaged) > 250


@pytest.mark.parametrize("mutation", [mutation for mutation, _ in MUTATIONS], ids=lambda m: str(m.__name__))
def test_each_kind_of_damage_changes_files_and_says_what_it_did(mutation) -> None:  # type: ignore[no-untyped-def]
    sound = specimen()
    changed = 0
    for seed in range(40):
        data = bytearray(sound.data)
        assert mutation(data, sound, Random(seed))
        changed += data != sound.data
    assert changed > 20


@pytest.mark.parametrize("mutation", [mutation for mutation, _ in MUTATIONS], ids=lambda m: str(m.__name__))
@pytest.mark.parametrize("left", [0, 1, 100, 0x190])
def test_each_kind_of_damage_can_follow_a_truncation(mutation, left: int) -> None:  # type: ignore[no-untyped-def]
    for seed in range(40):
        mutation(bytearray(specimen().data[:left]), specimen(), Random(seed))


def test_files_of_all_shapes_can_be_damaged() -> None:
    for sound in (build_pe(()), build_pe(((".bss", b"", 0x1000, DATA),)), build_pe(((".text", b"\xc3", 0, CODE),))):
        for seed in range(60):
            mutate(Specimen(bytes(sound)), Random(seed))


def test_a_case_can_be_made_again_by_its_number(tmp_path: Path) -> None:
    (tmp_path / "a.exe").write_bytes(specimen().data)
    (tmp_path / "b.dll").write_bytes(specimen().data)
    first, second = (Corpus(from_paths([tmp_path / "a.exe"]), 7) for _ in range(2))
    cases = [first.case(index) for index in range(30)]
    assert cases[::-1] == [second.case(index) for index in reversed(range(30))]
    assert {("a.exe", "b.dll")} == {tuple(name for name, _ in case.files) for case in cases}
    damaged = {name for case in cases for name, data in case.files if data != specimen().data}
    assert {"a.exe", "b.dll"} == damaged


def ending(code: int = 0, stderr: str = "", **more: object) -> Ending:
    values: dict[str, object] = {"exit_code": code, "stderr": stderr, "peak": 50 << 20} | more
    return Ending(**values)  # type: ignore[arg-type]


JUDGED: dict[str, tuple[Ending, str, bool]] = {
    "success": (ending(0, "the program's own words\n"), "ran", False),
    "a code of its own": (ending(42), "ran", False),
    "a crash of the guest": (ending(5, "lswctl: a.exe: it crashed\n"), "ran", False),
    "a refusal": (ending(123, "lswctl: a.exe: damaged: ...\n"), "refused", False),
    "a guest's own 123": (ending(123, ""), "ran", False),
    "two lines of refusal": (ending(123, "lswctl: a.exe: damaged\nand more\n"), "refused", True),
    "an internal error": (ending(125, "lswctl: a.exe: internal error: x\n"), "internal error", True),
    "a guest's own 125": (ending(125, "hello\n"), "ran", False),
    "a traceback": (ending(1, "Traceback (most recent call last):\n  x\nKeyError: 5\n"), "traceback", True),
    "a signal": (ending(-signal.SIGSEGV), "crash", True),
    "much memory": (ending(0, peak=(1 << 30) + 1), "memory", True),
    "a loop in the guest": (ending(-15, stopped="after 8 s", stacks=(STACK_IN_PARSER, STACK_IN_ENGINE)),
                            "ran, stopped by us", False),
    "a loop in lswctl": (ending(-15, stopped="after 8 s", stacks=(STACK_IN_PARSER,) * 3), "hang", True),
    "no end at SIGTERM": (ending(-9, stopped="after 8 s", ended_at_sigterm=False), "hang", True),
    "stopped, stack unknown": (ending(-15, stopped="after 8 s"), "ran, stopped by us", False),
}  # fmt: skip


@pytest.mark.parametrize("case", JUDGED)
def test_an_ending_is_judged(case: str) -> None:
    end, outcome, failed = JUDGED[case]
    verdict = judge(end)
    assert (outcome, failed) == (verdict.outcome, bool(verdict.failure))


def test_a_confined_process_writes_nowhere_else(tmp_path: Path) -> None:
    inside, outside = tmp_path / "inside", tmp_path / "outside"
    inside.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("kept")
    pid = os.fork()
    if not pid:
        code = 1
        try:
            confine(str(inside))
            (inside / "new").write_text("new")
            with open("/dev/null", "w") as null:
                null.write("x")
            refused = 0
            for attempt in (
                lambda: (outside / "new").write_text("new"),
                lambda: (outside / "kept").write_text("changed"),
                (outside / "kept").unlink,
                (outside / "folder").mkdir,
            ):
                try:
                    attempt()
                except PermissionError:
                    refused += 1
            code = 0 if refused == 4 else 2
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert "new" == (inside / "new").read_text()
    if version():
        assert 0 == code
        assert ["kept"] == os.listdir(outside)
    else:
        assert code != 1, sys.platform
