"""The assembled hand-off stubs (sources: handoff64.asm, handoff32.asm) and the mailbox they share with the engine."""

from __future__ import annotations

MAILBOX = 0x1F00  # offset from the TEB: in its second page, behind the structure itself (0x1838 bytes)
RESULT = MAILBOX + 0x30

HANDOFF64 = bytes.fromhex(
    "6548890425001f0000654c891425081f00006548891425101f0000654c890425181f0000654c890c25201f0000488d4c2408"
    "6548890c25281f00000f0565488b0425301f0000c3"
)
SYSCALL_AT = 0x3B  # offset of the syscall instruction in it

HANDOFF32 = bytes.fromhex("64a3001f00008d4c240464890d281f00000f0564a1301f0000c3")
SYSCALL_AT_32 = 0x11
