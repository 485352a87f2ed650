"""Which engine ``auto`` takes, how that is found out, and what is remembered of a jail that does not answer."""

from __future__ import annotations

import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from lswctl.__main__ import main
from lswd.cpu import select, silence, trial
from lswd.cpu.engine import EngineError
from lswd.cpu.jail import child, layout, lock
from lswd.cpu.jail.engine import JailEngine
from lswd.cpu.jail.thread import JailThread
from lswd.cpu.select import engine_factory
from lswd.memory.space import AddressSpace
from tests.unit.jail_attack import stub

if TYPE_CHECKING:
    from lswd.cpu.engine import SystemCallHandler


@pytest.fixture(autouse=True)
def _fresh(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setenv("LSW_PREFIX", str(tmp_path / "prefix"))
    monkeypatch.setattr(select, "_reason", "")
    monkeypatch.setattr(select, "_reason32", "")


def auto(word: int = 8) -> str:
    """The name of the engine that is taken."""
    space = AddressSpace(word)
    engine = engine_factory("auto")(space)
    engine.close()
    space.close()
    return engine.name


def hang(monkeypatch: pytest.MonkeyPatch) -> None:
    """The jailed process begins with an endless loop."""
    start = int.from_bytes(stub()[0x18:0x20], "little") & 0xFFF
    code = stub()[:start] + b"\xeb\xfe" + stub()[start + 2 :]
    monkeypatch.setattr(child, "stub_code", lambda: code)
    monkeypatch.setattr(child, "_START_SECONDS", 0.2)


def another_process() -> None:
    """Another launch, which knows only what is written down."""
    select.forget()


def test_a_jail_that_hangs_is_given_up_and_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        hang(patch)
        assert "unicorn" == auto()
        assert "the jail does not start here: no answer" == select.why_not()
    another_process()
    started = time.monotonic()
    assert "unicorn" == auto()
    assert "the jail does not start here: no answer" == select.why_not()
    assert time.monotonic() - started < child._START_SECONDS


def test_it_is_tried_again_after_a_minute_and_later_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [1000.0]
    monkeypatch.setattr(time, "clock_gettime", lambda clock: now[0])
    silence.note("no answer")
    now[0] += 59
    assert "no answer" == silence.recall()
    now[0] += 2
    assert "" == silence.recall()
    silence.note("no answer")
    now[0] += 599
    assert "no answer" == silence.recall()
    now[0] += 2
    assert "" == silence.recall()


def test_nothing_is_remembered_when_the_host_has_started_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    silence.note("no answer")
    monkeypatch.setattr(silence, "_boot", lambda: "another")
    assert "" == silence.recall()


@pytest.mark.parametrize("text", ["", "1", "a\nb\nc\nd", "\n\n\n\n", "\0" * 5000])
def test_rubbish_is_nothing_to_remember(text: str, tmp_path: Path) -> None:
    silence.note("no answer")
    (tmp_path / "lsw" / "no-jail").write_text(text)
    assert "" == silence.recall()
    silence.forget()


def test_doctor_tries_it_again_and_says_what_it_found(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    silence.note("the jail does not start here: no answer")
    assert "unicorn" == auto()
    another_process()
    assert 0 == main(["doctor"])
    shown = capsys.readouterr().out
    assert "ok       engine jail: works\n" in shown
    assert "ok       engine auto: takes jail\n" in shown
    another_process()
    with monkeypatch.context() as patch:
        hang(patch)
        assert 0 == main(["doctor"])
    shown = capsys.readouterr().out
    assert "note     engine jail: the jail does not start here: no answer\n" in shown
    assert "ok       engine auto: takes unicorn, because the jail does not start here: no answer\n" in shown


def test_a_filter_that_stops_nothing_is_noticed_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    allow = bytes.fromhex("06000000") + (0x7FFF0000).to_bytes(4, "little")
    monkeypatch.setattr(lock, "program", lambda: allow)
    with pytest.raises(EngineError, match="a forbidden system call is not stopped"):
        JailEngine(AddressSpace())


@pytest.mark.parametrize("word", [8, 4])
@pytest.mark.parametrize("name", ["jail", "unicorn"])
def test_each_engine_passes_its_trial(name: str, word: int) -> None:
    trial.trial(engine_factory(name), word)


def test_a_trial_tells_what_does_not_work(monkeypatch: pytest.MonkeyPatch) -> None:
    code = trial._instructions
    monkeypatch.setattr(trial, "_instructions", lambda handoff, word: code(handoff, word)[:-4] + b"\xeb\xfe\xeb\xfe")
    monkeypatch.setattr(JailEngine, "_signal", lambda *arguments: 2)
    with pytest.raises(EngineError, match="a fault is not noticed"):
        trial.trial(_interrupted_at_once, 8)
    monkeypatch.undo()
    monkeypatch.setattr(JailEngine, "_calls", lambda self, thread, handler: layout.STATE_GONE)
    with pytest.raises(EngineError, match="a system call does not reach the kernel"):
        trial.trial(JailEngine, 8)


def _interrupted_at_once(space: AddressSpace) -> JailEngine:
    """An engine that somebody interrupts all the time."""
    engine = JailEngine(space)

    def interrupt() -> None:
        for _ in range(20):
            time.sleep(0.02)
            engine.interrupt()

    threading.Thread(target=interrupt, daemon=True).start()
    return engine


def test_an_interrupt_that_comes_too_early_does_not_make_a_trial_endless(monkeypatch: pytest.MonkeyPatch) -> None:
    run = JailEngine.run

    def late(self: JailEngine, thread: JailThread, handler: SystemCallHandler) -> int:
        time.sleep(5 * trial._SECONDS)
        return run(self, thread, handler)

    monkeypatch.setattr(JailEngine, "run", late)
    trial.trial(JailEngine, 8)
