"""The option --engine: which engine runs the guest programs. Without it, whatever `lswctl launch` takes by itself."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

pytest.register_assert_rewrite("tests.guest.verdict")  # for it to show what differs


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--engine", default="", help="run guest programs on this engine (jail, unicorn)")


@pytest.fixture(scope="session", autouse=True)
def engine(request: pytest.FixtureRequest, lsw_prefix: Path) -> Iterator[str]:
    """The engine asked for, in a configuration file that every user may read."""
    name = str(request.config.getoption("--engine"))
    with pytest.MonkeyPatch.context() as patch, tempfile.TemporaryDirectory() as directory:
        if name:
            Path(directory).chmod(0o755)
            path = Path(directory, "engine.toml")
            path.write_text(f'engine = "{name}"\n')
            patch.setenv("LSW_CONFIG", str(path))
        yield name
