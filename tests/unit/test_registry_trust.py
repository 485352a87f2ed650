"""Which functions judge files and signatures, as the registry says: they are there, in the userland."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pefile
import pytest

from lswd.kernel.registry.seed import SeedKey
from lswd.kernel.registry.seeds.software import plant_cryptography
from lswd.userland.discovery import find

STEPS = {"Initialization", "Message", "Signature", "Certificate", "CertCheck", "FinalPolicy", "Cleanup"}


@pytest.fixture(scope="module")
def cryptography() -> SeedKey:
    key = SeedKey("Cryptography")
    plant_cryptography(key)
    return key


def below(key: SeedKey) -> Iterator[SeedKey]:
    yield key
    for child in key.children.values():
        yield from below(child)


def named(key: SeedKey) -> set[tuple[str, str]]:
    """DLL and function, wherever one is named."""
    found = set()
    for each in below(key):
        values = {name: data for name, data in each.values.items() if isinstance(data, str)}
        dll = values.get("$DLL", values.get("Dll", ""))
        found |= {(dll.lower(), function) for name, function in values.items() if "Func" in name}
    return found


def test_every_function_that_judges_is_in_the_userland(cryptography: SeedKey) -> None:
    functions = named(cryptography)
    assert {"wintrust.dll", "cryptdlg.dll", "cryptnet.dll", "msisip.dll"} == {dll for dll, _ in functions}
    directory, missing = find(os.environ).directory, set()
    for dll in {dll for dll, _ in functions}:
        image = pefile.PE(f"{directory}/{dll}", fast_load=True)
        image.parse_data_directories([pefile.DIRECTORY_ENTRY["IMAGE_DIRECTORY_ENTRY_EXPORT"]])
        exported = {each.name.decode() for each in image.DIRECTORY_ENTRY_EXPORT.symbols if each.name}
        missing |= {function for its, function in functions if its == dll} - exported
    assert set() == missing


def test_every_action_takes_all_steps_but_one_without_a_message(cryptography: SeedKey) -> None:
    trust = cryptography.branch(r"Providers\Trust")
    steps = {
        key.name: {action.name for action in key.children.values()}
        for key in trust.children.values() if key.name in STEPS
    }
    assert STEPS == set(steps)
    assert 10 == len(steps["Initialization"])
    assert steps["Initialization"] == steps["FinalPolicy"] == steps["Cleanup"] == steps["Certificate"]
    assert {"{7801EBD0-CF4B-11D0-851F-0060979387EA}"} == steps["Initialization"] - steps["Message"]
    usages = trust.branch("Usages").children.values()
    assert {usage.values["DefaultId"] for usage in usages} <= steps["Initialization"]
