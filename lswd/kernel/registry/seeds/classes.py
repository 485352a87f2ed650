"""HKLM\\SOFTWARE\\Classes, the machine's part of HKEY_CLASSES_ROOT: file types every Windows knows.

Source: Microsoft "File Types and File Associations". COM classes are registered by whoever installs them, but for
COM's own (com).
"""

from __future__ import annotations

from lswd.kernel.registry.seeds import com
from lswd.kernel.registry.values import Expand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey
    from lswd.kernel.registry.seeds.facts import SeedFacts

_RUN = '"%1" %*'
_NOTEPAD = Expand(r"%SystemRoot%\system32\NOTEPAD.EXE %1")

# Extension: program identifier, content type, perceived type.
_EXTENSIONS = {
    ".bat": ("batfile", "", ""),
    ".bmp": ("Paint.Picture", "image/bmp", "image"),
    ".cmd": ("cmdfile", "", ""),
    ".com": ("comfile", "", ""),
    ".css": ("CSSfile", "text/css", "text"),
    ".dll": ("dllfile", "application/x-msdownload", "system"),
    ".exe": ("exefile", "application/x-msdownload", ""),
    ".gif": ("giffile", "image/gif", "image"),
    ".htm": ("htmlfile", "text/html", "text"),
    ".html": ("htmlfile", "text/html", "text"),
    ".inf": ("inffile", "", ""),
    ".ini": ("inifile", "", ""),
    ".jpeg": ("jpegfile", "image/jpeg", "image"),
    ".jpg": ("jpegfile", "image/jpeg", "image"),
    ".js": ("JSFile", "", ""),
    ".lnk": ("lnkfile", "", ""),
    ".log": ("txtfile", "", "text"),
    ".msi": ("Msi.Package", "", ""),
    ".pdf": ("", "application/pdf", ""),
    ".png": ("pngfile", "image/png", "image"),
    ".reg": ("regfile", "", ""),
    ".sys": ("sysfile", "", "system"),
    ".txt": ("txtfile", "text/plain", "text"),
    ".vbs": ("VBSFile", "", ""),
    ".wav": ("", "audio/wav", "audio"),
    ".xml": ("xmlfile", "text/xml", "text"),
    ".zip": ("CompressedFolder", "application/x-zip-compressed", "compressed"),
}

_NAMES = {
    "batfile": "Windows Batch File",
    "cmdfile": "Windows Command Script",
    "comfile": "MS-DOS Application",
    "dllfile": "Application Extension",
    "exefile": "Application",
    "htmlfile": "HTML Document",
    "inffile": "Setup Information",
    "inifile": "Configuration Settings",
    "lnkfile": "Shortcut",
    "regfile": "Registration Entries",
    "sysfile": "System file",
    "txtfile": "Text Document",
    "xmlfile": "XML Document",
}


def plant(key: SeedKey, facts: SeedFacts) -> None:
    """Fill ``Classes``."""
    for extension, (program, content, perceived) in _EXTENSIONS.items():
        named = {"": program, "Content Type": content, "PerceivedType": perceived}
        key.plant({extension: {name: value for name, value in named.items() if value}})
        if content:
            key.branch(f"MIME\\Database\\Content Type\\{content}").values.setdefault("Extension", extension)
    for program, name in _NAMES.items():
        key.plant({program: {"": name}})
    for program in ("batfile", "cmdfile", "comfile", "exefile"):
        key.plant({f"{program}\\shell\\open\\command": {"": _RUN}})
    for program in ("batfile", "cmdfile", "exefile"):
        key.plant({f"{program}\\shell\\runas\\command": {"": _RUN}})
    for program in ("inffile", "inifile", "txtfile"):
        key.plant({f"{program}\\shell\\open\\command": {"": _NOTEPAD}})
    com.plant(key)
    com.plant(key, below="Wow6432Node\\")
    key.plant(
        {
            "*": {},
            "AppID": {},
            "CLSID": {},
            r"Component Categories": {},
            "Directory": {"": "File Folder"},
            "Drive": {"": "Drive"},
            "exefile\\DefaultIcon": {"": "%1"},
            "Folder": {"": "Folder"},
            "Interface": {},
            "lnkfile": {"IsShortcut": "", "NeverShowExt": ""},
            r"lnkfile\CLSID": {"": "{00021401-0000-0000-C000-000000000046}"},
            r"regfile\shell\open\command": {"": 'regedit.exe "%1"'},
            "TypeLib": {},
            r"Wow6432Node\CLSID": {},
            r"Wow6432Node\Interface": {},
            "http": {"": "URL:HyperText Transfer Protocol", "URL Protocol": ""},
            "https": {"": "URL:HyperText Transfer Protocol with Privacy", "URL Protocol": ""},
        }
    )
