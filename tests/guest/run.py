"""Run one case in a fresh directory, under whatever command starts Windows programs, and collect what it did."""

from __future__ import annotations

import contextlib
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

from .cases import Case

TIMEOUT_SECONDS = 120


@dataclass(frozen=True)
class Result:
    """What a program left behind: its exit code as a shell sees it, its two outputs, the files asked about."""

    exit_code: int
    stdout: bytes
    stderr: bytes
    left: tuple[tuple[str, bytes | None], ...]


def fixed_environment() -> dict[str, str]:
    """This process's environment, with everything that would change a program's output set to one value."""
    kept = {name: value for name, value in os.environ.items()
            if name not in ("LANG", "LANGUAGE", "TZ") and not name.startswith(("LC_", "GUEST_"))}
    return kept | {"LC_ALL": "C.UTF-8", "TZ": "UTC"}


def run(case: Case, command: list[str], environment: dict[str, str], scratch: Path) -> Result:
    """Start `command` (which ends with the program and its arguments) for `case`, in a new directory in `scratch`.

    Standard streams are pipes, or regular files in `scratch` when the case asks for files.
    Raises subprocess.TimeoutExpired when the program hangs.
    """
    directory = scratch / "work"
    directory.mkdir()
    for name, content in case.files:
        target = directory / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content() if callable(content) else content)
    with contextlib.ExitStack() as stack:
        if case.server is not None:
            command = [*command, str(stack.enter_context(case.server()))]
        code, stdout, stderr = _run(case, command, environment, directory)
    return Result(code, stdout, stderr, tuple((name, _content(directory / name)) for name, _ in case.leaves))


def _run(case: Case, command: list[str], environment: dict[str, str], directory: Path) -> tuple[int, bytes, bytes]:
    if case.streams == "file":
        return _run_on_files(case, command, environment, directory)
    done = subprocess.run(command, cwd=directory, env=environment, input=case.stdin, capture_output=True, check=False,
                          timeout=TIMEOUT_SECONDS)
    return done.returncode, done.stdout, done.stderr


def _content(path: Path) -> bytes | None:
    return path.read_bytes() if path.is_file() else None


def _run_on_files(case: Case, command: list[str], environment: dict[str, str],
                  directory: Path) -> tuple[int, bytes, bytes]:
    given, out, err = (directory.parent / name for name in ("stdin", "stdout", "stderr"))
    given.write_bytes(case.stdin)
    with open(given, "rb") as stdin, open(out, "wb") as stdout, open(err, "wb") as stderr:
        done = subprocess.run(command, cwd=directory, env=environment, stdin=stdin, stdout=stdout, stderr=stderr,
                              check=False, timeout=TIMEOUT_SECONDS)
    return done.returncode, out.read_bytes(), err.read_bytes()
