"""File names on both sides: which are legal, how they compare, how odd ones cross over.

Windows forbids characters in names that Linux allows. Such host names are shown to the guest with the
offending characters moved into Unicode's private use area, as Cygwin, Interix and WSL do, so that a program
that lists them can also open them. The mapping is reversible: ``to_host_name(to_guest_name(n)) == n``.

    host                                    guest
    one of  " * : < > ? | \\ or 1..31       U+F000 + character
    a final dot or space (DOS drops those)  U+F02E, U+F020
    byte b >= 0x80 that is not UTF-8        U+F100 + b
    a character this table produces         U+F0FF, then the character itself

Sources: "Naming Files, Paths, and Namespaces" (Microsoft); Cygwin User's Guide, "Forbidden characters in filenames".
"""

from __future__ import annotations

ESCAPE = "\uf0ff"
MAX_COMPONENT = 255  # UTF-16 units, FILE_FS_ATTRIBUTE_INFORMATION.MaximumComponentNameLength of NTFS

_CONTROLS = "".join(map(chr, range(1, 32)))
_FORBIDDEN = frozenset('"*:<>?|/\\\0' + _CONTROLS)
_ENCODE = {ord(c): 0xF000 + ord(c) for c in '"*:<>?|\\' + _CONTROLS}
_ENCODE |= {0xDC00 + byte: 0xF100 + byte for byte in range(0x80, 0x100)}  # what os.fsdecode makes of a bad byte
_UNDECODABLE = {lone: private for lone, private in _ENCODE.items() if lone >= 0xDC80}
_DECODE = {chr(private): chr(plain) for plain, private in _ENCODE.items()}
_DECODE_LAST = {"\uf02e": ".", "\uf020": " "}
_PRODUCED = frozenset(_DECODE) | frozenset(_DECODE_LAST) | {ESCAPE}
_ENCODED = _PRODUCED | frozenset(map(chr, _ENCODE))


class _Upcase(dict[int, int]):
    """Upper case by code point, filled on demand, one unit to one unit.

    NT folds UTF-16 units, so nothing beyond U+FFFF; and it folds a character only where lower-casing the result
    gives the character back (a micro sign, a dotless i or a final sigma stay as they are).
    """

    __slots__ = ()

    def __missing__(self, code: int) -> int:
        if code > 0xFFFF:
            return code
        char = chr(code)
        upper = char.upper()
        if len(upper) != 1:
            upper = char.title()  # simple mapping of Greek letters with a iota below
        folded = ord(upper) if len(upper) == 1 and upper.lower() == char else code
        self[code] = folded if folded <= 0xFFFF else code
        return self[code]


_UPCASE = _Upcase()


def upcase(text: str) -> str:
    """``text`` in upper case as NT compares names (RtlUpcaseUnicodeString): same length, character by character."""
    return text.upper() if text.isascii() else text.translate(_UPCASE)


def is_valid_name(name: str) -> bool:
    """Whether the guest may use ``name`` as one path component.

    False for the empty name, ``.`` and ``..``, characters Windows forbids, unpaired surrogates (they have no
    spelling in a UTF-8 file system) and more than 255 UTF-16 units.
    """
    if not name or name == "." or name == ".." or not _FORBIDDEN.isdisjoint(name):
        return False
    if len(name) > MAX_COMPONENT:
        return False
    if name.isascii():
        return True
    if any("\ud800" <= c <= "\udfff" for c in name):
        return False
    return len(name) + sum(c > "\uffff" for c in name) <= MAX_COMPONENT


def is_drive_letter(text: str) -> bool:
    """Whether ``text`` is one ASCII letter."""
    return len(text) == 1 and text.isascii() and text.isalpha()


def to_guest_name(name: str) -> str:
    """The guest's spelling of one host file name (a str from ``os.listdir``)."""
    last = name[-1:]
    if last != "." and last != " " and _ENCODED.isdisjoint(name):
        return name
    if not _PRODUCED.isdisjoint(name):
        name = "".join(ESCAPE + c if c in _PRODUCED else c for c in name)
    if last == ".":
        name = name[:-1] + "\uf02e"
    elif last == " ":
        name = name[:-1] + "\uf020"
    return name.translate(_ENCODE)


def to_host_name(name: str) -> str:
    """The host's spelling of a valid guest file name; never ``.``, ``..`` or anything with a slash or NUL in it."""
    if name.isascii() or _PRODUCED.isdisjoint(name):
        return name
    plain: list[str] = []
    escaped = False
    end = len(name) - 1
    for index, char in enumerate(name):
        if escaped:
            escaped = False
            if char in _PRODUCED:
                plain[-1] = char
                continue
        if char == ESCAPE:
            escaped = True
        elif index == end and char in _DECODE_LAST:
            if "".join(plain) + _DECODE_LAST[char] not in (".", ".."):
                char = _DECODE_LAST[char]
        else:
            char = _DECODE.get(char, char)
        plain.append(char)
    return "".join(plain)


def to_guest_text(text: str) -> str:
    """Host text (an argument, a variable's value) for the guest: only bytes that are not UTF-8 are changed.

    They get the same spelling as in file names, so a name passed as an argument still opens.
    """
    return text if text.isascii() else text.translate(_UNDECODABLE)
