"""For Python programs that run inside the machine: which processes there are, and what they take."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")


class Process(NamedTuple):
    """A process as /proc has it. state: R, S, D (cannot be killed now), Z (has ended), ..."""

    pid: int
    parent: int
    state: str
    uid: int


def processes() -> dict[int, Process]:
    """All there are."""
    found = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit():
            try:
                state, parent = (entry / "stat").read_text().rpartition(") ")[2].split()[:2]
                found[int(entry.name)] = Process(int(entry.name), int(parent), state, entry.stat().st_uid)
            except (FileNotFoundError, ProcessLookupError):
                pass  # it has just ended
    return found


def descendants(pid: int) -> list[Process]:
    """The processes below one that have not ended, nearest first."""
    everybody = processes()
    found: list[Process] = []
    above = [pid]
    while above:
        below = [process for process in everybody.values() if process.parent in above]
        found += below
        above = [process.pid for process in below]
    return [process for process in found if process.state != "Z"]


def daemon(device: str) -> int:
    """The lswd that serves a device (see daemon.py)."""
    return int(Path(f"/run/lsw/{device}.pid").read_text())


def links(pid: int) -> list[str]:
    """What a process's descriptors are; [] when it has just ended."""
    try:
        return [os.readlink(PROC / str(pid) / "fd" / name) for name in os.listdir(PROC / str(pid) / "fd")]
    except OSError:
        return []


def usage(pid: int) -> dict[str, int]:
    """Of a process: kilobytes of memory that are its own (PSS) or that it has mapped in (RSS), and descriptors."""
    rollup = (PROC / str(pid) / "smaps_rollup").read_text().splitlines()[1:]
    kilobytes = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in rollup)}
    return {"pss": kilobytes["Pss"], "rss": kilobytes["Rss"], "files": len(os.listdir(PROC / str(pid) / "fd"))}


def tell_usage(device: str) -> None:
    """Print the usage of a device's daemon, and of what serves native calls in its sessions.

    What runs programs comes and goes.
    """
    pid = daemon(device)
    workers = {"pss": 0, "rss": 0, "files": 0}
    for process in descendants(pid):
        if "anon_inode:[eventpoll]" in links(process.pid):
            for name, value in usage(process.pid).items():
                workers[name] += value
    print(json.dumps({"daemon": usage(pid), "workers": workers}))
