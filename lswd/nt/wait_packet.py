"""Wait completion packets, which Go's timers use.

Source: Microsoft "NtCreateWaitCompletionPacket", "NtAssociateWaitCompletionPacket", "NtCancelWaitCompletionPacket".
"""

from __future__ import annotations

from lswd.kernel.completion_port import IO_COMPLETION_MODIFY_STATE, CompletionPort, Packet
from lswd.kernel.mutant import Mutant
from lswd.kernel.object import SYNCHRONIZE, Waitable
from lswd.kernel.wait_packet import WAIT_PACKET_MODIFY_STATE, WaitPacket
from lswd.nt.declare import Call, Handle, ObjectAttributes, Out, syscall
from lswd.nt.named_object import create_object
from lswd.ntdef.status import (
    STATUS_CANCELLED,
    STATUS_INVALID_PARAMETER_1,
    STATUS_INVALID_PARAMETER_3,
    STATUS_PENDING,
    STATUS_SUCCESS,
)
from lswd.ntdef.types import ACCESS_MASK, BOOLEAN, HANDLE, NTSTATUS, PVOID, ULONG_PTR


@syscall
def NtCreateWaitCompletionPacket(
    call: Call,
    WaitCompletionPacketHandle: Out[HANDLE],
    DesiredAccess: ACCESS_MASK,
    ObjectAttributes: ObjectAttributes | None,
) -> NTSTATUS:
    return create_object(
        call, WaitCompletionPacketHandle, ObjectAttributes, DesiredAccess, WaitPacket, WaitPacket
    )


@syscall(
    access={
        "WaitCompletionPacketHandle": WAIT_PACKET_MODIFY_STATE,
        "IoCompletionHandle": IO_COMPLETION_MODIFY_STATE,
        "TargetObjectHandle": SYNCHRONIZE,
    }
)
def NtAssociateWaitCompletionPacket(
    call: Call,
    WaitCompletionPacketHandle: Handle[WaitPacket],
    IoCompletionHandle: Handle[CompletionPort],
    TargetObjectHandle: Handle[Waitable],
    KeyContext: PVOID,
    ApcContext: PVOID,
    IoStatus: NTSTATUS,
    IoStatusInformation: ULONG_PTR,
    AlreadySignaled: Out[BOOLEAN] | None,
) -> NTSTATUS:
    """A mutant is no target: whose would it be?"""
    if WaitCompletionPacketHandle.in_use:
        return STATUS_INVALID_PARAMETER_1
    if isinstance(TargetObjectHandle, Mutant):
        return STATUS_INVALID_PARAMETER_3
    packet = Packet(KeyContext, ApcContext, IoStatus, IoStatusInformation)
    already = WaitCompletionPacketHandle.associate(TargetObjectHandle, call.thread, IoCompletionHandle, packet)
    if AlreadySignaled is not None:
        AlreadySignaled.set(already)
    return STATUS_SUCCESS


@syscall(access={"WaitCompletionPacketHandle": WAIT_PACKET_MODIFY_STATE})
def NtCancelWaitCompletionPacket(
    call: Call, WaitCompletionPacketHandle: Handle[WaitPacket], RemoveSignaledPacket: BOOLEAN
) -> NTSTATUS:
    if WaitCompletionPacketHandle.cancel():
        return STATUS_SUCCESS
    if not WaitCompletionPacketHandle.queued:
        return STATUS_CANCELLED
    if not RemoveSignaledPacket:
        return STATUS_PENDING
    WaitCompletionPacketHandle.take_back()
    return STATUS_SUCCESS
