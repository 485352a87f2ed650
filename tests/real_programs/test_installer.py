"""Inno Setup's compiler makes an installer, which installs: Delphi, whose programs have windows even when silent."""

from __future__ import annotations

from pathlib import Path

from . import corpus
from .conftest import Launcher

SCRIPT = r"""
[Setup]
AppName=Thing
AppVersion=1.0
DefaultDirName=C:\Thing
OutputDir=.
OutputBaseFilename=thing-setup
PrivilegesRequired=lowest
[Files]
Source: "tree\*"; DestDir: "{app}"; Flags: recursesubdirs
[INI]
Filename: "{app}\where.ini"; Section: "Thing"; Key: "Where"; String: "{app}"
"""


def test_an_installer_is_made_and_installs(launch: Launcher, lswctl: list[str], tree: Path) -> None:
    (tree / "thing.iss").write_text(SCRIPT)
    launch(corpus.INNO_SETUP, "/Q", "thing.iss")
    where = "Z:" + str(tree / "made").replace("/", "\\")
    command = [*lswctl, "launch", str(tree / "thing-setup.exe")]
    launch.start(command, ("/VERYSILENT", "/SUPPRESSMSGBOXES", f"/DIR={where}"), 0)
    assert b"needle" in (tree / "made" / "readme.txt").read_bytes()
    assert (tree / "made" / "deep" / "er" / "still" / "three.txt").is_file()
    assert f"Where={where}\r\n".encode() in (tree / "made" / "where.ini").read_bytes()
