"""How far this process confines itself before it looks at a program: the policy ``confine``.

off     not at all
on      no new privileges, no look into other processes, and no system call that we never make (``call_filter``), among
        them those of a network that programs may not have; files are what drives and the user's rights make of them
strict  besides, only files of the system, of the prefix, of drives that somebody has named, of the program's directory
        and the working directory, and temporary ones (``landlock``); nothing outside can be signalled
"""

from __future__ import annotations

import os
import sys

from lswd.host import call_filter

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

OFF, ON, STRICT = "off", "on", "strict"
CHOICES = (ON, OFF, STRICT)

# What Python, the C library and we read of a system, and what every process may write to.
_SYSTEM = (
    "/usr", "/lib", "/lib32", "/lib64", "/bin", "/sbin", "/etc", "/proc", "/sys", "/run/systemd/resolve",
    "/run/resolvconf", "/run/NetworkManager", "/dev/random", "/dev/urandom",
)  # fmt: skip
_DEVICES = ("/dev/null", "/dev/zero", "/dev/full", "/dev/tty")  # no terminals but our own


class ConfinementError(Exception):
    """What was asked for cannot be done here; the message says why."""


def confine(
    policy: str,
    *,
    network: bool,
    readable: Iterable[str] = (),
    writable: Iterable[str] = (),
    report: Callable[[str], None] = lambda message: None,
) -> None:
    """Do it, for good.

    Args:
        network: programs may have one.
        readable, writable: besides what a system has, for "strict".
        report: is told what "on" cannot do here.

    Raises:
        ConfinementError: "strict" cannot be had.
    """
    if policy == OFF:
        return
    try:
        call_filter.give_up_privileges()
        from lswd.host import landlock

        if policy == ON:
            _keep_apart(report)
        else:
            landlock.restrict((*_SYSTEM, *_python(), *readable), (*_DEVICES, *writable))
        call_filter.refuse_calls(network)
    except OSError as error:
        why = f"this process cannot be confined: {error.strerror}"
        if policy == STRICT:
            raise ConfinementError(f"{why}; --confine on does without") from None
        report(why)


def _keep_apart(report: Callable[[str], None]) -> None:
    from lswd.host import landlock

    try:
        landlock.keep_apart()
    except OSError as error:
        report(f"the memory of the user's other processes stays within reach: {error.strerror}")


def _python() -> list[str]:
    """Where modules come from, but not what else lies beside ours."""
    ours = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
    installed = [path for path in sys.path if path.endswith(("/site-packages", "/dist-packages"))]
    return [ours, os.path.join(os.path.dirname(ours), "lswctl"), sys.prefix, sys.base_prefix, *installed]


def is_everything(path: str) -> bool:
    """Whether ``path``, by whatever name, is the root of all files."""
    try:
        return os.path.samefile(path, "/")
    except OSError:
        return False


def temporary(environ: Mapping[str, str]) -> list[str]:
    """Directories for temporary files."""
    return ["/tmp", "/var/tmp", *filter(None, (environ.get(name, "") for name in ("TMPDIR", "TEMP", "TMP")))]
