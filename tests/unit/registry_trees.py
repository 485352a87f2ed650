"""Small registries for tests."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lswd.kernel.registry import Key, Registry
from lswd.kernel.registry.seed import SeedKey
from lswd.kernel.registry.values import Expand
from lswd.ntdef.status import NtError

APPS = r"\Registry\Machine\Software\Apps"


def small_seed() -> SeedKey:
    """A tree with a few seeded keys, a volatile one and a link."""
    root = SeedKey("REGISTRY")
    root.branch(r"MACHINE\HARDWARE", volatile=True).plant({"CPU": {"MHz": 2000}})
    root.branch(r"MACHINE\SOFTWARE").plant(
        {
            "Apps": {"Version": "1", "Path": Expand(r"%SystemRoot%\apps"), "Count": 7},
            r"Apps\Editor": {"": "Editor", "Font": "Mono"},
            r"Apps\Editor\Recent": {"1": "a.txt"},
            r"Apps\Player": {},
        }
    )
    root.branch(r"MACHINE\SYSTEM\ControlSet001\Control").plant({"": {"Current": "yes"}})
    root.branch(r"MACHINE\SYSTEM").plant_links({"CurrentControlSet": r"\REGISTRY\MACHINE\SYSTEM\ControlSet001"})
    root.branch(r"USER\.DEFAULT")
    return root


def small_registry(database: Path | None = None, report: Callable[[str], None] | None = None) -> Registry:
    """A registry on the small tree."""
    return Registry(None if database is None else str(database), small_seed, report)


def names(key: Key) -> list[str]:
    """Names of the subkeys."""
    return [child.name for child in key.subkeys()]


def value_names(key: Key) -> list[str]:
    """Names of the values."""
    return [value.name for value in key.values()]


def status_of(action: Callable[[], object]) -> int:
    """The status ``action`` fails with, 0 if it does not."""
    try:
        action()
    except NtError as error:
        return error.status
    return 0


def settle(database: Path) -> None:
    """Return when a change of the file would show in its times."""
    probe = database.with_name("probe")
    while True:
        probe.write_bytes(b"")
        if not database.exists() or probe.stat().st_ctime_ns > database.stat().st_ctime_ns:
            return
