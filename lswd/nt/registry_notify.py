"""NtNotifyChangeKey and NtNotifyChangeMultipleKeys.

Source: Microsoft "RegNotifyChangeKeyValue", "NtNotifyChangeMultipleKeys".
"""

from __future__ import annotations

from lswd.kernel.apc import UserApc, queue_user_apc
from lswd.kernel.event import EVENT_MODIFY_STATE, Event
from lswd.kernel.registry.key import Key
from lswd.kernel.registry.notification import KeyNotifications
from lswd.kernel.wait import wait_for
from lswd.nt.declare import Call, Out, syscall
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED, STATUS_PENDING, STATUS_SUCCESS, NtError
from lswd.ntdef.types import BOOLEAN, HANDLE, IO_STATUS_BLOCK, NTSTATUS, PVOID, ULONG

KEY_NOTIFY = 0x0010
REG_LEGAL_CHANGE_FILTER = 0xF
REG_NOTIFY_THREAD_AGNOSTIC = 0x10000000


async def _notify(
    call: Call,
    handle: int,
    event_handle: int,
    routine: int,
    context: int,
    status_block: Out[IO_STATUS_BLOCK],
    changes: int,
    subtree: bool,
    asynchronous: bool,
) -> int:
    changes &= ~REG_NOTIFY_THREAD_AGNOSTIC
    if changes & ~REG_LEGAL_CHANGE_FILTER or not changes:
        return STATUS_INVALID_PARAMETER
    process, thread = call.process, call.thread
    key = process.handles.get(handle, Key, KEY_NOTIFY)
    assert isinstance(key, Key)
    event: Event | None = None
    if event_handle:
        found = process.handles.get(event_handle, Event, EVENT_MODIFY_STATE)
        assert isinstance(found, Event)
        event = found
        event.reset()
    finished = Event()

    def done(status: int) -> None:
        if process.ended:
            return
        if routine or not asynchronous:
            # Otherwise nobody reads it: advapi32's lies on a stack that has moved on by now.
            try:
                status_block.set(IO_STATUS_BLOCK(Status=status))
            except NtError:
                pass  # the program has freed it meanwhile
        finished.set()
        if event is not None:
            event.set()
        if routine:
            queue_user_apc(thread, UserApc(routine, context, status_block.address, 0))

    process.system.part(KeyNotifications).start(process, handle, key, changes, subtree, done)
    if asynchronous:
        return STATUS_PENDING
    await wait_for(thread, [finished], timeout=None)
    return STATUS_SUCCESS


@syscall
async def NtNotifyChangeKey(
    call: Call,
    KeyHandle: HANDLE,
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    CompletionFilter: ULONG,
    WatchTree: BOOLEAN,
    Buffer: PVOID,
    BufferSize: ULONG,
    Asynchronous: BOOLEAN,
) -> NTSTATUS:
    return await _notify(
        call,
        KeyHandle,
        Event,
        ApcRoutine,
        ApcContext,
        IoStatusBlock,
        CompletionFilter,
        bool(WatchTree),
        bool(Asynchronous),
    )


@syscall(partial="one key only")
async def NtNotifyChangeMultipleKeys(
    call: Call,
    MasterKeyHandle: HANDLE,
    Count: ULONG,
    SubordinateObjects: PVOID,
    Event: HANDLE,
    ApcRoutine: PVOID,
    ApcContext: PVOID,
    IoStatusBlock: Out[IO_STATUS_BLOCK],
    CompletionFilter: ULONG,
    WatchTree: BOOLEAN,
    Buffer: PVOID,
    BufferSize: ULONG,
    Asynchronous: BOOLEAN,
) -> NTSTATUS:
    if Count:
        return STATUS_NOT_SUPPORTED
    return await _notify(
        call,
        MasterKeyHandle,
        Event,
        ApcRoutine,
        ApcContext,
        IoStatusBlock,
        CompletionFilter,
        bool(WatchTree),
        bool(Asynchronous),
    )
