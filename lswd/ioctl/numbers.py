"""What a client that launches programs must know of the commands, without what declares them: it waits for each import.

``commands`` has all of it, too; tests compare the two.
"""

from __future__ import annotations

LAUNCH_PE = 0x9000_4C24
ENDING = "<4I"  # how commands.Launch begins: exit_status, reason, exit_code, report_size; then the report
LAUNCH_SIZE = 4096

# How a program ended.
REASON_RUNNING = 0
REASON_EXITED = 1
REASON_CRASHED = 2  # an unhandled exception, or the engine's end
REASON_KILLED = 3  # KILL_PE, or whoever ran it is gone
REASON_NOT_STARTED = 4
REASON_LOST = 5  # its session died

SIGNAL_CTRL_C = 0  # wincon.h CTRL_C_EVENT and so on
SIGNAL_CTRL_BREAK = 1
SIGNAL_CLOSE = 2
SIGNAL_RESIZED = 0x100  # ours: look at the terminal again
SIGNAL_STOP = 0x101
SIGNAL_CONTINUE = 0x102
