"""Serving the device: the loop that takes requests from the kernel and answers each of them exactly once.

Requests are read until there are none left, and what a service answers at once is written at once, so a short command
costs one read and one write (two of each when it has a struct) and never meets trio. Only what waits gets a task.
For a busy client the read blocks: finding nothing to read, and asking trio to wait, cost more than serving a request.
A timer's signal ends it every few milliseconds, and then all else gets its turn.
A request whose caller is interrupted is answered EINTR the moment we hear of it, before its task has ended: a caller
that was killed waits for that answer, whatever the task is doing.
"""

from __future__ import annotations

import errno

import trio

from lswd.device.cuse import wire
from lswd.device.cuse.channel import DeviceError, DeviceGoneError
from lswd.device.cuse.ticks import Ticks
from lswd.device.transport import Caller

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import Final, TypeAlias

    from lswd.device.cuse.channel import Channel
    from lswd.device.transport import Answer, Service

    Log: TypeAlias = Callable[[str, str], None]  # (level, message)

FAIR_SHARE: Final = 64
"""Requests served before other tasks get their turn."""
TICK_MILLISECONDS: Final = 5
"""How long reading may block, while others wait."""
BUSY_SECONDS: Final = 0.003
BUSY_REQUESTS: Final = 3
"""A client is busy after so many requests with so little time between them. While commands are under way reading never
blocks: their answers come from elsewhere."""
RELEASE_SECONDS: Final = 15.0
"""How long the service may take to release an open file."""
MOST_SIZES: Final = 256
"""Commands whose sizes are remembered: more than any service has."""


class _File:
    """An open file of the device: the service's opener, and how many of its commands are under way."""

    __slots__ = ("opener", "busy", "closed")

    def __init__(self, opener: object) -> None:
        self.opener = opener
        self.busy = 0
        self.closed = False


class _Waiting:
    """A command under way: its task, and what it is."""

    __slots__ = ("argument", "caller", "command", "file", "scope")

    def __init__(self, file: _File, caller: Caller, command: int, argument: int) -> None:
        self.scope = trio.CancelScope()
        self.file = file
        self.caller = caller
        self.command = command
        self.argument = argument


class Server:
    """Drives a service with the requests that come through one channel."""

    def __init__(self, channel: Channel, service: Service, log: Log) -> None:
        """``log`` is called with a level ("error", ...) and a message. The channel is closed when serving ends."""
        self._channel = channel
        self._service = service
        self._log = log
        self._files: dict[int, _File] = {}
        self._numbers = 0
        self._waiting: dict[int, _Waiting] = {}  # by unique
        self._sizes: dict[int, tuple[int, int]] = {}
        self._caller = Caller(0, 0, 0)
        self._ticks: Ticks | None = None
        self._nursery: trio.Nursery

    @property
    def waiting(self) -> int:
        """How many requests are under way."""
        return len(self._waiting)

    async def run(self) -> None:
        """Serve until cancelled, or until the device is gone.

        Raises DeviceGoneError when the kernel ends the device, DeviceError when it cannot be read any more. Whatever
        the reason, requests under way are answered EINTR, the device ends, and what is open still is released.
        """
        failure: DeviceError | None = None
        try:
            self._ticks = Ticks(TICK_MILLISECONDS)
        except (OSError, ValueError):
            pass  # then each request is waited for with trio
        try:
            async with trio.open_nursery() as nursery:
                self._nursery = nursery
                try:
                    await self._serve()
                except DeviceError as error:
                    failure = error
                    nursery.cancel_scope.cancel()
                finally:
                    self._end()
        finally:
            if self._ticks is not None:
                self._ticks.close()
            await self._release_all()
        if failure is not None:
            raise failure

    async def _serve(self) -> None:
        channel = self._channel
        read, handle, waiting = channel.read, self._handle, self._waiting
        share = 0  # requests of this turn
        busy = 0  # turns that began soon after the last
        while True:
            received = read()
            if received is not None:
                handle(received)
                share += 1
                if share >= FAIR_SHARE:
                    await trio.lowlevel.checkpoint()
                    share = 1
            elif busy >= BUSY_REQUESTS and not waiting and self._ticks is not None:
                await self._serve_busy(self._ticks)
                busy = share = 0
            else:
                start = trio.current_time()
                await trio.lowlevel.wait_readable(channel.file)
                busy = busy + 1 if trio.current_time() - start < BUSY_SECONDS else 0
                share = 0

    async def _serve_busy(self, ticks: Ticks) -> None:
        """Serve with reads that block, until nothing comes between two ticks, or something else is to be waited for."""
        channel, handle, waiting = self._channel, self._handle, self._waiting
        wait = channel.wait
        channel.set_blocking(True)
        try:
            with ticks:
                share = 0
                while not waiting:
                    received = wait()
                    if received is not None:
                        handle(received)
                        share += 1
                    elif not share:
                        break
                    if received is None or ticks.ticked or share >= FAIR_SHARE:
                        ticks.ticked = False
                        share = 0
                        await trio.lowlevel.checkpoint()
        finally:
            channel.set_blocking(False)

    def _end(self) -> None:
        """Answer what is under way, and end the device."""
        try:
            for unique in list(self._waiting):
                self._interrupt(unique, ending=True)
        finally:
            self._channel.close()

    def _answer(self, unique: int, message: bytes) -> bool:
        """Send the one answer of a request. Returns whether somebody gets it."""
        try:
            return self._channel.write(message)
        except DeviceGoneError:
            return False  # the kernel has answered; the next read ends the loop
        except OSError as error:
            self._log("error", f"/dev/{self._channel.name}: the kernel refuses an answer ({error.strerror})")
        try:
            return self._channel.write(wire.failure(unique, errno.EIO))
        except (DeviceGoneError, OSError):
            return False

    def _blame(self, what: str, error: BaseException) -> None:
        self._log("error", f"/dev/{self._channel.name}: {what}: internal error: {error!r}")

    def _handle(self, received: int) -> None:
        """Serve one request, which is in the channel's buffer. Raises nothing."""
        buffer = self._channel.buffer
        if received >= 72:
            (length, opcode, unique, _, uid, gid, thread, _, _, file, _, command, argument, size_in, size_out) = (
                wire.IOCTL_REQUEST.unpack_from(buffer)
            )
            if opcode == wire.IOCTL and length == received and unique:
                caller = self._caller
                if thread != caller.tid or uid != caller.uid or gid != caller.gid:
                    caller = self._caller = Caller(thread, uid, gid)
                self._ioctl(unique, caller, file, command, argument, received, size_in, size_out)
                return
        self._handle_other(received)

    def _handle_other(self, received: int) -> None:
        """Serve a request that is no ioctl, or none at all."""
        buffer = self._channel.buffer
        try:
            opcode, unique, thread, uid, gid = wire.read_header(buffer, received)
        except wire.WireError as error:
            self._log("error", f"/dev/{self._channel.name}: the kernel sends {error}")
            return
        if not unique:
            return  # there is none to answer; answers to 0 are notifications
        try:
            match opcode:
                case wire.OPEN:
                    flags, _ = wire.read_body(wire.OPEN_REQUEST, buffer, received)
                    self._open(unique, Caller(thread, uid, gid), flags)
                case wire.RELEASE:
                    (file,) = wire.read_body(wire.FILE_REQUEST, buffer, received)
                    self._answer(unique, wire.answer(unique))
                    self._close(file)
                case wire.INTERRUPT:
                    (target,) = wire.read_body(wire.INTERRUPTED, buffer, received)
                    self._interrupt(target)
                case wire.POLL:
                    self._answer(unique, wire.ready(unique, wire.READY))
                case wire.READ | wire.WRITE:
                    self._answer(unique, wire.failure(unique, errno.EINVAL))
                case wire.FLUSH | wire.FSYNC | wire.DESTROY:
                    self._answer(unique, wire.answer(unique))
                case _ if opcode not in wire.UNANSWERED:
                    # An ioctl comes here when its length is wrong.
                    self._answer(unique, wire.failure(unique, errno.EIO if opcode == wire.IOCTL else errno.ENOSYS))
        except wire.WireError as error:
            self._log("error", f"/dev/{self._channel.name}: the kernel sends {error}")
            if opcode not in wire.UNANSWERED:
                self._answer(unique, wire.failure(unique, errno.EIO))

    # --- requests -----------------------------------------------------------------------------------------------------

    def _open(self, unique: int, caller: Caller, flags: int) -> None:
        try:
            opener = self._service.opened(caller, flags)
        except OSError as error:
            self._answer(unique, wire.failure(unique, error.errno or errno.EIO))
            return
        except Exception as error:
            self._blame("open", error)
            self._answer(unique, wire.failure(unique, errno.EIO))
            return
        self._numbers += 1
        self._files[self._numbers] = _File(opener)
        if not self._answer(unique, wire.opened(unique, self._numbers)):
            self._close(self._numbers)  # no RELEASE will come for what nobody got

    def _ioctl(
        self,
        unique: int,
        caller: Caller,
        number: int,
        command: int,
        argument: int,
        received: int,
        size_in: int,
        size_out: int,
    ) -> None:
        try:
            want_in, want_out = self._sizes.get(command) or self._ask_sizes(command)
            if size_in != want_in or size_out != want_out:
                if size_in or size_out:
                    raise wire.WireError(f"{size_in}, {size_out} bytes for command {command:#x}")
                self._answer(unique, wire.retry(unique, argument, want_in, want_out))
                return
            if received != wire.IOCTL_REQUEST.size + want_in:
                raise wire.WireError(f"a request of {received} bytes for command {command:#x}")
            file = self._files[number]
            data = bytes(self._channel.buffer[wire.IOCTL_REQUEST.size : received]) if want_in else b""
            answer = self._service.ioctl(file.opener, caller, command, argument, data)
            if not isinstance(answer, tuple):
                self._wait_for(unique, _Waiting(file, caller, command, argument), answer, want_out)
                return
            message = _result(unique, answer, want_out)
        except _UnknownCommand:
            message = wire.result(unique, -errno.EINVAL)
        except Exception as error:
            self._blame(f"command {command:#x}", error)
            message = wire.result(unique, -errno.EIO)
        self._answer(unique, message)

    def _ask_sizes(self, command: int) -> tuple[int, int]:
        """The sizes of a command's struct, from the service. Raises _UnknownCommand."""
        sizes = self._service.sizes(command)
        if sizes is None:
            raise _UnknownCommand
        if not all(0 <= size <= wire.BUFFER_SIZE - wire.IOCTL_REQUEST.size for size in sizes):
            raise ValueError(f"its struct has {sizes} bytes")
        if len(self._sizes) < MOST_SIZES:
            self._sizes[command] = sizes
        return sizes

    def _wait_for(self, unique: int, waiting: _Waiting, awaitable: Awaitable[Answer], want_out: int) -> None:
        self._waiting[unique] = waiting
        waiting.file.busy += 1
        self._nursery.start_soon(self._finish, unique, waiting, awaitable, want_out)

    async def _finish(self, unique: int, waiting: _Waiting, awaitable: Awaitable[Answer], want_out: int) -> None:
        """The task of a command that waits: its answer, unless an interruption was faster."""
        file = waiting.file
        message = wire.result(unique, -errno.EINTR)
        try:
            with waiting.scope:
                message = _result(unique, await awaitable, want_out)
        except Exception as error:
            self._blame(f"command {waiting.command:#x}", error)
            message = wire.result(unique, -errno.EIO)
        finally:
            if self._waiting.get(unique) is waiting:
                del self._waiting[unique]
                self._answer(unique, message)
            file.busy -= 1
            if file.closed and not file.busy:
                self._release(file, self._nursery)

    def _interrupt(self, unique: int, *, ending: bool = False) -> None:
        """The caller got a signal, or was killed: answer him now; his task finds nobody to answer."""
        waiting = self._waiting.pop(unique, None)
        if waiting is None:
            return
        again = False
        try:
            again = not ending and self._service.interrupted(
                waiting.file.opener, waiting.caller, waiting.command, waiting.argument
            )
        except Exception as error:
            self._blame("interruption", error)
        self._answer(unique, wire.result(unique, -wire.RESTART if again else -errno.EINTR))
        waiting.scope.cancel()

    # --- closing ------------------------------------------------------------------------------------------------------

    def _close(self, number: int) -> None:
        """The last descriptor of an open file is gone: release it once its commands have ended."""
        file = self._files.pop(number, None)
        if file is not None:
            file.closed = True
            if not file.busy:
                self._release(file, self._nursery)

    def _release(self, file: _File, nursery: trio.Nursery) -> None:
        """Let the service release one opener. What it does at once is done before the next request."""
        try:
            pending = self._service.released(file.opener)
        except Exception as error:
            self._blame("close", error)
            return
        if pending is not None:
            nursery.start_soon(self._finish_release, pending)

    async def _finish_release(self, pending: Awaitable[None]) -> None:
        """The rest of a release, which the end of the device does not cut short."""
        with trio.move_on_after(RELEASE_SECONDS, shield=True) as scope:
            try:
                await pending
            except Exception as error:
                self._blame("close", error)
        if scope.cancelled_caught:
            self._log("warning", f"/dev/{self._channel.name}: a file was not released in {RELEASE_SECONDS:g} s")

    async def _release_all(self) -> None:
        files, self._files = self._files, {}
        async with trio.open_nursery() as nursery:
            for file in files.values():
                self._release(file, nursery)


class _UnknownCommand(Exception):
    """The service does not know the command."""


def _result(unique: int, answer: Answer, want_out: int) -> bytes:
    """The message that carries a service's answer. Raises ValueError or TypeError for one that has no place in it."""
    value, data = answer
    if not -4096 < value < 1 << 31:
        raise ValueError(f"it returned {value}")
    if data and len(data) != want_out:
        raise ValueError(f"it gave {len(data)} bytes of {want_out}")
    return wire.result(unique, value, data)
