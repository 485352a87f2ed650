"""What every command of /dev/lsw does, behind the transports (``lswd.device.transport.Service``).

How a daemon makes one (``lswd.session.spawner`` and ``lswd.session.pool`` supply the unprivileged half)::

    spawner = lswd.session.spawner.start(lswd.service.program)   # first of all: before trio, before /dev/cuse is opened
    ...
    async def main():
        async with trio.open_nursery() as nursery:
            sessions = lswd.session.pool.Sessions(spawner, settings, log)
            service = LswService(settings, sessions, log)
            await service.run(nursery)     # starts what runs in the background, and returns
            ... nursery.start_soon(transport.serve, service)
        # to drain: await service.close() ends all programs and sessions

``settings`` is an ``lswd.ioctl.settings.Settings``, ``log`` a function (level, message) with levels "debug", "info",
"warning", "error". ``service.programs()`` lists what runs.
"""

from __future__ import annotations

import errno
import os
import signal

import trio

from lswd import __version__
from lswd.device.transport import Caller
from lswd.ioctl import commands as c
from lswd.ioctl.native.serve import is_known
from lswd.ioctl.processes import group_of, inner_pid, is_dying, is_owned, is_stopping, owner_of
from lswd.ioctl.registrations import Execution, Opener, Registration, Registrations, may
from lswd.ioctl.settings import ACKNOWLEDGE, EMULATE

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from lswd.device.transport import Answer
    from lswd.ioctl.hop import Program, Sessions
    from lswd.ioctl.settings import Settings

_LAUNCH_DESCRIPTORS = 5
_LOOK_SECONDS = 0.1
_RESTARTED = (c.EXECUTE_PE.number, c.WAIT_PE.number)
_SIGNALS = {
    c.SIGNAL_CTRL_C: signal.SIGINT,
    c.SIGNAL_CTRL_BREAK: signal.SIGQUIT,
    c.SIGNAL_CLOSE: signal.SIGTERM,
    c.SIGNAL_RESIZED: signal.SIGWINCH,
    c.SIGNAL_STOP: signal.SIGSTOP,
    c.SIGNAL_CONTINUE: signal.SIGCONT,
}


def error(number: int) -> OSError:
    """The OSError of an errno."""
    return OSError(number, os.strerror(number))


def _close(descriptors: list[int]) -> None:
    for fd in descriptors:
        os.close(fd)
    descriptors.clear()


class LswService:
    """See the module's docstring. Everything here runs on the daemon's event loop and never waits elsewhere."""

    def __init__(self, settings: Settings, sessions: Sessions, log: Callable[[str, str], None]) -> None:
        self.settings = settings
        self.sessions = sessions
        self.log = log
        self.table = Registrations()
        self._nursery: trio.Nursery | None = None
        self._openers: dict[int, Opener] = {}
        self._openers_of: dict[int, int] = {}
        self._next_opener = 1
        self._watched: set[int] = set()
        self._plain: dict[int, Callable[[Opener, Caller, int, bytes], Answer]] = {
            c.REGISTER_PE.number: self._register,
            c.UNREGISTER_PE.number: self._unregister,
            c.GET_STATUS.number: self._status,
            c.INFO.number: self._info,
            c.KILL_PE.number: self._kill,
            c.SIGNAL_PE.number: self._signal,
        }

    async def run(self, nursery: trio.Nursery) -> None:
        """Start what runs in the background; call it before anything is served."""
        self._nursery = nursery
        await self.sessions.run(nursery)

    async def close(self) -> None:
        """End all programs and sessions."""
        for execution in self.table.executions():
            if execution.program is not None:
                execution.program.kill(c.STILL_ACTIVE)
        await self.sessions.close()

    def programs(self) -> list[Execution]:
        """The programs that run."""
        return self.table.executions()

    # ---- what transports call

    def opened(self, caller: Caller, flags: int) -> Opener:
        """The device was opened. Raises OSError (EMFILE): the user has too many open files of it."""
        count = self._openers_of.get(caller.uid, 0)
        if caller.uid and count >= self.settings.openers:
            raise error(errno.EMFILE)
        self._openers_of[caller.uid] = count + 1
        opener = Opener(self._next_opener, caller.uid, group_of(caller.tid), inner_pid(caller.tid))
        self._next_opener += 1
        self._openers[opener.id] = opener
        return opener

    def released(self, opener: object) -> None:
        """The last descriptor of an open file is gone; so are its registrations, handles and programs."""
        if not isinstance(opener, Opener) or opener.closed:
            return
        opener.closed = True
        del self._openers[opener.id]
        left = self._openers_of[opener.uid] - 1
        if left:
            self._openers_of[opener.uid] = left
        else:
            del self._openers_of[opener.uid]
        for registration in tuple(opener.registrations):
            self.table.remove(registration)
        for execution in tuple(opener.executions):
            self._leave(execution)
        self.sessions.closed(opener.id)

    def sizes(self, command: int) -> tuple[int, int] | None:
        """See Service."""
        found = c.COMMANDS.get(command)
        return None if found is None else (found.in_size, found.out_size)

    def ioctl(
        self,
        opener: object,
        caller: Caller,
        command: int,
        argument: int,
        data: bytes,
        descriptors: Sequence[int] = (),
    ) -> Answer | Awaitable[Answer]:
        """Serve one command; see Service. Never raises, and neither does what it returns (but trio.Cancelled)."""
        known = c.COMMANDS.get(command)
        given = list(descriptors)
        if known is None or not isinstance(opener, Opener) or opener.closed or len(data) != known.in_size:
            _close(given)
            return -errno.EINVAL, b""
        if known is not c.LAUNCH_PE:
            _close(given)
        plain = self._plain.get(command)
        if plain is not None:
            try:
                return plain(opener, caller, argument & 0xFFFF_FFFF, data)
            except OSError as failure:
                return -(failure.errno or errno.EIO), b""
            except Exception as failure:
                return self._bug(failure)
        if known is c.SYSCALL or known is c.SYSCALL_A:
            if not is_known(data, known.nr):
                return 0, data
            answer = self.sessions.native(caller, opener.id, known.nr, data)
            return answer if isinstance(answer, tuple) else self._guard(answer)
        if known is c.WAIT_PE:
            return self._guard(self._wait(opener, caller, data))
        if known is c.EXECUTE_PE:
            return self._execute(opener, caller, argument & 0xFFFF_FFFF)
        return self._guard(self._launch(opener, caller, given))

    async def _guard(self, serving: Awaitable[Answer]) -> Answer:
        """What goes wrong is an errno for this caller; the daemon goes on."""
        try:
            return await serving
        except OSError as failure:
            return -(failure.errno or errno.EIO), b""
        except Exception as failure:
            return self._bug(failure)

    def _bug(self, failure: Exception) -> Answer:
        """What should not have been raised ends one command, not the daemon."""
        self.log("error", f"a command failed: {type(failure).__name__}: {failure}")
        return -errno.EIO, b""

    # ---- registrations

    def _host_pid(self, opener: Opener, pid: int) -> int:
        """The process a caller calls ``pid``. In another pid namespace he can only speak of himself."""
        if not opener.inner:
            return pid
        if pid != opener.inner:
            raise error(errno.ESRCH)
        return opener.pid

    def _register(self, opener: Opener, caller: Caller, _argument: int, data: bytes) -> Answer:
        info = c.PeInfo.unpack(c.WORD, data)
        if not info.pid:
            opener.count_zero(1)
            return 0, b""
        pid = self._host_pid(opener, info.pid)
        owned = is_owned(pid, caller.uid)
        if caller.uid and not owned:
            raise error(errno.EPERM)
        if caller.uid and self.table.of_user.get(caller.uid, 0) >= self.settings.registrations:
            raise error(errno.ENOMEM)
        self._watch(pid)
        self.table.add(Registration(caller.uid, pid, info, opener))
        return 0, b""

    def _watch(self, pid: int) -> None:
        """Have the registrations of ``pid`` removed when it ends. Raises OSError: it has."""
        if pid in self._watched:
            return
        assert self._nursery is not None, "run() comes first"
        pidfd = os.pidfd_open(pid)
        self._watched.add(pid)
        self._nursery.start_soon(self._until_gone, pid, pidfd)

    async def _until_gone(self, pid: int, pidfd: int) -> None:
        try:
            await trio.lowlevel.wait_readable(pidfd)
        finally:
            os.close(pidfd)
            self._watched.discard(pid)
        self.table.remove_pid(pid)

    def _unregister(self, opener: Opener, caller: Caller, pid: int, _data: bytes) -> Answer:
        if not pid:
            opener.count_zero(-1)
            return 0, b""
        self.table.remove(self.table.find(self._host_pid(opener, pid), caller))
        return 0, b""

    def _status(self, opener: Opener, _caller: Caller, _argument: int, _data: bytes) -> Answer:
        return 0, c.Status(count=self.table.count + opener.zero).pack(c.WORD)

    def _info(self, _opener: Opener, caller: Caller, _argument: int, _data: bytes) -> Answer:
        features = c.FEATURE_WAIT | c.FEATURE_KILL | c.FEATURE_SIGNAL | c.FEATURE_LAUNCH
        if self.settings.execute == EMULATE:
            features |= c.FEATURE_EMULATE
        info = c.Info(
            protocol=c.PROTOCOL,
            features=features,
            limit=self.settings.registrations if caller.uid else 0xFFFF_FFFF,
            registered=self.table.of_user.get(caller.uid, 0),
            version=__version__.encode()[:15],
        )
        return 0, info.pack(c.WORD)

    # ---- programs

    def _execute(self, opener: Opener, caller: Caller, pid: int) -> Answer | Awaitable[Answer]:
        if not pid:
            return 0, b""  # the module finds an empty slot
        try:
            registration = self.table.find(self._host_pid(opener, pid), caller, newest=True)
        except OSError as failure:
            return -(failure.errno or errno.EIO), b""
        if self.settings.execute == ACKNOWLEDGE:
            return 0, b""
        return self._guard(self._emulate(opener, caller, registration))

    async def _emulate(self, opener: Opener, caller: Caller, registration: Registration) -> Answer:
        execution = registration.execution
        if execution.paused:
            await self._resume(execution, caller)
        else:
            execution = await self._begin(opener, caller, registration)
        if execution.reason == c.REASON_LOST:
            raise error(errno.EIO)
        return execution.exit_status & 0x7FFF_FFFF, b""

    async def _begin(self, opener: Opener, caller: Caller, registration: Registration) -> Execution:
        """Run the program of a registration to its end. Raises OSError."""
        execution = registration.execution
        if execution.ended.is_set():
            execution = registration.execution = Execution(registration.uid, registration.pid, opener)
        if execution.starting or execution.program is not None:
            raise error(errno.EBUSY)
        execution.opener = opener

        subject = self._subject(caller, registration.pid)

        def start() -> Awaitable[Program]:
            return self.sessions.execute(subject, registration.pid, registration.info)

        await self._run(execution, start, caller)
        return execution

    def interrupted(self, opener: object, caller: Caller, command: int, argument: int) -> bool:
        """See Service. A program is stopped with the one who waits for it, and goes on with him."""
        if command not in _RESTARTED or not isinstance(opener, Opener) or not is_stopping(caller.tid):
            return False
        if command == c.EXECUTE_PE.number:
            try:
                pid = self._host_pid(opener, argument & 0xFFFF_FFFF)
                execution = self.table.find(pid, caller, newest=True).execution
            except OSError:
                return False
            execution.paused = True
            execution.absences += 1
            execution.signal(signal.SIGSTOP)
        return True

    async def _resume(self, execution: Execution, caller: Caller) -> None:
        """The one who waited goes on."""
        execution.paused = False
        execution.signal(signal.SIGCONT)
        while execution.program is None and not execution.ended.is_set():
            await trio.sleep(_LOOK_SECONDS)
        if execution.program is not None:
            await self._attend(execution, execution.program, caller, execution.absences)

    def _subject(self, caller: Caller, pid: int) -> Caller:
        """As whom the image of ``pid`` runs: as that process's user, whoever asks. Raises OSError."""
        if group_of(caller.tid) == pid:
            return caller
        uid, gid = owner_of(pid)
        if not may(caller, uid) or not is_owned(pid, uid):
            raise error(errno.EPERM)
        return Caller(pid, uid, gid)

    async def _launch(self, opener: Opener, caller: Caller, descriptors: list[int]) -> Answer:
        try:
            if len(descriptors) != _LAUNCH_DESCRIPTORS:
                raise error(errno.EINVAL)
            execution = Execution(caller.uid, group_of(caller.tid), opener)

            def start() -> Awaitable[Program]:
                return self.sessions.launch(caller, descriptors)

            program = await self._run(execution, start, None, descriptors)
        finally:
            _close(descriptors)
        ending = program.ending
        report = ending.to_bytes(c.Launch.layout(c.WORD).size - 16)
        answer = c.Launch(
            exit_status=execution.exit_status, reason=execution.reason, exit_code=ending.exit_code,
            report_size=len(report), report=report,
        )  # fmt: skip
        return 0, answer.pack(c.WORD)

    async def _run(
        self, execution: Execution, start: Callable[[], Awaitable[Program]], blocked: Caller | None,
        descriptors: list[int] | None = None,
    ) -> Program:  # fmt: skip
        """Run a program to its end.

        Args:
            blocked: who is held up in EXECUTE_PE meanwhile: if he is killed he must be let go at once.
            descriptors: to be closed once the program has its own.
        """
        if execution.uid and self.table.running(execution.uid) >= self.settings.programs:
            raise error(errno.EAGAIN)
        execution.starting = True
        absences = execution.absences
        self.table.started(execution)
        try:
            with trio.CancelScope(shield=True):
                program = execution.program = await start()
                if descriptors is not None:
                    _close(descriptors)
        except BaseException:
            execution.end(0, c.REASON_NOT_STARTED)
            self.table.finished(execution)
            raise
        assert self._nursery is not None, "run() comes first"
        self._nursery.start_soon(self._until_ended, execution, program)
        for number in execution.early:
            program.signal(number)
        if execution.opener.closed:
            self._leave(execution)
        await self._attend(execution, program, blocked, absences)
        return program

    async def _attend(self, execution: Execution, program: Program, blocked: Caller | None, absences: int) -> None:
        """Wait for a program's end. Whoever is cancelled takes it along, but for one who will be back."""
        try:
            await execution.ended.wait()
        except trio.Cancelled:
            if execution.absences != absences:
                raise
            execution.interrupted = True
            program.signal(signal.SIGINT)
            if not await self._interrupted(execution, blocked):
                self._leave(execution)
                raise

    def _leave(self, execution: Execution) -> None:
        """Nobody waits for this program any more: it ends. Handling the Ctrl-C it has got it may finish."""
        program = execution.program
        if program is None or execution.ended.is_set():
            return
        if execution.interrupted and self._nursery is not None:
            self._nursery.start_soon(self._abandon, program)
        else:
            program.kill(c.STILL_ACTIVE)

    async def _until_ended(self, execution: Execution, program: Program) -> None:
        try:
            await program.ended.wait()
            execution.end(program.ending.exit_status, program.ending.reason)
        finally:
            execution.end(0, c.REASON_LOST)  # the daemon itself is ending: nobody must wait for ever
            self.table.finished(execution)

    async def _interrupted(self, execution: Execution, blocked: Caller | None) -> bool:
        """The caller was interrupted and his program has got Ctrl-C: wait on, for the caller would run the program
        himself if he were told before its end. False if he is being killed, which a transport cannot tell us."""
        with trio.CancelScope(shield=True):
            while not execution.ended.is_set():
                if blocked is not None and is_dying(blocked.tid):
                    return False
                with trio.move_on_after(_LOOK_SECONDS):
                    await execution.ended.wait()
        return True

    async def _abandon(self, program: Program) -> None:
        """The program may handle its Ctrl-C, but not for long."""
        with trio.move_on_after(self.settings.interrupt_grace):
            await program.ended.wait()
        if not program.ended.is_set():
            program.kill(c.STILL_ACTIVE)

    async def _wait(self, opener: Opener, caller: Caller, data: bytes) -> Answer:
        request = c.Wait.unpack(c.WORD, data)
        execution = self.table.find_execution(self._host_pid(opener, request.pid), caller, ended=True)
        seconds = float("inf") if request.timeout_ms == c.FOREVER else request.timeout_ms / 1000
        if not execution.ended.is_set() and seconds:
            with trio.move_on_after(seconds):
                await execution.ended.wait()
        request.exit_status, request.reason = execution.exit_status, execution.reason
        return 0, request.pack(c.WORD)

    def _kill(self, opener: Opener, caller: Caller, _argument: int, data: bytes) -> Answer:
        request = c.Kill.unpack(c.WORD, data)
        execution = self.table.find_execution(self._host_pid(opener, request.pid), caller, ended=False)
        if execution.program is None:
            raise error(errno.EAGAIN)
        execution.program.kill(request.exit_status)
        return 0, b""

    def _signal(self, opener: Opener, caller: Caller, _argument: int, data: bytes) -> Answer:
        request = c.Signal.unpack(c.WORD, data)
        number = _SIGNALS.get(request.event)
        if number is None:
            raise error(errno.EINVAL)
        if request.pid:
            pid = self._host_pid(opener, request.pid)
            targets = [self.table.find_execution(pid, caller, ended=False)]
        else:
            targets = [execution for execution in opener.executions if may(caller, execution.uid)]
        if not targets:
            raise error(errno.ESRCH)
        for execution in targets:
            execution.signal(number)
        return 0, b""
