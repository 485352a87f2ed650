"""System calls with arguments that make no sense: a status, never a Python exception."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from lswd.host.drives import Drives
from lswd.nt.catalogue import load_families
from lswd.nt.declare import DECLARED
from lswd.ntdef.types import CURRENT_EFFECTIVE_TOKEN, CURRENT_PROCESS, CURRENT_THREAD, UNICODE_STRING

from .registry_trees import APPS, small_registry
from .system_calls import Caller

FAMILIES = (
    "atom", "debug", "firmware", "hard_error", "identifier", "license", "locale", "power", "privileged",
    "process_information", "registry", "registry_hive", "registry_value", "security", "system_information",
    "system_processors", "time", "token", "token_adjust", "token_information", "unix_file_name",
)  # fmt: skip
ROUNDS = 60

load_families()
CALLS = sorted(c.name for c in DECLARED.values() if c.module.rpartition(".")[2] in FAMILIES and not c.is_async)


@pytest.mark.parametrize("name", CALLS)
def test_a_call_with_random_arguments_has_a_status(
    name: str, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    choose = random.Random(name)
    caller = Caller(small_registry())
    caller.system.drives = Drives({"C": str(tmp_path)})
    caller.process.handles.add(caller.process, 0x1FFFFF)
    garbage = caller.guest.stored(choose.randbytes(4096))
    zeros = caller.guest.stored(bytes(4096))
    key = caller.handle("NtOpenKey", 0xF003F, caller.guest.named(APPS))
    names = [caller.guest.unicode(text) for text in ("", "Count", "#1", "x" * 300)]
    lone_surrogate = caller.guest.stored(b"\x00\xd8" * 2)
    names.append(caller.stored(UNICODE_STRING(Length=4, MaximumLength=4, Buffer=lone_surrogate)))
    objects = [caller.guest.named(text) for text in ("", APPS, "\\??\\C:\\x", "relative")]
    interesting = [
        *(0, 1, 2, 3, 4, 8, 16, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF, (1 << 64) - 1, 0x123456789ABCDEF0),
        *(key, CURRENT_EFFECTIVE_TOKEN, CURRENT_PROCESS, CURRENT_THREAD, garbage, garbage + 1),
        *(zeros, zeros + 4090, *names, *objects),
    ]
    count = len(DECLARED[name].parameters)
    for _ in range(ROUNDS):
        arguments = [choose.choice([*interesting, choose.randrange(1 << 16)]) for _ in range(count)]
        result = caller.call(name, *arguments)
        assert 0 <= result <= 0xFFFFFFFF, arguments
        if caller.process.ended:
            break
