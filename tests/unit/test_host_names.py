"""Names cross between host and guest and come back unchanged."""

from __future__ import annotations

import os

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lswd.host.names import (
    is_drive_letter,
    is_valid_name,
    to_guest_name,
    to_guest_text,
    to_host_name,
    upcase,
)

HOST_BYTES = st.binary(min_size=1, max_size=255).map(
    lambda raw: raw.replace(b"/", b"_").replace(b"\0", b"_").replace(b"..", b"_.") or b"_"
)
PRIVATE = st.text("ab. :\uf0ff\uf03a\uf02e\uf020\uf02f\uf1c3\uf180\udcff", min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("host", "guest"),
    [
        ("plain.txt", "plain.txt"),
        ("caf\u00e9", "caf\u00e9"),
        ("12:30", "12\uf03a30"),
        ('a"b*c?d', "a\uf022b\uf02ac\uf03fd"),
        ("a<b>c|d", "a\uf03cb\uf03ec\uf07cd"),
        ("back\\slash", "back\uf05cslash"),
        ("tab\there", "tab\uf009here"),
        ("ends.", "ends\uf02e"),
        ("ends ", "ends\uf020"),
        ("ends. .", "ends. \uf02e"),
        (" ", "\uf020"),
        ("in. side", "in. side"),
        (os.fsdecode(b"caf\xe9"), "caf\uf1e9"),
        ("\uf03a", "\uf0ff\uf03a"),
        ("\uf0ff", "\uf0ff\uf0ff"),
        ("\ue000 other private use", "\ue000 other private use"),
    ],
)
def test_a_host_name_has_one_guest_spelling_and_comes_back(host: str, guest: str) -> None:
    assert guest == to_guest_name(host)
    assert host == to_host_name(guest)


@given(HOST_BYTES.map(os.fsdecode) | PRIVATE)
def test_every_host_name_comes_back_from_the_guest(name: str) -> None:
    if name in (".", ".."):
        name += "x"
    guest = to_guest_name(name)
    assert name == to_host_name(guest)
    assert is_valid_name(guest)


@given(st.text(min_size=1, max_size=40) | PRIVATE)
def test_no_guest_name_reaches_outside_its_directory(name: str) -> None:
    if is_valid_name(name):
        host = to_host_name(name)
        assert host not in ("", ".", "..")
        assert "/" not in host
        assert "\0" not in host
        os.fsencode(host)


@pytest.mark.parametrize("name", ["\uf02e", ".\uf02e", "\uf02f", "..\uf02f", "\uf000"])
def test_private_characters_never_decode_to_dots_or_slashes(name: str) -> None:
    assert name == to_host_name(name)


@pytest.mark.parametrize("name", ["a", ".a", "a.", "a ", "...", "a" * 255, "\U0001f600" * 127, "con", "a\x7f"])
def test_names_that_nt_accepts(name: str) -> None:
    assert is_valid_name(name)


@pytest.mark.parametrize(
    "name",
    [
        *("", ".", "..", "a/b", "a\\b", "a\0b", "a\x1f", "\n", "a" * 256, "\U0001f600" * 128, "lone\ud800", "\udc80"),
        *(f"a{char}b" for char in '<>:"|?*'),
    ],
)
def test_names_that_nt_refuses(name: str) -> None:
    assert not is_valid_name(name)


@pytest.mark.parametrize(
    ("text", "folded"),
    [
        ("readme.TXT", "README.TXT"),
        ("stra\u00dfe", "STRA\u00dfE"),
        ("\u00e9\u00ff", "\u00c9\u0178"),
        ("\u0131\u017f\u00b5\u03c2", "\u0131\u017f\u00b5\u03c2"),
        ("\u01c5\u01c6", "\u01c5\u01c4"),
        ("\u1f80", "\u1f88"),
        ("\ufb01", "\ufb01"),
        ("\U00010428", "\U00010428"),
        ("\udce9", "\udce9"),
    ],
)
def test_upper_case_is_one_unit_for_one_unit_as_in_nt(text: str, folded: str) -> None:
    assert folded == upcase(text)


@given(st.text())
def test_upper_case_keeps_the_length_and_is_stable(text: str) -> None:
    folded = upcase(text)
    assert len(text) == len(folded)
    assert folded == upcase(folded)


def test_only_undecodable_bytes_change_in_text() -> None:
    assert "a:b?\uf1ff." == to_guest_text(os.fsdecode(b"a:b?\xff."))


def test_a_drive_letter_is_one_ascii_letter() -> None:
    assert ["C", "z"] == [text for text in ("C", "z", "", "1", "\u00e9", "CC", ":") if is_drive_letter(text)]
