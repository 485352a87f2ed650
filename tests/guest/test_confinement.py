"""Programs under each policy ``confine``, launched in each way: what Linux says of the process that runs them."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.host import landlock
from tests.guest.ways import COMPLETE, ROOT, Daemon, Way, daemon

CMD = "C:\\windows\\system32\\cmd.exe"
needs_landlock = pytest.mark.skipif(not landlock.version(), reason="this Linux has no Landlock")


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Daemon]:
    with daemon(LSW_PREFIX=str(tmp_path_factory.mktemp("prefix") / "p")) as running:
        yield running


@pytest.fixture(params=COMPLETE)
def way(request: pytest.FixtureRequest, served: Daemon) -> Way:
    return Way(request.param, served.environment)


@pytest.fixture
def outside() -> Iterator[Path]:
    """A directory that is neither temporary nor the program's."""
    directory = ROOT / "build" / f"outside-{os.getpid()}"
    directory.mkdir(parents=True)
    (directory / "file").write_text("a secret")
    yield directory
    shutil.rmtree(directory)


def dos(path: Path) -> str:
    return "Z:" + str(path).replace("/", "\\")


@pytest.mark.parametrize("policy", ["", "on", "strict", "off"])
@pytest.mark.parametrize("by", ["option", "variable"])
def test_the_process_is_confined_as_was_asked_for(policy: str, by: str, way: Way, tmp_path: Path) -> None:
    if policy == "strict" and not landlock.version():
        pytest.skip("this Linux has no Landlock")
    options = ["--confine", policy] if policy and by == "option" else []
    variable = policy if by == "variable" else ""
    done = way.run(*options, CMD, "/c", "type", "Z:\\proc\\self\\status", cwd=tmp_path, LSW_CONFINE=variable)
    assert 0 == done.returncode, done.stderr
    status = dict(line.split(":\t", 1) for line in done.stdout.decode().splitlines() if ":\t" in line)
    assert ("0" if policy == "off" else "2") == status["Seccomp"]
    assert policy == "off" or "1" == status["NoNewPrivs"]  # which a session has in any case


@needs_landlock
@pytest.mark.parametrize("policy", ["on", "strict"])
def test_strict_programs_find_no_files_elsewhere(policy: str, way: Way, outside: Path, tmp_path: Path) -> None:
    arguments = ("--confine", policy, CMD, "/c")
    read = way.run(*arguments, "type", dos(outside / "file"), cwd=tmp_path)
    assert (b"a secret" if policy == "on" else b"") == read.stdout
    way.run(*arguments, "echo", "x", ">", dos(outside / "new"), cwd=tmp_path)
    assert (policy == "on") == (outside / "new").exists()
    here = way.run(*arguments, "echo x>here& type here", cwd=tmp_path)
    assert b"x\r\n" == here.stdout


@needs_landlock
def test_a_drive_that_is_named_is_within_reach(way: Way, outside: Path, tmp_path: Path) -> None:
    done = way.run(
        "--confine", "strict", "--drive", f"Q:={outside}", CMD, "/c", "type Q:\\file& echo y>Q:\\new", cwd=tmp_path
    )
    assert b"a secret" == done.stdout
    assert (outside / "new").exists()


@needs_landlock
@pytest.mark.parametrize("by", ["working directory", "link", "TMPDIR"])
def test_strict_is_refused_where_it_would_leave_everything_within_reach(by: str, way: Way, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("/")
    options = ["--cwd", str(tmp_path / "link")] if by == "link" else []
    temporary = "/" if by == "TMPDIR" else "/tmp"
    cwd = Path("/") if by == "working directory" else tmp_path
    done = way.run("--confine", "strict", *options, CMD, "/c", "exit", cwd=cwd, TMPDIR=temporary)
    assert 120 == done.returncode
    assert b" is /, so nothing would be out of reach" in done.stderr
    instead = way.run("--confine", "strict", "--cwd", str(tmp_path), CMD, "/c", "exit", cwd=Path("/"))
    assert 0 == instead.returncode, instead.stderr


@needs_landlock
def test_strict_programs_start_others_and_wait_for_them(way: Way, tmp_path: Path) -> None:
    command = f"{CMD} /c exit 7"
    assert 7 == way.run("--confine", "strict", CMD, "/c", command, cwd=tmp_path).returncode


def test_another_policy_is_refused(way: Way) -> None:
    done = way.run("--confine", "strikt", CMD, "/c", "exit")
    assert 120 == done.returncode
    assert b"confine: on, off or strict, not 'strikt'" in done.stderr
