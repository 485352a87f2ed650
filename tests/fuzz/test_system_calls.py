"""A slice of `make fuzz-calls`: programs that make random system calls."""

from __future__ import annotations

from pathlib import Path
from random import Random

import pytest

from lswd.nt.declare import DECLARED
from tests.fuzz import system_calls
from tests.fuzz.system_calls import CALLS, Script, callable_calls, main

CASES_EACH = 12


def test_the_same_seed_makes_the_same_script() -> None:
    first, second, other = (Script(Random(seed), 8).to_bytes() for seed in (3, 3, 4))
    assert first == second
    assert first != other


def test_every_call_with_a_stub_is_made_sooner_or_later() -> None:
    everything = {call.name for calls in callable_calls().values() for call in calls}
    made = {call.name for seed in range(60) for call, _ in Script(Random(seed), 8).calls}
    assert len(everything) > 300
    assert len(everything - made) < len(everything) // 50
    assert CALLS == len(Script(Random(1), 4).calls)


def test_a_bug_is_noticed(tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*arguments: object) -> int:
        raise IndexError("on purpose")

    monkeypatch.setattr(DECLARED["NtCreateEvent"], "handler", broken)
    monkeypatch.setattr(system_calls, "callable_calls", lambda: {"event": [DECLARED["NtCreateEvent"]]})
    assert 1 == main(["--count", "1", "--jobs", "1", "--output", str(tmp_path)])
    assert "on purpose" in capsys.readouterr().out


@pytest.mark.parametrize("word", [8, 4])
def test_whatever_is_asked_for_is_answered(word: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["--count", str(CASES_EACH), "--word", str(word), "--jobs", "1", "--output", str(tmp_path)])
    output = capsys.readouterr().out
    assert 0 == code, output
    assert f"{CASES_EACH} damaged programs" in output
