"""What the benchmarks share: programs built, a scratch place to run them in, Wine and a daemon of ours kept ready.

Ways of doing a thing take turns within one run, so a drift of the machine hits all of them; what counts is the median
of the ratios of runs that stood side by side.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
HERE = ROOT / "bench"
BUILD = ROOT / "build"
LIMIT = 120
MINGW = "x86_64-w64-mingw32-gcc"
_WINESERVERS = ("/usr/lib/wine/wineserver64", "/usr/lib/wine/wineserver")


def arguments(description: str | None, *, runs: int) -> argparse.ArgumentParser:
    """The command line that all of them have."""
    parser = argparse.ArgumentParser(description=(description or "").splitlines()[0])
    parser.add_argument("--runs", type=int, default=runs)
    parser.add_argument(
        "--alone", action="store_true", help="as on a machine with nothing else to do: with real-time priority"
    )
    return parser


def alone() -> None:
    """Give this process and all that it starts from now on real-time priority, daemons and servers among them."""
    os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(10))


def built(
    source: Path,
    *,
    compiler: str = MINGW,
    flags: Sequence[str] = ("-O2",),
    libraries: Sequence[str] = (),
    name: str = "",
) -> Path:
    """The program made of ``source``; compiled when it is not there or older than what lies beside the source."""
    target = BUILD / (name or source.stem + (".exe" if compiler == MINGW else ""))
    newest = max(p.stat().st_mtime for p in source.parent.iterdir() if p.suffix in (".c", ".h"))
    if not target.exists() or target.stat().st_mtime < newest:
        target.parent.mkdir(parents=True, exist_ok=True)
        subprocess.run([compiler, *flags, "-o", target, source, *libraries], check=True)
    return target


def hello() -> Path:
    """The example program."""
    return built(ROOT / "examples" / "hello.c")


def lswrun() -> Path:
    """The client in C."""
    subprocess.run(["make", "-s", "-C", ROOT, "build/lswrun"], check=True)
    return BUILD / "lswrun"


class Setting:
    """A scratch directory, and the environment in which ours and Wine's prefixes lie there."""

    def __init__(self, directory: Path, alone: bool) -> None:
        self.directory = directory
        self._before = ["chrt", "-f", "10"] if alone else []
        # Byte code caching is part of an installed program; some development machines switch it off.
        left_out = ("PYTHONDONTWRITEBYTECODE", "LSW_SOCKET", "LSW_DAEMON_CONFIG")
        self.environment = {k: v for k, v in os.environ.items() if k not in left_out} | {
            "LSW_PREFIX": str(directory / "lsw-prefix"),
            "XDG_RUNTIME_DIR": str(directory),
            "PYTHONPATH": str(ROOT),
            "WINEPREFIX": str(directory / "wine"),
            "WINEDEBUG": "-all",
        }

    def once(self, command: Sequence[str | Path]) -> Outcome:
        """Run a command, which must succeed.

        Output goes to files: Wine's services inherit it, and a pipe would not end before they do. There is no timeout:
        waiting with one is polling, up to 50 ms apart, in Python 3.11.
        """
        with (self.directory / "out").open("w+b") as out, (self.directory / "err").open("w+b") as err:
            started = time.perf_counter()
            full = [*self._before, *command]
            done = subprocess.run(
                full, env=self.environment, stdin=subprocess.DEVNULL, stdout=out, stderr=err, check=False
            )
            seconds = time.perf_counter() - started
            out.seek(0)
            err.seek(0)
            outcome = Outcome(seconds, out.read().decode(errors="replace"), err.read().decode(errors="replace"))
        if done.returncode:
            raise SystemExit(f"{' '.join(map(str, command))} failed:\n{outcome.err}")
        return outcome

    def installed(self) -> list[str]:
        """The beginning of a command that launches a program by lswctl as `make install` writes it."""
        script = self.directory / "lswctl"
        script.write_text(
            f"import sys\nsys.path.insert(0, {str(ROOT)!r})\nfrom lswctl.__main__ import run\nsys.exit(run())\n"
        )
        return [sys.executable, "-IS", str(script), "launch"]

    def launch(self, *options: str) -> list[str]:
        """The beginning of a command that launches a program embedded."""
        return [sys.executable, "-m", "lswctl", "launch", "--via", "embedded", *options]


class Outcome:
    """How a run went: its wall time, and what it wrote."""

    def __init__(self, seconds: float, out: str, err: str) -> None:
        self.seconds = seconds
        self.out = out
        self.err = err


@contextlib.contextmanager
def scratch(alone: bool = False) -> Iterator[Setting]:
    """A setting, and its end; ``alone``: what is run there takes the processors from all others."""
    with tempfile.TemporaryDirectory(prefix="lsw-bench") as directory:
        yield Setting(Path(directory), alone)


@contextlib.contextmanager
def wine(setting: Setting) -> Iterator[str | None]:
    """Wine's loader with its server kept resident, which is its best case; None where there is no Wine."""
    loader = shutil.which("wine64") or shutil.which("wine")
    server = next((p for p in _WINESERVERS if os.path.exists(p)), shutil.which("wineserver"))
    if loader is None or server is None:
        print("wine is not installed: no ratio to it", file=sys.stderr)
        yield None
        return
    print("making Wine's prefix (once, takes a while)", file=sys.stderr)
    (setting.directory / "wine").mkdir()
    with (setting.directory / "wineserver.log").open("wb") as log:
        subprocess.run([server, "-p"], env=setting.environment, stdout=log, stderr=log, check=True)
    try:
        setting.once([loader, hello()])
        yield loader
    finally:
        subprocess.run([server, "-k"], env=setting.environment, check=False)


@contextlib.contextmanager
def daemon(setting: Setting, settings: str = "") -> Iterator[subprocess.Popen[bytes]]:
    """A `lswd --user` that serves; ``settings``: the text of its file of settings."""
    command = [sys.executable, "-m", "lswd", "--user"]
    if settings:
        file = setting.directory / "lswd.toml"
        file.write_text(settings)
        command += ["--config", str(file)]
    log_path = setting.directory / "daemon.log"
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, env=setting.environment, stderr=log, stdout=log)
    try:
        limit = time.monotonic() + LIMIT
        while not (setting.directory / "lsw/lswd.sock").exists():
            if process.poll() is not None or time.monotonic() > limit:
                raise SystemExit(log_path.read_text())
            time.sleep(0.05)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(LIMIT)


def by_turns(runs: int, ways: dict[str, Callable[[], float]]) -> dict[str, list[float]]:
    """What each way measured in each of the runs; one run of each goes before and does not count."""
    for way in ways.values():
        way()
    found: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(runs):
        for name, way in ways.items():
            found[name].append(way())
    return found


def ratio(mine: Sequence[float], other: Sequence[float]) -> float:
    """The median of the ratios of runs that stood side by side."""
    return statistics.median(a / b for a, b in zip(mine, other, strict=True))


def inside(
    setting: Setting, wine: str | None, program: Path, parameters: Sequence[str] = ()
) -> dict[str, Callable[[], float]]:
    """How to run a program that prints the seconds it has measured itself, on both engines and by Wine."""

    def timed(*command: str) -> Callable[[], float]:
        return lambda: float(setting.once([*command, program, *parameters]).out.split()[0])

    found = {name: timed(*setting.launch("--engine", name.lower())) for name in ("jail", "Unicorn")}
    if wine is not None:
        found["Wine"] = timed(wine)
    return found


def report_to_wine(title: str, times: dict[str, list[float]]) -> None:
    """Print medians, and the ratios to Wine's if there is one."""
    print(f"{title}, median of {len(times['jail'])} (least)")
    for name, seconds in times.items():
        compared = f"{ratio(seconds, times['Wine']):6.2f} wine" if "Wine" in times else ""
        print(f"  {name:16} {statistics.median(seconds) * 1e3:8.1f} ms ({min(seconds) * 1e3:.1f})   {compared}")
