"""Programs nobody here wrote fetch and serve over http and https, on this machine."""

from __future__ import annotations

import contextlib
import hashlib
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
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
@pytest.mark.parametrize("aria2", [corpus.ARIA2, corpus.ARIA2_32], ids=["64 bits", "32 bits"])
def test_aria2_fetches_a_file_and_checks_it(
    aria2: corpus.Tool, scheme: str, lswctl: list[str], trusting: dict[str, str], tmp_path: Path
) -> None:
    with SERVERS[scheme]() as port:
        digest = hashlib.sha256(servers.BIG).hexdigest()
        done = launch(lswctl, aria2, ["--async-dns=false", "--summary-interval=0", "-d", ".", "-o", "big.bin",
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


@pytest.mark.parametrize(
    "server", [servers.https_expired, servers.https_of_another_authority, servers.https_by_ecdsa],
    ids=["expired", "another authority", "without its authority"],
)
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


FETCH = """\
const answer = await fetch(process.argv[2] + '/echo', {method: 'POST', body: 'to be turned round'});
console.log(answer.status, await answer.text());
const big = Buffer.from(await (await fetch(process.argv[2] + '/big')).arrayBuffer());
const { createHash } = await import('node:crypto');
console.log(big.length, createHash('sha256').update(big).digest('hex'));
"""


@SCHEMES
def test_node_fetches(scheme: str, lswctl: list[str], trusting: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "fetch.mjs").write_text(FETCH)
    with SERVERS[scheme]() as port:
        done = launch(lswctl, corpus.NODE, ["--use-system-ca", "fetch.mjs", f"{scheme}://localhost:{port}"], trusting,
                      tmp_path)
    digest = hashlib.sha256(servers.BIG).hexdigest()
    assert ["200 dnuor denrut eb ot", f"1048576 {digest}"] == done.stdout.splitlines(), done.stderr


def test_node_does_not_trust_a_server_that_the_host_does_not_trust(
    lswctl: list[str], trusting: dict[str, str], tmp_path: Path
) -> None:
    (tmp_path / "fetch.mjs").write_text(FETCH)
    with servers.https_expired() as port:
        done = launch(lswctl, corpus.NODE, ["--use-system-ca", "fetch.mjs", f"https://localhost:{port}"], trusting,
                      tmp_path)
    assert 1 == done.returncode
    assert "CERT_HAS_EXPIRED" in done.stderr


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


@contextlib.contextmanager
def running(lswctl: list[str], tool: corpus.Tool, arguments: list[str], environment: dict[str, str],
            directory: Path) -> Iterator[None]:
    """The program, started and ended at last."""
    command = [*lswctl, "launch", str(corpus.program(tool)), *arguments]
    with subprocess.Popen(command, cwd=directory, env=environment, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL,
                          stderr=subprocess.DEVNULL) as process:
        try:
            yield
        finally:
            process.terminate()


def free_port() -> int:
    """One that was free a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def patiently(url: str) -> bytes:
    """The content of a page, once there is somebody who has it; who that is does not matter."""
    until = time.monotonic() + TIMEOUT_SECONDS
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    while True:
        try:
            with urllib.request.urlopen(url, timeout=20, context=context) as answer:
                content: bytes = answer.read()
                return content
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def test_esbuild_serves_what_it_builds(lswctl: list[str], trusting: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "page.js").write_text("export const answer = 6 * 7; console.log(answer)\n")
    port = free_port()
    with running(lswctl, corpus.ESBUILD, ["page.js", "--bundle", "--minify", "--outdir=out",
                                          f"--serve=127.0.0.1:{port}"], trusting, tmp_path):
        answer = patiently(f"http://127.0.0.1:{port}/page.js")
    assert b"console.log" in answer
    assert b"42" in answer or b"6*7" in answer


CADDYFILE = """{{
    admin off
    persist_config off
    skip_install_trust
    auto_https disable_redirects
    http_port {0}
}}
http://127.0.0.1:{0} {{
    root * .
    file_server
}}
http://127.0.0.1:{1} {{
    reverse_proxy https://localhost:{2}
}}
https://localhost:{3} {{
    tls internal
    respond "over TLS"
}}
"""


def test_caddy_serves_files_and_tls_and_stands_in_for_servers_it_trusts(
    lswctl: list[str], trusting: dict[str, str], tmp_path: Path
) -> None:
    files, proxy, secure = free_port(), free_port(), free_port()
    (tmp_path / "page.txt").write_bytes(servers.BIG)
    with servers.https() as port:
        (tmp_path / "Caddyfile").write_text(CADDYFILE.format(files, proxy, port, secure))
        with running(lswctl, corpus.CADDY, ["run", "--config", "Caddyfile"], trusting, tmp_path):
            assert servers.BIG == patiently(f"http://127.0.0.1:{files}/page.txt")
            assert servers.BIG == patiently(f"http://127.0.0.1:{proxy}/big")
            assert b"over TLS" == patiently(f"https://localhost:{secure}/")


def test_caddy_does_not_stand_in_for_others(lswctl: list[str], trusting: dict[str, str], tmp_path: Path) -> None:
    files, proxy, secure = free_port(), free_port(), free_port()
    (tmp_path / "page.txt").write_text("here")
    with servers.https_expired() as port:
        (tmp_path / "Caddyfile").write_text(CADDYFILE.format(files, proxy, port, secure))
        with running(lswctl, corpus.CADDY, ["run", "--config", "Caddyfile"], trusting, tmp_path):
            assert b"here" == patiently(f"http://127.0.0.1:{files}/page.txt")
            with pytest.raises(urllib.error.HTTPError, match="502"):
                patiently(f"http://127.0.0.1:{proxy}/")
