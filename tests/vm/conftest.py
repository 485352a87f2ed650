"""The machine that the tests of this directory share: one boot, many jobs."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator
from functools import partial

import pytest

from tests.vm.build import build
from tests.vm.machine import Machine, missing_packages


def installable() -> bool:
    """Whether this system has the package at all."""
    if platform.machine() != "x86_64" or shutil.which("apt-cache") is None:
        return False
    found = subprocess.run(["apt-cache", "show", "user-mode-linux"], capture_output=True, check=False)
    return found.returncode == 0


def require_machine() -> None:
    """Fail when the machine's packages are not installed; skip only where there are none to install."""
    missing = missing_packages()
    if missing and installable():
        pytest.fail(f"not installed: {' '.join(missing)} (setup/setup.sh test installs them)", pytrace=False)
    if missing:
        pytest.skip("NOTHING THAT NEEDS A REAL /dev/cuse WAS TESTED: User-Mode Linux cannot be installed here")


@pytest.fixture(scope="session")
def vm() -> Iterator[Machine]:
    """The machine. It boots with the first job."""
    require_machine()
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    with Machine(processor=int(worker.removeprefix("gw"))) as machine:
        yield machine


@pytest.fixture(scope="session")
def compiled(vm: Machine) -> Callable[[str], str]:
    """Compiles a C program of this directory; gives its path as the machine sees it."""
    return partial(build, vm)
