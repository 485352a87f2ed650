"""The Unix half of bcrypt: known answers, streams in parts, senseless arguments."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from lswd.ntdef.status import (
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_NOT_IMPLEMENTED,
    STATUS_NOT_SUPPORTED,
)
from lswd.unixlib import LIBRARIES, handle_of
from lswd.unixlib.bcrypt import key as bcrypt
from lswd.unixlib.bcrypt import symmetric
from lswd.unixlib.bcrypt.asymmetric import BCRYPT_PAD_PKCS1, CryptQuestion, PaddingInfo, SignQuestion
from lswd.unixlib.bcrypt.symmetric import CipherQuestion

from .afd_guest import Body, Sockets, run_with_sockets
from .guest_threads import Guest

LIBRARY = handle_of("bcrypt.dll")
RESET, AUTH_DATA, ENCRYPT, DECRYPT, TAG, DESTROY, GENERATE, _, RSA_ENCRYPT, _, SIGN = range(2, 13)
SECRET = bytes(range(16))


def new_key(
    guest: Guest, mode: int, vector: bytes = b"", *, algorithm: int = bcrypt.ALG_AES, secret: bytes = SECRET
) -> int:
    """The address of a key."""
    key = bcrypt.SymmetricKey(
        alg_id=algorithm, mode=mode, block_size=16, vector=guest.stored(vector) if vector else 0,
        vector_len=len(vector), secret=guest.stored(secret) if secret else 0, secret_len=len(secret),
    )  # fmt: skip
    return guest.stored(key.pack(8))


def crypt(guest: Guest, code: int, key: int, data: bytes, room: int | None = None) -> Any:
    """Returns the status and the output."""
    out = guest.room(max(1, len(data)))
    q = CipherQuestion(
        key=key, input=guest.stored(data) if data else 0, input_len=len(data), output=out,
        output_len=len(data) if room is None else room,
    )  # fmt: skip
    status = yield "__wine_unix_call", LIBRARY, code, guest.stored(q.pack(8))
    return status, guest.machine.process.space.read(out, len(data)) if status == 0 else b""


def test_a_block_is_encrypted_as_the_standard_says(tmp_path: Path) -> None:
    def main(guest: Guest, _: Sockets) -> Body:
        key = new_key(guest, bcrypt.MODE_ECB)
        block = bytes.fromhex("00112233445566778899aabbccddeeff")  # FIPS 197, appendix C.1
        guest.log.append((yield from crypt(guest, ENCRYPT, key, block)))
        guest.log.append((yield from crypt(guest, DECRYPT, key, guest.log[0][1])))

    sealed, opened = run_with_sockets(tmp_path, main)
    assert (0, bytes.fromhex("69c4e0d86a7b0430d8cdb78070b4c55a")) == sealed
    assert (0, bytes.fromhex("00112233445566778899aabbccddeeff")) == opened


def test_parts_make_one_stream_until_the_vector_is_set_again(tmp_path: Path) -> None:
    def main(guest: Guest, _: Sockets) -> Body:
        key = new_key(guest, bcrypt.MODE_CBC, bytes(16))
        whole = yield from crypt(guest, ENCRYPT, key, bytes(48))
        yield "__wine_unix_call", LIBRARY, RESET, key
        parts = []
        for _part in range(3):
            parts.append((yield from crypt(guest, ENCRYPT, key, bytes(16)))[1])
        guest.log.append(whole[1] == b"".join(parts))
        guest.log.append(len(set(parts)))
        guest.log.append((yield "__wine_unix_call", LIBRARY, DESTROY, key))

    assert [True, 3, 0] == run_with_sockets(tmp_path, main)


@pytest.mark.parametrize(
    ("mode", "vector", "algorithm", "secret", "data", "status"),
    [
        (bcrypt.MODE_CBC, bytes(16), bcrypt.ALG_AES, SECRET, bytes(17), STATUS_INVALID_PARAMETER),
        (bcrypt.MODE_CBC, bytes(4), bcrypt.ALG_AES, SECRET, bytes(16), STATUS_INVALID_PARAMETER),
        (bcrypt.MODE_CBC, b"", bcrypt.ALG_AES, SECRET, bytes(16), STATUS_INVALID_PARAMETER),
        (bcrypt.MODE_GCM, b"", bcrypt.ALG_AES, SECRET, bytes(16), STATUS_INVALID_PARAMETER),
        (bcrypt.MODE_ECB, b"", bcrypt.ALG_AES, SECRET[:5], bytes(16), STATUS_NOT_SUPPORTED),
        (bcrypt.MODE_ECB, b"", bcrypt.ALG_AES, b"", bytes(16), STATUS_NOT_SUPPORTED),
        (bcrypt.MODE_ECB, b"", 9, SECRET, bytes(16), STATUS_NOT_SUPPORTED),
        (3, bytes(12), bcrypt.ALG_AES, SECRET, bytes(16), STATUS_NOT_SUPPORTED),
        (77, b"", bcrypt.ALG_AES, SECRET, bytes(16), STATUS_NOT_SUPPORTED),
        (bcrypt.MODE_CFB, bytes(16), bcrypt.ALG_3DES, SECRET + SECRET[:8], bytes(16), STATUS_NOT_SUPPORTED),
    ],
)
def test_a_key_that_makes_no_sense_is_refused(
    mode: int, vector: bytes, algorithm: int, secret: bytes, data: bytes, status: int, tmp_path: Path
) -> None:
    def main(guest: Guest, _: Sockets) -> Body:
        key = new_key(guest, mode, vector, algorithm=algorithm, secret=secret)
        guest.log.append((yield from crypt(guest, ENCRYPT, key, data))[0])
        guest.log.append((yield from crypt(guest, DECRYPT, key, data))[0])

    assert [status, status] == run_with_sockets(tmp_path, main)


def test_output_must_have_room(tmp_path: Path) -> None:
    def main(guest: Guest, _: Sockets) -> Body:
        key = new_key(guest, bcrypt.MODE_ECB)
        guest.log.append((yield from crypt(guest, ENCRYPT, key, bytes(32), 16))[0])

    assert [STATUS_INVALID_PARAMETER] == run_with_sockets(tmp_path, main)


def test_a_key_s_algorithm_may_not_change(tmp_path: Path) -> None:
    def main(guest: Guest, _: Sockets) -> Body:
        memory, out = guest.machine.process.space, guest.room(512)
        key = guest.stored(bcrypt.AsymmetricKey(alg_id=bcrypt.ALG_ECDSA_P256, bitlen=256).pack(8))
        guest.log.append((yield "__wine_unix_call", LIBRARY, GENERATE, key))
        memory.write_u32(key + bcrypt.AsymmetricKey.offset(8, "alg_id"), bcrypt.ALG_RSA)
        padding = guest.stored(PaddingInfo(pszAlgId=guest.stored("SHA1\0".encode("utf-16-le"))).pack(8))
        sign = SignQuestion(
            key=key, padding=padding, input=out, input_len=20, output=out, output_len=256, ret_len=guest.room(8),
            flags=BCRYPT_PAD_PKCS1,
        )  # fmt: skip
        guest.log.append((yield "__wine_unix_call", LIBRARY, SIGN, guest.stored(sign.pack(8))))
        crypt = CryptQuestion(key=key, input=out, input_len=20, output=out, output_len=256, ret_len=guest.room(8))
        guest.log.append((yield "__wine_unix_call", LIBRARY, RSA_ENCRYPT, guest.stored(crypt.pack(8))))

    assert [0, STATUS_INVALID_HANDLE, STATUS_INVALID_HANDLE] == run_with_sockets(tmp_path, main)


@pytest.mark.parametrize("library", LIBRARIES)
def test_no_unix_function_minds_senseless_arguments(library: str, tmp_path: Path) -> None:
    def main(guest: Guest, _: Sockets) -> Body:
        ones, low = guest.stored(b"\xff" * 128), guest.stored(b"\x10\0\0\0\0\0\0\0" * 16)
        itself = guest.room(128)
        guest.machine.process.space.write(itself, itself.to_bytes(8, "little") * 16)
        for code in range(24):
            for argument in (0, 16, ones, low, guest.room(128), itself, 1 << 47):
                guest.log.append((yield "__wine_unix_call", handle_of(library), code, argument))

    statuses = run_with_sockets(tmp_path, main, network="off")
    assert 24 * 7 == len(statuses)
    assert STATUS_NOT_IMPLEMENTED == statuses[-1]


@pytest.mark.parametrize("mode", [bcrypt.MODE_CBC, bcrypt.MODE_CFB])
def test_other_threads_go_on_while_much_is_encrypted(
    mode: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symmetric, "_QUICK", 64)
    monkeypatch.setattr(symmetric, "_PIECE", 64)

    def other(guest: Guest, _: int) -> Body:
        yield "NtYieldExecution",
        guest.log.append("another thread")

    def main(guest: Guest, _: Sockets) -> Body:
        data, once = bytes(range(250)) + bytes(6), []
        for size in (256, 64):
            key = new_key(guest, mode, bytes(16))
            if size == 256:
                yield from guest.thread(other)
                guest.log.append((yield from crypt(guest, ENCRYPT, key, data)))
            else:
                for at in range(0, 256, size):
                    once.append((yield from crypt(guest, ENCRYPT, key, data[at : at + size]))[1])
        guest.log.append(b"".join(once))

    between, (status, sealed), again = run_with_sockets(tmp_path, main)
    assert ("another thread", 0, again) == (between, status, sealed)


def test_a_part_of_a_block_at_the_end_of_much_is_refused_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(symmetric, "_QUICK", 64)
    monkeypatch.setattr(symmetric, "_PIECE", 64)

    def main(guest: Guest, _: Sockets) -> Body:
        key = new_key(guest, bcrypt.MODE_CBC, bytes(16))
        guest.log.append((yield from crypt(guest, ENCRYPT, key, bytes(100)))[0])
        guest.log.append((yield from crypt(guest, ENCRYPT, key, bytes(16)))[1])
        fresh = new_key(guest, bcrypt.MODE_CBC, bytes(16))
        guest.log.append((yield from crypt(guest, ENCRYPT, fresh, bytes(16)))[1])

    refused, after, fresh = run_with_sockets(tmp_path, main)
    assert (STATUS_INVALID_PARAMETER, fresh) == (refused, after)
