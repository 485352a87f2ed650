"""How long hello.exe takes through a real /dev/lsw, as a ratio to an embedded launch, inside User-Mode Linux.

    python bench/launch_device.py [--runs N] [--alone]

All run on the engine that works there, by turns. The daemon's session is warm; between launches there is a pause, as
between two commands that a person types.
"""

from __future__ import annotations

import argparse
import statistics
import sys

from setting import ROOT, hello

sys.path.insert(0, str(ROOT))

from tests.guest.ways import lswrun
from tests.vm.daemon import start_lswd
from tests.vm.machine import USER, Machine, missing_packages

BY_LSWRUN = "lswrun, "  # lswctl as installed, before the way it takes
WAYS = ("embedded", "device", "socket", BY_LSWRUN + "device", BY_LSWRUN + "socket")
CLIENT = f"""
import os, subprocess, sys, time
lswrun, program, runs, *ways = sys.argv[1:]
BY_LSWRUN = {BY_LSWRUN!r}
for run in range(int(runs) + 1):
    for way in ways:
        time.sleep(5)
        command = [sys.executable, "-m", "lswctl", "launch", program]
        if way.startswith(BY_LSWRUN):
            command = [lswrun, program]
        environment = os.environ | dict(LSW_VIA=way.removeprefix(BY_LSWRUN))
        start = time.monotonic()
        done = subprocess.run(command, env=environment, capture_output=True)
        assert done.returncode == 0 and b"ello" in done.stdout, done
        if run:  # the first makes the session, and the machine's caches
            print(way, time.monotonic() - start, flush=True)
"""


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=9)
    parser.add_argument(
        "--alone", action="store_true", help="as on a machine with nothing else to do: with real-time priority"
    )
    options = parser.parse_args()
    runs = options.runs
    if missing := missing_packages():
        raise SystemExit(f"not installed: {' '.join(missing)} (setup/setup.sh test installs them)")
    program = hello()
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    with Machine(readable=[program], alone=options.alone) as machine:
        start_lswd(machine, "lsw")
        environment = {"LSW_ENGINE": "unicorn", "LSW_SOCKET": "/run/lsw/lsw.sock"}
        words = [str(lswrun()), str(program), str(runs), *WAYS]
        result = machine.python(CLIENT, *words, user=USER, environment=environment, timeout=100 + 100 * runs)
    if result.code:
        raise SystemExit(result.output)
    for line in result.output.splitlines():
        way, _, seconds = line.rpartition(" ")
        times[way].append(float(seconds))
    print(f"hello.exe from start to exit inside User-Mode Linux, median of {runs}")
    for way, seconds in times.items():
        ratios = [one / other for one, other in zip(seconds, times["embedded"], strict=True)]
        print(f"  {way:16} {statistics.median(seconds) * 1e3:8.0f} ms   {statistics.median(ratios):5.2f} embedded")


if __name__ == "__main__":
    main()
