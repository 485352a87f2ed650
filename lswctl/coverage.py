"""``lswctl coverage``: which system calls are implemented, and how far; of a program, which it can reach."""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.nt.coverage import Row
    from lswd.userland.reach import Reach
    from lswd.userland.userland import Userland

HELP = """usage: lswctl coverage [--markdown] [NAME...]
       lswctl coverage [--json] PROGRAM

Print every system call of the userland in use with its level: full, partial (and what is missing), absent.

  NAME         only these calls, with their parameters
  --markdown   as the page docs/coverage.md
  PROGRAM      the path of a Windows program: only the calls that it can reach, and for those that are not full the way
               there. Its imports are followed through the code of the userland's DLLs; what is called through tables
               in memory (COM, callbacks) or looked up under a name that is put together is not found.
  --json       of a program: everything, as JSON
"""

_OPTIONS = ("--markdown", "--json")


def main(arguments: list[str]) -> int:
    """Run the sub-command; returns the exit code."""
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(HELP)
        return 0
    unknown = [a for a in arguments if a.startswith("-") and a not in _OPTIONS]
    if unknown:
        print(f"lswctl: unknown option {unknown[0]}; lswctl coverage --help tells how", file=sys.stderr)
        return 120
    from lswd.nt.coverage import ABSENT, markdown, rows
    from lswd.userland.discovery import find
    from lswd.userland.userland import UserlandError

    wanted = [a for a in arguments if not a.startswith("-")]
    try:
        userland = find(os.environ)
        if any(_is_program(word) for word in wanted):
            if len(wanted) > 1:
                print("lswctl: one PROGRAM at a time", file=sys.stderr)
                return 120
            return _program(wanted[0], userland, json="--json" in arguments)
    except UserlandError as error:
        print(f"lswctl: {error}", file=sys.stderr)
        return 121
    names = userland.system_calls.values()
    if "--markdown" in arguments:
        sys.stdout.write(markdown(names, userland.identity().partition(" in ")[0]))
        return 0
    table = rows(names)
    if wanted:
        found = [r for r in table if r.name in wanted]
        for row in found:
            print(f"{row.signature}: {row.level}{': ' + row.missing if row.missing else ''}  [{row.module or '-'}]")
        return 0 if len(found) == len(set(wanted)) else 1
    for row in table:
        print(f"{row.level:8} {row.name}{'  (' + row.missing + ')' if row.missing else ''}")
    there = sum(r.level != ABSENT for r in table)
    print(f"{there} of {len(table)} implemented")
    return 0


def _is_program(word: str) -> bool:
    return "/" in word or "." in word


def _program(path: str, userland: Userland, *, json: bool) -> int:
    """What the program at ``path`` can reach."""
    from lswd.image.errors import ImageError
    from lswd.nt.coverage import ABSENT, FULL, PARTIAL, rows
    from lswd.userland.reach import Reach, dll_finder, userland_for

    try:
        used = userland_for(path, userland)
        reach = Reach(used, dll_finder(path, used))
        reach.program(path)
    except ImageError as error:
        print(f"lswctl: {path}: {error.reason}", file=sys.stderr)
        return 123
    except OSError as error:
        print(f"lswctl: {path}: {error.strerror}", file=sys.stderr)
        return 122
    found = [row for row in rows(reach.calls) if row.name in reach.calls]
    if json:
        _write_json(path, reach, found)
        return 0
    for row in found:
        print(f"{row.level:8} {row.name}{'  (' + row.missing + ')' if row.missing else ''}")
        if row.level != FULL:
            print(f"         from {' > '.join(reach.calls[row.name])}")
    for problem in reach.problems:
        print(f"note     {problem}")
    for dll, there in _halves(reach).items():
        print(f"note     {dll} has a Unix half, {'some or all' if there else 'none'} of which is implemented")
    counts = {level: sum(row.level == level for row in found) for level in (FULL, PARTIAL, ABSENT)}
    print(f"{len(found)} system calls: {counts[FULL]} full, {counts[PARTIAL]} partial, {counts[ABSENT]} absent")
    return 0


def _halves(reach: Reach) -> dict[str, bool]:
    from lswd.unixlib import handle_of

    return {dll: handle_of(dll) != 0 for dll in reach.unix_halves if dll not in ("ntdll.dll", "win32u.dll")}


def _write_json(path: str, reach: Reach, found: list[Row]) -> None:
    import json

    record = {
        "program": path,
        "calls": [
            {"call": row.name, "level": row.level, "missing": row.missing, "way": reach.calls[row.name]}
            for row in found
        ],
        "dlls": reach.dlls,
        "unix_halves": _halves(reach),
        "problems": reach.problems,
    }
    print(json.dumps(record, indent=1))
