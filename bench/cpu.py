"""How fast guest code runs: the same C built for Windows and for Linux, the time taken inside around the work.

    python bench/cpu.py [--runs N] [--alone] [NAME ...]

Programs are bench/guest/NAME.c. Ratios are to the program for Linux. "library" measures
the userland's C library against the host's, so its ratio to Wine, which runs the same DLL, says more. Unicorn gets less
to do; its times are scaled. On a busy machine the ratio of the least times is the better one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

from setting import HERE, MINGW, Setting, arguments, built, by_turns, ratio, scratch, wine

# How often each repeats its work: about 40 ms on the machine that the page on performance is about.
PROGRAMS = {"primes": 25, "sha256": 10, "doubles": 25, "memory": 800, "calls": 500, "library": 500}
SLOWER = 20  # how much less is asked of Unicorn
# Loops begin where they do not depend on what the compiler put before them, or the two programs are not the same.
FLAGS = ("-O2", "-Wall", "-Wextra", "-falign-functions=64", "-falign-loops=32", "-falign-jumps=16")


def ways(setting: Setting, wine: str | None, windows: Path, linux: Path, times: int) -> dict[str, Callable[[], float]]:
    """How to measure each way: seconds a repetition."""

    def timed(command: Sequence[str | Path], count: int) -> Callable[[], float]:
        return lambda: float(setting.once([*command, str(count)]).out.split()[0]) / count

    found = {
        "Linux": timed([linux], times),
        "jail": timed([*setting.launch("--engine", "jail"), windows], times),
        "Unicorn": timed([*setting.launch("--engine", "unicorn"), windows], max(1, times // SLOWER)),
    }
    if wine is not None:
        found["Wine"] = timed([wine, windows], times)
    return found


def main() -> None:
    """Measure, and print the table."""
    parser = arguments(__doc__, runs=15)
    parser.add_argument("names", nargs="*", choices=[[], *PROGRAMS], metavar="NAME")
    options = parser.parse_args()
    with scratch(options.alone) as setting, wine(setting) as loader:
        print(f"ratios to the same C built for Linux, median of {options.runs} (ratio of the least times)")
        for name in options.names or PROGRAMS:
            source = HERE / "guest" / f"{name}.c"
            windows = built(source, compiler=MINGW, flags=FLAGS, name=f"bench/{name}.exe")
            linux = built(source, compiler="gcc", flags=FLAGS, name=f"bench/{name}")
            times = by_turns(options.runs, ways(setting, loader, windows, linux, PROGRAMS[name]))
            native = times.pop("Linux")
            columns = [f"{name:9} {median(native) * 1e6:8.1f} us"]
            columns += [f"{way} {ratio(t, native):6.2f} ({min(t) / min(native):6.2f})" for way, t in times.items()]
            print("   ".join(columns), flush=True)


if __name__ == "__main__":
    main()
