"""The command ``lswd``: the daemon's front door. What it does is in ``lswd.service``."""

from __future__ import annotations

import os
import sys

from lswd import __version__
from lswd.service.exit_codes import EXIT_USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

EXIT_CANNOT_SERVE = 1

HELP = """usage: lswd [--user] [--config FILE] [--check]

Serve /dev/lsw, and the same commands over a socket, in the foreground. Windows programs that clients ask for run in
processes of their own, with their user's identity. Programs also run without any daemon: lswctl launch PROGRAM.

options:
  --user           serve only you, at $XDG_RUNTIME_DIR/lsw/lswd.sock; takes no root and makes no device
  --config FILE    the configuration; default $LSW_DAEMON_CONFIG, then /etc/lsw/lswd.toml (with --user:
                   ~/.config/lsw/lswd.toml), if it exists
  --check          check the configuration, list what is set and where, and exit
  --version        print the version and exit
  -h, --help       this text

signals:
  SIGHUP           read the configuration again
  SIGTERM, SIGINT  start nothing new, give programs time to end, end them, exit; sent again: at once

exit code:
  0  stopped as told      1  cannot serve, the last line says why      120  wrong usage or configuration

settings (a key of the TOML file, the environment variable that goes before it):
{settings}

Example: lswd --user & lswctl launch --via socket hello.exe
"""


class UsageError(Exception):
    """The command line makes no sense."""


def parse(arguments: Sequence[str]) -> dict[str, str]:
    """The options, with their values. Raises UsageError."""
    options: dict[str, str] = {}
    rest = list(arguments)
    while rest:
        word = rest.pop(0)
        name, equals, value = word.partition("=")
        if name == "--config":
            if not equals:
                if not rest:
                    raise UsageError("--config needs a FILE")
                value = rest.pop(0)
            options[name] = value
        elif word in ("--user", "--check", "--version", "--help", "-h"):
            options[{"-h": "--help"}.get(word, word)] = "yes"
        else:
            raise UsageError(f"unexpected argument {word!r}")
    return options


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code.

    argv: the arguments without the command's own name (default: this process's).
    """
    try:
        options = parse(sys.argv[1:] if argv is None else argv)
    except UsageError as error:
        print(f"lswd: {error}; lswd --help tells how", file=sys.stderr)
        return EXIT_USAGE
    if "--version" in options:
        print(f"lswd {__version__}")
        return 0
    from lswd.service.keys import ConfigError
    from lswd.service.settings import help_lines, listing, load

    if "--help" in options:
        print(HELP.format(settings=help_lines()), end="")
        return 0
    path, user = options.get("--config", ""), "--user" in options
    try:
        if "--check" in options:
            print(listing(*load(os.environ, path=path, user=user)), end="")
            return 0
        from lswd.service.serve import ServeError, serve

        try:
            serve(os.environ, path=path, user=user)
        except ServeError as error:
            print(f"lswd: {error}", file=sys.stderr)
            return EXIT_CANNOT_SERVE
    except ConfigError as error:
        print(f"lswd: {error}", file=sys.stderr)
        return EXIT_USAGE
    return 0


if __name__ == "__main__":
    sys.exit(main())
