"""20,000 times malloc and sprintf, the time taken inside around it; ratios to Wine's.

    python bench/malloc.py [--runs N] [--alone]
"""

from __future__ import annotations

from setting import HERE, arguments, built, by_turns, inside, report_to_wine, scratch, wine


def main() -> None:
    """Measure, and print the table."""
    options = arguments(__doc__, runs=15).parse_args()
    runs: int = options.runs
    program = built(HERE / "guest" / "malloc.c", name="bench/malloc.exe")
    with scratch(options.alone) as setting, wine(setting) as loader:
        times = by_turns(runs, inside(setting, loader, program))
    report_to_wine("20,000 malloc and sprintf", times)


if __name__ == "__main__":
    main()
