"""Programs that read source text and write other text do it exactly as their Linux builds: Go, Rust, C++ of two
compilers, in 64 and 32 bits."""

from __future__ import annotations

from pathlib import Path

import pytest

from . import corpus
from .conftest import Launcher, content

BOTH = ("64 bits", "32 bits")
MODULES = {
    "main.js": 'import {area} from "./shapes.js";\nimport names from "./names.js";\nconsole.log(area(2), names.two);\n',
    "shapes.js": "export function area(side) {\n  return side * side;\n}\nexport function unused() { return 1; }\n",
    "names.js": 'export default { one: "jedna", two: "dv\u011b" };\n',
}
SCRIPT = b"#!/bin/sh\nif [ -n \"$1\" ]\nthen\necho   'given' >out;for i in a b;do echo $i;done\nfi\n"
PYTHON = "import os\nimport sys\n\n\ndef f( a,b = 1 ):\n    return {'a':a,\n      'b' : b }\n\nx = lambda : f(sys)\n"
CPP = "#include <map>\nnamespace a{struct B{int c;B( ):c( 1 ){}};\ntemplate<class T>T f(T t){return t+1;}}\n"
INTERFACE = """\
%module example
%{
#include "shape.h"
%}
%include "std_string.i"
class Shape { public: Shape(double side); virtual ~Shape(); virtual double area() const = 0; std::string name; };
int total(int first, int *others);
"""


@pytest.mark.parametrize("esbuild", [corpus.ESBUILD, corpus.ESBUILD_32], ids=BOTH)
def test_esbuild_bundles_and_minifies_modules_with_a_source_map(
    esbuild: corpus.Tool, launch: Launcher, tree: Path
) -> None:
    for name, text in MODULES.items():
        (tree / name).write_text(text)
    arguments = ("main.js", "--bundle", "--minify", "--sourcemap", "--log-level=warning")
    launch.linux(corpus.ESBUILD_LINUX, *arguments, "--outfile=linux/out.js")
    assert b"" == launch(esbuild, *arguments, "--outfile=windows/out.js")
    assert {"out.js", "out.js.map"} == set(content(tree / "linux"))
    assert content(tree / "linux") == content(tree / "windows")


def test_esbuild_says_where_a_module_is_wrong(launch: Launcher, tree: Path) -> None:
    (tree / "wrong.js").write_text("let a = ;\n")
    assert b"" == launch(corpus.ESBUILD, "wrong.js", "--bundle", expect=1)


def test_shfmt_formats_a_script_from_standard_input_and_in_place(launch: Launcher, tree: Path) -> None:
    for arguments in ((), ("-i", "2", "-ci"), ("-mn",), ("--to-json",)):
        assert launch.linux(corpus.SHFMT_LINUX, *arguments, stdin=SCRIPT) == launch(
            corpus.SHFMT, *arguments, stdin=SCRIPT)
    (tree / "script.sh").write_bytes(SCRIPT)
    assert b"script.sh\n" == launch(corpus.SHFMT, "-l", "-w", "script.sh")
    assert launch.linux(corpus.SHFMT_LINUX, stdin=SCRIPT) == (tree / "script.sh").read_bytes()


@pytest.mark.parametrize("ruff", [corpus.RUFF, corpus.RUFF_32], ids=BOTH)
@pytest.mark.parametrize("arguments", [("check", "--select=ALL"), ("format", "--diff")], ids=" ".join)
def test_ruff_says_what_its_linux_build_says(
    ruff: corpus.Tool, arguments: tuple[str, ...], launch: Launcher, tree: Path
) -> None:
    (tree / "package").mkdir()
    for name in ("one.py", "two.py", "fine.py"):
        (tree / "package" / name).write_text("" if name == "fine.py" else PYTHON)
    command = (*arguments, "--no-cache", "--isolated", "package")
    linux = launch.start([str(corpus.linux_program(corpus.RUFF_LINUX))], command, 1)
    windows = launch(ruff, *command, expect=1)
    assert linux
    assert linux == windows.replace(b"package\\", b"package/")


@pytest.mark.parametrize("clang_format", [corpus.CLANG_FORMAT, corpus.CLANG_FORMAT_32], ids=BOTH)
def test_clang_format_formats_as_its_linux_build_does(clang_format: corpus.Tool, launch: Launcher, tree: Path) -> None:
    (tree / "a.cpp").write_text(CPP)
    for style in ("LLVM", "{BasedOnStyle: Google, IndentWidth: 3}"):
        linux = launch.linux(corpus.CLANG_FORMAT_LINUX, f"--style={style}", "a.cpp")
        assert linux == launch(clang_format, f"--style={style}", "a.cpp").replace(b"\r\n", b"\n")


def _swig_library(tool: corpus.Tool) -> str:
    """The directory of SWIG's own files, which its wheels start it with."""
    (found,) = (corpus.fetch(tool.package) / "swig" / "data" / "share" / "swig").iterdir()
    return str(found)


def _wrapper(text: bytes) -> bytes:
    return text.replace(b"\r\n", b"\n")


def test_swig_generates_the_wrapper_that_its_linux_build_generates(launch: Launcher, tree: Path) -> None:
    (tree / "example.i").write_text(INTERFACE)
    for name in ("linux", "windows"):
        (tree / name).mkdir()
    arguments = ("-python", "-c++")
    launch.linux(corpus.SWIG_LINUX, *arguments, "-outdir", "linux", "-o", "linux/wrapper.cxx", "example.i",
                 SWIG_LIB=_swig_library(corpus.SWIG_LINUX))
    launch(corpus.SWIG, *arguments, "-outdir", "windows", "-o", "windows/wrapper.cxx", "example.i",
           SWIG_LIB="Z:" + _swig_library(corpus.SWIG).replace("/", "\\"))
    made = {name: _wrapper(text or b"") for name, text in content(tree / "windows").items()}
    assert {"example.py", "wrapper.cxx"} == set(made)
    assert content(tree / "linux") == made


def test_the_32_bit_swig_generates_a_whole_wrapper(launch: Launcher, tree: Path) -> None:
    """Of this version there is no build that could be the reference: Wine's 32-bit half is not installed."""
    (tree / "example.i").write_text(INTERFACE.replace('%include "std_string.i"\n', ""))
    launch(corpus.SWIG_32, "-lua", "-c++", "-o", "wrapper.cxx", "example.i",
           SWIG_LIB="Z:" + _swig_library(corpus.SWIG_32).replace("/", "\\"))
    made = _wrapper((tree / "wrapper.cxx").read_bytes()).decode()
    for text in ("Version 4.2.1", "((Shape const *)arg1)->area();", "static int _wrap_total(lua_State* L) {"):
        assert text in made
    assert made.count("{") == made.count("}")
    assert made.endswith("SWIG_Lua_dostring(L,SWIG_LUACODE);\n}\n\n")
