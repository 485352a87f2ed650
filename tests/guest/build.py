"""Compile the fixtures with mingw into build/guest/, once per content of their sources and flags.

`python -m tests.guest.build [NAMES]` builds all programs (or those named) and prints where they are.
"""

from __future__ import annotations

import functools
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from .cases import CASES, Library, Program

HERE = Path(__file__).resolve().parent
FIXTURES = HERE / "fixtures"
ROOT = HERE.parent.parent
OUTPUT = ROOT / "build" / "guest"

PREFIX = "x86_64-w64-mingw32-"
PREFIXES = {"x86_64": PREFIX, "i386": "i686-w64-mingw32-"}
PACKAGES = {"x86_64": "g++-mingw-w64-x86-64", "i386": "g++-mingw-w64-i686"}
# Half of the compiler's time goes into what windows.h includes without WIN32_LEAN_AND_MEAN.
COMMON_FLAGS = (
    "-O1", "-Wall", "-Wextra", "-Wno-cast-function-type", "-DWIN32_LEAN_AND_MEAN", "-pipe", "-I", str(FIXTURES),
)
LINK_FLAGS = ("-Wl,--no-insert-timestamp",)


class BuildError(Exception):
    """A fixture did not compile; the message is the compiler's own."""


def _tool(name: str, target: str) -> str:
    """The full path of a mingw tool. Raises BuildError naming the package when it is not installed."""
    path = shutil.which(PREFIXES[target] + name)
    if path is None:
        raise BuildError(f"{PREFIXES[target]}{name} not found: install {PACKAGES[target]}")
    return path


def _run(arguments: list[str], directory: Path) -> None:
    done = subprocess.run(arguments, cwd=directory, capture_output=True, text=True, check=False)
    if done.returncode:
        raise BuildError(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")
    if done.stderr:
        print(done.stderr, file=sys.stderr, end="")


@functools.cache
def _compiler_version(target: str) -> str:
    done = subprocess.run([_tool("gcc", target), "--version"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()[0]


def _libraries(libraries: tuple[Library, ...]) -> list[Library]:
    """Every library the program needs, each after those it is linked with."""
    ordered: list[Library] = []
    for library in libraries:
        for one in (*_libraries(library.libraries), library):
            if one not in ordered:
                ordered.append(one)
    return ordered


def _digest(program: Program, target: str) -> str:
    """A name for this exact content: compiler, flags, sources and shared headers."""
    sources = list(program.sources)
    for library in _libraries(program.libraries):
        sources += library.sources
        sources += [library.definition] if library.definition else []
    sources = [_variant(source, target) for source in sources]
    digest = hashlib.sha256(repr((program, COMMON_FLAGS[:-1], LINK_FLAGS, _compiler_version(target))).encode())
    directories = {FIXTURES, *((FIXTURES / source).parent for source in sources)}
    headers = {str(header.relative_to(FIXTURES)) for directory in directories for header in directory.glob("*.h")}
    for name in sorted({*sources, *headers}):
        digest.update(name.encode() + b"\0" + (FIXTURES / name).read_bytes())
    return digest.hexdigest()[:16]


def _variant(source: str, target: str) -> str:
    """The source to compile for `target`: NAME_TARGET.c instead of NAME.* where there is one."""
    other = f"{source.rpartition('.')[0]}_{target}.c"
    return other if (FIXTURES / other).exists() else source


def _objects(sources: tuple[str, ...], flags: tuple[str, ...], scratch: Path, target: str) -> list[str]:
    """Compile each source; the paths of the object files."""
    made = []
    for source in sources:
        made_at = scratch / (source.replace("/", "_") + ".o")
        path = str(FIXTURES / _variant(source, target))
        if source.endswith(".rc"):
            _run([_tool("windres", target), "-I", str(FIXTURES), path, str(made_at)], scratch)
        else:
            compiler = _tool("g++" if source.endswith(".cpp") else "gcc", target)
            _run([compiler, *COMMON_FLAGS, *flags, "-c", path, "-o", str(made_at)], scratch)
        made.append(str(made_at))
    return made


def _build_library(library: Library, directory: Path, scratch: Path, target: str) -> None:
    """NAME.dll into `directory`, its import library libNAME.a into `scratch`."""
    objects = _objects(library.sources, library.flags, scratch, target)
    definition = [str(FIXTURES / library.definition)] if library.definition else []
    dll = directory / f"{library.name}.dll"
    imports = scratch / f"lib{library.name}.a"
    needed = [f"-l{other.name}" for other in library.libraries]
    _run([_tool("gcc", target), "-shared", *LINK_FLAGS, f"-Wl,--out-implib,{imports}", *objects, *definition,
          "-L", str(scratch), *needed, *library.flags, "-o", str(dll)], scratch)
    if library.linked == "delay":
        imports.unlink()
        _run([_tool("dlltool", target), "-d", *definition, "-D", dll.name, "--output-delaylib", str(imports)], scratch)


def build(program: Program, target: str = "x86_64") -> Path:
    """The executable of `program`, compiled now or earlier; its DLLs lie beside it. Raises BuildError."""
    final = OUTPUT / f"{program.name}-{_digest(program, target)}"
    executable = f"{program.name}.exe"
    if (final / executable).exists():
        return final / executable
    OUTPUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=OUTPUT, prefix=".making-") as making:
        directory = Path(making) / "out"
        scratch = Path(making) / "scratch"
        directory.mkdir()
        scratch.mkdir()
        libraries = _libraries(program.libraries)
        for library in libraries:
            _build_library(library, directory, scratch, target)
        objects = _objects(program.sources, program.flags, scratch, target)
        linked = [f"-l{library.name}" for library in program.libraries if library.linked != "no"]
        driver = _tool("g++" if any(source.endswith(".cpp") for source in program.sources) else "gcc", target)
        _run([driver, *LINK_FLAGS, *objects, "-L", str(scratch), *linked, *program.flags,
              "-o", str(directory / executable)], scratch)
        for library in libraries:
            if library.lost:
                (directory / f"{library.name}.dll").unlink()
        try:
            os.rename(directory, final)
        except OSError:  # another test process built the same thing first
            if not (final / executable).exists():
                raise
    return final / executable


def main(names: list[str]) -> int:
    """Build the programs of the named cases (all without names); 0 when all compiled."""
    programs = {case.program.name: case.program for case in CASES if not names or case.name in names}
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for path in pool.map(build, programs.values()):
            print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
