"""Programs nobody here wrote do their everyday work: what comes out is what they say it must be, or what their Linux
build says, or what their packages document."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pefile
import pytest

from tests.guest.run import fixed_environment

from . import corpus
from .conftest import TIMEOUT_SECONDS, Launcher, content

BOTH = ("64 bits", "32 bits")


@pytest.mark.parametrize("ninja", [corpus.NINJA, corpus.NINJA_32], ids=BOTH)
def test_ninja_says_its_version(ninja: corpus.Tool, launch: Launcher) -> None:
    assert b"1.13.2.git.kitware.jobserver-pipe-1\r\n" == launch(ninja, "--version")


@pytest.mark.parametrize("ninja", [corpus.NINJA, corpus.NINJA_32], ids=BOTH)
def test_ninja_builds_a_graph_of_twenty_steps_that_start_programs(
    ninja: corpus.Tool, launch: Launcher, tree: Path
) -> None:
    """Four chains of copies, joined at the end; each step is a command interpreter."""
    steps = {f"step{i}.txt": "source.txt" if i % 5 == 0 else f"step{i - 1}.txt" for i in range(19)}
    rules = ("rule copy\n  command = cmd /c copy $in $out > nul && echo made $out\n"
             "rule join\n  command = cmd /c type $in > $out 2> nul\n")
    builds = "".join(f"build {made}: copy {source}\n" for made, source in steps.items())
    (tree / "build.ninja").write_text(f"{rules}{builds}build all.txt: join {' '.join(steps)}\n")
    (tree / "source.txt").write_bytes(b"from the source\r\n")
    said = launch(ninja).decode().splitlines()
    assert {f"made {made}" for made in steps} == {line for line in said if line.startswith("made ")}
    assert [f"[{number}/20]" for number in range(1, 21)] == [line.split()[0] for line in said if line.startswith("[")]
    assert b"from the source\r\n" * 19 == (tree / "all.txt").read_bytes()
    assert b"ninja: no work to do.\r\n" == launch(ninja)


def test_ninja_stops_at_a_step_that_fails(launch: Launcher, tree: Path) -> None:
    (tree / "build.ninja").write_text(
        "rule fail\n  command = cmd /c echo about to fail & exit 3\nbuild one: fail\nbuild two: fail one\n")
    said = launch(corpus.NINJA, expect=3).splitlines()
    assert (1, 0) == (said.count(b"about to fail "), sum(line.startswith(b"[2/2]") for line in said))
    assert b"FAILED: [code=3] one " in said


@pytest.mark.parametrize(("form", "method"), [("7z", "LZMA2"), ("zip", "Deflate")])
@pytest.mark.parametrize("seven_zip", [corpus.SEVEN_ZIP, corpus.SEVEN_ZIP_32], ids=BOTH)
def test_7_zip_packs_tests_lists_and_unpacks_a_folder_byte_identically(
    seven_zip: corpus.Tool, launch: Launcher, tree: Path, form: str, method: str
) -> None:
    archive = f"packed.{form}"
    assert b"Everything is Ok" in launch(seven_zip, "a", archive, "tree")
    assert b"Everything is Ok" in launch(seven_zip, "t", archive)
    listing = launch(seven_zip, "l", "-slt", "-sccUTF-8", archive).decode()
    listed = {line.removeprefix("Path = ").replace("\\", "/")
              for line in listing.partition("----------")[2].splitlines() if line.startswith("Path = ")}
    assert {"tree"} | {f"tree/{name}" for name in content(tree / "tree")} == listed
    assert f"Method = {method}" in listing
    assert b"Everything is Ok" in launch(seven_zip, "x", "-ounpacked", archive)
    assert content(tree / "tree") == content(tree / "unpacked" / "tree")


@pytest.mark.parametrize(("seven_zip", "machine"), [(corpus.SEVEN_ZIP, b"x64"), (corpus.SEVEN_ZIP_32, b"x86")],
                         ids=BOTH)
def test_7_zip_lists_the_formats_that_it_lists_under_wine(
    seven_zip: corpus.Tool, machine: bytes, launch: Launcher
) -> None:
    """expected/7za-i.out is what Wine 8 makes of the 64-bit one; the other says the same of another machine."""
    recorded = Path(__file__).parent / "expected" / "7za-i.out"
    assert recorded.read_bytes().replace(b"(x64)", b"(" + machine + b")") == launch(seven_zip, "i")


def test_swig_says_its_version(launch: Launcher) -> None:
    said = launch(corpus.SWIG, "-version").decode().splitlines()
    assert ["SWIG Version 4.5.1", "Compiled with x86_64-w64-mingw32-g++ [x86_64-w64-mingw32]"] == said[1:4:2]


def test_the_32_bit_swig_says_its_version(launch: Launcher) -> None:
    said = launch(corpus.SWIG_32, "-version").decode().splitlines()
    assert ["SWIG Version 4.2.1", "Compiled with i686-w64-mingw32-g++ [i686-w64-mingw32]"] == said[1:4:2]


class TestRipgrep:
    """rg.exe against its Linux build."""

    @staticmethod
    def both(launch: Launcher, *arguments: str) -> tuple[list[str], list[str]]:
        """The lines of the Linux build and of the Windows build, with one kind of slash."""
        linux = launch.linux(corpus.RIPGREP_LINUX, *arguments)
        windows = launch(corpus.RIPGREP, "--path-separator=/", *arguments)
        return linux.decode().splitlines(), windows.decode().splitlines()

    @pytest.mark.parametrize("arguments", [
        ("-n", "needle"), ("-c", "needle"), ("--files",), ("-i", "-C1", "NO MATCH"), ("-P", r"needle(?=\n|$)"),
        ("-a", "-o", r"[x-z]{3}"), ("-g", "*.txt", "-l", "needle"),
    ], ids=" ".join)
    def test_one_thread_prints_what_its_linux_build_prints(
        self, launch: Launcher, arguments: tuple[str, ...]
    ) -> None:
        linux, windows = self.both(launch, "--sort=path", "-j1", *arguments, "tree")
        assert linux
        assert linux == windows

    def test_its_own_threads_find_what_its_linux_build_finds(self, launch: Launcher) -> None:
        linux, windows = self.both(launch, "-n", "needle", "tree")
        assert 5 == len(linux)
        assert sorted(linux) == sorted(windows)

    def test_its_json_says_what_its_linux_build_says(self, launch: Launcher) -> None:
        linux, windows = self.both(launch, "--json", "--sort=path", "-j1", "needle", "tree")

        def matches(lines: list[str]) -> list[object]:
            records = [json.loads(line) for line in lines]  # paths keep the system's own separator
            for record in records:
                for name in ("elapsed", "elapsed_total"):  # times differ
                    record["data"].pop(name, None)
                for name in ("elapsed", "bytes_printed"):  # a backslash is two bytes of JSON
                    record["data"].get("stats", {}).pop(name, None)
                if "path" in record["data"]:
                    record["data"]["path"]["text"] = record["data"]["path"]["text"].replace("\\", "/")
            return records

        assert {"begin", "match", "end", "summary"} == {json.loads(line)["type"] for line in linux}
        assert matches(linux) == matches(windows)

    def test_finding_nothing_is_exit_code_1(self, launch: Launcher) -> None:
        assert b"" == launch(corpus.RIPGREP, "there is no such text", "tree", expect=1)


@pytest.mark.parametrize("ruff", [corpus.RUFF, corpus.RUFF_32], ids=BOTH)
def test_ruff_reports_what_is_wrong_with_a_module(ruff: corpus.Tool, launch: Launcher, tree: Path) -> None:
    (tree / "module.py").write_text("import os\n\nx = 1\n")
    said = launch(ruff, "check", "--no-cache", "--isolated", "--select=F", "--output-format=json", "module.py",
                  expect=1)
    assert [("F401", 1, "module.py")] == [
        (found["code"], found["location"]["row"], found["filename"].rpartition("\\")[2]) for found in json.loads(said)]


def test_ruff_formats_a_module_in_place(launch: Launcher, tree: Path) -> None:
    (tree / "module.py").write_text("x = {  'a':1 }\n")
    assert b"1 file reformatted\n" == launch(corpus.RUFF, "format", "--no-cache", "--isolated", "module.py")
    assert 'x = {"a": 1}\n' == (tree / "module.py").read_text()


def test_just_lists_the_recipes_of_a_justfile(launch: Launcher, tree: Path) -> None:
    (tree / "justfile").write_text("# say hello\nhello:\n\t@echo hi\n\nother: hello\n")
    assert b"Available recipes:\n    hello # say hello\n    other\n" == launch(corpus.JUST, "--list")


_JUSTFILE = """\
set windows-shell := ["cmd.exe", "/c"]

greeting := `cmd /c echo from a command`

build: prepare
\t@echo building with {{greeting}}
\t@cmd /c echo deep | cmd /c more

prepare:
\t@echo preparing> prepared.txt
\t@type prepared.txt

fail:
\t@exit 3
\t@echo not reached

join a b="two":
\t@echo {{a}} {{b}}
"""


@pytest.mark.parametrize("just", [corpus.JUST, corpus.JUST_32], ids=BOTH)
def test_just_runs_recipes_with_the_command_interpreter(just: corpus.Tool, launch: Launcher, tree: Path) -> None:
    (tree / "justfile").write_text(_JUSTFILE)
    assert b"preparing\r\nbuilding with from a command\r\ndeep \r\n" == launch(just, "build")
    assert b"preparing\r\n" == (tree / "prepared.txt").read_bytes()
    assert b"one two\r\n" == launch(just, "join", "one")
    assert b"" == launch(just, "fail", expect=3)


@pytest.mark.parametrize("launcher", [corpus.SCRIPT_LAUNCHER, corpus.SCRIPT_LAUNCHER_32], ids=BOTH)
def test_a_script_launcher_without_its_script_says_so(launcher: corpus.Tool, lswctl: list[str], tree: Path) -> None:
    program = corpus.working_copy(launcher, tree)
    done = subprocess.run([*lswctl, "launch", str(program)], env=fixed_environment(), capture_output=True, check=False,
                          timeout=TIMEOUT_SECONDS)
    script = "\\\\?\\Z:" + str(tree / f"{program.stem}-script.py").replace("/", "\\")
    assert (2, f"Cannot open {script}\r\n".encode()) == (done.returncode, done.stderr)


@pytest.mark.parametrize("rcedit", [corpus.RCEDIT, corpus.RCEDIT_32], ids=BOTH)
def test_rcedit_writes_a_version_string_into_an_executable(rcedit: corpus.Tool, launch: Launcher, tree: Path) -> None:
    edited = corpus.working_copy(corpus.SCRIPT_LAUNCHER, tree)
    launch(rcedit, edited.name, "--set-version-string", "FileDescription", "edited by a test",
           "--set-file-version", "1.2.3.4")
    with pefile.PE(str(edited)) as image:
        tables = [table for info in image.FileInfo[0] if info.Key == b"StringFileInfo" for table in info.StringTable]
        assert ["edited by a test"] == [table.entries[b"FileDescription"].decode() for table in tables]
        assert (1 << 16 | 2, 3 << 16 | 4) == (image.VS_FIXEDFILEINFO[0].FileVersionMS,
                                             image.VS_FIXEDFILEINFO[0].FileVersionLS)


def test_programs_that_share_one_output_file_append_in_order(lswctl: list[str], tree: Path) -> None:
    """The position of an inherited file is the host's, shared with the shell and with every other program."""
    output = tree / "output"
    ninja = str(corpus.program(corpus.NINJA))
    with open(output, "wb") as shared:
        os.write(shared.fileno(), b"before\n")
        for number in (1, 2):
            subprocess.run([*lswctl, "launch", ninja, "--version"], stdout=shared, env=fixed_environment(), check=True,
                           timeout=TIMEOUT_SECONDS)
            subprocess.run(["sh", "-c", f"echo between {number}"], stdout=shared, check=True)
        os.write(shared.fileno(), b"after\n")
    version = b"1.13.2.git.kitware.jobserver-pipe-1\r\n"
    assert b"before\n" + version + b"between 1\n" + version + b"between 2\nafter\n" == output.read_bytes()
