"""What bcrypt's Unix functions are given: the DLL's own object of a key, as much of it as concerns us.

Source: the layouts and the numbers are in the type information of the DLL.
"""

from __future__ import annotations

from lswd.ntdef.types import PVOID, ULONG, ULONGLONG, Struct, array, raw

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
