"""Large RSA keys that a guest brings are checked while its other threads go on."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from lswd.ntdef.status import STATUS_INVALID_PARAMETER
from lswd.unixlib import handle_of, rsa_blob, secur32
from lswd.unixlib.bcrypt import asymmetric, blobs
from lswd.unixlib.bcrypt.key import ALG_RSA, AsymmetricKey
from tests.guest import authority

from .afd_guest import Body, Sockets, run_with_sockets
from .guest_threads import Guest

BCRYPT, SECUR32 = handle_of("bcrypt.dll"), handle_of("secur32.dll")
IMPORT = 16
QUICK = 512


def server_key() -> rsa.RSAPrivateKey:
    key = authority.server().key
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


@pytest.fixture(autouse=True)
def all_are_large(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(blobs, "QUICK_BITS", QUICK)
    monkeypatch.setattr(rsa_blob, "QUICK_BITS", QUICK)


def bring(guest: Guest, blob: bytes) -> Body:
    """BCryptImportKeyPair's part of it: the status."""
    key = guest.stored(AsymmetricKey(alg_id=ALG_RSA, bitlen=2048).pack(8))
    question = asymmetric.ImportQuestion(key=key, flags=0, buf=guest.stored(blob), len=len(blob))
    return (yield "__wine_unix_call", BCRYPT, IMPORT, guest.stored(question.pack(8)))


def show(guest: Guest, blob: bytes) -> Body:
    """AcquireCredentialsHandle's part of it: the status."""
    certificate = authority.server().der
    question = secur32.CredentialsQuestion(
        c=guest.room(64), cert_size=len(certificate), cert_blob=guest.stored(certificate), key_size=len(blob),
        key_blob=guest.stored(blob),
    )  # fmt: skip
    return (yield "__wine_unix_call", SECUR32, 2, guest.stored(question.pack(8)))


@pytest.mark.parametrize("sound", [True, False])
def test_a_large_key_is_taken_if_it_is_one(sound: bool, tmp_path: Path) -> None:
    blob = bytearray(blobs.pack_rsa(server_key(), 2048, private=True, full=False))
    legacy = bytearray(rsa_blob.pack(server_key()))
    if not sound:
        blob[-1] ^= 2
        legacy[-300] ^= 2

    def main(guest: Guest, _: Sockets) -> Body:
        guest.log.append((yield from bring(guest, bytes(blob))))
        guest.log.append((yield from show(guest, bytes(legacy))))

    assert 2 * [0 if sound else STATUS_INVALID_PARAMETER] == run_with_sockets(tmp_path, main)


@pytest.mark.parametrize(
    ("module", "name", "use"), [(blobs, "unpack_rsa", bring), (rsa_blob, "unpack", show)], ids=["bcrypt", "secur32"]
)
def test_other_threads_go_on_meanwhile(
    module: Any, name: str, use: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    unpack = getattr(module, name)

    def slowly(data: bytes, *, sound: bool = False, **more: bool) -> Any:
        if not sound:
            time.sleep(1)
        return unpack(data, sound=sound, **more)

    def other(guest: Guest, _: int) -> Body:
        yield "NtYieldExecution",
        guest.log.append("another thread")

    def main(guest: Guest, _: Sockets) -> Body:
        yield from guest.thread(other)
        blob = rsa_blob.pack(server_key()) if use is show else blobs.pack_rsa(
            server_key(), 2048, private=True, full=False
        )
        guest.log.append((yield from use(guest, blob)))

    monkeypatch.setattr(module, name, slowly)
    assert ["another thread", 0] == run_with_sockets(tmp_path, main)
