"""Standard handles of a new process: a console for those that are a terminal, files for the rest.

A program whose standard streams are all redirected has no console, as under Wine: GetConsoleMode and opening CONOUT$
fail, and output goes out as the bytes it is.
"""

from __future__ import annotations

import os

from lswd.kernel.file_device import standard_file
from lswd.kernel.object import GENERIC_READ, GENERIC_WRITE, SYNCHRONIZE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process

# RTL_USER_PROCESS_PARAMETERS.ConsoleHandle of a process that was started from Unix without a terminal
# (wine/condrv.h CONSOLE_HANDLE_SHELL_NO_WINDOW).
NO_CONSOLE = 0xFFFF_FFFF_FFFF_FFFC

_ACCESS = (GENERIC_READ | SYNCHRONIZE, GENERIC_WRITE | SYNCHRONIZE, GENERIC_WRITE | SYNCHRONIZE)


def attach_console(process: Process, fds: tuple[int, int, int] = (0, 1, 2)) -> tuple[int, tuple[int, int, int]]:
    """Give a new process its standard handles and, when one of them is a terminal, a console.

    Args:
        fds: the host's stdin, stdout and stderr; they stay open when the handles are closed. One that is not open
            gives the handle 0.

    Returns:
        What goes into RTL_USER_PROCESS_PARAMETERS: ConsoleHandle, and the three standard handles.
    """
    handles = [0, 0, 0]
    for i, (fd, access) in enumerate(zip(fds, _ACCESS, strict=True)):
        try:
            os.fstat(fd)
        except OSError:
            continue
        file = standard_file(process.system, fd, access)
        handles[i] = process.handles.add(file, access, inherit=True)
    return NO_CONSOLE & ((1 << 8 * process.space.word) - 1), (handles[0], handles[1], handles[2])
