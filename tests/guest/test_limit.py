"""``--limit``: a program and all that it starts use no more, see it, and the user hears of it."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .build import build
from .cases import Program
from .ways import COMPLETE, LIMIT, Way, daemon

LIMITS = Program("limits", ("launch/limits.c",))
REFUSED = 7
TIME_IS_UP = 1816 & 0xFF  # ERROR_NOT_ENOUGH_QUOTA


@pytest.fixture(params=["x86_64", "i386"])
def program(request: pytest.FixtureRequest) -> str:
    return str(build(LIMITS, request.param))


def launch(
    lswctl: list[str], prefix: Path, program: str, what: str, *limits: str
) -> subprocess.CompletedProcess[str]:
    command = [*lswctl, "launch", *[f"--limit={limit}" for limit in limits], program, what]
    environment = os.environ | {"LSW_PREFIX": str(prefix)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False, timeout=LIMIT)


@pytest.mark.parametrize("what", ["memory", "sections", "threads", "processes", "job"])
def test_without_limits_there_is_enough(program: str, what: str, lswctl: list[str], lsw_prefix: Path) -> None:
    done = launch(lswctl, lsw_prefix, program, what)
    assert (0, "") == (done.returncode, done.stderr)
    if what == "job":
        assert "in no job\n" in done.stdout


@pytest.mark.parametrize("what", ["memory", "sections"])
def test_memory_ends_where_the_limit_is(program: str, what: str, lswctl: list[str], lsw_prefix: Path) -> None:
    done = launch(lswctl, lsw_prefix, program, what, "memory=100M")
    error, got = done.stdout.splitlines()
    assert "error 1455" == error  # ERROR_COMMITMENT_LIMIT
    assert 80 < int(got.split()[1]) < 100
    assert REFUSED == done.returncode
    assert f"lswctl: {program}: was refused more than 102400 KiB of memory (limit memory)\n" == done.stderr


def test_so_do_threads(program: str, lswctl: list[str], lsw_prefix: Path) -> None:
    done = launch(lswctl, lsw_prefix, program, "threads", "threads=5")
    assert ("threads 4\n", REFUSED) == (done.stdout, done.returncode)
    assert f"lswctl: {program}: was refused more than 5 threads (limit threads)\n" == done.stderr


def test_and_processes_of_all_generations(program: str, lswctl: list[str], lsw_prefix: Path) -> None:
    done = launch(lswctl, lsw_prefix, program, "processes", "processes=3")
    assert ("processes 3\n", REFUSED) == (done.stdout, done.returncode)
    assert f"lswctl: {program}: was refused more than 3 processes (limit processes)\n" == done.stderr


def test_a_program_ends_with_its_processor_time(program: str, lswctl: list[str], lsw_prefix: Path) -> None:
    done = launch(lswctl, lsw_prefix, program, "cpu", "cpu=0.5")
    assert TIME_IS_UP == done.returncode
    assert f"lswctl: {program}: ended: it has used its 0.5 s of processor time (limit cpu)\n" == done.stderr


def test_programs_see_the_limits(program: str, lswctl: list[str], lsw_prefix: Path) -> None:
    done = launch(lswctl, lsw_prefix, program, "job", "memory=1G,cpu=60", "processes=9")
    assert "flags 0x20c memory 1073741824 processes 9 time 600000000" == done.stdout.splitlines()[0]


@pytest.mark.parametrize("name", COMPLETE)
def test_it_can_be_set_in_each_way(name: str, tmp_path: Path) -> None:
    config = tmp_path / "lsw.toml"
    config.write_text('limit = "threads=3"\n')
    program = str(build(LIMITS))
    with daemon() as running:
        way = Way(name, running.environment | {"LSW_CONFIG": str(config)})
        assert b"threads 2" == way.run(program, "threads").stdout.strip()
        way = Way(name, running.environment | {"LSW_CONFIG": str(config), "LSW_LIMIT": "threads=4"})
        done = way.run(program, "threads")
        assert b"threads 3" == done.stdout.strip()
        assert b"was refused more than 4 threads" in done.stderr


def test_a_small_client_passes_it_on_and_tells_as_much() -> None:
    program = str(build(LIMITS))
    with daemon() as running:
        way = Way("lswrun", running.environment | {"LSW_LIMIT": "cpu=0.5"})
        done = way.run(program, "cpu")
        assert TIME_IS_UP == done.returncode
        assert b"it has used its 0.5 s of processor time (limit cpu)" in done.stderr
        done = Way("lswrun", running.environment | {"LSW_LIMIT": "threads=4"}).run(program, "threads")
        assert b"was refused more than 4 threads" in done.stderr


@pytest.mark.parametrize(
    ("limit", "why"),
    [
        ("disk=1G", "limit: memory=..., cpu=..., processes=..., threads=..., not 'disk=1G'"),
        ("memory", "limit: memory=..., cpu=..., processes=..., threads=..., not 'memory'"),
        ("memory=1X", "limit: memory must be a number of bytes, with K, M or G behind it, not '1X'"),
        ("memory=-1", "limit: memory must be a number of bytes, with K, M or G behind it, not '-1'"),
        ("cpu=soon", "limit: cpu must be seconds of processor time, not 'soon'"),
        ("threads=0", "limit: threads must be a number above 0, not '0'"),
    ],
)
def test_a_limit_that_makes_no_sense_is_refused(
    limit: str, why: str, lswctl: list[str], lsw_prefix: Path
) -> None:
    done = launch(lswctl, lsw_prefix, str(build(LIMITS)), "job", limit)
    assert (120, f"lswctl: {why}\n") == (done.returncode, done.stderr)
