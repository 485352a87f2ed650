"""NtQuerySystemInformation: lengths, statuses and figures."""

from __future__ import annotations

import struct
from pathlib import Path

import pytest

from lswd.kernel import memory_status
from lswd.kernel.topology import CACHE, CORE, PACKAGE, Topology
from lswd.nt import system_information as nt
from lswd.nt import system_processes as lists
from lswd.nt import system_processors as processors
from lswd.nt import system_time_zone as zones
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_INFO_LENGTH_MISMATCH,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_IMPLEMENTED,
    STATUS_PRIVILEGE_NOT_HELD,
    STATUS_SUCCESS,
)

from .system_calls import Caller

CALL = "NtQuerySystemInformation"


@pytest.fixture
def caller() -> Caller:
    return Caller()


# Lengths that Wine 8 tells a caller without a buffer.
@pytest.mark.parametrize(
    ("number", "length"),
    [
        (nt.SystemBasicInformation, 64),
        (nt.SystemProcessorInformation, 12),
        (nt.SystemPerformanceInformation, 312),
        (nt.SystemFileCacheInformation, 64),
        (nt.SystemTimeAdjustmentInformation, 12),
        (nt.SystemKernelDebuggerInformation, 2),
        (nt.SystemRegistryQuotaInformation, 16),
        (nt.SystemCurrentTimeZoneInformation, 172),
        (nt.SystemRecommendedSharedDataAlignment, 4),
        (nt.SystemDynamicTimeZoneInformation, 432),
        (nt.SystemCodeIntegrityInformation, 8),
        (nt.SystemNativeBasicInformation, 64),
        (nt.SystemKernelDebuggerInformationEx, 3),
    ],
)
def test_lengths_are_those_that_programs_know(caller: Caller, number: int, length: int) -> None:
    assert (STATUS_INFO_LENGTH_MISMATCH, length) == caller.needed(CALL, number)


def test_basic_information_must_be_asked_for_with_its_very_length(caller: Caller) -> None:
    assert STATUS_SUCCESS == caller.query(CALL, nt.SystemBasicInformation, length=64)[0]
    assert STATUS_INFO_LENGTH_MISMATCH == caller.query(CALL, nt.SystemBasicInformation, length=65)[0]


def test_basic_information_describes_the_address_space(caller: Caller) -> None:
    _, data = caller.query(CALL, nt.SystemBasicInformation, length=64)
    found = nt.SYSTEM_BASIC_INFORMATION.unpack(8, data)
    assert (0x1000, 0x10000, 0x10000, 0x7FFFFFFEFFFF) == (
        found.PageSize,
        found.AllocationGranularity,
        found.MinimumUserModeAddress,
        found.MaximumUserModeAddress,
    )
    assert found.ActiveProcessorsAffinityMask == (1 << found.NumberOfProcessors) - 1


def test_the_time_of_day_may_be_asked_for_in_part(caller: Caller) -> None:
    status, part = caller.query(CALL, nt.SystemTimeOfDayInformation, length=16)
    boot, now = struct.unpack("<qq", part)
    assert (STATUS_SUCCESS, True) == (status, 0 < boot < now)
    assert (STATUS_SUCCESS, 0) == caller.needed(CALL, nt.SystemTimeOfDayInformation)
    assert STATUS_INFO_LENGTH_MISMATCH == caller.query(CALL, nt.SystemTimeOfDayInformation, length=49)[0]


def test_the_process_list_holds_this_process_and_its_thread(caller: Caller) -> None:
    _, data = caller.query(CALL, nt.SystemProcessInformation)
    entry = lists.SYSTEM_PROCESS_INFORMATION.unpack(8, data)
    assert (0, 1, caller.process.pid) == (entry.NextEntryOffset, entry.NumberOfThreads, entry.UniqueProcessId)
    at = lists.SYSTEM_PROCESS_INFORMATION.size(8)
    thread = lists.SYSTEM_THREAD_INFORMATION.unpack(8, data, at)
    assert (0x100, caller.thread.tid) == (at, thread.ClientId.UniqueThread)
    name = caller.process.space.read(entry.ImageName.Buffer, entry.ImageName.Length)
    assert "probe.exe" == name.decode("utf-16-le")


def test_the_extended_list_has_larger_threads(caller: Caller) -> None:
    plain = caller.needed(CALL, nt.SystemProcessInformation)[1]
    assert plain + 0x38 == caller.needed(CALL, nt.SystemExtendedProcessInformation)[1]


def test_every_processor_has_its_times(caller: Caller) -> None:
    _, basic = caller.query(CALL, nt.SystemBasicInformation, length=64)
    assert 48 * basic[0x38] == caller.needed(CALL, nt.SystemProcessorPerformanceInformation)[1]


def test_handles_are_listed_with_their_owner(caller: Caller) -> None:
    handle = caller.handle("NtCreateEvent", 0x1F0003, 0, 0, 0)
    _, data = caller.query(CALL, nt.SystemExtendedHandleInformation)
    assert 1 == int.from_bytes(data[:8], "little")
    entry = lists.SYSTEM_HANDLE_TABLE_ENTRY_INFO_EX.unpack(8, data, 16)
    assert (caller.process.pid, handle, 0x1F0003) == (entry.UniqueProcessId, entry.HandleValue, entry.GrantedAccess)


def test_the_interrupt_information_is_different_every_time(caller: Caller) -> None:
    first, second = (caller.query(CALL, nt.SystemInterruptInformation)[1] for _ in range(2))
    assert first != second


def test_kernel_modules_are_listed_without_their_addresses(caller: Caller) -> None:
    status, data = caller.query(CALL, nt.SystemModuleInformation)
    assert (STATUS_SUCCESS, 3, 896) == (status, data[0], len(data))  # as under Wine 8
    assert bytes(24) == data[8:32]
    assert b"\\SystemRoot\\system32\\ntoskrnl.exe\0" == data[48:82]
    assert STATUS_ACCESS_DENIED == caller.query(CALL, nt.SystemModuleInformationEx)[0]


def test_processor_times_can_be_asked_for_by_group(caller: Caller) -> None:
    status, data = extended(caller, nt.SystemProcessorPerformanceInformation, b"\0\0")
    assert (STATUS_SUCCESS, len(caller.query(CALL, nt.SystemProcessorPerformanceInformation)[1])) == (status, len(data))
    assert STATUS_INVALID_PARAMETER == extended(caller, nt.SystemProcessorPerformanceInformation, b"\1\0")[0]


def test_firmware_tables_and_unknown_classes_are_refused(caller: Caller) -> None:
    assert STATUS_NOT_IMPLEMENTED == caller.query(CALL, nt.SystemFirmwareTableInformation)[0]
    assert STATUS_INVALID_INFO_CLASS == caller.query(CALL, 9999)[0]


def test_nothing_about_the_machine_is_changed(caller: Caller) -> None:
    assert {STATUS_PRIVILEGE_NOT_HELD} == {
        caller.call("NtSetSystemInformation", 28, 0, 0),
        caller.call("NtSetSystemTime", 0, 0),
        caller.call("NtLoadDriver", caller.guest.unicode("x")),
        caller.call("NtShutdownSystem", 0),
        caller.call("NtInitiatePowerAction", 0, 0, 0, 0),
    }


def test_the_time_zone_is_the_hosts(caller: Caller, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    _, data = caller.query(CALL, nt.SystemDynamicTimeZoneInformation)
    zone = zones.RTL_DYNAMIC_TIME_ZONE_INFORMATION.unpack(8, data)
    assert (-60, (0, 10, 0, 5, 3, 0, 0, 0), (0, 3, 0, 5, 2, 0, 0, 0), -60) == (
        zone.Bias,
        zone.StandardDate,
        zone.DaylightDate,
        zone.DaylightBias,
    )
    assert data[:172] == caller.query(CALL, nt.SystemCurrentTimeZoneInformation)[1]


# ---- processors


def extended(caller: Caller, number: int, query: bytes) -> tuple[int, bytes]:
    return caller.query("NtQuerySystemInformationEx", number, caller.guest.stored(query) if query else 0, len(query))


@pytest.fixture
def sysfs(tmp_path: Path) -> Path:
    """Two cores with two threads each, on one package with a shared cache."""
    for number in range(4):
        own = tmp_path / f"cpu{number}"
        core = 3 << (number // 2 * 2)
        for name, text in (
            ("topology/package_cpus", "f"),
            ("topology/core_cpus", f"{core:x}"),
            ("cache/index0/type", "Data"),
            ("cache/index0/level", "1"),
            ("cache/index0/size", "32K"),
            ("cache/index0/coherency_line_size", "64"),
            ("cache/index0/ways_of_associativity", "8"),
            ("cache/index0/shared_cpu_map", f"{core:x}"),
            ("cache/index1/type", "Unified"),
            ("cache/index1/level", "3"),
            ("cache/index1/size", "8M"),
            ("cache/index1/shared_cpu_map", "00000000,0000000f"),
        ):
            (own / name).parent.mkdir(parents=True, exist_ok=True)
            (own / name).write_text(text + "\n")
    return tmp_path


def test_the_topology_is_read_from_sysfs(sysfs: Path) -> None:
    topology = Topology(4, str(sysfs))
    assert [(PACKAGE, 15), (CORE, 3), (CACHE, 3), (CACHE, 15), (CORE, 12), (CACHE, 12)] == [
        (kind, mask) for kind, mask, _ in topology.parts
    ]
    first, last = topology.parts[2][2], topology.parts[3][2]
    assert first is not None and last is not None
    assert (1, 2, 64, 32768, 8) == (first.level, first.kind, first.line, first.size, first.associativity)
    assert (3, 0, 8 << 20) == (last.level, last.kind, last.size)
    assert [0, 0, 2, 2] == [topology.core_of(n) for n in range(4)]


def test_without_sysfs_every_processor_is_a_core(tmp_path: Path) -> None:
    assert [(PACKAGE, 3), (CORE, 1), (CORE, 2)] == [(k, m) for k, m, _ in Topology(2, str(tmp_path)).parts]


def test_processor_relationships_come_as_entries_of_their_own_length(caller: Caller) -> None:
    _, data = extended(caller, processors.SystemLogicalProcessorInformationEx, struct.pack("<I", 0xFFFF))
    at, kinds = 0, []
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        kinds.append((kind, size))
        at += size
    assert len(data) == at
    assert {(3, 48), (0, 48), (1, 48), (4, 80)} <= set(kinds)


def test_one_relationship_can_be_asked_for(caller: Caller) -> None:
    _, data = extended(caller, processors.SystemLogicalProcessorInformationEx, struct.pack("<I", 4))
    assert (4, 80) == struct.unpack_from("<II", data)
    assert STATUS_INVALID_PARAMETER == extended(caller, processors.SystemLogicalProcessorInformationEx, b"\5\0\0\0")[0]
    assert STATUS_INVALID_PARAMETER == extended(caller, processors.SystemLogicalProcessorInformationEx, b"")[0]


def test_the_native_architecture_is_the_only_one(caller: Caller) -> None:
    _, data = extended(caller, processors.SystemSupportedProcessorArchitectures, bytes(8))
    assert struct.pack("<II", 0x000F8664, 0) == data


def test_every_processor_is_a_cpu_set(caller: Caller) -> None:
    _, data = extended(caller, processors.SystemCpuSetInformation, bytes(8))
    assert 32 * Topology().count == len(data)
    assert (32, 0, 0x100) == struct.unpack_from("<III", data)


def test_memory_figures_fit_together() -> None:
    status = memory_status.MemoryStatus()
    assert 0 < status.available <= status.physical <= status.limit
