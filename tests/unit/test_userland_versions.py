"""What changes from one version of Wine to the next and is read from the userland in use."""

from __future__ import annotations

import os
import struct
from types import SimpleNamespace
from typing import Any, cast

import pytest

from lswd.unixlib import ntdll
from lswd.unixlib.bcrypt import key
from lswd.userland.discovery import find
from lswd.userland.stubs import argument_bytes, read_stubs
from lswd.userland.type_information import enumerators, enumerators_beside
from lswd.userland.type_structures import structure


def test_an_enumeration_is_its_names_with_values_from_0_on() -> None:
    data = b"xx\0fn_other\0\x09fn_one\0\0\x05fn_two\0\1\x05fn_three\0\2fn_one\0\0fn_late\0\x07myfn_four\0\3"
    assert ("one", "two", "three") == enumerators(data, "fn_")
    assert () == enumerators(data, "nothing_")


def test_an_enumeration_that_shares_its_prefix_is_told_by_a_member() -> None:
    data = b"fn_a\0\0\x05fn_b\0\1.......\x05fn_one\0\0\x05fn_two\0\1AAfn_three\0\2fn_late\0\7"
    assert ("one", "two", "three") == enumerators_beside(data, "fn_", "two")
    assert ("a", "b") == enumerators_beside(data, "fn_", "b")
    assert () == enumerators_beside(data, "fn_", "late")


@pytest.mark.parametrize("word", [8, 4])
def test_the_installed_userland_tells_what_it_shares_with_its_kernel_half(word: int) -> None:
    userland = find(os.environ) if word == 8 else find(os.environ).i386
    codes = userland.enumeration_beside("user32.dll", "NtUser", "CallWinProc")
    assert {"CallEnumDisplayMonitor", "CallWindowsHook", "CopyImage"} < set(codes)
    assert codes != userland.enumeration_beside("user32.dll", "NtUser", "CallHwnd_IsWindow") != ()
    params = userland.structure("user32.dll", "win_proc_params")
    assert (0, word, 2 * word, 3 * word) == tuple(map(params.offset, ("func", "hwnd", "msg", "wparam")))
    assert params.size == params.offset("procW") + word
    packed = params.pack(func=1, lparam=-1, unheard=3)
    assert packed[:word] == (1).to_bytes(word, "little")
    assert b"\xff" * word == packed[4 * word : 5 * word]
    assert not userland.structure("user32.dll", "there_is_none").size
    assert not userland.structure("there is none.dll", "win_proc_params").size


def test_damaged_type_information_tells_nothing() -> None:
    path = find(os.environ).native("user32.dll")
    assert path is not None
    with open(path, "rb") as file:
        data = bytearray(file.read())
    for begin in range(data.index(b"win_proc_params\0") - 40, len(data) - 64, len(data) // 20):
        data[begin : begin + 64] = bytes(range(200, 264 - 8)) + bytes(8)
        structure(bytes(data), "win_proc_params")


def test_the_installed_userland_tells_its_functions_and_algorithms() -> None:
    userland = find(os.environ)
    assert {"load_so_dll", "unwind_builtin_dll", "system_time_precise"} <= set(
        userland.enumeration("ntdll.dll", "unix_"))
    assert ("3DES", "AES") == userland.enumeration("bcrypt.dll", "ALG_ID_")[:2]
    assert () == userland.enumeration("there is none.dll", "unix_")


def test_functions_of_ntdll_go_by_name() -> None:
    assert ntdll.system_time_precise is ntdll.function((), 2)
    newer = ("load_so_dll", "unwind_builtin_dll", "wine_dbg_write", "wine_server_call", "system_time_precise")
    assert (ntdll.wine_dbg_write, None, ntdll.system_time_precise, None) == tuple(
        ntdll.function(newer, code) for code in (2, 3, 4, 5))


@pytest.mark.parametrize(("names", "private", "number", "ours"), [
    ((), 2, 9, key.ALG_RSA),
    (("3DES", "AES", "RC4", "RSA", "DH", "DSA"), 3, 3, key.ALG_RSA),
    (("3DES", "AES", "RC4", "RSA", "DH", "DSA"), 3, 5, key.ALG_DSA),
    (("3DES", "AES", "RC4", "RSA", "DH", "DSA"), 3, 2, 0xFFFF),
    (("3DES", "AES", "RC4", "RSA", "DH", "DSA"), 3, 77, 0xFFFF),
])
def test_keys_are_read_as_the_version_has_them(
    names: tuple[str, ...], private: int, number: int, ours: int
) -> None:
    data = struct.pack(f"<II{private}QII24s", 0, number, *range(private), 2048, 1, b"seed")
    space = SimpleNamespace(word=8, read=lambda address, size: data[address : address + size])
    userland = SimpleNamespace(enumeration=lambda dll, prefix: names)
    thread = cast(Any, SimpleNamespace(process=SimpleNamespace(space=space, userland=userland)))
    found = key.asymmetric_key(thread, 0)
    assert (ours, 2048, b"seed") == (found.alg_id, found.bitlen, found.dss_seed[:4])
    assert tuple(range(private)) == found.private


def test_stubs_of_32_bits_that_call_by_the_teb_are_stubs() -> None:
    code = b"\xb8\x88\0\0\0\x64\xff\x15\xc0\0\0\0\xc2\x14\0\xc3"
    reader = cast(Any, SimpleNamespace(read=lambda rva, size: code))
    assert {0x88: "NtX"} == read_stubs(reader, {"NtX": 0, "ZwX": 0})
    assert 0x14 == argument_bytes(code)
