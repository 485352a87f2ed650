"""Where the committed outputs of the cases lie. They are bytes, CRLF and all, exactly as a program wrote them."""

from __future__ import annotations

from pathlib import Path

from .cases import Case

EXPECTED = Path(__file__).resolve().parent / "expected"


def stdout_path(case: Case) -> Path:
    """The file with the standard output `case` must produce."""
    return EXPECTED / f"{case.name}.out"


def stderr_path(case: Case) -> Path:
    """The file with the standard error `case` must produce; only where the case compares it."""
    return EXPECTED / f"{case.name}.err"


def expected_stdout(case: Case) -> bytes | None:
    """The committed standard output, None when there is none yet."""
    path = stdout_path(case)
    return path.read_bytes() if path.exists() else None


def expected_stderr(case: Case) -> bytes | None:
    """The committed standard error, None when there is none yet."""
    path = stderr_path(case)
    return path.read_bytes() if path.exists() else None
