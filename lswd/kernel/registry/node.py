"""A place in the registry's tree: seed, rows and memory merged, and kept in step with other processes.

``KeyNode`` knows where things come from; what can be done with them is in ``key``. Rows are loaded when they are first
needed, and again when ``Store.poll`` says that another process may have changed them.
"""

from __future__ import annotations

from lswd.host.names import upcase
from lswd.kernel.object import KernelObject
from lswd.kernel.registry.database import ROOT, from_column, to_column
from lswd.kernel.registry.seed import SEED_TIME
from lswd.kernel.registry.values import LINK_VALUE, REG_LINK, Value, decode_text
from lswd.ntdef.status import STATUS_KEY_DELETED, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Self

    from lswd.kernel.registry.seed import SeedKey
    from lswd.kernel.registry.snapshot import KeyRow
    from lswd.kernel.registry.store import Store, Transaction


class KeyNode(KernelObject):
    """One key of the tree.

    Attributes:
        name: last component, as it was written at creation.
        fold: the name as it is compared.
        parent: the key above, None for ``\\REGISTRY``.
        class_name: the class given at creation.
        last_write: FILETIME.
        volatile: lives in memory only.
        link: a symbolic link key.
        deleted: it is no more.
        version: grows with each change of the key itself.
        generation: the store's when rows were last looked up.
    """

    def __init__(self, store: Store, parent: Self | None, name: str, seed: SeedKey | None) -> None:
        super().__init__()
        self.name = name
        self.fold = upcase(name)
        self.parent = parent
        self.class_name = ""
        self.last_write = SEED_TIME
        self.volatile = seed is not None and seed.volatile
        self.link = seed is not None and seed.link
        self.deleted = False
        self.version = 0
        self._store = store
        self._seed = seed
        self._row: int | None = None
        self.generation: int = -1 if parent is None else parent.generation
        self._by_row: dict[int, Self] = {} if parent is None else parent._by_row
        self._children: dict[str, Self] = {}
        self._hidden: set[str] = set()  # volatile seeded subkeys that were deleted
        self._rows: dict[str, KeyRow] | None = None
        self._order: list[str] | None = None
        self._values: dict[str, Value] | None = None

    def path(self) -> str:
        """Full name, ``\\REGISTRY\\MACHINE\\...``."""
        names = []
        key: KeyNode | None = self
        while key is not None:
            names.append(key.name)
            key = key.parent
        return "\\" + "\\".join(reversed(names))

    def check(self: Self) -> None:
        """Take in what other processes did.

        Raises:
            NtError: STATUS_KEY_DELETED.
            RegistryError: the registry's file cannot be used.
        """
        generation = self._store.poll()
        if self.generation != generation:
            line = []
            key: KeyNode | None = self
            while key is not None and key.generation != generation:
                line.append(key)
                key = key.parent
            for key in reversed(line):
                key._refresh(generation)
        if self.deleted:
            raise NtError(STATUS_KEY_DELETED)

    # -- the layers, for callers that did ``check``

    def child(self, fold: str) -> Self | None:
        """The subkey with this upper-cased name; a link is not followed."""
        child = self._children.get(fold)
        if child is not None:
            child._refresh(self.generation)
            if not child.deleted and child.fold == fold:
                return child
        row = None if self.volatile else self._stored().get(fold)
        if row is None:
            seed = self._seed_of(fold)
            return None if seed is None else self._add_child(type(self)(self._store, self, seed.name, seed))
        if row[4]:
            return None
        known = self._by_row.get(row[0])
        if known is not None:  # renamed by another process
            known._refresh(self.generation)
            return known
        seed = self._seed_of(fold) if row[3] else None
        child = self._add_child(type(self)(self._store, self, from_column(row[2]), seed))
        child._adopt(row)
        return child

    def _seed_of(self, fold: str) -> SeedKey | None:
        if self._seed is None or fold in self._hidden:
            return None
        return self._seed.children.get(fold)

    def _stored(self) -> dict[str, KeyRow]:
        """Rows of subkeys by upper-cased name."""
        if self._rows is None:
            rows = () if self._row is None else self._store.keys(self._row)
            self._rows = {from_column(row[1]): row for row in rows}
        return self._rows

    def _sorted(self) -> list[str]:
        """Upper-cased names of subkeys as NT sorts them: by UTF-16 unit."""
        if self._order is None:
            names = set() if self._seed is None else set(self._seed.children) - self._hidden
            for fold, row in {} if self.volatile else self._stored().items():
                if row[4]:
                    names.discard(fold)
                else:
                    names.add(fold)
            names.update(fold for fold, child in self._children.items() if child.volatile and not child.deleted)
            self._order = sorted(names, key=lambda name: name.encode("utf-16-be", "surrogatepass"))
        return self._order

    def _all_values(self) -> dict[str, Value]:
        """Values by upper-cased name: the seed's, changed and continued by the store's."""
        if self._values is None:
            values: dict[str, Value] = {} if self._seed is None else self._seed.encoded()
            for column, spelling, kind, data in () if self._row is None else self._store.values(self._row):
                if kind is None:
                    values.pop(from_column(column), None)
                else:
                    values[from_column(column)] = Value(from_column(spelling), kind, data or b"")
            self._values = values
        return self._values

    def link_target(self) -> str:
        """Full name a link key stands for; "" while nobody has set it."""
        value = self._all_values().get(upcase(LINK_VALUE))
        return decode_text(value.data) if value is not None and value.type == REG_LINK else ""

    def depth(self) -> int:
        """Number of components of the full name."""
        depth = 0
        key: KeyNode | None = self
        while key is not None:
            depth += 1
            key = key.parent
        return depth

    def _add_child(self, child: Self) -> Self:
        """``child`` was found in a layer, or made: ``_order`` has it or is told by the caller."""
        self._children[child.fold] = child
        return child

    def _forget_child(self, child: Self) -> None:
        """``child`` goes, or gets another name."""
        if self._children.get(child.fold) is child:
            del self._children[child.fold]
        if self._order is not None and child.fold in self._order:
            self._order.remove(child.fold)
        seed = self._seed_of(child.fold)
        if seed is not None and seed.volatile:
            self._hidden.add(child.fold)

    def _mark_deleted(self) -> None:
        self.deleted = True
        self.version += 1
        if self._row is not None:
            self._by_row.pop(self._row, None)

    # -- taking in what other processes did

    def _refresh(self, generation: int) -> None:
        """Forget what was loaded and look up the own row again; the parent has done so."""
        if self.generation != generation and not self.deleted:
            self._rows = self._order = None
            self._look_up()
            self.generation = generation  # not if looking up failed

    def _look_up(self) -> None:
        parent = self.parent
        if parent is not None and parent.deleted:
            self._mark_deleted()
            return
        if self.volatile:
            return
        self._values = None
        if parent is None:
            self._row = self._store.root
            return
        rows = parent._stored()
        row = rows.get(self.fold)
        if self._row is not None and (row is None or row[0] != self._row):  # perhaps renamed
            row = next((other for other in rows.values() if other[0] == self._row), None)
        if row is None:
            # A seed without a row, which it may have lost together with the file; or it was deleted.
            if self._seed is None or parent._seed_of(self.fold) is not self._seed or self.fold in rows:
                self._mark_deleted()
            elif self._row is not None:
                self._drop_row()
                self.last_write = SEED_TIME
        elif row[4] or (self._row is None and not row[3] and parent._seed is not None):
            self._mark_deleted()  # and perhaps created anew
        else:
            self._adopt(row)

    def _adopt(self: Self, row: KeyRow) -> None:
        """``row`` is the key's."""
        identity, column, spelling, seeded, _, link, class_name, last_write = row
        self._row = identity
        self._by_row[identity] = self
        fold = from_column(column)
        if fold != self.fold and self.parent is not None:  # renamed by another process
            if self.parent._children.get(self.fold) is self:
                del self.parent._children[self.fold]
            self.fold = fold
            self.parent._children[fold] = self
        self.name = from_column(spelling)
        if not seeded:
            self._seed = None
        self.link = bool(link) if self._seed is None else self._seed.link
        self.class_name = "" if class_name is None else from_column(class_name)
        self.last_write = SEED_TIME if last_write is None else last_write

    # -- rows, within a transaction

    def _ensure_row(self: Self, transaction: Transaction) -> int:
        """The key's row, made for a key that was a seed only."""
        if self._row is None:
            if self.parent is None:
                self._row = ROOT
            else:
                self._row = self.parent._store_child(transaction, self.name, seeded=True)
                self._by_row[self._row] = self
                transaction.on_rollback(self._drop_row)
        return self._row

    def _drop_row(self) -> None:
        if self._row is not None:
            self._by_row.pop(self._row, None)
            self._row = None

    def _store_child(
        self,
        transaction: Transaction,
        name: str,
        *,
        seeded: bool = False,
        deleted: bool = False,
        link: bool = False,
        class_name: str = "",
        last_write: int | None = None,
    ) -> int:
        """A new row below this key, in the place of a tombstone if there is one."""
        parent = self._ensure_row(transaction)
        fold = upcase(name)
        self._remove_tombstone(transaction, fold)
        columns = (to_column(fold), to_column(name), int(seeded), int(deleted), int(link))
        klass = to_column(class_name) if class_name else None
        row = transaction.execute(
            "INSERT INTO keys (parent, fold, name, seeded, deleted, link, class_name, last_write)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            *(parent, *columns, klass, last_write),
        )
        if self._rows is not None:
            self._rows[fold] = (row, *columns, klass, last_write)
        return row

    def _store_tombstone(self, transaction: Transaction, name: str) -> None:
        """Hide the seeded subkey ``name``, if there is one."""
        seed = self._seed_of(upcase(name))
        if seed is not None and not seed.volatile:
            self._store_child(transaction, name, deleted=True)

    def _remove_tombstone(self, transaction: Transaction, fold: str) -> None:
        row = self._stored().get(fold)
        if row is not None and row[4]:
            transaction.execute("DELETE FROM keys WHERE id = ?", row[0])
            del self._stored()[fold]

    def _remove_row(self, transaction: Transaction) -> None:
        """Remove the key's row, its values and the tombstones below it."""
        if self._row is not None:
            transaction.execute("DELETE FROM key_values WHERE key = ?", self._row)
            transaction.execute("DELETE FROM keys WHERE parent = ?", self._row)
            transaction.execute("DELETE FROM keys WHERE id = ?", self._row)
            if self.parent is not None and self.parent._rows is not None:
                self.parent._rows.pop(self.fold, None)

    def _store_value(self, transaction: Transaction, fold: str, value: Value | None) -> None:
        """Store a value; None hides the seed's."""
        row = self._ensure_row(transaction)
        columns = ("", None, None) if value is None else (to_column(value.name), value.type, value.data)
        transaction.execute(
            "INSERT INTO key_values (key, fold, name, type, data) VALUES (?, ?, ?, ?, ?) ON CONFLICT (key, fold)"
            " DO UPDATE SET name = excluded.name, type = excluded.type, data = excluded.data",
            *(row, to_column(fold), *columns),
        )

    def _remove_value(self, transaction: Transaction, fold: str) -> None:
        row = self._ensure_row(transaction)
        transaction.execute("DELETE FROM key_values WHERE key = ? AND fold = ?", row, to_column(fold))

    def _store_time(self, transaction: Transaction, filetime: int) -> None:
        if not self.volatile:
            row = self._ensure_row(transaction)
            transaction.execute("UPDATE keys SET last_write = ? WHERE id = ?", filetime, row)

    def _store_name(self, transaction: Transaction, name: str) -> None:
        """Rename the key's row; nothing of the seed may be left in it."""
        columns = (to_column(name), to_column(upcase(name)))
        transaction.execute("UPDATE keys SET name = ?, fold = ? WHERE id = ?", *columns, self._row)
        if self.parent is not None:
            self.parent._rows = self.parent._order = None

    def _make_independent(self, transaction: Transaction) -> None:
        """Put all that the seed says about this key and the keys below into the store."""
        row = self._ensure_row(transaction)
        seed = self._seed
        if seed is None:
            return
        for child in [self.child(fold) for fold in self._sorted()]:
            if child is not None and not child.volatile:
                child._make_independent(transaction)
        values = self._all_values()
        transaction.execute("DELETE FROM key_values WHERE key = ?", row)
        for fold, value in values.items():
            self._store_value(transaction, fold, value)
        transaction.execute("DELETE FROM keys WHERE parent = ? AND deleted", row)
        transaction.execute("UPDATE keys SET seeded = 0, link = ? WHERE id = ?", int(self.link), row)

        def restore() -> None:
            self._seed = seed

        transaction.on_rollback(restore)
        self._seed = None
        self._rows = self._order = None
        if self.parent is not None:
            self.parent._rows = None
