"""The node /dev/NAME: whose it is, and who may open it.

Nothing here opens the device: that would wait for ourselves to serve it.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path

from lswd.device.cuse.channel import Channel, DeviceError

DEV = Path("/dev")
CLASS = Path("/sys/class/cuse")


def create(name: str, *, group: int | None = None, mode: int | None = None) -> Channel:
    """Create the device /dev/``name``, with its node's group and mode (None: as the system makes it).

    Raises DeviceError when that is not possible, with the reason and what to do.
    """
    check_name(name)
    channel = Channel.create(name)
    try:
        give_node(name, group=group, mode=mode)
    except BaseException:
        channel.close()
        raise
    return channel


def check_name(name: str) -> None:
    """Raise DeviceError when ``name`` is none for a device, or the device is there already.

    That it is not there promises nothing: only `Channel.create` takes the name.
    """
    if not name.isascii() or not name.replace("-", "").replace("_", "").isalnum() or len(name) > 64:
        raise DeviceError(f"{name!r} is no name for a device: letters, digits, - and _, 64 of them at most")
    if (CLASS / name).exists():
        raise DeviceError(f"/dev/{name} is served by another daemon already")
    if (DEV / name).exists():
        raise DeviceError(f"/dev/{name} belongs to something else, such as a kernel module lsw: unload that first")


def device_number(name: str) -> tuple[int, int]:
    """The major and minor number of a device of ours. Raises DeviceError when there is none."""
    try:
        major, _, minor = (CLASS / name / "dev").read_text(encoding="ascii").partition(":")
        return int(major), int(minor)
    except (OSError, ValueError):
        raise DeviceError(f"the kernel made no device {name}: {CLASS / name} is missing (is sysfs mounted?)") from None


def give_node(name: str, *, group: int | None, mode: int | None) -> None:
    """Set the node's group and mode (None: leave it), once the device is created.

    Raises DeviceError when the node is not there, is another's, or cannot be changed.
    """
    path = DEV / name
    major, minor = device_number(name)
    try:
        # O_PATH does not open the device, and holds on to the very file that is checked.
        node = os.open(path, os.O_PATH | os.O_NOFOLLOW | os.O_CLOEXEC)
    except FileNotFoundError:
        raise DeviceError(f"{path} does not exist although the device does: is /dev no devtmpfs?") from None
    except OSError as error:
        raise DeviceError(f"{path}: {error.strerror}") from None
    try:
        status = os.fstat(node)
        if not stat.S_ISCHR(status.st_mode) or status.st_rdev != os.makedev(major, minor):
            raise DeviceError(f"{path} is not the device that we serve ({major}:{minor}), something else has the name")
        if group is not None:
            os.chown(f"/proc/self/fd/{node}", -1, group)
        if mode is not None:
            os.chmod(f"/proc/self/fd/{node}", mode)
    except OSError as error:
        raise DeviceError(f"{path}: cannot set its group and mode: {error.strerror}") from None
    finally:
        os.close(node)
