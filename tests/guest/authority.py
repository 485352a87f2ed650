"""An authority for tests: certificates of its own making, with as many years to live as certificates can have.

The same ones for the whole run of a process: they are made at first use.
"""

from __future__ import annotations

import datetime
import functools
import ipaddress
from dataclasses import dataclass
from typing import TypeAlias

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

Key: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

_BORN = datetime.datetime(2000, 1, 1, tzinfo=datetime.UTC)
_DIES = datetime.datetime(2049, 12, 31, tzinfo=datetime.UTC)
_DIED = datetime.datetime(2005, 1, 1, tzinfo=datetime.UTC)
PASSWORD = b"secret"


@dataclass(frozen=True)
class Identity:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: Key

    @property
    def der(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.DER)

    @property
    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    @property
    def key_pem(self) -> bytes:
        return self.key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8,
                                      serialization.NoEncryption())


def _make(
    name: str, issuer: Identity | None, *, key: Key, authority: bool, dies: datetime.datetime = _DIES
) -> Identity:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder().subject_name(subject)
        .issuer_name(issuer.certificate.subject if issuer else subject)
        .public_key(key.public_key()).serial_number(x509.random_serial_number())
        .not_valid_before(_BORN).not_valid_after(dies)
        .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.KeyUsage(not authority, False, not authority, False, False, authority, authority, False,
                                     False), critical=True)
    )  # fmt: skip
    if issuer:
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    if not authority:
        names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        builder = builder.add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH,
                                                               ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
    return Identity(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


def _rsa() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


@functools.cache
def root() -> Identity:
    return _make("Test Root", None, key=_rsa(), authority=True)


@functools.cache
def middle() -> Identity:
    return _make("Test Middle", root(), key=_rsa(), authority=True)


@functools.cache
def server() -> Identity:
    """A server's, issued by the middle authority."""
    return _make("localhost", middle(), key=_rsa(), authority=False)


@functools.cache
def client() -> Identity:
    return _make("Test Client", middle(), key=_rsa(), authority=False)


@functools.cache
def expired() -> Identity:
    return _make("localhost", middle(), key=_rsa(), authority=False, dies=_DIED)


@functools.cache
def elliptic_root() -> Identity:
    return _make("Elliptic Root", None, key=ec.generate_private_key(ec.SECP256R1()), authority=True)


@functools.cache
def elliptic_server() -> Identity:
    return _make("localhost", elliptic_root(), key=ec.generate_private_key(ec.SECP256R1()), authority=False)


@functools.cache
def client_pfx() -> bytes:
    """The client's key and certificate as a PKCS #12 file that every Windows reads."""
    encryption = (
        serialization.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(2000)
        .key_cert_algorithm(pkcs12.PBES.PBESv1SHA1And3KeyTripleDESCBC).hmac_hash(hashes.SHA1()).build(PASSWORD)
    )  # fmt: skip
    key = client().key
    assert isinstance(key, rsa.RSAPrivateKey)
    return pkcs12.serialize_key_and_certificates(b"client", key, client().certificate, None, encryption)
