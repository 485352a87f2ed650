"""NT system calls: typed handlers, one module per object family (see ``declare``)."""

from __future__ import annotations

import os


def _families() -> tuple[str, ...]:
    """Every module here that declares system calls, by looking: a new file needs no entry anywhere."""
    own = {"__init__", "catalogue", "compile", "coverage", "declare", "dispatch", "findings", "trace"}
    names = (n[:-3] for n in os.listdir(os.path.dirname(__file__)) if n.endswith(".py"))
    return tuple(sorted(n for n in names if n not in own))


FAMILIES = _families()
