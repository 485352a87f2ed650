"""lswd inside the machine."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from typing import TypeAlias

from tests.vm.machine import Job, Machine

Usage: TypeAlias = Mapping[str, Mapping[str, int]]


def start_lswd(vm: Machine, device: str, *, linger: bool = False, **settings: str) -> Job:
    """lswd serving /dev/DEVICE for everybody, once it does. Its number is in /run/lsw/DEVICE.pid.

    linger: the job goes on when lswd has ended, so that nobody but itself clears up behind it.
    """
    environment = {
        "LSW_DEVICE": device,
        "LSW_MODE": "666",
        "LSW_SOCKET": f"/run/lsw/{device}.sock",
        # Others need what this kernel, or a kernel of its kind, does not have.
        "LSW_ENGINE": "unicorn",
        **settings,
    }
    script = f"""
        mkdir -p /run/lsw
        {shlex.quote(sys.executable)} -m lswd &
        echo $! >/run/lsw/{device}.pid
        wait $!
        echo "lswd ended: $?"
        {"exec sleep 1000" if linger else ""}
    """
    job = vm.start(script, environment=environment)
    job.expect("info: ready")
    return job


def usage(vm: Machine, device: str) -> Usage:
    """What a device's daemon and its sessions' workers take: pss and rss in kilobytes, files."""
    result = vm.python(f"from tests.vm.inside import tell_usage; tell_usage({device!r})")
    assert 0 == result.code, result.output
    told: Usage = json.loads(result.output)
    return told
