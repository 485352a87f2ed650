"""Servers of this host, on a loopback port of their own, for guests that are clients."""

from __future__ import annotations

import contextlib
import json
import ssl
import tempfile
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from . import authority

BIG = bytes(range(256)) * 4096
"""What /big has: one MiB."""

_PYTHON = {
    "name": "cpython", "arch": {"family": "x86_64", "variant": None}, "os": "windows", "libc": "none", "major": 3,
    "minor": 12, "patch": 1, "prerelease": "", "url": "https://localhost/python.tar.gz", "sha256": None,
    "variant": None, "build": "20240101",
}  # fmt: skip
PAGES = {
    "/": b"hello from the host\n",
    "/big": BIG,
    "/versions.json": json.dumps({"cpython-3.12.1-windows-x86_64-none": _PYTHON}).encode(),  # as uv has them
}


class _Handler(BaseHTTPRequestHandler):
    """GET the PAGES, /chunked and /moved, POST /echo; everything with a Content-Length, so connections are kept."""

    protocol_version = "HTTP/1.1"
    server_version, sys_version = "Test", ""

    def do_GET(self) -> None:
        if self.path == "/moved":
            self._answer(302, b"over there", ("Location", "/"))
        elif self.path == "/chunked":
            self.send_response(200)
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for piece in (b"one ", b"two ", b"three\n"):
                self.wfile.write(b"%x\r\n%s\r\n" % (len(piece), piece))
            self.wfile.write(b"0\r\n\r\n")
        elif self.path in PAGES:
            self._answer(200, PAGES[self.path])
        else:
            self._answer(404, b"nothing here\n")

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        self._answer(200, body[::-1])

    def _answer(self, code: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(code)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(body)))
        for name, value in headers:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: object) -> None:
        """Say nothing."""


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    context: ssl.SSLContext | None = None

    def finish_request(self, request: object, client_address: object) -> None:
        """In the connection's own thread: shake hands, and answer. Clients that think better of it are no error."""
        with contextlib.suppress(OSError):
            if self.context is None:
                super().finish_request(request, client_address)  # type: ignore[arg-type]
                return
            with self.context.wrap_socket(request, server_side=True) as secured:  # type: ignore[arg-type]
                super().finish_request(secured, client_address)


def _context(identity: authority.Identity, *others: authority.Identity) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "server.pem")
        path.write_bytes(identity.key_pem + identity.pem + b"".join(each.pem for each in others))
        context.load_cert_chain(path)
    context.set_alpn_protocols(["http/1.1"])
    return context


@contextlib.contextmanager
def _running(context: ssl.SSLContext | None) -> Iterator[int]:
    with _Server(("127.0.0.1", 0), _Handler) as server:
        server.context = context
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        thread.start()
        try:
            yield int(server.server_address[1])
        finally:
            server.shutdown()
            thread.join()


@contextlib.contextmanager
def http() -> Iterator[int]:
    with _running(None) as port:
        yield port


@contextlib.contextmanager
def https() -> Iterator[int]:
    """With the test authority's certificate for localhost and 127.0.0.1."""
    with _running(_context(authority.server(), authority.middle())) as port:
        yield port


@contextlib.contextmanager
def https_expired() -> Iterator[int]:
    with _running(_context(authority.expired(), authority.middle())) as port:
        yield port


@contextlib.contextmanager
def https_by_ecdsa() -> Iterator[int]:
    with _running(_context(authority.elliptic_server())) as port:
        yield port


@contextlib.contextmanager
def https_of_another_authority() -> Iterator[int]:
    with _running(_context(authority.elliptic_server(), authority.elliptic_root())) as port:
        yield port


@contextlib.contextmanager
def https_for_known_clients() -> Iterator[int]:
    """Takes nobody who cannot show a certificate of the test authority's."""
    context = _context(authority.server(), authority.middle())
    context.verify_mode = ssl.CERT_REQUIRED
    context.load_verify_locations(cadata=(authority.root().pem + authority.middle().pem).decode())
    with _running(context) as port:
        yield port
