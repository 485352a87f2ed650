"""The host's memory and processor time as NT counts them. Source: proc(5), /proc/meminfo and /proc/stat."""

from __future__ import annotations

import os

PAGE_SIZE = 4096
_TICK_100NS = 10_000_000 // os.sysconf("SC_CLK_TCK")


class MemoryStatus:
    """Pages of the host: physical, available, the commit limit and what is committed."""

    __slots__ = ("available", "committed", "limit", "physical")

    def __init__(self) -> None:
        figures: dict[str, int] = {}
        try:
            with open("/proc/meminfo", encoding="ascii") as file:
                for line in file:
                    name, _, rest = line.partition(":")
                    figures[name] = int(rest.split()[0]) * 1024 // PAGE_SIZE
        except (OSError, ValueError, IndexError):
            pass
        self.physical = figures.get("MemTotal") or physical_pages()
        free = figures.get("MemFree", 0)
        self.available = figures.get("MemAvailable", free)
        self.limit = self.physical + figures.get("SwapTotal", 0)
        self.committed = max(self.limit - self.available - figures.get("SwapFree", 0), 0)


def physical_pages() -> int:
    """Pages of physical memory."""
    return os.sysconf("SC_PHYS_PAGES")


class ProcessorTime:
    """What one processor has done since the host started, in 100 ns units."""

    __slots__ = ("idle", "interrupt", "soft_interrupt", "system", "user")

    def __init__(self, fields: list[int]) -> None:
        user, nice, system, idle, waiting, interrupt, soft_interrupt = ([*fields, *([0] * 7)])[:7]
        self.user = (user + nice) * _TICK_100NS
        self.system = (system + interrupt + soft_interrupt) * _TICK_100NS
        self.idle = (idle + waiting) * _TICK_100NS
        self.interrupt = interrupt * _TICK_100NS
        self.soft_interrupt = soft_interrupt * _TICK_100NS


def processor_times(count: int) -> list[ProcessorTime]:
    """The first ``count`` processors; zeros for those the host says nothing of."""
    times: list[ProcessorTime] = []
    try:
        with open("/proc/stat", encoding="ascii") as file:
            for line in file:
                name, *fields = line.split()
                if name.startswith("cpu") and name != "cpu":
                    times.append(ProcessorTime([int(f) for f in fields]))
    except (OSError, ValueError):
        pass
    return (times + [ProcessorTime([])] * count)[:count]
