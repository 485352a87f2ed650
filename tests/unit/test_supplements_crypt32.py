"""The verdict on a chain for TLS: whose name it is, what is waived, memory that makes no sense."""

from __future__ import annotations

import datetime
import struct
from types import SimpleNamespace
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from lswd.ntdef.status import STATUS_ACCESS_VIOLATION, NtError
from lswd.userland.supplements import crypt32
from tests.guest import authority


class Memory:
    """Some bytes at 0x1000; everything else is a fault."""

    def __init__(self) -> None:
        self.content = bytearray(1 << 16)
        self._used = 16

    def read(self, address: int, size: int) -> bytes:
        at = address - 0x1000
        if not 0 <= at <= at + size <= len(self.content):
            raise NtError(STATUS_ACCESS_VIOLATION)
        return bytes(self.content[at : at + size])

    def write(self, address: int, data: bytes) -> None:
        self.read(address, len(data))
        self.content[address - 0x1000 : address - 0x1000 + len(data)] = data

    def stored(self, data: bytes) -> int:
        address = 0x1000 + self._used
        self.write(address, data)
        self._used += len(data) + 15 & -16
        return address


def judged(errors: int, *, name: str = "", checks: int = 0, flags: int = 0, certificate: bytes = b"") -> int:
    """dwError for a chain of one element."""
    memory = Memory()
    encoded = memory.stored(certificate)
    leaf = crypt32.CertContext(pbCertEncoded=encoded, cbCertEncoded=len(certificate))
    element = crypt32.ChainElement(pCertContext=memory.stored(leaf.pack(8)), dwErrorStatus=errors)
    elements = memory.stored(struct.pack("<Q", memory.stored(element.pack(8))))
    simple = memory.stored(crypt32.ChainContext(dwErrorStatus=errors, count=1, items=elements).pack(8))
    chains = memory.stored(struct.pack("<Q", simple))
    chain = memory.stored(crypt32.ChainContext(dwErrorStatus=errors, count=1, items=chains).pack(8))
    server = memory.stored((name + "\0").encode("utf-16-le")) if name else 0
    extra = memory.stored(crypt32.HTTPSPolicyCallbackData(fdwChecks=checks, pwszServerName=server).pack(8))
    parameters = memory.stored(crypt32.PolicyParameters(dwFlags=flags, pvExtraPolicyPara=extra).pack(8))
    status = memory.stored(bytes(16))
    call: Any = SimpleNamespace(space=memory, word=8)
    assert crypt32.CertVerifyCertificateChainPolicy(call, 4, chain, parameters, status) == 1
    return int.from_bytes(memory.read(status + 4, 4), "little")


@pytest.mark.parametrize(("errors", "checks", "flags", "verdict"), [
    (0, 0, 0, 0),
    (0x10000, 0, 0, crypt32.CERT_E_CHAINING),
    (0x10000, 0x100, 0, 0),
    (0x10000, 0, 0x10, 0),
    (0x20, 0, 0, crypt32.CERT_E_UNTRUSTEDROOT),
    (0x20, 0x100, 0, 0),
    (0x8, 0x100, 0, crypt32.TRUST_E_CERT_SIGNATURE),
    (0x21, 0x100, 0, crypt32.CERT_E_EXPIRED),
    (0x21, 0x2100, 0, 0),
    (0x1, 0, 0x1, 0),
    (0x10, 0, 0, crypt32.CERT_E_WRONG_USAGE),
    (0x4, 0, 0, crypt32.CERT_E_REVOKED),
    (0x40, 0, 0, 0),
    (0x1000040, 0, 0, crypt32.CERT_E_REVOCATION_FAILURE),
    (0x1000040, 0x80, 0, 0),
    (0x1000040, 0, 0xF00, 0),
    (0x1000040, 0, 0x100, 0),
    (0x1000040, 0, 0x800, crypt32.CERT_E_REVOCATION_FAILURE),
    (0x1000044, 0, 0xF00, crypt32.CERT_E_REVOKED),
    (0x8000000, 0x3380, 0, crypt32.CERT_E_CRITICAL),
])
def test_the_first_thing_wrong_that_is_not_waived_is_the_verdict(
    errors: int, checks: int, flags: int, verdict: int
) -> None:
    assert verdict == judged(errors, checks=checks, flags=flags)


@pytest.mark.parametrize(("name", "right"), [
    ("localhost", True), ("LocalHost.", True), ("127.0.0.1", True), ("127.0.0.2", False), ("example.org", False),
])
def test_the_certificate_must_be_the_server_s(name: str, right: bool) -> None:
    assert (0 if right else crypt32.CERT_E_CN_NO_MATCH) == judged(0, name=name, certificate=authority.server().der)


def test_a_name_may_be_waived_and_a_certificate_that_is_none_has_none() -> None:
    assert 0 == judged(0, name="example.org", checks=0x1000, certificate=authority.server().der)
    assert crypt32.CERT_E_CN_NO_MATCH == judged(0, name="localhost", certificate=b"no certificate")
    assert 0 == judged(0, name="Test Root", certificate=authority.root().der)  # its subject's: it has no others


@pytest.mark.parametrize(("pattern", "name", "right"), [
    ("*.example.org", "www.example.org", True), ("*.example.org", "a.b.example.org", False),
    ("*.example.org", "example.org", False), ("*.org", "example.org", False),
    ("w*.example.org", "www.example.org", False),
    ("", "", False), ("*", "x", False), ("www.example.org", "WWW.EXAMPLE.ORG", True),
])
def test_an_asterisk_is_one_whole_label(pattern: str, name: str, right: bool) -> None:
    assert right == crypt32._matches(pattern, name)


def test_what_is_not_there_is_no_verdict() -> None:
    call: Any = SimpleNamespace(space=Memory(), word=8)
    for chain, parameters, status in ((0, 0, 0), (0x1000, 0, 0), (0x1000, 5, 0x1000), (5, 0, 0x1000)):
        assert crypt32.CertVerifyCertificateChainPolicy(call, 4, chain, parameters, status) == 0
    itself = Memory()
    itself.content[:] = struct.pack("<Q", 0x1000) * (len(itself.content) // 8)
    call.space = itself
    assert crypt32.CertVerifyCertificateChainPolicy(call, 4, 0x1000, 0x1000, 0x1000) in (0, 1)


@pytest.mark.parametrize(
    ("part", "instead"),
    [("0603551d13", "0603551d11"), ("a003020102", "a003020109"), ("0c026d65", "0c02ffff")],
    ids=["an extension twice", "version", "text"],
)
def test_a_certificate_that_is_odd_has_no_name(part: str, instead: str) -> None:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "me")])
    key = rsa.generate_private_key(65537, 1024)
    begin = datetime.datetime(2020, 1, 1)
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, begin, begin + datetime.timedelta(36500))
    if part == "0603551d13":
        made = made.add_extension(x509.SubjectAlternativeName([x509.DNSName("host.test")]), False)
        made = made.add_extension(x509.BasicConstraints(False, None), False)
    good = made.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)
    damaged = good.replace(bytes.fromhex(part), bytes.fromhex(instead))
    assert good != damaged
    assert crypt32.CERT_E_CN_NO_MATCH == judged(0, name="host.test", certificate=damaged)
