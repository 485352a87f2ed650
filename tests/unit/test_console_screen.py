"""Screen buffers, and what of them a terminal shows."""

from __future__ import annotations

from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lswd.kernel.console import region
from lswd.kernel.console.cells import TAIL
from lswd.kernel.console.console import Console
from lswd.kernel.console.keys import typed_character
from lswd.kernel.console.protocol import MODE_ATTRIBUTES, MODE_BOTH, MODE_TEXT
from lswd.kernel.console.screen import ScreenBuffer
from lswd.kernel.console.styles import has_background, sgr

from .terminal_emulator import Emulator, FakeTerminal

PROCESSED, WRAP, VT, NO_AUTO_RETURN = 1, 2, 4, 8
WIDTH, HEIGHT = 20, 6


class Desk:
    """A console on an emulated terminal."""

    def __init__(self, width: int = WIDTH, height: int = HEIGHT, row: int = 2) -> None:
        self.emulator = Emulator(width, height, row)
        self.start = row
        self.terminal = FakeTerminal(self.emulator)
        self.console = Console(cast(Any, self.terminal))

    @property
    def screen(self) -> ScreenBuffer:
        return self.console.screen

    def write(self, text: str) -> None:
        self.console.write(self.screen, text)

    @property
    def sent(self) -> str:
        return "".join(self.emulator.plain)

    def shown(self) -> list[str]:
        """The window's rows as the terminal has them; rows it has no lines for are blank."""
        emulator, screen = self.emulator, self.screen
        cursor = screen.y - screen.window_top
        first = emulator.y - cursor
        rows = emulator.rows(first, screen.window_height)
        return rows + [" " * emulator.width] * (screen.window_height - len(rows))

    def wrong_styles(self) -> list[tuple[int, int, str, str]]:
        """Cells that look different on the terminal: column, row, how, and how they should."""
        emulator, screen = self.emulator, self.screen
        first = emulator.y - (screen.y - screen.window_top)
        wrong = []
        for y in range(min(screen.window_height, len(emulator.lines) - first)):
            row = screen.rows[screen.window_top + y]
            for x, (character, shown) in enumerate(emulator.lines[first + y]):
                wanted = sgr(row.styles[x])[2:-1].removeprefix("0;")
                if character == " " and not has_background(row.styles[x]):
                    wanted = ""
                    shown = shown if has_background_sgr(shown) else ""
                if shown != wanted:
                    wrong.append((x, y, shown, wanted))
        return wrong

    def window(self) -> list[str]:
        """The window's rows as the buffer has them."""
        screen = self.screen
        rows = screen.rows[screen.window_top : screen.window_top + screen.window_height]
        return [row.text.replace(TAIL, "") for row in rows]


def has_background_sgr(parameters: str) -> bool:
    return any(p in ("4", "7", "9", "48") or p[:1] == "4" or p[:2] == "10" for p in parameters.split(";"))


def test_plain_output_is_plain_text() -> None:
    desk = Desk()
    desk.write("hello\r\nworld\r\n")
    assert "hello\nworld\n" == desk.sent
    assert (0, 2) == (desk.screen.x, desk.screen.y)


def test_many_lines_scroll_the_terminal_and_stay_plain_text() -> None:
    desk = Desk()
    for i in range(30):
        desk.write(f"line {i}\n")
    assert "".join(f"line {i}\n" for i in range(30)) == desk.sent
    assert desk.window() == desk.shown()
    assert ["line 25", "line 29"] == [desk.window()[0].rstrip(), desk.window()[4].rstrip()]


def test_what_was_on_the_terminal_before_is_left_alone() -> None:
    desk = Desk(row=3)
    desk.write("x\n" * 20)
    assert ["#" * WIDTH] * 3 == desk.emulator.rows(0, 3)


def test_a_long_line_wraps_by_itself() -> None:
    desk = Desk()
    desk.write("a" * (WIDTH + 3) + "\n")
    assert "a" * (WIDTH + 3) + "\n" == desk.sent
    assert (0, 2) == (desk.screen.x, desk.screen.y)


def test_a_line_of_exactly_the_width_leaves_the_cursor_on_the_next() -> None:
    desk = Desk()
    desk.write("a" * WIDTH)
    assert (0, 1) == (desk.screen.x, desk.screen.y)
    desk.write("\r\nb")
    assert "b" == desk.window()[2][0]
    assert desk.window() == desk.shown()


def test_without_wrapping_the_last_column_takes_what_comes() -> None:
    desk = Desk()
    desk.screen.mode = PROCESSED
    desk.write("abcdefghijklmnopqrstuvwxyz")
    assert "abcdefghijklmnopqrsz" == desk.window()[0]
    assert (WIDTH - 1, 0) == (desk.screen.x, desk.screen.y)
    assert desk.window() == desk.shown()


def test_control_characters_move_the_cursor() -> None:
    desk = Desk()
    desk.write("abc\b\bX\tY\rZ\a")
    assert "ZX      Y" == desk.window()[0].rstrip()
    assert 1 == desk.emulator.bells
    assert desk.window() == desk.shown()


def test_unprocessed_output_shows_control_characters_as_pictures() -> None:
    desk = Desk()
    desk.screen.mode = WRAP
    desk.write("a\nb\x1b[")
    assert "a◙b←[" == desk.shown()[0].rstrip()


def test_escape_sequences_mean_nothing_unless_asked_for() -> None:
    desk = Desk()
    desk.write("\x1b[31mred")
    assert "←[31mred" == desk.shown()[0].rstrip()
    assert "\x1b" not in desk.sent


@pytest.mark.parametrize(
    ("attributes", "sequence"),
    [(0x0C, "91"), (0x02, "32"), (0x17, "37;44"), (0x70, "30;47"), (0xF0, "30;107"), (0x8007, "4"), (0x4007, "7")],
)
def test_attributes_become_colors(attributes: int, sequence: str) -> None:
    desk = Desk()
    desk.screen.style = attributes
    desk.write("x")
    desk.screen.style = 7
    desk.write("y")
    assert f"\x1b[0;{sequence}mx\x1b[my" == desk.sent


def test_a_background_does_not_flow_into_new_lines() -> None:
    desk = Desk()
    desk.screen.style = 0x1F
    desk.write("blue")
    desk.screen.style = 7
    desk.write("\nplain")
    line = desk.emulator.y
    assert [""] * WIDTH == desk.emulator.styles(line)


def test_wide_characters_take_two_cells() -> None:
    desk = Desk()
    desk.write("日本\n" + "x" * (WIDTH - 1) + "語")
    assert f"日{TAIL}本{TAIL}" == desk.screen.rows[0].text[:4]
    assert f"語{TAIL}" == desk.screen.rows[2].text[:2]
    assert desk.window() == desk.shown()


def test_half_of_an_overwritten_wide_character_becomes_blank() -> None:
    desk = Desk()
    desk.write("日本\rx")
    assert f"x 本{TAIL}" == desk.screen.rows[0].text[:4]
    assert desk.window() == desk.shown()


def test_a_surrogate_pair_may_come_in_two_writes() -> None:
    desk = Desk()
    desk.write("\ud83d")
    desk.write("\ude00!")
    assert "😀!" == desk.shown()[0].rstrip()


def test_a_lone_surrogate_is_replaced() -> None:
    desk = Desk()
    desk.write("a\udc00b")
    assert "a\ufffdb" == desk.shown()[0].rstrip()


def test_combining_marks_go_with_the_character_before() -> None:
    desk = Desk()
    desk.write("e\u0301!")
    assert "e\u0301!" == desk.sent
    assert "e!" == desk.screen.rows[0].text[:2]


def test_the_cursor_moves_relatively() -> None:
    desk = Desk()
    desk.write("one\ntwo\nthree")
    desk.screen.move_to(1, 0)
    desk.write("N")
    assert ["oNe", "two", "three"] == [row.rstrip() for row in desk.window()[:3]]
    assert desk.window() == desk.shown()


def test_painting_the_whole_window_keeps_what_was_there_in_the_history() -> None:
    desk = Desk(row=4)
    region.fill(desk.screen, 0, 0, MODE_TEXT, WIDTH * HEIGHT, ord("."), 0)
    desk.screen.move_to(WIDTH - 1, HEIGHT - 1)
    desk.screen.flush()
    assert ["#" * WIDTH] * 4 == desk.emulator.rows(0, 4)
    assert ["." * WIDTH] * HEIGHT == desk.shown()


def test_clearing_the_window_is_short() -> None:
    desk = Desk()
    desk.write("a\nb\nc\nd")
    before = len(desk.sent)
    region.fill(desk.screen, 0, 0, MODE_TEXT, WIDTH * HEIGHT, 0x20, 0)
    desk.screen.move_to(0, 0)
    desk.screen.flush()
    assert "\x1b[3A\r\x1b[J" == desk.sent[before:]
    assert [" " * WIDTH] * HEIGHT == desk.shown()


def test_filling_returns_how_much_fits() -> None:
    desk = Desk()
    assert WIDTH + 3 == region.fill(desk.screen, WIDTH - 3, HEIGHT - 2, MODE_BOTH, 1000, ord("x"), 0x0C)
    assert 0 == region.fill(desk.screen, WIDTH, 0, MODE_TEXT, 5, ord("x"), 0)
    assert 5 == region.fill(desk.screen, WIDTH - 5, 0, MODE_TEXT, 9, ord("x"), 0, wrap=False)


def test_cells_are_read_as_they_were_written() -> None:
    desk = Desk()
    cells = b"".join(ord(c).to_bytes(2, "little") + (7 + i).to_bytes(2, "little") for i, c in enumerate("abcdef"))
    assert (1, 1, 3, 2) == region.write_rectangle(desk.screen, 1, 1, 3, cells)
    assert ((1, 1, 3, 2), cells) == region.read_rectangle(desk.screen, 1, 1, 3, 2)
    assert "bc".encode("utf-16-le") == region.read_run(desk.screen, 2, 1, MODE_TEXT, 2)
    assert b"\x08\0\x09\0" == region.read_run(desk.screen, 2, 1, MODE_ATTRIBUTES, 2)
    desk.screen.flush()
    assert desk.window() == desk.shown()


def test_a_rectangle_is_clipped_to_the_buffer() -> None:
    desk = Desk()
    cells = bytes(4 * 10 * 10)
    assert (WIDTH - 2, HEIGHT - 1, WIDTH - 1, HEIGHT - 1) == region.write_rectangle(
        desk.screen, WIDTH - 2, HEIGHT - 1, 10, cells
    )
    assert region.write_rectangle(desk.screen, WIDTH, 0, 10, cells) is None
    assert region.read_rectangle(desk.screen, 0, HEIGHT, 1, 1) is None


def test_wide_characters_are_read_with_their_halves_marked() -> None:
    desk = Desk()
    desk.write("日😀")
    attributes = region.read_run(desk.screen, 0, 0, MODE_ATTRIBUTES, 4)
    assert [0x107, 0x207, 0x107, 0x207] == [int.from_bytes(attributes[i : i + 2], "little") for i in range(0, 8, 2)]
    both = region.read_run(desk.screen, 0, 0, MODE_BOTH, 4)
    assert "日日😀" == b"".join(both[i : i + 2] for i in range(0, 16, 4)).decode("utf-16-le")


def test_a_string_is_read_without_halves() -> None:
    desk = Desk()
    desk.write("日😀b")
    assert "日😀b" == region.read_run(desk.screen, 0, 0, MODE_TEXT, 5).decode("utf-16-le")


def test_wide_characters_survive_being_read_and_written_back() -> None:
    desk = Desk()
    desk.write("a日😀b")
    string = region.read_run(desk.screen, 0, 0, MODE_TEXT, 6)
    assert 5 == region.write_run(desk.screen, 0, 2, MODE_TEXT, string)
    rectangle = region.read_rectangle(desk.screen, 0, 0, 6, 1)
    assert rectangle is not None
    region.write_rectangle(desk.screen, 0, 3, 6, rectangle[1])
    assert [desk.screen.rows[0].text] * 2 == [desk.screen.rows[2].text, desk.screen.rows[3].text]


def test_half_a_wide_character_cannot_be_put_into_a_cell() -> None:
    desk = Desk()
    cells = b"".join(ord(c).to_bytes(2, "little") + b"\7\0" for c in "a日\u0301")
    region.write_run(desk.screen, 0, 0, MODE_BOTH, cells)
    desk.screen.flush()
    assert "a\ufffd\ufffd" == desk.shown()[0].rstrip()


def test_a_string_ends_with_the_buffer() -> None:
    desk = Desk()
    assert 3 == region.write_run(desk.screen, WIDTH - 3, HEIGHT - 1, MODE_TEXT, "abcdef".encode("utf-16-le"))
    assert 0 == region.write_run(desk.screen, 0, HEIGHT, MODE_TEXT, "abcdef".encode("utf-16-le"))


def test_scrolling_a_rectangle_fills_what_it_leaves() -> None:
    desk = Desk()
    desk.write("0\n1\n2\n3\n4\n5")
    region.scroll(desk.screen, (0, 2, WIDTH - 1, 4), 0, 1, (0, 0, 999, 999), ord("*"), 7)
    desk.screen.flush()
    assert ["0", "2", "3", "4", "*" * WIDTH, "5"] == [row.rstrip() for row in desk.window()]
    assert desk.window() == desk.shown()


def test_scrolling_stays_inside_its_clip() -> None:
    desk = Desk()
    desk.write("0\n1\n2\n3\n4\n5")
    region.scroll(desk.screen, (0, 0, WIDTH - 1, 5), 0, -2, (0, 1, WIDTH - 1, 3), ord("*"), 7)
    assert ["0", "3", "4", "5", "4", "5"] == [row.rstrip() for row in desk.window()]


def test_scrolling_everything_out_clears_the_window() -> None:
    desk = Desk()
    desk.write("0\n1\n2")
    region.scroll(desk.screen, (0, 0, WIDTH - 1, HEIGHT - 1), 0, -HEIGHT, (0, 0, 999, 999), 0x20, 7)
    desk.screen.move_to(0, 0)
    desk.screen.flush()
    assert [" " * WIDTH] * HEIGHT == desk.shown()


def test_another_screen_buffer_shows_on_the_alternate_screen() -> None:
    desk = Desk()
    desk.write("main")
    other = desk.console.new_screen()
    desk.console.activate(other)
    desk.write("other")
    assert desk.emulator.alternate
    assert "other" == desk.shown()[0].rstrip()
    desk.console.screen_closed(other)
    assert not desk.emulator.alternate
    desk.write("!")
    assert "main!" == desk.shown()[0].rstrip()


def test_writing_to_a_hidden_buffer_sends_nothing() -> None:
    desk = Desk()
    other = desk.console.new_screen()
    desk.console.write(other, "unseen")
    assert "" == desk.sent
    assert "unseen" == other.rows[0].text.rstrip()


def test_a_taller_buffer_has_a_window_that_follows_the_cursor() -> None:
    desk = Desk()
    desk.screen.resize(WIDTH, 50)
    desk.write("\n".join(str(i) for i in range(20)))
    assert 14 == desk.screen.window_top
    assert desk.window() == desk.shown()
    desk.screen.move_to(0, 3)
    desk.screen.flush()
    assert 3 == desk.screen.window_top
    assert desk.window() == desk.shown()


def test_leaving_puts_the_terminal_right_again() -> None:
    desk = Desk()
    desk.screen.mode |= VT
    desk.screen.style = 0x1F
    desk.console.set_title("a title")
    desk.write("x\x1b[?25l\x1b[?2004h\x1b[?1049h")
    desk.console.close()
    emulator = desk.emulator
    assert (True, set(), False, "", 1) == (
        emulator.visible, emulator.modes, emulator.alternate, emulator.sgr, desk.terminal.restored,
    )  # fmt: skip
    assert desk.sent.endswith("\x1b[23;0t")


def test_a_resized_terminal_resizes_a_buffer_of_its_size() -> None:
    desk = Desk()
    desk.write("\n".join("01234"))
    desk.emulator.width, desk.emulator.height = 30, 4
    desk.console.resized()
    assert (30, 4) == (desk.screen.width, desk.screen.height)
    assert ["1", "2", "3", "4"] == [row.rstrip() for row in desk.window()]


# ---- escape sequences


def vt_desk(row: int = 0) -> Desk:
    desk = Desk(row=row)
    desk.screen.mode |= VT
    return desk


def test_colors_of_escape_sequences_reach_the_terminal_and_the_attributes() -> None:
    desk = vt_desk()
    desk.write("\x1b[31mr\x1b[1;32mg\x1b[38;5;208mo\x1b[38;2;1;2;3;48;5;17mt\x1b[0md")
    assert ["31", "32;1", "38;5;208;1", "38;2;1;2;3;48;5;17;1", ""] == desk.emulator.styles(0)[:5]
    assert [0x04, 0x0A, 0x0E, 0x18, 0x07] == [s & 0xFF for s in desk.screen.rows[0].styles[:5]]


def test_an_escape_sequence_may_come_in_pieces() -> None:
    desk = vt_desk()
    for piece in ("a\x1b", "[3", "1", "mb\x1b]0;ti", "tle\x07c"):
        desk.write(piece)
    assert "abc" == desk.shown()[0].rstrip()
    assert ["title"] == desk.emulator.titles


def test_an_endless_sequence_is_dropped() -> None:
    desk = vt_desk()
    for _ in range(20):
        desk.write("\x1b]0;" + "x" * 1000)
    desk.write("\x07ok")
    assert "ok" in "".join(desk.shown())


def test_cursor_sequences_count_from_the_window() -> None:
    desk = vt_desk(row=3)
    desk.write("\x1b[2J\x1b[3;5Hx\x1b[1;1Hy\x1b[2Bz\x1b[3Dw\x1b[10Gq\x1b[6dv")
    assert ["y", "", "wz  x    q", "", "", "          v"] == [row.rstrip() for row in desk.window()]
    assert desk.window() == desk.shown()


def test_erasing_sequences() -> None:
    desk = vt_desk()
    desk.write("aaaaa\r\nbbbbb\r\nccccc\x1b[2;3H\x1b[K\x1b[1;2H\x1b[1K\x1b[3;2H\x1b[J")
    assert ["  aaa", "bb", "c"] == [row.rstrip() for row in desk.window()[:3]]
    assert desk.window() == desk.shown()


def test_inserting_and_deleting() -> None:
    desk = vt_desk()
    desk.write("abcdef\r\n2\r\n3\x1b[1;2H\x1b[2P\x1b[3@\x1b[2;1H\x1b[L")
    assert ["a   def", "", "2", "3"] == [row.rstrip() for row in desk.window()[:4]]
    desk.write("\x1b[2M")
    assert ["a   def", "3"] == [row.rstrip() for row in desk.window()[:2]]
    assert desk.window() == desk.shown()


def test_only_the_rows_between_the_margins_scroll() -> None:
    desk = vt_desk()
    desk.write("0\r\n1\r\n2\r\n3\r\n4\r\n5\x1b[2;4r\x1b[4;1H\nx\x1b[r")
    assert ["0", "2", "3", "x", "4", "5"] == [row.rstrip() for row in desk.window()]
    assert desk.window() == desk.shown()


def test_saving_and_restoring_the_cursor() -> None:
    desk = vt_desk()
    desk.write("ab\x1b7\r\n\n\x1b[31mx\x1b8c")
    assert "abc" == desk.window()[0].rstrip()
    assert 7 == desk.screen.rows[0].styles[2]


def test_the_alternate_screen_comes_and_goes() -> None:
    desk = vt_desk(row=2)
    desk.write("before\x1b[?1049h\x1b[Halternate")
    assert "alternate" == desk.shown()[0].rstrip()
    desk.write("\x1b[?1049lafter")
    assert "beforeafter" == desk.shown()[0].rstrip()
    assert ["#" * WIDTH] * 2 == desk.emulator.rows(0, 2)


def test_questions_are_answered_by_typing() -> None:
    desk = vt_desk()
    desk.write("ab\x1b[6n")
    assert "\x1b[1;3R" == "".join(typed_character(record) for record in desk.console.input.records)


def test_line_drawing_letters_become_lines() -> None:
    desk = vt_desk()
    desk.write("\x1b(0lqk\x1b(Bq")
    assert "┌─┐q" == desk.shown()[0].rstrip()


def test_delayed_wrapping_waits_for_the_next_character() -> None:
    desk = vt_desk()
    desk.screen.mode |= NO_AUTO_RETURN
    desk.write("a" * WIDTH)
    assert (WIDTH - 1, 0) == (desk.screen.x, desk.screen.y)
    desk.write("\r\nb")
    assert "b" == desk.window()[1].rstrip()
    assert desk.window() == desk.shown()


def test_a_line_feed_alone_goes_straight_down_when_asked() -> None:
    desk = vt_desk()
    desk.screen.mode |= NO_AUTO_RETURN
    desk.write("ab\nc")
    assert ["ab", "  c"] == [row.rstrip() for row in desk.window()[:2]]
    assert desk.window() == desk.shown()


def test_hyperlinks_and_cursor_shapes_go_through() -> None:
    desk = vt_desk()
    desk.write("\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\\x1b[5 q")
    assert "\x1b]8;;http://x/\x1b\\link\x1b]8;;\x1b\\\x1b[5 q" == desk.sent


# ---- everything at once

_TEXT = st.text(alphabet=st.sampled_from("ab c\r\n\t\b日é😀"), max_size=40)
_SEQUENCE = st.sampled_from(
    ["\x1b[A", "\x1b[2B", "\x1b[5C", "\x1b[3D", "\x1b[H", "\x1b[4;7H", "\x1b[J", "\x1b[1J", "\x1b[2J", "\x1b[K",
     "\x1b[1K", "\x1b[L", "\x1b[2M", "\x1b[3@", "\x1b[2P", "\x1b[4X", "\x1b[2;5r", "\x1b[r", "\x1b[S", "\x1b[T",
     "\x1bM", "\x1bD", "\x1b[31m", "\x1b[44m", "\x1b[m", "\x1b[7m", "\x1b[38;5;9;48;5;20m", "\x1b7", "\x1b8"]
)  # fmt: skip
_COLUMN, _ROW = st.integers(0, WIDTH - 1), st.integers(0, HEIGHT - 1)
_OPERATION = st.one_of(
    st.tuples(st.just("write"), _TEXT),
    st.tuples(st.just("vt"), st.lists(st.one_of(_SEQUENCE, _TEXT), max_size=6).map("".join)),
    st.tuples(st.just("style"), st.sampled_from([7, 0x0C, 0x1F, 0x70, 0xF0])),
    st.tuples(st.just("move"), st.tuples(_COLUMN, _ROW)),
    st.tuples(st.just("fill"), st.tuples(_COLUMN, _ROW, st.integers(0, 150), st.sampled_from("x \u65e5"))),
    st.tuples(st.just("scroll"), st.tuples(_COLUMN, _ROW, _COLUMN, _ROW, _COLUMN, st.integers(-6, 6))),
)


def _apply(desk: Desk, kind: str, value: Any) -> None:
    screen = desk.screen
    if kind == "write":
        screen.mode = PROCESSED | WRAP
        desk.write(value)
    elif kind == "vt":
        screen.mode = PROCESSED | WRAP | VT
        desk.write(value)
    elif kind == "style":
        screen.style = value
    elif kind == "move":
        screen.move_to(*value)
    elif kind == "fill":
        x, y, count, character = value
        region.fill(screen, x, y, MODE_BOTH, count, ord(character), screen.style & 0xFFFF)
    else:
        left, top, right, bottom, x, y = value
        region.scroll(screen, (left, top, right, bottom), x, y, (0, 0, 99, 99), 0x20, screen.style & 0xFFFF)
    screen.flush()


@given(row=_ROW, operations=st.lists(_OPERATION, max_size=12))
def test_the_terminal_shows_the_window_whatever_a_program_does(row: int, operations: list[tuple[str, Any]]) -> None:
    desk = Desk(row=row)
    for kind, value in operations:
        _apply(desk, kind, value)
        assert desk.window() == desk.shown()
        assert [] == desk.wrong_styles()
    x = desk.emulator.x
    assert desk.screen.x == x
    assert ["#" * WIDTH] * row == desk.emulator.rows(0, row)
