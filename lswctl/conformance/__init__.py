"""``lswctl conformance``: does whatever serves /dev/lsw do what docs/protocol.md says?"""

from __future__ import annotations

import sys

HELP = """usage: lswctl conformance [--device PATH] [--only TEXT] [--programs]

Check every command, argument layout, error and limit of a device (default /dev/lsw), and print a table.
Rows that the original kernel module is known to fail are marked; --programs adds those that run a Windows program.
With a C compiler (cc) a client made from lsw.h is one more row.

exit code: 0 if every row is ok, 1 if not, 120 for wrong usage, 122 if the device cannot be opened
"""


def main(arguments: list[str]) -> int:
    """Run the sub-command; returns the exit code."""
    if "--help" in arguments or "-h" in arguments:
        sys.stdout.write(HELP)
        return 0
    device, only, programs = "/dev/lsw", "", False
    words = iter(arguments)
    for word in words:
        name, equals, value = word.partition("=")
        if name in ("--device", "--only"):
            value = value if equals else next(words, "")
            if not value:
                print(f"lswctl: {name} needs a value; lswctl conformance --help tells how", file=sys.stderr)
                return 120
            device, only = (value, only) if name == "--device" else (device, value)
        elif word == "--programs":
            programs = True
        else:
            print(f"lswctl: unexpected {word}; lswctl conformance --help tells how", file=sys.stderr)
            return 120
    from lswctl.conformance.client import KernelDevice
    from lswctl.conformance.run import c_client, run, table

    try:
        KernelDevice(device).close()
    except OSError as error:
        print(f"lswctl: {device}: {error.strerror}; is lswd running?", file=sys.stderr)
        return 122
    results = run(lambda: KernelDevice(device), only=only, programs=programs)
    results += c_client(device, only)
    sys.stdout.write(table(results))
    return 0 if all(result.ok for result in results) else 1
