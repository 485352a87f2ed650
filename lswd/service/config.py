"""The user's configuration file: TOML, at ``LSW_CONFIG`` or ``~/.config/lsw/config.toml``. Most users have none.

    prefix = "~/windows"      # as --prefix and LSW_PREFIX, which go before it
    userland = "/opt/wine-9"  # as LSW_USERLAND, which goes before it
    engine = "unicorn"        # as --engine, which goes before it

Relative paths are relative to the file's directory. A mistake is an error: a setting that is silently ignored costs
more time than it saves.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_PATHS = ("prefix", "userland")
_KEYS = (*_PATHS, "engine")
_LARGEST = 1 << 20


class ConfigError(Exception):
    """The configuration cannot be used; the message is one line that names the file and the field."""


class Config:
    """What the file says; an empty text is a setting it does not make."""

    __slots__ = ("engine", "prefix", "userland")

    def __init__(self, prefix: str = "", userland: str = "", engine: str = "") -> None:
        self.prefix = prefix
        self.userland = userland
        self.engine = engine


def load(environ: Mapping[str, str]) -> Config:
    """The configuration that applies to ``environ``; an empty one if there is no file.

    Raises:
        ConfigError: the file named by LSW_CONFIG does not exist; it cannot be read or parsed; it has an unknown key or
            a value of the wrong type.
    """
    path = environ.get("LSW_CONFIG", "")
    if not path:
        home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME") or "/nonexistent", ".config")
        path = os.path.join(home, "lsw", "config.toml")
        if not os.path.exists(path):
            return Config()
    return read(path)


def read(path: str) -> Config:
    """The configuration in the file ``path``. Raises ConfigError."""
    import tomllib

    try:
        with open(path, "rb") as file:
            values = tomllib.loads(file.read(_LARGEST).decode())
    except OSError as error:
        raise ConfigError(f"configuration {path}: {error.strerror}") from None
    except (ValueError, RecursionError) as error:  # TOMLDecodeError and UnicodeDecodeError are ValueErrors
        raise ConfigError(f"configuration {path}: not valid TOML: {str(error).splitlines()[0]}") from None
    config = Config()
    for key, value in values.items():
        if key not in _KEYS:
            raise ConfigError(f"configuration {path}: unknown setting {key!r}; there are {', '.join(_KEYS)}")
        if not isinstance(value, str) or not value or "\0" in value:
            raise ConfigError(f"configuration {path}: {key} must be a text in quotes, not {value!r}")
        if key in _PATHS:
            value = os.path.join(os.path.dirname(os.path.abspath(path)), os.path.expanduser(value))
        setattr(config, key, value)
    return config
