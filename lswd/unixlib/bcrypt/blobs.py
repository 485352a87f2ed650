"""Keys as BCryptExportKey and BCryptImportKeyPair carry them.

Source: Microsoft "BCRYPT_RSAKEY_BLOB", "BCRYPT_ECCKEY_BLOB", "BCRYPT_DSA_KEY_BLOB", "DSS Version 3 Key BLOBs"
(of which version 2 is what CAPIDSAPRIVATEBLOB names).
"""

from __future__ import annotations

import struct

from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

from lswd.ntdef.types import ULONG, Struct, raw
from lswd.unixlib.bcrypt.key import ALG_ECDH_P256, ALG_ECDH_P384, ALG_ECDSA_P256, ALG_ECDSA_P384
from lswd.unixlib.rsa_check import QUICK_BITS

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    PrivateKey: TypeAlias = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey | dsa.DSAPrivateKey
    PublicKey: TypeAlias = rsa.RSAPublicKey | ec.EllipticCurvePublicKey | dsa.DSAPublicKey

CURVES: dict[int, ec.EllipticCurve] = {
    ALG_ECDH_P256: ec.SECP256R1(),
    ALG_ECDH_P384: ec.SECP384R1(),
    ALG_ECDSA_P256: ec.SECP256R1(),
    ALG_ECDSA_P384: ec.SECP384R1(),
}

_RSA_PUBLIC, _RSA_PRIVATE, _RSA_FULL = (int.from_bytes(magic, "little") for magic in (b"RSA1", b"RSA2", b"RSA3"))
_DSA_PUBLIC = int.from_bytes(b"DSPB", "little")
# Public key; that of a private one is the next.
_ECC_MAGIC = {
    ALG_ECDH_P256: int.from_bytes(b"ECK1", "little"),
    ALG_ECDH_P384: int.from_bytes(b"ECK3", "little"),
    ALG_ECDSA_P256: int.from_bytes(b"ECS1", "little"),
    ALG_ECDSA_P384: int.from_bytes(b"ECS3", "little"),
}
_PRIVATE = 1 << 24
_Q = 20
_SEED = 24
_LARGEST_RSA = 16384 // 8
_LARGEST_DSA = 3072 // 8


class BCRYPT_RSAKEY_BLOB(Struct):
    """Then the public exponent, the modulus and, of a private key, the two primes; all numbers are big-endian."""

    Magic: ULONG
    BitLength: ULONG
    cbPublicExp: ULONG
    cbModulus: ULONG
    cbPrime1: ULONG
    cbPrime2: ULONG


class BCRYPT_ECCKEY_BLOB(Struct):
    """Then X, Y and, of a private key, d."""

    dwMagic: ULONG
    cbKey: ULONG


class BCRYPT_DSA_KEY_BLOB(Struct):
    """Then the modulus, the generator and the public key."""

    dwMagic: ULONG
    cbKey: ULONG
    Count: bytes = raw(4)
    Seed: bytes = raw(20)
    q: bytes = raw(20)


class _Parts:
    """Takes numbers off a blob, one after the other."""

    def __init__(self, data: bytes, at: int, order: str = "big") -> None:
        self._data = data
        self._at = at
        self._order = order

    def take(self, size: int) -> int:
        """
        Raises:
            ValueError: nothing is left.
        """
        end = self._at + size
        if not 0 < size <= len(self._data) or end > len(self._data):
            raise ValueError("the blob is too short")
        part = self._data[self._at : end]
        self._at = end
        return int.from_bytes(part, "big" if self._order == "big" else "little")


def rsa_private(p: int, q: int, public: rsa.RSAPublicNumbers, *, sound: bool = False) -> rsa.RSAPrivateKey:
    """The key that these primes make; ``sound``: they are known to be primes.

    Raises:
        ValueError: they make none.
    """
    if p < 3 or q < 3 or p * q != public.n:
        raise ValueError("these are not its primes")
    d = pow(public.e, -1, (p - 1) * (q - 1))
    numbers = rsa.RSAPrivateNumbers(
        p, q, d, rsa.rsa_crt_dmp1(d, p), rsa.rsa_crt_dmq1(d, q), rsa.rsa_crt_iqmp(p, q), public
    )
    return numbers.private_key(unsafe_skip_rsa_key_validation=sound)


def pack_rsa(key: PrivateKey | PublicKey, bits: int, *, private: bool, full: bool) -> bytes:
    """
    Raises:
        ValueError: it is no RSA key, or not a private one.
    """
    secret = None
    if isinstance(key, rsa.RSAPrivateKey):
        secret = key.private_numbers() if private else None
        key = key.public_key()
    if not isinstance(key, rsa.RSAPublicKey) or (private and secret is None):
        raise ValueError("no such key")
    public = key.public_numbers()
    size = (key.key_size + 7) // 8
    exponent = public.e.to_bytes((public.e.bit_length() + 7) // 8, "big")
    head = BCRYPT_RSAKEY_BLOB(Magic=_RSA_PUBLIC, BitLength=bits, cbPublicExp=len(exponent), cbModulus=size)
    body = exponent + public.n.to_bytes(size, "big")
    if secret is not None:
        half = size // 2
        head.Magic = _RSA_FULL if full else _RSA_PRIVATE
        head.cbPrime1 = head.cbPrime2 = half
        body += secret.p.to_bytes(half, "big") + secret.q.to_bytes(half, "big")
        if full:
            body += b"".join(number.to_bytes(half, "big") for number in (secret.dmp1, secret.dmq1, secret.iqmp))
            body += secret.d.to_bytes(size, "big")
    return head.pack(8) + body


def has_large_primes(data: bytes) -> bool:
    """Whether a blob has some that would take long to be checked."""
    head = BCRYPT_RSAKEY_BLOB.unpack(8, data)
    return bool(max(head.cbPrime1, head.cbPrime2) * 8 > QUICK_BITS // 2)


def unpack_rsa(data: bytes, *, public: bool, sound: bool = False) -> PrivateKey | PublicKey:
    """The key in a blob; ``sound``: it has been checked before.

    Raises:
        ValueError: there is no key in it.
    """
    head = BCRYPT_RSAKEY_BLOB.unpack(8, data)
    if max(head.cbPublicExp, head.cbModulus, head.cbPrime1, head.cbPrime2) > _LARGEST_RSA:
        raise ValueError("too large")
    parts = _Parts(data, BCRYPT_RSAKEY_BLOB.size(8))
    e = parts.take(head.cbPublicExp)
    numbers = rsa.RSAPublicNumbers(e, parts.take(head.cbModulus))
    if public:
        return numbers.public_key()
    return rsa_private(parts.take(head.cbPrime1), parts.take(head.cbPrime2), numbers, sound=sound)


def pack_ecc(key: PrivateKey | PublicKey, algorithm: int, *, private: bool) -> bytes:
    """
    Raises:
        ValueError: it is no such key.
    """
    secret = None
    if isinstance(key, ec.EllipticCurvePrivateKey):
        secret = key.private_numbers().private_value if private else None
        key = key.public_key()
    if not isinstance(key, ec.EllipticCurvePublicKey) or (private and secret is None):
        raise ValueError("no such key")
    size = (CURVES[algorithm].key_size + 7) // 8
    magic = _ECC_MAGIC[algorithm] + (_PRIVATE if private else 0)
    public = key.public_numbers()
    numbers = (public.x, public.y) if secret is None else (public.x, public.y, secret)
    head = BCRYPT_ECCKEY_BLOB(dwMagic=magic, cbKey=size).pack(8)
    return head + b"".join(number.to_bytes(size, "big") for number in numbers)


def unpack_ecc(data: bytes, algorithm: int, *, public: bool) -> PrivateKey | PublicKey:
    """
    Raises:
        ValueError: there is no key in it.
    """
    head = BCRYPT_ECCKEY_BLOB.unpack(8, data)
    parts = _Parts(data, BCRYPT_ECCKEY_BLOB.size(8))
    x = parts.take(head.cbKey)
    numbers = ec.EllipticCurvePublicNumbers(x, parts.take(head.cbKey), CURVES[algorithm])
    if public:
        return numbers.public_key()
    return ec.EllipticCurvePrivateNumbers(parts.take(head.cbKey), numbers).private_key()


def pack_dsa(key: PrivateKey | PublicKey, bits: int) -> bytes:
    """The public half.

    Raises:
        ValueError: it is no such key.
    """
    if isinstance(key, dsa.DSAPrivateKey):
        key = key.public_key()
    if not isinstance(key, dsa.DSAPublicKey) or bits > 1024:
        raise ValueError("no such key")
    public, size = key.public_numbers(), bits // 8
    of = public.parameter_numbers
    head = BCRYPT_DSA_KEY_BLOB(dwMagic=_DSA_PUBLIC, cbKey=size, q=of.q.to_bytes(_Q, "big"))
    return head.pack(8) + b"".join(number.to_bytes(size, "big") for number in (of.p, of.g, public.y))


def unpack_dsa(data: bytes) -> PublicKey:
    """The public half.

    Raises:
        ValueError: there is no key in it.
    """
    head = BCRYPT_DSA_KEY_BLOB.unpack(8, data)
    if head.cbKey > _LARGEST_DSA:
        raise ValueError("too large")
    parts = _Parts(data, BCRYPT_DSA_KEY_BLOB.size(8))
    p, g, y = parts.take(head.cbKey), parts.take(head.cbKey), parts.take(head.cbKey)
    numbers = dsa.DSAParameterNumbers(p, int.from_bytes(head.q, "big"), g)
    return dsa.DSAPublicNumbers(y, numbers).public_key()


_CALG_DSS_SIGN = 0x2200
_LEGACY_HEAD = struct.Struct("<BBHI4sI")  # BLOBHEADER, DSSPUBKEY
_PUBLICKEYBLOB, _PRIVATEKEYBLOB = 6, 7


def pack_legacy_dsa(key: PrivateKey | PublicKey, bits: int, seed: bytes, *, private: bool) -> bytes:
    """The format of CryptExportKey; its numbers are little-endian.

    Raises:
        ValueError: it is no such key.
    """
    x = key.private_numbers().x if isinstance(key, dsa.DSAPrivateKey) else None
    public = key.public_key() if isinstance(key, dsa.DSAPrivateKey) else key
    if not isinstance(public, dsa.DSAPublicKey) or bits > 1024 or (private and x is None):
        raise ValueError("no such key")
    numbers, size = public.public_numbers(), bits // 8
    of = numbers.parameter_numbers
    kind, magic = (_PRIVATEKEYBLOB, b"DSS2") if private else (_PUBLICKEYBLOB, b"DSS1")
    last = x.to_bytes(_Q, "little") if private and x is not None else numbers.y.to_bytes(size, "little")
    body = of.p.to_bytes(size, "little") + of.q.to_bytes(_Q, "little") + of.g.to_bytes(size, "little")
    return _LEGACY_HEAD.pack(kind, 2, 0, _CALG_DSS_SIGN, magic, bits) + body + last + seed


def unpack_legacy_dsa(data: bytes, *, public: bool) -> tuple[PrivateKey | PublicKey, bytes]:
    """The key, and the seed it carries.

    Raises:
        ValueError: there is no key in it.
    """
    *_, bits = _LEGACY_HEAD.unpack_from(data)
    size = bits // 8
    if size > 1024 // 8:
        raise ValueError("too large")
    parts = _Parts(data, _LEGACY_HEAD.size, "little")
    p, q, g = parts.take(size), parts.take(_Q), parts.take(size)
    of = dsa.DSAParameterNumbers(p, q, g)
    if public:
        return dsa.DSAPublicNumbers(parts.take(size), of).public_key(), data[-_SEED:]
    x = parts.take(_Q)
    if not 0 < x < q or p < 3:
        raise ValueError("no such key")
    return dsa.DSAPrivateNumbers(x, dsa.DSAPublicNumbers(pow(g, x, p), of)).private_key(), data[-_SEED:]
