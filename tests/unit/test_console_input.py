"""A console's input: lines, key records, and what is done to the terminal for them."""

from __future__ import annotations

import os
from typing import Any

import pytest

from lswd.kernel.console import protocol
from lswd.kernel.console.keys import KeyDecoder, character_records, typed_character
from lswd.kernel.console.protocol import KEY_EVENT_RECORD

from .console_guest import Body, Consoles, run_on_terminal
from .guest_threads import PREEMPT, Guest

LINE, ECHO, PROCESSED, VT_INPUT = 2, 4, 1, 0x200
SHIFT, CONTROL, ALT, ENHANCED = 0x10, 0x08, 0x02, 0x100
STATUS_TIMEOUT = 0x102
STATUS_INVALID_PARAMETER = 0xC000000D


# ---- keys


def pressed(records: list[bytes]) -> list[tuple[int, str, int]]:
    """The keys that go down: virtual key, character, modifiers. Each must be released at once."""
    events = [KEY_EVENT_RECORD.unpack(8, r) for r in records]
    downs, ups = events[0::2], events[1::2]
    assert [1] * len(downs) == [e.KeyDown for e in downs]
    assert [0] * len(ups) == [e.KeyDown for e in ups]
    return [(e.VirtualKeyCode, chr(e.Char), e.ControlKeyState) for e in downs]


@pytest.mark.parametrize(
    ("sent", "keys"),
    [
        (b"a", [(0x41, "a", 0)]),
        (b"A", [(0x41, "A", SHIFT)]),
        (b"1!", [(0x31, "1", 0), (0x31, "!", SHIFT)]),
        (b"\r", [(0x0D, "\r", 0)]),
        (b"\t", [(0x09, "\t", 0)]),
        (b"\x7f", [(0x08, "\b", 0)]),
        (b"\x08", [(0x08, "\x7f", CONTROL)]),
        (b"\x03", [(0x43, "\x03", CONTROL)]),
        (b"\x1a", [(0x5A, "\x1a", CONTROL)]),
        (b"\x1b[A", [(0x26, "\0", ENHANCED)]),
        (b"\x1bOB", [(0x28, "\0", ENHANCED)]),
        (b"\x1b[1;5C", [(0x27, "\0", ENHANCED | CONTROL)]),
        (b"\x1b[3~", [(0x2E, "\0", ENHANCED)]),
        (b"\x1b[15;2~", [(0x74, "\0", SHIFT)]),
        (b"\x1bOP", [(0x70, "\0", 0)]),
        (b"\x1b[Z", [(0x09, "\t", SHIFT)]),
        (b"\x1bx", [(0x58, "x", ALT)]),
        (b"\x1b\x1b[A", [(0x1B, "\x1b", 0), (0x26, "\0", ENHANCED)]),
        ("ž".encode(), [(0, "ž", 0)]),
        ("😀".encode(), [(0, "\ud83d", 0), (0, "\ude00", 0)]),
        (b"\x1b[200~", []),
        (b"\x1b[?1;2c", []),
    ],
)
def test_what_a_terminal_sends_becomes_keys(sent: bytes, keys: list[tuple[int, str, int]]) -> None:
    assert keys == pressed(KeyDecoder().feed(sent))


def test_a_sequence_may_come_in_pieces() -> None:
    decoder = KeyDecoder()
    assert [] == decoder.feed(b"\x1b") + decoder.feed(b"[1;") + decoder.feed(b"2") + decoder.feed("é".encode()[:0])
    assert decoder.incomplete
    assert [(0x26, "\0", ENHANCED | SHIFT)] == pressed(decoder.feed(b"A"))
    assert [] == decoder.feed("é".encode()[:1])
    assert [(0, "é", 0)] == pressed(decoder.feed("é".encode()[1:]))


@pytest.mark.parametrize(
    ("sent", "keys"),
    [(b"\x1b", [(0x1B, "\x1b", 0)]), (b"\x1b[", [(0xDB, "[", ALT)]), (b"\x1bO", [(0x4F, "O", SHIFT | ALT)])],
)
def test_the_beginning_of_a_sequence_alone_was_typed(sent: bytes, keys: list[tuple[int, str, int]]) -> None:
    decoder = KeyDecoder()
    assert [] == decoder.feed(sent)
    assert keys == pressed(decoder.give_up())
    assert not decoder.incomplete


def test_an_endless_sequence_ends() -> None:
    decoder = KeyDecoder()
    decoder.feed(b"\x1b[" + b"1;" * 1000)
    assert [(0x41, "a", 0)] == pressed(decoder.feed(b"a"))[-1:]


def test_sequences_can_be_had_as_they_are() -> None:
    records = KeyDecoder().feed(b"\x1b[A", sequences=False)
    assert "\x1b[A" == "".join(map(typed_character, records))


# ---- lines


def logged(program: Any) -> list[Any]:
    return run_on_terminal(program)


def test_a_line_ends_in_cr_lf() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        c.terminal.type("hello\nnext\n")
        guest.log.append((yield from c.read(c.input, 100)))
        guest.log.append((yield from c.text(c.input, protocol.READ_CONSOLE)))

    assert [(0, b"hello\r\n"), "next\r\n"] == logged(program)


def test_a_read_waits_for_the_line() -> None:
    def reader(guest: Guest, handle: int) -> Body:
        c = consoles[0]
        guest.log.append((yield from c.read(c.input, 100)))

    def program(guest: Guest, c: Consoles) -> Body:
        consoles.append(c)
        thread = yield from guest.thread(reader)
        yield PREEMPT
        guest.log.append("nothing yet")
        c.terminal.type("at last\n")
        yield from guest.wait(thread)

    consoles: list[Consoles] = []
    assert ["nothing yet", (0, b"at last\r\n")] == logged(program)


def test_a_long_line_is_read_in_parts() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        c.terminal.type("žluť 😀\n")
        guest.log.append((yield from c.text(c.input, protocol.READ_CONSOLE, 6)))
        guest.log.append((yield from c.text(c.input, protocol.READ_CONSOLE, 6)))
        yield from c.ioctl(c.reference, protocol.SET_INPUT_INFO, (1).to_bytes(4, "little") + b"\xe9\xfd\0\0" + bytes(4))
        guest.log.append((yield from c.read(c.input, 2)))
        guest.log.append((yield from c.read(c.input, 100)))

    assert ["žlu", "ť \ud83d", (0, "\ufffd".encode()[:2]), (0, "\ufffd".encode()[2:] + b"\r\n")] == logged(program)


def test_bytes_are_in_the_input_code_page() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        for code_page in (852, 65001):
            data = (1).to_bytes(4, "little") + code_page.to_bytes(4, "little") + bytes(8)
            yield from c.ioctl(c.reference, protocol.SET_INPUT_INFO, data)
            c.terminal.type("ž\n")
            guest.log.append((yield from c.read(c.input, 100)))

    assert [(0, b"\xa7\r\n"), (0, b"\xc5\xbe\r\n")] == logged(program)


def test_control_d_and_control_z_are_the_end() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        c.terminal.type("\x04")
        guest.log.append((yield from c.read(c.input, 100)))
        thread = yield from guest.thread(reader)
        yield PREEMPT
        c.terminal.type("\x1a\n")
        yield from guest.wait(thread)
        c.terminal.type("part\x04")
        guest.log.append((yield from c.read(c.input, 100)))

    def reader(guest: Guest, _: int) -> Body:
        c = consoles[0]
        guest.log.append((yield from c.read(c.input, 100)))

    consoles: list[Consoles] = []

    def start(guest: Guest, c: Consoles) -> Body:
        consoles.append(c)
        yield from program(guest, c)

    assert [(0, b""), (0, b""), (0, b"part")] == logged(start)


def test_read_console_gives_control_z_as_it_is() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        for character in "\x1a\r":
            yield from c.ioctl(c.input, protocol.WRITE_INPUT, b"".join(character_records(character)))
        guest.log.append((yield from c.text(c.input, protocol.READ_CONSOLE)))

    assert ["\x1a\r\n"] == logged(program)


def test_the_terminal_edits_lines_itself_and_stops_at_control_z_only_between_reads() -> None:
    def reader(guest: Guest, _: int) -> Body:
        yield from consoles[0].read(consoles[0].input, 100)

    def program(guest: Guest, c: Consoles) -> Body:
        consoles.append(c)
        guest.log.append(("before", c.terminal.flag("ICANON"), c.terminal.flag("ECHO"), c.terminal.suspends()))
        thread = yield from guest.thread(reader)
        yield PREEMPT
        guest.log.append(("reading", c.terminal.flag("ICANON"), c.terminal.flag("ECHO"), c.terminal.suspends()))
        c.terminal.type("\n")
        yield from guest.wait(thread)
        guest.log.append(("after", c.terminal.flag("ICANON"), c.terminal.flag("ECHO"), c.terminal.suspends()))

    consoles: list[Consoles] = []
    expected = [("before", True, True, True), ("reading", True, True, False), ("after", True, True, True)]
    assert expected == logged(program)


def test_what_is_typed_moves_the_cursor() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.write(c.output, b"name: ")
        c.terminal.type("Bob\n")
        yield from c.read(c.input, 100)
        screen = c.console.screen
        guest.log.append((screen.x, screen.y, screen.rows[0].text.rstrip()))
        c.terminal.shown()
        yield from c.write(c.output, b"hello")
        guest.log.append(c.terminal.shown())

    assert [(0, 1, "name: Bob"), "hello"] == logged(program)


def test_a_password_is_not_shown() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        mode = yield from c.number(c.input, protocol.GET_MODE)
        yield from c.ioctl(c.input, protocol.SET_MODE, (mode & ~ECHO).to_bytes(4, "little"))
        guest.log.append((c.terminal.flag("ICANON"), c.terminal.flag("ECHO")))
        c.terminal.type("secret\n")
        guest.log.append((yield from c.read(c.input, 100)))
        guest.log.append((c.terminal.shown(), c.console.screen.x, c.console.screen.y))
        yield from c.ioctl(c.input, protocol.SET_MODE, mode.to_bytes(4, "little"))
        guest.log.append(c.terminal.flag("ECHO"))

    assert [(True, False), (0, b"secret\r\n"), ("", 0, 0), True] == logged(program)


def test_without_line_input_each_character_comes_at_once() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.ioctl(c.input, protocol.SET_MODE, bytes(4))
        guest.log.append([c.terminal.flag(name) for name in ("ICANON", "ECHO", "ISIG")])
        c.terminal.type("a\r\x03")
        guest.log.append((yield from c.read(c.input, 100)))

    assert [[False, False, False], (0, b"a\r\x03")] == logged(program)


def test_type_ahead_of_a_terminal_in_raw_mode_is_the_line_s_beginning() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.ioctl(c.input, protocol.PEEK, b"", 20)
        guest.log.append(c.terminal.flag("ICANON"))
        c.terminal.type("axx\x7f\x7fb\rcd")
        yield from c.ioctl(c.input, protocol.PEEK, b"", 20)
        guest.log.append((yield from c.read(c.input, 100)))
        guest.log.append(c.terminal.flag("ICANON"))
        c.terminal.type("e\n")
        guest.log.append((yield from c.read(c.input, 100)))

    assert [False, (0, b"ab\r\n"), True, (0, b"cde\r\n")] == logged(program)


def test_a_control_read_begins_with_the_text_that_is_there() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        c.terminal.type("end\n")
        data = bytes(4) + "start ".encode("utf-16-le")
        status, answer = yield from c.ioctl(c.input, protocol.READ_CONSOLE_CONTROL, data, 100)
        guest.log.append((status, answer[:4], answer[4:].decode("utf-16-le")))

    assert [(0, bytes(4), "start end\r\n")] == logged(program)


def test_the_end_of_the_terminal_is_the_end_of_input() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        os.close(c.terminal.master)
        guest.log.append((yield from c.read(c.input, 100)))
        guest.log.append((yield from c.read(c.input, 100)))
        status, _ = yield from c.ioctl(c.input, protocol.READ_INPUT, b"", 20)
        guest.log.append(hex(status))
        c.terminal.master = os.open(os.devnull, os.O_RDONLY)

    assert [(0, b""), (0, b""), "0xc0000008"] == logged(program)


# ---- records


def keys(data: bytes) -> str:
    return "".join(typed_character(data[i : i + 20]) for i in range(0, len(data), 20))


def test_records_are_peeked_at_counted_and_read() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.ioctl(c.input, protocol.PEEK, b"", 20)
        c.terminal.type("ab")
        _, peeked = yield from c.ioctl(c.input, protocol.PEEK, b"", 200)
        guest.log.append((len(peeked) // 20, keys(peeked)))
        guest.log.append((yield from c.number(c.input, protocol.GET_INPUT_COUNT)))
        _, first = yield from c.ioctl(c.input, protocol.READ_INPUT, b"", 20)
        _, rest = yield from c.ioctl(c.input, protocol.READ_INPUT, b"", 200)
        guest.log.append((keys(first), keys(rest), len(rest) // 20))

    assert [(4, "ab"), 4, ("a", "b", 3)] == logged(program)


def test_reading_records_waits_for_a_key() -> None:
    def reader(guest: Guest, _: int) -> Body:
        _, data = yield from consoles[0].ioctl(consoles[0].input, protocol.READ_INPUT, b"", 20)
        guest.log.append(keys(data))

    def program(guest: Guest, c: Consoles) -> Body:
        consoles.append(c)
        thread = yield from guest.thread(reader)
        yield PREEMPT
        c.terminal.type("k")
        yield from guest.wait(thread)

    consoles: list[Consoles] = []
    assert ["k"] == logged(program)


def test_the_handle_is_signalled_while_there_are_records() -> None:
    def typist(guest: Guest, _: int) -> Body:
        yield PREEMPT
        guest.log.append("typing")
        consoles[0].terminal.type("\x1b[A")

    def program(guest: Guest, c: Consoles) -> Body:
        consoles.append(c)
        guest.log.append((yield from guest.wait(c.input, 0)))
        guest.log.append((yield from guest.wait(c.input, 0.001)))
        yield from guest.thread(typist)
        guest.log.append((yield from guest.wait(c.input)))
        guest.log.append((yield from guest.wait(c.input)))
        _, data = yield from c.ioctl(c.input, protocol.READ_INPUT, b"", 40)
        guest.log.append(KEY_EVENT_RECORD.unpack(8, data).VirtualKeyCode)
        guest.log.append((yield from guest.wait(c.input, 0)))

    consoles: list[Consoles] = []
    assert [STATUS_TIMEOUT, STATUS_TIMEOUT, "typing", 0, 0, 0x26, STATUS_TIMEOUT] == logged(program)


def test_escape_alone_is_a_key_after_a_moment() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.ioctl(c.input, protocol.PEEK, b"", 20)
        c.terminal.type("\x1b")
        _, data = yield from c.ioctl(c.input, protocol.READ_INPUT, b"", 20)
        guest.log.append(keys(data))

    assert ["\x1b"] == logged(program)


def test_written_records_come_back() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        data = b"".join(character_records("q"))
        yield from c.ioctl(c.input, protocol.WRITE_INPUT, data)
        _, answer = yield from c.ioctl(c.input, protocol.READ_INPUT, b"", 100)
        guest.log.append(answer == data)
        status, _ = yield from c.ioctl(c.input, protocol.WRITE_INPUT, data[:-1])
        guest.log.append(status)

    assert [True, STATUS_INVALID_PARAMETER] == logged(program)


def test_flushing_forgets_what_was_typed() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        c.terminal.type("old\n")
        yield from c.ioctl(c.input, protocol.FLUSH)
        c.terminal.type("new\n")
        guest.log.append((yield from c.read(c.input, 100)))

    assert [(0, b"new\r\n")] == logged(program)


def test_asking_for_the_code_page_leaves_the_terminal_alone_but_polling_for_keys_does_not() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.ioctl(c.reference, protocol.GET_INPUT_INFO, b"", 12)
        guest.log.append(c.terminal.flag("ICANON"))
        os.write(c.terminal.master, b"k")  # not a line, so nobody can read it before the mode changes
        count = 0
        for _ in range(1000):
            _, info = yield from c.ioctl(c.input, protocol.GET_INPUT_INFO, b"", 12)
            count = int.from_bytes(info[8:], "little")
            if count:
                break
        guest.log.append((count, c.terminal.flag("ICANON")))

    assert [True, (2, False)] == logged(program)


def test_the_terminal_is_given_back_as_it_was() -> None:
    before_and_after = []

    def program(guest: Guest, c: Consoles) -> Body:
        before_and_after.append(c.terminal)
        yield from c.ioctl(c.input, protocol.SET_MODE, bytes(4))
        guest.log.append(c.terminal.flag("ICANON"))
        c.console.close()
        guest.log.append((c.terminal.flag("ICANON"), c.terminal.flag("ECHO"), c.terminal.suspends()))

    assert [False, (True, True, True)] == logged(program)


def test_sequences_come_as_characters_when_asked_for() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.ioctl(c.input, protocol.SET_MODE, VT_INPUT.to_bytes(4, "little"))
        c.terminal.type("\x1b[A")
        guest.log.append((yield from c.read(c.input, 100)))

    assert [(0, b"\x1b[A")] == logged(program)
