"""clipboardy's helpers: one program copies, another pastes."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import corpus
from .conftest import Launcher


@pytest.mark.parametrize("tool", [corpus.CLIPBOARDY, corpus.CLIPBOARDY_32], ids=["64", "32"])
def test_clipboardy_copies_and_pastes(launch: Launcher, lswctl: list[str], tree: Path, tool: corpus.Tool) -> None:
    helper = "Z:" + str(corpus.program(tool)).replace("/", "\\")
    (tree / "both.cmd").write_text(f'@echo copied| "{helper}" --copy\r\n@"{helper}" --paste\r\n')
    command = [*lswctl, "launch", r"C:\windows\system32\cmd.exe"]
    assert b"copied\r\n" == launch.start(command, ("/c", "both.cmd"), 0)
