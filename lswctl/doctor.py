"""``lswctl doctor``: can programs run here, what with, and if not, what is missing."""

from __future__ import annotations

import os
import sys

HELP = """usage: lswctl doctor

Check what running Windows programs here needs, one line each, and say which engine `--engine auto` takes and why.

exit code: 0 when programs can run, 1 when something they need is missing, 120 for wrong usage
"""

DEVICE = "/dev/lsw"


class Report:
    """Lines for the user. ``failed``: something without which nothing runs is missing."""

    def __init__(self) -> None:
        self.failed = False

    def good(self, what: str, how: str) -> None:
        """It is there."""
        print(f"ok       {what}: {how}")

    def note(self, what: str, how: str) -> None:
        """It is not, and need not be."""
        print(f"note     {what}: {how}")

    def missing(self, what: str, how: str) -> None:
        """Nothing runs without it."""
        self.failed = True
        print(f"missing  {what}: {how}")


def _userland(report: Report) -> None:
    from lswd.userland.discovery import UserlandError, find

    try:
        userland = find(os.environ)
    except UserlandError as error:
        report.missing("userland", str(error))
        return
    report.good("userland", f"{userland.directory}, {len(userland.system_calls)} system calls")
    try:
        report.good("32-bit programs", userland.i386.directory)
    except UserlandError as error:
        report.note("32-bit programs", f"cannot run: {error}")


def _prefix(report: Report) -> None:
    from lswd.host.prefix import Prefix, PrefixError, default_root

    try:
        prefix = Prefix(default_root(os.environ))
        prefix.create(lambda message: None)
    except PrefixError as error:
        report.missing("prefix", str(error))
        return
    report.good("prefix", prefix.root)


def _engines(report: Report) -> None:
    """Run a little code on each engine, and see which ``auto`` takes."""
    from lswd.cpu import silence
    from lswd.cpu.engine import EngineError
    from lswd.cpu.select import ENGINES, engine_factory, why_not
    from lswd.cpu.trial import trial
    from lswd.memory.space import AddressSpace

    for name in ENGINES:
        for word, what in ((8, f"engine {name}"), (4, f"engine {name}, 32-bit programs")):
            try:
                trial(engine_factory(name), word)
            except EngineError as error:
                report.note(what, str(error))
                if word == 8:
                    break  # with the other it would be the same
                continue
            report.good(what, "works")
            if name == "jail":
                silence.forget()  # it may have been tried while the host was busy
    for word, what in ((8, "engine auto"), (4, "engine auto, 32-bit programs")):
        space = AddressSpace(word)
        try:
            engine = engine_factory("auto")(space)
        except EngineError as error:
            report.missing(what, str(error))
            continue
        reason = why_not(word)
        report.good(what, f"takes {engine.name}" + (f", because {reason}" if reason else ""))
        engine.close()
        space.close()


def _confinement(report: Report) -> None:
    """How far the process that runs a program can keep itself from doing harm."""
    from lswd.host.confinement import ON, STRICT

    for policy in (ON, STRICT):
        why = _tried(policy)
        (report.note if why else report.good)(f"--confine {policy}", why or "works")


def _tried(policy: str) -> str:
    """What keeps a process from confining itself, tried by a child; "" for nothing."""
    from lswd.host.confinement import ConfinementError, confine

    reading, writing = os.pipe()
    child = os.fork()
    if not child:
        try:
            confine(policy, network=True, report=lambda why: _write(writing, why))
        except ConfinementError as error:
            _write(writing, str(error))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading) as told:
        why = told.read()
    os.waitpid(child, 0)
    return why


def _write(fd: int, text: str) -> None:
    os.write(fd, text.encode())


def _ways(report: Report) -> None:
    """A daemon makes launching faster; without one each launch is on its own."""
    if os.path.exists(DEVICE):
        allowed = os.access(DEVICE, os.R_OK | os.W_OK)
        report.good(DEVICE, "there") if allowed else report.note(DEVICE, "you may not open it: ask for its group")
    else:
        report.note(DEVICE, "not there; programs are launched without it")


def main(arguments: list[str]) -> int:
    """Run the sub-command."""
    if arguments and arguments[0] in ("-h", "--help"):
        sys.stdout.write(HELP)
        return 0
    if arguments:
        print(f"lswctl: doctor takes no {arguments[0]!r}; lswctl doctor --help tells more", file=sys.stderr)
        return 120
    report = Report()
    for check in (_userland, _prefix, _engines, _confinement, _ways):
        check(report)
    print("Windows programs can run here." if not report.failed else "Windows programs cannot run here yet.")
    return 1 if report.failed else 0
