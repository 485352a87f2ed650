"""The object manager's namespace: directories, symbolic links, and lookup of ``\\Device\\...``-style names.

Source: Microsoft "Object Names", "Object Directories", OBJECT_ATTRIBUTES. Lookup ignores case unless asked otherwise
(OBJ_CASE_INSENSITIVE is absent when Win32 names an event, so "Stop" and "stop" are two events).
"""

from __future__ import annotations

from lswd.kernel.object import KernelObject
from lswd.ntdef.status import (
    STATUS_OBJECT_NAME_COLLISION,
    STATUS_OBJECT_NAME_INVALID,
    STATUS_OBJECT_NAME_NOT_FOUND,
    STATUS_OBJECT_PATH_NOT_FOUND,
    STATUS_OBJECT_PATH_SYNTAX_BAD,
    STATUS_OBJECT_TYPE_MISMATCH,
    NtError,
)

_MAX_LINKS = 32


class Directory(KernelObject):
    """An object directory."""

    type_name = "Directory"
    generic = (0x20003, 0x2000C, 0x20003, 0xF000F)

    def __init__(self, name: str = "", parent: Directory | None = None) -> None:
        super().__init__()
        self.entries: dict[str, KernelObject] = {}
        self._spellings: dict[str, list[str]] = {}  # upper case to the names there are, oldest first
        self.permanent = True
        if parent is not None:
            parent.insert(name, self)

    def insert(self, name: str, obj: KernelObject) -> None:
        """Give ``obj`` a name here."""
        if not name or "\\" in name:
            raise NtError(STATUS_OBJECT_NAME_INVALID)
        if name in self.entries:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        self.entries[name] = obj
        self._spellings.setdefault(name.upper(), []).append(name)
        obj.name = name
        obj.directory = self

    def find(self, name: str, *, case_sensitive: bool = False) -> KernelObject | None:
        """The object of that name; exact spelling wins."""
        found = self.entries.get(name)
        if found is None and not case_sensitive:
            spellings = self._spellings.get(name.upper())
            if spellings:
                return self.entries[spellings[0]]
        return found

    def remove(self, obj: KernelObject) -> None:
        """Take ``obj``'s name away."""
        if self.entries.pop(obj.name, None) is not None:
            key = obj.name.upper()
            spellings = self._spellings[key]
            spellings.remove(obj.name)
            if not spellings:
                del self._spellings[key]
        obj.directory = None

    def path(self) -> str:
        return super().path() if self.directory is not None else "\\"


class SymbolicLink(KernelObject):
    """An object manager symbolic link; ``target`` is a full name."""

    type_name = "SymbolicLink"
    generic = (0x20001, 0x20000, 0x20001, 0xF0001)

    def __init__(self, target: str, *, permanent: bool = False) -> None:
        super().__init__()
        self.target = target
        self.permanent = permanent


class Device(KernelObject):
    """An object that takes over the rest of the name when it is opened as a file."""

    type_name = "Device"


class Namespace:
    """The tree, with the directories every process expects."""

    def __init__(self) -> None:
        self.root = Directory()
        for name in (
            "Device", "GLOBAL??", "BaseNamedObjects", "KnownDlls", "Sessions", "Driver", "FileSystem", "KernelObjects",
        ):  # fmt: skip
            Directory(name, self.root)
        self.root.insert("??", SymbolicLink("\\GLOBAL??", permanent=True))
        self.root.insert("DosDevices", SymbolicLink("\\GLOBAL??", permanent=True))
        base = self.directory("\\BaseNamedObjects")
        sessions = self.directory("\\Sessions")
        links = Directory("BNOLINKS", sessions)
        links.insert("0", SymbolicLink("\\BaseNamedObjects", permanent=True))
        one = Directory("1", sessions)
        links.insert("1", SymbolicLink("\\Sessions\\1\\BaseNamedObjects", permanent=True))
        for directory in (base, Directory("BaseNamedObjects", one)):
            directory.insert("Local", SymbolicLink(directory.path(), permanent=True))
            directory.insert("Global", SymbolicLink("\\BaseNamedObjects", permanent=True))
            directory.insert("Session", SymbolicLink("\\Sessions\\BNOLINKS", permanent=True))
        one.insert("DosDevices", SymbolicLink("\\GLOBAL??", permanent=True))

    def directory(self, path: str) -> Directory:
        """A directory that must exist."""
        found, rest = self.walk(path, None)
        if rest or not isinstance(found, Directory):
            raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)
        return found

    def walk(
        self, name: str, root: KernelObject | None, *, follow_last: bool = True, case_sensitive: bool = False
    ) -> tuple[KernelObject, str]:
        """Go down ``name`` as far as it names objects.

        Args:
            root: the directory a relative name starts from; an absolute name comes without one.
            follow_last: what a symbolic link at the very end stands for is wanted, not the link.

        Returns:
            The last object reached and the rest of the name ("" when all of it was used). A Device gets the whole
            rest with its leading backslash; a Directory gets the one component it does not have.

        Raises:
            NtError: STATUS_OBJECT_PATH_SYNTAX_BAD, STATUS_OBJECT_PATH_NOT_FOUND, STATUS_OBJECT_TYPE_MISMATCH.
        """
        for _ in range(_MAX_LINKS):
            if root is None:
                if not name.startswith("\\"):
                    raise NtError(STATUS_OBJECT_PATH_SYNTAX_BAD)
                here: KernelObject = self.root
                rest = name[1:]
            else:
                if name.startswith("\\"):
                    raise NtError(STATUS_OBJECT_PATH_SYNTAX_BAD)
                here, rest = root, name
            while rest:
                if not isinstance(here, Directory):
                    return here, rest
                part, slash, after = rest.partition("\\")
                found = here.find(part, case_sensitive=case_sensitive)
                if found is None:
                    if slash:
                        raise NtError(STATUS_OBJECT_PATH_NOT_FOUND)
                    return here, rest
                if isinstance(found, SymbolicLink) and (after or slash or follow_last):
                    name, root = found.target + slash + after, None
                    break
                here, rest = found, after
                if isinstance(found, Device):
                    return found, slash + after
            else:
                return here, ""
        raise NtError(STATUS_OBJECT_NAME_INVALID)

    def lookup(self, name: str, root: KernelObject | None, kind: type[KernelObject]) -> KernelObject:
        """An existing object of a type.

        Raises:
            NtError: STATUS_OBJECT_NAME_NOT_FOUND, STATUS_OBJECT_TYPE_MISMATCH and what ``walk`` raises.
        """
        found, rest = self.walk(name, root, follow_last=kind is not SymbolicLink)
        if rest:
            raise NtError(STATUS_OBJECT_NAME_NOT_FOUND)
        if not isinstance(found, kind):
            raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
        return found

    def insert(self, name: str, root: KernelObject | None, obj: KernelObject) -> None:
        """Name a new object.

        Raises:
            NtError: STATUS_OBJECT_NAME_COLLISION when the name is taken, and what ``walk`` raises.
        """
        found, rest = self.walk(name, root)
        if not rest:
            raise NtError(STATUS_OBJECT_NAME_COLLISION)
        if not isinstance(found, Directory):
            raise NtError(STATUS_OBJECT_TYPE_MISMATCH)
        found.insert(rest, obj)
