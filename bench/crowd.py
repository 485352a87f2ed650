"""A hundred Windows programs at once: do all of them do the right thing, and how much memory does each take?

    python bench/crowd.py [--count N] [--engine NAME] [--most MIB]

They are launched through a daemon, and then embedded; each says hello and stays until its standard input ends. Memory
is proportional set size (PSS, of all processes that were not there before; a page that n processes share counts 1/n
in each), divided by the number of programs. "kernel" is the Python process behind each program, with its guest's
memory; "guest" the jailed process, which only root may look at; "client" the lswctl that waits for it. The exit code
is 1 when a program did not do the right thing, or took more than --most.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from setting import HERE, LIMIT, Setting, arguments, built, daemon, hello, scratch

EXIT_CODE = 7


def memory(pids: set[int]) -> dict[int, int]:
    """PSS in bytes of those of the processes that are there."""
    found = {}
    for pid in pids:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        found[pid] = sum(int(line.split()[1]) for line in lines if line.startswith("Pss:")) * 1024
    return found


def descendants(root: int) -> set[int]:
    """All processes below ``root``."""
    children: dict[int, list[int]] = {}
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                stat = Path(f"/proc/{entry}/stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(int(stat.rpartition(")")[2].split()[1]), []).append(int(entry))
    found: set[int] = set()
    ahead = [root]
    while ahead:
        for child in children.get(ahead.pop(), ()):
            found.add(child)
            ahead.append(child)
    return found


def is_guest(pid: int) -> bool:
    """Is it a jailed process?"""
    try:
        return os.readlink(f"/proc/{pid}/exe").startswith("/memfd:jail")
    except OSError:
        return False


def crowd(setting: Setting, command: list[str], program: Path, count: int, title: str, most: float) -> bool:
    """Run them, print what they took; is all as it should be?"""
    before = descendants(os.getpid())
    clients: list[subprocess.Popen[bytes]] = []
    started = time.perf_counter()
    for number in range(count):
        with (setting.directory / f"err{number}").open("wb") as err:
            clients.append(
                subprocess.Popen(
                    [*command, str(program), str(number)], env=setting.environment,
                    stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=err,
                )
            )  # fmt: skip
    right = True
    for number, client in enumerate(clients):
        assert client.stdout is not None
        right &= client.stdout.readline() == b"hello from %d\r\n" % number
    up = time.perf_counter() - started
    own = {client.pid for client in clients}
    there = descendants(os.getpid()) - before
    guests = {pid for pid in there if is_guest(pid)}
    found = memory(there if os.geteuid() == 0 else there - guests)
    for number, client in enumerate(clients):
        out, _ = client.communicate(timeout=LIMIT)
        right &= out == b"goodbye from %d\r\n" % number and client.returncode == EXIT_CODE
        if client.returncode != EXIT_CODE and right is False:
            print((setting.directory / f"err{number}").read_text(), end="")
    ended = time.perf_counter() - started
    parts = {
        "guest": sum(size for pid, size in found.items() if pid in guests),
        "client": sum(size for pid, size in found.items() if pid in own and len(found) > 2 * count),
    }
    parts["kernel"] = sum(found.values()) - sum(parts.values())
    shown = ", ".join(f"{name} {size / count / 2**20:.1f}" for name, size in sorted(parts.items()) if size)
    each = sum(found.values()) / count / 2**20
    verdict = "all right" if right else "NOT ALL RIGHT"
    print(
        f"{title:9} {count} programs: {verdict}; all up after {up:.1f} s, ended after {ended:.1f} s; "
        f"{each:.1f} MiB each ({shown})"
    )
    return right and each <= most


def main() -> int:
    """Measure both ways; 0 when all programs did the right thing."""
    parser = arguments(__doc__, runs=1)
    parser.add_argument("--count", type=int, default=100)
    parser.add_argument("--engine", default="auto")
    parser.add_argument("--most", type=float, default=30, metavar="MIB")
    options = parser.parse_args()
    count: int = options.count
    most: float = options.most
    program = built(HERE / "guest" / "crowd.c", name="bench/crowd.exe")
    launch = [sys.executable, "-m", "lswctl", "launch", "--engine", options.engine, "--via"]
    with scratch() as setting:
        setting.once([*launch, "embedded", hello()])
        limits = f"[limits]\nprocesses = {count + 1}\nconnections = {count + 1}\n"
        with daemon(setting, limits):
            right = crowd(setting, [*launch, "socket"], program, count, "daemon", most)
        return 0 if crowd(setting, [*launch, "embedded"], program, count, "embedded", most) and right else 1


if __name__ == "__main__":
    sys.exit(main())
