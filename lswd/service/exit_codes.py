"""Exit codes of ours, of lswctl and lswd (the README documents them); programs' own codes pass through."""

from __future__ import annotations

EXIT_USAGE = 120
EXIT_NO_USERLAND = 121
EXIT_NO_PROGRAM = 122
EXIT_NOT_RUNNABLE = 123
EXIT_MISSING_IMPORT = 124
EXIT_INTERNAL = 125
