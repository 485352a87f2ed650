"""What a launch was asked for, and what its words mean."""

from __future__ import annotations

from lswd.service.exit_codes import EXIT_USAGE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from lswd.kernel.job import Limits
    from lswd.kernel.registry.windows_version import WindowsVersion

    class Sink(Protocol):
        """Where a trace goes."""

        def write(self, text: str, /) -> int: ...
        def flush(self) -> None: ...


class Options:
    """What ``lswctl launch`` was asked for."""

    __slots__ = (
        "arguments", "confine", "cwd", "drives", "engine", "environment", "limit", "network", "prefix", "program",
        "report", "trace", "userland", "windows_version",
    )  # fmt: skip

    def __init__(
        self,
        program: str,
        arguments: Sequence[str] = (),
        *,
        confine: str = "",
        cwd: str = "",
        drives: Sequence[tuple[str, str]] = (),
        engine: str = "",
        environment: Mapping[str, str] | None = None,
        limit: str = "",
        network: str = "",
        prefix: str = "",
        report: str = "",
        trace: Sink | None = None,
        userland: str | None = None,
        windows_version: str = "",
    ) -> None:
        """``report``: the file that what was missing goes to, as JSON."""
        self.program = program
        self.arguments = list(arguments)
        self.confine = confine
        self.cwd = cwd
        self.drives = list(drives)
        self.engine = engine
        self.environment = dict(environment or {})
        self.limit = limit
        self.network = network
        self.prefix = prefix
        self.report = report
        self.trace = trace
        self.userland = userland
        self.windows_version = windows_version


class LaunchError(Exception):
    """The program cannot be run: one line for the user, and our exit code."""

    def __init__(self, message: str, exit_code: int) -> None:
        super().__init__(message)
        self.exit_code = exit_code


def limits_in(text: str) -> Limits | None:
    """What ``--limit`` says; None when nothing. Raises LaunchError: it makes no sense."""
    if not text:
        return None
    from lswd.service.limit import parse

    try:
        return parse(text)
    except ValueError as error:
        raise LaunchError(str(error), EXIT_USAGE) from None


def network_policy(word: str) -> str:
    """What ``--network`` says. Raises LaunchError: there is no such policy."""
    from lswd.kernel.afd.policy import CHOICES

    if word not in CHOICES:
        raise LaunchError(f"network: {', '.join(CHOICES[:-1])} or {CHOICES[-1]}, not {word!r}", EXIT_USAGE)
    return word


def windows_release(name: str) -> WindowsVersion:
    """What ``--windows-version`` says. Raises LaunchError: there is no such release."""
    from lswd.kernel.registry.windows_version import VERSIONS, named

    found = named(name)
    if found is None:
        known = ", ".join(VERSIONS)
        raise LaunchError(f"windows_version: there is no {name!r}; known: {known}", EXIT_USAGE)
    return found
