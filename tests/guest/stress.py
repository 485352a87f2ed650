"""The threads of fixtures/threads/stress.c for longer, on each engine and for each word size.

`python -m tests.guest.stress --seconds 60`; what they print must be what they print in a second and a half.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from dataclasses import replace
from pathlib import Path

from lswd.cpu.select import ENGINES

from .cases import CASES
from .run import TIMEOUT_SECONDS
from .verdict import verify


def main() -> None:
    """Run them all; the first that disagrees ends it."""
    parser = argparse.ArgumentParser(description="Threads over all kinds of waits, for long.")
    parser.add_argument("--seconds", type=int, default=60)
    seconds = parser.parse_args().seconds
    case = next(case for case in CASES if case.name == "stress")
    if seconds > TIMEOUT_SECONDS - 30:
        parser.error(f"--seconds: at most {TIMEOUT_SECONDS - 30}")
    for engine in ENGINES:
        for target in ("x86_64", "i386"):
            with tempfile.TemporaryDirectory() as scratch:
                launch = [sys.executable, "-m", "lswctl", "launch", "--engine", engine]
                longer = replace(case, args=(str(1000 * seconds),))
                verify(longer, launch, Path(scratch, "prefix"), Path(scratch), target)
            print(f"stress: {engine}, {target}: the books balance after {seconds} s", flush=True)


if __name__ == "__main__":
    main()
