"""What the daemon can be told: TOML in /etc/lsw/lswd.toml (``lswd --user``: ~/.config/lsw/lswd.toml), each key also by
an environment variable, which goes before the file.

Each key is declared once, as a field below; checking, ``lswd --help``, ``lswd --check`` and the table in the
README come from that.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from typing import TYPE_CHECKING, Any

from lswd.cpu.select import ENGINES
from lswd.device.packet import SYSTEM_SOCKET, USER_SOCKET
from lswd.service.keys import ConfigError, Key, read, read_environment

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lswd.service.keys import Value

SYSTEM_FILE = "/etc/lsw/lswd.toml"
FILE_VARIABLE = "LSW_DAEMON_CONFIG"
LEVELS = ("error", "warning", "notice", "info", "debug")


def _setting(name: str, kind: str, default: Value, meaning: str, **limits: Any) -> Any:
    key = Key(name, kind, meaning, default, **limits)
    value = key.check(default) if kind == "mode" else default
    return field(default=value, metadata={"key": key})


@dataclass(frozen=True)
class Limits:
    """The table ``limits``: what one user can have, and how long things may take."""

    connections: int = _setting("limits.connections", "number", 64, "connections to the socket, per user", least=1)
    registrations: int = _setting(
        "limits.registrations", "number", 256, "registered processes, per user", least=1, most=1 << 16
    )
    processes: int = _setting("limits.processes", "number", 64, "programs running at once, per user", least=1)
    idle: int = _setting("limits.idle", "number", 300, "seconds that a user's session outlives its last use")
    drain: int = _setting("limits.drain", "number", 60, "seconds that programs get to end when lswd is stopped")


@dataclass(frozen=True)
class Settings:
    """All of it. Texts that are empty mean: none, or the usual one."""

    execute: str = _setting(
        "execute", "text", "emulate", "what EXECUTE does: run the program, or only say yes as the kernel module does",
        choices=("emulate", "acknowledge"),
    )  # fmt: skip
    device: str = _setting("device", "name", "lsw", "the device's name in /dev; empty: no device")
    group: str = _setting("group", "name", "lsw", "the group that the device node is given, if there is such a group")
    mode: int = _setting("mode", "mode", "0660", "the device node's permissions")
    socket: str = _setting("socket", "path", "", f"the socket's path; default {SYSTEM_SOCKET}")
    socket_mode: int = _setting("socket_mode", "mode", "0666", "the socket's permissions; callers are told apart")
    engine: str = _setting(
        "engine", "text", "auto", "what runs programs that do not ask for an engine", choices=("auto", *ENGINES)
    )
    log_level: str = _setting("log_level", "text", "info", "how important a message must be", choices=LEVELS)
    limits: Limits = field(default_factory=Limits)


def _keys() -> tuple[Key, ...]:
    declared = (*fields(Settings), *fields(Limits))
    return tuple(each.metadata["key"] for each in declared if "key" in each.metadata)


KEYS = _keys()


def value_of(settings: Settings, key: Key) -> Value:
    """The value that ``settings`` has for ``key``."""
    table, _, name = key.name.rpartition(".")
    found: Value = getattr(getattr(settings, table) if table else settings, name)
    return found


def make(values: Mapping[str, Value], user: bool = False) -> Settings:
    """Settings from names and values; the rest as it is by default, which is another for a user's daemon."""
    usual: dict[str, Value] = {"device": "", "socket_mode": 0o600} if user else {}
    values = {**usual, **values}
    limits = {name.removeprefix("limits."): value for name, value in values.items() if name.startswith("limits.")}
    plain: dict[str, Any] = {name: value for name, value in values.items() if "." not in name}
    return replace(Settings(), **plain, limits=replace(Limits(), **limits))  # type: ignore[arg-type]


def file_for(environ: Mapping[str, str], user: bool) -> str:
    """The file to read: the one LSW_DAEMON_CONFIG names, or the usual one if it exists, or ""."""
    path = environ.get(FILE_VARIABLE, "")
    if path:
        return path
    if user:
        home = environ.get("XDG_CONFIG_HOME") or os.path.join(environ.get("HOME") or "/nonexistent", ".config")
        path = os.path.join(home, "lsw", "lswd.toml")
    else:
        path = SYSTEM_FILE
    return path if os.path.exists(path) else ""


def load(environ: Mapping[str, str], *, path: str = "", user: bool = False) -> tuple[Settings, dict[str, str]]:
    """The settings, and where each that is not as by default comes from (key's name: file or variable).

    Args:
        path: ``--config``; goes before what ``environ`` and custom say.

    Raises:
        ConfigError: one line that names file or variable and key.
    """
    path = path or file_for(environ, user)
    from_file = read(path, KEYS) if path else {}
    from_environment = read_environment(environ, KEYS)
    sources = dict.fromkeys(from_file, path)
    sources |= {key.name: key.variable for key in KEYS if key.name in from_environment}
    return make({**from_file, **from_environment}, user), sources


def socket_path(settings: Settings, environ: Mapping[str, str], user: bool) -> str:
    """Where the socket is to be. Raises ConfigError: a user's daemon that has no runtime directory."""
    if settings.socket:
        return os.path.abspath(settings.socket)
    if not user:
        return SYSTEM_SOCKET
    directory = environ.get("XDG_RUNTIME_DIR", "")
    if not directory:
        raise ConfigError("XDG_RUNTIME_DIR is not set; say where the socket shall be with LSW_SOCKET=/a/path")
    return os.path.join(directory, USER_SOCKET)


def listing(settings: Settings, sources: Mapping[str, str]) -> str:
    """All keys with their values and where these come from, as ``lswd --check`` prints them."""
    width = max(len(key.name) for key in KEYS)
    rows = ((key.name, key.show(value_of(settings, key)), sources.get(key.name, "default")) for key in KEYS)
    return "".join(f"{name:{width}} = {value:14} {source}\n" for name, value, source in rows)


def table(keys: Sequence[Key] = KEYS) -> str:
    """All keys as a table in Markdown, for the documentation."""
    rows = ["| key | variable | default | |", "|---|---|---|---|"]
    for key in keys:
        default = key.default if key.kind == "mode" else key.show(key.default).strip('"')
        allowed = f" (`{'`, `'.join(key.choices)}`)" if key.choices else ""
        shown = f"`{default}`" if default != "" else ""
        rows.append(f"| `{key.name}` | `{key.variable}` | {shown} | {key.meaning}{allowed} |")
    return "\n".join(rows) + "\n"


def help_lines(keys: Sequence[Key] = KEYS) -> str:
    """All keys, for ``lswd --help``."""
    width = max(len(key.name) for key in keys)
    return "\n".join(f"  {key.name:{width}}  {key.variable}\n  {'':{width}}    {key.meaning}" for key in keys)
