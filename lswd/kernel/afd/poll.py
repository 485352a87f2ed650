"""Looking at many sockets, and events: IOCTL_AFD_POLL (select, WSAPoll, and what other programs build on it), and the
controls behind WSAEventSelect and WSAEnumNetworkEvents.

Source: Microsoft "select", "WSAPoll", "WSAEventSelect", "WSAEnumNetworkEvents"; for exclusive polls what Wine 8 does.
"""

from __future__ import annotations

from lswd.kernel.afd import protocol as afd
from lswd.kernel.afd.endpoint import Socket
from lswd.kernel.afd.errors import status_of
from lswd.kernel.afd.watch import READABLE, URGENT, WRITABLE, HostWait
from lswd.kernel.event import EVENT_MODIFY_STATE, Event
from lswd.kernel.file import Overflow
from lswd.kernel.wait import seconds_until
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, STATUS_TIMEOUT, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.afd.controls import Control

_MOST_SOCKETS = 1 << 14
_FOR_EVER = 0x7FFFFFFFFFFFFFFF
_READING = afd.POLL_READ | afd.POLL_ACCEPT | afd.POLL_HUP | afd.POLL_RESET
_WRITING = afd.POLL_WRITE | afd.POLL_CONNECT | afd.POLL_CONNECT_ERR


class Poll:
    """A poll that goes on. The first on a socket is its main one: an exclusive poll ends that with nothing to tell, if
    it is exclusive as well (libuv takes back its polls so).

    Attributes:
        superseded: another poll has ended it.
    """

    __slots__ = ("_exclusive", "_sockets", "_wait", "superseded")

    def __init__(self, wait: HostWait, sockets: list[Socket], exclusive: bool) -> None:
        self._wait = wait
        self._sockets = sockets
        self._exclusive = exclusive
        self.superseded = False

    def begin(self) -> None:
        """Take the place of older polls, and become the main one where there is none."""
        for target in self._sockets:
            older = target.main_poll
            if older is not None and older is not self and self._exclusive and older._exclusive:
                older._end_early()
            if target.main_poll is None:
                target.main_poll = self

    def end(self) -> None:
        for target in self._sockets:
            if target.main_poll is self:
                target.main_poll = None

    def _end_early(self) -> None:
        self.end()
        self.superseded = True
        self._wait.look_again()


def host_events(flags: int) -> int:
    """The host's events after which POLL_* ``flags`` may have changed."""
    mask = READABLE if flags & _READING else 0
    mask |= WRITABLE if flags & _WRITING else 0
    return mask | (URGENT if flags & afd.POLL_OOB else 0)


async def poll(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_POLL: wait until one of the sockets in the input is as asked; the output tells which, and how."""
    word = control.space.word
    head = control.input(afd.PollHeader)
    head_size, entry_size = afd.PollHeader.size(word), afd.PollEntry.size(word)
    if not 0 < head.count <= _MOST_SOCKETS or control.length < head_size + head.count * entry_size:
        raise NtError(STATUS_INVALID_PARAMETER)
    if control.out_length < head_size:
        raise NtError(STATUS_INVALID_PARAMETER)
    data = control.space.read(control.address + head_size, head.count * entry_size)
    wanted: list[tuple[int, Socket, int]] = []
    for i in range(head.count):
        entry = afd.PollEntry.unpack(word, data, i * entry_size)
        target = control.process.handles.get(entry.socket, Socket)
        assert isinstance(target, Socket)
        wanted.append((entry.socket, target, entry.flags))
    seconds = None if head.timeout == _FOR_EVER else seconds_until(head.timeout)
    interests = [(target, host_events(flags)) for _, target, flags in wanted]
    with HostWait(control.thread, seconds) as wait:
        this = Poll(wait, [target for _, target, _ in wanted], bool(head.exclusive))
        this.begin()
        try:
            while True:
                ready = [] if this.superseded else _ready(wanted)
                over = not ready and not this.superseded and (seconds == 0 or wait.expired)
                if ready or over or this.superseded:
                    break
                await wait.until(interests)
        finally:
            this.end()
    room = (control.out_length - head_size) // entry_size
    answer = b"".join(entry.pack(word) for entry in ready[:room])
    header = afd.PollHeader(timeout=head.timeout, count=min(room, len(ready)), exclusive=head.exclusive)
    control.space.write(control.out_address, header.pack(word) + answer)
    if over:
        raise Overflow(STATUS_TIMEOUT, head_size)
    return head_size + len(answer)


def _ready(wanted: list[tuple[int, Socket, int]]) -> list[afd.PollEntry]:
    """The entries with something to tell."""
    found = []
    for handle, target, flags in wanted:
        now = target.poll_flags() & (flags | afd.POLL_CLOSE)
        if now:
            status = status_of(target.connect_error) if now & afd.POLL_CONNECT_ERR else 0
            found.append(afd.PollEntry(socket=handle, flags=now, status=status))
    return found


async def event_select(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_EVENT_SELECT: WSAEventSelect."""
    p = control.input(afd.EventSelectParameters)
    event: Event | None = None
    if p.event:
        found = control.process.handles.get(p.event, Event, EVENT_MODIFY_STATE)
        assert isinstance(found, Event)
        event = found
    elif p.mask:
        raise NtError(STATUS_INVALID_PARAMETER)
    if not sock.created:
        raise NtError(STATUS_INVALID_PARAMETER)
    sock.select_events(control.scheduler, event, p.mask)
    return 0


async def get_events(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_GET_EVENTS: what there was to tell since the last time."""
    flags, sock.untold = sock.untold, 0
    event = control.address
    if event:  # not an address: the event to reset, as on Windows; Wine 8 resets it itself
        found = control.process.handles.get(event, Event, EVENT_MODIFY_STATE)
        assert isinstance(found, Event)
        found.reset()
    return control.answer(afd.NetworkEvents(flags=flags, status=sock.event_statuses()).pack(control.space.word))
