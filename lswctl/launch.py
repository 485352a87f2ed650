"""``lswctl launch``: run a Windows program as if it were one of the shell's own.

Options are parsed by hand: argparse costs 12 ms, and everything behind PROGRAM belongs to the program anyway.
"""

from __future__ import annotations

import gc
import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TextIO

    from lswd.service.launch import Options, Outcome

HELP = """usage: lswctl launch [options] PROGRAM [ARGS...]

Run the Windows program PROGRAM (a Linux path, or a DOS path such as 'C:\\tools\\a.exe') with ARGS.
Standard input, output and error, the working directory and the environment are the program's own.

options:
  --cwd DIR           start in DIR (a Linux path)
  --drive X:=PATH     map drive X: to PATH (may be repeated)
  --engine NAME       what runs the code: auto, unicorn
  --env NAME=VALUE    set a variable for the program (may be repeated)
  --json              when it has ended, write how as one line of JSON to standard error
  --prefix DIR        where drive C: and the registry live (default: $LSW_PREFIX, else ~/.lsw)
  --trace[=FILE]      print each system call with its arguments (to standard error, or to FILE)
  -v, --verbose       say what is going on
  -h, --help          this text

exit code:
  the program's own, of which a shell sees the low 8 bits (a failure whose low 8 bits are 0 gives 1)
  120  wrong usage or configuration        123  the file is no program this version can run
  121  no userland (Wine's DLLs) found     124  a DLL or a function in it is missing
  122  PROGRAM is missing or unreadable    125  an error inside lswctl

environment and configuration file:
  LSW_PREFIX, LSW_USERLAND (Wine's directory x86_64-windows), LSW_CONFIG (TOML; default ~/.config/lsw/config.toml)
"""

_WITH_VALUE = ("--cwd", "--drive", "--engine", "--env", "--prefix")


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


def exit_code(status: int) -> int:
    """What a shell gets to see of a 32-bit exit code: its low 8 bits, but never success for a failure."""
    return status & 0xFF or (1 if status else 0)


class Stderr:
    """Standard error for lswctl's own lines: a reader that has gone is no reason to fail.

    Trace lines go through it too, for there may be no reader behind ``--trace=FILE`` either, nor room on its disk.
    """

    def __init__(self, out: TextIO | None) -> None:
        self._out = out

    def write(self, text: str) -> int:
        """Write if somebody still listens."""
        if self._out is not None:
            try:
                return self._out.write(text)
            except (OSError, ValueError):
                self._out = None
        return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        if self._out is not None:
            try:
                self._out.flush()
            except (OSError, ValueError):
                self._out = None


def _line(text: str) -> None:
    """One line to standard error, whatever the text."""
    Stderr(sys.stderr).write("".join(c if c.isprintable() else "?" for c in text) + "\n")


def _say(message: str) -> None:
    _line(f"lswctl: {message}")


def main(arguments: list[str]) -> int:
    """Run the sub-command; returns the exit code."""
    # A launch makes some 12000 objects that all live to its end; by default the collector looks through them 20 times.
    gc.set_threshold(50_000)
    from lswd.service import launch as service

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
            trace = Stderr(_open_trace(path) if path else sys.stderr)
        request = _request(options, command, trace)
    except UsageError as error:
        _say(f"{error}; lswctl launch --help tells how")
        return service.EXIT_USAGE
    return _run(request, verbose="--verbose" in options, json="--json" in options)


def _open_trace(path: str) -> TextIO:
    try:
        return open(path, "w", encoding="utf-8", errors="replace")
    except OSError as error:
        raise UsageError(f"--trace={path}: {error.strerror}") from None


def _request(options: dict[str, list[str]], command: list[str], trace: Stderr | None) -> Options:
    from lswd.cpu.select import ENGINES
    from lswd.host.prefix import PrefixError, parse_drive
    from lswd.service.config import ConfigError, load
    from lswd.service.launch import Options as NewOptions

    environment = {}
    for text in options.get("--env", []):
        name, equals, value = text.partition("=")
        if not equals or not name:
            raise UsageError(f"--env wants NAME=VALUE, not {text!r}")
        environment[name] = value
    try:
        drives = [parse_drive(text) for text in options.get("--drive", [])]
    except (ValueError, PrefixError) as error:
        raise UsageError(str(error)) from None
    cwd = options.get("--cwd", [""])[-1]
    if cwd and not os.path.isdir(cwd):
        raise UsageError(f"--cwd {cwd}: no such directory")
    try:
        config = load(os.environ)
    except ConfigError as error:
        raise UsageError(str(error)) from None
    engine = options.get("--engine", [config.engine])[-1]
    if engine not in ("", "auto", *ENGINES):
        raise UsageError(f"there is no engine {engine!r}; known: auto, {', '.join(ENGINES)}")
    return NewOptions(
        command[0],
        command[1:],
        cwd=cwd,
        drives=drives,
        engine=engine,
        environment=environment,
        prefix=options.get("--prefix", [""])[-1] or ("" if os.environ.get("LSW_PREFIX") else config.prefix),
        trace=trace,
        userland=None if os.environ.get("LSW_USERLAND") else config.userland or None,
    )


def _run(request: Options, *, verbose: bool, json: bool) -> int:
    from lswd.cpu.engine import EngineError
    from lswd.host.prefix import PrefixError
    from lswd.ntdef.status import NtError, status_name
    from lswd.service import launch as service
    from lswd.userland.discovery import UserlandError

    def progress(level: str, message: str) -> None:
        _line(f"{level}  {message}")

    try:
        outcome = service.launch(request, progress if verbose else service.quiet)
    except service.LaunchError as error:
        _say(str(error))
        return error.exit_code
    except UserlandError as error:
        _say(str(error))
        return service.EXIT_NO_USERLAND
    except PrefixError as error:
        _say(str(error))
        return service.EXIT_USAGE
    except EngineError as error:
        _say(str(error))
        return service.EXIT_INTERNAL
    except NtError as error:
        _say(f"{request.program}: cannot be started: {status_name(error.status)}")
        return service.EXIT_NOT_RUNNABLE
    except MemoryError:
        _say(f"{request.program}: not enough memory")
        return service.EXIT_INTERNAL
    except Exception as error:
        if os.environ.get("LSW_DEBUG"):
            raise
        _say(f"{request.program}: internal error: {error or type(error).__name__} (LSW_DEBUG=1 shows where)")
        return service.EXIT_INTERNAL
    _report(request.program, outcome, verbose=verbose)
    if json:
        _write_json(request.program, outcome)
    if outcome.import_error:
        return service.EXIT_MISSING_IMPORT
    return exit_code(outcome.exit_status)


def _report(program: str, outcome: Outcome, *, verbose: bool) -> None:
    if outcome.import_error:
        _say(f"{program}: {outcome.import_error}")
        return
    if outcome.failure:
        _say(f"{program}: {outcome.failure}")
    if outcome.missing_calls and (verbose or outcome.exit_status):
        names = ", ".join(f"{n} ({c})" if c > 1 else n for n, c in sorted(outcome.missing_calls.items()))
        _say(f"{program}: used system calls that are not implemented yet: {names}")


def _write_json(program: str, outcome: Outcome) -> None:
    import json

    record = {
        "program": program,
        "exit_code": outcome.exit_status,
        "failure": outcome.failure or outcome.import_error or None,
        "missing_calls": outcome.missing_calls,
        "system_calls": outcome.system_calls,
        "seconds": {name: round(seconds, 6) for name, seconds in outcome.phases},
    }
    _line(json.dumps(record))
