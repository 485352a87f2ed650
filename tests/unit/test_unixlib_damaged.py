"""Damaged keys, records, names and files: every Unix function that takes bytes apart answers, whatever they are."""

from __future__ import annotations

import random
import struct
from pathlib import Path

import pytest

from lswd.ntdef.types import Struct
from lswd.unixlib import crypt32, handle_of, schannel_attributes, schannel_session, secur32
from lswd.unixlib.bcrypt import asymmetric, blobs, symmetric
from lswd.unixlib.bcrypt.key import ALG_ECDSA_P256, AsymmetricKey, SymmetricKey
from lswd.unixlib.security_buffers import SECBUFFER_DATA, SECBUFFER_TOKEN, SecBuffer, SecBufferDesc
from tests.guest import authority

from .afd_guest import Body, Sockets, run_with_sockets
from .guest_threads import Guest

BCRYPT, CRYPT32, SECUR32 = (handle_of(dll) for dll in ("bcrypt.dll", "crypt32.dll", "secur32.dll"))
ROUNDS = 25


class Damage:
    """Places in a guest's memory, and what chance puts there."""

    def __init__(self, guest: Guest, sockets: Sockets, seed: int) -> None:
        self.guest = guest
        self.memory = sockets.memory
        self.chance = random.Random(seed)
        self.bytes, self.out, self.cell = guest.room(1 << 13), guest.room(1 << 13), guest.room(64)
        self.one, self.other, self.question = guest.room(256), guest.room(256), guest.room(256)
        name = guest.stored("SHA256\0".encode("utf-16-le"))
        self.padding = guest.stored(struct.pack("<QI", name, 32))

    def put(self, data: bytes) -> int:
        """Somewhat changed, at ``bytes``; its length."""
        damaged = bytearray(data)
        for _ in range(self.chance.choice((0, 1, 1, 2, 5))):
            damaged[self.chance.randrange(len(damaged))] = self.chance.randrange(256)
        if self.chance.random() < 0.2:
            del damaged[self.chance.randrange(len(damaged)) :]
        self.memory.write(self.bytes, bytes(damaged))
        return len(damaged)

    def any(self, *choices: int) -> int:
        return self.chance.choice(choices)

    def call(self, library: int, code: int, argument: Struct | int) -> Body:
        if isinstance(argument, Struct):
            self.memory.write(self.question, argument.pack(8))
            argument = self.question
        status = yield "__wine_unix_call", library, code, argument
        self.guest.log.append(status)
        return status


def key_pairs(damage: Damage, keys: list[bytes]) -> Body:
    any_, call = damage.any, damage.call
    key = AsymmetricKey(alg_id=any_(9, 10, 11, 12, 13, 14, 15), bitlen=any_(0, 7, 256, 1024, 2048, 1 << 31),
                        flags=any_(0, 1, 3))
    damage.memory.write(damage.one, key.pack(8))
    size = damage.put(damage.chance.choice(keys))
    yield from call(BCRYPT, 16, asymmetric.ImportQuestion(
        key=damage.one, flags=any_(0, 1), buf=damage.bytes, len=any_(size, size, 0, 1 << 20)))
    yield from call(BCRYPT, 15, asymmetric.ExportQuestion(
        key=damage.one, flags=any_(0, 1, 2, 3), buf=any_(0, damage.out, 1), len=any_(0, 4096), ret_len=damage.cell))
    yield from call(BCRYPT, 12, asymmetric.SignQuestion(
        key=damage.one, padding=any_(0, damage.padding, 7), input=damage.bytes, input_len=any_(0, 20, 32, 48, 64, 77),
        output=any_(0, damage.out), output_len=any_(0, 64, 4096), ret_len=damage.cell, flags=any_(0, 2, 4, 8)))
    yield from call(BCRYPT, 13, asymmetric.VerifyQuestion(
        key=damage.one, padding=any_(0, damage.padding, 7), hash=damage.bytes, hash_len=any_(5, 20, 32, 48),
        signature=damage.bytes, signature_len=any_(0, 1, 40, 64, 96, 256), flags=any_(0, 2, 8)))
    yield from call(BCRYPT, any_(9, 10), asymmetric.CryptQuestion(
        key=damage.one, input=damage.bytes, input_len=any_(0, 10, 128, 256, 400), output=damage.out,
        output_len=any_(0, 4096), ret_len=damage.cell))
    yield from call(BCRYPT, 11, asymmetric.DuplicateQuestion(key_orig=damage.one, key_copy=damage.other))
    yield from call(BCRYPT, 14, damage.other)
    yield from call(BCRYPT, 14, damage.one)


def symmetric_keys(damage: Damage) -> Body:
    any_, call = damage.any, damage.call
    key = SymmetricKey(alg_id=any_(0, 1), mode=any_(0, 1, 2, 3, 4, 5), block_size=any_(8, 16),
                       vector=any_(0, damage.bytes), vector_len=any_(0, 8, 12, 16, 100), secret=damage.bytes,
                       secret_len=any_(0, 16, 24, 32, 64))
    damage.memory.write(damage.one, key.pack(8))
    yield from call(BCRYPT, 3, symmetric.AuthDataQuestion(key=damage.one, auth_data=damage.bytes, len=any_(0, 9)))
    for code in (4, 5, 4):
        yield from call(BCRYPT, code, symmetric.CipherQuestion(
            key=damage.one, input=damage.bytes, input_len=any_(0, 16, 17, 32), output=damage.out, output_len=4096))
    yield from call(BCRYPT, 6, symmetric.TagQuestion(key=damage.one, tag=damage.out, len=any_(0, 4, 16, 40)))
    yield from call(BCRYPT, 7, damage.one)


def connections(damage: Damage) -> Body:
    any_, call, memory = damage.any, damage.call, damage.memory
    records = (b"\x16\x03\x03\0\x05\x02\0\0\x01\0", b"\x15\x03\x03\0\x02\x02\x28", b"\x17\x03\x03\0\x03abc", bytes(40))
    credentials = secur32.SchanCredentials(credential_use=2, enabled_protocols=any_(0x800, 0x880, 0x2800, 0x80, 0))
    memory.write(damage.one, credentials.pack(8))
    yield from call(SECUR32, 2, secur32.CredentialsQuestion(c=damage.one))
    if (yield from call(SECUR32, 3, secur32.CreateQuestion(cred=damage.one, session=damage.other))):
        return
    session = memory.read_u64(damage.other)
    damage.put(damage.chance.choice((b"localhost\0", b"127.0.0.1\0", b"\xff\xfe\0", b"a..b\0", b"a" * 250 + b"\0")))
    yield from call(SECUR32, 20, schannel_session.InfoQuestion(session=session, info=damage.bytes))
    size = damage.put(struct.pack("<IIH", 15, 2, 9) + b"\x08http/1.1")
    yield from call(SECUR32, 18, secur32.ProtocolsQuestion(session=session, buffer=damage.bytes, buflen=size))
    for record in damage.chance.choices(records, k=3):
        size = damage.put(record)
        for place, kind, room, where in ((damage.one, any_(SECBUFFER_TOKEN, SECBUFFER_DATA), size, damage.bytes),
                                         (damage.one + 64, SECBUFFER_TOKEN, any_(0, 10, 4096), damage.out)):
            buffer = SecBuffer(cbBuffer=room, BufferType=kind, pvBuffer=where)
            memory.write(place, SecBufferDesc(cBuffers=1, pBuffers=place + 16).pack(8) + buffer.pack(8))
        memory.write(damage.cell, struct.pack("<I", 4096))
        yield from call(SECUR32, 15, secur32.HandshakeQuestion(
            session=session, input=any_(0, damage.one), input_size=size, output=damage.one + 64,
            input_offset=damage.cell, output_buffer_idx=damage.cell + 8, output_offset=damage.cell + 16,
            control_token=any_(0, 0, 1)))
        yield from call(SECUR32, 16, secur32.RecvQuestion(
            session=session, input=damage.one, input_size=size, buffer=damage.out, length=damage.cell))
        yield from call(SECUR32, 17, secur32.SendQuestion(
            session=session, output=damage.one, buffer=damage.bytes, length=5, output_buffer_idx=damage.cell + 8,
            output_offset=damage.cell + 16))
        for code in (6, 7, 8, 10, 12, 13, 14):
            yield from call(SECUR32, code, schannel_attributes.PeerQuestion(
                session=session, buffer=damage.out, bufsize=damage.cell, retcount=damage.cell + 8))
    yield from call(SECUR32, 4, schannel_session.SessionQuestion(session=session))


def files(damage: Damage) -> Body:
    blob = crypt32.DataBlob(cbData=damage.put(authority.client_pfx()), pbData=damage.bytes)
    damage.memory.write(damage.cell, blob.pack(8))
    yield from damage.call(CRYPT32, 2, crypt32.OpenQuestion(
        pfx=damage.cell, password=damage.any(0, damage.padding), data_ret=damage.other))


@pytest.mark.parametrize("seed", range(4))
def test_bytes_that_are_damaged_end_no_process(seed: int, tmp_path: Path) -> None:
    server, elliptic = authority.server().key, authority.elliptic_server().key
    keys = [blobs.pack_rsa(server, 2048, private=private, full=False) for private in (True, False)]
    keys += [blobs.pack_ecc(elliptic, ALG_ECDSA_P256, private=private) for private in (True, False)]

    def main(guest: Guest, sockets: Sockets) -> Body:
        damage = Damage(guest, sockets, seed)
        for _ in range(ROUNDS):
            yield from key_pairs(damage, keys)
            yield from symmetric_keys(damage)
            yield from connections(damage)
            yield from files(damage)

    statuses = run_with_sockets(tmp_path, main)
    assert len(statuses) > 20 * ROUNDS
    assert {0, schannel_session.SEC_E_INTERNAL_ERROR} < set(statuses)
