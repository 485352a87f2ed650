"""The classes that every process has: controls, dialogs, menus.

What they are is in user32, which tells where their procedures lie; that they are is the kernel's to say.
Source: Microsoft "About Window Classes" (system classes); styles and sizes measured with Wine.
"""

from __future__ import annotations

from lswd.kernel.window_class import WindowClass, WindowClient
from lswd.nt.user_cursor import Pictures
from lswd.nt.user_function import user_structure

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.atom import AtomTable
    from lswd.kernel.process import Process

_ARROW, _TEXT = "#32512", "#32513"
# Name, style, extra bytes of a window: numbers and pointers, procedure, cursor, background.
_CLASSES = (
    ("Button", 0x8B, 4, 2, "BUTTON", _ARROW, 0),
    ("ComboBox", 0x8B, 0, 1, "COMBO", _ARROW, 0),
    ("ComboLBox", 0x808, 0, 1, "COMBOLBOX", _ARROW, 0),
    ("#32770", 0x808, 30, 0, "DIALOG", _ARROW, 0),
    ("#32772", 0, 0, 0, "ICONTITLE", _ARROW, 0),
    ("#32768", 0x20808, 0, 1, "MENU", _ARROW, 5),
    ("Edit", 0x88, 0, 1, "EDIT", _TEXT, 0),
    ("IME", 0, 0, 2, "IME", _ARROW, 0),
    ("ListBox", 0x8, 0, 1, "LISTBOX", _ARROW, 0),
    ("MDIClient", 0, 0, 2, "MDICLIENT", _ARROW, 13),
    ("ScrollBar", 0x8B, 28, 0, "SCROLLBAR", _ARROW, 0),
    ("Static", 0x88, 0, 2, "STATIC", _ARROW, 0),
    ("Message", 0, 0, 0, "MESSAGE", "", 0),
)
# How an older userland's structure calls the same procedures.
_OLDER = {
    "BUTTON": "pButtonWndProc", "COMBO": "pComboWndProc", "COMBOLBOX": "pListBoxWndProc", "DIALOG": "pDefDlgProc",
    "ICONTITLE": "pIconTitleWndProc", "MENU": "pPopupMenuWndProc", "EDIT": "pEditWndProc", "IME": "pImeWndProc",
    "LISTBOX": "pListBoxWndProc", "MDICLIENT": "pMDIClientWndProc", "SCROLLBAR": "pScrollBarWndProc",
    "STATIC": "pStaticWndProc", "MESSAGE": "pMessageWndProc",
}  # fmt: skip


def add_builtin_classes(process: Process, client: WindowClient, atoms: AtomTable) -> None:
    """Give a process those whose procedures its user32 has.

    Raises:
        NtError: this userland does not tell which these are.
    """
    word = process.space.word
    known = process.userland.enumeration("user32.dll", "NTUSER_WNDPROC_")
    pictures = process.system.part(Pictures)
    for name, style, numbers, pointers, procedure, cursor, background in _CLASSES:
        if known:
            index = known.index(procedure) if procedure in known else -1
        else:
            index = user_structure(process, "user_client_procs").offset(_OLDER[procedure]) // word
        if index < 0:
            continue
        made = WindowClass(name, atoms.add(name), client.procedures.builtin(index), client.user32, style)
        made.window_extra = numbers + pointers * word
        made.cursor = pictures.system(cursor) if cursor else 0
        made.background = background
        client.add(made)
