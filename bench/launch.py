"""How long hello.exe takes from start to exit, as a ratio to Wine's in the same run, and where the time goes.

    python bench/launch.py [--runs N]

Machines are noisy: quote the ratio, not the milliseconds. The split comes from ``lswctl launch --json``; "interpreter"
is what is left of the wall time: Python's own start, imports and exit.
"""

from __future__ import annotations

import json
import sys
from statistics import median

from setting import arguments, by_turns, hello, ratio, scratch, wine


def main() -> None:
    """Measure, and print the table."""
    runs: int = arguments(__doc__, runs=15).parse_args().runs
    phases: list[dict[str, float]] = []
    with scratch() as setting, wine(setting) as loader:
        program = hello()

        def ours() -> float:
            outcome = setting.once([*setting.launch("--json"), program])
            split = json.loads(outcome.err.strip().splitlines()[-1])["seconds"]
            phases.append({"interpreter": outcome.seconds - sum(split.values()), **split})
            return outcome.seconds

        ways = {
            "lswctl launch": ours,
            "python -c pass": lambda: setting.once([sys.executable, "-c", "pass"]).seconds,
        }
        if loader is not None:
            ways["wine, warm"] = lambda: setting.once([loader, program]).seconds
        times = by_turns(runs, ways)
    print(f"hello.exe from start to exit, median of {runs}")
    for name, seconds in times.items():
        compared = f"   {ratio(seconds, times['wine, warm']):5.2f} wine" if loader else ""
        print(f"  {name:20} {median(seconds) * 1e3:8.1f} ms{compared}")
    print("where the time goes:")
    for name in phases[-1]:
        print(f"  {name:20} {median(split[name] for split in phases[1:]) * 1e3:8.1f} ms")


if __name__ == "__main__":
    main()
