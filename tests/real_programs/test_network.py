"""Programs nobody here wrote fetch and serve over http and https, on this machine."""

from __future__ import annotations

import hashlib
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from tests.guest import authority, servers
from tests.guest.run import fixed_environment

from . import corpus

TIMEOUT_SECONDS = 120
SERVERS = {"http": servers.http, "https": servers.https}
SCHEMES = pytest.mark.parametrize("scheme", ["http", "https"])


@pytest.fixture
def trusting(tmp_path: Path) -> dict[str, str]:
    """An environment of lswctl's in which this host trusts the test authority."""
    store = tmp_path / "authorities.pem"
    store.write_bytes(authority.root().pem)
    return fixed_environment() | {"SSL_CERT_FILE": str(store)}


def launch(lswctl: list[str], tool: corpus.Tool, arguments: list[str], environment: dict[str, str], directory: Path,
           options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    command = [*lswctl, "launch", *options, str(corpus.program(tool)), *arguments]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False,
                          timeout=TIMEOUT_SECONDS)


@SCHEMES
def test_aria2_fetches_files_in_pieces_and_checks_them(
    scheme: str, lswctl: list[str], trusting: dict[str, str], tmp_path: Path
) -> None:
    with SERVERS[scheme]() as port:
        digest = hashlib.sha256(servers.BIG).hexdigest()
        done = launch(lswctl, corpus.ARIA2, ["--async-dns=false", "--summary-interval=0", "-d", ".", "-o", "big.bin",
                      f"--checksum=sha-256={digest}", f"{scheme}://localhost:{port}/big"], trusting, tmp_path)
    assert 0 == done.returncode, done.stdout + done.stderr
    assert servers.BIG == (tmp_path / "big.bin").read_bytes()


def test_aria2_says_what_is_not_there(lswctl: list[str], trusting: dict[str, str], tmp_path: Path) -> None:
    with servers.http() as port:
        url = f"http://localhost:{port}/missing"
        done = launch(lswctl, corpus.ARIA2, ["--async-dns=false", url], trusting, tmp_path)
    assert 3 == done.returncode, done.stdout + done.stderr  # aria2's code for "resource was not found"


def ask_uv(lswctl: list[str], environment: dict[str, str], directory: Path, server: AbstractContextManager[int],
           scheme: str, options: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    """Have uv list the versions of Python that a server knows."""
    with server as port:
        return launch(lswctl, corpus.UV, ["python", "list", "--no-config", "--no-cache", "--system-certs",
                      "--only-downloads", "--all-versions", "--python-downloads-json-url",
                      f"{scheme}://localhost:{port}/versions.json"], environment, directory, options)


@SCHEMES
def test_uv_lists_what_a_server_has(scheme: str, lswctl: list[str], trusting: dict[str, str], tmp_path: Path) -> None:
    done = ask_uv(lswctl, trusting, tmp_path, SERVERS[scheme](), scheme)
    assert 0 == done.returncode, done.stderr
    assert "cpython-3.12.1-windows-x86_64-none    <download available>\n" == done.stdout


@pytest.mark.parametrize("server", [servers.https_expired, servers.https_of_another_authority],
                         ids=["expired", "another authority"])
def test_uv_does_not_trust_a_server_that_the_host_does_not_trust(
    server: Callable[[], AbstractContextManager[int]], lswctl: list[str], trusting: dict[str, str], tmp_path: Path
) -> None:
    done = ask_uv(lswctl, trusting, tmp_path, server(), "https")
    assert 2 == done.returncode
    assert "invalid peer certificate" in done.stderr


@pytest.mark.parametrize(("policy", "allowed"), [("loopback", True), ("off", False)])
def test_a_policy_holds_for_uv(
    policy: str, allowed: bool, lswctl: list[str], trusting: dict[str, str], tmp_path: Path
) -> None:
    done = ask_uv(lswctl, trusting, tmp_path, servers.http(), "http", ("--network", policy))
    assert (0 if allowed else 2) == done.returncode, done.stderr


@SCHEMES
def test_deno_fetches(scheme: str, lswctl: list[str], trusting: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "fetch.js").write_text(
        "const answer = await fetch(Deno.args[0] + '/echo', {method: 'POST', body: 'to be turned round'});\n"
        "console.log(answer.status, await answer.text());\n"
        "const big = await (await fetch(Deno.args[0] + '/big')).bytes();\n"
        "const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', big));\n"
        "console.log(big.length, digest.toHex());\n")
    with SERVERS[scheme]() as port:
        done = launch(lswctl, corpus.DENO, ["run", "--allow-net", "--no-config", "fetch.js",
                      f"{scheme}://localhost:{port}"], trusting, tmp_path, ("--env", "DENO_TLS_CA_STORE=system"))
    digest = hashlib.sha256(servers.BIG).hexdigest()
    assert ["200 dnuor denrut eb ot", f"1048576 {digest}"] == done.stdout.splitlines(), done.stderr


def test_deno_serves_itself(lswctl: list[str], trusting: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "serve.js").write_text(
        "const server = Deno.serve({port: 0, hostname: '127.0.0.1', onListen() {}}, async (request) =>\n"
        "    Response.json({path: new URL(request.url).pathname, length: (await request.text()).length}));\n"
        "const base = `http://127.0.0.1:${server.addr.port}`;\n"
        "const asked = [...Array(20).keys()].map((i) =>\n"
        "    fetch(`${base}/${i}`, {method: 'POST', body: 'x'.repeat(i * 1000)}).then((answer) => answer.json()));\n"
        "for (const answer of await Promise.all(asked)) console.log(answer.path, answer.length);\n"
        "await server.shutdown();\n")
    done = launch(lswctl, corpus.DENO, ["run", "--allow-net", "--no-config", "serve.js"], trusting, tmp_path)
    assert [f"/{i} {i * 1000}" for i in range(20)] == done.stdout.splitlines(), done.stderr


def test_esbuild_serves_what_it_builds(lswctl: list[str], trusting: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text("export const answer = 6 * 7; console.log(answer)\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [*lswctl, "launch", str(corpus.program(corpus.ESBUILD)), "page.js", "--bundle", "--minify",
               "--outdir=out", f"--serve=127.0.0.1:{port}"]
    with subprocess.Popen(command, cwd=tmp_path, env=trusting, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as running:
        try:
            answer = _patiently(f"http://127.0.0.1:{port}/page.js")
        finally:
            running.terminate()
    assert b"console.log" in answer
    assert b"42" in answer or b"6*7" in answer


def _patiently(url: str) -> bytes:
    """The content of a page, once there is somebody who has it."""
    until = time.monotonic() + TIMEOUT_SECONDS
    while True:
        try:
            with urllib.request.urlopen(url, timeout=10) as answer:
                content: bytes = answer.read()
                return content
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
