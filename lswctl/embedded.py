"""Running a program in this process: no daemon, no root, no device."""

from __future__ import annotations

import gc
import os

from lswctl.report import exit_code, line, report, say
from lswd.service import launch as service

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswctl.launch import Request
    from lswctl.report import Stderr


def run(request: Request, trace: Stderr | None) -> int:
    """Run the program; returns what lswctl exits with."""
    # A launch makes some 12000 objects that all live to its end; by default the collector looks through them 20 times.
    gc.set_threshold(50_000)
    from lswd.cpu.engine import EngineError
    from lswd.host.prefix import PrefixError
    from lswd.ntdef.status import NtError, status_name
    from lswd.userland.discovery import UserlandError

    options = service.Options(
        request.program,
        request.arguments,
        cwd=request.cwd,
        drives=request.drives,
        engine=request.engine,
        environment=request.environment,
        network=request.network,
        prefix=request.prefix,
        trace=trace,
        userland=request.userland or None,
    )

    def progress(level: str, message: str) -> None:
        line(f"{level}  {message}")

    try:
        outcome = service.launch(options, progress if request.verbose else service.quiet)
    except service.LaunchError as error:
        say(str(error))
        return error.exit_code
    except UserlandError as error:
        say(str(error))
        return service.EXIT_NO_USERLAND
    except PrefixError as error:
        say(str(error))
        return service.EXIT_USAGE
    except EngineError as error:
        say(str(error))
        return service.EXIT_INTERNAL
    except NtError as error:
        say(f"{request.program}: cannot be started: {status_name(error.status)}")
        return service.EXIT_NOT_RUNNABLE
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
