"""From a terminal's bytes to key records, and from characters to keys.

A terminal sends characters and escape sequences, not keys: each becomes a press and a release as a US keyboard would
make them.
Source: Microsoft "KEY_EVENT_RECORD", "Virtual-Key Codes"; xterm "Control Sequences" (PC-style function keys).
"""

from __future__ import annotations

import codecs

from lswd.kernel.console.protocol import (
    ENHANCED_KEY,
    KEY_EVENT,
    KEY_EVENT_RECORD,
    LEFT_ALT_PRESSED,
    LEFT_CTRL_PRESSED,
    RECORD_SIZE,
    SHIFT_PRESSED,
)

VK_BACK = 0x08
VK_TAB = 0x09
VK_RETURN = 0x0D
VK_MENU = 0x12
VK_ESCAPE = 0x1B

_ROWS = (  # scan code of the first key; the keys without and with shift; their virtual keys
    (0x02, "1234567890-=", "!@#$%^&*()_+", (*b"1234567890", 0xBD, 0xBB)),
    (0x10, "qwertyuiop[]", "QWERTYUIOP{}", (*b"QWERTYUIOP", 0xDB, 0xDD)),
    (0x1E, "asdfghjkl;'`", 'ASDFGHJKL:"~', (*b"ASDFGHJKL", 0xBA, 0xDE, 0xC0)),
    (0x2B, "\\zxcvbnm,./", "|ZXCVBNM<>?", (0xDC, *b"ZXCVBNM", 0xBC, 0xBE, 0xBF)),
    (0x39, " ", "", (0x20,)),
)

# Cursor and function keys: (virtual key, scan code), by what ends an ESC [ or ESC O sequence and by its number
_BY_FINAL = {
    "A": (0x26, 0x48), "B": (0x28, 0x50), "C": (0x27, 0x4D), "D": (0x25, 0x4B), "E": (0x0C, 0x4C), "F": (0x23, 0x4F),
    "H": (0x24, 0x47), "P": (0x70, 0x3B), "Q": (0x71, 0x3C), "R": (0x72, 0x3D), "S": (0x73, 0x3E),
}  # fmt: skip
_BY_NUMBER = {
    1: (0x24, 0x47), 2: (0x2D, 0x52), 3: (0x2E, 0x53), 4: (0x23, 0x4F), 5: (0x21, 0x49), 6: (0x22, 0x51),
    7: (0x24, 0x47), 8: (0x23, 0x4F), 11: (0x70, 0x3B), 12: (0x71, 0x3C), 13: (0x72, 0x3D), 14: (0x73, 0x3E),
    15: (0x74, 0x3F), 17: (0x75, 0x40), 18: (0x76, 0x41), 19: (0x77, 0x42), 20: (0x78, 0x43), 21: (0x79, 0x44),
    23: (0x7A, 0x57), 24: (0x7B, 0x58),
}  # fmt: skip
_ENHANCED = frozenset((0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x27, 0x28, 0x2D, 0x2E))
_LONGEST_SEQUENCE = 64


def _layout() -> dict[str, tuple[int, int, int]]:
    keys: dict[str, tuple[int, int, int]] = {}
    for first, plain, shifted, virtual in _ROWS:
        for i, key in enumerate(virtual):
            keys[plain[i]] = (key, first + i, 0)
            if shifted:
                keys[shifted[i]] = (key, first + i, SHIFT_PRESSED)
    for i in range(1, 27):  # Ctrl-A to Ctrl-Z
        key, scan, _ = keys[chr(0x60 + i)]
        keys[chr(i)] = (key, scan, LEFT_CTRL_PRESSED)
    for control, letter in (("\x1c", "\\"), ("\x1d", "]"), ("\x1e", "6"), ("\x1f", "-"), ("\0", "2")):
        key, scan, _ = keys[letter]
        keys[control] = (key, scan, LEFT_CTRL_PRESSED)
    keys["\t"] = (VK_TAB, 0x0F, 0)
    keys["\r"] = (VK_RETURN, 0x1C, 0)
    keys["\n"] = (VK_RETURN, 0x1C, LEFT_CTRL_PRESSED)
    keys["\b"] = (VK_BACK, 0x0E, 0)
    keys["\x7f"] = (VK_BACK, 0x0E, LEFT_CTRL_PRESSED)
    keys["\x1b"] = (VK_ESCAPE, 0x01, 0)
    return keys


_keys: dict[str, tuple[int, int, int]] = {}


def key_of(character: str) -> tuple[int, int, int]:
    """Virtual key, scan code and modifiers that type ``character``; zeros when no key does."""
    if not _keys:
        _keys.update(_layout())
    return _keys.get(character, (0, 0, 0))


def key_records(unit: int, key: int, scan: int, state: int) -> list[bytes]:
    """A key pressed and released: two INPUT_RECORDs."""
    return [
        KEY_EVENT_RECORD(
            EventType=KEY_EVENT,
            KeyDown=down,
            RepeatCount=1,
            VirtualKeyCode=key,
            VirtualScanCode=scan,
            Char=unit,
            ControlKeyState=state,
        ).pack(8)
        for down in (1, 0)
    ]


def character_records(character: str, state: int = 0) -> list[bytes]:
    """The records that typing ``character`` makes; a character beyond the BMP is two keys, one for each half."""
    code = ord(character)
    if code > 0xFFFF:
        code -= 0x10000
        return key_records(0xD800 | code >> 10, 0, 0, state) + key_records(0xDC00 | code & 0x3FF, 0, 0, state)
    key, scan, modifiers = key_of(character)
    return key_records(code, key, scan, modifiers | state)


def typed_character(record: bytes) -> str:
    """The character (a UTF-16 unit) that a record types, "" when it types none."""
    event = KEY_EVENT_RECORD.unpack(8, record)
    if event.EventType != KEY_EVENT or not event.Char:
        return ""
    if not event.KeyDown and event.VirtualKeyCode != VK_MENU:  # releasing Alt ends a character typed by its number
        return ""
    return chr(event.Char) * max(1, min(event.RepeatCount, 64)) if event.KeyDown else chr(event.Char)


class KeyDecoder:
    """Turns what a terminal in raw mode sends into records."""

    def __init__(self) -> None:
        self._utf8 = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""

    @property
    def incomplete(self) -> bool:
        """Is an escape sequence, or the Escape key, still to be decided?"""
        return bool(self._pending)

    def feed(self, data: bytes, *, sequences: bool = True) -> list[bytes]:
        """Records for ``data``.

        Args:
            sequences: False gives escape sequences as the characters they are (ENABLE_VIRTUAL_TERMINAL_INPUT).
        """
        text = self._pending + self._utf8.decode(data)
        self._pending = ""
        records: list[bytes] = []
        i = 0
        while i < len(text):
            if text[i] != "\x1b" or not sequences:
                records += character_records("\b" if text[i] == "\x7f" else "\x7f" if text[i] == "\b" else text[i])
                i += 1
                continue
            end = self._sequence_end(text, i)
            if end < 0:
                self._pending = text[i:]
                break
            records += self._sequence(text[i:end])
            i = end
        return records

    def give_up(self) -> list[bytes]:
        """Nothing followed: what looked like the beginning of a sequence was typed."""
        pending, self._pending = self._pending, ""
        if len(pending) == 2 and pending[1] in "[O":
            return character_records(pending[1], LEFT_ALT_PRESSED)
        return [record for character in pending for record in character_records(character)]

    @staticmethod
    def _sequence_end(text: str, start: int) -> int:
        """Where the escape sequence at ``start`` ends; -1 when more must come."""
        if start + 1 >= len(text):
            return -1
        kind = text[start + 1]
        if kind == "O":
            return start + 3 if start + 2 < len(text) else -1
        if kind != "[":
            return start + 2 if kind != "\x1b" else start + 1
        for i in range(start + 2, min(len(text), start + _LONGEST_SEQUENCE)):
            if "@" <= text[i] <= "~":
                return i + 1
        return -1 if len(text) - start < _LONGEST_SEQUENCE else start + _LONGEST_SEQUENCE

    @staticmethod
    def _sequence(text: str) -> list[bytes]:
        if text == "\x1b":
            return character_records(text)
        if text[1] not in "[O":
            character = "\b" if text[1] == "\x7f" else text[1]
            return character_records(character, LEFT_ALT_PRESSED)
        final, body = text[-1], text[2:-1]
        parts = [int(p[:4]) if p.isdigit() else 0 for p in body.split(";")]
        state = 0
        if len(parts) > 1 and parts[1]:
            bits = parts[1] - 1
            state = (SHIFT_PRESSED if bits & 1 else 0) | (LEFT_ALT_PRESSED if bits & 2 else 0)
            state |= LEFT_CTRL_PRESSED if bits & 4 else 0
        if final == "Z":
            return key_records(9, VK_TAB, 0x0F, SHIFT_PRESSED)
        found = _BY_NUMBER.get(parts[0]) if final == "~" else _BY_FINAL.get(final)
        if found is None or body.startswith(("?", "<", ">")):
            return []
        key, scan = found
        return key_records(0, key, scan, state | (ENHANCED_KEY if key in _ENHANCED else 0))


__all__ = ["RECORD_SIZE", "KeyDecoder", "character_records", "key_of", "key_records", "typed_character"]
