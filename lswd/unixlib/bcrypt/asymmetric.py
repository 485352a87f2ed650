"""Keys of two halves: RSA, DSA and elliptic curves, by the package ``cryptography``.

A key's number of ours lies in the DLL's own object of it.
Source: Microsoft "BCryptSignHash", "BCryptVerifySignature", "BCryptEncrypt", "BCRYPT_PSS_PADDING_INFO".
"""

from __future__ import annotations

import struct

from lswd.kernel.loop import event_loop
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_HANDLE,
    STATUS_INVALID_PARAMETER,
    STATUS_INVALID_SIGNATURE,
    STATUS_NO_MEMORY,
    STATUS_NOT_IMPLEMENTED,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
    NtError,
)
from lswd.ntdef.types import PVOID, ULONG, Struct
from lswd.unixlib.arguments import question, wide_text
from lswd.unixlib.bcrypt.key import (
    ALG_DSA,
    ALG_ECDH_P256,
    ALG_ECDH_P384,
    ALG_ECDSA_P256,
    ALG_ECDSA_P384,
    ALG_RSA,
    ALG_RSA_SIGN,
    KEY_FLAG_LEGACY_DSA_V2,
    AsymmetricKey,
    AsymmetricKeyWithDH,
    asymmetric_key,
)
from lswd.unixlib.handles import Handles
from lswd.unixlib.rsa_check import is_sound

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lswd.kernel.thread import Thread
    from lswd.unixlib.bcrypt.blobs import PrivateKey, PublicKey
    from lswd.unixlib.bcrypt.key import AnyAsymmetricKey

_ECC = (ALG_ECDH_P256, ALG_ECDH_P384, ALG_ECDSA_P256, ALG_ECDSA_P384)
_RSA = (ALG_RSA, ALG_RSA_SIGN)

BCRYPT_PAD_PKCS1 = 2
BCRYPT_PAD_PSS = 8
# flags of import and export
_PUBLIC = 1
_RSA_FULL = 2

_LONGEST = 1 << 16
_QUICK_RSA = 2048
_RSA_SIZES = range(512, 16385, 64)
_DSA_SIZES = (1024, 2048, 3072)
_DIGEST_SIZES = {20: "SHA1", 32: "SHA256", 48: "SHA384", 64: "SHA512"}


class CryptQuestion(Struct):
    key: PVOID
    input: PVOID
    input_len: ULONG
    output: PVOID
    output_len: ULONG
    ret_len: PVOID


class PaddedCryptQuestion(Struct):
    """The same since keys have DH: the DLL hands the padding on."""

    key: PVOID
    input: PVOID
    input_len: ULONG
    padding: PVOID
    output: PVOID
    output_len: ULONG
    ret_len: PVOID
    flags: ULONG


class DuplicateQuestion(Struct):
    key_orig: PVOID
    key_copy: PVOID


class ExportQuestion(Struct):
    key: PVOID
    flags: ULONG
    buf: PVOID
    len: ULONG
    ret_len: PVOID


class ImportQuestion(Struct):
    key: PVOID
    flags: ULONG
    buf: PVOID
    len: ULONG


class SignQuestion(Struct):
    key: PVOID
    padding: PVOID
    input: PVOID
    input_len: ULONG
    output: PVOID
    output_len: ULONG
    ret_len: PVOID
    flags: ULONG


class VerifyQuestion(Struct):
    key: PVOID
    padding: PVOID
    hash: PVOID
    hash_len: ULONG
    signature: PVOID
    signature_len: ULONG
    flags: ULONG


class PaddingInfo(Struct):
    """BCRYPT_PKCS1_PADDING_INFO, and BCRYPT_PSS_PADDING_INFO with its cbSalt."""

    pszAlgId: PVOID
    cbSalt: ULONG


class KeyPair:
    """What is known of a key: both halves, or the public one."""

    def __init__(self, private: PrivateKey | None, public: PublicKey) -> None:
        self._private = private
        self.public = public

    @property
    def private(self) -> PrivateKey:
        """
        Raises:
            NtError: STATUS_INVALID_PARAMETER: there is only the public half.
        """
        if self._private is None:
            raise NtError(STATUS_INVALID_PARAMETER)
        return self._private

    @property
    def best(self) -> PrivateKey | PublicKey:
        """The private half, which has everything; the public one without it."""
        return self._private or self.public


class KeyPairs(Handles[KeyPair]):
    """A part of the System."""


def _pair(thread: Thread, key: AnyAsymmetricKey) -> KeyPair:
    """
    Raises:
        NtError: STATUS_INVALID_HANDLE: there is none, or it is for another algorithm.
    """
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    pair = thread.process.system.part(KeyPairs).get(thread.process, key.private[0])
    other = dsa.DSAPublicKey if key.alg_id == ALG_DSA else ec.EllipticCurvePublicKey
    # The algorithm lies where the guest can change it.
    if not isinstance(pair.public, rsa.RSAPublicKey if key.alg_id in _RSA else other):
        raise NtError(STATUS_INVALID_HANDLE)
    return pair


def _keep(thread: Thread, address: int, pair: KeyPair) -> None:
    """Make ``pair`` what the DLL's key at ``address`` stands for."""
    space, pairs = thread.process.space, thread.process.system.part(KeyPairs)
    place = address + AsymmetricKey.offset(space.word, "private")
    space.probe_write(place, 8)
    pairs.remove(thread.process, space.read_u64(place))
    space.write_u64(place, pairs.add(thread.process, pair))


def _of(key: Any) -> KeyPair:
    """From a private key of ``cryptography``, or from a public one."""
    return KeyPair(key, key.public_key()) if hasattr(key, "public_key") else KeyPair(None, key)


async def generate(thread: Thread, arguments: int) -> int:
    """key_asymmetric_generate; the key itself is the argument. What takes long is done in a thread of its own."""
    from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa

    from lswd.unixlib.bcrypt.blobs import CURVES

    key = asymmetric_key(thread, arguments)
    if key.private[0]:
        return STATUS_INVALID_HANDLE
    made: PrivateKey
    if key.alg_id in _ECC:
        made = ec.generate_private_key(CURVES[key.alg_id])
    elif key.alg_id in _RSA and key.bitlen in _RSA_SIZES:
        # cryptography makes none below 1024 bits
        if key.bitlen < 1024:
            return STATUS_NOT_SUPPORTED
        made = await _slowly(key.bitlen > _QUICK_RSA, lambda: rsa.generate_private_key(65537, key.bitlen))
    elif key.alg_id == ALG_DSA and key.bitlen in _DSA_SIZES:
        made = await _slowly(True, lambda: dsa.generate_private_key(key.bitlen))
    else:
        return STATUS_NOT_SUPPORTED
    _keep(thread, arguments, _of(made))
    return STATUS_SUCCESS


async def _slowly(slow: bool, make: Any) -> Any:
    if not slow:
        return make()
    await event_loop()
    import trio

    return await trio.to_thread.run_sync(make, abandon_on_cancel=True)


def destroy(thread: Thread, arguments: int) -> int:
    """key_asymmetric_destroy; the key itself is the argument."""
    thread.process.system.part(KeyPairs).remove(thread.process, asymmetric_key(thread, arguments).private[0])
    return STATUS_SUCCESS


def duplicate(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, DuplicateQuestion)
    key = asymmetric_key(thread, q.key_orig)
    if key.private[0]:
        pair = _pair(thread, key)
        space = thread.process.space
        # The copy is one of the whole object: the number in it is the original's, which stays.
        space.write_u64(q.key_copy + AsymmetricKey.offset(space.word, "private"), 0)
        _keep(thread, q.key_copy, pair)
    return STATUS_SUCCESS


def export(thread: Thread, arguments: int) -> int:
    """key_asymmetric_export: the blob if there is room, and its length either way."""
    from lswd.unixlib.bcrypt import blobs

    q = question(thread, arguments, ExportQuestion)
    key = asymmetric_key(thread, q.key)
    pair = _pair(thread, key)
    private = not q.flags & _PUBLIC
    try:
        if key.alg_id in _ECC:
            data = blobs.pack_ecc(pair.best, key.alg_id, private=private)
        elif key.alg_id in _RSA:
            data = blobs.pack_rsa(pair.best, key.bitlen, private=private, full=bool(q.flags & _RSA_FULL))
        elif key.alg_id == ALG_DSA and key.flags & KEY_FLAG_LEGACY_DSA_V2:
            data = blobs.pack_legacy_dsa(pair.best, key.bitlen, key.dss_seed, private=private)
        elif key.alg_id == ALG_DSA and not private:
            data = blobs.pack_dsa(pair.best, key.bitlen)
        else:
            return STATUS_NOT_IMPLEMENTED
    except (ValueError, OverflowError):
        return STATUS_INVALID_PARAMETER
    space = thread.process.space
    space.write_u32(q.ret_len, len(data))
    if q.buf and q.len >= len(data):
        space.write(q.buf, data)
    return STATUS_SUCCESS


async def import_key(thread: Thread, arguments: int) -> int:
    from cryptography.exceptions import UnsupportedAlgorithm

    from lswd.unixlib.bcrypt import blobs

    q = question(thread, arguments, ImportQuestion)
    key = asymmetric_key(thread, q.key)
    if q.len > _LONGEST:
        return STATUS_INVALID_PARAMETER
    space = thread.process.space
    data = space.read(q.buf, q.len)
    public = bool(q.flags & _PUBLIC)
    made: PrivateKey | PublicKey
    try:
        if key.alg_id in _ECC:
            made = blobs.unpack_ecc(data, key.alg_id, public=public)
        elif key.alg_id in _RSA:
            large = not public and blobs.has_large_primes(data)
            if large and not await is_sound(lambda: blobs.unpack_rsa(data, public=False)):
                return STATUS_INVALID_PARAMETER
            made = blobs.unpack_rsa(data, public=public, sound=large)
        elif key.alg_id == ALG_DSA and key.flags & KEY_FLAG_LEGACY_DSA_V2:
            made, seed = blobs.unpack_legacy_dsa(data, public=public)
            if not public:
                space.write(q.key + type(key).offset(space.word, "dss_seed"), seed)
        elif key.alg_id == ALG_DSA and public:
            made = blobs.unpack_dsa(data)
        else:
            return STATUS_NOT_IMPLEMENTED
    except (ValueError, TypeError, ArithmeticError, struct.error, UnsupportedAlgorithm):
        return STATUS_INVALID_PARAMETER
    except OSError:
        return STATUS_NO_MEMORY
    _keep(thread, q.key, _of(made))
    return STATUS_SUCCESS


def _hash(name: str) -> Any:
    """The hash of that name of BCrypt's.

    Raises:
        NtError: STATUS_NOT_SUPPORTED.
    """
    from cryptography.hazmat.primitives import hashes

    kinds: dict[str, Any] = {
        "MD5": hashes.MD5, "SHA1": hashes.SHA1, "SHA256": hashes.SHA256, "SHA384": hashes.SHA384,
        "SHA512": hashes.SHA512,
    }  # fmt: skip
    if name not in kinds:
        raise NtError(STATUS_NOT_SUPPORTED)
    return kinds[name]()


def _scheme(thread: Thread, key: AnyAsymmetricKey, padding: int, flags: int, digest_size: int, wrong: int) -> list[Any]:
    """What sign() and verify() of a key take after the data: padding and hash.

    Raises:
        NtError: ``wrong`` for a hash that is none; STATUS_INVALID_PARAMETER, STATUS_NOT_SUPPORTED.
    """
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.asymmetric import padding as paddings
    from cryptography.hazmat.primitives.asymmetric.utils import Prehashed

    if key.alg_id not in _RSA:
        # Only the size of the hash counts.
        if key.alg_id in (ALG_ECDH_P256, ALG_ECDH_P384) or digest_size not in _DIGEST_SIZES:
            raise NtError(wrong)
        if key.alg_id == ALG_DSA and digest_size != 20:
            raise NtError(STATUS_INVALID_PARAMETER)
        hashed = Prehashed(_hash(_DIGEST_SIZES[digest_size]))
        return [hashed] if key.alg_id == ALG_DSA else [ec.ECDSA(hashed)]
    if flags not in (BCRYPT_PAD_PKCS1, BCRYPT_PAD_PSS) or not padding:
        raise NtError(STATUS_INVALID_PARAMETER)
    space = thread.process.space
    name_at = space.read_pointer(padding)
    if not name_at:
        raise NtError(wrong)
    hash_kind = _hash(wide_text(space, name_at, 32))
    if hash_kind.digest_size != digest_size:
        raise NtError(wrong)
    if flags == BCRYPT_PAD_PKCS1:
        return [paddings.PKCS1v15(), Prehashed(hash_kind)]
    salt = question(thread, padding, PaddingInfo).cbSalt
    if salt > _LONGEST:
        raise NtError(STATUS_INVALID_PARAMETER)
    return [paddings.PSS(paddings.MGF1(hash_kind), salt), Prehashed(hash_kind)]


def _give(thread: Thread, q: CryptQuestion | PaddedCryptQuestion | SignQuestion, made: bytes) -> int:
    """Hand over the outcome, if there is room."""
    space = thread.process.space
    space.write_u32(q.ret_len, len(made))
    if q.output_len < len(made):
        return STATUS_BUFFER_TOO_SMALL
    space.write(q.output, made)
    return STATUS_SUCCESS


def sign(thread: Thread, arguments: int) -> int:
    """key_asymmetric_sign: the signature, or its length when there is nowhere to put it."""
    q = question(thread, arguments, SignQuestion)
    key = asymmetric_key(thread, q.key)
    space = thread.process.space
    if q.input_len > _LONGEST:
        return STATUS_INVALID_PARAMETER
    half = {ALG_ECDSA_P256: 32, ALG_ECDSA_P384: 48, ALG_DSA: 20}.get(key.alg_id, 0)
    size = 2 * half or key.bitlen // 8
    scheme = _scheme(thread, key, q.padding, q.flags, q.input_len, STATUS_INVALID_PARAMETER)
    if not q.output:
        space.write_u32(q.ret_len, size)
        return STATUS_SUCCESS
    signer: Any = _pair(thread, key).private
    try:
        made: bytes = signer.sign(space.read(q.input, q.input_len), *scheme)
        if half:
            from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature

            made = b"".join(number.to_bytes(half, "big") for number in decode_dss_signature(made))
    except (ValueError, OverflowError):
        return STATUS_INVALID_PARAMETER
    return _give(thread, q, made)


def verify(thread: Thread, arguments: int) -> int:
    from cryptography.exceptions import InvalidSignature

    q = question(thread, arguments, VerifyQuestion)
    key = asymmetric_key(thread, q.key)
    if max(q.hash_len, q.signature_len) > _LONGEST:
        return STATUS_INVALID_PARAMETER
    space = thread.process.space
    scheme = _scheme(thread, key, q.padding, q.flags, q.hash_len, STATUS_INVALID_SIGNATURE)
    signature = space.read(q.signature, q.signature_len)
    if key.alg_id not in _RSA:
        from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

        half = len(signature) // 2
        signature = encode_dss_signature(
            int.from_bytes(signature[:half], "big"), int.from_bytes(signature[half:], "big")
        )
    verifier: Any = _pair(thread, key).public
    try:
        verifier.verify(signature, space.read(q.hash, q.hash_len), *scheme)
    except (InvalidSignature, ValueError):
        return STATUS_INVALID_SIGNATURE
    return STATUS_SUCCESS


def _rsa_crypt(thread: Thread, arguments: int, *, encrypts: bool) -> int:
    """With PKCS #1 padding: the only one that Wine 8's DLL hands on."""
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15

    q = question(thread, arguments, CryptQuestion)
    key = asymmetric_key(thread, q.key)
    if isinstance(key, AsymmetricKeyWithDH):
        q = question(thread, arguments, PaddedCryptQuestion)
        if q.flags != BCRYPT_PAD_PKCS1:
            return STATUS_NOT_SUPPORTED
    if key.alg_id not in _RSA or q.input_len > _LONGEST:
        return STATUS_INVALID_PARAMETER
    space, pair = thread.process.space, _pair(thread, key)
    worker: Any = pair.public if encrypts else pair.private
    data = space.read(q.input, q.input_len)
    try:
        made: bytes = worker.encrypt(data, PKCS1v15()) if encrypts else worker.decrypt(data, PKCS1v15())
    except ValueError:
        return STATUS_INVALID_PARAMETER
    return _give(thread, q, made)


def encrypt(thread: Thread, arguments: int) -> int:
    return _rsa_crypt(thread, arguments, encrypts=True)


def decrypt(thread: Thread, arguments: int) -> int:
    return _rsa_crypt(thread, arguments, encrypts=False)
