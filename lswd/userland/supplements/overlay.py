"""The files that make supplements visible: generated DLLs that stand in for the userland's own, or for none.

A generated file is kept in the cache directory and made again when the userland's DLL, the declarations or the builder
change. Without a usable cache directory it lives in memory, for this process and its children.
"""

from __future__ import annotations

import os
import stat
from zlib import crc32

from lswd.userland.cache import FORMAT, cache_directory, cached, file_key, open_private_directory, write_atomically
from lswd.userland.supplements import FORGOTTEN, exports

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from lswd.image.rva import OnDisk
    from lswd.userland.supplements import Cases, Export
    from lswd.userland.supplements.image_builder import Flag, StubExport
    from lswd.userland.userland import Userland

    Table = Mapping[str, tuple[Export, ...]]

_FOLDERS = {8: "supplements", 4: "supplements-i386"}
_in_memory: dict[tuple[str, bytes], str] = {}


def materialise(userland: Userland, directory: str | None = None, table: Table | None = None) -> dict[str, str]:
    """Every DLL that supplements make or change under ``userland``: its name -> host path of the generated file."""
    made = {}
    for name in exports() if table is None else table:
        path = overlay(name, userland.native(name), directory, table, word=userland.word)
        if path is not None:
            made[name] = path
    return made


def overlay(
    name: str, native: str | None, directory: str | None = None, table: Table | None = None, *, word: int = 8
) -> str | None:
    """The host path of the generated DLL ``name``, for a userland whose own is at ``native`` (None: it has none).

    None if there is nothing to add: no supplement is declared for ``name``, the userland exports them all itself (and
    lacks no case of them, and they do what they say), or its DLL is none that can be extended. ``directory`` replaces
    the user's cache directory, ``table`` the declared supplements; ``word`` is the pointer size of the userland's
    programs.
    """
    declared = (exports() if table is None else table).get(name, ())
    if directory is None:
        directory = cache_directory(os.environ)
    if native is not None and declared:
        names = tuple([(each.name, each.pretended) for each in declared])
        lacking = cached(
            f"lacking-{name}", (native,), lambda: _lacking(native, names), extra=names, directory=directory
        )
        # Who adds cases to a function needs the userland's own; the others are for where it has none.
        declared = tuple([each for each in declared if (each.name in lacking) is not bool(each.cases)])
    elif any(each.cases or each.pretended or each.alias for each in declared):
        declared = ()  # of no use without the userland's own
    forgotten = FORGOTTEN.get(name, ()) if native is not None and table is None else ()
    if not declared and not forgotten:
        return None
    wanted = [(each.name, each.number, each.ordinal, each.argument_bytes) for each in declared if not each.alias]
    aliases = [(each.name, each.alias) for each in declared if each.alias]
    cases = {each.name: each.cases for each in declared if each.cases}
    # The file ends in what it was made from, so it is known for up to date by its last bytes.
    made_from = f"{file_key(native) if native is not None else None} {wanted} {cases} {forgotten} {aliases}"
    mark = f"\nLSW supplement {FORMAT} {made_from}\n".encode("utf-8", "surrogateescape")
    place = f"{directory}/{_FOLDERS[word]}"
    folder = open_private_directory(place) if directory is not None else None
    try:
        if folder is not None and _ends_in(folder, name, mark):
            return f"{place}/{name}"
        known = _in_memory.get((name, mark))
        if known is not None:
            return known
        data = _image(name, native, wanted, word, cases, forgotten, aliases)
        if data is None:
            return None
        # Made again from the same, it has the same ``file_key``: who has noted that need not look into it.
        when = file_key(native)[1] + crc32(mark) if native is not None else None
        if folder is not None and write_atomically(folder, name, data + mark, time_ns=when):
            return f"{place}/{name}"
    finally:
        if folder is not None:
            os.close(folder)
    descriptor = os.memfd_create(name, os.MFD_CLOEXEC)
    with open(descriptor, "wb", closefd=False) as file:
        file.write(data)
    path = _in_memory[name, mark] = f"/proc/self/fd/{descriptor}"
    return path


def _lacking(native: str, names: tuple[tuple[str, bool], ...]) -> tuple[str, ...]:
    """Those of ``names`` that the DLL at ``native`` does not export, or only for show where that is asked (True); none
    if it cannot be read."""
    from lswd.image.errors import ImageError
    from lswd.image.exports import export_table
    from lswd.image.pe import parse
    from lswd.image.rva import OnDisk

    try:
        with open(native, "rb") as file:
            data = file.read()
        image = parse(data, os.path.basename(native))
        reader = OnDisk(data, image)
        table = export_table(reader, image)
        word = 8 if image.is_64bit else 4
        return tuple([
            name
            for name, shown in names
            if name not in table or (shown and name in table.names and _pretends(reader, table.names[name], word))
        ])
    except (OSError, ImageError):
        return ()


def _pretends(reader: OnDisk, rva: int, word: int) -> bool:
    from lswd.userland.supplements.pretence import CODE_SIZE, only_pretends

    return only_pretends(reader.read(rva, CODE_SIZE), word)


def _image(
    name: str, native: str | None, wanted: list[StubExport], word: int, cases: Mapping[str, Cases],
    forgotten: Sequence[Flag], aliases: Sequence[tuple[str, str]],
) -> bytes | None:  # fmt: skip
    from lswd.userland.supplements.image_builder import ImageBuilderError, build_dll, extend_dll

    if native is None:
        return build_dll(name, wanted, word)
    try:
        with open(native, "rb") as file:
            return extend_dll(file.read(), wanted, name, cases, forgotten, aliases)
    except (OSError, ImageBuilderError):
        return None


def _ends_in(directory: int, name: str, mark: bytes) -> bool:
    try:
        descriptor = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=directory)
    except OSError:
        return False
    try:
        status = os.fstat(descriptor)
        offset = status.st_size - len(mark)
        return stat.S_ISREG(status.st_mode) and offset > 0 and os.pread(descriptor, len(mark), offset) == mark
    finally:
        os.close(descriptor)
