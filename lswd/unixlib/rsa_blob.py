"""An RSA key as CryptoAPI carries it: PRIVATEKEYBLOB, all of its numbers little-endian.

Source: Microsoft "RSA/Schannel Key BLOBs".
"""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.asymmetric import rsa

from lswd.unixlib.rsa_check import QUICK_BITS

_HEAD = struct.Struct("<BBHI4sII")  # PUBLICKEYSTRUC, RSAPUBKEY
_PRIVATEKEYBLOB = 7
_VERSION = 2
_CALG_RSA_KEYX = 0xA400
_MAGIC = b"RSA2"
_LARGEST = 16384


def pack(key: rsa.RSAPrivateKey) -> bytes:
    """The whole blob.

    Raises:
        ValueError: its halves are not of half its length.
    """
    numbers, bits = key.private_numbers(), key.key_size
    public = numbers.public_numbers
    half = bits // 16
    parts = [(public.n, bits // 8)]
    parts += [(number, half) for number in (numbers.p, numbers.q, numbers.dmp1, numbers.dmq1, numbers.iqmp)]
    parts.append((numbers.d, bits // 8))
    try:
        body = b"".join(number.to_bytes(size, "little") for number, size in parts)
        return _HEAD.pack(_PRIVATEKEYBLOB, _VERSION, 0, _CALG_RSA_KEYX, _MAGIC, bits, public.e) + body
    except (OverflowError, struct.error):
        raise ValueError("the key does not fit the format") from None


def is_large(data: bytes) -> bool:
    """Whether a blob has a key that would take long to be checked."""
    return len(data) >= _HEAD.size and _HEAD.unpack_from(data)[5] > QUICK_BITS


def unpack(data: bytes, *, sound: bool = False) -> rsa.RSAPrivateKey:
    """The key in a blob; ``sound``: it has been checked before.

    Raises:
        ValueError: there is none.
    """
    if len(data) < _HEAD.size:
        raise ValueError("too short")
    kind, _, _, _, magic, bits, exponent = _HEAD.unpack_from(data)
    if kind != _PRIVATEKEYBLOB or magic != _MAGIC or not 512 <= bits <= _LARGEST or bits % 16:
        raise ValueError("no private RSA key")
    sizes = (bits // 8, *(5 * [bits // 16]), bits // 8)
    if len(data) < _HEAD.size + sum(sizes):
        raise ValueError("too short")
    numbers, at = [], _HEAD.size
    for size in sizes:
        numbers.append(int.from_bytes(data[at : at + size], "little"))
        at += size
    n, p, q, dmp1, dmq1, iqmp, d = numbers
    made = rsa.RSAPrivateNumbers(p, q, d, dmp1, dmq1, iqmp, rsa.RSAPublicNumbers(exponent, n))
    return made.private_key(unsafe_skip_rsa_key_validation=sound)
