"""Change notification for directories: what has changed in one, or in the tree below it, since somebody asked first.

A ``DirectoryWatch`` belongs to one open directory and collects records from its first request on, between requests too,
as far as there is room for them in the first request's buffer. All watches of a system share one inotify instance,
which a task of the event loop waits for; a request looks itself before it waits.
Source: Microsoft "ReadDirectoryChangesW", "FILE_NOTIFY_INFORMATION", FsRtlNotifyFullChangeDirectory; inotify(7).
"""

from __future__ import annotations

import errno
import os
import struct

from lswd.host import inotify as host
from lswd.host.names import to_guest_name
from lswd.kernel.file import Overflow, Waiter, notify, wait_for_change
from lswd.kernel.file_metadata import nt_error
from lswd.ntdef.status import (
    STATUS_DELETE_PENDING,
    STATUS_INSUFFICIENT_RESOURCES,
    STATUS_NOTIFY_CLEANUP,
    STATUS_NOTIFY_ENUM_DIR,
    NtError,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.file_disk import DiskDirectory
    from lswd.kernel.scheduler import Scheduler
    from lswd.kernel.system import System

FILE_NOTIFY_CHANGE_FILE_NAME = 0x001
FILE_NOTIFY_CHANGE_DIR_NAME = 0x002
FILE_NOTIFY_CHANGE_ATTRIBUTES = 0x004
FILE_NOTIFY_CHANGE_SIZE = 0x008
FILE_NOTIFY_CHANGE_LAST_WRITE = 0x010
FILE_NOTIFY_CHANGE_LAST_ACCESS = 0x020
FILE_NOTIFY_CHANGE_CREATION = 0x040
FILE_NOTIFY_CHANGE_EA = 0x080
FILE_NOTIFY_CHANGE_SECURITY = 0x100
FILE_NOTIFY_VALID_MASK = 0xFFF  # with the three of named streams, which no file here has

ADDED, REMOVED, MODIFIED, RENAMED_OLD_NAME, RENAMED_NEW_NAME = range(1, 6)  # FILE_ACTION_*

_NAMES = FILE_NOTIFY_CHANGE_FILE_NAME | FILE_NOTIFY_CHANGE_DIR_NAME
_MOVES = host.IN_MOVED_FROM | host.IN_MOVED_TO
_MODIFIES = (
    (host.IN_MODIFY, FILE_NOTIFY_CHANGE_SIZE | FILE_NOTIFY_CHANGE_LAST_WRITE),
    (host.IN_ATTRIB, FILE_NOTIFY_CHANGE_ATTRIBUTES | FILE_NOTIFY_CHANGE_SECURITY | FILE_NOTIFY_CHANGE_EA),
    (host.IN_ACCESS, FILE_NOTIFY_CHANGE_LAST_ACCESS),
)
_TREE = host.IN_CREATE | host.IN_DELETE | _MOVES
_MOST_DIRECTORIES = 1 << 16  # of one tree
_SECOND_HALF_SECONDS = 0.01  # that a rename's second half may take
_RECORD = struct.Struct("<III")  # FILE_NOTIFY_INFORMATION without the name


class DirectoryWatch:
    """See the module's docstring.

    Attributes:
        limit: bytes that there is room for between requests.
        places: the host's watches to where that directory is below this one: "" or a host path that ends in a slash.
        told: entries, as (host's watch, name), that were found when their directory was new: the host may tell, too.
    """

    def __init__(self, watches: DirectoryWatches, directory: DiskDirectory, changes: int, subtree: bool, limit: int):
        self._watches = watches
        self.directory = directory
        self.changes = changes
        self.subtree = subtree
        self.limit = limit
        self.places: dict[int, str] = {}
        self.told: set[tuple[int, str]] = set()
        self._records: list[tuple[int, bytes]] = []
        self._size = 0
        self._overflowed = False
        self._gone = self._ended = False
        self._waiters: list[Waiter] = []

    @property
    def mask(self) -> int:
        """What the host is asked to tell of."""
        mask = 0
        if self.subtree or self.changes & _NAMES:
            mask |= _TREE
        if self.changes & FILE_NOTIFY_CHANGE_CREATION:
            mask |= host.IN_CREATE
        for bit, changes in _MODIFIES:
            if self.changes & changes:
                mask |= bit
        return mask

    async def next_changes(self, length: int) -> bytes:
        """FILE_NOTIFY_INFORMATION records of at most ``length`` bytes, once there are any.

        Raises:
            Overflow: STATUS_NOTIFY_ENUM_DIR: there was no room for all; STATUS_NOTIFY_CLEANUP: it has been closed.
            NtError: STATUS_DELETE_PENDING: it has been deleted.
        """
        self._watches.look()
        while not (self._records or self._overflowed or self._gone or self._ended):
            await wait_for_change(self._waiters)
        if self._ended:
            raise Overflow(STATUS_NOTIFY_CLEANUP, 0)
        if self._gone:
            raise NtError(STATUS_DELETE_PENDING)
        records, overflowed = self._records, self._overflowed
        self._records, self._size, self._overflowed = [], 0, False
        data = _packed(records)
        if overflowed or len(data) > length:
            raise Overflow(STATUS_NOTIFY_ENUM_DIR, 0)
        return data

    def note(self, action: int, place: str, name: str) -> None:
        """Something has happened to ``name`` in the directory at ``place``."""
        path = "\\".join([to_guest_name(part) for part in (place + name).split("/")])
        text = path.encode("utf-16-le", "surrogatepass")
        self._size += _aligned(_RECORD.size + len(text))
        if self._size > self.limit or self._overflowed:
            self.lose()
            return
        if not self._records or self._records[-1] != (action, text) or action != MODIFIED:
            self._records.append((action, text))
        self._watches.news.add(self)

    def lose(self) -> None:
        """There was more than could be remembered."""
        self._records, self._overflowed = [], True
        self._watches.news.add(self)

    def tell(self) -> None:
        """There is news for whoever waits."""
        notify(self._waiters)

    def check_deleted(self) -> None:
        """Something beside it has been deleted, or it has."""
        try:
            gone = os.fstat(self.directory.fd).st_nlink == 0
        except OSError:
            gone = True
        if gone:
            self.deleted()

    def deleted(self) -> None:
        """The directory is to go away."""
        self._gone = True
        notify(self._waiters)

    def host_path(self, place: str = "") -> str:
        """A directory below this one."""
        return f"/proc/self/fd/{self.directory.fd}/{place}"

    def end(self) -> None:
        """The directory is closed."""
        self._watches.forget(self)
        self._ended = True
        notify(self._waiters)


class DirectoryWatches:
    """The watches of a system. ``news``: those with something new to tell."""

    def __init__(self, system: System) -> None:
        self._host: host.Inotify | None = None
        self._watching: dict[int, list[DirectoryWatch]] = {}
        self._below: dict[int, list[DirectoryWatch]] = {}  # by the host's watch of the directory they are in
        self.news: set[DirectoryWatch] = set()
        self._moved: host.Event | None = None  # the first half of a rename
        self._running = False
        self._expected: set[str] = set()
        system.directory_watches = self

    def expect(self, name: str) -> None:
        """A file of this name has just been made, and its creation time kept with it, which is no change of it."""
        self._expected.add(name)

    def start(
        self, scheduler: Scheduler, directory: DiskDirectory, changes: int, subtree: bool, limit: int
    ) -> DirectoryWatch:
        """Begin to watch an open directory. Raises NtError."""
        watch = DirectoryWatch(self, directory, changes, subtree, limit)
        try:
            if self._host is None:
                self._host = host.Inotify()
            self._add(watch, "")
            self._add_parent(watch)
            if subtree:
                self._add_below(watch, "")
        except OSError as error:
            self.forget(watch)
            if error.errno in (errno.ENOSPC, errno.EMFILE):  # fs.inotify.max_user_watches, max_user_instances
                raise NtError(STATUS_INSUFFICIENT_RESOURCES) from None
            raise nt_error(error) from None
        if not self._running:
            self._running = True
            scheduler.start_task(self._run)
        return watch

    def forget(self, watch: DirectoryWatch) -> None:
        """End a watch; the host's that nobody else uses end too."""
        for number in tuple(watch.places):
            self._let_go(watch, number)
        for number, below in tuple(self._below.items()):
            if watch in below:
                below.remove(watch)
            self._end_unused(number)

    def _let_go(self, watch: DirectoryWatch, number: int) -> None:
        del watch.places[number]
        watching = self._watching.get(number, [])
        if watch in watching:
            watching.remove(watch)
        self._end_unused(number)

    def _end_unused(self, number: int) -> None:
        """End a watch of the host's that nobody has a use for."""
        used = False
        for users in (self._watching, self._below):
            if not users.get(number):
                users.pop(number, None)
            else:
                used = True
        if not used and self._host is not None:
            self._host.remove(number)

    def look(self) -> None:
        """Take in what has happened."""
        if self._host is not None:
            for event in self._host.read():
                self._take(event)
        self._expected.clear()
        self._tell()

    def _tell(self) -> None:
        """Let them know, once all that came together has been taken in."""
        while self.news:
            self.news.pop().tell()

    async def _run(self) -> None:
        import trio

        assert self._host is not None
        try:
            while self._watching:
                with trio.move_on_after(float("inf") if self._moved is None else _SECOND_HALF_SECONDS) as scope:
                    await trio.lowlevel.wait_readable(self._host.fd)
                if scope.cancelled_caught:
                    self._flush_move()
                    self._tell()
                self.look()
        finally:
            self._running = False

    # ---- the host's watches

    def _add(self, watch: DirectoryWatch, place: str) -> int:
        """Watch the directory at ``place``; returns the host's watch. Raises OSError."""
        if len(watch.places) >= _MOST_DIRECTORIES:
            raise OSError(errno.ENOSPC, "too many directories")
        assert self._host is not None
        mask = watch.mask | (host.IN_DONT_FOLLOW if place else 0)
        number = self._host.add(watch.host_path(place.rstrip("/")), mask)
        watch.places[number] = place
        watching = self._watching.setdefault(number, [])
        if watch not in watching:
            watching.append(watch)
        return number

    def _add_parent(self, watch: DirectoryWatch) -> None:
        """Watch what the directory is in: the host tells nobody else that one that is open has been deleted."""
        assert self._host is not None
        try:
            number = self._host.add(watch.host_path(".."), host.IN_DELETE)
        except OSError:
            return
        self._below.setdefault(number, []).append(watch)

    def _add_below(self, watch: DirectoryWatch, place: str) -> None:
        """Watch all directories below ``place``. Raises OSError: they are too many."""
        pending = [place]
        while pending:
            place = pending.pop()
            for name, directory in _entries(watch.host_path(place)):
                if directory:
                    try:
                        self._add(watch, f"{place}{name}/")
                    except OSError as error:
                        if error.errno == errno.ENOSPC:
                            raise
                        continue  # it has gone, or is not for our eyes
                    pending.append(f"{place}{name}/")

    # ---- events

    def _take(self, event: host.Event) -> None:
        first = self._moved
        if first is not None:
            if event.mask & host.IN_MOVED_TO and (event.watch, event.cookie) == (first.watch, first.cookie):
                self._moved = None
                self._renamed(first, event)
                return
            self._flush_move()
        if event.mask & host.IN_Q_OVERFLOW:
            for watch in {id(w): w for watching in self._watching.values() for w in watching}.values():
                watch.lose()
        elif event.mask & host.IN_IGNORED:
            self._below.pop(event.watch, None)
            for watch in self._watching.pop(event.watch, []):
                watch.places.pop(event.watch, None)
        elif event.mask & host.IN_MOVED_FROM:
            self._moved = event
        else:
            self._changed(event, event.mask)

    def _flush_move(self) -> None:
        """The other half of a rename does not come: it has gone elsewhere."""
        first, self._moved = self._moved, None
        if first is not None:
            self._changed(first, first.mask & host.IN_ISDIR | host.IN_DELETE)

    def _changed(self, event: host.Event, mask: int) -> None:
        directory = bool(mask & host.IN_ISDIR)
        if directory and mask & host.IN_DELETE:
            for watch in tuple(self._below.get(event.watch, ())):
                watch.check_deleted()
        if not event.name or (mask & host.IN_ATTRIB and event.name in self._expected):
            self._expected.discard(event.name)
            return
        for watch in tuple(self._watching.get(event.watch, ())):
            place = watch.places[event.watch]
            if mask & (host.IN_CREATE | host.IN_MOVED_TO):
                if (event.watch, event.name) not in watch.told:
                    self._appeared(watch, place, event.name, directory, made=bool(mask & host.IN_CREATE))
                watch.told.discard((event.watch, event.name))
            elif mask & host.IN_DELETE:
                watch.told.discard((event.watch, event.name))
                if watch.changes & _names(directory):
                    watch.note(REMOVED, place, event.name)
                if directory:
                    self._lost_directory(watch, f"{place}{event.name}/")
            for bit, changes in _MODIFIES:
                if mask & bit and watch.changes & changes:
                    watch.note(MODIFIED, place, event.name)

    def _appeared(self, watch: DirectoryWatch, place: str, name: str, directory: bool, *, made: bool) -> None:
        """Something new; what was put into a directory that was ``made`` before we could look is new as well."""
        if watch.changes & (_names(directory) | FILE_NOTIFY_CHANGE_CREATION):
            watch.note(ADDED, place, name)
        if not directory or not watch.subtree:
            return
        inside = f"{place}{name}/"
        try:
            number = self._add(watch, inside)
            if not made:
                self._add_below(watch, inside)
                return
        except OSError as error:
            if error.errno == errno.ENOSPC:
                watch.lose()
            return
        for entry, below in _entries(watch.host_path(inside)):
            watch.told.add((number, entry))
            self._appeared(watch, inside, entry, below, made=True)

    def _renamed(self, old: host.Event, new: host.Event) -> None:
        directory = bool(new.mask & host.IN_ISDIR)
        for watch in tuple(self._watching.get(new.watch, ())):
            place = watch.places[new.watch]
            watch.told.discard((old.watch, old.name))
            if watch.changes & _names(directory):
                watch.note(RENAMED_OLD_NAME, place, old.name)
                watch.note(RENAMED_NEW_NAME, place, new.name)
            if directory:
                before, after = f"{place}{old.name}/", f"{place}{new.name}/"
                for number, inside in watch.places.items():
                    if inside.startswith(before):
                        watch.places[number] = after + inside[len(before) :]

    def _lost_directory(self, watch: DirectoryWatch, place: str) -> None:
        """One that has gone from a tree, with all below it."""
        for number in [n for n, inside in watch.places.items() if inside.startswith(place)]:
            self._let_go(watch, number)


def _names(directory: bool) -> int:
    return FILE_NOTIFY_CHANGE_DIR_NAME if directory else FILE_NOTIFY_CHANGE_FILE_NAME


def _entries(path: str) -> list[tuple[str, bool]]:
    """Name, and whether it is a directory, of all that is in one; nothing of one that has gone."""
    try:
        with os.scandir(path) as entries:
            return [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError:
        return []


def _aligned(size: int) -> int:
    return (size + 3) & -4


def _packed(records: list[tuple[int, bytes]]) -> bytes:
    parts = []
    for i, (action, text) in enumerate(records):
        size = _aligned(_RECORD.size + len(text))
        last = i == len(records) - 1
        part = _RECORD.pack(0 if last else size, action, len(text)) + text
        parts.append(part if last else part.ljust(size, b"\0"))
    return b"".join(parts)
