"""The long runs against lswd on a real /dev/lsw, inside the machine; test_stress.py has a short slice of each.

    python -m tests.vm.stress crowd [--clients 64] [--calls 1000] [--seed 1]
    python -m tests.vm.stress fuzz [--count 100000] [--seed 1]
    python -m tests.vm.stress storm [--rounds 200] [--seed 1]
    python -m tests.vm.stress ways [-k EXPRESSION]
"""

from __future__ import annotations

import argparse
import re
import shlex
import sys
import time

from tests.guest.build import build as build_guest
from tests.guest.ways import PROGRAM, lswrun
from tests.vm.build import build, build_windows
from tests.vm.daemon import Usage, start_lswd, usage
from tests.vm.machine import ROOT, USER, Job, Machine

FUZZERS = 4
MOST_GROWTH = 2048
"""Kilobytes by which the daemon may have grown when a crowd has gone that was not its first."""


def _settled(vm: Machine, device: str) -> Usage:
    """The usage once it stays the same: a session that is left alone gets a process ready for the next program."""
    last, now = None, usage(vm, device)
    while last != {whose: what["files"] for whose, what in now.items()}:
        last = {whose: what["files"] for whose, what in now.items()}
        time.sleep(3)
        now = usage(vm, device)
    return now


def crowd(vm: Machine, clients: int, calls: int, seed: int, device: str = "crowded") -> str:
    """So many clients at once, each of which makes so many ioctls. Returns a report.

    Raises AssertionError: one was not answered, or wrongly, or the daemon keeps memory or descriptors of theirs.
    """
    daemon = start_lswd(vm, device)
    line = f"{build(vm, 'lsw_crowd')} /dev/{device} {clients}"
    # What the first clients leave behind is what the daemon needs anyway.
    result = vm.run(f"{line} {min(calls, 50)} {seed + 1}", user=USER, timeout=600)
    assert 0 == result.code, result.output
    before = _settled(vm, device)
    start = time.monotonic()
    result = vm.run(f"{line} {calls} {seed}", user=USER, timeout=60 + clients * calls / 20)
    seconds = time.monotonic() - start
    assert 0 == result.code, result.output
    made = int(re.fullmatch(r"(\d+) ioctls\n", result.output)[1])  # type: ignore[index]
    assert made >= clients * calls
    after = _settled(vm, device)
    lines = [f"{made} ioctls of {clients} clients, all answered, none wrong: {seconds:.0f} s"]
    _check_usage(before, after, lines)
    _check_log(daemon)
    daemon.kill()
    return "\n".join(lines)


def _check_usage(before: Usage, after: Usage, lines: list[str]) -> None:
    for whose in before:
        lines += [f"{whose} {what}: {before[whose][what]} before, {after[whose][what]} after" for what in before[whose]]
    for whose in before:
        assert after[whose]["files"] == before[whose]["files"], "\n".join(lines)
        assert after[whose]["pss"] - before[whose]["pss"] <= MOST_GROWTH, "\n".join(lines)


def _check_log(daemon: Job) -> None:
    """It lives, and nothing has gone wrong in it that it knows of."""
    assert daemon.code is None, daemon.output
    assert not re.search(r"error|failed", daemon.output), daemon.output


def fuzz(vm: Machine, count: int, seed: int, device: str = "fuzzed") -> str:
    """So many random and mutated ioctls of an ordinary user. Returns a report.

    Raises AssertionError: one was not answered, or the daemon has suffered.
    """
    daemon = start_lswd(vm, device)
    line = f"{build(vm, 'lsw_fuzz')} /dev/{device} {FUZZERS}"
    result = vm.run(f"{line} {min(count, 2000)} {seed + 1}", user=USER, timeout=600)
    assert 0 == result.code, result.output
    before = _settled(vm, device)
    start = time.monotonic()
    result = vm.run(f"{line} {count} {seed}", user=USER, timeout=60 + count / 20)
    lines = [*result.output.splitlines(), f"{time.monotonic() - start:.0f} s"]
    assert 0 == result.code, result.output
    assert f"{count // FUZZERS * FUZZERS} ioctls" == lines[0]
    _check_usage(before, _settled(vm, device), lines)
    for user in (USER, USER + 1):  # the same user, and another
        result = vm.run(f"{build(vm, 'lsw_crowd')} /dev/{device} 4 100 1", user=user, timeout=100)
        assert 0 == result.code, result.output
    _check_log(daemon)
    daemon.kill()
    return "\n".join(lines)


def storm(vm: Machine, rounds: int, seed: int, device: str = "stormy") -> str:
    """So many times somebody is killed: a client, a part of a session, a program, the daemon. Returns a report.

    Raises AssertionError: somebody hung, or got a wrong answer, or was not served afterwards.
    """
    words = [device, build(vm, "lsw_crowd"), build(vm, "loader"), build_windows(vm)]
    line = shlex.join([sys.executable, "-m", "tests.vm.storm", *words, f"--rounds={rounds}", f"--seed={seed}"])
    start = time.monotonic()
    result = vm.run(f"mkdir -p /run/lsw; exec {line}", timeout=100 + 10 * rounds)
    assert 0 == result.code, result.output
    return f"{result.output}{time.monotonic() - start:.0f} s"


def ways(vm: Machine, which: str) -> str:
    """The tests of launches (tests/guest/test_ways.py) through a real device, inside the machine. Returns their report.

    Args:
        which: pytest's -k, besides "device".

    Raises AssertionError: one has failed.
    """
    build_guest(PROGRAM)  # inside, nothing can be built
    lswrun()
    daemon = start_lswd(vm, "lsw")
    # A group of its own whose leader's parent is in this session: elsewhere SIGTSTP stops nobody.
    group = "import subprocess, sys; sys.exit(subprocess.call(sys.argv[1:], process_group=0))"
    tests = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "tests/guest/test_ways.py", "-k", f"device and ({which})"]
    line = shlex.join([sys.executable, "-c", group, sys.executable, *tests])
    environment = {"LSW_TEST_REAL_DEVICE": "1", "LSW_ENGINE": "unicorn"}
    result = vm.run(f"cd {shlex.quote(str(ROOT))}; exec {line}", user=USER, environment=environment, timeout=600)
    assert 0 == result.code, result.output
    _check_log(daemon)
    daemon.kill()
    return result.output


def main() -> None:
    """Make one of the runs."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    runs = parser.add_subparsers(required=True)
    run = runs.add_parser("crowd", help="many clients at once")
    run.add_argument("--clients", type=int, default=64)
    run.add_argument("--calls", type=int, default=1000)
    run.add_argument("--seed", type=int, default=1)
    run.set_defaults(run=lambda vm, given: crowd(vm, given.clients, given.calls, given.seed))
    run = runs.add_parser("fuzz", help="random and mutated ioctls")
    run.add_argument("--count", type=int, default=100_000)
    run.add_argument("--seed", type=int, default=1)
    run.set_defaults(run=lambda vm, given: fuzz(vm, given.count, given.seed))
    run = runs.add_parser("storm", help="everybody is killed now and then")
    run.add_argument("--rounds", type=int, default=200)
    run.add_argument("--seed", type=int, default=1)
    run.set_defaults(run=lambda vm, given: storm(vm, given.rounds, given.seed))
    run = runs.add_parser("ways", help="tests/guest/test_ways.py through the device")
    run.add_argument("-k", default="way", help="which of them")
    run.set_defaults(run=lambda vm, given: ways(vm, given.k))
    given = parser.parse_args()
    with Machine() as vm:
        print(given.run(vm, given))


if __name__ == "__main__":
    main()
