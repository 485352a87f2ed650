"""`lswctl coverage PROGRAM` foresees what a program calls; `lswctl launch --report` says what it called in vain."""

from __future__ import annotations

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from .build import build
from .cases import CASES, Program
from .ways import COMPLETE, LIMIT, Way, daemon

PROGRAMS = {case.name: case.program for case in CASES}
WANTING = build(Program("wanting", ("system/wanting.c", "processes/start.c"), ("-lntdll",)))


def calls_made(trace: Path) -> set[str]:
    """The names in a trace."""
    return set(re.findall(r"^\[0x[0-9a-f]+\] (\w+)\(", trace.read_text(), re.MULTILINE))


@pytest.mark.parametrize("name", ["hello", "pool", "file-search", "registry-keys", "process-create", "sockets-udp"])
def test_what_a_program_calls_was_foreseen(name: str, lswctl: list[str], lsw_prefix: Path, tmp_path: Path) -> None:
    program = build(PROGRAMS[name])
    environment = os.environ | {"LSW_PREFIX": str(lsw_prefix)}
    command = [*lswctl, "launch", f"--trace={tmp_path / 'trace'}", str(program)]
    subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, check=False, timeout=LIMIT)
    done = subprocess.run(
        [*lswctl, "coverage", "--json", str(program)], env=environment, capture_output=True, check=True, timeout=LIMIT
    )
    foreseen = {record["call"] for record in json.loads(done.stdout)["calls"]}
    made = calls_made(tmp_path / "trace")
    assert len(made) > 10
    # user32 may come in by itself, which nothing that is imported tells.
    assert {call for call in made - foreseen if not call.startswith("NtUser")} == set()
    assert len(foreseen) < 200  # of about 230: it has an opinion


@pytest.mark.parametrize("name", COMPLETE)
def test_a_report_has_what_all_processes_of_a_launch_missed_and_where(name: str, tmp_path: Path) -> None:
    with daemon() as running:
        way = Way(name, running.environment)
        done = way.run("--report", "missed.json", "--json", str(WANTING), cwd=tmp_path)
    assert done.returncode == 3
    lines = done.stderr.decode().splitlines()
    assert any("used system calls that are not implemented yet: NtSetLdtEntries (3)" in line for line in lines)
    assert json.loads(lines[-1])["missing_calls"] == {"NtSetLdtEntries": 3}
    report = json.loads((tmp_path / "missed.json").read_text())
    assert (3, 2) == (report["exit_code"], len(report["processes"]))
    (missing,) = report["missing"]
    assert ("NtSetLdtEntries", 3, "STATUS_NOT_IMPLEMENTED") == (missing["call"], missing["count"], missing["status"])
    assert 3 == missing["traced"] == sum(site["count"] for site in missing["sites"])
    for site in missing["sites"]:
        assert re.match(r"wanting\.exe\+0x[0-9a-f]+ \(wanted\+0x[0-9a-f]+\)$", site["site"])
        assert site["stack"][0] == site["site"]
        assert site["process"].endswith("wanting.exe")
    refused = {(finding["call"], finding.get("detail")): finding for finding in report["refused"]}
    assert refused["NtQueryInformationProcess", "ProcessInformationClass=999"]["status"] == "STATUS_INVALID_INFO_CLASS"
    assert report["functions"] == []


def test_a_report_names_functions_that_are_names_only(lswctl: list[str], lsw_prefix: Path, tmp_path: Path) -> None:
    command = [*lswctl, "launch", "--report", str(tmp_path / "missed"), str(WANTING), "stub"]
    environment = os.environ | {"LSW_PREFIX": str(lsw_prefix)}
    subprocess.run(command, env=environment, capture_output=True, check=False, timeout=LIMIT)
    report = json.loads((tmp_path / "missed").read_text())
    (function,) = report["functions"]
    assert ("some.dll!FunctionNobodyWrote", 1) == (function["call"], function["count"])


def test_what_cannot_be_written_is_said_before_anything_runs(lswctl: list[str]) -> None:
    done = subprocess.run(
        [*lswctl, "launch", "--report", "/nonexistent/report", "a.exe"], capture_output=True, check=False, timeout=LIMIT
    )
    assert (120, True) == (done.returncode, done.stderr.startswith(b"lswctl: --report /nonexistent/report: No such"))


def test_a_report_is_written_even_when_we_fail(
    lswctl: list[str], lsw_prefix: Path, tmp_path: Path
) -> None:
    code = (
        "import sys; from lswd.nt.catalogue import load_families; from lswd.nt.declare import DECLARED;"
        "load_families(); DECLARED['NtQueryInformationProcess'].handler = lambda *_: 1 / 0;"
        "from lswctl.__main__ import main; sys.exit(main(sys.argv[1:]))"
    )
    command = [lswctl[0], "-c", code, "launch", "--via", "embedded", "--report", str(tmp_path / "missed"), str(WANTING)]
    environment = os.environ | {"LSW_PREFIX": str(lsw_prefix)}
    done = subprocess.run(command, env=environment, capture_output=True, check=False, timeout=LIMIT)
    assert 125 == done.returncode
    report = json.loads((tmp_path / "missed").read_text())
    assert report["failure"].startswith("InternalError: NtQueryInformationProcess(")
