"""Where the user's configuration file is. Apart from what reads it: most users have none, and their launches wait."""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping


def find(environ: Mapping[str, str]) -> str:
    """The file that applies to ``environ``: the one LSW_CONFIG names, or the usual one if it exists, or ""."""
    path = environ.get("LSW_CONFIG", "")
    if not path:
        home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME") or "/nonexistent", ".config")
        path = os.path.join(home, "lsw", "config.toml")
        return path if os.path.exists(path) else ""
    return path
