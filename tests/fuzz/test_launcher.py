"""The launcher notices everything it is there to notice, shown with programs that misbehave in each way."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fuzz import launcher as launcher_module
from tests.fuzz.corpus import Corpus, Damaged, Entry
from tests.fuzz.launcher import Ending, Launcher, Verdict, judge
from tests.unit.pe_builder import build_pe

SHORT = 0.5


def ends(tmp_path: Path, main: Callable[[list[str]], int], *, limit: float = 20.0) -> Ending:
    case = Damaged(1, Entry("x", tmp_path / "x.exe", ("one",), b"input"), (("x.exe", b"damaged"),), "damaged")
    launcher = Launcher(tmp_path / "scratch", limit=limit, main=main)
    launcher.start(case)
    ((ended, ending),) = launcher.drain()
    assert case is ended
    return ending


def verdict(tmp_path: Path, main: Callable[[list[str]], int], *, limit: float = 20.0) -> Verdict:
    return judge(ends(tmp_path, main, limit=limit))


def test_a_program_is_started_in_a_place_of_its_own(tmp_path: Path) -> None:
    def main(arguments: list[str]) -> int:
        assert "launch" == arguments[0]
        assert b"damaged" == Path(arguments[1]).read_bytes()
        assert ["one"] == arguments[2:]
        assert "input" == sys.stdin.read()
        assert os.getcwd() == os.path.dirname(arguments[1])
        assert os.environ["LSW_PREFIX"].startswith(str(tmp_path))
        Path("made").write_text("made")
        print("words")
        print("more words", file=sys.stderr)
        return 42

    ending = ends(tmp_path, main)
    assert (42, "more words\n", "") == (ending.exit_code, ending.stderr, ending.stopped)
    assert "ran" == judge(ending).outcome


def test_several_run_at_once(tmp_path: Path) -> None:
    def main(arguments: list[str]) -> int:
        return int(arguments[1].rpartition("case-")[2].split("/")[0])

    launcher = Launcher(tmp_path / "scratch", jobs=3, main=main)
    for index in range(3):
        assert not launcher.is_full
        launcher.start(Damaged(index, Entry("x", tmp_path / "x.exe"), (("x.exe", b""),), ""))
    assert launcher.is_full
    assert [(0, 0), (1, 1), (2, 2)] == sorted((case.index, ending.exit_code) for case, ending in launcher.drain())


def test_a_traceback_is_noticed(tmp_path: Path) -> None:
    def main(_arguments: list[str]) -> int:
        raise KeyError("a bug")

    assert Verdict("traceback", "KeyError: 'a bug'") == verdict(tmp_path, main)


def test_a_crash_is_noticed(tmp_path: Path) -> None:
    def main(_arguments: list[str]) -> int:
        os.kill(os.getpid(), signal.SIGSEGV)
        return 0

    assert Verdict("crash", "killed by SIGSEGV") == verdict(tmp_path, main)


def test_an_endless_loop_of_ours_is_noticed(tmp_path: Path) -> None:
    def main(_arguments: list[str]) -> int:
        while True:
            pass

    found = verdict(tmp_path, main, limit=SHORT)
    assert "hang" == found.outcome
    assert "stuck in lswctl" in found.failure
    assert "test_launcher.py" in found.failure


def test_an_endless_loop_that_ignores_sigterm_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def main(_arguments: list[str]) -> int:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        while True:
            time.sleep(0.01)

    monkeypatch.setattr(launcher_module, "SECONDS_TO_END", SHORT)
    found = verdict(tmp_path, main, limit=SHORT)
    assert ("hang", True) == (found.outcome, "SIGTERM" in found.failure)


def test_a_guest_that_waits_for_ever_is_stopped_and_no_failure(tmp_path: Path) -> None:
    waiting = compile("import time\nwhile True: time.sleep(1)", "/x/lswd/kernel/scheduler.py", "exec")

    def main(_arguments: list[str]) -> int:
        exec(waiting)
        return 0

    assert Verdict("ran, stopped by us") == verdict(tmp_path, main, limit=SHORT)


def test_a_guest_that_prints_for_ever_is_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    printing = compile("import os\nwhile True: os.write(1, bytes(4096))", "/x/lswd/cpu/engine.py", "exec")

    def main(_arguments: list[str]) -> int:
        exec(printing)
        return 0

    monkeypatch.setattr(launcher_module, "OUTPUT_LIMIT", 1 << 20)
    ending = ends(tmp_path, main)
    assert "after much output" == ending.stopped
    assert Verdict("ran, stopped by us") == judge(ending)


def test_too_much_memory_is_noticed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launcher_module, "MEMORY_LIMIT", 256 << 20)

    def main(_arguments: list[str]) -> int:
        return len(b"x" * (300 << 20)) & 1

    assert "memory" == verdict(tmp_path, main).outcome


def test_the_damaged_program_of_a_case_is_what_runs(tmp_path: Path) -> None:
    (tmp_path / "x.exe").write_bytes(build_pe())
    case = Corpus([Entry("x", tmp_path / "x.exe")], 1).case(5)

    def main(arguments: list[str]) -> int:
        return 0 if Path(arguments[1]).read_bytes() == case.files[0][1] else 1

    launcher = Launcher(tmp_path / "scratch", main=main)
    launcher.start(case)
    assert [0] == [ending.exit_code for _, ending in launcher.drain()]
