"""Kernel objects: what a handle refers to.

NT's object model in the small: an object lives while Python refers to it; its *handle count* decides when a temporary
name goes away and when ``on_last_handle`` runs. Source: Microsoft "Life Cycle of an Object" (kernel-mode objects).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.namespace import Directory
    from lswd.kernel.security_descriptor import SecurityDescriptor
    from lswd.kernel.thread import Thread
    from lswd.kernel.wait import Wait

# Generic and standard access rights (winnt.h).
DELETE = 0x00010000
READ_CONTROL = 0x00020000
WRITE_DAC = 0x00040000
WRITE_OWNER = 0x00080000
SYNCHRONIZE = 0x00100000
STANDARD_RIGHTS_ALL = 0x001F0000
MAXIMUM_ALLOWED = 0x02000000
GENERIC_ALL = 0x10000000
GENERIC_EXECUTE = 0x20000000
GENERIC_WRITE = 0x40000000
GENERIC_READ = 0x80000000


class KernelObject:
    """Base of all objects.

    Attributes:
        type_name: NT's name of the object type.
        generic: what GENERIC_READ, _WRITE, _EXECUTE and _ALL mean for the type.
        name: the name in the namespace, or "".
        directory: the namespace directory that holds the name.
        security: the security descriptor, once one has been set.
    """

    type_name = "Object"
    generic: tuple[int, int, int, int] = (READ_CONTROL, READ_CONTROL, READ_CONTROL, STANDARD_RIGHTS_ALL)
    security: SecurityDescriptor | None = None

    def __init__(self) -> None:
        self.name = ""
        self.directory: Directory | None = None
        self.handle_count = 0
        self.permanent = False

    def map_access(self, access: int) -> int:
        """Desired access with generic rights replaced by the type's own."""
        read, write, execute, everything = self.generic
        if access & (GENERIC_ALL | MAXIMUM_ALLOWED):
            return everything
        granted = access & ~(GENERIC_READ | GENERIC_WRITE | GENERIC_EXECUTE)
        if access & GENERIC_READ:
            granted |= read
        if access & GENERIC_WRITE:
            granted |= write
        if access & GENERIC_EXECUTE:
            granted |= execute
        return granted & everything

    def on_last_handle(self) -> None:
        """Called when the last handle is closed."""
        if self.directory is not None and not self.permanent:
            self.directory.remove(self)

    def path(self) -> str:
        """Full object name, or "" for an unnamed object."""
        if self.directory is None:
            return self.name
        return self.directory.path().rstrip("\\") + "\\" + self.name

    def __repr__(self) -> str:
        return f"{self.type_name}({self.path()})" if self.name else self.type_name


class Waitable(KernelObject):
    """An object with a signal state (a dispatcher object)."""

    def __init__(self) -> None:
        super().__init__()
        self.waits: dict[Wait, None] = {}  # who waits, first come first served

    def is_signalled(self, thread: Thread) -> bool:
        """Would a wait by ``thread`` be satisfied now?"""
        raise NotImplementedError

    def acquire(self, thread: Thread) -> int:
        """Take the signal for ``thread``; STATUS_ABANDONED_WAIT_0 for an abandoned mutant, else 0."""
        return 0

    def wake(self) -> None:
        """The signal state may satisfy waits now: let waiters try, first come first served."""
        for wait in tuple(self.waits):
            wait.try_satisfy()
