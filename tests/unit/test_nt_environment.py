"""Clocks, identifiers, power, messages, and names on both sides."""

from __future__ import annotations

import itertools
import struct
from pathlib import Path
from typing import Any, cast

import pytest

from lswd.host.drives import Drives
from lswd.kernel.battery import PowerSupply
from lswd.kernel.uuid_source import UuidSource
from lswd.kernel.wait import system_time
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_DEBUGGER_INACTIVE,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_SUCH_FILE,
    STATUS_NOT_IMPLEMENTED,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_SUCCESS,
    STATUS_TIMER_RESOLUTION_NOT_SET,
)

from .registry_trees import small_registry
from .system_calls import Caller

CREATE, OPEN, OPEN_IF = 2, 1, 3


@pytest.fixture
def caller() -> Caller:
    return Caller(small_registry())


def test_the_system_time_is_the_hosts(caller: Caller) -> None:
    cell = caller.cell()
    before = system_time()
    assert STATUS_SUCCESS == caller.call("NtQuerySystemTime", cell)
    assert before <= caller.number(cell, 8) <= system_time()


def test_the_performance_counter_counts_ten_million_a_second(caller: Caller) -> None:
    first, second, frequency = caller.cell(), caller.cell(), caller.cell()
    caller.call("NtQueryPerformanceCounter", first, frequency)
    caller.call("NtQueryPerformanceCounter", second, 0)
    assert 10_000_000 == caller.number(frequency, 8)
    assert caller.number(first, 8) <= caller.number(second, 8)


def test_the_timer_resolution_is_given_back_once(caller: Caller) -> None:
    actual = caller.cell(size=4)
    calls = [caller.call("NtSetTimerResolution", 5000, wanted, actual) for wanted in (0, 1, 1, 0, 0)]
    unset = STATUS_TIMER_RESOLUTION_NOT_SET
    assert [unset, STATUS_SUCCESS, STATUS_SUCCESS, STATUS_SUCCESS, unset] == calls
    assert 10_000 == caller.number(actual)


def test_luids_are_never_the_same(caller: Caller) -> None:
    cells = [caller.cell() for _ in range(3)]
    assert [STATUS_SUCCESS] * 3 == [caller.call("NtAllocateLocallyUniqueId", cell) for cell in cells]
    assert 3 == len({caller.number(cell, 8) for cell in cells})


def test_ranges_of_uuid_timestamps_do_not_overlap() -> None:
    source = UuidSource()
    starts = [source.take(1000) for _ in range(100)]
    assert all(b - a >= 1000 for a, b in itertools.pairwise(starts))


def test_uuids_are_made_of_time_sequence_and_node(caller: Caller) -> None:
    time, count, sequence, seed = caller.cell(), caller.cell(size=4), caller.cell(size=4), caller.guest.room(8)
    assert STATUS_SUCCESS == caller.call("NtAllocateUuids", time, count, sequence, seed)
    assert 1 == caller.number(seed, 1) & 1  # the bit that no network card has
    assert 0 < caller.number(count)


# ---- power


def supply(root: Path, name: str, **facts: str) -> None:
    (root / name).mkdir()
    for fact, text in facts.items():
        (root / name / fact).write_text(text + "\n")


def test_a_machine_that_tells_nothing_runs_on_mains(tmp_path: Path) -> None:
    found = PowerSupply(str(tmp_path / "missing"))
    assert (True, False, -1) == (found.mains, found.battery, found.seconds_left)


def test_a_battery_tells_how_long_it_lasts(tmp_path: Path) -> None:
    supply(tmp_path, "AC", type="Mains", online="0")
    supply(
        tmp_path, "BAT0", type="Battery", status="Discharging",
        energy_full="50000000", energy_now="20000000", power_now="10000000",
    )  # fmt: skip
    supply(tmp_path, "mouse", type="Battery", scope="Device", status="Charging")
    found = PowerSupply(str(tmp_path))
    assert (False, True, False, True) == (found.mains, found.battery, found.charging, found.discharging)
    assert (50000, 20000, 10000, 7200) == (found.full, found.remaining, found.rate, found.seconds_left)


def test_a_battery_measured_in_ampere_hours_is_converted(tmp_path: Path) -> None:
    supply(tmp_path, "BAT0", type="Battery", status="Full", charge_full="3000000", voltage_now="12000000")
    found = PowerSupply(str(tmp_path))
    assert (True, 36000) == (found.mains, found.full)


@pytest.mark.parametrize(("level", "length"), [(4, 76), (5, 32)])
def test_power_structures_have_their_lengths(caller: Caller, level: int, length: int) -> None:
    buffer = caller.guest.room(128)
    assert STATUS_SUCCESS == caller.call("NtPowerInformation", level, 0, 0, buffer, length)
    assert STATUS_BUFFER_TOO_SMALL == caller.call("NtPowerInformation", level, 0, 0, buffer, length - 1)
    assert STATUS_INVALID_PARAMETER == caller.call("NtPowerInformation", level, buffer, 4, buffer, length)


def test_power_policies_are_not_known(caller: Caller) -> None:
    assert STATUS_NOT_IMPLEMENTED == caller.call("NtPowerInformation", 0, 0, 0, caller.guest.room(8), 8)


def test_a_continuous_execution_state_is_remembered(caller: Caller) -> None:
    before = caller.cell(size=4)
    caller.call("NtSetThreadExecutionState", 0x80000001, before)
    assert 0x80000000 == caller.number(before)
    caller.call("NtSetThreadExecutionState", 0x00000002, before)
    assert 0x80000001 == caller.number(before)
    caller.call("NtSetThreadExecutionState", 0x80000000, before)
    assert 0x80000001 == caller.number(before)
    assert STATUS_INVALID_PARAMETER == caller.call("NtSetThreadExecutionState", 0x100, before)


# ---- messages


def test_debug_text_is_swallowed_unless_it_is_asked_for(
    caller: Caller, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    text = caller.guest.stored(b"fixme:probe\n")
    monkeypatch.setenv("WINEDEBUG", "-all")
    assert 12 == caller.call("__wine_dbg_write", text, 12)
    monkeypatch.setenv("WINEDEBUG", "+file")
    assert 5 == caller.call("__wine_dbg_write", text, 5)
    assert "fixme" == capfd.readouterr().err


def test_a_hard_error_is_said_and_its_default_button_pressed(
    caller: Caller, capsys: pytest.CaptureFixture[str]
) -> None:
    parameters = caller.guest.stored(struct.pack("<QQ", caller.guest.unicode("a.dll"), 0x77))
    response = caller.cell(size=4)
    assert STATUS_SUCCESS == caller.call("NtRaiseHardError", 0xC0000135, 2, 1, parameters, 1, response)
    assert 6 == caller.number(response)  # ResponseOk
    assert "probe.exe: hard error STATUS_DLL_NOT_FOUND: 'a.dll', 0x77\n" == capsys.readouterr().err


def test_a_program_may_turn_hard_errors_off(caller: Caller, capsys: pytest.CaptureFixture[str]) -> None:
    caller.process.error_mode = 1
    assert STATUS_SUCCESS == caller.call("NtRaiseHardError", 0xC0000135, 0, 0, 0, 3, caller.cell(size=4))
    assert "" == capsys.readouterr().err
    assert STATUS_INVALID_PARAMETER == caller.call("NtRaiseHardError", 0, 6, 0, 0, 0, caller.cell(size=4))
    assert STATUS_INVALID_PARAMETER == caller.call("NtRaiseHardError", 0, 0, 0, 0, 9, caller.cell(size=4))


def test_there_is_no_kernel_debugger_and_no_firmware(caller: Caller) -> None:
    assert STATUS_DEBUGGER_INACTIVE == caller.call("NtSystemDebugControl", 0, 0, 0, 0, 0, 0)
    name = caller.guest.unicode("BootOrder")
    assert STATUS_NOT_IMPLEMENTED == caller.call("NtQuerySystemEnvironmentValueEx", name, 0, 0, 0, 0)


def test_license_values_come_from_the_registry(caller: Caller) -> None:
    key, _ = caller.system.registry.create(r"\Registry\Machine\Software\Wine")
    key, _ = caller.system.registry.create("LicenseInformation", key)
    key.set_value("Kernel-Max", 4, b"\7\0\0\0")
    name, kind = caller.guest.unicode("kernel-max"), caller.cell(size=4)
    buffer, length = caller.guest.room(8), caller.cell(size=4)
    assert STATUS_BUFFER_TOO_SMALL == caller.call("NtQueryLicenseValue", name, kind, buffer, 3, length)
    assert STATUS_SUCCESS == caller.call("NtQueryLicenseValue", name, kind, buffer, 4, length)
    assert (4, 4, 7) == (caller.number(kind), caller.number(length), caller.number(buffer))
    assert STATUS_OBJECT_NAME_NOT_FOUND == caller.call(
        "NtQueryLicenseValue", caller.guest.unicode("other"), 0, buffer, 8, length
    )


# ---- names


@pytest.fixture
def drive(caller: Caller, tmp_path: Path) -> Path:
    (tmp_path / "Data.txt").write_text("x")
    caller.system.drives = cast(Any, Drives({"C": str(tmp_path)}))
    return tmp_path


def unix_name(caller: Caller, nt_name: str, disposition: int, room: int = 512) -> tuple[int, str]:
    buffer, size = caller.guest.room(512), caller.cell(room, 4)
    status = caller.call("wine_nt_to_unix_file_name", caller.guest.named(nt_name), buffer, size, disposition)
    data = caller.process.space.read(buffer, 512) if status in (STATUS_SUCCESS, STATUS_NO_SUCH_FILE) else b"\0"
    return status, data.partition(b"\0")[0].decode()


def test_a_guests_name_is_translated_for_the_host(caller: Caller, drive: Path) -> None:
    assert (STATUS_SUCCESS, str(drive / "Data.txt")) == unix_name(caller, r"\??\C:\DATA.TXT", OPEN)
    assert (STATUS_NO_SUCH_FILE, str(drive / "new")) == unix_name(caller, r"\??\C:\new", OPEN_IF)
    assert STATUS_OBJECT_NAME_NOT_FOUND == unix_name(caller, r"\??\C:\new", OPEN)[0]
    assert STATUS_OBJECT_NAME_COLLISION == unix_name(caller, r"\??\C:\Data.txt", CREATE)[0]
    assert STATUS_BUFFER_TOO_SMALL == unix_name(caller, r"\??\C:\Data.txt", OPEN, room=5)[0]


def test_a_hosts_name_is_translated_for_the_guest(caller: Caller, drive: Path) -> None:
    name = caller.guest.stored(bytes(drive / "Data.txt") + b"\0")
    buffer, size = caller.guest.room(64), caller.cell(20, 4)
    assert STATUS_SUCCESS == caller.call("wine_unix_to_nt_file_name", name, buffer, size)
    expected = "\\??\\C:\\Data.txt\0".encode("utf-16-le")
    assert (len(expected) // 2, expected) == (
        caller.number(size),
        caller.process.space.read(buffer, len(expected)),
    )
    assert STATUS_BUFFER_TOO_SMALL == caller.call("wine_unix_to_nt_file_name", name, buffer, caller.cell(3, 4))
