"""Copying 64 MiB by 64 KiB with ReadFile and WriteFile, the time taken inside around the copying; ratios to Wine's.

    python bench/file.py [--runs N] [--alone]
"""

from __future__ import annotations

import os

from setting import HERE, arguments, built, by_turns, inside, report_to_wine, scratch, wine

SIZE = 64 << 20


def main() -> None:
    """Measure, and print the table."""
    options = arguments(__doc__, runs=9).parse_args()
    runs: int = options.runs
    program = built(HERE / "guest" / "file.c", name="bench/file.exe")
    with scratch(options.alone) as setting, wine(setting) as loader:
        source, copy = setting.directory / "from", setting.directory / "to"
        source.write_bytes(os.urandom(SIZE))
        times = by_turns(runs, inside(setting, loader, program, [f"Z:{source}", f"Z:{copy}"]))
        if copy.read_bytes() != source.read_bytes():
            raise SystemExit("the copy differs")
    report_to_wine("64 MiB by 64 KiB", times)


if __name__ == "__main__":
    main()
