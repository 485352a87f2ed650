"""Guest threads, and the processes of one launch, run at the same time: in the jail, on a host with two processors."""

from __future__ import annotations

import os
import subprocess

import pytest

from lswd.cpu import select
from lswd.memory.space import AddressSpace

from .build import build
from .cases import PARALLEL


@pytest.mark.parametrize("machine", ["x86_64", "i386"])
def test_answers_through_memory_alone_need_both_to_run(machine: str, lswctl: list[str], engine: str) -> None:
    best = select.engine_factory("auto")(AddressSpace())
    best.close()
    if engine == "unicorn" or not best.parallel:
        pytest.skip("one guest thread at a time on this engine")
    if len(os.sched_getaffinity(0)) < 2:
        pytest.skip("NEEDS two processors")
    done = subprocess.run(
        [*lswctl, "launch", "--engine", "jail", str(build(PARALLEL, machine))],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip
    assert ("wait 0, all exchanged: yes\n" * 2, 0) == (done.stdout, done.returncode), done.stderr
