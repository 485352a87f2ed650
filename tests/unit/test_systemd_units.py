"""What is handed to systemd: systemd itself finds nothing wrong with it, and little that is exposed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from lswd.device.packet import USER_SOCKET
from lswd.service.settings import make

ROOT = Path(__file__).resolve().parent.parent.parent
UNITS = sorted((ROOT / "systemd").glob("lswd*"))
OK = 4.9  # systemd-analyze(1): what is above is "MEDIUM"


@pytest.fixture
def installed(tmp_path: Path) -> Path:
    """The units as `make install` writes them, with commands that exist."""
    commands = tmp_path / "bin"
    commands.mkdir()
    (commands / "lswd").symlink_to("/bin/true")
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("@bindir@", str(commands)))
    return tmp_path


def _analyze(*words: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        ["systemd-analyze", *words], capture_output=True, text=True, timeout=60, check=False,
        env=os.environ | {"XDG_RUNTIME_DIR": "/run"},
    )  # fmt: skip


@pytest.mark.parametrize("unit", [unit.name for unit in UNITS])
def test_systemd_finds_nothing_wrong(unit: str, installed: Path) -> None:
    who = ["--user"] if "user" in unit else []
    done = _analyze(*who, "verify", "--man=no", installed / unit)
    assert (0, "") == (done.returncode, "".join(line for line in done.stderr.splitlines(True) if "lsw" in line))


def test_the_service_is_exposed_no_more_than_ok(installed: Path) -> None:
    unit = installed / "lswd.service"
    done = _analyze("security", "--offline=true", "--no-pager", f"--threshold={OK * 10:.0f}", unit)
    exposure = re.search(r"Overall exposure level for lswd.service: ([0-9.]+)", done.stdout)
    assert exposure is not None, done.stderr
    assert float(exposure[1]) <= OK
    assert 0 == done.returncode


def test_files_agree_with_settings() -> None:
    settings = make({})
    rule = (ROOT / "systemd/lsw.rules").read_text()
    assert f'KERNEL=="{settings.device}", GROUP="{settings.group}", MODE="{settings.mode:04o}"' in rule
    assert f"g {settings.group} " in (ROOT / "systemd/sysusers.conf").read_text()
    assert f"ListenSequentialPacket=%t/{USER_SOCKET}" in (ROOT / "systemd/lswd-user.socket").read_text()
    stop = re.search(r"TimeoutStopSec=(\d+)", (ROOT / "systemd/lswd.service").read_text())
    assert stop is not None
    assert settings.limits.drain + 15 < int(stop[1])


def test_a_socket_that_systemd_opened_is_served(tmp_path: Path) -> None:
    """As sd_listen_fds(3) describes it; the file stays systemd's."""
    import socket

    path = tmp_path / "socket"
    with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as listener, socket.socket(
        socket.AF_UNIX, socket.SOCK_DGRAM
    ) as notified:
        listener.bind(str(path))
        listener.listen()
        notified.bind(str(tmp_path / "notify"))
        notified.settimeout(60)
        code = (
            "import os, sys; os.environ['LISTEN_PID'] = str(os.getpid()); os.dup2(int(sys.argv[1]), 3);"
            "from lswd.__main__ import main; sys.exit(main(['--user']))"
        )
        environment = {"LISTEN_FDS": "1", "NOTIFY_SOCKET": str(tmp_path / "notify"), "XDG_RUNTIME_DIR": str(tmp_path)}
        daemon = subprocess.Popen(
            [sys.executable, "-c", code, str(listener.fileno())], env=os.environ | environment,
            pass_fds=[listener.fileno(), 3],
        )  # fmt: skip
        assert notified.recv(1000).startswith(b"READY=1")
        with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as client:
            client.connect(str(path))
            from lswd.device.packet import Packet, unpack
            from lswd.ioctl.commands import INFO

            client.settimeout(60)
            client.send(Packet(INFO.number, 0, 1, 0).pack())
            assert 0 == unpack(client.recv(1000)).result
        daemon.terminate()
        assert 0 == daemon.wait(60)
    assert path.exists()
    assert not (tmp_path / USER_SOCKET).exists()
