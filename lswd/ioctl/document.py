"""The tables of docs/protocol.md, from the declarations. ``python -m lswd.ioctl.document FILE`` writes them into it."""

from __future__ import annotations

import sys

from lswd.ioctl.commands import COMMANDS, NONE, READ, READ_WRITE, WORD, WRITE
from lswd.ioctl.native.serve import NATIVE
from lswd.ntdef.types import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_DIRECTIONS = {NONE: "_IO", WRITE: "_IOW", READ: "_IOR", READ_WRITE: "_IOWR"}


def structures() -> list[type[Struct]]:
    """The structures of all commands, each once."""
    return list(dict.fromkeys(c.layout for c in COMMANDS.values() if c.layout is not None))


def commands() -> str:
    """The table of commands."""
    rows = ["| command | number | | argument |", "|---|---|---|---|"]
    for command in COMMANDS.values():
        layout = command.layout
        argument = "the pid itself" if layout is None else f"`{layout.__name__}`, {layout.size(WORD)} bytes"
        if command.socket_only:
            argument += "; socket only"
        macro = f"`{_DIRECTIONS[command.direction]}('L', {command.nr:#x})`"
        ours = ", ours" if command.ours else ""
        rows.append(f"| {command.name} | `{command.number:#010x}` | {macro}{ours} | {argument} |")
    return "\n".join(rows)


def layouts() -> str:
    """The structures' fields with their offsets."""
    rows = ["| structure | size | fields: name @ offset |", "|---|---|---|"]
    for layout in structures():
        fields = ", ".join(f"{name} @ {layout.offset(WORD, name)}" for name, _ in layout.declared())
        rows.append(f"| {layout.__name__} | {layout.size(WORD)} | {fields} |")
    return "\n".join(rows)


def calls() -> str:
    """The table of native system calls."""
    rows = ["| number | name | arguments | before | support |", "|---|---|---|---|---|"]
    for number in sorted(NATIVE):
        call = NATIVE[number]
        legacy = call.legacy or ("" if call.since == 4 else "unknown")
        when = f" (arg_count < {call.modern_count})" if call.legacy else ""
        support = f"partial: {call.partial}" if call.partial else "full"
        arguments = call.arguments.replace("|", "or")
        rows.append(f"| `{number:#x}` | {call.name} | {arguments} | {legacy}{when} | {support} |")
    return "\n".join(rows)


PARTS: dict[str, Callable[[], str]] = {"commands": commands, "structures": layouts, "calls": calls}


def fill(page: str) -> str:
    """The page with each part between its marks made anew. Raises ValueError: a mark is missing."""
    for name, make in PARTS.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- end of {name} -->"
        start = page.index(begin) + len(begin)
        page = page[:start] + make() + "\n" + page[page.index(end, start) :]
    return page


def main(path: str) -> None:
    """Write the parts into the page."""
    with open(path, encoding="utf-8") as file:
        page = fill(file.read())
    with open(path, "w", encoding="utf-8") as file:
        file.write(page)


if __name__ == "__main__":
    main(sys.argv[1])
