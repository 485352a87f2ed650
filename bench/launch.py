"""How long hello.exe takes from start to exit, as a ratio to Wine's in the same run, and where the time goes.

    python bench/launch.py [--runs N] [--alone]

Embedded, through a daemon from lswctl and from lswrun, and by Wine; a pause before each, as between two commands that a
person types. (``launch_daemon.py`` has more about the daemon.) The split is that of an embedded launch (``split.py``);
"interpreter" is what is left of its wall time. Machines are noisy: quote the ratios, not the milliseconds.
"""

from __future__ import annotations

import json
import sys
import time
from statistics import median

from setting import HERE, alone, arguments, by_turns, daemon, hello, lswrun, ratio, scratch, wine

PAUSE = 0.3


def main() -> None:
    """Measure, and print the tables."""
    options = arguments(__doc__, runs=15).parse_args()
    runs: int = options.runs
    if options.alone:
        alone()
    splits: list[dict[str, float]] = []
    with scratch() as setting, wine(setting) as loader, daemon(setting):
        program = hello()

        def split() -> float:
            outcome = setting.once([sys.executable, HERE / "split.py", program])
            parts = json.loads(outcome.err.strip().splitlines()[-1])
            splits.append({"interpreter": outcome.seconds - sum(parts.values()), **parts})
            return outcome.seconds

        def timed(*command: object) -> float:
            time.sleep(PAUSE)
            return setting.once([str(word) for word in command]).seconds

        lswctl = setting.installed()
        ways = {
            "embedded": lambda: timed(*lswctl, "--via", "embedded", program),
            "embedded, Unicorn": lambda: timed(*setting.launch("--engine", "unicorn"), program),
            "socket, lswctl": lambda: timed(*lswctl, "--via", "socket", program),
            "socket, lswrun": lambda: timed(lswrun(), program),
            "python -IS -c pass": lambda: timed(sys.executable, "-IS", "-c", "pass"),
            "split": split,
        }
        if loader is not None:
            ways["wine, warm"] = lambda: timed(loader, program)
        times = by_turns(runs, ways)
    del times["split"]
    print(f"hello.exe from start to exit, median of {runs} (least)")
    for name, seconds in times.items():
        compared = f"   {ratio(seconds, times['wine, warm']):5.2f} wine" if loader else ""
        print(f"  {name:20} {median(seconds) * 1e3:8.1f} ms ({min(seconds) * 1e3:.1f}){compared}")
    print("where the time of an embedded launch goes, on the jail:")
    for name in splits[-1]:
        print(f"  {name:20} {median(split[name] for split in splits[1:]) * 1e3:8.1f} ms")


if __name__ == "__main__":
    main()
