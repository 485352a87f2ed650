"""Which servers guests trust: those that this host's store of authorities vouches for. (Wine knows no other store than
/etc/ssl, so there is nothing to compare with.)"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path

import pytest

from . import authority, servers
from .build import build
from .cases import CASES

(WINHTTP,) = {case.program for case in CASES if case.name == "winhttp"}
TIMEOUT_SECONDS = 120


def said(lswctl: list[str], server: Callable[[], AbstractContextManager[int]], store: Path) -> list[str]:
    """What the fixture says of its first request, when ``store`` holds whom this host trusts."""
    with server() as port:
        done = subprocess.run([*lswctl, "launch", str(build(WINHTTP)), "strict", "https", str(port)],
                              env=os.environ | {"SSL_CERT_FILE": str(store)}, capture_output=True, text=True,
                              check=True, timeout=TIMEOUT_SECONDS)
    return done.stdout.partition("GET /big")[0].splitlines()


def test_a_server_is_trusted_when_this_host_trusts_its_authority(lswctl: list[str], tmp_path: Path) -> None:
    store = tmp_path / "authorities.pem"
    store.write_bytes(authority.elliptic_root().pem + authority.root().pem)
    lines = [line.strip() for line in said(lswctl, servers.https, store)]
    assert ["status 200", "issued by Test Middle"] == [line for line in lines if line.startswith(("status", "issued"))]


@pytest.mark.parametrize(("server", "trusted"), [
    (servers.https, authority.elliptic_root),
    (servers.https_expired, authority.root),
], ids=["another authority", "expired"])
def test_a_server_is_not_trusted_otherwise(
    server: Callable[[], AbstractContextManager[int]], trusted: Callable[[], authority.Identity], lswctl: list[str],
    tmp_path: Path,
) -> None:
    store = tmp_path / "authorities.pem"
    store.write_bytes(trusted().pem)
    assert "  WinHttpSendRequest: error 12157" in said(lswctl, server, store)
