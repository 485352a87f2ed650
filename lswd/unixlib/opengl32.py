"""The Unix half of opengl32, without which the DLL does not load: programs link to it in case there is OpenGL.

There is none here: nothing but loading works, so no pixel format is found, no context made and no function known.
"""

from __future__ import annotations

from lswd.ntdef.status import STATUS_SUCCESS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.unixlib import UnixFunction


def attach(thread: Thread, arguments: int) -> int:
    return STATUS_SUCCESS


def get_proc_address(thread: Thread, arguments: int) -> int:
    """-1 stands for no function; anything else is an index into the DLL's own table."""
    space = thread.process.space
    result = thread.process.userland.structure("opengl32.dll", "wglGetProcAddress_params").offset("ret")
    space.write_pointer(arguments + result, (1 << 8 * space.word) - 1)
    return STATUS_SUCCESS


FUNCTIONS: dict[str, UnixFunction] = {
    "process_attach": attach, "thread_attach": attach, "wglGetProcAddress": get_proc_address,
}  # fmt: skip


def function(names: tuple[str, ...], code: int) -> UnixFunction | None:
    """What a code stands for; None: it fails."""
    return FUNCTIONS.get(names[code]) if code < len(names) else None
