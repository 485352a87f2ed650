"""What bcrypt's Unix functions are given: the DLL's own object of a key, as much of it as concerns us.

Numbers and layouts here are Wine 8's. Later versions have more algorithms, and so other numbers, and since they have DH
a key has one more private field; which version it is the names of their algorithms say.
Source: the layouts and the numbers are in the type information of the DLL.
"""

from __future__ import annotations

from lswd.ntdef.types import PVOID, ULONG, ULONGLONG, Struct, array, raw
from lswd.unixlib.arguments import question

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import TypeAlias

    from lswd.kernel.thread import Thread

    AnySymmetricKey: TypeAlias = "SymmetricKey | SymmetricKeyWithDH"
    AnyAsymmetricKey: TypeAlias = "AsymmetricKey | AsymmetricKeyWithDH"

# alg_id
ALG_3DES = 0
ALG_AES = 1
ALG_RSA = 9
ALG_ECDH_P256 = 10
ALG_ECDH_P384 = 11
ALG_RSA_SIGN = 12
ALG_ECDSA_P256 = 13
ALG_ECDSA_P384 = 14
ALG_DSA = 15

_WINE_8 = (
    "3DES", "AES", "SHA256", "SHA384", "SHA512", "SHA1", "MD5", "MD4", "MD2", "RSA", "ECDH_P256", "ECDH_P384",
    "RSA_SIGN", "ECDSA_P256", "ECDSA_P384", "DSA", "RNG",
)  # fmt: skip
_UNKNOWN = 0xFFFF

# SymmetricKey.mode
MODE_CBC = 0
MODE_ECB = 1
MODE_CFB = 2
MODE_GCM = 4

# AsymmetricKey.flags
KEY_FLAG_LEGACY_DSA_V2 = 1


class SymmetricKey(Struct):
    magic: ULONG
    alg_id: ULONG
    private: tuple[int, ...] = array(ULONGLONG, 2)
    mode: ULONG
    block_size: ULONG
    vector: PVOID
    vector_len: ULONG
    secret: PVOID
    secret_len: ULONG


class AsymmetricKey(Struct):
    magic: ULONG
    alg_id: ULONG
    private: tuple[int, ...] = array(ULONGLONG, 2)
    bitlen: ULONG
    flags: ULONG
    dss_seed: bytes = raw(24)


class SymmetricKeyWithDH(Struct):
    magic: ULONG
    alg_id: ULONG
    private: tuple[int, ...] = array(ULONGLONG, 3)
    mode: ULONG
    block_size: ULONG
    vector: PVOID
    vector_len: ULONG
    secret: PVOID
    secret_len: ULONG


class AsymmetricKeyWithDH(Struct):
    magic: ULONG
    alg_id: ULONG
    private: tuple[int, ...] = array(ULONGLONG, 3)
    bitlen: ULONG
    flags: ULONG
    dss_seed: bytes = raw(24)


def symmetric_key(thread: Thread, address: int) -> AnySymmetricKey:
    """The key at ``address``, its algorithm by our number."""
    names = _algorithms(thread)
    key: AnySymmetricKey = question(thread, address, SymmetricKeyWithDH if "DH" in names else SymmetricKey)
    key.alg_id = _our_number(names, key.alg_id)
    return key


def asymmetric_key(thread: Thread, address: int) -> AnyAsymmetricKey:
    """The same for a key of two halves."""
    names = _algorithms(thread)
    key: AnyAsymmetricKey = question(thread, address, AsymmetricKeyWithDH if "DH" in names else AsymmetricKey)
    key.alg_id = _our_number(names, key.alg_id)
    return key


def _algorithms(thread: Thread) -> tuple[str, ...]:
    """The algorithms of the userland in use, in the order of its numbers."""
    return thread.process.userland.enumeration("bcrypt.dll", "ALG_ID_") or _WINE_8


def _our_number(names: tuple[str, ...], number: int) -> int:
    name = names[number] if number < len(names) else ""
    return _WINE_8.index(name) if name in _WINE_8 else _UNKNOWN
