"""What `make install` installs, and with which compiler."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """One whose interpreter installs no packages."""
    (tmp_path / "setup").mkdir()
    shutil.copy(ROOT / "setup/install.sh", tmp_path / "setup")
    for name in ("client", "lswd", "systemd"):
        (tmp_path / name).symlink_to(ROOT / name)
    python = tmp_path / ".venv/bin/python"
    python.parent.mkdir(parents=True)
    python.write_text("#!/bin/sh\n")
    python.chmod(0o755)
    return tmp_path


@pytest.mark.parametrize("compiler", [None, "cc", "env cc", "env 'WORDS=two words' cc -O1"])
def test_the_command_in_c_is_built_with_whatever_make_would_take(compiler: str | None, checkout: Path) -> None:
    environment = {name: value for name, value in os.environ.items() if name != "CC"}
    environment |= {"DESTDIR": str(checkout / "root"), "prefix": "/usr"} | ({"CC": compiler} if compiler else {})
    subprocess.run(["setup/install.sh", "install"], cwd=checkout, env=environment, check=True)
    command = checkout / "root/usr/bin/lswctl"
    assert not command.is_symlink()
    assert b"/usr/lib/lsw/lswctl.py" in command.read_bytes()


def test_without_a_compiler_it_is_the_one_in_python(checkout: Path) -> None:
    environment = os.environ | {"DESTDIR": str(checkout / "root"), "prefix": "/usr", "CC": "no-such-compiler"}
    subprocess.run(["setup/install.sh", "install"], cwd=checkout, env=environment, check=True)
    assert "/usr/lib/lsw/lswctl.py" == os.readlink(checkout / "root/usr/bin/lswctl")
