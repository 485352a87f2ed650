"""``lswctl coverage``: which system calls are implemented, and how far."""

from __future__ import annotations

import os
import sys

HELP = """usage: lswctl coverage [--markdown] [NAME...]

Print every system call of the userland in use with its level: full, partial (and what is missing), absent.

  NAME         only these calls, with their parameters
  --markdown   as the page docs/coverage.md
"""


def main(arguments: list[str]) -> int:
    """Run the sub-command; returns the exit code."""
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(HELP)
        return 0
    unknown = [a for a in arguments if a.startswith("-") and a != "--markdown"]
    if unknown:
        print(f"lswctl: unknown option {unknown[0]}; lswctl coverage --help tells how", file=sys.stderr)
        return 120
    from lswd.nt.coverage import ABSENT, markdown, rows
    from lswd.userland.discovery import UserlandError, find

    try:
        userland = find(os.environ)
    except UserlandError as error:
        print(f"lswctl: {error}", file=sys.stderr)
        return 121
    names = userland.system_calls.values()
    if "--markdown" in arguments:
        sys.stdout.write(markdown(names, userland.identity().partition(" in ")[0]))
        return 0
    table = rows(names)
    wanted = [a for a in arguments if not a.startswith("-")]
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
