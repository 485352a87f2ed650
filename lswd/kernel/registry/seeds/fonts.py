"""HKLM\\SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion\\Fonts: the host's, by the names and paths programs expect.

Source: Microsoft "Font Installation and Deletion".
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey


def plant(key: SeedKey) -> None:
    """Fill ``Fonts``."""
    from lswd.host.fonts import directories, fonts

    for name, path in fonts(directories(os.environ)).items():
        kind = "OpenType" if path.lower().endswith(".otf") else "TrueType"
        key.values[f"{name} ({kind})"] = "Z:" + path.replace("/", "\\")
