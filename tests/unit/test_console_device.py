"""The console device: its names, its handles and their IOCTLs, and the standard handles of a new process."""

from __future__ import annotations

import os
import struct
from pathlib import Path

import pytest

from lswd.kernel.console import protocol
from lswd.kernel.console.attach import NO_CONSOLE
from lswd.kernel.console.protocol import (
    CTRL_EVENT_PARAMETERS,
    FILL_PARAMETERS,
    OUTPUT_INFO,
    OUTPUT_PARAMETERS,
    SCROLL_PARAMETERS,
    SMALL_RECT,
)

from .console_guest import HEIGHT, WIDTH, Body, Consoles, Terminal, run_on_terminal, run_with_streams
from .file_guest import Files
from .guest_threads import Guest

GENERIC_READ, GENERIC_WRITE = 0x80000000, 0x40000000
STATUS_INVALID_HANDLE = 0xC0000008
STATUS_INVALID_PARAMETER = 0xC000000D
STATUS_ACCESS_DENIED = 0xC0000022
STATUS_BUFFER_TOO_SMALL = 0xC0000023
STATUS_OBJECT_NAME_NOT_FOUND = 0xC0000034
STATUS_NOT_SUPPORTED = 0xC00000BB
FILE_DEVICE_CONSOLE = 0x50
FileFsDeviceInformation = 4


def ulong(*values: int) -> bytes:
    return struct.pack(f"<{len(values)}I", *values)


# ---- standard handles


def test_redirected_streams_are_files_and_there_is_no_console(tmp_path: Path) -> None:
    target = tmp_path / "out"
    read_end, write_end = os.pipe()
    with open(target, "wb") as out:

        def program(guest: Guest, reference: int, handles: tuple[int, int, int]) -> Body:
            files = Files(guest)
            os.write(write_end, b"from the pipe")
            guest.log.append(reference == NO_CONSOLE)
            guest.log.append((yield from files.read(handles[0], 100)))
            guest.log.append((yield from files.write(handles[1], b"\xff\x00bytes")))
            for name in ("CONIN$", "CONOUT$", "CON"):
                guest.log.append((yield from files.create(f"\\??\\{name}", GENERIC_READ))[0])

        log = run_with_streams((read_end, out.fileno(), out.fileno()), program)
    os.close(read_end)
    os.close(write_end)
    assert [True, (0, b"from the pipe"), (0, 7), *[STATUS_INVALID_HANDLE] * 3] == log
    assert b"\xff\x00bytes" == target.read_bytes()


def test_a_stream_that_is_not_open_is_no_handle() -> None:
    read_end, write_end = os.pipe()
    os.close(write_end)

    def program(guest: Guest, reference: int, handles: tuple[int, int, int]) -> Body:
        guest.log.append(handles[1:])
        yield from guest.event()

    assert [(0, 0)] == run_with_streams((read_end, 987654, -1), program)
    os.close(read_end)


def test_one_terminal_among_the_streams_makes_a_console() -> None:
    terminal = Terminal()
    read_end, write_end = os.pipe()

    def program(guest: Guest, reference: int, handles: tuple[int, int, int]) -> Body:
        c = Consoles(guest, terminal, reference, handles)
        guest.log.append((yield from c.ioctl(c.input, protocol.GET_MODE, b"", 4))[0])
        yield from c.write(c.output, b"bytes")
        yield from c.write(c.error, b"text")
        guest.log.append((os.read(read_end, 100), terminal.shown()))
        handle = yield from c.open("\\??\\CONIN$")
        terminal.type("typed\n")
        guest.log.append((yield from c.read(handle, 100)))

    log = run_with_streams((read_end, write_end, terminal.slave), program)
    assert [0xC0000010, (b"bytes", "text"), (0, b"typed\r\n")] == log
    terminal.close()
    os.close(read_end)
    os.close(write_end)


# ---- names and access


@pytest.mark.parametrize(
    ("name", "access", "status"),
    [
        ("\\??\\CONIN$", GENERIC_READ | GENERIC_WRITE, 0),
        ("\\??\\conout$", GENERIC_WRITE, 0),
        ("\\??\\CON", GENERIC_READ, 0),
        ("\\??\\CON", GENERIC_WRITE, 0),
        ("\\??\\CON", GENERIC_READ | GENERIC_WRITE, STATUS_INVALID_PARAMETER),
        ("\\Device\\ConDrv\\Input", GENERIC_READ, 0),
        ("\\Device\\ConDrv\\Output", GENERIC_WRITE, 0),
        ("\\Device\\ConDrv\\ScreenBuffer", GENERIC_READ | GENERIC_WRITE, 0),
        ("\\Device\\ConDrv\\Connection", GENERIC_READ, 0),
        ("\\Device\\ConDrv\\Nothing", GENERIC_READ, STATUS_OBJECT_NAME_NOT_FOUND),
        ("\\Device\\ConDrv\\Server", GENERIC_READ, STATUS_NOT_SUPPORTED),
    ],
)
def test_names_of_the_device(name: str, access: int, status: int) -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        guest.log.append((yield from c.create(name, access, 1))[0])

    assert [status] == run_on_terminal(program)


def test_a_console_is_a_character_device() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        buffer = guest.room(8)
        yield "NtQueryVolumeInformationFile", c.output, c.block, buffer, 8, FileFsDeviceInformation
        guest.log.append(guest.value(buffer))

    assert [FILE_DEVICE_CONSOLE] == run_on_terminal(program)


def test_a_handle_does_what_it_was_opened_for() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        handle = yield from c.open("\\??\\CONOUT$", GENERIC_WRITE)
        guest.log.append((yield from c.ioctl(handle, protocol.GET_MODE, b"", 4))[0])
        guest.log.append((yield from c.ioctl(handle, protocol.SET_MODE, ulong(7)))[0])
        guest.log.append((yield from c.ioctl(c.output, protocol.READ_CONSOLE, b"", 4))[0])
        guest.log.append((yield from c.ioctl(c.input, protocol.WRITE_CONSOLE, b"a\0"))[0])

    assert [STATUS_ACCESS_DENIED, 0, STATUS_INVALID_HANDLE, STATUS_INVALID_HANDLE] == run_on_terminal(program)


def test_modes_are_those_a_fresh_console_has() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        guest.log.append((yield from c.number(c.input, protocol.GET_MODE)))
        guest.log.append((yield from c.number(c.output, protocol.GET_MODE)))
        guest.log.append((yield from c.ioctl(c.output, protocol.SET_MODE, b"\1"))[0])

    assert [0x1F7, 3, STATUS_INVALID_PARAMETER] == run_on_terminal(program)


def test_freeing_and_attaching_a_console() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        connection = yield from c.open("Connection", root=c.reference)
        yield from c.close(connection)
        guest.log.append((yield from c.ioctl(c.output, protocol.GET_MODE, b"", 4))[0])
        connection = yield from c.open("\\Device\\ConDrv\\Connection")
        guest.log.append((yield from c.create("Reference", GENERIC_READ, 1, root=connection))[0])
        guest.log.append((yield from c.ioctl(connection, protocol.BIND_PID, ulong(0xFFFFFFFF)))[0])
        guest.log.append((yield from c.create("Reference", GENERIC_READ, 1, root=connection))[0])
        guest.log.append((yield from c.number(c.output, protocol.GET_MODE)))
        guest.log.append((yield from c.ioctl(connection, protocol.BIND_PID, ulong(0xFFFFFFFF)))[0])

    assert [STATUS_INVALID_HANDLE, STATUS_INVALID_HANDLE, 0, 0, 3, STATUS_INVALID_HANDLE] == run_on_terminal(program)


# ---- the console as a whole


def test_code_pages() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        guest.log.append(struct.unpack("<3I", (yield from c.ioctl(c.reference, protocol.GET_INPUT_INFO, b"", 12))[1]))
        yield from c.ioctl(c.reference, protocol.SET_INPUT_INFO, ulong(2, 0, 65001, 0))
        guest.log.append(struct.unpack("<2I", (yield from c.ioctl(c.reference, protocol.GET_INPUT_INFO, b"", 8))[1]))
        for bad in (12345, 0, 1200):
            guest.log.append((yield from c.ioctl(c.reference, protocol.SET_INPUT_INFO, ulong(3, bad, bad, 0)))[0])

    assert [(437, 437, 0), (437, 65001), *[STATUS_INVALID_PARAMETER] * 3] == run_on_terminal(program)


def test_bytes_are_text_of_the_output_code_page() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.write(c.output, b"\xc9\xcd\xbb|")
        yield from c.ioctl(c.reference, protocol.SET_INPUT_INFO, ulong(2, 0, 65001, 0))
        yield from c.write(c.output, "ž".encode()[:1])
        yield from c.ioctl(c.output, protocol.WRITE_FILE, "ž".encode()[1:] + b"!")
        guest.log.append(c.terminal.shown())

    assert ["╔═╗|ž!"] == run_on_terminal(program)


def test_wide_text_goes_out_as_utf_8() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        text = "žluťoučký 日本 😀\r\n"
        guest.log.append((yield from c.ioctl(c.output, protocol.WRITE_CONSOLE, text.encode("utf-16-le")))[0])
        guest.log.append(c.terminal.shown())
        guest.log.append((yield from c.ioctl(c.output, protocol.WRITE_CONSOLE, b"abc"))[0])

    assert [0, "žluťoučký 日本 😀\r\n", STATUS_INVALID_PARAMETER] == run_on_terminal(program)


def test_a_very_long_text_is_written_whole() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        c.console.screen.display = None
        data = b"0123456789" * 20000
        yield from c.write(c.output, data)
        guest.log.append(c.console.screen.rows[-2].text)

    assert ["0123456789" * (WIDTH // 10)] == run_on_terminal(program)


def test_titles() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.ioctl(c.reference, protocol.SET_TITLE, "a title\x1b".encode("utf-16-le"))
        guest.log.append("]0;a title\a" in c.terminal.shown())
        for room in (8 + 100, 8 + 4, 4):
            status, answer = yield from c.ioctl(c.reference, protocol.GET_TITLE, b"", room)
            if status:
                guest.log.append(status)
            else:
                guest.log.append((int.from_bytes(answer[:4], "little"), answer[4:-4].decode("utf-16-le")))
        status, answer = yield from c.ioctl(c.reference, protocol.GET_TITLE, ulong(0), 100)
        guest.log.append(answer[:4])

    assert [True, (8, "a title\x1b"), (8, "a "), STATUS_INVALID_PARAMETER, bytes(4)] == run_on_terminal(program)


def test_the_processes_of_a_console() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        pid = guest.machine.process.pid
        status, answer = yield from c.ioctl(c.reference, protocol.GET_PROCESS_LIST, b"", 40)
        guest.log.append((status, answer == ulong(pid)))
        guest.log.append((yield from c.ioctl(c.reference, protocol.GET_PROCESS_LIST, b"", 3))[0])

    assert [(0, True), STATUS_INVALID_PARAMETER] == run_on_terminal(program)


def test_beeping() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.ioctl(c.reference, protocol.BEEP)
        guest.log.append(c.terminal.shown())

    assert ["\a"] == run_on_terminal(program)


def test_only_control_c_and_control_break_can_be_generated() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        event = CTRL_EVENT_PARAMETERS(Event=2, Group=0).pack(8)
        guest.log.append((yield from c.ioctl(c.reference, protocol.CTRL_EVENT, event))[0])
        event = CTRL_EVENT_PARAMETERS(Event=1, Group=4).pack(8)
        guest.log.append((yield from c.ioctl(c.reference, protocol.CTRL_EVENT, event))[0])
        guest.log.append((yield from c.ioctl(c.reference, protocol.CTRL_EVENT, event[:4]))[0])

    assert [STATUS_INVALID_PARAMETER, 0, STATUS_INVALID_PARAMETER] == run_on_terminal(program)


# ---- screen buffers


def info(c: Consoles) -> Body:
    status, answer = yield from c.ioctl(c.output, protocol.GET_OUTPUT_INFO, b"", OUTPUT_INFO.size(8))
    assert status == 0
    return OUTPUT_INFO.unpack(8, answer)


def set_info(c: Consoles, mask: int, **fields: int) -> Body:
    return (yield from c.ioctl(c.output, protocol.SET_OUTPUT_INFO, ulong(mask) + OUTPUT_INFO(**fields).pack(8)))[0]


def test_a_screen_buffer_is_as_large_as_the_terminal() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from c.write(c.output, b"ab\ncd")
        i = yield from info(c)
        guest.log.append((i.Width, i.Height, i.CursorX, i.CursorY, i.Attributes, i.CursorSize, i.CursorVisible))
        guest.log.append((i.WindowLeft, i.WindowTop, i.WindowRight, i.WindowBottom, i.MaximumWidth, i.MaximumHeight))
        guest.log.append((i.Colors[1], i.Colors[15]))
        _status, answer = yield from c.ioctl(c.output, protocol.GET_OUTPUT_INFO, b"", 164)
        guest.log.append(answer[100:].decode("utf-16-le"))

    size = (WIDTH, HEIGHT)
    window = (0, 0, WIDTH - 1, HEIGHT - 1, *size)
    assert [(*size, 2, 1, 7, 25, 1), window, (0x800000, 0xFFFFFF), "Consolas"] == run_on_terminal(program)


def test_setting_cursor_attributes_and_size() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        yield from set_info(c, protocol.SET_CURSOR_POSITION, CursorX=3, CursorY=0)
        yield from set_info(c, protocol.SET_ATTRIBUTES, Attributes=0x0C)
        yield from set_info(c, protocol.SET_CURSOR_GEOMETRY, CursorSize=50, CursorVisible=0)
        yield from c.write(c.output, b"x")
        guest.log.append(c.terminal.shown())
        yield from set_info(c, protocol.SET_SIZE, Width=WIDTH, Height=300)
        i = yield from info(c)
        guest.log.append((i.CursorX, i.CursorSize, i.CursorVisible, i.Attributes, i.Height, i.WindowBottom))

    log = run_on_terminal(program)
    assert ["\x1b[3C\x1b[?25l\x1b[0;91mx", (4, 50, 0, 0x0C, 300, HEIGHT - 1)] == log


@pytest.mark.parametrize(
    ("mask", "fields"),
    [
        (protocol.SET_CURSOR_POSITION, {"CursorX": WIDTH}),
        (protocol.SET_CURSOR_POSITION, {"CursorY": -1}),
        (protocol.SET_CURSOR_GEOMETRY, {"CursorSize": 0}),
        (protocol.SET_CURSOR_GEOMETRY, {"CursorSize": 101}),
        (protocol.SET_SIZE, {"Width": WIDTH - 1, "Height": HEIGHT}),
        (protocol.SET_SIZE, {"Width": WIDTH, "Height": 0}),
        (protocol.SET_SIZE, {"Width": 32767, "Height": 32767}),
        (protocol.SET_WINDOW, {"WindowRight": WIDTH, "WindowBottom": 3}),
        (protocol.SET_WINDOW, {"WindowLeft": 3, "WindowRight": 2, "WindowBottom": 3}),
    ],
)
def test_what_cannot_be_is_refused(mask: int, fields: dict[str, int]) -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        guest.log.append((yield from set_info(c, mask, **fields)))

    assert [STATUS_INVALID_PARAMETER] == run_on_terminal(program)


def test_cells_go_in_and_come_out() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        place = OUTPUT_PARAMETERS(X=2, Y=0, Mode=protocol.MODE_BOTH, Width=2).pack(8)
        cells = struct.pack("<8H", ord("a"), 7, ord("b"), 12, ord("c"), 7, ord("d"), 7)
        status, region = yield from c.ioctl(c.output, protocol.WRITE_OUTPUT, place + cells, 8)
        guest.log.append((status, struct.unpack("<4h", region)))
        status, answer = yield from c.ioctl(c.output, protocol.READ_OUTPUT, place, 8 + 16)
        guest.log.append(answer == region + cells)
        place = OUTPUT_PARAMETERS(X=1, Y=1, Mode=protocol.MODE_TEXT, Width=0).pack(8)
        status, count = yield from c.ioctl(c.output, protocol.WRITE_OUTPUT, place + "xyz".encode("utf-16-le"), 4)
        guest.log.append((status, count))
        status, answer = yield from c.ioctl(c.output, protocol.READ_OUTPUT, place, 6)
        guest.log.append(answer.decode("utf-16-le"))
        for bad in (OUTPUT_PARAMETERS(Mode=3), OUTPUT_PARAMETERS(Mode=0, Width=3)):
            guest.log.append((yield from c.ioctl(c.output, protocol.READ_OUTPUT, bad.pack(8), 100))[0])
        guest.log.append((yield from c.ioctl(c.output, protocol.READ_OUTPUT, place[:-1], 6))[0])

    expected = [(0, (2, 0, 3, 1)), True, (0, ulong(3)), "xyz", *[STATUS_INVALID_PARAMETER] * 3]
    assert expected == run_on_terminal(program)


def test_filling_and_scrolling() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        fill = FILL_PARAMETERS(X=0, Y=1, Mode=protocol.MODE_TEXT, Count=5, Wrap=1, Char=ord("="))
        guest.log.append((yield from c.number(c.output, protocol.FILL_OUTPUT, fill.pack(8))))
        scroll = SCROLL_PARAMETERS(
            Scroll=SMALL_RECT(Left=0, Top=1, Right=79, Bottom=1), X=0, Y=0,
            Clip=SMALL_RECT(Right=32767, Bottom=32767), Char=ord("."), Attributes=7,
        )  # fmt: skip
        guest.log.append((yield from c.ioctl(c.output, protocol.SCROLL, scroll.pack(8)))[0])
        guest.log.append([row.text.rstrip() for row in c.console.screen.rows[:2]])

    assert [5, 0, ["=====", "." * WIDTH]] == run_on_terminal(program)


def test_another_screen_buffer_can_be_active() -> None:
    def program(guest: Guest, c: Consoles) -> Body:
        other = yield from c.open("\\Device\\ConDrv\\ScreenBuffer", options=0)
        yield from c.ioctl(other, protocol.ACTIVATE)
        yield from c.write(c.output, b"there")
        guest.log.append(c.terminal.shown())
        current = yield from c.open("\\??\\CONOUT$")
        yield from c.close(other)
        guest.log.append(c.terminal.shown())
        yield from c.close(current)
        guest.log.append(c.terminal.shown())

    assert ["\x1b[?1049h\x1b[H\x1b[Jthere", "", "\x1b[?1049l\x1b[J"] == run_on_terminal(program)
