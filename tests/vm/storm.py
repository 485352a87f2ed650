"""Inside the machine: clients, sessions, programs and the daemon are killed at random points, and all must go on.

    python -m tests.vm.storm DEVICE CROWD LOADER PROGRAM --rounds 40 --seed 1

As long as the daemon lives, the clients of a user nobody kills get right answers; after it was killed nobody hangs, and
a new one serves at once. Prints what was killed how often. Whoever starts this kills what it leaves behind.
"""

from __future__ import annotations

import argparse
import errno
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.vm.client import device, ioctl
from tests.vm.inside import PROC, Process, descendants, links, processes, usage

VICTIM, BYSTANDER = 1000, 1001
CROWDS, LOADERS, STEADY = 2, 3, 3
PATIENCE = 20.0
"""Seconds that anything may take. This machine is slow, and busy."""
MOST_GROWTH = 2048
STATUS, SYSCALL = 0x80044C03, 0xC0584C05


def until(condition: Callable[[], object], what: str, seconds: float = PATIENCE) -> None:
    """Wait for a condition. Raises AssertionError: in vain."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"{what}: waited {seconds} s in vain"
        time.sleep(0.01)


def registered(file: int) -> int:
    """The number of registrations, or -errno."""
    memory = bytearray(4)
    return ioctl(file, STATUS, memory) or int(struct.unpack("<i", memory)[0])


class Storm:
    """The daemon, its clients, and what happens to them."""

    def __init__(self, name: str, crowd: str, loader: str, program: str, seed: int) -> None:
        self.name = name
        self.crowd, self.loader, self.program = crowd, loader, program
        self.random = random.Random(seed)
        self.killed: Counter[str] = Counter()
        self.clients: list[subprocess.Popen[bytes]] = []
        self.steady: subprocess.Popen[bytes] | None = None
        self.runs = 0
        self.log = tempfile.TemporaryFile("w+b")
        self.strangers: set[int] = set()
        self.daemon = self.start_daemon()
        own = {self.daemon.pid, *(process.pid for process in descendants(self.daemon.pid))}
        self.strangers = set(self.sessions()) - own

    # ---- who there is

    def start_daemon(self) -> subprocess.Popen[bytes]:
        """A daemon, once it says that it serves."""
        place = self.log.seek(0, os.SEEK_END)
        settings = {"LSW_DEVICE": self.name, "LSW_SOCKET": f"/run/lsw/{self.name}.sock"}
        settings |= {"LSW_MODE": "666", "LSW_ENGINE": "unicorn"}
        daemon = subprocess.Popen(
            [sys.executable, "-m", "lswd"], stderr=self.log, stdout=self.log, env=os.environ | settings
        )
        until(lambda: b"info: ready" in os.pread(self.log.fileno(), 1 << 20, place), "a daemon's start")
        return daemon

    def start_client(self, *line: str, user: int = VICTIM) -> subprocess.Popen[bytes]:
        """A client in a process group of its own."""
        output = subprocess.DEVNULL if user == VICTIM else subprocess.PIPE
        return subprocess.Popen(
            line, user=user, group=user, extra_groups=(), stdout=output, stderr=subprocess.DEVNULL,
            stdin=subprocess.DEVNULL, cwd="/tmp", start_new_session=True,
        )  # fmt: skip

    def fill_up(self) -> None:
        """Start what is missing: crowds, loaders with a program that waits, and the bystanders."""
        self.clients = [client for client in self.clients if client.poll() is None]
        for wanted, line in (
            (CROWDS, [self.crowd, f"/dev/{self.name}", "4", "100000000"]),
            (LOADERS, [self.loader, f"/dev/{self.name}", self.program, "--", "wait"]),
        ):
            there = sum(client.args[0] == line[0] for client in self.clients)  # type: ignore[index]
            for _ in range(wanted - there):
                more = [str(self.random.randrange(1 << 20)), "disturbed"] if line[0] == self.crowd else []
                self.clients.append(self.start_client(*line, *more))
        if self.steady is None or self.steady.poll() is not None:
            self.judge_bystanders()
            seed = str(self.random.randrange(1 << 20))
            self.steady = self.start_client(
                self.crowd, f"/dev/{self.name}", str(STEADY), "60", seed, user=BYSTANDER
            )  # fmt: skip

    def judge_bystanders(self) -> None:
        """Those that have ended got right answers."""
        if self.steady is not None:
            output, _ = self.steady.communicate(timeout=PATIENCE)
            assert self.steady.returncode == 0, f"the bystanders: {output.decode()}"
            self.runs += 1
            self.steady = None

    def victims(self) -> dict[str, list[Process]]:
        """Whom to kill, by kind."""
        spawners = [child for child in descendants(self.daemon.pid) if child.parent == self.daemon.pid]
        found: dict[str, list[Process]] = {"client": [], "daemon": [], "spawner": spawners}
        found["daemon"] = [process for process in processes().values() if process.pid == self.daemon.pid]
        for process in processes().values():
            if process.uid == VICTIM and process.state != "Z":
                try:
                    name = (PROC / str(process.pid) / "comm").read_text().strip()
                except OSError:
                    continue
                if name in (Path(self.crowd).name, Path(self.loader).name):
                    found["client"].append(process)
        for process in descendants(self.daemon.pid):
            if process.uid == VICTIM:
                found.setdefault(self.kind_of(process, spawners), []).append(process)
        return {kind: those for kind, those in found.items() if those}

    def kind_of(self, process: Process, spawners: list[Process]) -> str:
        """What a session's process is."""
        if any(process.parent == spawner.pid for spawner in spawners):
            return "zygote"
        files = links(process.pid)
        if "anon_inode:[eventpoll]" in files:
            return "worker"
        return "spare" if any(link.startswith("socket:") for link in files) else "program"

    # ---- what happens

    def kill_somebody(self, kind: str, victim: Process) -> None:
        """Kill him; he must be gone soon."""
        try:
            os.kill(victim.pid, signal.SIGKILL)
            self.killed[kind] += 1
        except ProcessLookupError:
            pass  # somebody else's end was his
        until(lambda: is_gone(victim.pid), f"the end of a {kind} (pid {victim.pid})")

    def replace_daemon(self) -> None:
        """The daemon was killed, or has to end: whatever hung on it is let go, and a new one serves at once."""
        until(lambda: self.daemon.poll() is not None, "the daemon's end")
        loaders = [client for client in self.clients if client.args[0] == self.loader]  # type: ignore[index]
        until(lambda: all(loader.poll() is not None for loader in loaders), "the end of loaders without a daemon")
        assert self.steady is not None
        self.steady.wait(PATIENCE)
        self.steady = None
        try:
            until(lambda: not self.sessions(), "the end of sessions without a daemon")
        except AssertionError:
            print([(processes()[pid], usage(pid), links(pid)) for pid in self.sessions()], flush=True)
            raise
        self.daemon = self.start_daemon()
        self.probe()

    def sessions(self) -> list[int]:
        """The processes of any daemon's sessions."""
        found = []
        for process in processes().values():
            try:
                line = (PROC / str(process.pid) / "cmdline").read_bytes()
            except OSError:
                continue
            if line.endswith(b"-m\0lswd\0") and process.state != "Z":
                found.append(process.pid)
        return [pid for pid in found if pid != self.daemon.pid and pid not in self.strangers]

    def probe(self) -> None:
        """A new client of a user who is not involved is served."""
        start = time.monotonic()
        child = os.fork()
        if not child:
            code = 1
            try:
                os.setgroups([])
                os.setresgid(BYSTANDER, BYSTANDER, BYSTANDER)
                os.setresuid(BYSTANDER, BYSTANDER, BYSTANDER)
                request = bytearray(struct.pack("<II8QQi4x", 0x36, 1, *[0] * 8, 7, 7))
                file = device(self.name)
                assert registered(file) >= 0
                assert ioctl(file, SYSCALL, request) == 0
                assert struct.unpack_from("<Qi", request, 72) == (0, 0)
                code = 0
            finally:
                os._exit(code)
        ended: list[int] = []

        def is_done() -> bool:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                ended.append(status)
            return bool(pid)

        until(is_done, "a new client")
        assert ended == [0], f"a new client failed after {time.monotonic() - start:.1f} s"

    def run(self, rounds: int) -> None:
        """The storm, then the calm after it."""
        self.probe()
        for number in range(rounds):
            self.fill_up()
            time.sleep(self.random.choice((0.01, 0.1, 0.4, 1.5)) * self.random.random() * 2)
            victims = self.victims()
            deadly = number % 8 == 7
            kinds = [kind for kind in victims if (kind in ("daemon", "spawner")) == deadly]
            kind = self.random.choice(sorted(kinds))
            self.kill_somebody(kind, self.random.choice(victims[kind]))
            if deadly:
                self.replace_daemon()
            elif self.steady is not None and self.steady.poll() is not None:
                self.judge_bystanders()
            self.probe()
            check_states()
        self.calm_down()

    def calm_down(self) -> None:
        """Without clients nothing is left of them."""
        for victim in self.victims().get("client", []):
            self.kill_somebody("client", victim)
        for client in self.clients:
            client.wait(PATIENCE)
        if self.steady is not None:
            self.steady.wait(5 * PATIENCE)
            self.judge_bystanders()
        file = device(self.name)
        until(lambda: registered(file) == 0, "the end of registrations")
        before = usage(self.daemon.pid)
        os.close(file)
        for _ in range(20):
            self.probe()
        after = usage(self.daemon.pid)
        assert after["pss"] - before["pss"] <= MOST_GROWTH, (before, after)
        text = os.pread(self.log.fileno(), 1 << 20, 0).decode()
        assert "internal error" not in text and "a command failed" not in text, text


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it that nobody has asked how."""
    try:
        return (PROC / str(pid) / "stat").read_text().rpartition(") ")[2][0] in "ZX"
    except OSError as error:
        return error.errno in (errno.ENOENT, errno.ESRCH)


def check_states() -> None:
    """Nobody is in the D state, but for a moment."""
    until(lambda: not [p for p in processes().values() if p.state == "D"], "the end of the D state")


def main() -> None:
    """Be the storm."""
    parser = argparse.ArgumentParser()
    for name in ("name", "crowd", "loader", "program"):
        parser.add_argument(name)
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--seed", type=int, default=1)
    given = parser.parse_args()
    storm = Storm(given.name, given.crowd, given.loader, given.program, given.seed)
    try:
        storm.run(given.rounds)
    except BaseException:
        print(f"killed before: {dict(storm.killed)}; the daemons' log:", flush=True)
        print(os.pread(storm.log.fileno(), 1 << 20, 0).decode()[-5000:], flush=True)
        raise
    print(f"killed: {', '.join(f'{count} {kind}' for kind, count in sorted(storm.killed.items()))}")
    print(f"bystanders: {storm.runs} runs, none wrong")


if __name__ == "__main__":
    main()
