"""The daemon's settings: one declaration a key, and mistakes that name it."""

from __future__ import annotations

from pathlib import Path

import pytest

from lswd.__main__ import main
from lswd.service.keys import ConfigError
from lswd.service.settings import KEYS, Limits, Settings, load, make, socket_path, table, value_of

README = Path(__file__).resolve().parent.parent.parent / "README.md"


def _file(tmp_path: Path, text: str) -> str:
    path = tmp_path / "lswd.toml"
    path.write_text(text)
    return str(path)


def test_without_a_file_all_is_as_declared() -> None:
    settings, sources = load({}, path="", user=True)
    assert ({}, "emulate", 0o660, Limits()) == (sources, settings.execute, settings.mode, settings.limits)


def test_the_file_sets_what_it_names_and_nothing_else(tmp_path: Path) -> None:
    text = 'execute = "acknowledge"\nmode = "0600"\nsocket = "here.sock"\n[limits]\nprocesses = 3\n'
    settings, sources = load({}, path=_file(tmp_path, text))
    assert ("acknowledge", 0o600, 3) == (settings.execute, settings.mode, settings.limits.processes)
    assert str(tmp_path / "here.sock") == settings.socket
    assert (Settings().group, Limits().idle) == (settings.group, settings.limits.idle)
    assert {"execute", "mode", "socket", "limits.processes"} == sources.keys()


def test_a_variable_goes_before_the_file(tmp_path: Path) -> None:
    path = _file(tmp_path, 'execute = "emulate"\nlimits.idle = 1\n')
    environ = {"LSW_EXECUTE": "acknowledge", "LSW_LIMITS_IDLE": "7", "LSW_DAEMON_CONFIG": path, "LSW_GROUP": ""}
    settings, sources = load(environ)
    assert ("acknowledge", 7, "") == (settings.execute, settings.limits.idle, settings.group)
    assert "LSW_EXECUTE" == sources["execute"]


@pytest.mark.parametrize("key", KEYS, ids=lambda key: key.name)
def test_every_key_can_be_set_both_ways(key: object, tmp_path: Path) -> None:
    from lswd.service.keys import Key

    assert isinstance(key, Key)
    samples = {"number": "3", "mode": "0640", "name": "other", "path": "/elsewhere", "text": "unicorn"}
    text = key.choices[-1] if key.choices else samples[key.kind]
    in_file = text if key.kind == "number" else f'"{text}"'
    from_file, _ = load({}, path=_file(tmp_path, f"{key.name} = {in_file}\n"))
    from_variable, _ = load({key.variable: text})
    assert value_of(from_file, key) == value_of(from_variable, key)
    assert value_of(from_file, key) != value_of(make({}), key)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ('exekute = "emulate"', "unknown setting 'exekute'; there are execute, device,"),
        ('execute = "maybe"', "execute must be one of emulate, acknowledge, not 'maybe'"),
        ("execute = true", "execute must be a text in quotes, not True"),
        ("mode = 660", "mode must be a text in quotes, not 660"),
        ('mode = "0999"', "mode must be permissions like \"0660\", not '0999'"),
        ('mode = "1777"', "mode must be permissions"),
        ("limits.processes = 0", "limits.processes must be a number from 1 to"),
        ('limits.processes = "1"', "limits.processes must be a number"),
        ("limits.processes = true", "limits.processes must be a number"),
        ("limits.handles = 1", "unknown setting 'limits.handles'"),
        ("limits = 1", "unknown setting 'limits'"),
        ('device = "a/b"', "device must be a name without slashes"),
        ('socket = ""', "socket must be a text in quotes"),
        ("execute =", "not valid TOML"),
    ],
)
def test_a_mistake_in_the_file_names_file_and_key(text: str, what: str, tmp_path: Path) -> None:
    path = _file(tmp_path, text)
    with pytest.raises(ConfigError) as caught:
        load({}, path=path)
    assert what in str(caught.value) and path in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("variable", "text", "what"),
    [
        ("LSW_EXECUTE", "x", "LSW_EXECUTE: execute must be one of"),
        ("LSW_LIMITS_PROCESSES", "many", "LSW_LIMITS_PROCESSES: limits.processes must be a number"),
        ("LSW_LIMITS_PROCESSES", "-1", "limits.processes must be a number"),
        ("LSW_LIMITS_PROCESSES", "9" * 5000, "limits.processes must be a number"),
        ("LSW_MODE", "rw", "LSW_MODE: mode must be permissions"),
    ],
)
def test_a_mistake_in_a_variable_names_it(variable: str, text: str, what: str) -> None:
    with pytest.raises(ConfigError) as caught:
        load({variable: text})
    assert what in str(caught.value)


def test_a_users_daemon_has_no_device_and_a_socket_of_its_own() -> None:
    settings, _ = load({}, user=True)
    assert ("", 0o600) == (settings.device, settings.socket_mode)
    assert "/run/user/7/lsw/lswd.sock" == socket_path(settings, {"XDG_RUNTIME_DIR": "/run/user/7"}, True)
    with pytest.raises(ConfigError, match="XDG_RUNTIME_DIR is not set"):
        socket_path(settings, {}, True)


def test_the_systems_socket_is_where_clients_look() -> None:
    assert "/run/lsw/lswd.sock" == socket_path(make({}), {}, False)


def test_the_readme_has_the_table_of_keys() -> None:
    assert table() in README.read_text()


def test_help_lists_every_key_and_its_variable(capsys: pytest.CaptureFixture[str]) -> None:
    assert 0 == main(["--help"])
    text = capsys.readouterr().out
    assert [] == [key.name for key in KEYS if f"  {key.name} " not in text or key.variable not in text]


def test_check_lists_values_and_where_they_come_from(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    path = _file(tmp_path, 'mode = "0600"\n')
    monkeypatch.setenv("LSW_EXECUTE", "acknowledge")
    assert 0 == main(["--check", "--config", path])
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["mode", "=", '"0600"', path] in lines
    assert ["execute", "=", '"acknowledge"', "LSW_EXECUTE"] in lines
    assert ["limits.idle", "=", "300", "default"] in lines
    assert len(KEYS) == len(lines)
