"""Code pages as Python codecs: what bytes that programs write to a console mean.

Source: Microsoft "Code Page Identifiers".
"""

from __future__ import annotations

import codecs

from lswd.ntdef.status import STATUS_INVALID_PARAMETER, NtError

_NAMES = {
    10000: "mac-roman",
    20127: "ascii",
    20866: "koi8-r",
    20932: "euc-jp",
    21866: "koi8-u",
    51949: "euc-kr",
    54936: "gb18030",
    65000: "utf-7",
    65001: "utf-8",
}
_NOT_ASCII = frozenset((37, 500, 875, 1026, 1140, 65000))  # EBCDIC and shifting codes


def codec_of(code_page: int) -> str:
    """The name of the codec.

    Raises:
        NtError: STATUS_INVALID_PARAMETER when there is no such code page.
    """
    name = _NAMES.get(code_page)
    if name is None:
        name = f"iso8859-{code_page - 28590}" if 28591 <= code_page <= 28605 else f"cp{code_page:03d}"
    try:
        return codecs.lookup(name).name
    except LookupError:
        raise NtError(STATUS_INVALID_PARAMETER) from None


def is_ascii_superset(code_page: int) -> bool:
    """Do the bytes below 128 stand for themselves?"""
    return code_page not in _NOT_ASCII


def encode(text: str, code_page: int) -> bytes:
    """``text`` in a code page; "?" for what it does not have."""
    if text.isascii() and is_ascii_superset(code_page):
        return text.encode("ascii")
    whole = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return whole.encode(codec_of(code_page), "replace")


def decode(data: bytes, code_page: int) -> bytes:
    """Bytes of a code page as UTF-16."""
    return data.decode(codec_of(code_page), "replace").encode("utf-16-le", "surrogatepass")


class StreamDecoder:
    """Decodes text that arrives in pieces, which may end inside a character."""

    def __init__(self, code_page: int) -> None:
        self.code_page = code_page
        self._plain = is_ascii_superset(code_page)
        self._decoder: codecs.IncrementalDecoder | None = None
        self._codec = ""

    def decode(self, data: bytes) -> str:
        """The text of the next piece."""
        if self._decoder is None:
            if self._plain and data.isascii():
                return data.decode("ascii")
            self._decoder = codecs.getincrementaldecoder(codec_of(self.code_page))("replace")
        return self._decoder.decode(data)
