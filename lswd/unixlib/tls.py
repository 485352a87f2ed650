"""One end of a TLS connection that somebody else carries: bytes go in, bytes come out. By Python's ``ssl``.

Nothing is verified here: what the certificates are worth is found out by the guest, with its own stores.
"""

from __future__ import annotations

import functools
import os
import ssl
import warnings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

RECORD_HEADER = 5
LARGEST_RECORD = 1 << 14
VERSIONS = (ssl.TLSVersion.TLSv1, ssl.TLSVersion.TLSv1_1, ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3)


class TlsError(Exception):
    """The connection has failed; what is to be told to the other side is in the output.

    ``reason`` is OpenSSL's name for why, where it was the handshake that failed.
    """

    def __init__(self, message: str, reason: str = "") -> None:
        super().__init__(message)
        self.reason = reason


class ClientCertificate:
    """What a client shows when it is asked."""

    def __init__(self, certificate: bytes, key: RSAPrivateKey) -> None:
        """
        Raises:
            ValueError: they do not belong together, or are none.
        """
        from cryptography import x509
        from cryptography.exceptions import UnsupportedAlgorithm
        from cryptography.hazmat.primitives import serialization

        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # they would be among the program's own words
                known = x509.load_der_x509_certificate(certificate)
            theirs = known.public_key()
        except (x509.InvalidVersion, UnsupportedAlgorithm) as error:
            raise ValueError(str(error)) from None
        if theirs != key.public_key():
            raise ValueError("the key is not the certificate's")
        self._pem = known.public_bytes(serialization.Encoding.PEM) + key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )

    def load(self, context: ssl.SSLContext) -> None:
        """Make it ``context``'s. The ssl module takes a path only, so the key passes through memory that has one."""
        descriptor = os.memfd_create("key", os.MFD_CLOEXEC)
        try:
            os.write(descriptor, self._pem)
            context.load_cert_chain(f"/proc/self/fd/{descriptor}")
        finally:
            os.close(descriptor)


@functools.cache
def available() -> tuple[ssl.TLSVersion, ...]:
    """Those of VERSIONS that this host's OpenSSL begins a handshake with."""
    found = []
    for version in VERSIONS:
        try:
            TlsClient([version]).handshake(b"")
        except TlsError:
            continue
        found.append(version)
    return tuple(found)


class TlsClient:
    """A client's end. ``versions`` are those of VERSIONS that it may speak; what is set later counts until the first
    step of the handshake.

    TLS 1.0 and 1.1 are spoken only where nothing newer is among them: they take OpenSSL's level of security 0, which
    would let newer versions have weak keys and ciphers too, and a server could be made to seem old. So who may speak
    1.0 to 1.2 speaks 1.2.
    """

    def __init__(self, versions: list[ssl.TLSVersion], certificate: ClientCertificate | None = None) -> None:
        self._versions = versions
        self._certificate = certificate
        self.host: str | None = None
        self.protocols: list[str] = []
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        self._connection: ssl.SSLObject | None = None

    def _context(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        lowest, highest = min(self._versions), max(self._versions)
        if highest < ssl.TLSVersion.TLSv1_2:
            context.set_ciphers("DEFAULT@SECLEVEL=0")  # somebody insists; OpenSSL would not
        else:
            lowest = max(lowest, ssl.TLSVersion.TLSv1_2)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # old versions are what somebody wants
            context.minimum_version, context.maximum_version = lowest, highest
        if self.protocols:
            context.set_alpn_protocols(self.protocols)
        if self._certificate is not None:
            self._certificate.load(context)
        return context

    @property
    def connection(self) -> ssl.SSLObject:
        """
        Raises:
            TlsError: it has not begun.
        """
        if self._connection is None:
            raise TlsError("not connected")
        return self._connection

    def handshake(self, data: bytes) -> bool:
        """Go as far as the bytes that have come allow; whether the connection is made.

        Raises:
            TlsError: it will never be.
        """
        self._incoming.write(data)
        try:
            if self._connection is None:
                self._connection = self._context().wrap_bio(self._incoming, self._outgoing, server_hostname=self.host)
            self._connection.do_handshake()
        except ssl.SSLWantReadError:
            return False
        except ssl.SSLError as error:
            raise TlsError(str(error), error.reason or "") from None
        except ValueError as error:
            raise TlsError(str(error)) from None
        return True

    def close(self) -> None:
        """Say goodbye, without waiting for the other side's.

        Raises:
            TlsError: there is nobody to say it to.
        """
        try:
            self.connection.unwrap()
        except ssl.SSLWantReadError:
            pass
        except (ssl.SSLError, ValueError) as error:
            raise TlsError(str(error)) from None

    def most_encrypted(self, size: int) -> int:
        """How many bytes ``encrypt`` makes of so many, at most.

        Raises:
            TlsError: there is no connection.
        """
        records = max(1, -(-size // LARGEST_RECORD))
        return self._outgoing.pending + Suite(self).most_encrypted(size, records)

    def encrypt(self, data: bytes) -> bytes:
        """The records that carry ``data``, behind all that waits to be sent.

        Raises:
            TlsError
        """
        try:
            self.connection.write(data)
        except (ssl.SSLError, ValueError) as error:
            raise TlsError(str(error)) from None
        return self._outgoing.read()

    def decrypt(self, records: bytes) -> bytes:
        """What whole records carry; nothing where they are no data but the protocol's own.

        Raises:
            TlsError
        """
        self._incoming.write(records)
        plain = b""
        try:
            while piece := self.connection.read(1 << 16):
                plain += piece
        except ssl.SSLWantReadError:
            pass
        except ssl.SSLZeroReturnError:
            pass  # the other side has said goodbye
        except (ssl.SSLError, ValueError) as error:
            raise TlsError(str(error)) from None
        return plain

    def give_back(self) -> int:
        """Forget what has come behind the last step of the handshake; how many bytes that were."""
        return len(self._incoming.read())

    def output(self, most: int) -> bytes:
        """What is to be sent, at most ``most`` bytes of it."""
        return self._outgoing.read(most) if most else b""

    def peer_certificates(self) -> list[bytes]:
        """The other side's certificates, its own first.

        Raises:
            TlsError: there are none (yet).
        """
        found: list[bytes]
        if hasattr(self.connection, "get_unverified_chain"):  # Python 3.13
            found = list(self.connection.get_unverified_chain())
        else:
            inner = self.connection._sslobj  # type: ignore[attr-defined]
            chain = inner.get_unverified_chain() if inner is not None else None
            found = [ssl.PEM_cert_to_DER_cert(each.public_bytes()) for each in chain or ()]
        if not found:
            raise TlsError("no certificate")
        return found


class Suite:
    """What the ciphers of a connection are, from the name of its suite (``ECDHE-RSA-AES256-GCM-SHA384``)."""

    def __init__(self, client: TlsClient) -> None:
        """
        Raises:
            TlsError: there is no connection.
        """
        found = client.connection.cipher()
        if found is None:
            raise TlsError("no cipher")
        name, _, self.bits = found
        self.version = client.connection.version() or ""
        self.words = name.replace("_", "-").split("-")
        self.has_own_integrity = not {"GCM", "CCM", "CCM8", "CHACHA20"}.isdisjoint(self.words)
        self.is_elliptic = "ECDHE" in self.words or name.startswith("TLS_")
        self.is_ephemeral = self.is_elliptic or "DHE" in self.words or "EDH" in self.words
        self.is_ecdsa = "ECDSA" in self.words
        self.is_aes = any(word.startswith("AES") for word in self.words)
        self.is_3des = "CBC3" in self.words or "3DES" in self.words
        self.hash = self.words[-1]
        if self.hash in ("POLY1305", "CCM", "CCM8"):
            self.hash = "SHA256"

    def most_encrypted(self, size: int, records: int) -> int:
        """How many bytes ``records`` with ``size`` bytes of data in them take, at most.

        Source: RFC 5246 6.2.3, RFC 5288 3, RFC 8446 5.2 and 4.6.3.
        """
        if self.version == "TLSv1.3":
            record, before = RECORD_HEADER + 1 + 16, 27  # the key may have to be changed first
        elif self.has_own_integrity:
            record, before = RECORD_HEADER + 8 + 16, 0
        else:
            record = RECORD_HEADER + 16 + 48 + 16  # a vector, the longest code, padding
            before = record if self.version == "TLSv1" else 0  # an empty record, against guesses of the vector
        return before + size + records * record
