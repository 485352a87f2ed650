"""The machine itself: jobs, users, time limits, what is left behind, and its /dev/cuse."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from tests.vm.machine import ROOT, USER, JobTimeout, Machine, Result


def test_a_job_gives_its_output_and_exit_code(vm: Machine) -> None:
    assert Result(7, "out\nerr\n") == vm.run("echo out; echo err >&2; exit 7")


def test_a_job_killed_by_a_signal_says_so_in_its_exit_code(vm: Machine) -> None:
    assert 128 + 9 == vm.run("kill -9 $$").code


def test_a_job_can_be_interrupted(vm: Machine) -> None:
    assert Result(128 + 2, "") == vm.run("kill -INT $$; echo survived")


def test_jobs_are_root_or_an_ordinary_user(vm: Machine) -> None:
    assert "0 0 0\n" == vm.run("echo $(id -u) $(id -g) $(id -G)").output
    assert f"{USER} {USER} {USER} 77\n" == vm.run("echo $(id -u) $(id -g) $(id -G)", user=USER, groups=(77,)).output


@pytest.mark.parametrize("user", [0, USER])
def test_this_checkout_and_its_python_work_inside(vm: Machine, user: int) -> None:
    source = "import lswd, os, tempfile, trio; print(lswd.__file__, os.getuid(), tempfile.gettempdir())"
    assert Result(0, f"{ROOT}/lswd/__init__.py {user} /tmp\n") == vm.python(source, user=user)


def test_arguments_and_environment_arrive_as_they_are(vm: Machine) -> None:
    awkward = "a 'b' \"c\" $d \\e\nf"
    source = "import os, sys; print(repr((sys.argv[1], os.environ['X'])))"
    assert f"{(awkward, awkward)!r}\n" == vm.python(source, awkward, environment={"X": awkward}).output


def test_the_hosts_files_cannot_be_written(vm: Machine) -> None:
    victim = ROOT / "build" / "vm-victim"
    victim.parent.mkdir(exist_ok=True)
    victim.write_text("whole\n")
    assert Result(0, "whole\n") == vm.run(f"cat {victim}")
    assert 0 != vm.run(f"echo damaged >{victim}").code
    assert 0 != vm.run(f"rm {victim}").code
    assert "whole\n" == victim.read_text()
    victim.unlink()


def test_the_machine_has_a_tmp_of_its_own(vm: Machine, tmp_path: Path) -> None:
    assert 0 != vm.run(f"ls {tmp_path}").code
    assert 0 == vm.run("touch /tmp/ours").code
    assert not Path("/tmp/ours").exists()


def test_an_ordinary_user_has_a_home_and_a_temporary_directory(vm: Machine) -> None:
    result = vm.run('touch "$HOME/a" "$(mktemp)" /dev/shm/c && cd && pwd', user=USER)
    assert Result(0, f"/run/home/{USER}\n") == result


def test_what_a_job_leaves_behind_is_killed(vm: Machine) -> None:
    vm.run("setsid sleep 1000 & echo $! >/tmp/left")
    assert "gone\n" == vm.run("[ -e /proc/$(cat /tmp/left) ] || echo gone").output


def test_orphans_are_buried(vm: Machine) -> None:
    script = """
        (sleep 0 & echo $! >/tmp/orphan)
        while [ -e /proc/$(cat /tmp/orphan) ]; do sleep 0.01; done
    """
    assert Result(0, "") == vm.run(script)


def test_jobs_run_beside_each_other(vm: Machine) -> None:
    vm.run("mkfifo /tmp/meeting")
    first = vm.start("echo met >/tmp/meeting")
    assert "met\n" == vm.run("cat /tmp/meeting; rm /tmp/meeting").output
    assert 0 == first.wait().code


def test_a_jobs_output_is_seen_while_it_runs(vm: Machine) -> None:
    job = vm.start("echo started; exec sleep 1000")
    job.expect("started")
    assert job.code is None
    assert 128 + 9 == job.kill().code


def test_a_job_that_takes_too_long_is_killed(vm: Machine) -> None:
    with pytest.raises(JobTimeout, match="so far"):
        vm.run("echo so far; echo $$ >/tmp/late; exec sleep 1000", timeout=0.5)
    assert "gone\n" == vm.run("[ -e /proc/$(cat /tmp/late) ] || echo gone").output


def test_expecting_what_never_comes_fails_with_the_output(vm: Machine) -> None:
    with pytest.raises(AssertionError, match=r"exit code 3.*\n?something else"):
        vm.start("echo something else; exit 3").expect("nothing like it")


def test_the_machine_has_a_real_cuse(vm: Machine) -> None:
    source = "import os; s = os.stat('/dev/cuse'); print(s.st_mode, os.major(s.st_rdev), os.minor(s.st_rdev))"
    assert f"{stat.S_IFCHR | 0o600} 10 203\n" == vm.python(source).output


def test_a_machine_ends_with_its_pipe(vm: Machine) -> None:
    with Machine(memory="256M") as other:
        assert "up\n" == other.run("echo up").output
        process = other._process
        assert process is not None
        other.halt()
        assert 0 == process.returncode
        assert "up again\n" == other.run("echo up again").output
    assert not os.path.exists(other.exchange)
