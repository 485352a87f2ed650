"""The `lswd` command: the daemon's front door, which has nothing behind it in this version.

Programs run without a daemon, inside `lswctl launch`. This command exists so that packaging, scripts and people
find the name where it will stay, and are told so instead of getting a daemon that only pretends.
"""

from __future__ import annotations

import sys

from lswd import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_USAGE = 120
"""The exit code for a wrong or impossible request, the same as lswctl's (README, "Exit codes")."""

USAGE = """\
usage: lswd [--help | --version]

The LSW daemon. This version has none yet: run programs with `lswctl launch PROGRAM`, which needs no daemon.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Answer --version and --help, refuse everything else.

    argv: the arguments without the command's own name (default: this process's). Returns the exit code.
    """
    match list(sys.argv[1:] if argv is None else argv):
        case ["--version"]:
            print(f"lswd {__version__}")
        case ["--help" | "-h"]:
            print(USAGE, end="")
        case []:
            print("lswd: this version has no daemon yet, use `lswctl launch PROGRAM`", file=sys.stderr)
            return EXIT_USAGE
        case [argument, *_]:
            print(
                f"lswd: unexpected argument {argument!r}: this version has no daemon yet, use `lswctl launch PROGRAM`",
                file=sys.stderr,
            )
            return EXIT_USAGE
    return 0


if __name__ == "__main__":
    sys.exit(main())
