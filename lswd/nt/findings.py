"""What programs asked for and did not get, and from where: what ``lswctl launch --report`` writes.

A ``Findings`` stands where a tracer stands and passes everything on to one, so that a launch without a report pays
nothing for it. Three kinds of findings: calls nobody has implemented, calls that refused what was asked as unknown or
unsupported, and uses of calls whose declaration says that a part is missing.
"""

from __future__ import annotations

from lswd.host.regular_file import open_regular
from lswd.kernel.backtrace import backtrace
from lswd.kernel.exception import STUB_WORDS
from lswd.ntdef.status import (
    STATUS_INVALID_DEVICE_REQUEST,
    STATUS_INVALID_INFO_CLASS,
    STATUS_INVALID_SYSTEM_SERVICE,
    STATUS_NOT_IMPLEMENTED,
    STATUS_NOT_SUPPORTED,
    status_name,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lswd.kernel.process import Process
    from lswd.kernel.thread import Thread
    from lswd.memory.region import Region
    from lswd.nt.declare import SystemCall
    from lswd.nt.trace import Tracer

MISSING, REFUSED, PARTIAL, FUNCTION = "missing", "refused", "partial", "functions"
_REFUSALS = frozenset(
    [
        STATUS_INVALID_DEVICE_REQUEST, STATUS_INVALID_INFO_CLASS, STATUS_INVALID_SYSTEM_SERVICE,
        STATUS_NOT_IMPLEMENTED, STATUS_NOT_SUPPORTED,
    ]
)  # fmt: skip
# What of the arguments tells one use of a call from another.
_SELECTORS = ("InformationClass", "IoControlCode", "FsControlCode", "InfoClass", "code")
_MOST_SITES = 32  # of one finding
_MOST_TRACED = 256  # calls of one finding that are traced back; the others are only counted
_DEEPEST = 16
_LONGEST_NAME = 256
_LARGEST_FUNCTION = 0x1000


class Finding:
    """One thing that was missing, with how often and where from."""

    __slots__ = ("call", "count", "detail", "kind", "missing", "sites", "status", "traced")

    def __init__(self, kind: str, call: str, detail: str, status: str, missing: str) -> None:
        self.kind = kind
        self.call = call
        self.detail = detail
        self.status = status
        self.missing = missing
        self.count = 0
        self.traced = 0
        self.sites: dict[tuple[str, ...], int] = {}

    def record(self) -> dict[str, Any]:
        """As JSON has it."""
        record: dict[str, Any] = {"call": self.call, "count": self.count}
        if self.detail:
            record["detail"] = self.detail
        if self.status:
            record["status"] = self.status
        if self.missing:
            record["missing"] = self.missing
        record["traced"] = self.traced
        record["sites"] = [
            {"site": frames[0], "count": count, "process": process, "stack": list(frames)}
            for (process, *frames), count in sorted(self.sites.items(), key=lambda item: -item[1])
        ]
        return record


class Findings:
    """Collects over all processes of a launch; has a tracer's methods."""

    def __init__(self, tracer: Tracer | None = None) -> None:
        self._tracer = tracer
        self._found: dict[tuple[str, str, str, str], Finding] = {}
        self._entered: dict[int, tuple[SystemCall, list[Any]]] = {}
        self._symbols: dict[str, list[tuple[int, str]]] = {}
        self.processes: dict[int, str] = {}

    # ---- a tracer's

    def enter(self, thread: Thread, call: SystemCall, arguments: list[Any], raw: tuple[int, ...]) -> None:
        """A call begins."""
        self._meet(thread.process)
        if call.is_async:
            self._entered[thread.tid] = (call, arguments)
        if self._tracer is not None:
            self._tracer.enter(thread, call, arguments, raw)

    def leave(self, thread: Thread, call: SystemCall, arguments: list[Any], result: int | None) -> None:
        """It has returned."""
        self._entered.pop(thread.tid, None)
        self._judge(thread, call, arguments, result)
        if call.name == "__wine_dbg_write":
            self._note_stub(thread, thread.process.last_words)
        if self._tracer is not None:
            self._tracer.leave(thread, call, arguments, result)

    def blocked(self, thread: Thread, call: SystemCall, arguments: list[Any]) -> None:
        """It waits."""
        if self._tracer is not None:
            self._tracer.blocked(thread, call, arguments)

    def resumed(self, thread: Thread, status: int) -> None:
        """It has waited, and returned."""
        entered = self._entered.pop(thread.tid, None)
        if entered is not None:
            self._judge(thread, *entered, status)
        if self._tracer is not None:
            self._tracer.resumed(thread, status)

    def missing(self, thread: Thread, name: str, status: int) -> None:
        """A call nobody has implemented."""
        self._meet(thread.process)
        self._note(thread, Finding(MISSING, name, "", status_name(status), ""))
        if self._tracer is not None:
            self._tracer.missing(thread, name, status)

    # ---- findings

    def _meet(self, process: Process) -> None:
        if process.pid not in self.processes:
            image = process.image
            self.processes[process.pid] = image.dos_name if image is not None else ""

    def _judge(self, thread: Thread, call: SystemCall, arguments: list[Any], result: int | None) -> None:
        if result is not None and result & 0xFFFFFFFF in _REFUSALS:
            status = status_name(result & 0xFFFFFFFF)
            self._note(thread, Finding(REFUSED, call.name, _detail(call, arguments), status, call.partial))
        elif call.partial:
            self._note(thread, Finding(PARTIAL, call.name, "", "", call.partial))

    def _note(self, thread: Thread, finding: Finding) -> None:
        key = (finding.kind, finding.call, finding.detail, finding.status)
        finding = self._found.setdefault(key, finding)
        finding.count += 1
        if finding.traced >= _MOST_TRACED or thread.terminated:
            return
        finding.traced += 1
        process = thread.process
        frames = [self.describe(process, address) for address in backtrace(thread, _DEEPEST)]
        outside = next((i for i, frame in enumerate(frames) if not frame.startswith("ntdll.dll+")), 0)
        if not frames:
            return
        site = (self.processes[process.pid], *frames[outside:])
        if site in finding.sites or len(finding.sites) < _MOST_SITES:
            finding.sites[site] = finding.sites.get(site, 0) + 1

    def _note_stub(self, thread: Thread, words: str) -> None:
        """What a DLL of Wine's says when a function is called that it only has the name of, and nobody minds."""
        name = words.partition(STUB_WORDS)[2].partition(",")[0]
        dll, _, function = name.rpartition(".")
        if function:
            self._note(thread, Finding(FUNCTION, _printable(f"{dll}!{function}"), "", "", "it has its name only"))

    def describe(self, process: Process, address: int) -> str:
        """``kernel32.dll+0x1234 (CreateFileW+0x20)``."""
        region = process.space.find(address)
        if region is None or not region.name:
            return f"{address:#x}"
        name = region.name.replace("/", "\\").rsplit("\\", 1)[-1].lower()
        rva = address - region.base
        symbols = self._symbols.get(region.name)
        if symbols is None:
            symbols = self._symbols[region.name] = _exported(region)
        low, high = 0, len(symbols)
        while low < high:
            middle = (low + high) // 2
            if symbols[middle][0] <= rva:
                low = middle + 1
            else:
                high = middle
        at, symbol = symbols[low - 1] if low else (-_LARGEST_FUNCTION, "")
        if rva - at >= _LARGEST_FUNCTION:  # one that is not exported, probably
            return f"{name}+{rva:#x}"
        return f"{name}+{rva:#x} ({symbol}+{rva - at:#x})"

    # ---- the report

    def record(self, missing_calls: dict[str, int]) -> dict[str, Any]:
        """What there is to report; ``missing_calls``: the system's count, where some are no call of their own."""
        known = {finding.call for finding in self._found.values() if finding.kind == MISSING}
        for name, count in missing_calls.items():
            if name not in known:
                finding = self._found.setdefault((MISSING, name, "", ""), Finding(MISSING, name, "", "", ""))
                finding.count = count
        kinds: dict[str, list[Finding]] = {MISSING: [], REFUSED: [], PARTIAL: [], FUNCTION: []}
        for finding in self._found.values():
            kinds[finding.kind].append(finding)
        record: dict[str, Any] = {
            "processes": [{"pid": pid, "image": image} for pid, image in self.processes.items()]
        }
        for kind, findings in kinds.items():
            findings.sort(key=lambda finding: (-finding.count, finding.call))
            record[kind] = [finding.record() for finding in findings]
        return record


def _detail(call: SystemCall, arguments: list[Any]) -> str:
    for parameter, value in zip(call.parameters, arguments, strict=False):
        if isinstance(value, int) and parameter.name.endswith(_SELECTORS):
            return f"{parameter.name}={value:#x}" if value > 0xFFF else f"{parameter.name}={value}"
    return ""


def _printable(text: str) -> str:
    return "".join(c if c.isprintable() else "?" for c in text[:_LONGEST_NAME])


def _exported(region: Region) -> list[tuple[int, str]]:
    """The names a mapped image exports, in the order of their addresses."""
    from lswd.image.errors import ImageError
    from lswd.image.exports import export_table
    from lswd.image.pe import parse
    from lswd.image.rva import OnDisk

    source = region.source
    path = getattr(source, "file_name", "")
    if not path or getattr(source, "image", None) is None:
        return []
    try:
        with open(open_regular(path), "rb") as file:
            data = file.read()
        image = parse(data, path)
        names = export_table(OnDisk(data, image), image).names
    except (ImageError, OSError):
        return []
    return sorted((rva, name) for name, rva in names.items() if not name.startswith("Zw"))
