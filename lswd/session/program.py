"""Running one program in a process that was forked for it."""

from __future__ import annotations

import os
import sys
import time

from lswd.ioctl.commands import REASON_CRASHED, REASON_KILLED, REASON_NOT_STARTED, PeInfo
from lswd.session.caller_image import (
    STATUS_CONTROL_C_EXIT,
    UNKNOWN,
    arguments_of,
    environment_of,
    is_mapped,
    program_of,
    retire,
    take_over,
)
from lswd.session.identity import set_dumpable
from lswd.session.memory_image import NoImageError, rebuild
from lswd.session.order import LARGEST_ORDER, Ending, Order, OrderError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Protocol

    class Launcher(Protocol):
        """What really runs programs: ``lswd.service.program``."""

        def preload(self) -> None:
            """Import all that a launch needs."""

        def warm_up(self) -> None:
            """Launch something small, for what the first launch in a process takes longer over."""

        def prepare(self) -> None:
            """Start what the next launch needs, in the process that it will be in."""

        def run(self, order: Order) -> Ending:
            """Run the program to its end, in this process as it is."""
            ...


_EXIT_INTERNAL = 125
_EXIT_NO_PROGRAM = 122
_EXIT_INTERRUPTED = 130


def run_order(launcher: Launcher, descriptors: list[int], engine: str) -> Ending:
    """Run an order. The descriptors are closed; see ``order``. ``engine``: for an order that asks for none."""
    stdin, stdout, stderr, directory, sheet = descriptors
    try:
        os.fchdir(directory)
        order = Order.from_bytes(_read(sheet))
    except (OSError, OrderError) as error:
        return Ending(0, REASON_NOT_STARTED, _EXIT_INTERNAL, f"the order cannot be carried out: {error}")
    order.engine = order.engine or engine
    # All are above 2: those are /dev/null in a session.
    for number, fd in enumerate((stdin, stdout, stderr)):
        os.dup2(fd, number)
    for fd in descriptors:
        os.close(fd)
    return _run(launcher, order)


def _read(fd: int) -> bytes:
    data = b""
    while len(data) <= LARGEST_ORDER:
        part = os.pread(fd, LARGEST_ORDER + 1 - len(data), len(data))
        if not part:
            break
        data += part
    return data


def run_image(launcher: Launcher, proc: int, loader: int, info: PeInfo, engine: str) -> Ending:
    """Run what process ``loader`` has registered, in its place. If there is nothing to run, that is a success."""
    try:
        umask = take_over(proc, loader)
        order = Order(
            program_of(info),
            arguments_of(proc, loader),
            environ=environment_of(proc, loader),
            umask=umask,
            engine=engine,
        )
    except OSError as error:
        return Ending(0, REASON_NOT_STARTED, _EXIT_INTERNAL, f"the caller cannot be looked at: {error.strerror}")
    directory = ""
    try:
        if not _is_there(order.program):
            if not is_mapped(loader, info):
                return Ending()  # it registered a name and no image: the module only said yes, too
            directory, order.program = _write_image(loader, info, order.program)
        retire(proc, loader, info, STATUS_CONTROL_C_EXIT)
        ending = _run(launcher, order)
        if ending.reason == REASON_NOT_STARTED:
            ending.exit_status = ending.exit_code  # the loader ends with this one
            _complain(ending.message)
        elif ending.failure or ending.import_error:
            _complain(f"{order.program}: {ending.import_error or ending.failure}")
        return ending
    except NoImageError:
        ending = Ending(_EXIT_NO_PROGRAM, REASON_NOT_STARTED, _EXIT_NO_PROGRAM)
        _complain(f"{order.program}: file not found, and the loader has mapped no PE image; check the path")
        return ending
    except OSError as error:
        return Ending(_EXIT_INTERNAL, REASON_NOT_STARTED, _EXIT_INTERNAL, f"{order.program}: {error.strerror}")
    finally:
        if directory:
            import shutil

            shutil.rmtree(directory, ignore_errors=True)


def _is_there(program: str) -> bool:
    if not program or program == UNKNOWN:
        return False
    return os.path.isfile(program) or "\\" in program or program[1:2] == ":"


def _write_image(loader: int, info: PeInfo, program: str) -> tuple[str, str]:
    """A directory of ours and the file in it."""
    import tempfile

    image = rebuild(loader, info)
    directory = tempfile.mkdtemp(prefix="lsw-image-")
    path = os.path.join(directory, os.path.basename(program) or UNKNOWN)
    with open(path, "wb") as file:
        file.write(image)
    return directory, path


def _complain(message: str) -> None:
    text = "".join(c if c.isprintable() else "?" for c in f"lswd: {message}")
    try:
        os.write(2, text.encode("utf-8", "replace") + b"\n")
    except OSError:
        pass  # nobody reads it


def _run(launcher: Launcher, order: Order) -> Ending:
    try:
        if order.umask >= 0:
            os.umask(order.umask)
        os.environ.clear()
        os.environ.update(order.environ)
        time.tzset()
        set_dumpable(True)  # as if it had been started the usual way
        ending = launcher.run(order)
    except KeyboardInterrupt:
        ending = Ending(STATUS_CONTROL_C_EXIT, REASON_KILLED, _EXIT_INTERRUPTED)
    except MemoryError:
        ending = Ending(0, REASON_NOT_STARTED, _EXIT_INTERNAL, f"{order.program}: not enough memory")
    except Exception as error:
        what = f"{order.program}: internal error: {error or type(error).__name__}"
        ending = Ending(_EXIT_INTERNAL, REASON_CRASHED, _EXIT_INTERNAL, what)
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    return ending
