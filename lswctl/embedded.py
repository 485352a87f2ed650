"""Running a program in this process: no daemon, no root, no device."""

from __future__ import annotations

import os

from lswctl.report import exit_code, line, report, say
from lswd.host.confinement import ON
from lswd.service import launch as service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswctl.launch import Request
    from lswctl.report import Stderr


def run(request: Request, trace: Stderr | None) -> int:
    """Run the program; returns what lswctl exits with."""
    options = service.Options(
        request.program,
        request.arguments,
        confine=request.confine or ON,
        cwd=request.cwd,
        drives=request.drives,
        engine=request.engine,
        environment=request.environment,
        limit=request.limit,
        network=request.network,
        prefix=request.prefix,
        report=request.report,
        trace=trace,
        userland=request.userland or None,
        windows_version=request.windows_version,
    )

    def progress(level: str, message: str) -> None:
        line(f"{level}  {message}")

    try:
        outcome = service.attempt(options, progress if request.verbose else service.quiet)
    except service.LaunchError as error:
        say(str(error))
        return error.exit_code
    except MemoryError:
        say(f"{request.program}: not enough memory")
        return service.EXIT_INTERNAL
    except Exception as error:
        if os.environ.get("LSW_DEBUG"):
            raise
        say(f"{request.program}: internal error: {error or type(error).__name__} (LSW_DEBUG=1 shows where)")
        return service.EXIT_INTERNAL
    report(request.program, outcome, verbose=request.verbose, json=request.json)
    if outcome.import_error:
        return service.EXIT_MISSING_IMPORT
    return exit_code(outcome.exit_status)
