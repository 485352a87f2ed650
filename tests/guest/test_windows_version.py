"""The Windows that a program sees is the one asked for, wherever it looks."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from .build import build
from .cases import Program
from .ways import COMPLETE, LIMIT, Way, daemon

WINDOWS = Program("windows", ("system/windows.c",))
RELEASES = {
    "xp": ("5.1", "2600", 3, "Microsoft Windows XP", 0),
    "vista": ("6.0", "6002", 2, "Windows Vista (TM) Business", 0),
    "win7": ("6.1", "7601", 1, "Windows 7 Professional", 0),
    "win8": ("6.2", "9200", 0, "Windows 8 Pro", 0),
    "win81": ("6.3", "9600", 0, "Windows 8.1 Pro", 0),
    "win10": ("10.0", "19045", 0, "Windows 10 Pro", 10),
    "win11": ("10.0", "22631", 0, "Windows 10 Pro", 10),
}


def told(release: str) -> list[str]:
    """What the program prints."""
    version, build_number, service_pack, product, major = RELEASES[release]
    csd = f"Service Pack {service_pack}" if service_pack else ""
    return [
        f'RtlGetVersion {version}.{build_number} {service_pack} "{csd}"',
        f"KUSER_SHARED_DATA {version}.{build_number}",
        f"PEB {version}.{build_number}",
        f"CurrentVersion {version}",
        f"CurrentBuild {build_number}",
        f"CurrentBuildNumber {build_number}",
        f"CSDVersion {csd or '-'}",
        f"ProductName {product}",
        f"CurrentMajorVersionNumber {major}",
    ]


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize("target", ["x86_64", "i386"])
def test_a_release_is_the_same_everywhere(release: str, target: str, lswctl: list[str], lsw_prefix: Path) -> None:
    command = [*lswctl, "launch", "--windows-version", release, str(build(WINDOWS, target))]
    environment = os.environ | {"LSW_PREFIX": str(lsw_prefix)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=True, timeout=LIMIT)
    assert told(release) == done.stdout.splitlines()


@pytest.mark.parametrize("name", COMPLETE)
def test_it_can_be_set_in_each_way(name: str, tmp_path: Path) -> None:
    config = tmp_path / "lsw.toml"
    config.write_text('windows_version = "win7"\n')
    with daemon() as running:
        way = Way(name, running.environment | {"LSW_CONFIG": str(config)})
        assert told("win7") == way.run(str(build(WINDOWS))).stdout.decode().splitlines()
        way = Way(name, running.environment | {"LSW_CONFIG": str(config), "LSW_WINDOWS_VERSION": "vista"})
        assert told("vista") == way.run(str(build(WINDOWS))).stdout.decode().splitlines()
        refused = way.run("--windows-version", "me", str(build(WINDOWS)))
    assert 120 == refused.returncode
    assert b"lswctl: windows_version: there is no 'me'; known: winxp, " in refused.stderr
