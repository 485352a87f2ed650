"""Registry keys: what a handle to a key refers to, and what can be done with it.

A Key is one key, however many handles are open to it, and stays itself when it is renamed.

Sources: Microsoft "Registry Element Size Limits", ZwCreateKey, ZwSetValueKey, ZwDeleteKey, NtRenameKey, wdm.h.
"""

from __future__ import annotations

import time

from lswd.host.names import upcase
from lswd.kernel.registry.node import KeyNode
from lswd.kernel.registry.values import LINK_VALUE, REG_LINK, Value
from lswd.kernel.registry.watch import CHANGE_ATTRIBUTES, CHANGE_LAST_SET, CHANGE_NAME, Watch
from lswd.ntdef.status import (
    STATUS_ACCESS_DENIED,
    STATUS_CANNOT_DELETE,
    STATUS_CHILD_MUST_BE_VOLATILE,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_INVALID_PARAMETER,
    STATUS_KEY_DELETED,
    STATUS_OBJECT_NAME_NOT_FOUND,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from lswd.kernel.registry.seed import SeedKey
    from lswd.kernel.registry.store import Store

MAX_KEY_NAME = 256
"""UTF-16 units; wdm.h's REG_MAX_KEY_NAME_LENGTH (advapi32 allows its callers 255)."""
MAX_VALUE_NAME = 16383
MAX_VALUE_SIZE = 64 << 20
"""Ours; NT's is the memory there is."""
MAX_DEPTH = 512

_FILETIME_1970 = 116_444_736_000_000_000


class KeyInfo:
    """What NtQueryKey tells; lengths are bytes of UTF-16."""

    __slots__ = (
        "class_name",
        "last_write",
        "link",
        "max_class_length",
        "max_name_length",
        "max_value_data_length",
        "max_value_name_length",
        "name",
        "subkeys",
        "values",
        "volatile",
    )

    def __init__(self, key: Key) -> None:
        subkeys = key.subkeys()
        values = key.values()
        self.name = key.name
        self.class_name = key.class_name
        self.last_write = key.last_write
        self.volatile = key.volatile
        self.link = key.link
        self.subkeys = len(subkeys)
        self.max_name_length = max((2 * units(child.name) for child in subkeys), default=0)
        self.max_class_length = max((2 * units(child.class_name) for child in subkeys), default=0)
        self.values = len(values)
        self.max_value_name_length = max((2 * units(value.name) for value in values), default=0)
        self.max_value_data_length = max((len(value.data) for value in values), default=0)


class Key(KeyNode):
    """A registry key. Operations on a deleted key raise STATUS_KEY_DELETED; all may raise RegistryError."""

    type_name = "Key"
    generic = (0x20019, 0x20006, 0x20019, 0xF003F)  # KEY_READ, KEY_WRITE, KEY_EXECUTE, KEY_ALL_ACCESS

    def __init__(self, store: Store, parent: Key | None, name: str, seed: SeedKey | None) -> None:
        super().__init__(store, parent, name, seed)
        self._watches: list[Watch] = []
        self.watched: set[Key] = set() if parent is None else parent.watched
        """All keys of the tree that are watched."""

    # -- values

    def query_value(self, name: str) -> Value:
        """The value called ``name`` ("" is the default value).

        Raises:
            NtError: STATUS_OBJECT_NAME_NOT_FOUND.
        """
        self.check()
        value = self._all_values().get(upcase(name))
        if value is None:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        return value

    def value_at(self, index: int) -> Value | None:
        """The value at ``index`` in order of creation; None past the last."""
        values = self.values()
        return values[index] if 0 <= index < len(values) else None

    def values(self) -> list[Value]:
        """All values in order of creation."""
        self.check()
        return list(self._all_values().values())

    def set_value(self, name: str, kind: int, data: bytes) -> None:
        """Create or replace a value. What is there already is not written again.

        Raises:
            NtError: STATUS_INVALID_PARAMETER for a name of more than MAX_VALUE_NAME units, STATUS_ACCESS_DENIED for
                anything but the link's target in a link key, STATUS_INSUFFICIENT_RESOURCES above MAX_VALUE_SIZE.
        """
        self.check()
        fold = upcase(name)
        if units(name) > MAX_VALUE_NAME:
            raise NtError(STATUS_INVALID_PARAMETER)
        if len(data) > MAX_VALUE_SIZE:
            raise NtError(STATUS_INSUFFICIENT_RESOURCES)
        if self.link and not (kind == REG_LINK and fold == upcase(LINK_VALUE)):
            raise NtError(STATUS_ACCESS_DENIED)
        old = self._all_values().get(fold)
        now = filetime_now()
        value = Value(name if old is None else old.name, kind, bytes(data))
        # The userland sets many values to what they are at each start: such a start needs no database.
        if not self.volatile and (old is None or old.type != kind or old.data != value.data):
            with self._store.transaction() as transaction:
                self.check()
                self._store_value(transaction, fold, value)
                self._store_time(transaction, now)
        self._all_values()[fold] = value
        self.last_write = now
        self._changed(CHANGE_LAST_SET)

    def delete_value(self, name: str) -> None:
        """Remove a value.

        Raises:
            NtError: STATUS_OBJECT_NAME_NOT_FOUND.
        """
        self.query_value(name)
        fold = upcase(name)
        now = filetime_now()
        if not self.volatile:
            with self._store.transaction() as transaction:
                self.check()
                if self._seed is not None and any(upcase(seeded) == fold for seeded in self._seed.values):
                    self._store_value(transaction, fold, None)
                else:
                    self._remove_value(transaction, fold)
                self._store_time(transaction, now)
        self._all_values().pop(fold, None)
        self.last_write = now
        self._changed(CHANGE_LAST_SET)

    # -- subkeys

    def subkey_at(self, index: int) -> Key | None:
        """The subkey at ``index`` in alphabetical order, links not followed; None past the last."""
        self.check()
        order = self._sorted()
        return self.child(order[index]) if 0 <= index < len(order) else None

    def subkeys(self) -> list[Key]:
        """All subkeys in alphabetical order, links not followed."""
        self.check()
        found = [self.child(fold) for fold in self._sorted()]
        return [child for child in found if child is not None]

    def info(self) -> KeyInfo:
        """Counts and sizes."""
        return KeyInfo(self)

    def create_child(self, name: str, class_name: str, volatile: bool, link: bool) -> tuple[Self, bool]:
        """A new subkey and True. For ``Registry.create``, which has validated the name and found it missing.

        Raises:
            NtError: STATUS_CHILD_MUST_BE_VOLATILE, STATUS_ACCESS_DENIED below ``\\REGISTRY``, STATUS_INVALID_PARAMETER
                more than MAX_DEPTH levels down.
        """
        if self.parent is None:
            raise NtError(STATUS_ACCESS_DENIED)
        if self.volatile and not volatile:
            raise NtError(STATUS_CHILD_MUST_BE_VOLATILE)
        if self.depth() >= MAX_DEPTH:
            raise NtError(STATUS_INVALID_PARAMETER)
        now = filetime_now()
        key = type(self)(self._store, self, name, None)
        key.class_name = class_name
        key.volatile = volatile
        key.link = link
        key.last_write = now
        if not volatile:
            with self._store.transaction() as transaction:
                self.check()
                existing = self.child(key.fold)
                if existing is not None:  # another process was faster
                    return existing, False
                row = self._store_child(transaction, name, link=link, class_name=class_name, last_write=now)
                self._store_time(transaction, now)
            key.generation = self.generation
            key._row = row
            self._by_row[row] = key
        self.last_write = now
        self._add_child(key)
        self._order = None
        self._changed(CHANGE_NAME)
        return key, True

    def delete(self: Self) -> None:
        """Remove the key; handles to it stay, and get STATUS_KEY_DELETED. Nothing happens the second time.

        Raises:
            NtError: STATUS_CANNOT_DELETE for a key with subkeys and for the roots.
        """
        try:
            self.check()
        except NtError as error:
            if error.status == STATUS_KEY_DELETED:
                return
            raise
        parent = self.parent
        if parent is None or parent.parent is None or self._sorted():
            raise NtError(STATUS_CANNOT_DELETE)
        now = filetime_now()
        if not self.volatile:
            with self._store.transaction() as transaction:
                self.check()
                if self._sorted():
                    raise NtError(STATUS_CANNOT_DELETE)
                self._remove_row(transaction)
                parent._store_tombstone(transaction, self.name)
                parent._store_time(transaction, now)
        parent._forget_child(self)
        parent.last_write = now
        self._mark_deleted()
        parent._changed(CHANGE_NAME)

    def rename(self: Self, name: str) -> None:
        """Give the key another last component; subkeys and handles come along.

        Raises:
            NtError: STATUS_INVALID_PARAMETER for a name that is none, STATUS_CANNOT_DELETE for the roots and when
                a key has the name already, be it this key itself (which is what NT answers).
        """
        self.check()
        if not name or "\\" in name or units(name) > MAX_KEY_NAME:
            raise NtError(STATUS_INVALID_PARAMETER)
        parent = self.parent
        fold = upcase(name)
        if parent is None or parent.parent is None or parent.child(fold) is not None:
            raise NtError(STATUS_CANNOT_DELETE)
        now = filetime_now()
        if not self.volatile:
            with self._store.transaction() as transaction:
                self.check()
                if parent.child(fold) is not None:
                    raise NtError(STATUS_CANNOT_DELETE)
                self._make_independent(transaction)
                parent._remove_tombstone(transaction, fold)
                self._store_name(transaction, name)
                parent._store_tombstone(transaction, self.name)
                self._store_time(transaction, now)
                parent._store_time(transaction, now)
        parent._forget_child(self)
        self.name, self.fold = name, fold
        parent._add_child(self)
        parent._order = None
        self.last_write = parent.last_write = now
        self.version += 1
        parent._changed(CHANGE_NAME)

    def set_last_write(self, filetime: int) -> None:
        """Set the time of the last change (KeyWriteTimeInformation)."""
        self.check()
        if not self.volatile:
            with self._store.transaction() as transaction:
                self.check()
                self._store_time(transaction, filetime)
        self.last_write = filetime
        self._changed(CHANGE_ATTRIBUTES)

    # -- notification

    def watch(self, callback: Callable[[int], None], changes: int = 0xF, *, subtree: bool = False) -> Watch:
        """Call ``callback(what changed)`` at each change of the kinds in ``changes``, until the Watch is cancelled.

        What changed is one or more CHANGE_* bits. Changes by other processes come with ``Registry.poll``. The deletion
        of the key itself is CHANGE_NAME, whatever was asked for; ``deleted`` tells. The callback may cancel watches
        but not change the registry.
        """
        self.check()
        watch = Watch(self, callback, changes, subtree)
        self._watches.append(watch)
        self.watched.add(self)
        return watch

    def unwatch(self, watch: Watch) -> None:
        """Forget a watch."""
        if watch in self._watches:
            self._watches.remove(watch)
        if not self._watches:
            self.watched.discard(self)

    def contents(self) -> object:
        """Something that compares equal while subkeys and values are the same."""
        if self.deleted:
            return None
        return tuple(self._sorted()), tuple((v.name, v.type, v.data) for v in self._all_values().values())

    def compare_watches(self) -> None:
        """Call back the watches that have seen other contents than there are now, and those on subtrees.

        For ``Registry.poll`` after another process changed something: what changed below is not known.
        """
        for watch in tuple(self._watches):
            if watch.generation != self.generation:
                watch.generation = self.generation
                now = self.contents()
                if watch.seen != now or watch.subtree:
                    watch.seen = now
                    watch.callback(watch.filter & (CHANGE_NAME | CHANGE_LAST_SET))

    def _changed(self, change: int) -> None:
        self.version += 1
        key: Key | None = self
        while key is not None:
            for watch in tuple(key._watches):
                if watch.filter & change and (key is self or watch.subtree):
                    watch.seen = key.contents()
                    watch.callback(change)
            key = key.parent

    def _mark_deleted(self) -> None:
        super()._mark_deleted()
        for watch in tuple(self._watches):
            watch.seen = None
            watch.callback(CHANGE_NAME)


def units(text: str) -> int:
    """Length in UTF-16 units."""
    return len(text) if text.isascii() else len(text.encode("utf-16-le", "surrogatepass")) // 2


def filetime_now() -> int:
    """The time as a FILETIME."""
    return time.time_ns() // 100 + _FILETIME_1970
