"""What cannot be run ends in one line on standard error that says why, and the documented exit code."""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path

import pytest

from .build import PREFIX, build
from .cases import CASES

USAGE, NO_USERLAND, NO_PROGRAM, NOT_RUNNABLE, MISSING_IMPORT = 120, 121, 122, 123, 124
NOBODY = 65534

HELLO = next(case.program for case in CASES if case.name == "hello")
EXIT = next(case.program for case in CASES if case.name == "exit-return-42")

Patch = Callable[[bytearray, int], object]


def launch(
    lswctl: list[str], *arguments: str | Path, cwd: Path | None = None, uid: int | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run `lswctl launch`, as another user if asked to."""
    environment = os.environ | {"LC_ALL": "C.UTF-8"} | variables
    return subprocess.run(
        [*lswctl, "launch", *map(str, arguments)], cwd=cwd, env=environment, user=uid, stdin=subprocess.DEVNULL,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip


def assert_refused(done: subprocess.CompletedProcess[str], exit_code: int, *words: str) -> None:
    """One line `lswctl: ...` that has all the words, nothing on standard output, and that exit code."""
    assert "" == done.stdout
    assert 1 == done.stderr.count("\n"), done.stderr
    assert done.stderr.startswith("lswctl: ")
    assert [] == [word for word in words if word not in done.stderr], done.stderr
    assert exit_code == done.returncode


def patched(directory: Path, patch: Patch) -> Path:
    """A copy of hello.exe with something changed; the patch gets its bytes and where its PE header is."""
    data = bytearray(build(HELLO).read_bytes())
    patch(data, struct.unpack_from("<I", data, 0x3C)[0])
    path = directory / "patched.exe"
    path.write_bytes(data)
    return path


def put(offset: int, code: str, value: int) -> Patch:
    """Put a number at an offset from the PE header."""
    return lambda data, pe: struct.pack_into(code, data, pe + offset, value)


def _dotnet(data: bytearray, pe: int) -> None:
    """Point the CLR directory at a header in the first section that claims nothing but IL."""
    rva, _, raw = struct.unpack_from("<III", data, pe + 24 + 240 + 12)
    struct.pack_into("<IHHIIII", data, raw, 72, 2, 5, 0, 0, 1, 0)
    struct.pack_into("<II", data, pe + 24 + 112 + 14 * 8, rva, 72)


FIRST_SECTION = 24 + 240
PATCHES: dict[str, tuple[Patch, tuple[str, ...]]] = {
    "arm64": (put(4, "<H", 0xAA64), ("ARM64", "x86-64")),
    "ia64": (put(4, "<H", 0x200), ("Itanium", "x86-64")),
    "unknown-machine": (put(4, "<H", 0x1234), ("0x1234", "x86-64")),
    "dotnet": (_dotnet, (".NET", "dotnet or mono")),
    "dll": (put(22, "<H", 0x2022), ("a DLL", "launch the program that uses it")),
    "driver": (put(24 + 68, "<H", 1), ("driver",)),
    "efi": (put(24 + 68, "<H", 10), ("EFI",)),
    "no-signature": (put(0, "<I", 0x12345678), ("PE",)),
    "new-executable": (put(0, "<I", 0x0000454E), ("16-bit",)),
    "section-outside-the-file": (put(FIRST_SECTION + 20, "<I", 0x7FFFFE00), ("section",)),
    "absurd-section-size": (put(FIRST_SECTION + 16, "<I", 0x7FFFFE00), ("section",)),
    "absurd-virtual-size": (put(FIRST_SECTION + 8, "<I", 0xFFFFF000), ("section",)),
    "absurd-image-size": (put(24 + 56, "<I", 0xFFFFF000), ("damaged",)),
    "absurd-section-count": (put(6, "<H", 0xFFFF), ("sections",)),
    "absurd-alignment": (put(24 + 32, "<I", 0x12345), ("alignment",)),
    "entry-outside": (put(24 + 16, "<I", 0x7FFFFFFF), ("entry point",)),
}  # fmt: skip


@pytest.mark.parametrize("name", PATCHES)
def test_an_image_that_cannot_run_is_refused_with_a_reason(name: str, lswctl: list[str], tmp_path: Path) -> None:
    patch, words = PATCHES[name]
    assert_refused(launch(lswctl, patched(tmp_path, patch)), NOT_RUNNABLE, "patched.exe", *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", ("empty",)),
        (b"Hello, this is just text.\n" * 100, ("not a",)),
        (b"#!/bin/sh\necho no\n", ("not a",)),
        (b"\x7fELF" + bytes(100), ("Linux",)),
        (b"MZ", ("",)),
        (b"MZ" + bytes(58) + struct.pack("<I", 0xFFFFFFF0), ("",)),
        (b"MZ\x90\0\3\0\0\0\4\0\0\0\xff\xff\0\0\xb8" + bytes(500), ("DOS",)),
    ],
)
def test_a_file_that_is_no_image_is_refused(
    content: bytes, words: tuple[str, ...], lswctl: list[str], tmp_path: Path
) -> None:
    (tmp_path / "file.exe").write_bytes(content)
    assert_refused(launch(lswctl, tmp_path / "file.exe"), NOT_RUNNABLE, "file.exe: ", *words)


@pytest.mark.parametrize("size", [0x80, 0x100, 0x180, 0x300, 0x1000])
def test_a_truncated_program_is_refused(size: int, lswctl: list[str], tmp_path: Path) -> None:
    (tmp_path / "half.exe").write_bytes(build(HELLO).read_bytes()[:size])
    assert_refused(launch(lswctl, tmp_path / "half.exe"), NOT_RUNNABLE, "half.exe", "the file ", "; download or ")


def test_a_missing_file_is_named_and_its_exe_suggested(lswctl: list[str], tmp_path: Path) -> None:
    (tmp_path / "tool.exe").write_bytes(b"MZ")
    assert_refused(launch(lswctl, "tool", cwd=tmp_path), NO_PROGRAM, "tool: file not found", "did you mean tool.exe?")
    assert_refused(launch(lswctl, "none.exe", cwd=tmp_path), NO_PROGRAM, "none.exe: file not found; check the path")
    assert_refused(launch(lswctl, "C:\\none.exe"), NO_PROGRAM, "C:\\none.exe: file not found")
    assert_refused(launch(lswctl, "Q:\\none.exe"), NO_PROGRAM, "Q:\\none.exe: no such file or drive")
    assert_refused(launch(lswctl, "two\nlines.exe", cwd=tmp_path), NO_PROGRAM, "two?lines.exe: file not found")


def test_what_is_no_regular_file_is_refused_without_opening_it(lswctl: list[str], tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.exe")
    assert_refused(launch(lswctl, tmp_path), NO_PROGRAM, "a directory")
    assert_refused(launch(lswctl, tmp_path / "pipe.exe"), NO_PROGRAM, "not a regular file")
    assert_refused(launch(lswctl, "/dev/null"), NO_PROGRAM, "not a regular file")


def test_a_file_the_user_may_not_read_is_said_to_be_that() -> None:
    # All is imported before the user changes: interpreter and checkout may be closed to others.
    script = (
        "import os, sys; from lswctl.__main__ import main; from lswd.service.locate import locate, open_image; "
        "import lswctl.launch, lswd.cpu.select, lswd.service.config, lswd.userland.userland, lswd.userland.cache; "
        "import errno, tomllib, lswd.image.pe, lswd.image.imports, lswd.host.drives, lswd.host.directories; "
        "import encodings.ascii, encodings.idna; "
        "os.getuid() or os.setuid(int(sys.argv[1])); sys.exit(main(['launch', sys.argv[2]]))"
    )
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        path = Path(directory, "secret.exe")
        path.write_bytes(b"MZ")
        path.chmod(0)
        os.mkdir(Path(directory, "p"))
        os.chmod(Path(directory, "p"), 0o777)
        done = subprocess.run(
            [sys.executable, "-c", script, str(NOBODY), str(path)], capture_output=True, text=True, check=False,
            env=os.environ | {"LSW_PREFIX": f"{directory}/p/prefix"}, timeout=60,
        )  # fmt: skip
    assert_refused(done, NO_PROGRAM, "secret.exe: Permission denied; you must be allowed to read it")


def _compile(directory: Path, source: str, *arguments: str) -> None:
    gcc = shutil.which(f"{PREFIX}gcc")
    assert gcc is not None, "install gcc-mingw-w64-x86-64"
    (directory / "source.c").write_text(source)
    subprocess.run([gcc, "source.c", *arguments], cwd=directory, check=True)


@pytest.fixture(scope="module")
def chain(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """direct.exe imports f from low.dll; chained.exe imports h from high.dll, which imports f from low.dll."""
    directory = tmp_path_factory.mktemp("chain")
    _compile(directory, "int f(void) { return 42; }", "-shared", "-o", "low.dll", "-Wl,--out-implib,liblow.a")
    _compile(directory, "int f(void); int h(void) { return f(); }", "-shared", "-o", "high.dll", "liblow.a",
             "-Wl,--out-implib,libhigh.a")  # fmt: skip
    _compile(directory, "int f(void); int main(void) { return f(); }", "-o", "direct.exe", "liblow.a")
    _compile(directory, "int h(void); int main(void) { return h(); }", "-o", "chained.exe", "libhigh.a")
    (directory / "without").mkdir()
    for name in ("direct.exe", "chained.exe", "high.dll"):
        shutil.copy(directory / name, directory / "without")
    (directory / "other").mkdir()
    shutil.copy(directory / "direct.exe", directory / "other")
    _compile(directory, "int g(void) { return 1; }", "-shared", "-o", "other/low.dll")
    return directory


def test_a_missing_dll_is_named_with_its_importer(chain: Path, lswctl: list[str]) -> None:
    done = launch(lswctl, chain / "without/direct.exe")
    assert_refused(done, MISSING_IMPORT, "direct.exe needs low.dll, which was not found; put it beside the program")


def test_a_dll_that_a_dll_misses_is_named_with_that_dll(chain: Path, lswctl: list[str]) -> None:
    assert_refused(launch(lswctl, chain / "without/chained.exe"), MISSING_IMPORT, "high.dll needs low.dll")


def test_a_missing_function_is_named_with_dll_and_importer(chain: Path, lswctl: list[str]) -> None:
    done = launch(lswctl, chain / "other/direct.exe")
    assert_refused(done, MISSING_IMPORT, "direct.exe needs f from low.dll, which does not have it")


def test_dlls_are_found_in_the_current_directory_and_on_the_path(chain: Path, lswctl: list[str]) -> None:
    program = chain / "without/chained.exe"
    assert 42 == launch(lswctl, program, cwd=chain).returncode
    assert 42 == launch(lswctl, program, PATH=f"{os.environ['PATH']}:{chain}").returncode


def test_a_programs_own_exit_code_is_never_taken_for_ours(lswctl: list[str]) -> None:
    for code in (1, 121, 124, 0xC0000135, 0xC0000139, 0x80000100):
        done = launch(lswctl, "--json", build(EXIT), "ExitProcess", str(code))
        assert (code & 0xFF or 1) == done.returncode
        assert f'"exit_code": {code}' in done.stderr
        assert "lswctl:" not in done.stderr


def test_a_userland_that_is_not_there_is_named(lswctl: list[str]) -> None:
    done = launch(lswctl, build(HELLO), LSW_USERLAND="/nonexistent")
    assert_refused(done, NO_USERLAND, "LSW_USERLAND", "/nonexistent", "x86_64-windows")


def test_a_prefix_that_cannot_be_made_is_a_configuration_error(lswctl: list[str], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for prefix in (str(tmp_path / "file/prefix"), "/proc/prefix"):
        assert_refused(launch(lswctl, "--prefix", prefix, build(HELLO)), USAGE, prefix, "--prefix or LSW_PREFIX")
