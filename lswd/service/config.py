"""The user's configuration file: TOML, at ``LSW_CONFIG`` or ``~/.config/lsw/config.toml``. Most users have none.

    prefix = "~/windows"      # as --prefix and LSW_PREFIX, which go before it
    userland = "/opt/wine-9"  # as LSW_USERLAND, which goes before it
    engine = "unicorn"        # as --engine, which goes before it
    confine = "strict"        # as --confine and LSW_CONFINE, which go before it
    network = "loopback"      # as --network and LSW_NETWORK, which go before it
    limit = "memory=1G"       # as --limit and LSW_LIMIT, which go before it
    windows_version = "win7"  # as --windows-version and LSW_WINDOWS_VERSION, which go before it

Relative paths are relative to the file's directory. A mistake is an error: a setting that is silently ignored costs
more time than it saves.
"""

from __future__ import annotations

from lswd.service.config_file import find
from lswd.service.keys import ConfigError, Key
from lswd.service.keys import read as read_keys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

_KEYS = (
    Key("prefix", "path"), Key("userland", "path"), Key("engine", "text"),
    Key("confine", "text", choices=("on", "off", "strict")),
    Key("network", "text", choices=("on", "loopback", "off")), Key("limit", "text"), Key("windows_version", "text"),
)  # fmt: skip


class Config:
    """What the file says; an empty text is a setting it does not make."""

    __slots__ = ("confine", "engine", "limit", "network", "prefix", "userland", "windows_version")

    def __init__(
        self,
        prefix: str = "",
        userland: str = "",
        engine: str = "",
        network: str = "",
        windows_version: str = "",
        confine: str = "",
        limit: str = "",
    ) -> None:
        self.confine = confine
        self.limit = limit
        self.network = network
        self.prefix = prefix
        self.userland = userland
        self.engine = engine
        self.windows_version = windows_version


def load(environ: Mapping[str, str]) -> Config:
    """The configuration that applies to ``environ``; an empty one if there is no file.

    Raises:
        ConfigError: the file named by LSW_CONFIG does not exist; it cannot be read or parsed; it has an unknown key or
            a value of the wrong type.
    """
    path = find(environ)
    return read(path) if path else Config()


def read(path: str) -> Config:
    """The configuration in the file ``path``. Raises ConfigError."""
    return Config(**{name: str(value) for name, value in read_keys(path, _KEYS).items()})


__all__ = ["Config", "ConfigError", "find", "load", "read"]
