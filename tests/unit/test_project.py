"""The rules that hold for the whole project: sizes of files, layers, what a launch may import, what files may name."""

from __future__ import annotations

import ast
import graphlib
import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import lswd

ROOT = Path(__file__).resolve().parent.parent.parent

GENERATED = {".git", ".venv", "build", "dist", "node_modules", "__pycache__", ".hypothesis"}
TEXT = {".py", ".c", ".cpp", ".h", ".hpp", ".s", ".asm", ".def", ".rc", ".sh", ".md", ".toml", ".yml", ".yaml"}

# From the top down. A package may import what is in its own layer or below, and within a layer without cycles.
# Modules directly in lswd/ and the whole of lswctl stand on top.
LAYERS = (
    ("service",),
    ("session",),
    ("device", "ioctl", "nt", "unixlib"),
    ("kernel",),
    ("memory", "cpu", "image", "userland", "host"),
    ("ntdef",),
)
DEPTH = {package: depth for depth, layer in enumerate(LAYERS) for package in layer}

LAUNCH_PATH = ("ntdef", "host", "image", "userland", "memory", "cpu", "kernel", "nt")
SLOW_TO_IMPORT = {
    "argparse", "dataclasses", "enum", "inspect", "json", "logging", "pathlib", "pefile", "re", "shutil", "sqlite3",
    "tempfile", "trio", "typing",
}  # fmt: skip


def project_files() -> Iterator[Path]:
    """The files that people write, as opposed to what tools leave behind."""
    for directory, subdirectories, names in os.walk(ROOT):
        subdirectories[:] = [
            name for name in subdirectories if name not in GENERATED and not name.endswith(("_cache", ".egg-info"))
        ]
        yield from (Path(directory, name) for name in names)


def source_files() -> list[Path]:
    """The text files among them."""
    return [path for path in project_files() if path.suffix.lower() in TEXT or path.name in ("Makefile", "run")]


def packages() -> list[str]:
    """The names of the packages in lswd/."""
    return sorted(path.parent.name for path in ROOT.glob("lswd/*/__init__.py"))


def modules(package: str) -> Iterator[tuple[str, ast.Module]]:
    """Each module below a directory: its path from the root, and its parsed source."""
    for path in sorted((ROOT / package).rglob("*.py")):
        yield str(path.relative_to(ROOT)), ast.parse(path.read_bytes())


def imported_names(node: ast.AST, path: str) -> list[str]:
    """The absolute dotted names that an import statement in the module at `path` may load; [] for anything else."""
    match node:
        case ast.Import(names=names):
            return [alias.name for alias in names]
        case ast.ImportFrom(module=module, names=names, level=level):
            parents = path.split("/")[: -level or len(path)] if level else []
            start = [*parents, *([module] if module else [])]
            return [".".join([*start, alias.name]) for alias in names]
        case _:
            return []


def run_at_import(node: ast.AST) -> Iterator[ast.AST]:
    """The nodes below `node` that are evaluated when the module is imported."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            continue
        if isinstance(child, ast.If) and ast.unparse(child.test).endswith("TYPE_CHECKING"):
            yield from run_at_import(ast.Module(body=child.orelse, type_ignores=[]))
            continue
        yield child
        yield from run_at_import(child)


def package_imports(package: str) -> Iterator[tuple[str, str]]:
    """Every import of another part of lswd in a package, wherever it stands: the module's path, the part's name."""
    for path, tree in modules(f"lswd/{package}"):
        for node in ast.walk(tree):
            for name in imported_names(node, path):
                top, _, rest = name.partition(".")
                part = rest.partition(".")[0]
                if top == "lswctl":
                    yield path, "lswctl"
                elif top == "lswd" and part not in (package, "__version__"):
                    yield path, part


def heavy_imports(path: str, tree: ast.Module) -> list[str]:
    """The modules of SLOW_TO_IMPORT that importing this one loads directly."""
    loaded = (name for node in run_at_import(tree) for name in imported_names(node, path))
    return sorted({name.partition(".")[0] for name in loaded} & SLOW_TO_IMPORT)


def test_the_version_is_three_numbers() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+", lswd.__version__)


def test_no_file_is_longer_than_800_lines() -> None:
    lengths = {str(path.relative_to(ROOT)): len(path.read_bytes().splitlines()) for path in source_files()}
    assert {} == {name: length for name, length in lengths.items() if length > 800}


def test_every_package_has_a_layer() -> None:
    assert [] == [package for package in packages() if package not in DEPTH]


@pytest.mark.parametrize("package", packages())
def test_a_package_imports_nothing_above_its_layer(package: str) -> None:
    upwards = [(path, part) for path, part in package_imports(package) if DEPTH.get(part, -1) < DEPTH[package]]
    assert [] == upwards


@pytest.mark.parametrize("layer", LAYERS, ids="-".join)
def test_packages_of_one_layer_do_not_import_in_circles(layer: tuple[str, ...]) -> None:
    graph = {package: {part for _, part in package_imports(package)} & set(layer) for package in layer}
    graphlib.TopologicalSorter(graph).prepare()


@pytest.mark.parametrize("package", [package for package in LAUNCH_PATH if package in packages()])
def test_the_launch_path_imports_nothing_slow(package: str) -> None:
    slow = {path: heavy_imports(path, tree) for path, tree in modules(f"lswd/{package}")}
    assert {} == {path: names for path, names in slow.items() if names}


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import os.path", ["os.path"]),
        ("from lswd import host, image", ["lswd.host", "lswd.image"]),
        ("from lswd.nt.file import NtReadFile", ["lswd.nt.file.NtReadFile"]),
        ("from . import object", ["lswd.kernel.object"]),
        ("from .object import Object", ["lswd.kernel.object.Object"]),
        ("from ..ntdef import status", ["lswd.ntdef.status"]),
    ],
)
def test_imports_are_read_as_absolute_names(source: str, expected: list[str]) -> None:
    assert expected == imported_names(ast.parse(source).body[0], "lswd/kernel/process.py")


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        ("import re", ["re"]),
        ("try:\n    import json.decoder\nexcept ImportError:\n    pass", ["json"]),
        ("class A:\n    from enum import IntEnum", ["enum"]),
        ("if TYPE_CHECKING:\n    import typing\nelse:\n    import re", ["re"]),
        ("def late():\n    import re", []),
        ("if typing.TYPE_CHECKING:\n    from typing import Any", []),
    ],
)
def test_only_what_runs_at_import_counts_for_the_launch_path(source: str, expected: list[str]) -> None:
    assert expected == heavy_imports("lswd/host/drives.py", ast.parse(source))


def test_no_file_names_this_checkout() -> None:
    own_path = re.compile(rf"(?<![\w./~)}}-]){re.escape(str(ROOT))}(?![\w.-])")
    assert [] == [
        str(path.relative_to(ROOT)) for path in source_files() if own_path.search(path.read_text(encoding="utf-8"))
    ]


def test_no_file_names_a_package_registry() -> None:
    python, npm = (r"pypi\.org", r"pythonhosted\.org"), (r"npmjs\.(org|com)",)
    hosts = "|".join((*python, *npm, r"proxy\.golang\.org", "crates\\.io", r"debian\.org"))
    # The brackets keep this file from naming what it looks for.
    registry = re.compile(rf"[/.](?:{hosts})|--(?:extra-)?index[-]url|--registr[y]", re.IGNORECASE)
    assert [] == [
        str(path.relative_to(ROOT)) for path in source_files() if registry.search(path.read_text(encoding="utf-8"))
    ]
