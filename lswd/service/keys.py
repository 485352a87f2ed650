"""What can be set in a file or by a variable: one ``Key`` each, from which reading, checking and the lists in help and
documentation come.

Used by ``config`` (a user's launches) and ``settings`` (the daemon's). Imports nothing slow: launches read it.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from typing import TypeAlias

    Value: TypeAlias = str | int

LARGEST_FILE = 1 << 20


class ConfigError(Exception):
    """The configuration cannot be used; the message is one line that names the file or variable and the field."""


class Key:
    """One thing to set.

    Attributes:
        name: as in the file; ``table.name`` for one in a table.
        kind: "text", "path" (relative ones: to the file's directory), "name" (a text that may be empty), "mode"
            (permissions, octal) or "number".
        variable: the environment variable that goes before the file.
        choices: all that is allowed, for a text. least, most: bounds of a number.
    """

    __slots__ = ("choices", "default", "kind", "least", "meaning", "most", "name", "variable")

    def __init__(
        self,
        name: str,
        kind: str,
        meaning: str = "",
        default: Value = "",
        *,
        choices: Sequence[str] = (),
        least: int = 0,
        most: int = 1 << 20,
    ) -> None:
        self.name = name
        self.kind = kind
        self.meaning = meaning
        self.default = default
        self.variable = "LSW_" + name.replace(".", "_").upper()
        self.choices = tuple(choices)
        self.least = least
        self.most = most

    def check(self, value: object) -> Value:
        """The value as it comes from a file. Raises ValueError: what it should have been."""
        if self.kind == "number":
            if type(value) is not int or not self.least <= value <= self.most:
                raise ValueError(f"{self.name} must be a number from {self.least} to {self.most}, not {value!r}")
            return value
        if not isinstance(value, str) or "\0" in value or not (value or self.kind == "name"):
            raise ValueError(f"{self.name} must be a text in quotes, not {value!r}")
        if self.choices and value not in self.choices:
            raise ValueError(f"{self.name} must be one of {', '.join(self.choices)}, not {value!r}")
        if self.kind == "name" and ("/" in value or value in (".", "..")):
            raise ValueError(f"{self.name} must be a name without slashes, not {value!r}")
        if self.kind == "mode":
            try:
                mode = int(value, 8)
            except ValueError:
                mode = -1
            if not 0 <= mode <= 0o777:
                raise ValueError(f'{self.name} must be permissions like "0660", not {value!r}')
            return mode
        return value

    def check_text(self, text: str) -> Value:
        """The value as it comes from an environment variable. Raises ValueError."""
        if self.kind == "number" and text.isascii() and text.isdecimal() and len(text) < 10:
            return self.check(int(text))
        return self.check(text)

    def show(self, value: Value) -> str:
        """The value as it would be written in a file."""
        if self.kind == "mode" and isinstance(value, int):
            return f'"{value:04o}"'
        return str(value) if isinstance(value, int) else '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def read(path: str, keys: Sequence[Key]) -> dict[str, Value]:
    """The settings that a TOML file makes, by their names; paths are absolute.

    Raises:
        ConfigError: it cannot be read or parsed; it has an unknown key or a value that the key cannot have.
    """
    import tomllib

    try:
        with open(path, "rb") as file:
            values = tomllib.loads(file.read(LARGEST_FILE).decode())
    except OSError as error:
        raise ConfigError(f"configuration {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise ConfigError(f"configuration {path}: not valid TOML: {str(error).splitlines()[0]}") from None
    known = {key.name: key for key in keys}
    made: dict[str, Value] = {}
    for name, value in _flat(values, known):
        if name not in known:
            raise ConfigError(f"configuration {path}: unknown setting {name!r}; there are {', '.join(known)}")
        try:
            checked = known[name].check(value)
        except ValueError as error:
            raise ConfigError(f"configuration {path}: {error}") from None
        if known[name].kind == "path" and isinstance(checked, str):
            checked = os.path.join(os.path.dirname(os.path.abspath(path)), os.path.expanduser(checked))
        made[name] = checked
    return made


def _flat(values: Mapping[str, object], known: Mapping[str, Key]) -> Iterator[tuple[str, object]]:
    """Names and values, those of tables with the table's name in front."""
    tables = {name.partition(".")[0] for name in known if "." in name}
    for name, value in values.items():
        if name in tables and isinstance(value, dict):
            yield from ((f"{name}.{inner}", each) for inner, each in value.items())
        else:
            yield name, value


def read_environment(environ: Mapping[str, str], keys: Sequence[Key]) -> dict[str, Value]:
    """The settings that variables make; an empty one makes none, unless the key may be empty. Raises ConfigError."""
    made: dict[str, Value] = {}
    for key in keys:
        text = environ.get(key.variable)
        if text is None or not (text or key.kind == "name"):
            continue
        try:
            made[key.name] = key.check_text(text)
        except ValueError as error:
            raise ConfigError(f"{key.variable}: {error}") from None
    return made
