"""How long a trivial system call takes a guest, and Wine.

    python bench/syscall.py [--runs N] [--alone]

Two calls: NtSetEvent, for which Wine asks its server, another process, as our guest asks our kernel: a hand-off on both
sides; and NtQueryPerformanceCounter, which has Wine do next to nothing (a clock is read in the same process).
"one core": everything is tied to one processor, so nobody spins for an answer and each call is two switches of process.
A run's figure is the median of its batches of calls; printed are the median and the least of the runs' figures.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from statistics import median

from setting import HERE, arguments, built, scratch, wine

CALLS = ("NtSetEvent", "NtQueryPerformanceCounter")


def main() -> None:
    """Measure, and print the table."""
    options = arguments(__doc__, runs=9).parse_args()
    runs: int = options.runs
    program = built(HERE / "guest" / "syscall.c", name="bench/syscall.exe")
    with scratch(options.alone) as setting, wine(setting) as loader:

        def timed(*command: str | Path) -> Callable[[], dict[str, float]]:
            def way() -> dict[str, float]:
                lines = setting.once([*command, program]).out.splitlines()
                return {name: float(middle) / 1e3 for name, middle, _ in map(str.split, lines)}

            return way

        jail = setting.launch("--engine", "jail")
        ways = {
            "jail": timed(*jail),
            "jail, one core": timed("taskset", "-c", "0", *jail),
            "Unicorn": timed(*setting.launch("--engine", "unicorn")),
        }
        if loader is not None:
            ways["Wine"] = timed(loader)
            ways["Wine, one core"] = timed("taskset", "-c", "0", loader)
        found: dict[str, list[dict[str, float]]] = {name: [] for name in ways}
        for _ in range(runs):
            for name, way in ways.items():
                found[name].append(way())
    print(f"microseconds a call, median of {runs} (least)")
    for call in CALLS:
        print(call)
        for name, times in found.items():
            values = [t[call] for t in times]
            print(f"  {name:16} {median(values):8.2f} ({min(values):.2f}){_beside(found, name, call)}")


def _beside(found: dict[str, list[dict[str, float]]], name: str, call: str) -> str:
    """The ratio to Wine on as many processors."""
    other = found.get("Wine, one core" if "one core" in name else "Wine")
    if other is None or name.startswith("Wine"):
        return ""
    return f"   {median(a[call] / b[call] for a, b in zip(found[name], other, strict=True)):6.2f} wine"


if __name__ == "__main__":
    main()
