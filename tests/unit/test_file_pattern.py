"""Wildcard expressions: NT's own, and what users write."""

from __future__ import annotations

import pytest

from lswd.kernel.file_pattern import Pattern, from_dos, has_wildcards


@pytest.mark.parametrize(
    ("expression", "matching", "failing"),
    [
        ("", "anything", ""),
        ("*", "a .b.c", ""),
        ("abc", "abc ABC aBc", "ab abcd"),
        ("*.txt", "a.txt .TXT a.b.txt", "txt a.txtx a.tx"),
        ("a*b*c", "abc aXbYc abbcc", "ab ac abcd"),
        ("?", "a .", "ab"),
        ("a?c", "abc a.c", "ac abbc"),
        ("*?", "a ab", ""),
        ("**", "a", ""),
        ("*a*a*a*a*a*a*b", "aaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaac"),
        ("<.txt", "a.txt a.b.txt .txt", "a.txt.b txt"),
        ("<", "a ab", "a.b a.b.c"),
        ("<.", "a. a.b.", "a.b"),
        ("a>>", "a ab abc", "abcd"),
        (">>.c", ".c a.c ab.c", "abc.c"),
        ('a"b', "a.b", "ab aab"),
        ('a"', "a a.", "ab"),
        ('a"*', "a a. a.b a.b.c", "ab"),
        ('a">', "a a. a.b", "a.bc ab"),
        ('*""', "a a. a..", ""),
        ("*<", "a a.b", ""),
        ("<*.b", "a.b a.b.b", "a.c"),
        ("<<.b", "a.b a.b.b", "a.b.c b"),
        ("*" + "?" * 255, "a" * 255, "a" * 254),
        ("ÄÖ*", "äöü ÄÖ", "ao"),
    ],
)
def test_an_expression_matches_as_the_file_systems_run_time_says(expression: str, matching: str, failing: str) -> None:
    pattern = Pattern(expression)
    assert matching.split() == [name for name in matching.split() if pattern.matches(name)]
    assert [] == [name for name in failing.split() if pattern.matches(name)]


@pytest.mark.parametrize(
    ("typed", "expression"),
    [
        ("*.*", "*"),
        ("*", "*"),
        ("*.txt", "<.txt"),
        ("?.c", ">.c"),
        ("a.*", 'a"*'),
        ("a.???", 'a">>>'),
        ("*.c*", "<.c*"),
        ("*.?", '<">'),
        ("plain.txt", "plain.txt"),
        ('already<">', 'already<">'),
    ],
)
def test_what_a_user_types_is_translated_as_windows_does(typed: str, expression: str) -> None:
    assert expression == from_dos(typed)


def test_a_plain_name_has_no_wildcards() -> None:
    assert [False, True, True, True] == [has_wildcards(text) for text in ("a.b", "a?", "*", "a<")]


def test_a_hostile_expression_takes_no_exponential_time() -> None:
    assert not Pattern("*a" * 100 + "b").matches("a" * 255)


@pytest.mark.timeout(20)
@pytest.mark.parametrize("part", ["*<", ">>", "<>", "*>", '<"', "*a"])
def test_a_senseless_expression_costs_no_more_than_others(part: str) -> None:
    pattern = Pattern(part * 16000)
    for _ in range(100):
        for name in ("a" * 255, "." * 255, "a." * 127):
            pattern.matches(name)
