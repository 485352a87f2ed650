"""How long hello.exe takes through a running daemon: as a ratio to an embedded launch and to Wine's, in the same run.

    python bench/launch_daemon.py [--runs N] [--engine NAME]

Machines are noisy: quote the ratios. Ways take turns, so a drift of the machine hits all. Wine runs with its wineserver
kept resident, its best case; the daemon's session is warm, too. "installed" is lswctl as `make install` writes it: the
interpreter in isolation and without site-packages (python -IS). Outputs go to files, for a Wine service may keep a pipe
open long after its program.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HELLO = ROOT / "build" / "hello.exe"
LIMIT = 120
PAUSE = 0.3  # seconds: as between two commands that a person types; an idle session gets a process ready meanwhile
AT_ONCE = "socket, at once"  # behind another, before one is ready


def build() -> None:
    """Compile the example when it is not there."""
    if not HELLO.exists():
        HELLO.parent.mkdir(exist_ok=True)
        subprocess.run(["x86_64-w64-mingw32-gcc", "-O2", "-o", HELLO, ROOT / "examples" / "hello.c"], check=True)


def once(command: list[str], environment: dict[str, str], directory: Path) -> float:
    """Wall seconds of one run, which must succeed."""
    with (directory / "out").open("wb") as out, (directory / "err").open("wb") as err:
        started = time.perf_counter()
        # No timeout: waiting with one is polling, up to 50 ms apart, in Python 3.11.
        done = subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False)
        seconds = time.perf_counter() - started
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{(directory / 'err').read_text(errors='replace')}")
    return seconds


def start_daemon(environment: dict[str, str], directory: Path) -> subprocess.Popen[bytes]:
    """A `lswd --user` that serves."""
    with (directory / "daemon.log").open("wb") as log:
        daemon = subprocess.Popen([sys.executable, "-m", "lswd", "--user"], env=environment, stderr=log, stdout=log)
    limit = time.monotonic() + LIMIT
    while not (directory / "lsw/lswd.sock").exists():
        if daemon.poll() is not None or time.monotonic() > limit:
            raise SystemExit((directory / "daemon.log").read_text())
        time.sleep(0.05)
    return daemon


def ways(directory: Path, engine: str) -> dict[str, list[str]]:
    """Name and command of each way."""
    script = directory / "lswctl"
    script.write_text(
        f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom lswctl.__main__ import run\nsys.exit(run())\n"
    )
    launch = ["launch", "--engine", engine, "--via"]
    found = {
        "embedded": [sys.executable, str(script), *launch, "embedded", str(HELLO)],
        "socket": [sys.executable, str(script), *launch, "socket", str(HELLO)],
        AT_ONCE: [sys.executable, str(script), *launch, "socket", str(HELLO)],
        "socket, installed": [sys.executable, "-IS", str(script), *launch, "socket", str(HELLO)],
        "python -c pass": [sys.executable, "-c", "pass"],
        "python -IS -c pass": [sys.executable, "-IS", "-c", "pass"],
    }
    wine = shutil.which("wine64") or shutil.which("wine")
    if wine:
        found["wine, warm"] = [wine, str(HELLO)]
    return found


def main() -> None:
    """Measure, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--engine", default="auto")
    options = parser.parse_args()
    runs: int = options.runs
    build()
    with tempfile.TemporaryDirectory(prefix="lsw") as scratch:
        directory = Path(scratch)
        # Byte code caching is part of an installed program; some development machines switch it off.
        environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONDONTWRITEBYTECODE", "LSW_SOCKET")}
        environment |= {"LSW_PREFIX": f"{scratch}/lsw-prefix", "XDG_RUNTIME_DIR": scratch, "PYTHONPATH": str(ROOT)}
        environment |= {"WINEPREFIX": f"{scratch}/wine", "WINEDEBUG": "-all"}
        commands = ways(directory, options.engine)
        server = next((p for p in ("/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver") if os.path.exists(p)), "")
        server = server or shutil.which("wineserver") or ""
        if "wine, warm" in commands and server:
            print("making Wine's prefix (once, takes a while)", file=sys.stderr)
            (directory / "wine").mkdir()
            with (directory / "err").open("wb") as err:
                subprocess.run([server, "-p"], env=environment, stdout=err, stderr=err, check=True)
            once(commands["wine, warm"], environment, directory)
        daemon = start_daemon(environment, directory)
        times: dict[str, list[float]] = {name: [] for name in commands}
        try:
            for command in commands.values():
                once(command, environment, directory)
            for _ in range(runs):
                for name, command in commands.items():
                    if name != AT_ONCE:
                        time.sleep(PAUSE)
                    times[name].append(once(command, environment, directory))
        finally:
            daemon.send_signal(signal.SIGTERM)
            daemon.wait(LIMIT)
            if "wine, warm" in commands and server:
                subprocess.run([server, "-k"], env=environment, check=False)
    report(times)


def report(times: dict[str, list[float]]) -> None:
    """Print medians and ratios: of each way to the embedded one, and to Wine."""
    wine = times.get("wine, warm")
    print(f"hello.exe from start to exit, median of {len(times['embedded'])}")
    for name, seconds in times.items():
        ratios = f"{_ratio(seconds, times['embedded']):5.2f} embedded"
        ratios += f"   {_ratio(seconds, wine):5.2f} wine" if wine else ""
        print(f"  {name:20} {statistics.median(seconds) * 1e3:8.1f} ms   {ratios}")
    if wine is None:
        print("wine is not installed: no ratio to it")


def _ratio(mine: list[float], other: list[float]) -> float:
    """The median of the ratios of runs that stood side by side."""
    return statistics.median(a / b for a, b in zip(mine, other, strict=True))


if __name__ == "__main__":
    main()
