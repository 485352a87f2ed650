"""One program from start to exit, in this process: no daemon, no root, no CUSE ("embedded")."""

from __future__ import annotations

import gc
import os
import time

from lswd.cpu.engine import EngineError
from lswd.cpu.select import describe as describe_engine
from lswd.host.commandline import quote
from lswd.host.drives import Drives, Overlay
from lswd.host.environment import environment_block, windows_environment
from lswd.host.names import to_guest_text
from lswd.host.prefix import Prefix, PrefixError, default_root
from lswd.kernel.exception import EXCEPTION_WINE_STUB
from lswd.kernel.section import ImageSection, word_of
from lswd.ntdef.status import (
    STATUS_DLL_NOT_FOUND,
    STATUS_ENTRYPOINT_NOT_FOUND,
    STATUS_ORDINAL_NOT_FOUND,
    NtError,
    status_name,
)
from lswd.service.exit_codes import (
    EXIT_INTERNAL,
    EXIT_MISSING_IMPORT,
    EXIT_NO_USERLAND,
    EXIT_NOT_RUNNABLE,
    EXIT_USAGE,
)
from lswd.service.locate import locate, open_image
from lswd.service.options import LaunchError, Options, limits_in, network_policy, windows_release
from lswd.userland.discovery import find
from lswd.userland.userland import Userland, UserlandError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lswd.kernel.job import Job, Limits
    from lswd.kernel.process import Process
    from lswd.kernel.registry.registry import Registry
    from lswd.nt.findings import Findings

# Where the loader looks for DLLs behind the program's own directory (Microsoft "Dynamic-link library search order").
SYSTEM_DIRECTORIES = ("C:\\windows\\system32", "C:\\windows\\system", "C:\\windows")


# Exit statuses behind which a missing DLL or function may be.
_EXPLAINED = (STATUS_DLL_NOT_FOUND, STATUS_ENTRYPOINT_NOT_FOUND, STATUS_ORDINAL_NOT_FOUND, EXCEPTION_WINE_STUB)


class Outcome:
    """How a program ended, and where the time went.

    Attributes:
        exit_status: all 32 bits.
        failure: what killed it, or "". killed: that was a limit.
        import_error: the DLL or function without which it could not go on, or "".
        missing_calls: system calls nobody has implemented, with how often they were made; by all processes.
        note: what else may be why it failed, or "".
        system_calls: how many all processes have made.
        phases: (name, seconds) in order.
    """

    __slots__ = (
        "exit_status", "failure", "import_error", "killed", "missing_calls", "note", "phases", "pid", "system_calls"
    )  # fmt: skip

    def __init__(self) -> None:
        self.exit_status = 0
        self.failure = ""
        self.import_error = ""
        self.killed = False
        self.missing_calls: dict[str, int] = {}
        self.note = ""
        self.phases: list[tuple[str, float]] = []
        self.pid = 0
        self.system_calls = 0


def quiet(_level: str, _message: str) -> None:
    """The default progress: nothing."""


def attempt(options: Options, progress: Callable[[str, str], None] = quiet) -> Outcome:
    """``launch``, for a host process that does nothing else.

    Raises:
        LaunchError: whatever the reason that the program cannot be started, or its engine cannot go on.
    """
    # A launch makes some 12000 objects that all live to its end; by default the collector looks through them 20 times.
    gc.set_threshold(50_000)
    try:
        return launch(options, progress)
    except UserlandError as error:
        raise LaunchError(str(error), EXIT_NO_USERLAND) from None
    except PrefixError as error:
        raise LaunchError(str(error), EXIT_USAGE) from None
    except EngineError as error:
        raise LaunchError(str(error), EXIT_INTERNAL) from None
    except NtError as error:
        what = f"{options.program}: cannot be started: {status_name(error.status)}"
        raise LaunchError(what, EXIT_NOT_RUNNABLE) from None


def launch(options: Options, progress: Callable[[str, str], None] = quiet, *, close: bool = False) -> Outcome:
    """Run a program to its end.

    Args:
        progress: gets (level, message) for ``-v``.
        close: give back what the end of this host process would, too: it goes on.

    Raises:
        LaunchError: it cannot be started. UserlandError, PrefixError, EngineError: what they say.
    """
    outcome = Outcome()
    mark = time.perf_counter()
    limits = limits_in(options.limit)

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
    if options.confine:
        _confine(options, prefix, userland, host, lambda message: progress("WARN", message))
    image = open_image(host, program, options.program)
    progress("INFO", f"PE loaded: entry {image.image.entry_rva:#x}, {image.image.size_of_image} bytes")
    phase("open")
    word = word_of(image)
    if word == 4:
        _check_i386(userland, options.program)
    process, findings = _new_process(prefix, drives, userland, options, word, lambda m: progress("WARN", m))
    job = _limited(process, limits) if limits is not None else None
    phase("engine")
    progress("INFO", f"Engine: {describe_engine(process.engine)}")
    try:
        _start(process, options, image, program, prefix, drives)
        progress("INFO", f"Registered: pid {process.pid:#x}, base {process.image_base:#x}")
        phase("map")
        progress("INFO", "Executing")
        assert process.scheduler is not None
        process.scheduler.run(process.threads[0])
        phase("run")
    except Exception as error:
        if findings is not None:
            outcome.failure = f"{type(error).__name__}: {error}"
            _write_report(options, userland, process, outcome, findings)
        raise
    finally:
        process.restore_host()
        process.system.close()
        if options.trace is not None:
            options.trace.flush()
    outcome.exit_status = process.exit_status
    outcome.failure = process.failure
    outcome.missing_calls = process.missing_calls
    last = process.exceptions.get(process.exit_status)
    if last is not None:
        outcome.failure = outcome.failure or last.describe(process)
        outcome.missing_calls = last.missing_calls
    if job is not None:
        from lswd.service.limit import reached, refused

        outcome.killed = job.time_is_up
        outcome.failure = reached(job) or outcome.failure
        outcome.note = refused(job)
    outcome.pid = process.pid
    outcome.system_calls = process.system.system_calls
    if outcome.exit_status in _EXPLAINED:
        from lswd.service.explain import import_error

        directories = dll_directories(program, *_surroundings(options, prefix, drives, word))
        outcome.import_error = import_error(process, host, directories, drives, process.userland)
    if findings is not None:
        _write_report(options, userland, process, outcome, findings)
    progress("INFO", f"Program exited with code: {outcome.exit_status}")
    if close:
        process.close()
    return outcome


def _drives(prefix: Prefix, options: Options, userland: Userland) -> Drives:
    system32 = Overlay("C:\\windows\\system32", userland.dll, userland.names)
    syswow64 = Overlay("C:\\windows\\syswow64", userland.i386_dll, userland.i386_names)
    return Drives(prefix.drives(options.drives), [system32, syswow64])


def _check_i386(userland: Userland, program: str) -> None:
    """Raises UserlandError: there are no DLLs for 32-bit programs."""
    try:
        _ = userland.i386
    except UserlandError as error:
        raise UserlandError(f"{program}: a 32-bit program, but {error}") from None


def _confine(
    options: Options, prefix: Prefix, userland: Userland, host: str, report: Callable[[str], None]
) -> None:
    """From here on this process does nothing that no launch needs; see ``host.confinement``.

    Raises:
        LaunchError: it cannot be confined as it was asked for.
    """
    from lswd.host import confinement

    policy = options.confine
    if policy not in confinement.CHOICES:
        choices = confinement.CHOICES
        raise LaunchError(f"confine: {', '.join(choices[:-1])} or {choices[-1]}, not {policy!r}", EXIT_USAGE)
    network = not options.network or network_policy(options.network) != "off"
    readable: list[str] = []
    writable: list[str] = []
    if policy == confinement.STRICT:
        from lswd.kernel.ready import give_back
        from lswd.userland.cache import cache_directory

        give_back()  # an engine from before the process was confined is one that it could not signal
        readable = [userland.directory, os.path.dirname(userland.nls_directory)]
        try:
            readable.append(userland.i386.directory)
        except UserlandError:
            pass  # no 32-bit programs
        cache = cache_directory(os.environ)
        named = prefix.drives() | dict(options.drives)
        if named.get("Z") == "/" and "Z" not in dict(options.drives):
            del named["Z"]  # by default it is everything
        implied = _implied(options, host)
        for what, path in implied:
            if confinement.is_everything(path):
                raise LaunchError(f"--confine strict: {what} is /, so nothing would be out of reach", EXIT_USAGE)
        writable = [prefix.root, *named.values(), *(path for _, path in implied), *([cache] if cache else [])]
    try:
        confinement.confine(policy, network=network, readable=readable, writable=writable, report=report)
    except confinement.ConfinementError as error:
        raise LaunchError(str(error), EXIT_USAGE) from None


def _implied(options: Options, host: str) -> list[tuple[str, str]]:
    """Directories that "strict" leaves within reach though nobody has named them for it: what each is, and its path."""
    from lswd.host import confinement

    found = [
        ("the working directory (--cwd DIR starts in another)", os.path.abspath(options.cwd)),
        ("the program's directory", os.path.dirname(host)),
        *(("a directory for temporary files", path) for path in confinement.temporary(os.environ)),
    ]
    if options.report:
        found.append(("the report's directory", os.path.dirname(os.path.abspath(options.report))))
    return found


def _limited(process: Process, limits: Limits) -> Job:
    """Put the first process into a job with these limits."""
    from lswd.kernel.job import Job

    job = Job()
    job.set_limits(limits)
    job.assign(process)
    return job


def _new_process(
    prefix: Prefix, drives: Drives, userland: Userland, options: Options, word: int, report: Callable[[str], None]
) -> tuple[Process, Findings | None]:
    from lswd.cpu.select import engine_factory
    from lswd.kernel.file_device import install_devices
    from lswd.kernel.process import Process
    from lswd.kernel.ready import take
    from lswd.kernel.scheduler import Scheduler
    from lswd.kernel.system import USER_SID, System
    from lswd.nt.dispatch import attach

    def open_registry() -> Registry:
        from lswd.host.environment import computer_name
        from lswd.kernel.registry.registry import Registry
        from lswd.kernel.registry.seeds import SeedFacts, known_tree

        host = os.uname().nodename
        facts = SeedFacts(
            USER_SID, prefix.user, computer_name=computer_name(host), host_name=host, windows=system.windows
        )
        return Registry(os.path.join(prefix.root, "registry.sqlite"), lambda: known_tree(facts), report)

    system = System(drives, userland, open_registry, user=prefix.user)
    if options.network:
        system.network = network_policy(options.network)
    if options.windows_version:
        system.windows = windows_release(options.windows_version)
    install_devices(system)
    engine = engine_factory(options.engine)
    tracer = findings = None
    if options.trace is not None:
        from lswd.nt.trace import Tracer

        tracer = Tracer(options.trace)
    if options.report:
        from lswd.nt.findings import Findings

        findings = Findings(tracer)

    def another(word: int) -> Process:
        process = Process(system, engine, word=word)
        attach(process).tracer = findings or tracer
        process.scheduler = first.scheduler
        return process

    ready = take(options.engine, word)
    first = Process(system, engine, word=word, ready=ready)
    attach(first).tracer = findings or tracer
    first.scheduler = Scheduler(first)
    system.new_process = another
    return first, findings


def _write_report(
    options: Options, userland: Userland, process: Process, outcome: Outcome, findings: Findings
) -> None:
    """Raises LaunchError: the file cannot be written."""
    import json

    record = {
        "program": options.program,
        "userland": userland.identity(),
        "engine": process.engine.name,
        "exit_code": outcome.exit_status,
        "failure": outcome.failure or outcome.import_error or None,
        "system_calls": outcome.system_calls,
        **findings.record(process.missing_calls),
    }
    try:
        with open(options.report, "w", encoding="utf-8") as file:
            json.dump(record, file, indent=1)
            file.write("\n")
    except OSError as error:
        raise LaunchError(f"--report {options.report}: {error.strerror}", EXIT_USAGE) from None


def dll_directories(program: str, directory: str, environment: Mapping[str, str]) -> list[str]:
    """Where the loader searches: beside the program, in the system, the current directory and those of PATH."""
    path = next((value for name, value in environment.items() if name.upper() == "PATH"), "")
    listed = [program.rpartition("\\")[0] + "\\", *SYSTEM_DIRECTORIES, directory]
    return list(dict.fromkeys([*listed, *filter(None, [folder.strip('"') for folder in path.split(";")])]))


def _surroundings(options: Options, prefix: Prefix, drives: Drives, word: int) -> tuple[str, dict[str, str]]:
    """Current directory and environment of the program, as it sees them."""
    directory = drives.to_dos(os.path.abspath(options.cwd) if options.cwd else os.getcwd())
    architecture = "AMD64" if word == 8 else "x86"
    return directory, windows_environment(
        dict(os.environ), drives, prefix.user, options.environment, architecture=architecture
    )


def _start(
    process: Process, options: Options, image: ImageSection, program: str, prefix: Prefix, drives: Drives
) -> None:
    from lswd.kernel.console import attach_console
    from lswd.kernel.console.signals import install
    from lswd.kernel.start import StartParameters, create_process, open_ntdll

    directory, environment = _surroundings(options, prefix, drives, process.space.word)
    console, standard = attach_console(process)
    install(process)
    parameters = StartParameters(
        image_path=program,
        command_line=quote([program, *(to_guest_text(a) for a in options.arguments)]),
        current_directory=directory.rstrip("\\") + "\\",
        environment=environment_block(environment),
        dll_path=";".join(dll_directories(program, directory, environment)),
        console_handle=console,
        standard_handles=standard,
    )
    create_process(process, image, open_ntdll(process.system, process.space.word), parameters)


__all__ = ["EXIT_INTERNAL", "EXIT_MISSING_IMPORT", "LaunchError", "Options", "Outcome", "attempt", "launch", "quiet"]
