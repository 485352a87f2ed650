"""One ioctl's round trip through our CUSE transport, as a ratio to libfuse's in the same run, inside User-Mode Linux.

    python bench/ioctl.py [--rounds N] [--calls N] [--alone]

Two commands: one by value, and one of 88 bytes in and out, which takes two trips through the kernel. The reference is
a C server of libfuse with the same commands (bench/ioctl/server.c), with its default threads and with one thread. All
servers run at once and are measured by turns, so a drift of the machine hits all. Ratios are medians of the rounds'
ratios. The service behind our transport does what the C server does, nothing more: what is measured is the transport.
The column lswd is the daemon itself: its first command looks up a registration, its second goes to the session of the
caller's user and back.
"""

from __future__ import annotations

import argparse
import os
import shlex
import statistics
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "bench" / "ioctl"
sys.path.insert(0, str(ROOT))

from tests.vm.machine import Machine, missing_packages  # noqa: E402

DEVICES = {"ours": "ours", "lsw": "lswd", "threads": "libfuse", "single": "1 thread"}
KINDS = {"value": "by value", "struct": "88 bytes in and out"}


def serve(name: str) -> None:
    """Be our server, inside the machine."""
    import struct

    import trio

    from lswd.device.cuse.node import create
    from lswd.device.cuse.server import Server
    from lswd.device.transport import Caller

    execute, syscall = 0x40044C04, 0xC0584C05
    request = struct.Struct("<II64sQi4x")

    class Service:
        """The two commands."""

        def opened(self, caller: Caller, flags: int) -> object:
            return None

        def sizes(self, command: int) -> tuple[int, int] | None:
            return {execute: (0, 0), syscall: (88, 88)}.get(command)

        def ioctl(
            self, opener: object, caller: Caller, command: int, argument: int, data: bytes, descriptors: object = ()
        ) -> tuple[int, bytes]:
            if command == execute:
                return 0, b""
            number, count, arguments, _, error = request.unpack(data)
            return 0, request.pack(number, count, arguments, number + 1, error)

        def interrupted(self, opener: object, caller: Caller, command: int, argument: int) -> bool:
            return False

        def released(self, opener: object) -> None:
            return None

    async def main() -> None:
        channel = create(name)
        print("ready", flush=True)
        await Server(channel, Service(), print).run()

    trio.run(main)


def build(directory: Path) -> None:
    """Compile the reference and the client into the directory shared with the machine."""
    found = subprocess.run(["pkg-config", "--cflags", "--libs", "fuse3"], capture_output=True, text=True, check=True)
    options = shlex.split(found.stdout)
    subprocess.run(["gcc", "-O2", "-Wall", "-o", directory / "server", SOURCES / "server.c", *options], check=True)
    subprocess.run(["gcc", "-O2", "-Wall", "-o", directory / "client", SOURCES / "client.c"], check=True)


def measure(machine: Machine, rounds: int, calls: int) -> dict[str, dict[str, list[float]]]:
    """Microseconds of each round: by device, then command."""
    build(machine.exchange)
    server = "exec /run/exchange/server"
    wait = "while [ ! -e /dev/{0} ]; do sleep 0.05; done; echo ready"
    jobs = [
        machine.start(f"exec {shlex.join([sys.executable, str(Path(__file__).resolve()), '--serve', 'ours'])}"),
        machine.start(f"({wait.format('threads')}) & {server} --name=threads -f"),
        machine.start(f"({wait.format('single')}) & {server} --name=single -f -s"),
        machine.start(
            f"mkdir -p /run/lsw; exec {shlex.quote(sys.executable)} -m lswd", environment={"LSW_DEVICE": "lsw"}
        ),
    ]
    for job in jobs:
        job.expect("ready")
    devices = " ".join(f"/dev/{name}" for name in DEVICES)
    # The session of the caller's user is made, and given time to get ready.
    machine.run(f"/run/exchange/client 1 {calls} {devices}; sleep 5", timeout=600)
    result = machine.run(f"/run/exchange/client {rounds} {calls} {devices}", timeout=600)
    if result.code:
        raise SystemExit(f"the client failed:\n{result.output}\n{jobs[0].output}")
    times: dict[str, dict[str, list[float]]] = {}
    for line in result.output.splitlines():
        device, kind, microseconds = line.split()
        times.setdefault(os.path.basename(device), {}).setdefault(kind, []).append(float(microseconds))
    return times


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument(
        "--alone", action="store_true", help="as on a machine with nothing else to do: with real-time priority"
    )
    parser.add_argument("--serve", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.serve:
        serve(arguments.serve)
        return
    if missing := missing_packages():
        raise SystemExit(f"not installed: {' '.join(missing)} (setup/setup.sh test installs them)")
    with Machine(alone=arguments.alone) as machine:
        times = measure(machine, arguments.rounds, arguments.calls)
    print(f"{'us a call':20}" + "".join(f"{name:>9}" for name in DEVICES.values()) + "   ours/libfuse  lswd/libfuse")
    for kind, label in KINDS.items():
        figures = "".join(f"{statistics.median(times[name][kind]):9.1f}" for name in DEVICES)
        ratios = [
            statistics.median(a / b for a, b in zip(times[name][kind], times["threads"][kind], strict=True))
            for name in ("ours", "lsw")
        ]
        print(f"{label:20}{figures}   {ratios[0]:12.2f}  {ratios[1]:12.2f}")


if __name__ == "__main__":
    main()
