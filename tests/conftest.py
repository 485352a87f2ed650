"""What every test stands on: a prefix, a cache and settings of its own, never the user's."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest

ROOT = Path(__file__).resolve().parent.parent

# Machines differ in speed, and a failure must come back when the tests run again.
hypothesis.settings.register_profile("lsw", deadline=None, database=None, derandomize=True)
hypothesis.settings.load_profile("lsw")


@pytest.fixture(scope="session", autouse=True)
def lsw_prefix(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The prefix that this session's programs live in, empty at first (LSW_PREFIX)."""
    home = tmp_path_factory.mktemp("home")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LSW_PREFIX", str(home / "prefix"))
        patch.setenv("XDG_CACHE_HOME", str(home / "cache"))
        patch.setenv("XDG_CONFIG_HOME", str(home / "config"))
        patch.delenv("LSW_CONFIG", raising=False)
        patch.setenv("LSW_VIA", "embedded")  # never by a daemon that happens to run here
        # The tests are about this checkout, wherever they run and whatever is installed.
        patch.setenv("PYTHONPATH", str(ROOT))
        yield home / "prefix"


@pytest.fixture(scope="module", autouse=True)
def rubbish() -> Iterator[None]:
    """Machines of tests hold descriptors, and hang together in circles; code under test makes collections rare."""
    thresholds = gc.get_threshold()
    yield
    gc.set_threshold(*thresholds)
    gc.collect()


@pytest.fixture(scope="session")
def lswctl() -> list[str]:
    """The beginning of a command line that runs this checkout's lswctl."""
    return [sys.executable, "-m", "lswctl"]
