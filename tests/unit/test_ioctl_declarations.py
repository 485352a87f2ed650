"""One declaration, and all that follows from it: numbers, layouts, the C header, the documentation."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from struct import Struct

import pytest

from lswctl.conformance.programs import build_header_client
from lswd.ioctl import commands as c
from lswd.ioctl import numbers
from lswd.ioctl.document import fill, structures
from lswd.ioctl.native.declare import is_modern, known
from lswd.ioctl.native.serve import NATIVE
from lswd.session import order

ROOT = Path(__file__).resolve().parent.parent.parent
HEADER = ROOT / "lswd" / "ioctl"

# What the kernel module has, read from its headers and confirmed by running it.
MODULE = {
    "REGISTER_PE": 0x41204C01,
    "UNREGISTER_PE": 0x40044C02,
    "GET_STATUS": 0x80044C03,
    "EXECUTE_PE": 0x40044C04,
    "SYSCALL_A": 0xC0584C04,
    "SYSCALL": 0xC0584C05,
}
C_NAMES = {"PeInfo": "pe_info"}


def c_name(layout: type) -> str:
    return "lsw_" + C_NAMES.get(layout.__name__, layout.__name__.lower())


def test_the_modules_commands_have_its_numbers() -> None:
    assert MODULE == {command.name: command.number for command in c.COMMANDS.values() if not command.ours}


def test_the_modules_structures_have_its_sizes() -> None:
    assert (288, 88, 4) == (c.PeInfo.size(8), c.Request.size(8), c.Status.size(8))
    assert (20, 24, 28) == tuple(c.PeInfo.offset(8, name) for name in ("pid", "is_64bit", "path"))
    assert (8, 72, 80) == tuple(c.Request.offset(8, name) for name in ("args", "return_value", "error_code"))


def test_what_clients_know_without_the_declarations_is_the_same() -> None:
    assert (c.LAUNCH_PE.number, c.Launch.size(8)) == (numbers.LAUNCH_PE, numbers.LAUNCH_SIZE)
    launch = c.Launch(exit_status=1, reason=2, exit_code=3, report_size=4, report=b"report").pack(8)
    head = Struct(numbers.ENDING)
    assert (1, 2, 3, 4) == head.unpack_from(launch)
    assert launch[head.size :].startswith(b"report")


def test_what_is_passed_by_value_has_no_size() -> None:
    assert {"UNREGISTER_PE", "EXECUTE_PE"} == {command.name for command in c.COMMANDS.values() if command.by_value}
    assert {(0, 0)} == {(command.in_size, command.out_size) for command in c.COMMANDS.values() if command.by_value}


def constants() -> dict[str, int]:
    """Our numbers that the header has, too, by the header's names."""
    prefixes = ("REASON_", "FEATURE_", "SIGNAL_", "FOREVER", "STILL_ACTIVE", "PROTOCOL")
    numbers = {name: value for name, value in vars(c).items() if name.startswith(prefixes) and isinstance(value, int)}
    numbers |= {f"IOCTL_{command.name}": command.number for command in c.COMMANDS.values()}
    return {f"LSW_{name}": value for name, value in numbers.items()}


def test_the_header_says_what_python_says(tmp_path: Path) -> None:
    compiler = shutil.which("cc") or "gcc"
    checks = [f'_Static_assert((unsigned)({name}) == {value}u, "{name}");' for name, value in constants().items()]
    for layout in structures():
        name = c_name(layout)
        checks.append(f'_Static_assert(sizeof(struct {name}) == {layout.size(8)}, "{name}");')
        for field, _ in layout.declared():
            offset = layout.offset(8, field)
            checks.append(f'_Static_assert(offsetof(struct {name}, {field}) == {offset}, "{name}.{field}");')
    source = tmp_path / "check.c"
    source.write_text('#include <stddef.h>\n#include "lsw.h"\n' + "\n".join(checks) + "\n")
    command = [
        compiler,
        "-std=c11",
        "-Wall",
        "-Wextra",
        "-Wpedantic",
        "-Werror",
        "-I",
        str(HEADER),
        "-fsyntax-only",
        str(source),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert "" == done.stderr
    assert 60 < len(checks)


def test_the_header_has_nothing_that_python_has_not() -> None:
    text = (HEADER / "lsw.h").read_text()
    defined = {line.split()[1].partition("(")[0] for line in text.splitlines() if line.startswith("#define LSW_")}
    assert {"LSW_H", "LSW_MAGIC"} | constants().keys() == defined
    assert {c_name(layout) for layout in structures()} == {
        line.split()[1] for line in text.splitlines() if line.startswith("struct ")
    }


def test_the_c_client_compiles_without_a_warning(tmp_path: Path) -> None:
    assert build_header_client(str(tmp_path), str(HEADER)) == str(tmp_path / "client")


def test_the_page_is_as_the_declarations_say() -> None:
    page = (ROOT / "docs" / "protocol.md").read_text()
    assert fill(page) == page


def test_a_page_without_marks_is_an_error() -> None:
    with pytest.raises(ValueError, match="not found"):
        fill("# Nothing")


def test_the_newer_calls_are_unknown_as_command_4() -> None:
    newer = {0x1000, 0x1001, 0x1002, 0x1003, 0x1004, 0x33, 0x19, 0x53, 0x58, 0x75, 0x0D, 0x27}
    assert newer == {number for number in NATIVE if not known(number, 4)}
    assert all(known(number, 5) for number in NATIVE)
    assert not known(0x4E, 5)


@pytest.mark.parametrize(
    ("number", "command", "count", "modern"),
    [
        (0x55, 5, 4, True), (0x55, 5, 3, False), (0x55, 4, 4, False), (0x08, 5, 3, True), (0x08, 5, 1, False),
        (0x06, 5, 3, True), (0x06, 5, 2, False), (0x06, 4, 3, False), (0x0F, 4, 1, True),
    ],
)  # fmt: skip
def test_arg_count_and_command_decide_the_layout(number: int, command: int, count: int, modern: bool) -> None:
    assert modern == is_modern(NATIVE[number], command, count)


def test_a_report_fits_its_structure() -> None:
    ending = order.Ending(1, c.REASON_CRASHED, 1, "x" * 9000)
    ending.missing_calls = {f"NtSomething{number}": number for number in range(1000)}
    ending.failure = "f" * 9000
    data = ending.to_bytes(4080)
    assert 4080 >= len(data)
    assert 1 == order.Ending.from_bytes(data).exit_status
