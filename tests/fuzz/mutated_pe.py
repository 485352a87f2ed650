"""Launch damaged programs by the thousand: `python -m tests.fuzz.mutated_pe [--count N] [--seed S] [FILES...]`.

Without FILES the programs of the guest suite are damaged, with the arguments they have there. Case number I of a seed
is always the same (for the same programs): `--seed S --only I` runs it again. What fails is kept in build/fuzz/, with
a report. Exit code 0 when nothing failed, 1 when something did, 2 when not even a sound program runs.
"""

from __future__ import annotations

import argparse
import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from tests.fuzz.corpus import Cases, Corpus, Damaged, Entry, from_paths, guest_programs
from tests.fuzz.launcher import Ending, Launcher, Verdict, judge

ROOT = Path(__file__).resolve().parent.parent.parent
OUTPUT = ROOT / "build" / "fuzz"
SHOWN = 20


class Tally:
    """What came of the cases so far."""

    def __init__(self, corpus: Cases, output: Path, command: str) -> None:
        self.corpus = corpus
        self.output = output
        self.command = command
        self.outcomes: Counter[str] = Counter()
        self.failures: list[tuple[Damaged, Verdict]] = []
        self.peak = 0
        self.largest: Damaged | None = None

    def add(self, case: Damaged, ending: Ending) -> Verdict:
        """Judge and count an ending; keep what failed."""
        verdict = judge(ending)
        if ending.peak > self.peak:
            self.peak, self.largest = ending.peak, case
        self.outcomes[f"FAILED: {verdict.outcome}" if verdict.failure else verdict.outcome] += 1
        if verdict.failure:
            self.failures.append((case, verdict))
            self._keep(case, ending, verdict)
        return verdict

    def _keep(self, case: Damaged, ending: Ending, verdict: Verdict) -> None:
        directory = self.output / f"{self.corpus.seed}-{case.index}"
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        for name, data in case.files:
            (directory / name).write_bytes(data)
        (directory / "stderr").write_text(ending.stderr)
        (directory / "stacks").write_text("\n---\n".join(ending.stacks))
        (directory / "about.txt").write_text(
            f"{case.description}\narguments: {list(case.entry.args)}\nexit code: {ending.exit_code}\n"
            f"{verdict.outcome}: {verdict.failure}\n{self.again(case)}\n"
        )

    def again(self, case: Damaged) -> str:
        """The command that runs a case again."""
        return f"{self.command} --seed {self.corpus.seed} --only {case.index}"

    def report(self, seconds: float) -> str:
        """All of it, for people."""
        total = sum(self.outcomes.values())
        lines = [f"{total} damaged programs, seed {self.corpus.seed}, {seconds:.0f} s, peak {self.peak >> 20} MiB"]
        if self.largest is not None:
            lines[0] += f" (case {self.largest.index}: {self.largest.description})"
        lines += [f"  {count:6}  {outcome}" for outcome, count in sorted(self.outcomes.items())]
        for case, verdict in self.failures[:SHOWN]:
            lines += [f"{verdict.outcome}: {verdict.failure}", f"    {case.description}", f"    {self.again(case)}"]
        if len(self.failures) > SHOWN:
            lines.append(f"... and {len(self.failures) - SHOWN} more in {self.output}")
        return "\n".join(lines) + "\n"


def run(launcher: Launcher, tally: Tally, indices: range, *, verbose: bool) -> None:
    """Run the cases, as many at once as the launcher may."""
    began = time.monotonic()
    done = 0

    def count(ended: list[tuple[Damaged, Ending]]) -> None:
        nonlocal done
        for case, ending in ended:
            verdict = tally.add(case, ending)
            done += 1
            if verdict.failure or verbose:
                mark = f"FAILED ({verdict.failure})" if verdict.failure else f"exit code {ending.exit_code}"
                print(f"{case.index}: {verdict.outcome}: {mark}: {case.description}", flush=True)
            if verbose and ending.stderr:
                print("    " + ending.stderr.rstrip().replace("\n", "\n    ")[:2000], flush=True)
            if done % 500 == 0:
                rate = done / (time.monotonic() - began)
                print(f"{done} of {len(indices)}, {rate:.0f} a second, {len(tally.failures)} failed", flush=True)

    for index in indices:
        while launcher.is_full:
            count(launcher.wait())
        launcher.start(tally.corpus.case(index))
    count(launcher.drain())


def first_run(launcher: Launcher, entries: list[Entry], corpus: Corpus) -> str:
    """Run a sound program, without which nothing can be said about damaged ones; returns what is wrong."""
    simple = min(entries, key=lambda entry: (entry.name != "hello", len(entry.args), entry.name))
    ending = launcher.prepare(corpus.sound(simple))
    verdict = judge(ending)
    if verdict.failure or verdict.outcome != "ran" or ending.exit_code in (*range(120, 126), 127):
        return f"{simple.name} does not run undamaged: exit code {ending.exit_code}\n{ending.stderr}{ending.stopped}"
    return ""


def main(arguments: list[str] | None = None) -> int:
    """The command; returns its exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz.mutated_pe", description=__doc__)
    parser.add_argument("files", nargs="*", type=Path, metavar="FILES", help="programs to damage")
    parser.add_argument("--count", type=int, default=10_000, help="how many (default: 10000)")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--first", type=int, default=0, metavar="I", help="begin with case I")
    parser.add_argument("--only", type=int, metavar="I", help="run case I alone and say what it does")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--limit", type=float, default=8.0, metavar="S", help="stop programs that run longer")
    parser.add_argument("--fresh", action="store_true", help="start a new interpreter for each")
    parser.add_argument("--output", type=Path, default=OUTPUT, help="where failures are kept (default: build/fuzz)")
    parser.add_argument("-v", "--verbose", action="store_true", help="print every case")
    options = parser.parse_args(arguments)

    entries = from_paths([path.resolve() for path in options.files]) if options.files else guest_programs()
    corpus = Corpus(entries, options.seed)
    command = " ".join(["python -m tests.fuzz.mutated_pe", *map(str, options.files)])
    tally = Tally(corpus, options.output, command)
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="lsw-fuzz-") as scratch:
        launcher = Launcher(Path(scratch), limit=options.limit, fresh=options.fresh, jobs=max(options.jobs, 1))
        problem = first_run(launcher, entries, corpus)
        if problem:
            print(problem, file=sys.stderr)
            return 2
        if options.only is not None:
            indices = range(options.only, options.only + 1)
        else:
            indices = range(options.first, options.first + options.count)
        run(launcher, tally, indices, verbose=options.verbose or options.only is not None)
    report = tally.report(time.monotonic() - began)
    print(report, end="")
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "report.txt").write_text(report)
    return 1 if tally.failures else 0


if __name__ == "__main__":
    sys.exit(main())
