"""Command lines: one string on Windows, a list of arguments here.

Source: "Parsing C command-line arguments" (Microsoft). CommandLineToArgvW and every C run-time library read what
``quote`` writes in the same way; they differ only in quotes doubled inside quotes, which ``quote`` never writes.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

_NEED_QUOTES = frozenset(map(chr, range(33))) | {'"'}


def quote(argv: Sequence[str]) -> str:
    """The command line a Windows program takes apart into ``argv`` again.

    The first argument is the program: backslashes are plain in it and it cannot hold a double quote, which no
    Windows file name does. Raises ValueError for one that does, and for a NUL character anywhere.
    """
    if any("\0" in argument for argument in argv):
        raise ValueError("an argument contains a NUL character")
    if not argv:
        return ""
    program = argv[0]
    if '"' in program:
        raise ValueError("the program's name contains a double quote")
    if not program or not _NEED_QUOTES.isdisjoint(program):
        program = f'"{program}"'
    return " ".join([program, *map(_quote_argument, argv[1:])])


def _quote_argument(argument: str) -> str:
    if argument and _NEED_QUOTES.isdisjoint(argument):
        return argument
    quoted = ['"']
    backslashes = 0
    for char in argument:
        if char == "\\":
            backslashes += 1
            continue
        # Backslashes count only before a quote: there each is doubled, and one more makes the quote literal.
        quoted.append("\\" * (2 * backslashes + 1 if char == '"' else backslashes) + char)
        backslashes = 0
    quoted.append("\\" * (2 * backslashes) + '"')
    return "".join(quoted)


def split(command_line: str) -> list[str]:
    """The arguments a C program sees for ``command_line``; none for an empty one. Inverse of ``quote``."""
    if not command_line:
        return []
    length = len(command_line)
    at = 0
    quoted = False
    program: list[str] = []
    while at < length and (quoted or command_line[at] not in " \t"):
        if command_line[at] == '"':
            quoted = not quoted
        else:
            program.append(command_line[at])
        at += 1
    arguments = ["".join(program)]
    while True:
        while at < length and command_line[at] in " \t":
            at += 1
        if at == length:
            return arguments
        argument, at = _split_argument(command_line, at)
        arguments.append(argument)


def _split_argument(text: str, at: int) -> tuple[str, int]:
    length = len(text)
    argument: list[str] = []
    quoted = False
    while at < length:
        char = text[at]
        if char == "\\":
            start = at
            while at < length and text[at] == "\\":
                at += 1
            backslashes = at - start
            if text[at : at + 1] == '"':
                argument.append("\\" * (backslashes // 2))
                if backslashes % 2:
                    argument.append('"')
                    at += 1
            else:
                argument.append("\\" * backslashes)
            continue
        if char == '"':
            if quoted and text[at + 1 : at + 2] == '"':
                argument.append('"')
                at += 1
            else:
                quoted = not quoted
        elif char in " \t" and not quoted:
            break
        else:
            argument.append(char)
        at += 1
    return "".join(argument), at
