"""Clocks: NtQuerySystemTime, NtQueryPerformanceCounter, the timer resolution.

Source: Microsoft "NtQuerySystemTime", "KeQueryPerformanceCounter", "ExSetTimerResolution", "timeBeginPeriod".
"""

from __future__ import annotations

import time

from lswd.kernel.wait import system_time
from lswd.nt.declare import Call, Out, syscall
from lswd.ntdef.status import STATUS_SUCCESS, STATUS_TIMER_RESOLUTION_NOT_SET
from lswd.ntdef.types import BOOLEAN, LARGE_INTEGER, NTSTATUS, ULONG

PERFORMANCE_FREQUENCY = 10_000_000
# In 100 ns units. The host's timers do not get finer when asked to, so the finest is what there always is.
COARSEST_RESOLUTION = 156_250
FINEST_RESOLUTION = 10_000


@syscall
def NtQuerySystemTime(call: Call, SystemTime: Out[LARGE_INTEGER]) -> NTSTATUS:
    SystemTime.set(system_time())
    return STATUS_SUCCESS


@syscall
def NtQueryPerformanceCounter(
    call: Call, PerformanceCounter: Out[LARGE_INTEGER], PerformanceFrequency: Out[LARGE_INTEGER] | None
) -> NTSTATUS:
    PerformanceCounter.set(time.monotonic_ns() // 100)
    if PerformanceFrequency is not None:
        PerformanceFrequency.set(PERFORMANCE_FREQUENCY)
    return STATUS_SUCCESS


@syscall
def NtQueryTimerResolution(
    call: Call, MaximumTime: Out[ULONG], MinimumTime: Out[ULONG], CurrentTime: Out[ULONG]
) -> NTSTATUS:
    MaximumTime.set(COARSEST_RESOLUTION)
    MinimumTime.set(FINEST_RESOLUTION)
    CurrentTime.set(FINEST_RESOLUTION)
    return STATUS_SUCCESS


@syscall
def NtSetTimerResolution(call: Call, DesiredTime: ULONG, SetResolution: BOOLEAN, ActualTime: Out[ULONG]) -> NTSTATUS:
    """Timers are as fine as the host's whatever is asked: a process's request is only remembered until it is undone."""
    process = call.process
    ActualTime.set(FINEST_RESOLUTION)
    if not SetResolution and not process.timer_requested:
        return STATUS_TIMER_RESOLUTION_NOT_SET
    process.timer_requested = bool(SetResolution)
    return STATUS_SUCCESS
