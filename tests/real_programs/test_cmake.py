"""cmake.exe (MSVC) configures a project with ninja.exe, builds it in twenty steps, tests and installs it."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path

from . import corpus
from .conftest import Launcher, content

PROJECT = """\
cmake_minimum_required(VERSION 3.20)
project(chain NONE)
set(made ${CMAKE_SOURCE_DIR}/first.txt)
foreach(step RANGE 1 20)
  add_custom_command(OUTPUT step${step}.txt DEPENDS ${made}
    COMMAND ${CMAKE_COMMAND} -E copy ${made} step${step}.txt COMMAND ${CMAKE_COMMAND} -E echo made ${step})
  set(made ${CMAKE_BINARY_DIR}/step${step}.txt)
endforeach()
add_custom_target(chain ALL DEPENDS step20.txt)
file(SHA256 ${CMAKE_SOURCE_DIR}/first.txt digest)
configure_file(settings.in settings.txt)
install(FILES ${CMAKE_BINARY_DIR}/step20.txt DESTINATION share)
enable_testing()
add_test(NAME same COMMAND ${CMAKE_COMMAND} -E compare_files ${CMAKE_SOURCE_DIR}/first.txt step20.txt)
add_test(NAME other COMMAND ${CMAKE_COMMAND} -E compare_files ${CMAKE_SOURCE_DIR}/first.txt settings.txt)
set_tests_properties(other PROPERTIES WILL_FAIL TRUE)
"""


def test_cmake_configures_builds_tests_and_installs_a_project(launch: Launcher, tree: Path) -> None:
    source = tree / "source"
    source.mkdir()
    (source / "CMakeLists.txt").write_text(PROJECT)
    (source / "first.txt").write_bytes(b"from the source\n")
    (source / "settings.in").write_text("@digest@ @PROJECT_NAME@ @CMAKE_HOST_SYSTEM_NAME@\n")
    ninja = "Z:" + str(corpus.program(corpus.NINJA)).replace("\\", "/")
    said = launch(corpus.CMAKE, "-G", "Ninja", "-S", "source", "-B", "made", f"-DCMAKE_MAKE_PROGRAM={ninja}")
    assert b"Build files have been written to" in said
    digest = hashlib.sha256(b"from the source\n").hexdigest()
    assert f"{digest} chain Windows" == (tree / "made" / "settings.txt").read_text().strip()
    steps = [line for line in launch(corpus.CMAKE, "--build", "made").decode().splitlines() if line.startswith("[")]
    assert [f"[{number}/20]" for number in range(1, 21)] == [line.split()[0] for line in steps]
    assert b"ninja: no work to do." in launch(corpus.CMAKE, "--build", "made")
    launch(corpus.CMAKE, "--install", "made", "--prefix", "installed")
    assert {"share": None, "share/step20.txt": b"from the source\n"} == content(tree / "installed")
    assert b"100% tests passed out of 2" in launch(corpus.CTEST, "--test-dir", "made")


def test_cmake_does_by_itself_what_scripts_need(launch: Launcher, tree: Path) -> None:
    def e(*arguments: str, expect: int = 0) -> bytes:
        return launch(corpus.CMAKE, "-E", *arguments, expect=expect).replace(b"\r\n", b"\n")

    digest = hashlib.sha256((tree / "tree/readme.txt").read_bytes()).hexdigest()
    assert f"{digest}  tree/readme.txt\n".encode() == e("sha256sum", "tree/readme.txt")
    e("make_directory", "one/two")
    e("copy", "tree/readme.txt", "one/two")
    e("copy_directory", "tree", "one/copy")
    assert content(tree / "tree") == content(tree / "one" / "copy")
    e("tar", "czf", "a.tgz", "one")
    e("tar", "cf", "a.zip", "--format=zip", "one")
    assert b"one/two/readme.txt" in e("tar", "tf", "a.tgz").splitlines()
    e("rm", "-r", "one")
    assert not (tree / "one").exists()
    e("tar", "xf", "a.zip")
    assert content(tree / "tree") == content(tree / "one" / "copy")
    assert b"value\n" == e("env", "NAME=value", "cmd", "/c", "echo %NAME%")
    assert e("time", "cmd", "/c", "exit 0").startswith(b"Elapsed time")
    assert b"" == e("compare_files", "tree/readme.txt", "tree/empty", expect=1)
    assert "Ninja" in {generator["name"] for generator in json.loads(e("capabilities"))["generators"]}
