"""The form seeds are declared in: keys that exist without being stored.

A seed module declares flat tables, ``{key path: {value name: data}}``, and plants them below a branch. A branch is
filled when somebody first looks inside, so a launch loads only the modules of the keys it reads.
"""

from __future__ import annotations

from lswd.host.names import upcase
from lswd.kernel.registry.values import LINK_VALUE, Link, Value, encode

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from lswd.kernel.registry.values import Plain, SeedValue

# Last write time of every seeded key: 2024-01-01 00:00 UTC as a FILETIME.
SEED_TIME = 133_485_408_000_000_000


class SeedKey:
    """A seeded key.

    Attributes:
        name: as NT spells it.
        volatile: changes to the key stay in memory (the key shows a fact of the host or of this run).
    """

    __slots__ = ("_asked", "_children", "_encoded", "_fill", "_values", "name", "volatile")

    def __init__(self, name: str, fill: Callable[[SeedKey], None] | None = None, *, volatile: bool = False) -> None:
        self.name = name
        self.volatile = volatile
        self._children: dict[str, SeedKey] = {}
        self._values: dict[str, SeedValue] = {}
        self._encoded: dict[str, Value | None] | None = None
        self._asked: list[tuple[str, str, Callable[[], Plain]]] = []
        self._fill = fill

    def _filled(self) -> None:
        fill, self._fill = self._fill, None
        if fill is not None:
            self._encoded = None
            fill(self)

    @property
    def children(self) -> dict[str, SeedKey]:
        """Subkeys by upper-cased name."""
        if self._fill is not None:
            self._filled()
        return self._children

    @property
    def values(self) -> dict[str, SeedValue]:
        """Values by name; a callable's result is the data, asked for when the key's values are first read."""
        if self._fill is not None:
            self._filled()
        return self._values

    def encoded(self) -> dict[str, Value]:
        """The values as NT keeps them, by upper-cased name. Only those that are asked for are made anew each time."""
        values = self.values
        known = self._encoded
        if known is None:
            known = self._encoded = {
                upcase(name): None if callable(plain) else Value(name, *encode(plain)) for name, plain in values.items()
            }
            self._asked = [(upcase(name), name, plain) for name, plain in values.items() if callable(plain)]
        found = dict(known)
        for fold, name, plain in self._asked:
            found[fold] = Value(name, *encode(plain()))
        return found  # type: ignore[return-value]

    @property
    def link(self) -> bool:
        """Whether this is a symbolic link key."""
        return LINK_VALUE in self._values

    def branch(self, path: str, fill: Callable[[SeedKey], None] | None = None, *, volatile: bool = False) -> SeedKey:
        """The key at ``path`` below this one, made if missing. ``fill`` is called with it when it is looked into."""
        key = self
        for name in path.split("\\"):
            fold = upcase(name)
            child = key.children.get(fold)
            if child is None:
                child = key._children[fold] = SeedKey(name, volatile=key.volatile)
            key = child
        key.volatile = key.volatile or volatile
        if fill is not None:
            key._fill = fill
        return key

    def plant(self, table: Mapping[str, Mapping[str, SeedValue]], *, volatile: bool = False) -> None:
        """Add keys with their values; the path "" is this key."""
        for path, values in table.items():
            key = self.branch(path, volatile=volatile) if path else self
            key._values.update(values)

    def plant_links(self, links: Mapping[str, str]) -> None:
        """Add symbolic link keys: ``{path: full name of the target}``."""
        for path, target in links.items():
            self.branch(path)._values[LINK_VALUE] = Link(target)
