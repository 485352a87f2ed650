"""The derived index of system calls says what importing every family says."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from lswd.nt import FAMILIES
from lswd.nt.catalogue import declaration, index, load_families, scan
from lswd.nt.declare import DECLARED

if TYPE_CHECKING:
    from pathlib import Path


def test_the_index_names_every_declaration_and_its_module() -> None:
    load_families()
    declared = {name: c.module.rpartition(".")[2] for name, c in DECLARED.items() if c.module.startswith("lswd.nt.")}
    assert {n: f for n, f in declared.items() if f in FAMILIES} == index()


def test_a_declaration_is_found_by_name() -> None:
    found = declaration("NtSetEvent")
    assert found is not None
    assert ("NtSetEvent", "lswd.nt.event") == (found.name, found.module)


def test_an_unknown_name_has_no_declaration() -> None:
    assert (None, None) == (declaration("NtNoSuchThing"), declaration(""))


def test_a_call_declared_in_two_modules_is_an_error(tmp_path: Path) -> None:
    source = tmp_path / "a.py"
    source.write_text("@syscall(\n    partial='x',\n)\nasync def NtTwice(call): ...\n\n\ndef NtOther(): ...\n")
    assert {"NtTwice": "a"} == scan([("a", str(source))])
    with pytest.raises(ValueError, match="NtTwice is declared twice: in a and in b"):
        scan([("a", str(source)), ("b", str(source))])
