"""Guest threads, and the processes of one launch, run at the same time: in the jail, on a host with two processors."""

from __future__ import annotations

import os
import signal
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
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=200,
    )  # fmt: skip
    shown = "wait 0, all exchanged: yes\n" * 2 + "counting\nwait 0, code 9, still counting: no\n"
    assert (shown, 0) == (done.stdout, done.returncode), done.stderr


@pytest.mark.parametrize("machine", ["x86_64", "i386"])
def test_ctrl_c_ends_a_program_all_of_whose_threads_compute(machine: str, lswctl: list[str]) -> None:
    command = [*lswctl, "launch", str(build(PARALLEL, machine)), "count"]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"counting\r\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert 0x3A == process.wait(60)  # of STATUS_CONTROL_C_EXIT
