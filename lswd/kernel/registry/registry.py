"""The tree as a whole: names to keys, links on the way, and the view 32-bit programs have.

Sources: ZwOpenKey, ZwCreateKey, "Registry Keys Affected by WOW64" (Microsoft). Error codes were compared with Wine's.
"""

from __future__ import annotations

from lswd.host.names import upcase
from lswd.kernel.registry.key import MAX_KEY_NAME, Key, units
from lswd.kernel.registry.store import Store
from lswd.ntdef.status import (
    STATUS_INVALID_PARAMETER,
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_OBJECT_PATH_SYNTAX_BAD,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from lswd.kernel.registry.seed import SeedKey

_MAX_LINKS = 32
_WOW64 = "WOW6432NODE"
# Below Software\Classes only these have a 32-bit side.
_WOW64_CLASSES = frozenset(["CLSID", "DIRECTSHOW", "INTERFACE", "MEDIA TYPE", "MEDIAFOUNDATION"])


class Registry:
    """The registry of one user.

    Attributes:
        root: ``\\REGISTRY``; may be given a name in the object namespace, where it parses the rest of a name by
            ``open(rest, base=root)``.
    """

    def __init__(
        self, database: str | None, seed: Callable[[], SeedKey], report: Callable[[str], None] | None = None
    ) -> None:
        """Nothing is read or loaded yet.

        Args:
            database: the file for changes, made with the first of them; None keeps changes in memory.
            seed: gives the seeded tree, called at the first use.
            report: told, once each, why the file cannot be used (one line for the user's log).
        """
        self.store = Store(database, report)
        self._seed = seed
        self._root: Key | None = None
        self._polled = 0

    @property
    def root(self) -> Key:
        if self._root is None:
            seed = self._seed()
            self._root = Key(self.store, None, seed.name, seed)
        return self._root

    def open(self, path: str, base: Key | None = None, *, open_link: bool = False, view32: bool = False) -> Key:
        """The key called ``path``: a full name, or one relative to ``base``.

        Args:
            open_link: the last component may be a link key itself (OBJ_OPENLINK).
            view32: names are a 32-bit program's (or KEY_WOW64_32KEY was asked for).

        Raises:
            NtError: STATUS_OBJECT_NAME_NOT_FOUND, also for links that lead nowhere or in a circle;
                STATUS_OBJECT_PATH_SYNTAX_BAD; STATUS_OBJECT_PATH_NOT_FOUND outside ``\\REGISTRY``;
                STATUS_INVALID_PARAMETER for a component that is too long; STATUS_KEY_DELETED for ``base``.
            RegistryError: the registry's file cannot be used.
        """
        key, missing = self._walk(path, base, open_link, view32)
        if missing:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        return key

    def create(
        self,
        path: str,
        base: Key | None = None,
        *,
        class_name: str = "",
        volatile: bool = False,
        link: bool = False,
        open_link: bool = False,
        view32: bool = False,
    ) -> tuple[Key, bool]:
        """The key called ``path``, and whether it was made: only a missing last component is.

        Args:
            class_name: of a new key.
            volatile: a new key lives in memory (REG_OPTION_VOLATILE).
            link: make a link key (REG_OPTION_CREATE_LINK).

        Raises:
            NtError: as ``open``; STATUS_OBJECT_NAME_COLLISION when the key exists and ``link`` was asked for,
                STATUS_CHILD_MUST_BE_VOLATILE, STATUS_ACCESS_DENIED directly below ``\\REGISTRY``.
        """
        key, missing = self._walk(path, base, open_link or link, view32)
        created = False
        if missing:
            key, created = key.create_child(missing, class_name, volatile, link)
        if link and not created:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        return key, created

    def _walk(self, path: str, base: Key | None, open_link: bool, view32: bool) -> tuple[Key, str]:
        """The key ``path`` names and "", or the key that lacks the last component and that component."""
        key = self.root if base is None else base
        parts = self._split(path, absolute=base is None)
        key.check()
        plain = 0 if view32 else len(parts) + 1  # parts from here on are seen the 32-bit way
        if parts and key.link:
            key, parts, plain = self._follow(key, parts, plain)
        index = links = 0
        while index < len(parts):
            part = parts[index]
            fold = upcase(part)
            last = index == len(parts) - 1
            if index >= plain:
                key = self._view32(key, fold)
            child = key.child(fold)
            if child is None:
                if not last:
                    raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
                return key, part
            if child.link and not (last and open_link):
                links += 1
                if links > _MAX_LINKS:
                    raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
                key, parts, plain = self._follow(child, parts[index + 1 :], max(0, plain - index - 1))
                index = 0
                continue
            key = child
            index += 1
        if index >= plain:
            key = self._view32(key, "")
        return key, ""

    def _follow(self, link: Key, rest: list[str], plain: int) -> tuple[Key, list[str], int]:
        """Where a walk goes on after a link. A link's target is meant as it is written, whoever follows it."""
        target = link.link_target()
        if not target.startswith("\\"):
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        parts = self._split(target, absolute=True)
        return self.root, parts + rest, len(parts) + plain

    def _view32(self, key: Key, fold: str) -> Key:
        """Where a 32-bit program looks for ``fold`` when it names ``key``."""
        parent = key.parent
        if parent is None or fold == _WOW64:
            return key
        if key.fold == "SOFTWARE":
            redirected = parent.fold == "MACHINE" and parent.parent is self._root
        else:
            redirected = key.fold == "CLASSES" and parent.fold == "SOFTWARE" and fold in _WOW64_CLASSES
        return (key.child(_WOW64) if redirected else None) or key

    def _split(self, path: str, absolute: bool) -> list[str]:
        """Components; for a full name those after ``\\REGISTRY``."""
        if path.startswith("\\") != absolute:
            raise NtError(STATUS_OBJECT_PATH_SYNTAX_BAD)
        parts = [part for part in path.split("\\") if part]
        if len(path) > MAX_KEY_NAME // 2 and any(units(part) > MAX_KEY_NAME for part in parts):
            raise NtError(STATUS_INVALID_PARAMETER)
        if absolute and (not parts or upcase(parts[0]) != "REGISTRY"):
            raise NtError(STATUS_OBJECT_PATH_NOT_FOUND if len(parts) > 1 else STATUS_OBJECT_NAME_NOT_FOUND)
        return parts[1:] if absolute else parts

    def poll(self) -> None:
        """Call back watches for what other processes changed. Cheap when nothing did, or nobody watches."""
        if self._root is None or not self._root.watched:
            return
        generation = self.store.poll()
        if generation != self._polled:
            self._polled = generation
            for key in tuple(self._root.watched):
                try:
                    key.check()
                except NtError:
                    continue  # deleted: the check has told
                key.compare_watches()

    def flush(self) -> None:
        """Return when all changes are on the disk (NtFlushKey).

        Raises:
            RegistryError: they cannot be.
        """
        self.store.flush()

    def close(self) -> None:
        """Close the file. Nothing is lost without it; a later use opens the file again."""
        self.store.disconnect()
