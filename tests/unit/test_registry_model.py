"""Random changes through two registries on one file, compared with a plain model after each."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from lswd.kernel.registry import Key, Registry, snapshot
from lswd.kernel.registry.store import disconnect_all
from lswd.kernel.registry.values import encode
from lswd.ntdef.status import NtError
from tests.unit.registry_trees import APPS, settle, small_registry, small_seed

NAMES = ("Editor", "Player", "Recent", "a", "B", "ß", "\ud800")


@pytest.fixture(autouse=True)
def nothing_stays_open() -> Iterator[None]:
    yield
    disconnect_all()


class Model:
    """A key as nested dictionaries; volatile keys are left out, as each registry has its own."""

    def __init__(self) -> None:
        self.values: dict[str, bytes] = {}
        self.keys: dict[str, Model] = {}

    def dump(self) -> object:
        return sorted(self.values.items()), sorted((name, key.dump()) for name, key in self.keys.items())


def seeded() -> Model:
    """The model of the small tree's Apps key."""

    def model_of(path: str) -> Model:
        seed = small_seed().branch("MACHINE\\SOFTWARE\\" + path)
        model = Model()
        for name, plain in seed.values.items():
            assert not callable(plain)
            model.values[name] = encode(plain)[1]
        for child in seed.children.values():
            model.keys[child.name] = model_of(f"{path}\\{child.name}")
        return model

    return model_of("Apps")


def dump(key: Key) -> object:
    return (
        sorted((value.name, value.data) for value in key.values()),
        sorted((child.name, dump(child)) for child in key.subkeys()),
    )


def lookup(model: Model, name: str) -> str | None:
    return next((known for known in model.keys if known.upper() == name.upper()), None)


def walk(chance: random.Random, model: Model) -> tuple[Model | None, str, list[str]]:
    """A random place in the model: the parent (None for the top), the name there, the path."""
    parent: Model | None = None
    path: list[str] = []
    while model.keys and chance.random() < 0.7:
        name = chance.choice(sorted(model.keys))
        parent, model = model, model.keys[name]
        path.append(name)
    return parent, path[-1] if path else "", path


def change(chance: random.Random, registry: Registry, top: Model) -> None:
    """One random change, to the registry and the model."""
    parent, name, path = walk(chance, top)
    model = top if parent is None else parent.keys[name]
    key = registry.open("\\".join([APPS, *path]))
    what = chance.choice(("set", "set", "unset", "create", "create", "delete", "delete", "rename"))
    new = chance.choice(NAMES)
    try:
        if what == "set":
            data = bytes([chance.randrange(256)])
            known = next((known for known in model.values if known.upper() == new.upper()), new)
            model.values[known] = data
            key.set_value(new, 3, data)
        elif what == "unset" and model.values:
            known = chance.choice(sorted(model.values))
            del model.values[known]
            key.delete_value(known.upper() if known.isascii() else known)
        elif what == "create":
            known = lookup(model, new) or new
            assert (known not in model.keys) == registry.create(new, key)[1]
            model.keys.setdefault(known, Model())
        elif what == "delete" and parent is not None:
            key.delete()
            assert not model.keys
            del parent.keys[name]
        elif what == "rename" and parent is not None:
            key.rename(new)
            assert lookup(parent, new) is None
            parent.keys[new] = parent.keys.pop(name)
    except NtError:
        assert (what == "delete" and model.keys) or (what == "rename" and parent and lookup(parent, new))


@pytest.mark.parametrize("seed", range(6))
def test_two_registries_on_a_file_agree_with_a_model(
    tmp_path: Path, seed: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(snapshot, "YOUNG_NS", 0)
    chance = random.Random(seed)
    database = tmp_path / "registry.sqlite"
    registries = [small_registry(database), small_registry(database)]
    model = seeded()
    for _ in range(150):
        change(chance, chance.choice(registries), model)
        reader = chance.choice(registries)
        assert model.dump() == dump(reader.open(APPS))
        if chance.random() < 0.05:
            reader.close()
        if chance.random() < 0.05:  # all stop, and start again by the side file
            for registry in registries:
                registry.close()
            settle(database)
    for registry in registries:
        assert model.dump() == dump(registry.open(APPS))
        registry.close()
    assert model.dump() == dump(small_registry(database).open(APPS))
