"""The daemon at work: transports drive one service, and signals tell when to read the settings again and when to stop.

    SIGHUP            read the configuration again
    SIGTERM, SIGINT   drain: nothing new is opened or started, programs get ``limits.drain`` seconds to end, then are
                      ended; once more: at once
"""

from __future__ import annotations

import errno
import os
import signal
from typing import TYPE_CHECKING, Protocol

import trio

from lswd.device.socket import SocketTransport
from lswd.ioctl.commands import EXECUTE_PE, LAUNCH_PE
from lswd.service.keys import ConfigError

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Sequence

    from lswd.device.transport import Answer, Caller, Service
    from lswd.service.journal import Log
    from lswd.service.notify import Notifier
    from lswd.service.settings import Settings

    class Backend(Service, Protocol):
        """What serves the commands (ioctl.service.LswService)."""

        async def run(self, nursery: trio.Nursery) -> None: ...
        async def close(self) -> None: ...
        def programs(self) -> Sequence[object]: ...

    class Device(Protocol):
        """A device that is served (device.cuse.server.Server)."""

        async def run(self) -> None: ...


_STARTING = (EXECUTE_PE.number, LAUNCH_PE.number)
_LOOK_SECONDS = 0.1
_CLOSE_SECONDS = 15.0


class Gate:
    """The service as transports see it: what is refused while the daemon drains, and to strangers, is refused here.

    As long as nothing is refused, commands go to the service directly.
    """

    def __init__(self, service: Service, only: int | None = None) -> None:
        """``only``: whom to serve besides root; None for everybody."""
        self._service = service
        self._only = only
        self._draining = False
        self.sizes = service.sizes
        self.released = service.released
        self.interrupted = service.interrupted
        self.ioctl: Callable[..., Answer | Awaitable[Answer]] = service.ioctl

    def drain(self) -> None:
        """From now on refuse what begins something new."""
        self._draining = True
        self.ioctl = self._ioctl

    def opened(self, caller: Caller, flags: int) -> object:
        """Let the caller in. Raises OSError."""
        if self._draining:
            raise OSError(errno.ESHUTDOWN, "lswd is being stopped")
        if self._only is not None and caller.uid not in (self._only, 0):
            raise OSError(errno.EPERM, "this lswd serves another user")
        return self._service.opened(caller, flags)

    def _ioctl(
        self,
        opener: object,
        caller: Caller,
        command: int,
        argument: int,
        data: bytes,
        descriptors: Sequence[int] = (),
    ) -> Answer | Awaitable[Answer]:
        if command & 0xFFFF_FFFF in _STARTING:
            for descriptor in descriptors:
                os.close(descriptor)
            return -errno.ESHUTDOWN, b""
        return self._service.ioctl(opener, caller, command, argument, data, descriptors)


class Daemon:
    """One run of the daemon. What it needs is there already; see lswd.__main__."""

    def __init__(
        self,
        service: Backend,
        listeners: Sequence[socket.socket],
        *,
        log: Log,
        notifier: Notifier,
        settings: Settings,
        reload: Callable[[], Settings],
        device: Callable[[Service], Device] | None = None,
        only: int | None = None,
    ) -> None:
        """Args:
        reload: reads the settings again and applies them to the service. May raise ConfigError.
        device: makes the device, for the service it is to drive; called when all else works.
        only: the user to serve, besides root; None for all.
        """
        self._service = service
        self._listeners = listeners
        self._log = log
        self._notifier = notifier
        self._settings = settings
        self._reload = reload
        self._make_device = device
        self._gate = Gate(service, only)
        self._transport = SocketTransport(self._gate, log, max_connections=settings.limits.connections)
        self._stop = trio.Event()
        self._stop_now = trio.Event()

    async def run(self, ready: Callable[[], None] = lambda: None) -> None:
        """Serve until told to stop. ``ready`` is called when clients are served.

        Raises what the device's making or serving raises.
        """
        with trio.open_signal_receiver(signal.SIGHUP, signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as background:
                await self._service.run(background)
                background.start_soon(self._watch_signals, signals)
                if self._notifier.watchdog_seconds:
                    background.start_soon(self._feed_watchdog)
                async with trio.open_nursery() as transports:
                    try:
                        self._start(transports)
                        self._notifier.ready("serving")
                        self._log("info", "ready")
                        ready()
                        await self._stop.wait()
                        await self._drain()
                    finally:
                        await self._close()
                        transports.cancel_scope.cancel()
                background.cancel_scope.cancel()
        self._log("info", "stopped")

    def _start(self, transports: trio.Nursery) -> None:
        for listener in self._listeners:
            transports.start_soon(self._transport.serve, listener)
        if self._make_device is not None:
            transports.start_soon(self._make_device(self._gate).run)

    async def _drain(self) -> None:
        """Wait for programs to end, or for no more patience."""
        self._gate.drain()
        count = len(self._service.programs())
        self._notifier.stopping(f"waiting for {count} programs" if count else "")
        seconds = self._settings.limits.drain
        self._log("info", f"stopping: {count} programs have {seconds} seconds to end" if count else "stopping")
        with trio.move_on_after(seconds):
            while self._service.programs() and not self._stop_now.is_set():
                with trio.move_on_after(_LOOK_SECONDS):
                    await self._stop_now.wait()

    async def _close(self) -> None:
        """End what still runs, and let the answers go out."""
        with trio.move_on_after(_CLOSE_SECONDS, shield=True) as limit:
            await self._service.close()
            await trio.sleep(_LOOK_SECONDS)
        if limit.cancelled_caught:
            self._log("error", "ending programs and sessions took too long")

    async def _watch_signals(self, signals: trio.abc.AsyncGenerator[int, None]) -> None:  # type: ignore[name-defined]
        async for number in signals:
            if number == signal.SIGHUP:
                self._read_again()
            elif self._stop.is_set():
                self._stop_now.set()
            else:
                self._stop.set()

    def _read_again(self) -> None:
        self._notifier.reloading()
        try:
            self._settings = self._reload()
        except ConfigError as error:
            self._log("error", f"not reloaded: {error}")
        else:
            self._transport.max_connections = self._settings.limits.connections
            self._log("info", "reloaded")
        self._notifier.ready("serving")

    async def _feed_watchdog(self) -> None:
        while True:
            self._notifier.alive()
            await trio.sleep(self._notifier.watchdog_seconds / 3)
