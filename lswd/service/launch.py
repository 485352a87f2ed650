"""One program from start to exit, in this process: no daemon, no root, no CUSE ("embedded")."""

from __future__ import annotations

import os
import time

from lswd.host.commandline import quote
from lswd.host.dospath import full_dos_path, is_dos_path
from lswd.host.drives import Drives, Overlay
from lswd.host.environment import environment_block, windows_environment
from lswd.host.names import to_guest_text
from lswd.host.prefix import Prefix, default_root
from lswd.image.errors import ImageError
from lswd.image.pe import check_program
from lswd.kernel.section import ImageSection
from lswd.ntdef.status import NtError, status_name
from lswd.userland.discovery import find
from lswd.userland.userland import Userland

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from typing import TextIO

    from lswd.kernel.process import Process
    from lswd.kernel.registry.registry import Registry
    from lswd.nt.dispatch import Dispatcher

# Exit codes of ours (documented in the README); programs' own codes pass through.
EXIT_USAGE = 120
EXIT_NO_USERLAND = 121
EXIT_NO_PROGRAM = 122
EXIT_NOT_RUNNABLE = 123
EXIT_MISSING_IMPORT = 124
EXIT_INTERNAL = 125

_DLL_NOT_FOUND = 0xC0000135
_ENTRYPOINT_NOT_FOUND = 0xC0000139
_ORDINAL_NOT_FOUND = 0xC0000138


# Where the loader looks for DLLs behind the program's own directory (Microsoft "Dynamic-link library search order").
_SYSTEM_DIRECTORIES = ("C:\\windows\\system32", "C:\\windows\\system", "C:\\windows")


class LaunchError(Exception):
    """The program cannot be run: one line for the user, and our exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


class Options:
    """What ``lswctl launch`` was asked for."""

    __slots__ = ("arguments", "cwd", "drives", "engine", "environment", "prefix", "program", "trace", "userland")

    def __init__(
        self,
        program: str,
        arguments: Sequence[str] = (),
        *,
        cwd: str = "",
        drives: Sequence[tuple[str, str]] = (),
        engine: str = "",
        environment: Mapping[str, str] | None = None,
        prefix: str = "",
        trace: TextIO | None = None,
        userland: str | None = None,
    ) -> None:
        self.program = program
        self.arguments = list(arguments)
        self.cwd = cwd
        self.drives = list(drives)
        self.engine = engine
        self.environment = dict(environment or {})
        self.prefix = prefix
        self.trace = trace
        self.userland = userland


class Outcome:
    """How a program ended, and where the time went.

    Attributes:
        exit_status: all 32 bits.
        failure: what killed it, or "".
        missing_calls: system calls nobody has implemented, with how often they were made.
        phases: (name, seconds) in order.
    """

    __slots__ = ("exit_status", "failure", "import_error", "missing_calls", "phases", "pid", "system_calls")

    def __init__(self) -> None:
        self.exit_status = 0
        self.failure = ""
        self.import_error = ""
        self.missing_calls: dict[str, int] = {}
        self.phases: list[tuple[str, float]] = []
        self.pid = 0
        self.system_calls = 0


def quiet(_level: str, _message: str) -> None:
    """The default progress: nothing."""


def launch(options: Options, progress: Callable[[str, str], None] = quiet) -> Outcome:
    """Run a program to its end.

    Args:
        progress: gets (level, message) for ``-v``.

    Raises:
        LaunchError: it cannot be started. UserlandError, PrefixError, EngineError: what they say.
    """
    outcome = Outcome()
    mark = time.perf_counter()

    def phase(name: str) -> None:
        nonlocal mark
        now = time.perf_counter()
        outcome.phases.append((name, now - mark))
        mark = now

    progress("INFO", "LSW starting")
    userland = find(os.environ, options.userland)
    prefix = Prefix(options.prefix or default_root(os.environ))
    prefix.create(lambda message: progress("INFO", message))
    drives = _drives(prefix, options, userland)
    program, host = locate(options.program, drives)
    progress("INFO", f"Target: {program}")
    image = open_image(host, program)
    ntdll = ImageSection.open(userland.dll("ntdll.dll") or "", "C:\\windows\\system32\\ntdll.dll")
    progress("INFO", f"PE loaded: entry {image.image.entry_rva:#x}, {image.image.size_of_image} bytes")
    phase("open")
    process, dispatcher = _new_process(prefix, drives, userland, options, lambda m: progress("WARN", m))
    phase("engine")
    try:
        _start(process, options, image, ntdll, program, prefix, drives)
        progress("INFO", f"Registered: pid {process.pid:#x}, base {process.image_base:#x}")
        phase("map")
        progress("INFO", "Executing")
        assert process.scheduler is not None
        process.scheduler.run(process.threads[0])
        phase("run")
    finally:
        process.restore_host()
        process.system.close()
        if options.trace is not None:
            options.trace.flush()
    outcome.exit_status = process.exit_status
    outcome.failure = process.failure
    outcome.missing_calls = process.missing_calls
    last = process.last_exception
    if last is not None and last.record.ExceptionCode == process.exit_status:
        outcome.failure = outcome.failure or last.describe(process)
        outcome.missing_calls = last.missing_calls
    outcome.pid = process.pid
    outcome.system_calls = dispatcher.count
    if outcome.exit_status in (_DLL_NOT_FOUND, _ENTRYPOINT_NOT_FOUND, _ORDINAL_NOT_FOUND) and not process.initialized:
        outcome.import_error = explain_imports(host, drives, userland, outcome.exit_status)
    progress("INFO", f"Program exited with code: {outcome.exit_status}")
    return outcome


def locate(program: str, drives: Drives) -> tuple[str, str]:
    """The program as the guest and as the host name it.

    Raises:
        LaunchError: not found, a directory, or unreadable.
    """
    try:
        if is_dos_path(program):
            resolution = drives.resolve(full_dos_path(program, drives.to_dos(os.getcwd())))
            dos, host = resolution.dos, resolution.host
        else:
            host = os.path.abspath(program)
            dos = drives.to_dos(host, as_written=True)
    except (NtError, ValueError) as error:
        reason = status_name(error.status) if isinstance(error, NtError) else str(error)
        raise LaunchError(f"{program}: no such program ({reason})", EXIT_NO_PROGRAM) from None
    if not os.path.exists(host):
        hint = "" if "." in os.path.basename(host) else f"; is it called {os.path.basename(host)}.exe?"
        raise LaunchError(f"{program}: file not found{hint}", EXIT_NO_PROGRAM)
    if os.path.isdir(host):
        raise LaunchError(f"{program}: is a directory, not a program", EXIT_NO_PROGRAM)
    return dos, host


def open_image(host: str, dos: str) -> ImageSection:
    """Open and judge the program's file.

    Raises:
        LaunchError: with the reason and what to do.
    """
    try:
        image = ImageSection.open(host, dos)
        check_program(image.image)
    except ImageError as error:
        raise LaunchError(f"{host}: {error}", EXIT_NOT_RUNNABLE) from None
    except OSError as error:
        raise LaunchError(f"{host}: {error.strerror}", EXIT_NO_PROGRAM) from None
    return image


def explain_imports(host: str, drives: Drives, userland: Userland, status: int) -> str:
    """Name the DLL or export without which the program's loader gave up, and who wanted it."""
    from lswd.image.imports import missing_imports

    folder = os.path.dirname(host)

    def find_dll(name: str) -> str | None:
        for directory in (folder, drives.root("C") + "/windows/system32"):
            path = os.path.join(directory, name)
            if os.path.exists(path):
                return path
        return userland.dll(userland.apiset_host(name) or name)

    try:
        missing = missing_imports(host, find_dll)
    except (ImageError, OSError) as error:
        return str(error)
    return "; ".join(str(m) for m in missing[:3]) or status_name(status)


def _drives(prefix: Prefix, options: Options, userland: Userland) -> Drives:
    system32 = Overlay("C:\\windows\\system32", userland.dll, userland.names)
    return Drives(prefix.drives(options.drives), [system32])


def _new_process(
    prefix: Prefix, drives: Drives, userland: Userland, options: Options, report: Callable[[str], None]
) -> tuple[Process, Dispatcher]:
    from lswd.cpu.select import engine_factory
    from lswd.kernel.file_device import install_devices
    from lswd.kernel.process import Process
    from lswd.kernel.scheduler import Scheduler
    from lswd.kernel.system import USER_SID, System
    from lswd.nt.dispatch import attach

    def open_registry() -> Registry:
        from lswd.host.environment import computer_name
        from lswd.kernel.registry.registry import Registry
        from lswd.kernel.registry.seeds import SeedFacts, seed_tree

        host = os.uname().nodename
        facts = SeedFacts(USER_SID, prefix.user, computer_name=computer_name(host), host_name=host)
        return Registry(os.path.join(prefix.root, "registry.sqlite"), lambda: seed_tree(facts), report)

    system = System(drives, userland, open_registry, user=prefix.user)
    install_devices(system)
    process = Process(system, engine_factory(options.engine))
    dispatcher = attach(process)
    if options.trace is not None:
        from lswd.nt.trace import Tracer

        dispatcher.tracer = Tracer(options.trace)
    process.scheduler = Scheduler(process)
    return process, dispatcher


def _start(
    process: Process, options: Options, image: ImageSection, ntdll: ImageSection, program: str, prefix: Prefix,
    drives: Drives,
) -> None:  # fmt: skip
    from lswd.kernel.console import attach_console
    from lswd.kernel.start import StartParameters, create_process

    directory = drives.to_dos(os.path.abspath(options.cwd) if options.cwd else os.getcwd())
    environment = windows_environment(os.environ, drives, prefix.user, options.environment)
    console, standard = attach_console(process)
    parameters = StartParameters(
        image_path=program,
        command_line=quote([program, *(to_guest_text(a) for a in options.arguments)]),
        current_directory=directory.rstrip("\\") + "\\",
        environment=environment_block(environment),
        dll_path=";".join((program.rpartition("\\")[0], *_SYSTEM_DIRECTORIES)),
        console_handle=console,
        standard_handles=standard,
    )
    create_process(process, image, ntdll, parameters)


__all__ = ["ImageError", "LaunchError", "Options", "Outcome", "launch"]
