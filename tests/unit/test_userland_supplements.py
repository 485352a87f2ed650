"""Supplements: declared once in the manifest and once as a handler, and visible to the guest as real exports."""

from __future__ import annotations

import os
import pkgutil
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pefile
import pytest

from lswd.nt.catalogue import declaration
from lswd.nt.declare import SystemCall
from lswd.ntdef.status import STATUS_ACCESS_VIOLATION, NtError
from lswd.userland import supplements
from lswd.userland.cache import file_key
from lswd.userland.discovery import find
from lswd.userland.supplements import FIRST_NUMBER, SUPPLEMENTS, Export, declare, exports
from lswd.userland.supplements.bcryptprimitives import ProcessPrng
from lswd.userland.supplements.image_builder import build_dll
from lswd.userland.supplements.overlay import materialise, overlay
from lswd.userland.userland import Userland

MACHINERY = {"declare", "export_directory", "guest_text", "image_builder", "last_error", "overlay", "pretence"}


@pytest.fixture(scope="module")
def userland() -> Userland:
    return find(os.environ)


def with_code(group: tuple[Export, ...]) -> list[Export]:
    """Those that have a handler of their own: no other names, no system calls."""
    return [each for each in group if not each.alias and each.number not in supplements.system_calls()]


def exported(path: str) -> set[str]:
    image = pefile.PE(path, fast_load=True)
    image.parse_data_directories([0])
    return {each.name.decode() for each in image.DIRECTORY_ENTRY_EXPORT.symbols if each.name}


def test_every_listed_export_has_a_handler_of_its_name_and_number() -> None:
    for dll, group in exports().items():
        for export in with_code(group):
            found = declare.lookup(export.number)
            assert found is not None
            assert (dll, export.name, export.number) == (found.export.dll, found.export.name, found.export.number)
            module = f"{supplements.__name__}.{declare.module_name(dll)}"
            assert f"{found.function.__module__}.".startswith(f"{module}.")


def test_every_module_of_handlers_is_listed() -> None:
    modules = {each.name for each in pkgutil.iter_modules(supplements.__path__)}
    with_handlers = {dll for dll, group in exports().items() if any(with_code(group))}
    assert {declare.module_name(dll) for dll in with_handlers} == modules - MACHINERY


def test_what_ntdll_lacks_a_stub_for_is_a_system_call() -> None:
    assert "NtFlushBuffersFileEx" in supplements.system_calls().values()
    for number, name in supplements.system_calls().items():
        assert number >= FIRST_NUMBER
        declared = declaration(name)
        assert declared is not None
        (export,) = [each for each in exports()["ntdll.dll"] if each.number == number]
        assert struct.calcsize("<" + "".join(p.code32 for p in declared.parameters)) == export.argument_bytes


def test_numbers_are_in_a_range_of_their_own_and_each_is_used_once(userland: Userland) -> None:
    numbers = [export.number for group in exports().values() for export in group if not export.alias]
    assert list(range(FIRST_NUMBER, FIRST_NUMBER + len(numbers))) == numbers
    assert FIRST_NUMBER > max([*userland.system_calls, *userland.win32u_system_calls])


def test_names_are_lower_case_dlls_as_lookups_expect() -> None:
    assert [name.lower() for name in SUPPLEMENTS] == list(SUPPLEMENTS)
    assert {".dll"} == {name[-4:] for name in SUPPLEMENTS}


def test_an_ordinal_is_written_as_in_a_def_file() -> None:
    table = exports({"a.dll": ("One", "Two @17"), "b.dll": ("Three",)})
    found = [(each.dll, each.name, each.number, each.ordinal) for group in table.values() for each in group]
    expected = [
        ("a.dll", "One", FIRST_NUMBER, None),
        ("a.dll", "Two", FIRST_NUMBER + 1, 17),
        ("b.dll", "Three", FIRST_NUMBER + 2, None),
    ]
    assert expected == found


def test_cases_are_arguments_and_their_values() -> None:
    (export,) = exports({"a.dll": ("One@20 if 1=6,2=3|16",)})["a.dll"]
    assert ("One", 20, ((1, (6,)), (2, (3, 16)))) == (export.name, export.argument_bytes, export.cases)


def test_cases_are_only_for_functions_that_the_userland_has(userland: Userland, tmp_path: Path) -> None:
    native = userland.native("ws2_32.dll")
    assert native is not None
    for name, made in (("setsockopt", True), ("not_there", False)):
        table = exports({"ws2_32.dll": (f"{name}@20 if 1=6",)})
        assert made is (overlay("ws2_32.dll", native, str(tmp_path), table) is not None)
        assert overlay("ws2_32.dll", None, str(tmp_path), table) is None


def test_another_name_is_one_of_the_same_function_or_of_another_dlls(userland: Userland, tmp_path: Path) -> None:
    native = userland.native("version.dll")
    entries = ("Same = GetFileVersionInfoA", "Ours@4", "OursToo = Ours", "Elsewhere = kernel32.GetVersion")
    table = exports({"version.dll": entries})
    assert [0, FIRST_NUMBER, 0, 0] == [each.number for each in table["version.dll"]]
    path = overlay("version.dll", native, str(tmp_path), table)
    assert path is not None
    image = pefile.PE(path, fast_load=True)
    image.parse_data_directories([0])
    found = {each.name: (each.address, each.forwarder) for each in image.DIRECTORY_ENTRY_EXPORT.symbols if each.name}
    assert found[b"Same"] == found[b"GetFileVersionInfoA"]
    assert found[b"OursToo"] == found[b"Ours"]
    assert found[b"Elsewhere"][1] == b"kernel32.GetVersion"


def test_another_name_of_nothing_leaves_the_dll_as_it_is(userland: Userland, tmp_path: Path) -> None:
    table = exports({"version.dll": ("Other = NotThere",)})
    assert None is overlay("version.dll", userland.native("version.dll"), str(tmp_path), table)
    assert None is overlay("version.dll", None, str(tmp_path), table)


def test_a_number_without_a_supplement_is_unknown() -> None:
    assert None is declare.lookup(FIRST_NUMBER - 1)
    assert None is declare.lookup(0xFFFF)


def test_a_handler_that_is_not_listed_is_an_error() -> None:
    def Unlisted() -> int:
        return 0

    with pytest.raises(LookupError, match=r"bcryptprimitives\.dll!Unlisted is not listed"):
        declare.supplement("bcryptprimitives.dll")(Unlisted)


def test_a_second_handler_for_an_export_is_an_error() -> None:
    def other() -> int:
        return 0

    with pytest.raises(ValueError, match="has a handler"):
        declare.supplement("bcryptprimitives.dll", "ProcessPrng")(other)
    found = declare.lookup(FIRST_NUMBER)
    assert found is not None
    assert ProcessPrng is found.function


def test_a_launch_that_needs_no_supplement_imports_none_of_them(tmp_path: Path) -> None:
    """Once there has been one that has looked which do."""
    program = (
        "import os, sys; from lswd.userland.discovery import find; u = find(os.environ); u.dll('kernel32'); u.names();"
        "print(sorted(n for n in sys.modules if n.startswith('lswd.userland.supplements.')))"
    )
    environment = {**os.environ, "XDG_CACHE_HOME": str(tmp_path)}
    command = [sys.executable, "-c", program]
    first, second = (subprocess.check_output(command, env=environment, text=True) for _ in range(2))
    assert "image_builder" in first
    assert "[]\n" == second


class Space:
    """Guest memory with a limit, behind which nothing is mapped."""

    def __init__(self, size: int) -> None:
        self.data = bytearray(size)
        self.largest = 0

    def write(self, address: int, data: bytes, /) -> None:
        if address + len(data) > len(self.data):
            raise NtError(STATUS_ACCESS_VIOLATION)
        self.largest = max(self.largest, len(data))
        self.data[address : address + len(data)] = data

    def read(self, address: int, size: int, /) -> bytes:
        return bytes(self.data[address : address + size])


class Call:
    def __init__(self, size: int) -> None:
        self.space = Space(size)


@pytest.mark.parametrize("size", [0, 1, 48, 0x10000, 0x10001, 200_000])
def test_process_prng_fills_exactly_the_buffer(monkeypatch: pytest.MonkeyPatch, size: int) -> None:
    monkeypatch.setattr(os, "urandom", lambda count: b"\xaa" * count)
    call = Call(size + 32)
    assert 1 == ProcessPrng(call, 16, size)
    assert bytes(16) + b"\xaa" * size + bytes(16) == bytes(call.space.data)


def test_process_prng_gives_other_bytes_each_time() -> None:
    call = Call(64)
    assert (1, 1) == (ProcessPrng(call, 0, 32), ProcessPrng(call, 32, 32))
    assert bytes(32) != call.space.data[:32] != call.space.data[32:] != bytes(32)


def test_process_prng_asked_for_everything_stops_at_the_end_of_memory() -> None:
    call = Call(0x30000)
    assert 0 == ProcessPrng(call, 0, (1 << 64) - 1)
    assert 0x10000 == call.space.largest


@pytest.fixture
def old_userland(userland: Userland, tmp_path: Path) -> Userland:
    """The installed userland without the DLLs that supplements stand in for, whether this version has them or not."""
    directory = tmp_path / "x86_64-windows"
    directory.mkdir()
    for name in os.listdir(userland.directory):
        if name.lower() not in SUPPLEMENTS:
            (directory / name).symlink_to(f"{userland.directory}/{name}")
    return Userland(str(directory), userland.nls_directory)


def test_a_missing_dll_is_made_and_found_under_any_case(old_userland: Userland) -> None:
    path = old_userland.dll("BCryptPrimitives")
    assert path is not None
    assert "bcryptprimitives.dll" == os.path.basename(path)
    assert {"ProcessPrng"} == exported(path)
    assert {"bcryptprimitives.dll": path} == materialise(old_userland)
    assert "bcryptprimitives.dll" in old_userland.names()


def test_a_userland_that_has_the_export_keeps_its_own(old_userland: Userland) -> None:
    own = Path(old_userland.directory, "bcryptprimitives.dll")
    own.write_bytes(build_dll("bcryptprimitives.dll", [("ProcessPrng", 1, None, 0)]))
    assert str(own) == old_userland.dll("bcryptprimitives.dll")
    assert {} == materialise(old_userland)


def test_a_generated_file_is_kept_until_its_declarations_change(tmp_path: Path) -> None:
    path = tmp_path / "supplements/a.dll"

    def make(name: str, number: int) -> None:
        table = {"a.dll": (Export("a.dll", name, number, None),)}
        assert str(path) == overlay("a.dll", None, str(tmp_path), table)

    make("One", 1)
    first = path.read_bytes()
    os.utime(path, (1, 1))
    make("One", 1)
    assert 1 == path.stat().st_mtime
    for name, number in (("One", 2), ("Two", 1)):
        make(name, number)
        assert first != path.read_bytes()
        assert {name} == exported(str(path))
    path.write_bytes(b"damaged")
    make("One", 1)
    assert first == path.read_bytes()
    assert [path] == list(path.parent.iterdir())


def test_a_generated_file_is_known_by_its_time_and_size(userland: Userland, tmp_path: Path) -> None:
    native = userland.native("kernelbase.dll")

    def made(declared: str) -> tuple[str, int, int]:
        path = overlay("kernelbase.dll", native, str(tmp_path), exports({"kernelbase.dll": (declared,)}))
        assert path is not None
        return file_key(path)

    first = made("NotThere@4")
    second = made("NotThera@4")
    assert first != second
    assert first == made("NotThere@4")


def test_what_stands_in_for_a_basic_dll_is_noted_and_found_again_when_it_has_gone(
    userland: Userland, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    asked: list[str] = []
    make = Userland._made

    def noted(self: Userland, name: str) -> str | None:
        asked.append(name)
        return make(self, name)

    monkeypatch.setattr(Userland, "_made", noted)

    def found() -> str | None:
        asked.clear()
        return Userland(userland.directory, userland.nls_directory).file("KernelBase.dll")

    path = found()
    assert path is not None
    assert path != userland.native("kernelbase.dll")
    assert asked == ["kernel32.dll", "kernelbase.dll", "ntdll.dll"]
    assert path == found()
    assert not asked
    os.unlink(path)
    assert path == found()
    assert asked == ["kernelbase.dll"]
    assert path == found()
    assert not asked


def test_a_dll_that_lacks_an_export_is_extended_and_followed(userland: Userland, tmp_path: Path) -> None:
    native = tmp_path / "version.dll"
    original = userland.native("version.dll")
    assert original is not None
    native.write_bytes(Path(original).read_bytes())
    group = (Export("version.dll", "GetFileVersionInfoA", 1, None), Export("version.dll", "Added", 2, None))
    table = {"version.dll": group}
    path = overlay("version.dll", str(native), str(tmp_path), table)
    assert path is not None
    assert exported(original) | {"Added"} == exported(path)
    os.utime(path, (1, 1))
    assert path == overlay("version.dll", str(native), str(tmp_path), table)
    assert 1 == os.stat(path).st_mtime
    os.utime(native, (1, 1))
    assert path == overlay("version.dll", str(native), str(tmp_path), table)
    assert 1 != os.stat(path).st_mtime


def test_a_dll_that_lacks_nothing_stays_as_it_is(userland: Userland, tmp_path: Path) -> None:
    native = userland.native("version.dll")
    table = {"version.dll": (Export("version.dll", "GetFileVersionInfoA", 1, None),)}
    assert None is overlay("version.dll", native, str(tmp_path), table)
    assert None is overlay("other.dll", native, str(tmp_path), table)


def test_a_dll_that_cannot_be_extended_stays_as_it_is(tmp_path: Path) -> None:
    native = tmp_path / "broken.dll"
    native.write_bytes(b"MZ is not enough")
    table = {"broken.dll": (Export("broken.dll", "Added", 1, None),)}
    assert None is overlay("broken.dll", str(native), str(tmp_path), table)


@pytest.fixture
def no_memfd_left() -> Iterator[None]:
    """Closes the descriptors of DLLs that a test had made in memory."""
    from lswd.userland.supplements import overlay as module

    known = dict(module._in_memory)
    yield
    for key, path in list(module._in_memory.items()):
        if key not in known:
            os.close(int(os.path.basename(path)))
            del module._in_memory[key]


def test_without_a_cache_directory_the_dll_lives_in_memory(no_memfd_left: None) -> None:
    table = {"memory.dll": (Export("memory.dll", "Added", 1, None),)}
    path = overlay("memory.dll", None, "/proc/lsw/cache", table)
    assert path is not None
    assert {"Added"} == exported(path)
    assert path == overlay("memory.dll", None, "/proc/lsw/cache", table)


def test_what_32_bit_stubs_take_off_the_stack_is_what_the_handlers_declare() -> None:
    for group in exports().values():
        for export in with_code(group):
            found = declare.lookup(export.number)
            assert found is not None
            parameters = SystemCall(found.function, "", {}).parameters
            assert struct.calcsize("<" + "".join(p.code32 for p in parameters)) == export.argument_bytes
