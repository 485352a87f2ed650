"""Functions that only say that they have succeeded are told from those that do something."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lswd.image.exports import export_table
from lswd.image.pe import parse
from lswd.image.rva import OnDisk
from lswd.userland.discovery import find
from lswd.userland.supplements.pretence import CODE_SIZE, only_pretends
from lswd.userland.userland import Userland

# Wine 8's CreateSymbolicLinkW: test the debug channel, return TRUE.
STUB_64 = bytes.fromhex("5557565348 83ec48 4889ce 4889d3 4489c7 f605c8cf060001 7516 b801000000 4883c448 5b5e5f5d c3")
STUB_32 = bytes.fromhex(
    "8d4c2404 83e4f0 ff71fc 55 89e5 57 56 53 51 83ec38 8b19 8b7104 8b7908 f605c880087b01 751b 8d65f0 b801000000"
    "59 5b 5e 5f 5d 8d61fc c20c00"
)
# Wine 8's GetProcessGroupAffinity: the same, but ERROR_CALL_NOT_IMPLEMENTED and FALSE.
ABSENT_64 = bytes.fromhex(
    "488da42400000000 4883ec48 f605add6020001 751b 65488b042530000000 c7406878000000 31c0 4883c448 c3"
)
ABSENT_32 = bytes.fromhex("8bff 55 8bec 83e4f0 83ec20 f605249c087b01 751c 64a118000000 c7403478000000 31c0 c9 c20c00")


@pytest.mark.parametrize(("code", "word"), [(ABSENT_64, 8), (ABSENT_32, 4)])
def test_what_only_says_that_it_does_not_exist_is_known(code: bytes, word: int) -> None:
    assert only_pretends(code.ljust(CODE_SIZE, b"\x90"), word)
    other_error = code.replace(b"\x78\0\0\0", b"\x57\0\0\0")
    assert not only_pretends(other_error.ljust(CODE_SIZE, b"\x90"), word)


@pytest.mark.parametrize(("code", "word"), [(STUB_64, 8), (STUB_32, 4)])
def test_what_only_says_yes_is_known(code: bytes, word: int) -> None:
    padded = code.ljust(CODE_SIZE, b"\x90")
    assert only_pretends(padded, word)
    assert not only_pretends(padded, 12 - word)
    assert not only_pretends(code[:-3], word)


@pytest.mark.parametrize(("code", "word"), [(STUB_64, 8), (STUB_32, 4)])
def test_what_may_do_something_is_left_alone(code: bytes, word: int) -> None:
    answer = code.index(b"\xb8\x01\0\0\0")
    for changed in (
        code[:answer] + b"\xe8\0\0\0\0" + code[answer:],  # a call before it says so
        code[:answer] + b"\xb8\0\0\0\0" + code[answer + 5 :],  # FALSE
        b"\xe9\0\0\0\0" + code,
        code[: code.index(b"\xf6\x05")] + b"\xc7\x03\0\0\0\0" + code[code.index(b"\xf6\x05") :],  # a write to memory
        b"",
    ):
        assert not only_pretends(changed.ljust(CODE_SIZE, b"\x90"), word)


def functions(userland: Userland, dll: str) -> list[str]:
    """Those of a DLL that only pretend."""
    path = userland.native(dll)
    assert path is not None
    data = Path(path).read_bytes()
    image = parse(data, dll)
    reader = OnDisk(data, image)
    table = export_table(reader, image)
    executable = [each for each in image.sections if each.name.startswith(".text")]
    return [
        name
        for name, rva in table.names.items()
        if any(each.virtual_address <= rva < each.virtual_address + each.raw_size - CODE_SIZE for each in executable)
        and only_pretends(reader.read(rva, CODE_SIZE), userland.word)
    ]


def test_functions_that_work_are_not_taken_for_pretence() -> None:
    pretending = functions(find(os.environ), "kernelbase.dll")
    working = {"CreateFileW", "CreateHardLinkW", "CopyFileExW", "DeleteFileW", "MoveFileWithProgressW", "CloseHandle"}
    assert not working & set(pretending)
