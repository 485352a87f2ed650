"""The registry of a fresh Windows, as plain data: what the userland's DLLs and console programs look up.

One module per part of the tree, loaded when that part is first looked into. Facts about values come from Microsoft's
documentation and from looking at running systems; what is not here is simply not there, as on a lean installation.
"""

from __future__ import annotations

import os

from lswd.kernel.registry.seed import SeedKey
from lswd.kernel.registry.seeds.facts import SeedFacts

__all__ = ["SeedFacts", "known_tree", "seed_tree"]

_LOCAL_TIME = "/etc/localtime"
_MOST_KNOWN = 8
_known: dict[tuple[object, ...], SeedKey] = {}


def known_tree(facts: SeedFacts) -> SeedKey:
    """As ``seed_tree``, but the same one again for the same facts: nobody changes a seed, and what has been filled need
    not be filled again. The host's time zone is such a fact, too."""
    try:
        status = os.stat(_LOCAL_TIME)
        zone: tuple[object, ...] = (os.path.realpath(_LOCAL_TIME), status.st_mtime_ns, status.st_ino)
    except OSError:
        zone = ()
    key = (*facts.given(), os.environ.get("TZ"), zone)
    tree = _known.get(key)
    if tree is None:
        if len(_known) >= _MOST_KNOWN:
            _known.clear()
        tree = _known[key] = seed_tree(facts)
    return tree


def seed_tree(facts: SeedFacts) -> SeedKey:
    """``\\REGISTRY`` with its branches, none of them filled yet."""

    def classes(key: SeedKey) -> None:
        from lswd.kernel.registry.seeds.classes import plant

        plant(key, facts)

    def fonts(key: SeedKey) -> None:
        from lswd.kernel.registry.seeds.fonts import plant

        plant(key)

    def hardware(key: SeedKey) -> None:
        from lswd.kernel.registry.seeds.hardware import plant

        plant(key, facts)

    def nls(key: SeedKey) -> None:
        from lswd.kernel.registry.seeds.nls import plant

        plant(key)

    def software(key: SeedKey) -> None:
        from lswd.kernel.registry.seeds.software import plant

        plant(key, facts)
        key.branch(r"Microsoft\Windows NT\CurrentVersion\Time Zones", time_zones)
        key.branch(r"Microsoft\Windows NT\CurrentVersion\Fonts", fonts)
        key.branch("Classes", classes)
        key.branch("Wow6432Node", wow64)

    def system(key: SeedKey) -> None:
        from lswd.kernel.registry.seeds.system import plant

        plant(key, facts)
        key.branch(r"ControlSet001\Control\Nls", nls)

    def time_zones(key: SeedKey) -> None:
        from lswd.kernel.registry.seeds.time_zones import plant

        plant(key, facts)

    def user(key: SeedKey) -> None:
        from lswd.kernel.registry.seeds.user import plant

        plant(key, facts)

    def wow64(key: SeedKey) -> None:
        from lswd.kernel.registry.seeds.wow64 import plant

        plant(key, facts)

    root = SeedKey("REGISTRY")
    root.branch(r"MACHINE\HARDWARE", hardware, volatile=True)
    root.branch(r"MACHINE\SAM")
    root.branch(r"MACHINE\SECURITY")
    root.branch(r"MACHINE\SOFTWARE", software)
    root.branch(r"MACHINE\SYSTEM", system)
    users = root.branch("USER")
    users.branch(".DEFAULT", user)
    users.branch(facts.user_sid, user)
    # S-1-5-18 is the system account's name for the same hive as .DEFAULT.
    users.plant_links(
        {
            "S-1-5-18": r"\REGISTRY\USER\.DEFAULT",
            f"{facts.user_sid}_Classes": rf"\REGISTRY\USER\{facts.user_sid}\Software\Classes",
        }
    )
    return root
