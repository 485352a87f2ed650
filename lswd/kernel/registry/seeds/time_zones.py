"""HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Time Zones."""

from __future__ import annotations

from lswd.kernel.registry.time_zone import known_zone, zone_names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey
    from lswd.kernel.registry.seeds.facts import SeedFacts
    from lswd.kernel.registry.time_zone import Zone


def plant(key: SeedKey, facts: SeedFacts) -> None:
    """Fill ``Time Zones``: the zones we know and the host's.

    There are no MUI_* values: every program's start would load tzres.dll to translate the host zone's name, and the
    plain names serve as well.
    """
    for name in zone_names():
        key.branch(name, lambda zone: _plant_zone(zone, known_zone(zone.name)))
    host = facts.zone
    key.branch(host.key, lambda zone: _plant_zone(zone, host))


def _plant_zone(key: SeedKey, zone: Zone) -> None:
    key.plant(
        {
            "": {
                "Display": zone.display,
                "Dlt": zone.daylight_name,
                "Std": zone.standard_name,
                "TZI": zone.rule.tzi,
            }
        }
    )
