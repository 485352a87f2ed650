"""``lswctl``: the command line of LSW. One module per sub-command, imported only when it is asked for."""

from __future__ import annotations

import sys

from lswd import __version__

COMMANDS = {
    "launch": "run a Windows program",
    "coverage": "which system calls are implemented, and how far",
}

_HELP = """usage: lswctl COMMAND [options]

Run Windows programs on Linux.

commands:
{commands}

  lswctl COMMAND --help tells more about each. Example: lswctl launch hello.exe
"""


def usage() -> str:
    """The text of ``lswctl --help``."""
    return _HELP.format(commands="\n".join(f"  {name:10} {what}" for name, what in COMMANDS.items()))


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command; returns the exit code."""
    arguments = sys.argv[1:] if argv is None else argv
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        (sys.stdout if arguments else sys.stderr).write(usage())
        return 0 if arguments else 120
    if arguments[0] == "--version":
        print(f"lswctl {__version__}")
        return 0
    if arguments[0] not in COMMANDS:
        print(f"lswctl: there is no command {arguments[0]!r}; lswctl --help lists them", file=sys.stderr)
        return 120
    module = __import__(f"lswctl.{arguments[0]}", fromlist=["main"])
    return int(module.main(arguments[1:]))


if __name__ == "__main__":
    sys.exit(main())
