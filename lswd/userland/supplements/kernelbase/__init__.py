"""kernelbase.dll: what Wine's lacks of files, their copies, links, protection and processors."""

from __future__ import annotations

from lswd.userland.supplements.kernelbase import copying, files, links, mitigation, processors

__all__ = ["copying", "files", "links", "mitigation", "processors"]
