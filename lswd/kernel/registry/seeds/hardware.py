"""HKLM\\HARDWARE: what start-up found. Sources: Microsoft "Hardware Description" keys; /proc/cpuinfo."""

from __future__ import annotations

from lswd.kernel.registry.seeds.facts import processor_count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey
    from lswd.kernel.registry.seeds.facts import SeedFacts


def plant(key: SeedKey, facts: SeedFacts) -> None:
    """Fill ``HARDWARE``."""
    key.plant(
        {
            r"DESCRIPTION\System": {
                "Identifier": "AT/AT COMPATIBLE",
                "SystemBiosVersion": ["LSW    - 1"],
                "VideoBiosVersion": [],
            },
            r"DESCRIPTION\System\BIOS": {
                "BIOSVendor": "LSW",
                "BIOSVersion": "1",
                "SystemManufacturer": "LSW",
                "SystemProductName": "LSW",
            },
            r"DEVICEMAP\SERIALCOMM": {},
            "RESOURCEMAP": {},
        },
        volatile=True,
    )
    for index in range(processor_count()):
        key.plant(
            {
                rf"DESCRIPTION\System\CentralProcessor\{index}": {
                    "~MHz": lambda: facts.processor.mhz,
                    "Identifier": lambda: facts.processor.identifier,
                    "ProcessorNameString": lambda: facts.processor.name,
                    "VendorIdentifier": lambda: facts.processor.vendor,
                },
                rf"DESCRIPTION\System\FloatingPointProcessor\{index}": {
                    "Identifier": lambda: facts.processor.identifier,
                },
            },
            volatile=True,
        )
