"""What a userland says of itself: its files, system call numbers, exports and API sets."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pefile
import pytest

from lswd.userland.apiset import contract, parse
from lswd.userland.discovery import find
from lswd.userland.stubs import argument_bytes, dispatcher_slot, read_stubs
from lswd.userland.userland import Userland
from tests.unit.stub_processor import run_stub


@pytest.fixture(scope="module")
def userland() -> Userland:
    return find(os.environ)


def number_by_running(userland: Userland, name: str) -> int:
    """The system call number that a processor arrives with when it runs the code of an ntdll export."""
    image = pefile.PE(f"{userland.directory}/ntdll.dll", fast_load=True)
    ((number, _, _),) = run_stub(image.get_data(userland.ntdll_exports[name], 32)).calls
    return number


@pytest.mark.parametrize(
    "name", ["NtClose", "NtCreateFile", "NtWaitForSingleObject", "NtYieldExecution", "wine_server_call"]
)
def test_a_number_is_what_the_stub_passes(userland: Userland, name: str) -> None:
    assert name == userland.system_calls[number_by_running(userland, name)]


def test_every_nt_function_with_a_stub_has_one_number_and_no_zw_alias_shows(userland: Userland) -> None:
    calls = userland.system_calls
    assert len(calls) == len(set(calls.values()))
    assert not [name for name in calls.values() if name.startswith("Zw")]
    assert {"NtAllocateVirtualMemory", "NtTerminateProcess", "NtContinue", "NtWriteFile"} <= set(calls.values())
    assert 200 < len(calls) < 600
    assert max(calls) < 0x1000


def test_win32u_numbers_are_of_the_second_table(userland: Userland) -> None:
    calls = userland.win32u_system_calls
    assert "NtUserGetMessage" in calls.values() or "NtGdiBitBlt" in calls.values()
    assert 0x1000 <= min(calls)
    assert max(calls) < 0x2000


def test_ntdll_exports_are_those_pefile_sees(userland: Userland) -> None:
    image = pefile.PE(f"{userland.directory}/ntdll.dll", fast_load=True)
    image.parse_data_directories([0])
    expected = {
        each.name.decode(): each.address
        for each in image.DIRECTORY_ENTRY_EXPORT.symbols
        if each.name and not each.forwarder
    }
    assert expected == userland.ntdll_exports
    assert "__wine_unix_call_dispatcher" in userland.ntdll_exports


def test_tables_from_the_cache_equal_the_computed_ones(
    userland: Userland, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    results = []
    for _ in range(2):
        fresh = Userland(userland.directory, userland.nls_directory)
        name = "api-ms-win-core-synch-l1-2-0"
        results.append((fresh.system_calls, fresh.ntdll_exports, fresh.apiset_schema, fresh.apiset_host(name)))
    assert results[0] == results[1]


BASE = 0x10000000


class Code:
    """A reader over nothing but code, for stubs of any shape."""

    def __init__(self, *code: bytes) -> None:
        self.code = code

    def read(self, rva: int, size: int) -> bytes:
        return self.code[rva].ljust(size, b"\xcc")[:size]

    def string(self, rva: int, limit: int = 4096) -> bytes:
        raise NotImplementedError


def test_stubs_are_known_by_how_they_begin() -> None:
    stub = b"\x4c\x8b\xd1\xb8"
    code = Code(
        stub + b"\7\0\0\0\xcd\x2e",
        b"\x48\x89\xc8\xc3",
        stub + b"\x05\x10\0\0",
        stub + b"\xff\xff\xff\xff",
        stub + b"\2\0\0\0",
    )
    exports = {"ZwOne": 0, "Data": 1, "NtOther": 2, "NtOne": 0, "Absurd": 3, "One": 0, "ZwTwo": 4, "wine_two": 4}
    assert {7: "NtOne", 0x1005: "NtOther", 2: "wine_two"} == read_stubs(code, exports)


def test_32_bit_stubs_say_their_number_their_arguments_and_the_way_into_the_kernel() -> None:
    def stub(number: int, size: int) -> bytes:
        begin = b"\xb8" + number.to_bytes(4, "little") + b"\xba" + (BASE + 3).to_bytes(4, "little")
        return begin + b"\xff\xd2\xc2" + size.to_bytes(2, "little")

    code = Code(stub(7, 12), b"\xb8\1\0\0\0\xc3", stub(0x1005, 0), b"\xff\x25" + (BASE + 0x123).to_bytes(4, "little"))
    exports = {"data": 1, "ZwOne": 0, "NtOne": 0, "NtOther": 2, "thunk": 3}
    assert {7: "NtOne", 0x1005: "NtOther"} == read_stubs(code, exports)
    assert (12, 0) == (argument_bytes(code.read(0, 16)), argument_bytes(code.read(2, 16)))
    assert 0x123 == dispatcher_slot(code, exports, BASE)
    assert 0 == dispatcher_slot(code, {"data": 1}, BASE)


@pytest.mark.parametrize("name", ["ntdll.dll", "NTDLL.DLL", "Kernel32.dll", "winspool.drv", "cmd.exe", "LOCALE.NLS"])
def test_files_are_found_in_any_case(userland: Userland, name: str) -> None:
    fresh = Userland(userland.directory, userland.nls_directory)
    path = fresh.file(name)
    assert path is not None
    assert name.lower() == os.path.basename(path)
    assert os.path.isfile(path)


@pytest.mark.parametrize(
    "name", ["", ".", "..", "a/b", "../x86_64-windows/ntdll.dll", "nul\0.dll", "x" * 300, "no.dll"]
)
def test_no_other_name_is_found(userland: Userland, name: str) -> None:
    assert None is Userland(userland.directory, userland.nls_directory).file(name)


def test_only_a_module_name_gets_an_extension(userland: Userland) -> None:
    path = f"{userland.directory}/advapi32.dll"
    assert (path, path, None) == (userland.dll("ADVAPI32"), userland.dll("advapi32.dll"), userland.file("advapi32"))


def test_a_directory_in_other_case_is_searched_by_its_listing(tmp_path: Path) -> None:
    (tmp_path / "USER32.DLL").touch()
    (tmp_path / "Sub.dll").mkdir()
    fresh = Userland(str(tmp_path), str(tmp_path))
    assert (str(tmp_path / "USER32.DLL"), None) == (fresh.file("user32.dll"), fresh.file("sub.dll"))


def test_the_listing_has_dlls_nls_tables_and_supplements_once(userland: Userland) -> None:
    names = userland.names()
    assert {"kernel32.dll", "cmd.exe", "c_1252.nls", "bcryptprimitives.dll"} <= set(names)
    assert sorted(set(names)) == names


def test_identity_names_version_and_place(userland: Userland, tmp_path: Path) -> None:
    assert userland.identity().endswith(f" in {userland.directory}")
    (tmp_path / "nls").mkdir()
    (tmp_path / "wine.inf").write_text(";; .INF script\n;; Version: Wine 9.4\n;;\n")
    assert f"Wine 9.4 in {tmp_path}" == Userland(str(tmp_path), str(tmp_path / "nls")).identity()
    (tmp_path / "wine.inf").unlink()
    assert f"a userland other than Wine in {tmp_path}" == Userland(str(tmp_path), str(tmp_path / "nls")).identity()


def test_the_fingerprint_changes_with_ntdll(tmp_path: Path) -> None:
    fresh = Userland(str(tmp_path), str(tmp_path))
    before = fresh.fingerprint
    (tmp_path / "ntdll.dll").write_bytes(b"new")
    assert before != fresh.fingerprint


@pytest.mark.parametrize(
    ("name", "importer", "host"),
    [
        ("api-ms-win-core-synch-l1-2-0", "", "kernelbase.dll"),
        ("API-MS-Win-Core-Synch-L1-2-0.DLL", "", "kernelbase.dll"),
        ("api-ms-win-core-synch-l1-2-99.dll", "", "kernelbase.dll"),
        ("api-ms-win-crt-runtime-l1-1-0.dll", "", "ucrtbase.dll"),
        ("api-ms-win-nobody-made-this-l1-1-0.dll", "", None),
        ("kernel32.dll", "", None),
        ("", "", None),
    ],
)
def test_contracts_have_hosts(userland: Userland, name: str, importer: str, host: str | None) -> None:
    assert host == userland.apiset_host(name, importer)


def test_a_contract_is_cut_at_its_last_hyphen() -> None:
    assert "api-ms-win-core-file-l1-2" == contract("API-ms-win-core-file-l1-2-0.dll")
    assert None is contract("apibogus.dll")


def schema(entries: list[tuple[str, list[tuple[str, str]]]]) -> bytes:
    """An API set schema built by hand."""
    values_at = 28 + 24 * len(entries)
    strings_at = values_at + 20 * sum(len(values) for _, values in entries)
    heads, values, strings = b"", b"", b""

    def place(text: str) -> tuple[int, int]:
        nonlocal strings
        at = strings_at + len(strings)
        strings += text.encode("utf-16-le")
        return at, 2 * len(text)

    for name, hosts in entries:
        at, length = place(name)
        hashed = 2 * len(name.rpartition("-")[0])
        heads += struct.pack("<6I", 0, at, length, hashed, values_at + len(values), len(hosts))
        for importer, host in hosts:
            values += struct.pack("<5I", 0, *place(importer), *place(host))
    return struct.pack("<7I", 6, 0, 0, len(entries), 28, 0, 0) + heads + values + strings


def test_a_schema_gives_hosts_by_importer() -> None:
    data = schema(
        [
            ("api-ms-win-a-l1-1-0", [("", "one.dll"), ("Two.dll", "three.dll")]),
            ("ext-ms-win-b-l1-1-0", []),
            ("ext-ms-win-c-l1-1-0", [("", "")]),
        ]
    )
    expected = {
        "api-ms-win-a-l1-1": ("one.dll", {"two.dll": "three.dll"}),
        "ext-ms-win-b-l1-1": ("", {}),
        "ext-ms-win-c-l1-1": ("", {}),
    }
    assert expected == parse(data)


def test_a_damaged_schema_is_refused() -> None:
    data = schema([("api-ms-win-a-l1-1-0", [("", "one.dll")])])
    whole = parse(data)
    for length in range(len(data)):
        with pytest.raises(ValueError, match="schema"):
            assert whole == parse(data[:length])
    with pytest.raises(ValueError, match="version 2"):
        parse(b"\2" + data[1:])


def test_the_real_schema_leads_to_dlls(userland: Userland) -> None:
    hosts = {host for host, _ in parse(userland.apiset_schema).values()}
    assert {"kernel32.dll", "kernelbase.dll", "ntdll.dll", "ucrtbase.dll", "advapi32.dll"} <= hosts
    assert {".dll", ".drv"} >= {host[-4:] for host in hosts if host}


def test_functions_that_call_through_a_table_are_found_with_what_they_drop(userland: Userland) -> None:
    for each in (userland, userland.i386):
        wrappers = each.win32u_wrappers
        if not wrappers:
            pytest.skip("this userland has none")
        assert len(wrappers) > 100
        assert len({number for number, _, _ in wrappers.values()}) == len(wrappers)
        assert "NtGdiBitBlt" in each.win32u_system_calls.values()
        assert (44 if each.word == 4 else 0) == wrappers["NtGdiBitBlt"][2]
