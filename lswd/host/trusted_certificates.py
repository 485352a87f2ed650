"""The certificates of authorities that this host trusts.

They are where distributions put them, or where SSL_CERT_FILE and SSL_CERT_DIR say, as OpenSSL's programs have it.
Source: OpenSSL's manual page SSL_CTX_load_verify_locations(3).
"""

from __future__ import annotations

import os

from lswd.host.regular_file import open_regular

_PLACES = (
    "/etc/ssl/certs/ca-certificates.crt",  # Debian, Ubuntu, Arch
    "/etc/pki/tls/certs/ca-bundle.crt",  # Fedora
    "/etc/ssl/ca-bundle.pem",  # openSUSE
    "/etc/ssl/cert.pem",  # Alpine
    "/etc/ssl/certs",
)
_BEGIN, _END = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
_LARGEST_FILE = 1 << 24


def trusted_certificates() -> list[bytes]:
    """Each of them once, in DER. None where the host says nothing."""
    named = [os.environ[name] for name in ("SSL_CERT_FILE", "SSL_CERT_DIR") if os.environ.get(name)]
    for place in [*named, *([] if named else _PLACES)]:
        found = _directory(place) if os.path.isdir(place) else _file(place)
        if found:
            return list(dict.fromkeys(found))
    return []


def _directory(path: str) -> list[bytes]:
    try:
        names = sorted(os.listdir(path))
    except OSError:
        return []
    return [each for name in names for each in _file(f"{path}/{name}")]


def _file(path: str) -> list[bytes]:
    """The certificates in a PEM file; what cannot be read has none."""
    from binascii import Error, a2b_base64

    try:
        with open(open_regular(path), "rb") as file:
            pieces = file.read(_LARGEST_FILE).split(_BEGIN)[1:]
    except OSError:
        return []
    found = []
    for piece in pieces:
        inside, end, _ = piece.partition(_END)
        try:
            if end:
                found.append(a2b_base64(inside))
        except Error:
            pass
    return found
