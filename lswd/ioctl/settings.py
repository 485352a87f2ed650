"""What can be configured about commands and sessions. The daemon's configuration fills this in."""

from __future__ import annotations

EMULATE = "emulate"
ACKNOWLEDGE = "acknowledge"


class Settings:
    """Attributes may change while the daemon runs; they are read when they matter.

    Attributes:
        execute: what EXECUTE_PE does: EMULATE runs the program, ACKNOWLEDGE only answers, as the kernel module.
        registrations: how many a user may have at once (root: no limit).
        openers: how many files of the device a user may have open at once (root: no limit).
        handles: how many files, and how many of anything else, one open file of the device may hold.
        engine: what runs programs that do not ask for an engine; "" for the best there is.
        programs: how many programs a user may run at once (root: no limit).
        pending: how many native calls of one session may wait at once.
        sessions: how many sessions a user may have at once (he has several when his groups or mounts differ).
        session_idle: seconds after which a session that does nothing ends.
        interrupt_grace: seconds a program has left after its Ctrl-C when the one who called EXECUTE_PE is gone.
    """

    __slots__ = (
        "engine", "execute", "handles", "interrupt_grace", "openers", "pending", "programs", "registrations",
        "session_idle", "sessions",
    )  # fmt: skip

    def __init__(
        self,
        *,
        execute: str = EMULATE,
        engine: str = "",
        registrations: int = 256,
        openers: int = 4096,
        handles: int = 4096,
        programs: int = 256,
        pending: int = 4096,
        sessions: int = 16,
        session_idle: float = 300.0,
        interrupt_grace: float = 2.0,
    ) -> None:
        self.execute = execute
        self.engine = engine
        self.registrations = registrations
        self.openers = openers
        self.handles = handles
        self.programs = programs
        self.pending = pending
        self.sessions = sessions
        self.session_idle = session_idle
        self.interrupt_grace = interrupt_grace
