"""How long hello.exe takes through a running daemon: as a ratio to an embedded launch and to Wine's, in the same run.

    python bench/launch_daemon.py [--runs N] [--alone] [--engine NAME]

Machines are noisy: quote the ratios. The daemon's session is warm, as Wine is. lswctl is as `make install` writes it,
the interpreter in isolation and without site-packages (python -IS), but where it says ".venv".
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Sequence
from statistics import median

from setting import Setting, alone, arguments, by_turns, daemon, hello, lswrun, ratio, scratch, wine

PAUSE = 0.3  # seconds: as between two commands that a person types; an idle session gets a process ready meanwhile


def ways(setting: Setting, engine: str, wine: str | None) -> dict[str, Callable[[], float]]:
    """Name of each way, and how to measure it."""
    program, python = str(hello()), sys.executable
    installed = [*setting.installed(), "--engine", engine, "--via"]
    checkout = [python, *installed[2:]]
    run = [str(lswrun()), program]

    def timed(command: Sequence[str], pause: float = PAUSE) -> Callable[[], float]:
        def way() -> float:
            time.sleep(pause)
            return setting.once(command).seconds

        return way

    found = {
        "embedded": timed([*installed, "embedded", program]),
        "socket": timed([*installed, "socket", program]),
        # right behind another; one before has taken a process that was ready, too
        "socket, at once": timed([*installed, "socket", program], pause=0),
        "socket, from .venv": timed([*checkout, "socket", program]),
        "lswrun": timed(run),
        "lswrun, at once": timed(run, pause=0),
        "lswrun, third": timed(run, pause=0),
        "python -c pass": timed([python, "-c", "pass"]),
        "python -IS -c pass": timed([python, "-IS", "-c", "pass"]),
    }
    if wine is not None:
        found["wine, warm"] = timed([wine, program])
    return found


def main() -> None:
    """Measure, and print the table."""
    parser = arguments(__doc__, runs=15)
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    if options.alone:
        alone()
    with scratch() as setting, wine(setting) as loader, daemon(setting):
        times = by_turns(options.runs, ways(setting, options.engine, loader))
    print(f"hello.exe from start to exit, median of {options.runs}")
    for name, seconds in times.items():
        ratios = f"{ratio(seconds, times['embedded']):5.2f} embedded"
        ratios += f"   {ratio(seconds, times['wine, warm']):5.2f} wine" if loader else ""
        print(f"  {name:20} {median(seconds) * 1e3:8.1f} ms   {ratios}")


if __name__ == "__main__":
    main()
