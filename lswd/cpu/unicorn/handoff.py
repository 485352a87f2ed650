"""The assembled hand-off stub (source: handoff64.asm) and the mailbox it shares with the engine."""

from __future__ import annotations

MAILBOX = 0x1F00  # offset from the TEB: in its second page, behind the structure itself (0x1838 bytes)
RESULT = MAILBOX + 0x30

HANDOFF64 = bytes.fromhex(
    "6548890425001f0000654c891425081f00006548891425101f0000654c890425181f0000654c890c25201f0000488d4c2408"
    "6548890c25281f00000f0565488b0425301f0000c3"
)
SYSCALL_AT = 0x3B  # offset of the syscall instruction in it
