"""Small requests on many connections: one byte to and fro between a program and itself over loopback, overlapped, the
time taken inside around it; ratios to Wine's.

    python bench/network.py [--runs N] [--connections N] [--rounds N] [--alone]
"""

from __future__ import annotations

from setting import HERE, arguments, built, by_turns, inside, report_to_wine, scratch, wine


def main() -> None:
    """Measure, and print the table."""
    parser = arguments(__doc__, runs=9)
    parser.add_argument("--connections", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=40)
    options = parser.parse_args()
    runs: int = options.runs
    parameters = [str(options.connections), str(options.rounds)]
    source = HERE / "guest" / "pingpong.c"
    program = built(source, libraries=("-lws2_32",), name="bench/pingpong.exe")
    with scratch(options.alone) as setting, wine(setting) as loader:
        times = by_turns(runs, inside(setting, loader, program, parameters))
    report_to_wine(f"{' connections, '.join(parameters)} rounds", times)


if __name__ == "__main__":
    main()
