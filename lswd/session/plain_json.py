"""``dumps`` and ``loads`` of the module json, without importing it: it brings the module re along, which takes a client
of the socket as long as all the rest of its launch.

Works on what CPython's json itself is accelerated by, where there is such a thing.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_accelerator: Any
try:
    import _json as _accelerator
except ImportError:
    _accelerator = None


class _Context:
    """What the scanner asks a JSONDecoder for."""

    strict = True
    object_hook = None
    object_pairs_hook = None
    parse_float = float
    parse_int = int
    parse_constant = float  # of "NaN" and "Infinity"


def dumps(value: Any) -> str:
    """A value of dictionaries with texts as keys, lists, texts, numbers, bool and None as JSON, in ASCII.

    Raises:
        TypeError: it is something else.
    """
    if _accelerator is None:
        import json

        return json.dumps(value)
    parts: list[str] = []
    _write(value, parts)
    return "".join(parts)


def _write(value: Any, parts: list[str]) -> None:
    if isinstance(value, str):
        parts.append(_accelerator.encode_basestring_ascii(value))
    elif value is None or isinstance(value, bool):
        parts.append({None: "null", True: "true", False: "false"}[value])
    elif isinstance(value, int | float):
        parts.append(repr(value))
    elif isinstance(value, dict):
        separator = "{"
        for key, each in value.items():
            parts.append(f"{separator}{_accelerator.encode_basestring_ascii(key)}: ")
            _write(each, parts)
            separator = ", "
        parts.append("}" if value else "{}")
    elif isinstance(value, list | tuple):
        separator = "["
        for each in value:
            parts.append(separator)
            _write(each, parts)
            separator = ", "
        parts.append("]" if value else "[]")
    else:
        raise TypeError(f"{type(value).__name__} is not for JSON")


def loads(data: bytes | str) -> Any:
    """The value that JSON text (UTF-8) stands for. Raises ValueError: it is none; RecursionError: it is too deep."""
    if _accelerator is None:
        import json

        return json.loads(data)
    text = (data.decode("utf-8") if isinstance(data, bytes) else data).strip(" \t\r\n")
    try:
        value, end = _accelerator.make_scanner(_Context())(text, 0)
    except StopIteration as nothing:
        raise ValueError(f"no value at {nothing.value}") from None
    if end != len(text):
        raise ValueError(f"more than one value, at {end}")
    return value
