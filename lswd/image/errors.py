"""ImageError: why a file cannot be a program, for the guest (an NTSTATUS) and for the user (a reason and a hint)."""

from __future__ import annotations

from lswd.ntdef.status import STATUS_INVALID_IMAGE_FORMAT, NtError

# What is wrong, for code that decides on it. The text for people is ImageError.reason.
NOT_PE = "not a PE"
DOS_PROGRAM = "16-bit"
TRUNCATED = "truncated"
BAD_HEADER = "bad header"
BAD_ALIGNMENT = "bad alignment"
BAD_SIZE = "bad size"
BAD_SECTION = "bad section"
BAD_ENTRY = "bad entry point"
BAD_RELOCATIONS = "bad relocations"
NO_RELOCATIONS = "no relocations"
BAD_EXPORTS = "bad exports"
BAD_IMPORTS = "bad imports"
WRONG_MACHINE = "wrong machine"
DOTNET = ".NET"
NOT_EXECUTABLE = "DLL"
DRIVER = "driver"
EFI = "EFI"
WRONG_SUBSYSTEM = "wrong subsystem"


class ImageError(NtError):
    """A PE file that cannot be mapped or run.

    It is an NtError, so a system call that meets one fails with ``status`` without further ado.

    Attributes:
        kind: one of this module's constants.
        reason: what is wrong, in a few words, safe to print; does not name the file.
        hint: what the user can do about it; may be empty.
        name: the file, as the caller of the parser named it; may be empty.
        status: the NTSTATUS that NT answers with.
    """

    __slots__ = ("hint", "kind", "name", "reason")

    def __init__(
        self, kind: str, reason: str, *, status: int = STATUS_INVALID_IMAGE_FORMAT, hint: str = "", name: str = ""
    ) -> None:
        super().__init__(status)
        self.kind = kind
        self.reason = reason
        self.hint = hint
        self.name = name

    def __str__(self) -> str:
        text = f"{printable(self.name)}: {self.reason}" if self.name else self.reason
        return f"{text}; {self.hint}" if self.hint else text


def printable(text: str) -> str:
    """``text`` from a hostile file, fit for one line of a terminal: no control characters, not endless."""
    clean = "".join(c if c.isprintable() else "?" for c in text[:200])
    return clean + "..." if len(text) > 200 else clean
