"""The host's processors as NT describes them: cores, packages, caches. Source: sysfs, /sys/devices/system/cpu."""

from __future__ import annotations

import os

_ROOT = "/sys/devices/system/cpu"
_MAX_PROCESSORS = 64  # one processor group

CACHE_UNIFIED = 0
CACHE_INSTRUCTION = 1
CACHE_DATA = 2
_CACHE_KINDS = {"Unified": CACHE_UNIFIED, "Instruction": CACHE_INSTRUCTION, "Data": CACHE_DATA}
_MAX_CACHES = 8


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


# LOGICAL_PROCESSOR_RELATIONSHIP (winnt.h)
CORE = 0
CACHE = 2
PACKAGE = 3


class Topology:
    """Packages, cores and caches.

    Attributes:
        count: how many processors there are; all: the mask of them.
        parts: (CORE, PACKAGE or CACHE; mask of the processors in it; the cache), each as its first processor is met.
    """

    __slots__ = ("all", "count", "parts")

    def __init__(self, count: int = 0, root: str = _ROOT) -> None:
        self.count = min(count or os.cpu_count() or 1, _MAX_PROCESSORS)
        self.all = (1 << self.count) - 1
        self.parts: list[tuple[int, int, Cache | None]] = []
        for number in range(self.count):
            own = f"{root}/cpu{number}"
            self._add(PACKAGE, self._mask(f"{own}/topology/package_cpus") or self.all)
            self._add(CORE, self._mask(f"{own}/topology/core_cpus") or 1 << number)
            for index in range(_MAX_CACHES):
                cache = self._cache(f"{own}/cache/index{index}", 1 << number)
                if cache is not None:
                    self.parts.append((CACHE, cache.mask, cache))

    def core_of(self, processor: int) -> int:
        """The lowest processor of the core that ``processor`` is in."""
        for kind, mask, _ in self.parts:
            if kind == CORE and mask >> processor & 1:
                return (mask & -mask).bit_length() - 1
        return processor

    def _add(self, kind: int, mask: int) -> None:
        if (kind, mask, None) not in self.parts:
            self.parts.append((kind, mask, None))

    def _cache(self, at: str, own: int) -> Cache | None:
        """The cache described in a directory; None when there is none, or it is another processor's, too, and known."""
        kind = _CACHE_KINDS.get(_text(f"{at}/type"))
        mask = self._mask(f"{at}/shared_cpu_map") or own
        if kind is None or own != mask & -mask:
            return None
        size = _text(f"{at}/size")
        digits = size.rstrip("KM")
        return Cache(
            mask,
            _number(f"{at}/level"),
            kind,
            _number(f"{at}/coherency_line_size"),
            int(digits) * {"K": 1024, "M": 1 << 20}.get(size[-1:], 1) if digits.isdigit() else 0,
            _number(f"{at}/ways_of_associativity"),
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
