"""``lswctl``: the command line of LSW. One module per sub-command, imported only when it is asked for."""

from __future__ import annotations

import os
import sys

from lswd import __version__

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

COMMANDS = {
    "launch": "run a Windows program",
    "conformance": "check a device against the protocol",
    "coverage": "which system calls are implemented, and how far",
    "doctor": "can programs run here, and what is missing",
}

# Modules with something to do at the interpreter's exit: a database to close, threads to join, lines to count.
_OWED_AN_EXIT = {"atexit", "coverage", "sqlite3", "threading", "trio"}

_HELP = """usage: lswctl COMMAND [options]

Run Windows programs on Linux.

commands:
{commands}

  lswctl COMMAND --help tells more about each. Example: lswctl launch hello.exe
"""


def usage() -> str:
    """The text of ``lswctl --help``."""
    return _HELP.format(commands="\n".join(f"  {name:11} {what}" for name, what in COMMANDS.items()))


def main(argv: list[str] | None = None) -> int:
    """Run a sub-command; returns the exit code."""
    _open_missing_streams()
    try:
        code = _main(sys.argv[1:] if argv is None else argv)
    except KeyboardInterrupt:  # before the program had a console to get it from
        code = 130
    except BrokenPipeError:  # whoever read our output has seen enough
        code = 0
    _flush()
    return code


def _main(arguments: list[str]) -> int:
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


def _open_missing_streams() -> None:
    """A standard stream that our caller has closed becomes /dev/null, lest some file we open take its number."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
            setattr(sys, name, open(number, "w" if number else "r", closefd=False))


def _flush() -> None:
    """Write out what is buffered now: the interpreter would report a reader that has gone, and exit with 120."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())


def run() -> NoReturn:
    """The command as installed: ``main``, then the end of this process."""
    code = main()
    if "launch" in sys.argv[1:2] and not _OWED_AN_EXIT & sys.modules.keys():
        # The program has ended and all it wrote is out. Taking the interpreter apart object by object, only for the
        # host to free the same memory again, would cost as much as starting it did.
        os._exit(code)
    sys.exit(code)


if __name__ == "__main__":
    run()
