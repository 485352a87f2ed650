"""The registry of a fresh Windows."""

from __future__ import annotations

import ast
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.kernel.registry import Key, Registry
from lswd.kernel.registry.seed import SeedKey
from lswd.kernel.registry.seeds import SeedFacts, known_tree, seed_tree
from lswd.kernel.registry.seeds.facts import Processor, read_processor
from lswd.kernel.registry.seeds.software import machine_guid
from lswd.kernel.registry.time_zone import known_zone
from lswd.kernel.registry.values import REG_DWORD, REG_EXPAND_SZ, REG_MULTI_SZ, REG_SZ, decode_text
from lswd.kernel.registry.windows_version import VERSIONS
from tests.unit.registry_trees import names

ROOT = Path(__file__).resolve().parent.parent.parent
SID = "S-1-5-21-1-2-3-1000"
CURRENT_VERSION = r"\Registry\Machine\Software\Microsoft\Windows NT\CurrentVersion"
CONTROL = r"\Registry\Machine\System\CurrentControlSet\Control"


@pytest.fixture
def facts() -> SeedFacts:
    return SeedFacts(SID, "jo", computer_name="BOX", host_name="box.example")


@pytest.fixture
def registry(facts: SeedFacts) -> Registry:
    return Registry(None, lambda: seed_tree(facts))


def text(registry: Registry, key: str, name: str) -> str:
    value = registry.open(key).query_value(name)
    assert value.type in (REG_SZ, REG_EXPAND_SZ)
    return decode_text(value.data).removesuffix("\0")


def number(registry: Registry, key: str, name: str) -> int:
    value = registry.open(key).query_value(name)
    assert REG_DWORD == value.type
    return int.from_bytes(value.data, "little")


def all_keys(key: Key) -> Iterator[Key]:
    yield key
    for child in key.subkeys():
        yield from all_keys(child)


def test_every_seeded_key_can_be_read(registry: Registry) -> None:
    keys = list(all_keys(registry.root))
    assert 300 < len(keys)
    for key in keys:
        info = key.info()
        assert info.max_name_length <= 510 and info.max_value_name_length <= 510
        for value in key.values():
            if value.type in (REG_SZ, REG_EXPAND_SZ, REG_MULTI_SZ):
                assert value.data.endswith(b"\0\0") and len(value.data) % 2 == 0


def test_every_seeded_link_leads_somewhere(registry: Registry) -> None:
    # What Windows has only with a feature installed.
    optional = (
        "Cryptography\\",
        "EnterpriseC",
        "EventSystem",
        "SystemC",
        "TermServ",
        "Telephony",
        "FontDpi",
        "Gre_",
        "LanguageP",
    )
    links = [key.link_target() for key in all_keys(registry.root) if key.link]
    assert r"\REGISTRY\MACHINE\SYSTEM\ControlSet001" in links
    for target in links:
        if not any(part in target for part in optional):
            assert registry.open(target)


def test_the_hives_are_where_they_belong(registry: Registry) -> None:
    assert ["HARDWARE", "SAM", "SECURITY", "SOFTWARE", "SYSTEM"] == names(registry.open(r"\Registry\Machine"))
    assert [".DEFAULT", "S-1-5-18", SID, f"{SID}_Classes"] == names(registry.open(r"\Registry\User"))
    assert rf"\REGISTRY\USER\{SID}\Software\Classes" == registry.open(rf"\Registry\User\{SID}_Classes").path()


def test_windows_10_is_the_default(registry: Registry) -> None:
    assert "Windows 10 Pro" == text(registry, CURRENT_VERSION, "ProductName")
    assert (
        "19045"
        == text(registry, CURRENT_VERSION, "CurrentBuildNumber")
        == text(registry, CURRENT_VERSION, "CurrentBuild")
    )
    assert (10, 0) == (
        number(registry, CURRENT_VERSION, "CurrentMajorVersionNumber"),
        number(registry, CURRENT_VERSION, "CurrentMinorVersionNumber"),
    )
    assert ("22H2", "2009") == (
        text(registry, CURRENT_VERSION, "DisplayVersion"),
        text(registry, CURRENT_VERSION, "ReleaseId"),
    )
    assert "19041.vb_release.191206-1406" == text(registry, CURRENT_VERSION, "BuildLab")
    assert r"C:\windows" == text(registry, CURRENT_VERSION, "SystemRoot")
    assert "jo" == text(registry, CURRENT_VERSION, "RegisteredOwner")


@pytest.mark.parametrize("name", sorted(VERSIONS))
def test_the_version_is_the_one_asked_for(name: str) -> None:
    windows = VERSIONS[name]
    registry = Registry(None, lambda: seed_tree(SeedFacts(SID, "jo", windows=windows)))
    values = {value.name for value in registry.open(CURRENT_VERSION).values()}
    assert f"{windows.major}.{windows.minor}" == text(registry, CURRENT_VERSION, "CurrentVersion")
    assert str(windows.build) == text(registry, CURRENT_VERSION, "CurrentBuildNumber")
    assert windows.product == text(registry, CURRENT_VERSION, "ProductName")
    assert windows.service_pack << 8 == number(registry, CONTROL + r"\Windows", "CSDVersion")
    assert (windows.major >= 10) == ("CurrentMajorVersionNumber" in values) == ("DisplayVersion" in values)
    assert bool(windows.service_pack) == ("CSDVersion" in values)
    narrow = r"\Registry\Machine\Software\Wow6432Node\Microsoft\Windows NT\CurrentVersion"
    assert str(windows.build) == text(registry, narrow, "CurrentBuildNumber")


def test_versions_are_in_order_and_named_by_their_keys() -> None:
    numbers = [(version.major, version.minor, version.build) for version in VERSIONS.values()]
    assert sorted(numbers) == numbers
    assert list(VERSIONS) == [version.name for version in VERSIONS.values()]
    assert ("Service Pack 1", "") == (VERSIONS["win7"].csd, VERSIONS["win10"].csd)


def test_what_ntdll_asks_at_each_start_is_there(registry: Registry) -> None:
    manager = CONTROL + r"\Session Manager"
    assert (0, 2592000) == (
        number(registry, manager, "GlobalFlag"),
        number(registry, manager, "CriticalSectionTimeout"),
    )
    assert "WinNT" == text(registry, CONTROL + r"\ProductOptions", "ProductType")
    assert registry.open(CURRENT_VERSION + r"\Image File Execution Options")
    assert "BOX" == text(registry, CONTROL + r"\ComputerName\ActiveComputerName", "ComputerName")
    assert "%SystemRoot%" == text(registry, manager + r"\Environment", "windir")


def test_code_pages_and_sort_orders_are_there(registry: Registry) -> None:
    pages = CONTROL + r"\Nls\CodePage"
    assert ("1252", "437", "10000") == tuple(text(registry, pages, name) for name in ("ACP", "OEMCP", "MACCP"))
    assert ("c_037.nls", "c_932.nls") == (text(registry, pages, "37"), text(registry, pages, "932"))
    sorting = CONTROL + r"\Nls\Sorting\Ids"
    assert "{00000001-57ee-1e5c-00b4-d0000bb1e11e}" == text(registry, sorting, "")
    assert "{0000001a-57ee-1e5c-00b4-d0000bb1e11e}" == text(registry, sorting, "sv")
    assert ("00000409", "1", "11") == tuple(
        text(registry, CONTROL + r"\Nls\Locale", name) for name in ("", "00000409", "0000042b")
    )


def test_the_host_zone_is_in_both_places(facts: SeedFacts, registry: Registry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "<+1030>-10:30<+11>-11,M10.1.0,M4.1.0")
    information = CONTROL + r"\TimeZoneInformation"
    key = text(registry, information, "TimeZoneKeyName")
    assert facts.zone.key == key
    assert -630 & 0xFFFFFFFF == number(registry, information, "Bias")
    tzi = registry.open(rf"{CURRENT_VERSION}\Time Zones\{key}").query_value("TZI").data
    assert facts.zone.rule.tzi == tzi
    assert tzi[12:28] == registry.open(information).query_value("StandardStart").data
    assert tzi[28:44] == registry.open(information).query_value("DaylightStart").data


def test_declared_zones_are_there(registry: Registry) -> None:
    zone = registry.open(CURRENT_VERSION + r"\Time Zones\w. europe standard time")
    assert known_zone("W. Europe Standard Time").rule.tzi == zone.query_value("TZI").data
    assert ["Display", "Dlt", "Std", "TZI"] == [value.name for value in zone.values()]


def test_setting_the_time_zone_lasts_no_longer_than_the_run(registry: Registry) -> None:
    assert registry.open(CONTROL + r"\TimeZoneInformation").volatile
    assert not registry.open(CONTROL + r"\ComputerName").volatile


def test_program_directories_differ_by_width(registry: Registry) -> None:
    key = r"\Registry\Machine\Software\Microsoft\Windows\CurrentVersion"
    assert r"C:\Program Files" == text(registry, key, "ProgramFilesDir")
    narrow = registry.open(key, view32=True).query_value("ProgramFilesDir")
    assert "C:\\Program Files (x86)\0" == decode_text(narrow.data)
    assert registry.open(key + r"\Explorer") is registry.open(key + r"\Explorer", view32=True)


def test_the_users_settings_are_american_english(registry: Registry) -> None:
    key = rf"\Registry\User\{SID}\Control Panel\International"
    assert ("en-US", "00000409", "M/d/yyyy") == tuple(
        text(registry, key, name) for name in ("LocaleName", "Locale", "sShortDate")
    )


def test_the_users_folders_are_below_the_profile(registry: Registry) -> None:
    explorer = rf"\Registry\User\{SID}\Software\Microsoft\Windows\CurrentVersion\Explorer"
    assert r"C:\users\jo\Desktop" == text(registry, explorer + r"\Shell Folders", "Desktop")
    assert r"%USERPROFILE%\Desktop" == text(registry, explorer + r"\User Shell Folders", "Desktop")
    assert r"%USERPROFILE%\AppData\Local\Temp" == text(registry, rf"\Registry\User\{SID}\Environment", "TEMP")
    assert r"\users\jo" == text(registry, rf"\Registry\User\{SID}\Volatile Environment", "HOMEPATH")


def test_executables_are_associated_with_themselves(registry: Registry) -> None:
    classes = r"\Registry\Machine\Software\Classes"
    program = text(registry, classes + r"\.EXE", "")
    assert '"%1" %*' == text(registry, rf"{classes}\{program}\shell\open\command", "")
    assert "text/plain" == text(registry, classes + r"\.txt", "Content Type")


def test_every_cryptographic_type_has_its_provider(registry: Registry) -> None:
    defaults = r"\Registry\Machine\Software\Microsoft\Cryptography\Defaults"
    for kind in registry.open(defaults + r"\Provider Types").subkeys():
        provider = text(registry, kind.path(), "Name")
        assert int(kind.name[-3:]) == number(registry, rf"{defaults}\Provider\{provider}", "Type")


def test_the_processor_is_the_hosts(facts: SeedFacts, registry: Registry) -> None:
    facts._processor = Processor("GenuineIntel", "Some CPU", 6, 158, 10, 3600)
    key = r"\Registry\Machine\Hardware\Description\System\CentralProcessor"
    assert len(os.sched_getaffinity(0)) == registry.open(key).info().subkeys
    assert 3600 == number(registry, key + r"\0", "~MHz")
    assert "Intel64 Family 6 Model 158 Stepping 10" == text(registry, key + r"\0", "Identifier")
    environment = CONTROL + r"\Session Manager\Environment"
    assert "Intel64 Family 6 Model 158 Stepping 10, GenuineIntel" == text(registry, environment, "PROCESSOR_IDENTIFIER")
    assert ("6", "9e0a") == tuple(text(registry, environment, f"PROCESSOR_{name}") for name in ("LEVEL", "REVISION"))


def test_the_processor_is_read_from_the_first_paragraph(tmp_path: Path) -> None:
    (tmp_path / "cpuinfo").write_text(
        "processor\t: 0\nvendor_id\t: AuthenticAMD\ncpu family\t: 25\nmodel\t\t: 1\nmodel name\t: AMD EPYC: fast\n"
        "stepping\t: 1\ncpu MHz\t\t: 2445.404\n\nprocessor\t: 1\nmodel name\t: another\n"
    )
    cpu = read_processor(str(tmp_path / "cpuinfo"))
    assert ("AMD64 Family 25 Model 1 Stepping 1", "AMD EPYC: fast", 2445) == (cpu.identifier, cpu.name, cpu.mhz)


@pytest.mark.parametrize("content", ["", "junk", "model : x\ncpu MHz : fast\n"])
def test_a_processor_that_cannot_be_read_is_made_up(tmp_path: Path, content: str) -> None:
    (tmp_path / "cpuinfo").write_text(content)
    cpu = read_processor(str(tmp_path / "cpuinfo"))
    assert "Intel64 Family 6 Model 0 Stepping 0" == cpu.identifier
    assert cpu.identifier == read_processor(str(tmp_path / "none")).identifier


def test_the_machine_guid_stays_with_the_host_and_does_not_show_its_id(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("0123456789abcdef0123456789abcdef\n")
    (tmp_path / "b").write_text("1123456789abcdef0123456789abcdef\n")
    first = machine_guid(str(tmp_path / "a"))
    assert first == machine_guid(str(tmp_path / "a"))
    assert first != machine_guid(str(tmp_path / "b"))
    assert [8, 4, 4, 4, 12] == [len(part) for part in first.split("-")]
    assert "01234567" not in first
    assert 36 == len(machine_guid(str(tmp_path / "none")))


def test_a_launch_loads_the_seeds_it_reads_and_nothing_slow() -> None:
    script = f"""
import sys
from lswd.kernel.registry import Registry
from lswd.kernel.registry.seed import SeedKey
from lswd.kernel.registry.seeds import SeedFacts, known_tree, seed_tree
registry = Registry("/nonexistent/registry.sqlite", lambda: seed_tree(SeedFacts({SID!r}, "jo")))
registry.open({CONTROL!r} + r"\\Session Manager").values()
print(sorted(name for name in sys.modules if name.startswith("lswd.kernel.registry.seeds.")))
slow = "argparse dataclasses enum hashlib inspect json logging pathlib re sqlite3 struct tempfile typing trio".split()
print([name for name in slow if name in sys.modules])
"""
    command = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{script}"]
    loaded, slow = subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.splitlines()
    assert ["lswd.kernel.registry.seeds.facts", "lswd.kernel.registry.seeds.system"] == ast.literal_eval(loaded)
    assert [] == ast.literal_eval(slow)


def test_a_known_tree_is_the_same_until_a_fact_changes(facts: SeedFacts, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "UTC")
    tree = known_tree(facts)
    assert tree is known_tree(SeedFacts(SID, "jo", computer_name="BOX", host_name="box.example"))
    assert tree is not known_tree(SeedFacts(SID, "joe", computer_name="BOX", host_name="box.example"))
    monkeypatch.setenv("TZ", "Europe/Berlin")
    assert tree is not known_tree(facts)


def test_what_one_registry_writes_another_of_the_same_seeds_does_not_have(facts: SeedFacts) -> None:
    tree = seed_tree(facts)
    first, second = Registry(None, lambda: tree), Registry(None, lambda: tree)
    first.open(CURRENT_VERSION).set_value("ProductName", REG_SZ, b"x\0")
    first.open(CURRENT_VERSION).delete_value("CurrentBuild")
    first.open(CURRENT_VERSION).set_value("New", REG_DWORD, bytes(4))
    assert text(second, CURRENT_VERSION, "ProductName").startswith("Windows")
    assert text(second, CURRENT_VERSION, "CurrentBuild")
    assert "New" not in names(second.open(CURRENT_VERSION))


def test_values_that_are_found_out_are_found_out_again() -> None:
    answers = iter((1, 2))
    root = SeedKey("ROOT")
    root.plant({"": {"fixed": "a", "asked": lambda: next(answers), "last": 3}})
    first, second = root.encoded(), root.encoded()
    assert ["FIXED", "ASKED", "LAST"] == list(first)
    assert [1, 2] == [int.from_bytes(values["ASKED"].data, "little") for values in (first, second)]
    assert first["FIXED"] is second["FIXED"]


def test_fonts_are_the_hosts_by_the_names_in_them(
    registry: Registry, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def table(*strings: tuple[int, int, int, str]) -> bytes:
        records, texts = b"", b""
        for platform, language, kind, string in strings:
            data = string.encode("utf-16-be" if platform == 3 else "latin-1")
            records += struct.pack(">6H", platform, 1, language, kind, len(data), len(texts))
            texts += data
        return struct.pack(">HHH", 0, len(strings), 6 + len(records)) + records + texts

    def font(names: bytes) -> bytes:
        return struct.pack(">4sHHHH4sIII", b"\0\1\0\0", 1, 0, 0, 0, b"name", 0, 28, len(names)) + names

    folder = tmp_path / ".fonts/some"
    folder.mkdir(parents=True)
    (folder / "a.ttf").write_bytes(font(table((1, 0, 4, "Old"), (3, 0x409, 1, "Family"), (3, 0x409, 4, "Some Font"))))
    (folder / "b.ttf").write_bytes(b"\0\1\0\0damaged")
    (folder / "c.txt").write_bytes(font(table((3, 0x409, 4, "No Font"))))
    monkeypatch.setenv("HOME", str(tmp_path))
    expected = "Z:" + str(folder / "a.ttf").replace("/", "\\")
    assert expected == text(registry, CURRENT_VERSION + r"\Fonts", "Some Font (TrueType)")
    listed = [value.name for value in registry.open(CURRENT_VERSION + r"\Fonts").values()]
    assert "No Font (TrueType)" not in listed
