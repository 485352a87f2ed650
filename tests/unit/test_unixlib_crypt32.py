"""The Unix half of crypt32: PKCS #12 files, whose makers say how much work opening them is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lswd.ntdef.status import STATUS_INVALID_PARAMETER
from lswd.unixlib import crypt32, handle_of
from tests.guest import authority

from .afd_guest import Body, Sockets, run_with_sockets
from .guest_threads import Guest

pytestmark = pytest.mark.timeout(60)
LIBRARY = handle_of("crypt32.dll")
OPEN, KEY, CERTIFICATE, CLOSE = range(2, 6)


def laborious() -> bytes:
    """A file whose password takes 2^31 rounds of hashing to check, minutes of work."""
    data = bytearray(authority.client_pfx())
    assert data.endswith(b"\x02\x02\x08\x00")
    data[-4:] = b"\x02\x04\x7f\xff\xff\xff"
    data[data.rindex(b"\x30\x31\x30\x21") + 1] += 2
    data[2:4] = (int.from_bytes(data[2:4], "big") + 2).to_bytes(2, "big")
    return bytes(data)


def open_file(guest: Guest, data: bytes, password: bytes = authority.PASSWORD) -> Body:
    """The status and the number."""
    cell = guest.room(8)
    blob = guest.stored(crypt32.DataBlob(cbData=len(data), pbData=guest.stored(data)).pack(8))
    words = guest.stored((password.decode() + "\0").encode("utf-16-le"))
    question = crypt32.OpenQuestion(pfx=blob, password=words, data_ret=cell)
    status = yield "__wine_unix_call", LIBRARY, OPEN, guest.stored(question.pack(8))
    return status, guest.value(cell, 8)


def test_a_file_is_opened_with_its_password(tmp_path: Path) -> None:
    def main(guest: Guest, sockets: Sockets) -> Body:
        status, number = yield from open_file(guest, authority.client_pfx())
        out, size = guest.room(4096), guest.stored((4096).to_bytes(4, "little"))
        question = crypt32.CertQuestion(data=number, index=0, buf=out, buf_size=size)
        there = yield "__wine_unix_call", LIBRARY, CERTIFICATE, guest.stored(question.pack(8))
        guest.log.append((status, there, sockets.memory.read(out, len(authority.client().der))))
        guest.log.append((yield "__wine_unix_call", LIBRARY, CLOSE, guest.stored(number.to_bytes(8, "little"))))

    assert [(0, 0, authority.client().der), 0] == run_with_sockets(tmp_path, main)


@pytest.mark.parametrize(
    ("kept", "password"),
    [(None, b"another"), (-9, authority.PASSWORD), (1, authority.PASSWORD)],
    ids=["another password", "cut off", "none"],
)
def test_what_cannot_be_opened_is_refused(kept: int | None, password: bytes, tmp_path: Path) -> None:
    def main(guest: Guest, _: Sockets) -> Body:
        guest.log.append((yield from open_file(guest, authority.client_pfx()[:kept], password))[0])

    assert [STATUS_INVALID_PARAMETER] == run_with_sockets(tmp_path, main)


def test_a_file_that_takes_too_much_work_is_refused_and_others_go_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def other(guest: Guest, _: int) -> Body:
        yield "NtYieldExecution",
        guest.log.append("another thread")

    def main(guest: Guest, _: Sockets) -> Body:
        yield from guest.thread(other)
        guest.log.append((yield from open_file(guest, laborious()))[0])

    monkeypatch.setattr(crypt32, "_MOST_SECONDS", 1)
    assert ["another thread", STATUS_INVALID_PARAMETER] == run_with_sockets(tmp_path, main)


def test_a_program_that_ends_meanwhile_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fork, copies = os.fork, list[int]()

    def recorded() -> int:
        copies.append(fork())
        return copies[-1]

    def opener(guest: Guest, _: int) -> Body:
        guest.log.append("begun")
        guest.log.append((yield from open_file(guest, laborious()))[0])

    def main(guest: Guest, _: Sockets) -> Body:
        yield from guest.thread(opener)
        while not copies:
            yield "NtYieldExecution",
        yield "NtTerminateProcess", 0xFFFFFFFFFFFFFFFF, 0

    monkeypatch.setattr(os, "fork", recorded)
    assert ["begun"] == run_with_sockets(tmp_path, main)
    with pytest.raises(ProcessLookupError):
        os.kill(copies[0], 0)
