"""Power: NtPowerInformation, NtSetThreadExecutionState.

Source: Microsoft "CallNtPowerInformation", "SYSTEM_BATTERY_STATE", "PROCESSOR_POWER_INFORMATION",
"SYSTEM_POWER_CAPABILITIES", "SetThreadExecutionState".
"""

from __future__ import annotations

import os

from lswd.kernel.battery import PowerSupply
from lswd.nt.declare import Call, Out, syscall
from lswd.nt.information import QueryTable
from lswd.ntdef.status import STATUS_BUFFER_TOO_SMALL, STATUS_INVALID_PARAMETER, STATUS_NOT_IMPLEMENTED, STATUS_SUCCESS
from lswd.ntdef.types import BOOLEAN, LONG, NTSTATUS, PVOID, ULONG, Struct, raw

SystemPowerCapabilities = 4
SystemBatteryState = 5
ProcessorInformation = 11
SystemExecutionState = 16

ES_SYSTEM_REQUIRED = 1
ES_DISPLAY_REQUIRED = 2
ES_USER_PRESENT = 4
ES_AWAYMODE_REQUIRED = 0x40
ES_CONTINUOUS = 0x80000000


class SYSTEM_BATTERY_STATE(Struct):
    AcOnLine: BOOLEAN
    BatteryPresent: BOOLEAN
    Charging: BOOLEAN
    Discharging: BOOLEAN
    Spare: bytes = raw(4)
    MaxCapacity: ULONG
    RemainingCapacity: ULONG
    Rate: LONG
    EstimatedTime: ULONG
    DefaultAlert1: ULONG
    DefaultAlert2: ULONG


class SYSTEM_POWER_CAPABILITIES(Struct):
    Before: bytes = raw(30)  # buttons, lid, sleep states: nothing a guest could use
    SystemBatteriesPresent: BOOLEAN
    After: bytes = raw(45)


class PROCESSOR_POWER_INFORMATION(Struct):
    Number: ULONG
    MaxMhz: ULONG
    CurrentMhz: ULONG
    MhzLimit: ULONG
    MaxIdleState: ULONG
    CurrentIdleState: ULONG


QUERY = QueryTable(too_small=STATUS_BUFFER_TOO_SMALL)


@QUERY.answers(SystemBatteryState)
def _battery(call: Call, subject: object, address: int) -> Struct:
    supply = PowerSupply()
    return SYSTEM_BATTERY_STATE(
        AcOnLine=int(supply.mains),
        BatteryPresent=int(supply.battery),
        Charging=int(supply.charging),
        Discharging=int(supply.discharging),
        MaxCapacity=supply.full,
        RemainingCapacity=supply.remaining,
        Rate=-supply.rate if supply.discharging else supply.rate,
        EstimatedTime=supply.seconds_left & 0xFFFFFFFF,
    )


@QUERY.answers(SystemPowerCapabilities)
def _capabilities(call: Call, subject: object, address: int) -> Struct:
    return SYSTEM_POWER_CAPABILITIES(SystemBatteriesPresent=int(PowerSupply().battery))


@QUERY.answers(ProcessorInformation)
def _processors(call: Call, subject: object, address: int) -> bytes:
    result = b""
    for number in range(os.cpu_count() or 1):
        base = f"/sys/devices/system/cpu/cpu{number}/cpufreq"
        current = _megahertz(f"{base}/scaling_cur_freq") or _nominal()
        most = _megahertz(f"{base}/cpuinfo_max_freq") or current
        result += PROCESSOR_POWER_INFORMATION(Number=number, MaxMhz=most, CurrentMhz=current, MhzLimit=most).pack(8)
    return result


def _megahertz(path: str) -> int:
    try:
        with open(path, encoding="ascii") as file:
            return int(file.read()) // 1000
    except (OSError, ValueError):
        return 0


def _nominal() -> int:
    """What /proc/cpuinfo says of the first processor."""
    try:
        with open("/proc/cpuinfo", encoding="ascii", errors="replace") as file:
            for line in file:
                if line.startswith("cpu MHz"):
                    return int(float(line.partition(":")[2]))
    except (OSError, ValueError):
        pass
    return 0


@QUERY.answers(SystemExecutionState)
def _execution_state(call: Call, subject: object, address: int) -> bytes:
    return ES_USER_PRESENT.to_bytes(4, "little")


@syscall(partial="power policies and requests")
def NtPowerInformation(
    call: Call,
    InformationLevel: ULONG,
    InputBuffer: PVOID,
    InputBufferLength: ULONG,
    OutputBuffer: PVOID,
    OutputBufferLength: ULONG,
) -> NTSTATUS:
    if InformationLevel not in QUERY:
        return STATUS_NOT_IMPLEMENTED
    if InputBuffer or InputBufferLength or not OutputBuffer:
        return STATUS_INVALID_PARAMETER
    return QUERY.answer(call, None, InformationLevel, OutputBuffer, OutputBufferLength, None)


@syscall(partial="the host is not kept awake")
def NtSetThreadExecutionState(call: Call, NewFlags: ULONG, PreviousFlags: Out[ULONG]) -> NTSTATUS:
    known = ES_SYSTEM_REQUIRED | ES_DISPLAY_REQUIRED | ES_USER_PRESENT | ES_AWAYMODE_REQUIRED | ES_CONTINUOUS
    if NewFlags & ~known or (NewFlags & ES_USER_PRESENT and NewFlags & ~ES_USER_PRESENT):
        return STATUS_INVALID_PARAMETER
    process = call.process
    PreviousFlags.set(process.execution_state)
    if NewFlags & ES_CONTINUOUS:
        process.execution_state = NewFlags
    return STATUS_SUCCESS
