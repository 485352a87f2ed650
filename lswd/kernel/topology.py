"""The host's processors as NT describes them: cores, packages, caches. Source: sysfs, /sys/devices/system/cpu."""

from __future__ import annotations

import os

_ROOT = "/sys/devices/system/cpu"
_MAX_PROCESSORS = 64  # one processor group

CACHE_UNIFIED = 0
CACHE_INSTRUCTION = 1
CACHE_DATA = 2


class Cache:
    """A cache and the mask of processors that share it."""

    __slots__ = ("associativity", "kind", "level", "line", "mask", "size")

    def __init__(self, mask: int, level: int, kind: int, line: int, size: int, associativity: int) -> None:
        self.mask = mask
        self.level = level
        self.kind = kind
        self.line = line
        self.size = size
        self.associativity = associativity


class Topology:
    """Masks of the processors in each core and package, and the caches."""

    __slots__ = ("all", "caches", "cores", "count", "packages")

    def __init__(self, count: int = 0, root: str = _ROOT) -> None:
        self.count = min(count or os.cpu_count() or 1, _MAX_PROCESSORS)
        self.all = (1 << self.count) - 1
        self.cores: list[int] = []
        self.packages: list[int] = []
        self.caches: list[Cache] = []
        seen: set[tuple[int, int, int]] = set()
        for number in range(self.count):
            own = f"{root}/cpu{number}"
            for masks, name in ((self.cores, "core_cpus"), (self.packages, "package_cpus")):
                mask = self._mask(f"{own}/topology/{name}") or (1 << number if masks is self.cores else self.all)
                if mask not in masks:
                    masks.append(mask)
            for index in range(8):
                at = f"{own}/cache/index{index}"
                kind = {"Data": CACHE_DATA, "Instruction": CACHE_INSTRUCTION, "Unified": CACHE_UNIFIED}.get(
                    _text(f"{at}/type")
                )
                if kind is None:
                    continue
                mask = self._mask(f"{at}/shared_cpu_map") or 1 << number
                level = _number(f"{at}/level")
                if (level, kind, mask) in seen:
                    continue
                seen.add((level, kind, mask))
                size = _text(f"{at}/size")
                scale = {"K": 1024, "M": 1 << 20}.get(size[-1:], 1)
                digits = size.rstrip("KM")
                self.caches.append(
                    Cache(
                        mask,
                        level,
                        kind,
                        _number(f"{at}/coherency_line_size"),
                        int(digits) * scale if digits.isdigit() else 0,
                        _number(f"{at}/ways_of_associativity"),
                    )  # fmt: skip
                )

    def _mask(self, path: str) -> int:
        try:
            return int(_text(path).replace(",", ""), 16) & self.all
        except ValueError:
            return 0


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii") as file:
            return file.read(256).strip()
    except (OSError, ValueError):
        return ""


def _number(path: str) -> int:
    text = _text(path)
    return int(text) if text.isdigit() else 0
