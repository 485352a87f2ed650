"""What a session runs programs with (``lswd.session.program.Launcher``): ``launch``, and its outcome as an Ending."""

from __future__ import annotations

import codecs
import importlib
import pkgutil
import sys

from lswd.ioctl.commands import REASON_CRASHED, REASON_EXITED, REASON_KILLED, REASON_NOT_STARTED
from lswd.service.exit_codes import EXIT_MISSING_IMPORT, EXIT_USAGE
from lswd.session.order import Ending

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.service.launch import Outcome
    from lswd.session.order import Order

_PACKAGES = ("ntdef", "host", "image", "userland", "memory", "cpu", "kernel", "unixlib", "nt")
_LATER = ("json", "select", "shutil", "sqlite3", "tempfile", "termios", "threading", "trio", "zoneinfo")
_ENCODINGS = ("ascii", "latin-1", "utf-8", "utf-16-le", "utf-16-be")  # their modules are looked for at first use
_SMALL_PROGRAM = "C:\\windows\\system32\\hostname.exe"
_MEMORY = "/dev/shm"
_LAUNCHES = ("lswd.service.launch", "lswd.service.explain", "lswd.session.plain_json")


def preload() -> None:
    """Import all that a launch may need, so that no program has to, in whatever root directory it runs; and make the
    filter that almost all want."""
    for package in _PACKAGES:
        module = importlib.import_module(f"lswd.{package}")
        for found in pkgutil.walk_packages(module.__path__, f"lswd.{package}."):
            _import(found.name)
    for name in (*_LAUNCHES, *_LATER):
        _import(name)
    for name in _ENCODINGS:
        codecs.lookup(name)
    from lswd.host import call_filter

    call_filter.program(network=True)


def _import(name: str) -> None:
    """One that cannot be imported here will say so to the program that needs it."""
    try:
        importlib.import_module(name)
    except ImportError:
        pass


def warm_up() -> None:
    """Launch one of the userland's own programs with a prefix that is thrown away."""
    import os
    import shutil
    import tempfile

    from lswd.cpu.select import forget
    from lswd.service.launch import Options, launch
    from lswd.userland.cache import remember

    remember()
    # In memory if it can be: on a disk the hundred directories of a prefix are most of the work.
    memory = _MEMORY if os.access(_MEMORY, os.W_OK | os.X_OK) else None
    directory = tempfile.mkdtemp(prefix="lsw-ready-", dir=memory)
    try:
        os.environ["XDG_CACHE_HOME"] = os.environ["HOME"] = directory
        launch(Options(_SMALL_PROGRAM, prefix=os.path.join(directory, "prefix")), close=True)
    finally:
        shutil.rmtree(directory, ignore_errors=True)
        forget()


def prepare() -> None:
    """Start an engine for the next program, with what most programs begin with."""
    import os

    from lswd.kernel import ready
    from lswd.userland.discovery import find
    from lswd.userland.userland import UserlandError

    try:
        userland = find(os.environ)
    except UserlandError:
        userland = None
    ready.prepare("", userland)


def run(order: Order) -> Ending:
    """Run the program to its end, in this process as it is."""
    import os

    from lswd.host.confinement import ON
    from lswd.service.launch import LaunchError, Options, attempt, quiet

    try:
        trace = _open_trace(order.trace)
    except OSError as error:
        return _not_started(f"--trace={order.trace}: {error.strerror}", EXIT_USAGE)
    options = Options(
        order.program,
        order.arguments,
        confine=order.confine or os.environ.get("LSW_CONFINE") or ON,
        cwd=order.cwd,
        drives=order.drives,
        engine=order.engine,
        environment=order.environment,
        limit=order.limit or os.environ.get("LSW_LIMIT", ""),
        network=order.network,
        prefix=order.prefix,
        report=order.report,
        trace=trace,
        userland=order.userland or None,
        windows_version=order.windows_version,
    )
    try:
        return _ending(attempt(options, _progress if order.verbose else quiet))
    except LaunchError as error:
        return _not_started(str(error), error.exit_code)


def _not_started(message: str, code: int) -> Ending:
    return Ending(code, REASON_NOT_STARTED, code, message)


def _progress(level: str, message: str) -> None:
    text = "".join(c if c.isprintable() else "?" for c in f"{level}  {message}")
    try:
        sys.stderr.write(text + "\n")
        sys.stderr.flush()
    except (OSError, ValueError):
        pass  # nobody reads it


class _Trace:
    """Where trace lines go; a reader that has gone is no reason to fail."""

    def __init__(self, path: str) -> None:
        self._out = sys.stderr if path == "-" else open(path, "w", encoding="utf-8", errors="replace")

    def write(self, text: str) -> int:
        """Write if somebody still reads."""
        try:
            return self._out.write(text)
        except (OSError, ValueError):
            return len(text)

    def flush(self) -> None:
        """Write what is buffered."""
        try:
            self._out.flush()
        except (OSError, ValueError):
            pass


def _open_trace(path: str) -> _Trace | None:
    return _Trace(path) if path else None


def _ending(outcome: Outcome) -> Ending:
    status = outcome.exit_status
    reason = REASON_KILLED if outcome.killed else REASON_CRASHED if outcome.failure else REASON_EXITED
    ending = Ending(status, reason, status & 0xFF or (1 if status else 0))
    if outcome.import_error:
        ending.exit_code = EXIT_MISSING_IMPORT
    ending.failure = outcome.failure
    ending.import_error = outcome.import_error
    ending.missing_calls = outcome.missing_calls
    ending.note = outcome.note
    ending.system_calls = outcome.system_calls
    ending.phases = outcome.phases
    return ending
