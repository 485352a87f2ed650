"""Who a session is for, and becoming that, completely and for good.

Source: credentials(7), capabilities(7), namespaces(7), setns(2).
"""

from __future__ import annotations

import ctypes
import errno
import os

from lswd.ioctl.native.process_files import open_proc, read_proc, status_fields

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CLONE_NEWNS = 0x00020000
_PR_SET_DUMPABLE = 4
_PR_CAPBSET_DROP = 24
_PR_SET_NO_NEW_PRIVS = 38
_PR_CAP_AMBIENT = 47
_PR_CAP_AMBIENT_CLEAR_ALL = 4
_CAPABILITY_VERSION = 0x20080522
_LAST_CAPABILITY = 63

_libc = ctypes.CDLL(None, use_errno=True)


class IdentityError(Exception):
    """We cannot act for this caller; the message says why."""


class Identity:
    """What makes two callers the same to us.

    Attributes:
        capabilities: of a caller who is root: what he has of root's might; 0 for all others.
        view: his mount namespace and root directory, as (namespace, device, inode).
    """

    __slots__ = ("capabilities", "gid", "groups", "uid", "view")

    def __init__(
        self, uid: int, gid: int, groups: tuple[int, ...], capabilities: int = 0, view: tuple[int, ...] = (0, 0, 0)
    ) -> None:
        self.uid = uid
        self.gid = gid
        self.groups = groups
        self.capabilities = capabilities
        self.view = view

    def _key(self) -> tuple[Any, ...]:
        return self.uid, self.gid, self.groups, self.capabilities, self.view

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Identity) and self._key() == other._key()

    def __hash__(self) -> int:
        return hash(self._key())

    def __str__(self) -> str:
        return f"uid {self.uid}, gid {self.gid}"

    def to_list(self) -> list[Any]:
        """As plain data."""
        return [self.uid, self.gid, list(self.groups), self.capabilities, list(self.view)]

    @classmethod
    def from_list(cls, values: list[Any]) -> Identity:
        """What ``to_list`` returned."""
        uid, gid, groups, capabilities, view = values
        return cls(uid, gid, tuple(groups), capabilities, tuple(view))

    def allows(self, fields: dict[bytes, bytes], view: tuple[int, ...]) -> bool:
        """Is a caller with this /proc/PID/status and view still the one we stand for?"""
        return (
            view == self.view
            and (not self.groups or _groups(fields) == self.groups)
            and (self.uid != 0 or os.geteuid() != 0 or _capabilities(fields) == self.capabilities)
        )


def _groups(fields: dict[bytes, bytes]) -> tuple[int, ...]:
    return tuple(sorted({int(text) for text in fields.get(b"Groups", b"").split()}))


def _capabilities(fields: dict[bytes, bytes]) -> int:
    return int(fields.get(b"CapEff", b"0"), 16)


def view_of(proc: int, tid: int | str) -> tuple[int, int, int]:
    """The mount namespace and root directory of a thread. Raises OSError."""
    namespace = os.stat(f"{tid}/ns/mnt", dir_fd=proc)
    root = os.stat(f"{tid}/root", dir_fd=proc)
    return namespace.st_ino, root.st_dev, root.st_ino


def identify(tid: int, uid: int, gid: int) -> Identity:
    """The identity of the caller ``tid``, whose file system uid and gid the kernel told us.

    Raises:
        OSError: he is gone, or hidden. IdentityError: he lives where we cannot act for him.
    """
    if not tid:
        raise ProcessLookupError(errno.ESRCH, "the caller's process cannot be seen")
    proc = open_proc()
    try:
        fields = status_fields(read_proc(proc, f"{tid}/status"))
        view = view_of(proc, tid)
        if os.stat(f"{tid}/ns/user", dir_fd=proc).st_ino != os.stat("self/ns/user", dir_fd=proc).st_ino:
            raise IdentityError("the caller is in a user namespace of its own")
        if os.geteuid():
            if uid != os.geteuid():
                raise IdentityError(f"this daemon serves user {os.geteuid()} only")
            if view != view_of(proc, "self"):
                raise IdentityError("the caller sees other mounts or another root directory than this daemon")
            return Identity(uid, os.getegid(), (), 0, view)
        return Identity(uid, gid, _groups(fields), 0 if uid else _capabilities(fields), view)
    except ValueError:
        raise OSError(errno.EIO, "a status that cannot be read") from None
    finally:
        os.close(proc)


def _prctl(option: int, argument: int = 0) -> int:
    return int(_libc.prctl(option, ctypes.c_ulong(argument), ctypes.c_ulong(0), ctypes.c_ulong(0), ctypes.c_ulong(0)))


def set_dumpable(allowed: bool) -> None:
    """May others of this user look into this process, and may it look at its own /proc/self?"""
    _prctl(_PR_SET_DUMPABLE, int(allowed))


def join(proc: int, tid: int, view: tuple[int, ...]) -> None:
    """Enter the mount namespace and root directory of ``tid``, if they are others than ours. Raises OSError."""
    if view == view_of(proc, "self"):
        return
    root = os.open(f"{tid}/root", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC, dir_fd=proc)
    namespace = os.open(f"{tid}/ns/mnt", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
    try:
        if os.fstat(namespace).st_ino != view_of(proc, "self")[0] and _libc.setns(namespace, _CLONE_NEWNS):
            code = ctypes.get_errno()
            raise OSError(code, f"cannot enter the caller's mount namespace: {os.strerror(code)}")
        os.fchdir(root)
        os.chroot(".")
        os.chdir("/")
    finally:
        os.close(root)
        os.close(namespace)
    if view_of(proc, tid) != view:
        raise OSError(errno.ESTALE, "the caller has changed its root")


def become(identity: Identity, proc: int) -> None:
    """Give up everything that ``identity`` does not have.

    Raises:
        OSError: the kernel refuses. IdentityError: something is left that should not be.
    """
    if os.geteuid() == 0:
        _prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL)
        for number in range(_LAST_CAPABILITY + 1):
            if not identity.capabilities >> number & 1:
                _prctl(_PR_CAPBSET_DROP, number)
        os.setgroups(identity.groups)
        os.setresgid(identity.gid, identity.gid, identity.gid)
        os.setresuid(identity.uid, identity.uid, identity.uid)
        # A root caller may have more than a service manager has left us: nobody gets what we do not have.
        held = int(status_fields(read_proc(proc, "thread-self/status")).get(b"CapPrm", b"0"), 16)
        _set_capabilities(identity.capabilities & held)
    else:
        _set_capabilities(0)
    if _prctl(_PR_SET_NO_NEW_PRIVS, 1):
        raise IdentityError("cannot rule out new privileges")
    _verify(identity, proc)


def _set_capabilities(mask: int) -> None:
    header = (ctypes.c_uint32 * 2)(_CAPABILITY_VERSION, 0)
    low, high = mask & 0xFFFF_FFFF, mask >> 32
    # effective, permitted, inheritable of the low 32, then of the high
    data = (ctypes.c_uint32 * 6)(low, low, 0, high, high, 0)
    if _libc.capset(header, data):
        code = ctypes.get_errno()
        raise OSError(code, f"cannot set capabilities: {os.strerror(code)}")


def _verify(identity: Identity, proc: int) -> None:
    """The way back must be closed."""
    wanted = (identity.uid,) * 3, (identity.gid,) * 3
    if (os.getresuid(), os.getresgid()) != wanted:
        raise IdentityError("user or group is not the caller's")
    if not identity.uid:
        return
    try:
        os.setresuid(0, 0, 0)
    except OSError:  # EPERM; EINVAL in a user namespace without a root
        pass
    else:
        raise IdentityError("could become root again")
    fields = status_fields(read_proc(proc, "thread-self/status"))
    if int(fields.get(b"CapPrm", b"1"), 16) or int(fields.get(b"CapEff", b"1"), 16):
        raise IdentityError("has kept capabilities")
