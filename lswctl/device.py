"""Running a program through the device: as a loader does it, registering ourselves and asking for execution."""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswctl.launch import Request


def run(request: Request) -> int | None:
    """Run the program; returns what lswctl exits with."""
    raise NotImplementedError
