"""Certificates that a client is to show: what is none is refused, whatever is wrong with it."""

from __future__ import annotations

import datetime

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import Encoding

from lswd.unixlib.tls import ClientCertificate

KEY = rsa.generate_private_key(65537, 1024)


def certificate() -> bytes:
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "me")])
    begin = datetime.datetime(2020, 1, 1)
    made = x509.CertificateBuilder(name, name, KEY.public_key(), 1, begin, begin + datetime.timedelta(36500))
    return made.sign(KEY, hashes.SHA256()).public_bytes(Encoding.DER)


def test_a_certificate_and_its_key_belong_together() -> None:
    ClientCertificate(certificate(), KEY)
    with pytest.raises(ValueError):
        ClientCertificate(certificate(), rsa.generate_private_key(65537, 1024))


@pytest.mark.parametrize(
    ("part", "instead"),
    [("2a864886f70d010101", "2a864886f70d01017f"), ("a003020102", "a003020109"), ("0500", "0600")],
    ids=["kind of key", "version", "syntax"],
)
def test_what_nobody_knows_is_refused(part: str, instead: str) -> None:
    damaged = certificate().replace(bytes.fromhex(part), bytes.fromhex(instead))
    with pytest.raises(ValueError):
        ClientCertificate(damaged, KEY)
