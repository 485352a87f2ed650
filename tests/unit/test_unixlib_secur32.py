"""The Unix half of secur32: a guest's end of TLS against one of the host's, record by record."""

from __future__ import annotations

import ssl
import struct
import warnings
from pathlib import Path
from typing import Any

import pytest

from lswd.unixlib import handle_of, schannel_session, secur32
from lswd.unixlib.security_buffers import (
    SECBUFFER_DATA,
    SECBUFFER_STREAM_HEADER,
    SECBUFFER_STREAM_TRAILER,
    SECBUFFER_TOKEN,
    SecBuffer,
    SecBufferDesc,
)
from lswd.unixlib.tls import VERSIONS, TlsClient, TlsError, available
from tests.guest import authority

from .afd_guest import Body, Sockets, run_with_sockets
from .guest_threads import Guest

LIBRARY = handle_of("secur32.dll")
CREATE, HANDSHAKE, RECV, SEND = 3, 15, 16, 17
STATUS_ACCESS_VIOLATION = 0xC0000005
ROOM = 1 << 15
TLS1_0, TLS1_1, TLS1_2, TLS1_3 = VERSIONS


class Server:
    """The other end."""

    def __init__(self, directory: Path, version: ssl.TLSVersion = TLS1_2, ciphers: str = "") -> None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (directory / "server.pem").write_bytes(authority.server().pem + authority.server().key_pem)
        context.load_cert_chain(directory / "server.pem")
        context.set_ciphers(ciphers or "DEFAULT@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what is wanted
            context.minimum_version = context.maximum_version = version
        self._incoming, self._outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.connection = context.wrap_bio(self._incoming, self._outgoing, server_side=True)
        self.connected = False

    def answer(self, data: bytes) -> bytes:
        """To what the client has sent, until both are connected or this end gives up."""
        self._incoming.write(data)
        try:
            if not self.connected:
                self.connection.do_handshake()
                self.connected = True
        except ssl.SSLError:
            pass
        return self._outgoing.read()

    def read(self, records: bytes) -> bytes:
        """All that they carry."""
        self._incoming.write(records)
        data = b""
        while True:
            try:
                data += self.connection.read(1 << 20)
            except ssl.SSLWantReadError:
                return data

    def write(self, data: bytes) -> bytes:
        self.connection.write(data)
        return self._outgoing.read()


def connect(client: TlsClient, server: Server) -> None:
    data = b""
    while not client.handshake(data) or not server.connected:
        data = server.answer(client.output(ROOM))


class Session:
    """A guest's end. Statuses are unsigned."""

    def __init__(self, guest: Guest, sockets: Sockets) -> None:
        self.guest = guest
        self.memory = sockets.memory
        self.cells = guest.room(64)
        self.number = 0

    def call(self, code: int, question: Any) -> Any:
        return (yield "__wine_unix_call", LIBRARY, code, self.guest.stored(question.pack(8)))

    def buffers(self, *parts: tuple[int, int, int]) -> int:
        """A SecBufferDesc of (type, size, address)."""
        listed = b"".join(SecBuffer(cbBuffer=size, BufferType=kind, pvBuffer=at).pack(8) for kind, size, at in parts)
        head = SecBufferDesc(cBuffers=len(parts), pBuffers=self.guest.stored(listed))
        return self.guest.stored(head.pack(8))

    def create(self, protocols: int) -> Any:
        wanted = secur32.SchanCredentials(credential_use=secur32.SECPKG_CRED_OUTBOUND, enabled_protocols=protocols)
        credentials = self.guest.stored(wanted.pack(8))
        assert (yield from self.call(2, secur32.CredentialsQuestion(c=credentials))) == 0
        status = yield from self.call(CREATE, secur32.CreateQuestion(cred=credentials, session=self.cells))
        self.number = self.memory.read_u64(self.cells)
        return status

    def step(self, data: bytes) -> Any:
        """Of the handshake: the status, how much of ``data`` was taken, what is to be sent."""
        out = self.guest.room(ROOM)
        given = self.buffers((SECBUFFER_TOKEN, len(data), self.guest.stored(data))) if data else 0
        status = yield from self.call(HANDSHAKE, secur32.HandshakeQuestion(
            session=self.number, input=given, input_size=len(data), output=self.buffers((SECBUFFER_TOKEN, ROOM, out)),
            input_offset=self.cells, output_buffer_idx=self.cells + 8, output_offset=self.cells + 16))  # fmt: skip
        taken, size = self.memory.read_u32(self.cells), self.memory.read_u32(self.cells + 16)
        return status, taken, self.memory.read(out, size)

    def connect(self, server: Server) -> Any:
        status, _, sent = yield from self.step(b"")
        while status == schannel_session.SEC_I_CONTINUE_NEEDED:
            status, _, sent = yield from self.step(server.answer(sent))
        server.answer(sent)
        assert server.connected and status == 0, hex(status)

    def send(self, data: bytes, trailer: int, where: int = 0) -> Any:
        """The status and the records; ``trailer``: the room for it, which is at ``where``."""
        head, body = self.guest.room(5), self.guest.stored(data)
        end = where or self.guest.room(trailer)
        output = self.buffers((SECBUFFER_STREAM_HEADER, 5, head), (SECBUFFER_DATA, len(data), body),
                              (SECBUFFER_STREAM_TRAILER, trailer, end))  # fmt: skip
        status = yield from self.call(SEND, secur32.SendQuestion(
            session=self.number, output=output, buffer=self.guest.stored(data), length=len(data),
            output_buffer_idx=self.cells + 8, output_offset=self.cells + 16))  # fmt: skip
        if status:
            return status, b""
        assert self.memory.read_u32(self.cells + 8) == 2
        last = self.memory.read(end, self.memory.read_u32(self.cells + 16))
        return status, self.memory.read(head, 5) + self.memory.read(body, len(data)) + last

    def receive(self, records: bytes, room: int) -> Any:
        """The status and the data."""
        out = self.guest.room(max(room, 1))
        self.memory.write(self.cells, struct.pack("<I", room))
        status = yield from self.call(RECV, secur32.RecvQuestion(
            session=self.number, input=self.buffers((SECBUFFER_DATA, len(records), self.guest.stored(records))),
            input_size=len(records), buffer=out, length=self.cells))  # fmt: skip
        return status, self.memory.read(out, self.memory.read_u32(self.cells)) if status == 0 else b""


@pytest.mark.parametrize(("protocols", "version"), [(0x800, TLS1_2), (0x2000, TLS1_3)])
def test_what_is_refused_for_lack_of_room_is_not_encrypted(
    protocols: int, version: ssl.TLSVersion, tmp_path: Path
) -> None:
    server = Server(tmp_path, version)

    def main(guest: Guest, sockets: Sockets) -> Body:
        session = Session(guest, sockets)
        yield from session.create(protocols)
        yield from session.connect(server)
        guest.log.append((yield from session.send(b"hello", 3))[0])
        guest.log.append((yield from session.send(b"hello", 300, where=16))[0])
        for text in (b"hello", b"again"):
            status, records = yield from session.send(text, 300)
            guest.log.append((status, server.read(records)))

    expected = [schannel_session.SEC_E_BUFFER_TOO_SMALL, STATUS_ACCESS_VIOLATION, (0, b"hello"), (0, b"again")]
    assert expected == run_with_sockets(tmp_path, main)


def test_what_is_refused_for_lack_of_room_is_not_decrypted(tmp_path: Path) -> None:
    server = Server(tmp_path)

    def main(guest: Guest, sockets: Sockets) -> Body:
        session = Session(guest, sockets)
        yield from session.create(0x800)
        yield from session.connect(server)
        record = server.write(b"hello")
        guest.log.append((yield from session.receive(record, 4)))
        guest.log.append((yield from session.receive(record, len(record) - 5)))

    assert [(schannel_session.SEC_E_BUFFER_TOO_SMALL, b""), (0, b"hello")] == run_with_sockets(tmp_path, main)


def test_data_right_behind_the_handshake_is_left_to_be_decrypted(tmp_path: Path) -> None:
    """Servers of mail speak first."""
    server = Server(tmp_path)

    def main(guest: Guest, sockets: Sockets) -> Body:
        session = Session(guest, sockets)
        yield from session.create(0x800)
        _, _, sent = yield from session.step(b"")
        _, _, sent = yield from session.step(server.answer(sent))
        last = server.answer(sent)
        greeting = server.write(b"220 hello")
        status, taken, _ = yield from session.step(last + greeting)
        guest.log.append((status, taken == len(last)))
        guest.log.append((yield from session.receive(greeting, len(greeting) - 5)))

    assert [(0, True), (0, b"220 hello")] == run_with_sockets(tmp_path, main)


@pytest.mark.parametrize(
    ("protocols", "version", "status"),
    [
        (0x80, TLS1_0, 0), (0x280, TLS1_1, 0), (0xA80, TLS1_2, 0), (0x2800, TLS1_2, 0),
        (0x80, TLS1_2, schannel_session.SEC_E_UNSUPPORTED_FUNCTION),
        (0x800, TLS1_3, schannel_session.SEC_E_UNSUPPORTED_FUNCTION),
        (0xA80, TLS1_0, schannel_session.SEC_E_ILLEGAL_MESSAGE),  # old ones are not spoken along with a newer one
    ],
)  # fmt: skip
def test_a_version_that_only_one_side_speaks_is_said_to_be_that(
    protocols: int, version: ssl.TLSVersion, status: int, tmp_path: Path
) -> None:
    server = Server(tmp_path, version)

    def main(guest: Guest, sockets: Sockets) -> Body:
        session = Session(guest, sockets)
        yield from session.create(protocols)
        outcome, _, sent = yield from session.step(b"")
        while outcome == schannel_session.SEC_I_CONTINUE_NEEDED:
            outcome, _, sent = yield from session.step(server.answer(sent))
        guest.log.append(outcome)

    assert [status] == run_with_sockets(tmp_path, main)


@pytest.mark.parametrize("old", [True, False])
def test_versions_that_this_host_lacks_are_not_offered(
    old: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    begin = TlsClient.handshake

    def handshake(self: TlsClient, data: bytes) -> bool:
        if not old and max(self._versions) < TLS1_2:
            raise TlsError("no protocols available", "NO_PROTOCOLS_AVAILABLE")
        return begin(self, data)

    def main(guest: Guest, _: Sockets) -> Body:
        guest.log.append((yield "__wine_unix_call", LIBRARY, 9, 0))

    monkeypatch.setattr(TlsClient, "handshake", handshake)
    available.cache_clear()
    try:
        assert [0x2A80 if old else 0x2800] == run_with_sockets(tmp_path, main)
    finally:
        available.cache_clear()


@pytest.mark.parametrize(
    ("version", "ciphers"),
    [
        (TLS1_0, ""), (TLS1_1, ""), (TLS1_2, ""), (TLS1_2, "ECDHE-RSA-CHACHA20-POLY1305"),
        (TLS1_2, "ECDHE-RSA-AES128-SHA256"), (TLS1_2, "ECDHE-RSA-AES256-SHA384"), (TLS1_3, ""),
    ],
)  # fmt: skip
def test_no_record_is_longer_than_was_foreseen(version: ssl.TLSVersion, ciphers: str, tmp_path: Path) -> None:
    server, client = Server(tmp_path, version, ciphers), TlsClient([version])
    connect(client, server)
    for size in (*range(1, 70), 1 << 14, (1 << 14) + 1, 100_000):
        most = client.most_encrypted(size)
        records = client.encrypt(bytes(size))
        assert len(records) <= most <= size + 5 + 256 * -(-size // (1 << 14))  # the trailer that the DLL names
        assert bytes(size) == server.read(records)


def test_a_change_of_keys_is_foreseen(tmp_path: Path) -> None:
    client = TlsClient([TLS1_3])
    connect(client, Server(tmp_path, TLS1_3))
    assert len(client.encrypt(b"hello")) + 27 == client.most_encrypted(5)
