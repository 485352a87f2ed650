"""Fix what the fixtures must print by running them under Wine.

`python -m tests.guest.reference [NAMES]` runs the cases (all without names) and writes expected/NAME.out, and
expected/NAME.err where a case compares standard error; exit codes and left files, which are written by hand in
cases.py, are verified. With `--check` nothing is written, every difference is reported. Cases with a `why_not_wine`
are listed and left alone. WINEPREFIX is honoured; without it a prefix is made in build/guest/wine.
"""

from __future__ import annotations

import contextlib
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from .build import OUTPUT, build
from .cases import CASES, Case
from .expected import expected_stderr, expected_stdout, stderr_path, stdout_path
from .run import Result, fixed_environment, run

LOADERS = ("wine64", "/usr/lib/wine/wine64", "wine")


def wine() -> str | None:
    """Wine's 64-bit loader; the bare one where there is a choice, since Debian's wrapper talks on stderr."""
    return next((found for found in map(shutil.which, LOADERS) if found), None)


def wine_environment() -> dict[str, str]:
    """A quiet Wine without dialogues and without the debugger that would write its report into our output."""
    environment = fixed_environment() | {"WINEDEBUG": "-all", "WINEDLLOVERRIDES": "mscoree,mshtml,winedbg.exe="}
    environment.setdefault("WINEPREFIX", str(OUTPUT / "wine"))
    Path(environment["WINEPREFIX"]).parent.mkdir(parents=True, exist_ok=True)
    return environment


@contextlib.contextmanager
def wine_kept_running(loader: str) -> Iterator[None]:
    """One idle program holds Wine's services up: otherwise each case starts them anew, on its own pipes.

    Wine makes no windows where there is no display, unless it is told that this is as it should be.
    """
    command = [loader, "reg", "add", r"HKCU\Software\Wine\Drivers", "/v", "Graphics", "/d", "null", "/f"]
    subprocess.run(command, env=wine_environment(), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    idle = subprocess.Popen([loader, "cmd"], env=wine_environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                            stderr=subprocess.DEVNULL)
    assert idle.stdin is not None and idle.stdout is not None
    idle.stdout.readline()  # it has started
    try:
        yield
    finally:
        idle.stdin.close()
        idle.wait()


def run_under_wine(case: Case, loader: str) -> Result:
    """What `case` does under Wine."""
    command = [loader, str(build(case.program)), *case.args]
    with tempfile.TemporaryDirectory(prefix="guest-reference-") as scratch:
        return run(case, command, wine_environment() | dict(case.env), Path(scratch))


def differences(case: Case, result: Result) -> list[str]:
    """How `result` differs from what is committed for `case`, one line each."""
    found = []
    if result.exit_code != case.exit_code:
        found.append(f"exit code {result.exit_code}, declared {case.exit_code}")
    if result.stdout != expected_stdout(case):
        found.append("standard output differs")
    if case.stderr and result.stderr != expected_stderr(case):
        found.append("standard error differs")
    if result.left != case.leaves:
        found.append(f"left files {result.left!r}")
    return found


def rewrite(case: Case, result: Result) -> None:
    """Make `result`'s outputs the committed ones."""
    stdout_path(case).write_bytes(result.stdout)
    if case.stderr:
        stderr_path(case).write_bytes(result.stderr)


def main(arguments: list[str]) -> int:
    """Run the named cases under Wine; 0 when everything agrees (or was made to)."""
    check = "--check" in arguments
    names = [name for name in arguments if not name.startswith("-")]
    unknown = set(names) - {case.name for case in CASES}
    loader = wine()
    if unknown or loader is None:
        print(f"no such case: {', '.join(sorted(unknown))}" if unknown else "wine is not installed", file=sys.stderr)
        return 2
    with wine_kept_running(loader):
        agreeing = [_settle(case, loader, check) for case in CASES if not names or case.name in names]
    return 0 if all(agreeing) else 1


def _settle(case: Case, loader: str, check: bool) -> bool:
    """Run one case, write or verify its files, print one line; whether everything agrees."""
    if case.why_not_wine:
        print(f"{case.name}: not Wine's, {case.why_not_wine}")
        return True
    try:
        result = run_under_wine(case, loader)
    except subprocess.TimeoutExpired:
        print(f"{case.name}: hangs under Wine")
        return False
    if not check:
        rewrite(case, result)
    found = differences(case, result)
    print(f"{case.name}: {'; '.join(found) or 'agrees'}")
    return not found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
