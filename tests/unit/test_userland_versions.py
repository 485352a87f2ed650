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
from lswd.userland.type_information import enumerators


def test_an_enumeration_is_its_names_with_values_from_0_on() -> None:
    data = b"xx\0fn_other\0\x09fn_one\0\0\x05fn_two\0\1\x05fn_three\0\2fn_one\0\0fn_late\0\x07myfn_four\0\3"
    assert ("one", "two", "three") == enumerators(data, "fn_")
    assert () == enumerators(data, "nothing_")


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
