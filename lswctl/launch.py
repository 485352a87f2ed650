"""``lswctl launch``: run a Windows program as if it were one of the shell's own.

Options are parsed by hand: argparse costs 12 ms, and everything behind PROGRAM belongs to the program anyway. What they
ask for is checked here; then a daemon that serves us runs the program (``via``), or this process does (``embedded``).
"""

from __future__ import annotations

import os
import sys

from lswctl.report import Stderr, exit_code, say
from lswd.service.exit_codes import EXIT_USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

HELP = """usage: lswctl launch [options] PROGRAM [ARGS...]

Run the Windows program PROGRAM (a Linux path, or a DOS path such as 'C:\\tools\\a.exe') with ARGS.
Standard input, output and error, the working directory and the environment are the program's own.

options:
  --confine HOW       what this side of the program may do to the host: on (no calls that no program needs), strict (and
                      files of the system, the prefix, named drives, its own and the working directory only, which must
                      not be /), off
  --cwd DIR           start in DIR (a Linux path)
  --drive X:=PATH     map drive X: to PATH (may be repeated)
  --engine NAME       what runs the code: auto, jail, unicorn
  --env NAME=VALUE    set a variable for the program (may be repeated)
  --json              when it has ended, write how as one line of JSON to standard error
  --limit WHAT=VALUE  what it and all that it starts may use at most: memory=512M (committed), cpu=60 (seconds of
                      processor time), processes=N, threads=N (may be repeated)
  --network WHAT      what of the network it may use: on, loopback (this machine only), off
  --prefix DIR        where drive C: and the registry live (default: $LSW_PREFIX, else ~/.lsw)
  --report FILE       when it has ended, write to FILE which system calls and functions were missing or incomplete, how
                      often it and the programs it started used them, and where from (JSON)
  --trace[=FILE]      print each system call with its arguments (to standard error, or to FILE)
  --via WAY           who runs it: socket (lswd, over its socket), device (lswd, through /dev/lsw), embedded (this
                      process); default: the first of these that is there, or $LSW_VIA
  --windows-version V the Windows it sees: xp, xp64, vista, win7, win8, win81, win10 (the default), win11
  -v, --verbose       say what is going on
  -h, --help          this text

exit code:
  the program's own, of which a shell sees the low 8 bits (a failure whose low 8 bits are 0 gives 1)
  120  wrong usage or configuration        123  the file is no program this version can run
  121  no userland (Wine's DLLs) found     124  a DLL or a function in it is missing
  122  PROGRAM is missing or unreadable    125  an error inside lswctl or lswd

environment and configuration file:
  LSW_PREFIX, LSW_USERLAND (Wine's directory x86_64-windows), LSW_USERLAND_I386 (its i386-windows, for 32-bit programs),
  LSW_CONFIG (TOML; default ~/.config/lsw/config.toml),
  LSW_CONFINE (as --confine), LSW_LIMIT (as --limit, with commas between several), LSW_NETWORK (as --network),
  LSW_WINDOWS_VERSION (as --windows-version),
  LSW_SOCKET (lswd's socket; default $XDG_RUNTIME_DIR/lsw/lswd.sock, then /run/lsw/lswd.sock)
"""

_WITH_VALUE = (
    "--confine", "--cwd", "--drive", "--engine", "--env", "--limit", "--network", "--prefix", "--report", "--via",
    "--windows-version",
)  # fmt: skip
AUTO, SOCKET, DEVICE, EMBEDDED = "auto", "socket", "device", "embedded"


class UsageError(Exception):
    """The command line makes no sense."""


def parse(arguments: list[str]) -> tuple[dict[str, list[str]], list[str]]:
    """Split into options (name to values) and [PROGRAM, ARGS...].

    Raises:
        UsageError: an unknown option, or one without its value.
    """
    options: dict[str, list[str]] = {}
    at = 0
    while at < len(arguments):
        word = arguments[at]
        at += 1
        if word == "--":
            break
        if not word.startswith("-") or word == "-":
            at -= 1
            break
        name, equals, value = word.partition("=")
        if name in _WITH_VALUE:
            if not equals:
                if at == len(arguments):
                    raise UsageError(f"{name} needs a value")
                value = arguments[at]
                at += 1
            options.setdefault(name, []).append(value)
        elif name == "--trace":
            options["--trace"] = [value]
        elif word in ("-v", "--verbose", "--json", "-h", "--help"):
            options[{"-v": "--verbose", "-h": "--help"}.get(word, word)] = [""]
        else:
            raise UsageError(f"unknown option {word}")
    return options, arguments[at:]


class Request:
    """What was asked for, checked and completed from the user's configuration.

    Attributes:
        report: "" for none, else a file, which exists.
        trace: "" for none, "-" for standard error, else a file, which exists.
        via: AUTO, SOCKET, DEVICE or EMBEDDED.
    """

    __slots__ = (
        "arguments", "confine", "cwd", "drives", "engine", "environment", "json", "limit", "network", "prefix",
        "program", "report", "trace", "userland", "verbose", "via", "windows_version",
    )  # fmt: skip

    def __init__(self, program: str, arguments: list[str]) -> None:
        self.program = program
        self.arguments = arguments
        self.confine = ""
        self.cwd = ""
        self.drives: list[tuple[str, str]] = []
        self.engine = ""
        self.environment: dict[str, str] = {}
        self.json = False
        self.limit = ""
        self.network = ""
        self.prefix = ""
        self.report = ""
        self.trace = ""
        self.userland = ""
        self.verbose = False
        self.via = AUTO
        self.windows_version = ""


def main(arguments: list[str]) -> int:
    """Run the sub-command; returns the exit code."""
    trace: Stderr | None = None
    try:
        options, command = parse(arguments)
        if "--help" in options:
            sys.stdout.write(HELP)
            return 0
        if not command:
            raise UsageError("which PROGRAM?")
        if not command[0]:
            raise UsageError("PROGRAM is an empty text")
        if "--trace" in options:
            path = options["--trace"][0]
            trace = Stderr(_open("--trace=", path) if path else sys.stderr)
        for path in options.get("--report", [])[-1:]:
            _open("--report ", path).close()
        request = _request(options, command)
    except UsageError as error:
        say(f"{error}; lswctl launch --help tells how")
        return EXIT_USAGE
    if request.via != EMBEDDED:
        from lswctl.via import run as run_via

        code = run_via(request)
        if code is not None:
            return code
    from lswctl.embedded import run

    return run(request, trace)


def _open(option: str, path: str) -> TextIO:
    """Raises UsageError: it cannot be written."""
    try:
        return open(path, "w", encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"{option}{path}: {error.strerror}") from None


def _request(options: dict[str, list[str]], command: list[str]) -> Request:
    """Raises UsageError."""
    request = Request(command[0], command[1:])
    for text in options.get("--env", []):
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--env wants NAME=VALUE, not {text!r}")
        request.environment[name] = value
    if "--drive" in options:
        request.drives = _drives(options["--drive"])
    request.cwd = options.get("--cwd", [""])[-1]
    if request.cwd and not os.path.isdir(request.cwd):
        raise UsageError(f"--cwd {request.cwd}: no such directory")
    request.engine = options.get("--engine", [""])[-1]
    request.prefix = options.get("--prefix", [""])[-1]
    request.confine = options.get("--confine", [""])[-1]
    request.limit = ",".join(options.get("--limit", []))
    request.network = options.get("--network", [""])[-1]
    request.report = options.get("--report", [""])[-1]
    request.windows_version = options.get("--windows-version", [""])[-1]
    _configure(request)
    if request.engine not in ("", "auto"):
        from lswd.cpu.select import ENGINES

        if request.engine not in ENGINES:
            raise UsageError(f"there is no engine {request.engine!r}; known: auto, {', '.join(ENGINES)}")
    if "--trace" in options:
        request.trace = options["--trace"][0] or "-"
    request.via = options.get("--via", [""])[-1] or os.environ.get("LSW_VIA") or AUTO
    if request.via not in (AUTO, SOCKET, DEVICE, EMBEDDED):
        raise UsageError(f"--via wants {SOCKET}, {DEVICE} or {EMBEDDED}, not {request.via!r}")
    request.verbose = "--verbose" in options
    request.json = "--json" in options
    return request


def _drives(texts: list[str]) -> list[tuple[str, str]]:
    from lswd.host.prefix import PrefixError, parse_drive

    try:
        return [parse_drive(text) for text in texts]
    except (ValueError, PrefixError) as error:
        raise UsageError(str(error)) from None


def _configure(request: Request) -> None:
    """Complete it from the user's configuration file, before which options and variables go."""
    from lswd.service.config_file import find

    environ = os.environ
    request.confine = request.confine or environ.get("LSW_CONFINE", "")
    request.limit = request.limit or environ.get("LSW_LIMIT", "")
    request.network = request.network or environ.get("LSW_NETWORK", "")
    request.windows_version = request.windows_version or environ.get("LSW_WINDOWS_VERSION", "")
    path = find(environ)
    if not path:
        return
    from lswd.service.config import ConfigError, read

    try:
        config = read(path)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    request.engine = request.engine or config.engine
    request.confine = request.confine or config.confine
    request.limit = request.limit or config.limit
    request.network = request.network or config.network
    request.windows_version = request.windows_version or config.windows_version
    if not request.prefix and not environ.get("LSW_PREFIX"):
        request.prefix = config.prefix
    if not environ.get("LSW_USERLAND"):
        request.userland = config.userland


__all__ = ["HELP", "Request", "Stderr", "UsageError", "exit_code", "main", "parse"]
