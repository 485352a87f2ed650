"""The seam between a transport (CUSE, the socket) and what serves its commands.

A transport knows how bytes travel and nothing about any command; a service knows commands and nothing of the way they
came. Both device and socket drive the same service, so a command behaves the same through either.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Sequence
    from typing import Protocol, TypeAlias

    # result (0..0x7FFFFFFF, or -errno) and the bytes for the caller: exactly the command's out size, or none at all
    Answer: TypeAlias = tuple[int, bytes]


class Caller:
    """Who makes this one request. Authorise every request by it, not only the opening.

    Attributes:
        tid: the calling thread's identifier in our pid namespace; 0 when it cannot be seen from there.
        uid, gid: its file system uid and gid at the time of the request.
    """

    __slots__ = ("gid", "tid", "uid")

    def __init__(self, tid: int, uid: int, gid: int) -> None:
        self.tid = tid
        self.uid = uid
        self.gid = gid


if TYPE_CHECKING:

    class Service(Protocol):
        """What a transport drives. An *opener* is the service's own object for one open file (or connection)."""

        def opened(self, caller: Caller, flags: int) -> object:
            """The device was opened. Raises OSError to refuse (its errno reaches the caller)."""
            ...

        def sizes(self, command: int) -> tuple[int, int] | None:
            """Bytes (in, out) of the struct that ``command``'s argument points to; (0, 0) when the argument is a value
            or unused; None for a command nobody knows (the transport answers EINVAL). ``command``: low 32 bits."""
            ...

        def ioctl(
            self,
            opener: object,
            caller: Caller,
            command: int,
            argument: int,
            data: bytes,
            descriptors: Sequence[int] = (),
        ) -> Answer | Awaitable[Answer]:
            """Serve one command. What can be answered at once is; anything else is awaited in a task of its own, and
            cancelled when the caller is interrupted (the transport then answers EINTR).

            Args:
                argument: the raw argument: the value itself, or the struct's address in the caller.
                data: the struct read from the caller, ``sizes(command)[0]`` bytes.
                descriptors: what the caller sent along (socket only); the service owns and closes them.
            """
            ...

        def interrupted(self, opener: object, caller: Caller, command: int, argument: int) -> bool:
            """The caller of a command that is awaited gets a signal; what serves it is then cancelled.

            True: he is only being stopped (Ctrl-Z), and when he goes on the kernel makes the same call again.
            """
            ...

        def released(self, opener: object) -> Awaitable[None] | None:
            """The last descriptor of the open file is gone: free all that hangs on it."""
            ...
