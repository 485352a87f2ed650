"""The console: what standard handles are when they are a terminal, and the device behind CONIN$ and CONOUT$.

    attach     what process start calls: the three standard handles, and a console when one of them is a terminal
    device     \\Device\\ConDrv: which names open which kind of file
    files      the file objects and their IOCTLs (numbers and structures: protocol)
    console    one console: its titles, code pages, screen buffers and input
    screen     a screen buffer: a grid of cells (cells), text and escape sequences (vt) written onto it
    display    what of it the terminal shows: the escape sequences that bring the terminal up to date
    input      the input queue: lines and key records, from the terminal's bytes (keys)
    signals    the host's signals as console control events

The kernel itself is the console server: there is no conhost. Nothing but ``attach`` and ``device`` is imported unless a
terminal is there.
"""

from __future__ import annotations

from lswd.kernel.console.attach import attach_console

__all__ = ["attach_console"]
