"""What tests of real programs share: a tree to work on, and a way to start a program in it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.guest.run import fixed_environment

from . import corpus

TIMEOUT_SECONDS = 120
FILES = {
    "readme.txt": b"a needle in a haystack\r\nno match here\n",
    "empty": b"",
    "all bytes.bin": bytes(range(256)) * 64,
    "deep/er/still/three.txt": b"needle\n" * 3,
    "deep/other.txt": b"nothing of the kind\n",
    "deep/n\u00e1zev \u65e5\u672c.txt": "\u017elut\u00fd needle\n".encode(),
}
"""A tree for programs to work on: nested, binary, empty, with names beyond ASCII."""


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A directory of its own with FILES in tree/."""
    for name, content in FILES.items():
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tmp_path / "tree" / "nothing inside").mkdir()
    return tmp_path


class Launcher:
    """Starts programs of the corpus in one directory."""

    def __init__(self, lswctl: list[str], directory: Path) -> None:
        self._lswctl = lswctl
        self.directory = directory

    def __call__(
        self, tool: corpus.Tool, *arguments: str, expect: int = 0, stdin: bytes = b"", **variables: str
    ) -> bytes:
        """The program's standard output; it must end with ``expect`` and nothing on standard error if that is 0."""
        options = [option for name, value in variables.items() for option in ("--env", f"{name}={value}")]
        return self.start([*self._lswctl, "launch", *options, str(corpus.program(tool))], arguments, expect, stdin)

    def linux(self, tool: corpus.Tool, *arguments: str, stdin: bytes = b"", **variables: str) -> bytes:
        """The same for a Linux program."""
        return self.start([str(corpus.linux_program(tool))], arguments, 0, stdin, **variables)

    def start(
        self, command: list[str], arguments: tuple[str, ...], expect: int, stdin: bytes = b"", **variables: str
    ) -> bytes:
        done = subprocess.run([*command, *arguments], cwd=self.directory, env=fixed_environment() | variables,
                              input=stdin, capture_output=True, check=False, timeout=TIMEOUT_SECONDS)
        wrong = b"" if expect else done.stderr
        assert (expect, b"") == (done.returncode, wrong), (done.stdout + done.stderr).decode(errors="replace")
        return done.stdout


@pytest.fixture
def launch(lswctl: list[str], tree: Path) -> Launcher:
    """Start a program beside ``tree``."""
    return Launcher(lswctl, tree)


def content(root: Path) -> dict[str, bytes | None]:
    """Everything below a directory: files with their bytes, directories with None."""
    return {str(path.relative_to(root)): path.read_bytes() if path.is_file() else None for path in root.rglob("*")}
