"""How long hello.exe takes from start to exit, as a ratio to Wine's in the same run, and where the time goes.

    python bench/launch.py [--runs N]

Machines are noisy: quote the ratio, not the milliseconds. Wine runs with its wineserver kept resident, its best case.
Runs alternate, so a drift of the machine hits both. The split comes from ``lswctl launch --json``; "interpreter" is
what is left of the wall time: Python's own start, imports and exit.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HELLO = ROOT / "build" / "hello.exe"


def build() -> None:
    """Compile the example when it is not there."""
    if not HELLO.exists():
        HELLO.parent.mkdir(exist_ok=True)
        source = ROOT / "examples" / "hello.c"
        subprocess.run(["x86_64-w64-mingw32-gcc", "-O2", "-o", HELLO, source], check=True)


def once(command: list[str], environment: dict[str, str]) -> tuple[float, str]:
    """Wall seconds of one run, and what it wrote to standard error.

    Output goes to files: Wine's daemons inherit it, and a pipe would not end before they do.
    """
    with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
        started = time.perf_counter()
        subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=output, stderr=errors, check=True)
        seconds = time.perf_counter() - started
        errors.seek(0)
        return seconds, errors.read()


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=15)
    runs = parser.parse_args().runs
    build()
    wine = shutil.which("wine64") or shutil.which("wine")
    with tempfile.TemporaryDirectory(prefix="lsw-bench") as scratch:
        # Byte code caching is part of an installed program; some development machines switch it off.
        environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"}
        environment |= {"LSW_PREFIX": f"{scratch}/lsw", "WINEPREFIX": f"{scratch}/wine", "WINEDEBUG": "-all"}
        ours = [sys.executable, "-m", "lswctl", "launch", "--json", str(HELLO)]
        environment["PYTHONPATH"] = str(ROOT)
        theirs = [wine, str(HELLO)] if wine else None
        server = next((p for p in ("/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver") if os.path.exists(p)), "")
        server = server or shutil.which("wineserver") or ""
        if theirs and server:
            print("making Wine's prefix (once, takes a while)", file=sys.stderr)
            once(theirs, environment)
            # A server that runs already cannot be made to stay: end it, wait for that, start one that stays.
            subprocess.run([server, "-k", "-w"], env=environment, check=False)
            subprocess.run([server, "-w"], env=environment, check=False)
            subprocess.run([server, "-p"], env=environment, check=True)
        try:
            once(ours, environment)
            mine, other, phases = [], [], []
            for _ in range(runs):
                wall, text = once(ours, environment)
                mine.append(wall)
                phases.append((wall, json.loads(text.strip().splitlines()[-1])["seconds"]))
                if theirs:
                    other.append(once(theirs, environment)[0])
            bare = [once([sys.executable, "-c", "pass"], environment)[0] for _ in range(runs)]
        finally:
            if theirs and server:
                subprocess.run([server, "-k"], env=environment, check=False)
    report(mine, other, phases, bare)


def report(
    mine: list[float], other: list[float], phases: list[tuple[float, dict[str, float]]], bare: list[float]
) -> None:
    """Print medians and ratios."""
    print(f"lswctl launch hello.exe   {statistics.median(mine) * 1e3:7.1f} ms (median of {len(mine)})")
    if other:
        ratio = statistics.median(a / b for a, b in zip(mine, other, strict=True))
        print(f"wine hello.exe, warm      {statistics.median(other) * 1e3:7.1f} ms   ratio lsw/wine {ratio:.2f}")
    else:
        print("wine is not installed: no ratio")
    print(f"python -c pass            {statistics.median(bare) * 1e3:7.1f} ms")
    print("where the time goes:")
    names = list(phases[0][1])
    rest = [wall - sum(split.values()) for wall, split in phases]
    print(f"  {'interpreter':12} {statistics.median(rest) * 1e3:7.1f} ms")
    for name in names:
        print(f"  {name:12} {statistics.median(split[name] for _, split in phases) * 1e3:7.1f} ms")


if __name__ == "__main__":
    main()
