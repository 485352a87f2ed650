"""Arguments survive the trip through a Windows command line."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lswd.host.commandline import quote, split

ARGUMENT = st.text(st.characters(exclude_characters="\0"), max_size=20) | st.text(' \t\\"a\n', max_size=12)
PROGRAM = ARGUMENT.map(lambda text: text.replace('"', ""))


@given(PROGRAM, st.lists(ARGUMENT, max_size=6))
def test_split_undoes_quote(program: str, arguments: list[str]) -> None:
    argv = [program, *arguments]
    assert argv == split(quote(argv))


@given(st.text())
def test_any_command_line_can_be_split(line: str) -> None:
    assert ([] == split(line)) == (line == "")


@pytest.mark.parametrize(
    ("argv", "line"),
    [
        ([], ""),
        (["a.exe"], "a.exe"),
        ([""], '""'),
        (["C:\\Program Files\\a.exe", "x"], '"C:\\Program Files\\a.exe" x'),
        (["C:\\dir with end\\"], '"C:\\dir with end\\"'),
        (["a", ""], 'a ""'),
        (["a", "b c"], 'a "b c"'),
        (["a", "b\tc"], 'a "b\tc"'),
        (["a", "b\nc"], 'a "b\nc"'),
        (["a", 'b"c'], 'a "b\\"c"'),
        (["a", "b\\c"], "a b\\c"),
        (["a", "b\\"], "a b\\"),
        (["a", "b c\\"], 'a "b c\\\\"'),
        (["a", 'b\\"c'], 'a "b\\\\\\"c"'),
        (["a", "b\\\\ c"], 'a "b\\\\ c"'),
        (["a", "*.c", "'x'", "%PATH%", "^&"], "a *.c 'x' %PATH% ^&"),
    ],
)
def test_arguments_are_quoted_only_as_needed(argv: list[str], line: str) -> None:
    assert line == quote(argv)


@pytest.mark.parametrize(
    ("line", "arguments"),
    [
        # The examples of "Parsing C command-line arguments".
        ('x "abc" d e', ["abc", "d", "e"]),
        ('x a\\\\b d"e f"g h', ["a\\\\b", "de fg", "h"]),
        ('x a\\\\\\"b c d', ['a\\"b', "c", "d"]),
        ('x a\\\\\\\\"b c" d e', ["a\\\\b c", "d", "e"]),
        ('x a"b"" c d', ['ab" c d']),
        # and of its predecessors
        ('x "ab\\"c" "\\\\" d', ['ab"c', "\\", "d"]),
        ("x   a\t\tb  ", ["a", "b"]),
        ('x "" a""b', ["", "ab"]),
        ('x "open end', ["open end"]),
        ('x a\\b\\"', ['a\\b"']),
    ],
)
def test_command_lines_are_taken_apart_as_the_c_run_time_does(line: str, arguments: list[str]) -> None:
    assert arguments == split(line)[1:]


def test_backslashes_are_plain_in_the_program_and_quotes_may_be_anywhere_in_it() -> None:
    assert ["C:\\a b\\c", "d"] == split('C:\\"a b"\\c d')
    assert ["C:\\a\\", "b"] == split('"C:\\a\\" b')
    assert ["", "a"] == split(" a")


def test_what_a_command_line_cannot_carry_is_refused() -> None:
    with pytest.raises(ValueError, match="double quote"):
        quote(['a"b'])
    with pytest.raises(ValueError, match="NUL"):
        quote(["a", "b\0c"])
