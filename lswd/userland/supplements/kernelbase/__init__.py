"""kernelbase.dll: what Wine's lacks of files, links and processors."""

from __future__ import annotations

from lswd.userland.supplements.kernelbase import files, links, processors

__all__ = ["files", "links", "processors"]
