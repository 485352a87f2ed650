"""Putting the daemon together: settings, sessions, service, socket, device; then running it."""

from __future__ import annotations

import gc
import grp
import os
from typing import TYPE_CHECKING

import trio

from lswd.service import program
from lswd.service.daemon import Daemon
from lswd.service.journal import Log
from lswd.service.keys import ConfigError
from lswd.service.listener import Listener, ListenError
from lswd.service.notify import Notifier, passed_sockets
from lswd.service.settings import load, socket_path

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Mapping

    from lswd.device.transport import Service
    from lswd.ioctl.settings import Settings as CommandSettings
    from lswd.service.daemon import Device
    from lswd.service.settings import Settings

CUSE = "/dev/cuse"


class ServeError(Exception):
    """The daemon cannot serve; one line that says why."""


def serve(environ: Mapping[str, str], *, path: str = "", user: bool = False) -> None:
    """Be the daemon, until told to stop.

    Args:
        path: the configuration file; "" for the usual one.
        user: serve the user who starts this, without root and without a device.

    Raises:
        ConfigError: the configuration makes no sense. ServeError: it cannot be served.
    """
    settings, sources = load(environ, path=path, user=user)
    place = socket_path(settings, environ, user)
    if user and settings.device:
        raise ConfigError(f"{sources['device']}: device: a user's lswd serves its socket only")
    if not user and os.geteuid() != 0:
        raise ServeError("only root can serve every user; `lswd --user` serves you alone")
    log = Log(environ, settings.log_level)
    from lswd.ioctl.service import LswService
    from lswd.ioctl.settings import Settings as NewCommandSettings
    from lswd.session import spawner
    from lswd.session.lend import RESTRICTED, tracing_is_restricted
    from lswd.session.pool import Sessions

    # Sessions are forked by a process that never sees what we open from here on: no socket, no device.
    forker = spawner.start(program)
    commands = NewCommandSettings()
    _apply(settings, commands)

    def reload() -> Settings:
        fresh, _ = load(environ, path=path, user=user)
        for name in ("device", "group", "mode", "socket", "socket_mode"):
            if getattr(fresh, name) != getattr(settings, name):
                log("warning", f"{name} has changed, which takes a restart")
        log.level = fresh.log_level
        _apply(fresh, commands)
        return fresh

    listeners, files = _listeners(settings, place, environ)
    try:
        if user and os.geteuid() and tracing_is_restricted():
            log("notice", f"a client's native system calls with pointers fail (EPERM) where {RESTRICTED}")
        log("info", f"serving {place}" + (f" and /dev/{settings.device}" if settings.device else ""))

        async def main() -> None:
            sessions = Sessions(forker, commands, log)
            daemon = Daemon(
                LswService(commands, sessions, log),
                listeners,
                log=log,
                notifier=Notifier(environ),
                settings=settings,
                reload=reload,
                device=_device(settings, log, insist="device" in sources),
                only=os.geteuid() if user else None,
            )
            gc.freeze()  # what is there now stays
            await daemon.run()

        _run(main)
    finally:
        for file in files:
            file.close()


def _run(main: Callable[[], object]) -> None:
    from lswd.device.cuse.channel import DeviceError
    from lswd.session.pool import SpawnerLost

    try:
        trio.run(main)  # type: ignore[arg-type]
    except BaseExceptionGroup as group:
        cause: BaseException = group
        while isinstance(cause, BaseExceptionGroup):
            cause = cause.exceptions[0]
        if isinstance(cause, DeviceError | SpawnerLost):
            raise ServeError(str(cause)) from None
        raise


def _apply(settings: Settings, commands: CommandSettings) -> None:
    """Tell the service what the configuration says."""
    commands.execute = settings.execute
    commands.engine = settings.engine
    commands.registrations = settings.limits.registrations
    commands.programs = settings.limits.processes
    commands.session_idle = settings.limits.idle


def _listeners(
    settings: Settings, place: str, environ: Mapping[str, str]
) -> tuple[list[socket.socket], list[Listener]]:
    """The sockets to serve, and those of them whose files are ours to remove. Raises ServeError."""
    try:
        passed = passed_sockets(environ)
        if passed:
            return passed, []
        made = Listener(place, settings.socket_mode)
    except (OSError, ListenError) as error:
        raise ServeError(str(error)) from None
    return [made.socket], [made]


def _device(settings: Settings, log: Log, *, insist: bool) -> Callable[[Service], Device] | None:
    """What makes the device; None when there is to be none, or (unless ``insist``) when the host has no CUSE."""
    if not settings.device:
        return None
    if not os.path.exists(CUSE) and not insist:
        log("warning", f"{CUSE} is missing (modprobe cuse): /dev/{settings.device} is not served, only the socket is")
        return None

    def make(service: Service) -> Device:
        from lswd.device.cuse.node import create
        from lswd.device.cuse.server import Server

        group: int | None = None
        try:
            group = grp.getgrnam(settings.group).gr_gid if settings.group else None
        except KeyError:
            log("notice", f"there is no group {settings.group}: /dev/{settings.device} stays root's own")
        return Server(create(settings.device, group=group, mode=settings.mode), service, log)

    return make


__all__ = ["ServeError", "serve"]
