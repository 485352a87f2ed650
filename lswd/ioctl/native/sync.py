"""Native system calls on events and mutexes, waits and sleeps.

Deviations from the module, all on purpose: an endless wait that succeeds reports no error and does take the mutex; a
sleep sleeps.
"""

from __future__ import annotations

import errno

from lswd.ioctl.commands import FOREVER
from lswd.ioctl.native.declare import NativeError, native, signed
from lswd.ioctl.native.holdings import Sync

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.ioctl.native.declare import Call, Result

WAIT_TIMEOUT = 0x102
_LONGEST_MULTIPLE = 5000


def _sync(call: Call) -> Sync:
    found = call.holdings.sync.get(call.args[0])
    if found is None:
        raise NativeError(errno.EBADF)
    return found


@native(0x48, "manual_reset, initial", partial="every event is a manual-reset event")
def NtCreateEvent(call: Call) -> Result:
    return call.holdings.add_sync(Sync(mutex=False, signalled=call.args[1] != 0))


@native(0xC4, "initial_owner", partial="mutexes have no owner")
def NtCreateMutant(call: Call) -> Result:
    return call.holdings.add_sync(Sync(mutex=True, signalled=call.args[0] == 0))


@native(0x0E, "handle")
def NtSetEvent(call: Call) -> Result:
    _sync(call).signal()
    return 0


@native(0x1D, "handle")
def NtReleaseMutant(call: Call) -> Result:
    _sync(call).signal()
    return 0


def wait_milliseconds(call: Call) -> int | None:
    """The timeout; None for ever. The loader's layout (three arguments) has it third and can poll with 0."""
    if call.count >= 3:
        timeout = call.args[2] & 0xFFFF_FFFF
    else:
        timeout = call.args[1] & 0xFFFF_FFFF or FOREVER
    return None if timeout == FOREVER else timeout


@native(0x04, "handle, timeout_ms (0: for ever) | handle, alertable, timeout_ms")
def NtWaitForSingleObject(call: Call) -> Result:
    sync = _sync(call)
    timeout = wait_milliseconds(call)
    if sync.take():
        return 0
    if timeout == 0:
        return WAIT_TIMEOUT
    return _wait(sync, timeout)


async def _wait(sync: Sync, timeout: int | None) -> int:
    import trio

    if sync.take():  # it was signalled before this task had its first turn
        return 0
    woken = trio.Event()
    wake = woken.set
    sync.waiters.append(wake)
    try:
        with trio.move_on_after(float("inf") if timeout is None else timeout / 1000):
            await woken.wait()
    finally:
        if not woken.is_set() and wake in sync.waiters:
            sync.waiters.remove(wake)
    return 0 if woken.is_set() else WAIT_TIMEOUT


@native(0x33, "alertable, interval (100 ns)", since=5, partial="the sign of the interval is ignored")
async def NtDelayExecution(call: Call) -> int:
    import trio

    await trio.sleep(abs(signed(call.args[1])) / 10_000_000)
    return 0


@native(0x58, "count, handles*, wait_all, timeout_ms", since=5, partial="only sleeps, at most five seconds")
async def NtWaitForMultipleObjects(call: Call) -> int:
    import trio

    timeout = call.args[3] & 0xFFFF_FFFF
    if timeout != FOREVER:
        await trio.sleep(min(timeout, _LONGEST_MULTIPLE) / 1000)
    return 0
