"""The program's file: where it is, and whether it is one that can run; if not, why, and what to do."""

from __future__ import annotations

import os
import stat

from lswd.host.dospath import full_dos_path, is_dos_path
from lswd.image.errors import ImageError
from lswd.image.pe import check_program
from lswd.kernel.section import ImageSection
from lswd.ntdef.status import STATUS_ACCESS_DENIED, STATUS_OBJECT_NAME_INVALID, NtError, status_name
from lswd.service.exit_codes import EXIT_NO_PROGRAM, EXIT_NOT_RUNNABLE
from lswd.service.options import LaunchError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.host.drives import Drives

_ALLOW = "you must be allowed to read it"
_PATH_PROBLEMS = {
    STATUS_ACCESS_DENIED: f"Permission denied; {_ALLOW}",
    STATUS_OBJECT_NAME_INVALID: "not a file name Windows would accept; check the path",
}


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
    except NtError as error:
        reason = _PATH_PROBLEMS.get(error.status) or f"no such file or drive ({status_name(error.status)})"
        raise LaunchError(f"{program}: {reason}", EXIT_NO_PROGRAM) from None
    except ValueError as error:
        raise LaunchError(f"{program}: {error}", EXIT_NO_PROGRAM) from None
    try:
        mode = os.stat(host).st_mode
    except (FileNotFoundError, NotADirectoryError):
        raise LaunchError(f"{program}: file not found; {_where_instead(program, host)}", EXIT_NO_PROGRAM) from None
    except OSError as error:
        raise LaunchError(f"{program}: {error.strerror}; {_ALLOW}", EXIT_NO_PROGRAM) from None
    if stat.S_ISDIR(mode):
        raise LaunchError(f"{program}: a directory, not a program; name a file in it", EXIT_NO_PROGRAM)
    if not stat.S_ISREG(mode):  # opening a FIFO would wait for ever
        raise LaunchError(f"{program}: not a regular file; a program must be one", EXIT_NO_PROGRAM)
    return dos, host


def _where_instead(program: str, host: str) -> str:
    """What to do about a program that is not there."""
    if os.path.isfile(host + ".exe"):
        return f"did you mean {program}.exe?"
    if "/" not in program and "\\" not in program:
        for folder in os.environ.get("PATH", "").split(":"):
            for name in (program, program + ".exe"):
                if folder and os.path.isfile(os.path.join(folder, name)):
                    return f"PATH is not searched, did you mean {os.path.join(folder, name)}?"
    return "check the path" if os.path.isdir(os.path.dirname(host)) else "its directory does not exist either"


def open_image(host: str, dos: str, called: str = "") -> ImageSection:
    """Open and judge the program's file; ``called`` is what messages call it.

    Raises:
        LaunchError: with the reason and what to do.
    """
    try:
        image = ImageSection.open(host, dos)
        check_program(image.image)
    except ImageError as error:
        what_to_do = f"; {error.hint}" if error.hint else ""
        raise LaunchError(f"{called or host}: {error.reason}{what_to_do}", EXIT_NOT_RUNNABLE) from None
    except OSError as error:
        raise LaunchError(f"{called or host}: {error.strerror}; {_ALLOW}", EXIT_NO_PROGRAM) from None
    return image
