"""The unit of lswd under a real systemd, which is process 1 of a machine of its own.

The files of systemd/ are installed word for word, where `make install` puts them. The commands are those that it
writes, with this process's interpreter and packages, bound to where the unit lets lswd see them.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import site
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.vm.conftest import installable, require_machine
from tests.vm.machine import ROOT, USER, Machine

HERE = Path(__file__).resolve().parent
SYSTEMD = Path("/lib/systemd/systemd")
UNIT = ROOT / "systemd/lswd.service"
OTHER = USER + 1
"""A user who is not in the group lsw."""

COMMAND = """#!/usr/local/lib/lsw/python/bin/{python} -IS
import sys

sys.path[:0] = ["/usr/local/lib/lsw/checkout", "/usr/local/lib/lsw/packages"]
from {module}.__main__ import {function}

sys.exit({function}())
"""

INSTALL = """set -e
lib=/usr/local/lib
mkdir -p $lib/lsw/python $lib/lsw/checkout $lib/lsw/packages $lib/systemd/system $lib/sysusers.d $lib/tmpfiles.d
mount --bind {base} $lib/lsw/python
mount --bind {root} $lib/lsw/checkout
mount --bind {packages} $lib/lsw/packages
install /run/exchange/lswd /run/exchange/lswctl /usr/local/bin
sed 's|@bindir@|/usr/local/bin|' {root}/systemd/lswd.service >$lib/systemd/system/lswd.service
cp {root}/systemd/sysusers.conf $lib/sysusers.d/lsw.conf
cp {root}/systemd/tmpfiles.conf $lib/tmpfiles.d/lsw.conf
# So that a Python that was built elsewhere finds its library. The engine: others take another kernel than this.
mkdir -p /run/systemd/system/lswd.service.d
cat >/run/systemd/system/lswd.service.d/here.conf <<END
[Service]
Environment=LD_LIBRARY_PATH=$lib/lsw/python/lib LSW_ENGINE=unicorn
END
until systemctl is-system-running --wait 2>/dev/null; do sleep 0.05; done
systemd-sysusers lsw.conf
systemd-tmpfiles --create lsw.conf
systemctl daemon-reload
systemctl enable --quiet --now lswd
"""


def require_systemd() -> None:
    """As `require_machine`, and the same for systemd."""
    require_machine()
    if not SYSTEMD.exists() and installable():
        pytest.fail("not installed: systemd (setup/setup.sh test installs it)", pytrace=False)
    if not SYSTEMD.exists():
        pytest.skip("THE UNIT WAS STARTED BY NO REAL SYSTEMD: there is none here")


@pytest.fixture(scope="module")
def vm() -> Iterator[Machine]:
    """The machine whose process 1 is systemd. lswd is installed and was started; nothing says that it works."""
    require_systemd()
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    with Machine(processor=worker, process_1=(HERE / "systemd_process_1.sh").read_text()) as machine:
        windows = shutil.which("x86_64-w64-mingw32-gcc")
        assert windows, "gcc-mingw-w64-x86-64 is not installed (setup/setup.sh test installs it)"
        for compiler, source, made in ((windows, "program.c", "program.exe"), ("gcc", "loader.c", "loader")):
            subprocess.run([compiler, "-O2", "-Wall", "-o", machine.exchange / made, HERE / source], check=True)
        python = Path(sys.executable).resolve().name
        for module, function in (("lswd", "main"), ("lswctl", "run")):
            command = machine.exchange / module
            command.write_text(COMMAND.format(python=python, module=module, function=function))
            command.chmod(0o755)
        packages = site.getsitepackages()[0]
        places = {"base": sys.base_prefix, "root": str(ROOT), "packages": packages}
        script = INSTALL.format_map({name: shlex.quote(place) for name, place in places.items()})
        result = machine.run(script, timeout=100)
        journal = "" if result.code == 0 else machine.run("journalctl --no-pager").output
        assert 0 == result.code, result.output + journal
        yield machine


def show(vm: Machine, *names: str) -> dict[str, str]:
    """Properties of lswd.service, as systemctl shows them."""
    result = vm.run(f"systemctl show --property={','.join(names)} lswd")
    assert 0 == result.code, result.output
    return dict(line.split("=", 1) for line in result.output.splitlines())


@pytest.fixture(scope="module")
def group(vm: Machine) -> int:
    """The identifier of the group lsw."""
    return int(vm.run("getent group lsw").output.split(":")[2])


def run_program(vm: Machine, group: int) -> tuple[int, str]:
    """A user of the group lsw loads a program, which /dev/lsw runs."""
    script = "/run/exchange/loader /dev/lsw /run/exchange/program.exe -- 0x2a 2>/dev/null"
    return vm.run(script, user=USER, groups=[group], timeout=100)


RAN = (42, "ran with 1: 0x2a\n")
"""How that ends when all is well."""
CGROUP = "/sys/fs/cgroup/system.slice/lswd.service"
SERVING = {"Type": "notify", "ActiveState": "active", "SubState": "running", "StatusText": "serving"}


def test_the_unit_comes_up_notified(vm: Machine) -> None:
    assert "systemd\n" == vm.run("cat /proc/1/comm").output
    expected = {**SERVING, "NRestarts": "0", "WatchdogUSec": "30s"}
    assert expected == show(vm, *expected)
    assert "660 root lsw\n" == vm.run("stat -c '%a %U %G' /dev/lsw").output


def test_only_the_group_uses_the_device(vm: Machine, group: int) -> None:
    assert RAN == run_program(vm, group)
    refused = vm.run(": </dev/lsw", user=OTHER)
    assert 0 != refused.code
    assert "Permission denied" in refused.output


def test_the_hardened_daemon_conforms(vm: Machine, group: int) -> None:
    result = vm.run("lswctl conformance --programs", user=USER, groups=[group], timeout=100)
    assert 0 == result.code, result.output
    assert "FAIL" not in result.output


@pytest.mark.parametrize("whom", ["all", "main"])
def test_a_killed_daemon_is_started_again_and_serves(vm: Machine, group: int, whom: str) -> None:
    before = show(vm, "MainPID", "NRestarts")
    assert RAN == run_program(vm, group)  # so there is a session, which must not outlive its daemon
    old = set(vm.run(f"cat {CGROUP}/cgroup.procs").output.split())
    assert before["MainPID"] in old
    restarts = int(before["NRestarts"]) + 1
    script = f"""
        systemctl kill --kill-who={whom} -s KILL lswd
        wanted="ActiveState=active NRestarts={restarts}"
        until [ "$(systemctl show -p ActiveState,NRestarts lswd | sort | xargs)" = "$wanted" ]; do
            sleep 0.05
        done
    """
    assert (0, "") == vm.run(script, timeout=100)
    assert {**SERVING, "NRestarts": str(restarts)} == show(vm, *SERVING, "NRestarts")
    assert RAN == run_program(vm, group)
    assert not old & set(vm.run(f"cat {CGROUP}/cgroup.procs").output.split())


def test_a_stopped_daemon_leaves_no_device_and_can_be_started(vm: Machine, group: int) -> None:
    states = ("ActiveState", "Result")
    assert (0, "") == vm.run("systemctl stop lswd && [ ! -e /dev/lsw ] && [ ! -e /run/lsw ]", timeout=100)
    assert {"ActiveState": "inactive", "Result": "success"} == show(vm, *states)
    assert (0, "") == vm.run("systemctl start lswd && systemctl reload lswd", timeout=100)
    assert SERVING == show(vm, *SERVING)
    assert RAN == run_program(vm, group)


def test_what_the_unit_forbids_is_forbidden(vm: Machine) -> None:
    """This kernel has all that the unit's options take: none of those that are tried here is without effect."""
    pid = show(vm, "MainPID")["MainPID"]
    status = dict(line.split(":\t", 1) for line in vm.run(f"cat /proc/{pid}/status").output.splitlines())
    kept = set(re.findall(r"\bCAP_\w+", "".join(re.findall(r"(?m)^CapabilityBoundingSet=.*\n", UNIT.read_text()))))
    assert len(kept) == int(status["CapBnd"], 16).bit_count()
    assert ("1", "2") == (status["NoNewPrivs"], status["Seccomp"])  # 2: a filter
    script = f"""
        [ "$(readlink /proc/{pid}/ns/uts)" != "$(readlink /proc/1/ns/uts)" ] || echo same host name
        touch /tmp/outside
        nsenter --target {pid} --mount sh -c '
            for file in /etc/x /var/x /usr/x /proc/sys/kernel/core_pattern /sys/fs/cgroup/cgroup.procs; do
                (echo >$file) 2>&1 | grep -q "Read-only file system" || echo $file can be written
            done
            [ ! -e /tmp/outside ] || echo same /tmp
            [ "$(stat -c %a /root)" = 0 ] || echo /root is not hidden
            : >/run/lsw/x && rm /run/lsw/x
        '
        echo 0 >{CGROUP}/cgroup.procs
        for device in /dev/fuse /dev/kmsg /dev/tty1; do
            (: <$device) 2>&1 | grep -q "Operation not permitted" || echo $device can be opened
        done
        exec 3<>/dev/null 4<>/dev/cuse
    """
    assert (0, "") == vm.run(script, timeout=100)


USER_MANAGER = """set -e
sed -i '/:x:1000:/d' /etc/passwd
echo "somebody:x:1000:1000::/run/home/1000:/bin/sh" >>/etc/passwd
lib=/usr/local/lib/systemd/user
mkdir -p $lib /run/systemd/system/user@1000.service.d
for unit in lswd-user.service lswd-user.socket; do
    sed 's|@bindir@|/usr/local/bin|' {root}/systemd/$unit >$lib/$unit
done
# There is no logind here, which would make the directory.
mkdir -m 700 -p /run/user/1000
chown 1000:1000 /run/user/1000
cat >/run/systemd/system/user-runtime-dir@1000.service <<END
[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/true
END
cat >/run/systemd/system/user@1000.service.d/here.conf <<END
[Service]
PAMName=
Environment=XDG_RUNTIME_DIR=/run/user/1000 LD_LIBRARY_PATH=/usr/local/lib/lsw/python/lib LSW_ENGINE=unicorn
END
systemctl daemon-reload
systemctl start user@1000
"""


def test_a_users_socket_starts_his_daemon(vm: Machine) -> None:
    result = vm.run(USER_MANAGER.format(root=shlex.quote(str(ROOT))), timeout=100)
    assert 0 == result.code, result.output
    library = "/usr/local/lib/lsw/python/lib"
    environment = {"XDG_RUNTIME_DIR": "/run/user/1000", "LD_LIBRARY_PATH": library, "LSW_VIA": "socket"}
    script = """
        state() { systemctl --user show --property=ActiveState,NRestarts lswd-user.service | sort | xargs; }
        systemctl --user enable --quiet --runtime --now lswd-user.socket
        state
        lswctl launch /run/exchange/program.exe 0x2a; echo $?
        state
        systemctl --user kill -s KILL lswd-user
        until [ "$(state)" = "ActiveState=active NRestarts=1" ]; do sleep 0.05; done
        lswctl launch /run/exchange/program.exe 7; echo $?
        systemctl --user stop lswd-user.socket lswd-user
        systemctl --user is-active lswd-user
    """
    ran = ["ran with 1: 0x2a", "42"], ["ran with 1: 7", "7"]
    assert [
        "ActiveState=inactive NRestarts=0", *ran[0], "ActiveState=active NRestarts=0", *ran[1], "inactive",
    ] == vm.run(script, user=USER, environment=environment, timeout=100).output.splitlines()  # fmt: skip


def test_udev_gives_the_node_its_group(vm: Machine) -> None:
    """The daemon that makes it here does not."""
    if not Path("/lib/systemd/systemd-udevd").exists() and not installable():
        pytest.skip("THE UDEV RULE WAS NOT TESTED: there is no udev here")
    daemon = shlex.join([sys.executable, "-m", "tests.vm.trivial_daemon", "lsw"])
    script = f"""
        mkdir -p /usr/local/lib/udev/rules.d
        cp {shlex.quote(str(ROOT))}/systemd/lsw.rules /usr/local/lib/udev/rules.d/70-lsw.rules
        systemctl stop lswd
        /lib/systemd/systemd-udevd --daemon 2>/dev/null
        {daemon} >/dev/null &
        until [ "$(stat -c '%a %U %G' /dev/lsw 2>/dev/null)" = "660 root lsw" ]; do sleep 0.05; done
        kill $!
        udevadm control --exit
        systemctl start lswd
    """
    assert (0, "") == vm.run(script, timeout=100)
