"""The Unix half of bcrypt (Wine 8), as far as symmetric keys go: AES and 3DES, by OpenSSL's libcrypto.

Hashes and random numbers are done by the DLL itself. Keys of public-key algorithms are not here yet; functions that
are absent fail with STATUS_NOT_IMPLEMENTED and are counted.
Source: Microsoft "BCryptEncrypt", "BCRYPT_AUTHENTICATED_CIPHER_MODE_INFO"; OpenSSL's manual page EVP_EncryptInit(3);
the layouts and the numbers of the functions are in the type information of the DLL.
"""

from __future__ import annotations

import ctypes

from lswd.ntdef.status import (
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
    STATUS_UNSUCCESSFUL,
    NtError,
)
from lswd.ntdef.types import PVOID, ULONG, ULONGLONG, Struct, array

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lswd.kernel.process import Process
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread
    from lswd.unixlib import UnixFunction

# alg_id and chain_mode in a key
ALG_3DES = 0
ALG_AES = 1
MODE_CBC = 0
MODE_ECB = 1
MODE_CFB = 2
MODE_GCM = 4

_SUFFIXES = {MODE_CBC: "CBC", MODE_ECB: "ECB", MODE_CFB: "CFB8", MODE_GCM: "GCM"}
_SECRETS = {ALG_AES: (16, 24, 32), ALG_3DES: (24,)}
_EVP_CTRL_AEAD_SET_IVLEN = 9
_EVP_CTRL_AEAD_GET_TAG = 16
_TAG = 16
_MOST_KEYS = 1 << 14
_LONGEST_VECTOR = 128  # EVP_MAX_AEAD_TAG_LENGTH and the like: GCM takes odd lengths, but not any
_LONGEST = 1 << 30


class SymmetricKey(Struct):
    """The DLL's own object of a key, as much of it as concerns us."""

    magic: ULONG
    alg_id: ULONG
    private: tuple[int, ...] = array(ULONGLONG, 2)
    mode: ULONG
    block_size: ULONG
    vector: PVOID
    vector_len: ULONG
    secret: PVOID
    secret_len: ULONG


class AuthDataQuestion(Struct):
    key: PVOID
    auth_data: PVOID
    len: ULONG


class CipherQuestion(Struct):
    key: PVOID
    input: PVOID
    input_len: ULONG
    output: PVOID
    output_len: ULONG


class TagQuestion(Struct):
    key: PVOID
    tag: PVOID
    len: ULONG


class _Library:
    """libcrypto, with the types of what is used of it."""

    def __init__(self) -> None:
        library = None
        for name in ("libcrypto.so.3", "libcrypto.so.1.1"):
            try:
                library = ctypes.CDLL(name)
                break
            except OSError:
                continue
        if library is None:
            raise NtError(STATUS_NOT_SUPPORTED)
        pointer, number, text = ctypes.c_void_p, ctypes.c_int, ctypes.c_char_p
        self.get_cipher = library.EVP_get_cipherbyname
        self.get_cipher.restype, self.get_cipher.argtypes = pointer, [text]
        self.new = library.EVP_CIPHER_CTX_new
        self.new.restype, self.new.argtypes = pointer, []
        self.free = library.EVP_CIPHER_CTX_free
        self.free.restype, self.free.argtypes = None, [pointer]
        self.init = library.EVP_CipherInit_ex
        self.init.argtypes = [pointer, pointer, pointer, text, text, number]
        self.control = library.EVP_CIPHER_CTX_ctrl
        self.control.argtypes = [pointer, number, number, pointer]
        self.set_padding = library.EVP_CIPHER_CTX_set_padding
        self.set_padding.argtypes = [pointer, number]
        self.update = library.EVP_CipherUpdate
        self.update.argtypes = [pointer, pointer, ctypes.POINTER(number), text, number]
        self.final = library.EVP_CipherFinal_ex
        self.final.argtypes = [pointer, pointer, ctypes.POINTER(number)]


class Cipher:
    """One direction of a key."""

    def __init__(self, library: _Library, name: str, secret: bytes, vector: bytes, *, encrypts: bool) -> None:
        """
        Raises:
            NtError: STATUS_NOT_SUPPORTED for what libcrypto does not know or take.
        """
        self._library = library
        self._context = library.new()
        cipher = library.get_cipher(name.encode())
        good = self._context and cipher and library.init(self._context, cipher, None, None, None, int(encrypts)) == 1
        if good and name.endswith("GCM"):
            good = library.control(self._context, _EVP_CTRL_AEAD_SET_IVLEN, len(vector), None) == 1
        if not good or library.init(self._context, None, None, secret, vector or None, int(encrypts)) != 1:
            raise NtError(STATUS_NOT_SUPPORTED)
        library.set_padding(self._context, 0)

    def __del__(self) -> None:
        if self._context:
            self._library.free(self._context)

    def authenticate(self, data: bytes) -> None:
        """GCM: data that counts for the tag and is not encrypted."""
        if self._library.update(self._context, None, ctypes.byref(ctypes.c_int()), data, len(data)) != 1:
            raise NtError(STATUS_UNSUCCESSFUL)

    def update(self, data: bytes) -> bytes:
        """The next part of the stream."""
        out = ctypes.create_string_buffer(len(data) + 32)
        count = ctypes.c_int()
        if data and self._library.update(self._context, out, ctypes.byref(count), data, len(data)) != 1:
            raise NtError(STATUS_UNSUCCESSFUL)
        return out.raw[: count.value]

    def tag(self) -> bytes:
        """GCM, encrypting: the end of the stream."""
        out = ctypes.create_string_buffer(32)
        if self._library.final(self._context, out, ctypes.byref(ctypes.c_int())) != 1:
            raise NtError(STATUS_UNSUCCESSFUL)
        if self._library.control(self._context, _EVP_CTRL_AEAD_GET_TAG, _TAG, out) != 1:
            raise NtError(STATUS_UNSUCCESSFUL)
        return out.raw[:_TAG]


class KeyState:
    """What a key is in the middle of, since its vector was set: a stream in either direction."""

    def __init__(self, library: _Library, key: SymmetricKey, secret: bytes, vector: bytes) -> None:
        suffix = _SUFFIXES.get(key.mode)
        if suffix is None or len(secret) not in _SECRETS.get(key.alg_id, ()):
            raise NtError(STATUS_NOT_SUPPORTED)
        if key.alg_id == ALG_3DES:
            self._name = {"ECB": "DES-EDE3-ECB", "CBC": "DES-EDE3-CBC"}.get(suffix, "")
        else:
            self._name = f"AES-{8 * len(secret)}-{suffix}"
        self._library = library
        self._secret, self._vector = secret, vector
        self._block = key.block_size if key.mode in (MODE_CBC, MODE_ECB) else 1
        self._authenticated = key.mode == MODE_GCM
        self._encrypting: Cipher | None = None
        self._decrypting: Cipher | None = None
        if len(vector) < (0 if key.mode == MODE_ECB else 1 if self._authenticated else key.block_size):
            raise NtError(STATUS_INVALID_PARAMETER)

    def _cipher(self, *, encrypts: bool) -> Cipher:
        return Cipher(self._library, self._name, self._secret, self._vector, encrypts=encrypts)

    def encrypting(self) -> Cipher:
        if self._encrypting is None:
            self._encrypting = self._cipher(encrypts=True)
        return self._encrypting

    def encrypt(self, data: bytes) -> bytes:
        """
        Raises:
            NtError: STATUS_INVALID_PARAMETER for a part of a block.
        """
        self._check(data)
        return self.encrypting().update(data)

    def decrypt(self, data: bytes) -> bytes:
        """The same backwards. The tag of GCM is that of the plain text, so that is encrypted again on the side."""
        self._check(data)
        if self._decrypting is None:
            self._decrypting = self._cipher(encrypts=False)
        plain = self._decrypting.update(data)
        if self._authenticated:
            self.encrypting().update(plain)
        return plain

    def _check(self, data: bytes) -> None:
        if self._block and len(data) % self._block:
            raise NtError(STATUS_INVALID_PARAMETER)


class Keys:
    """The keys in use, by process and address. A part of the System."""

    def __init__(self, system: System) -> None:
        self._library: _Library | None = None
        self._states: dict[Process, dict[int, KeyState]] = {}

    def state(self, thread: Thread, address: int) -> KeyState:
        """What the key at ``address`` is in the middle of; it begins now if that is nothing.

        Raises:
            NtError: what cannot be done with it.
        """
        process = thread.process
        states = self._states.get(process)
        if states is None:
            states = self._states[process] = {}
            process.on_close.append(lambda: self.forget_process(process))
        state = states.get(address)
        if state is None:
            if len(states) >= _MOST_KEYS:
                raise NtError(STATUS_NO_MEMORY)
            if self._library is None:
                self._library = _Library()
            space = process.space
            key = SymmetricKey.unpack(space.word, space.read(address, SymmetricKey.size(space.word)))
            if key.secret_len > 64 or key.vector_len > _LONGEST_VECTOR:
                raise NtError(STATUS_INVALID_PARAMETER)
            secret, vector = space.read(key.secret, key.secret_len), b""
            if key.vector and key.mode != MODE_ECB:
                vector = space.read(key.vector, key.vector_len)
            state = states[address] = KeyState(self._library, key, secret, vector)
        return state

    def forget(self, thread: Thread, address: int) -> None:
        """The key has another vector, or is gone."""
        self._states.get(thread.process, {}).pop(address, None)

    def forget_process(self, process: Process) -> None:
        self._states.pop(process, None)


def _keys(thread: Thread) -> Keys:
    return thread.process.system.part(Keys)


def _question(thread: Thread, address: int, kind: type[Any]) -> Any:
    space = thread.process.space
    return kind.unpack(space.word, space.read(address, kind.size(space.word)))


def attach(thread: Thread, arguments: int) -> int:
    return STATUS_SUCCESS


def forget(thread: Thread, arguments: int) -> int:
    """key_symmetric_vector_reset and key_symmetric_destroy; the key itself is the argument."""
    _keys(thread).forget(thread, arguments)
    return STATUS_SUCCESS


def set_auth_data(thread: Thread, arguments: int) -> int:
    q = _question(thread, arguments, AuthDataQuestion)
    if not q.auth_data:
        return STATUS_SUCCESS
    if q.len > _LONGEST:
        return STATUS_INVALID_PARAMETER
    _keys(thread).state(thread, q.key).encrypting().authenticate(thread.process.space.read(q.auth_data, q.len))
    return STATUS_SUCCESS


def _crypt(thread: Thread, arguments: int, *, encrypts: bool) -> int:
    q = _question(thread, arguments, CipherQuestion)
    space = thread.process.space
    if q.input_len > _LONGEST or q.output_len < q.input_len:
        return STATUS_INVALID_PARAMETER
    space.probe_write(q.output, q.input_len)
    state = _keys(thread).state(thread, q.key)
    data = space.read(q.input, q.input_len)
    space.write(q.output, state.encrypt(data) if encrypts else state.decrypt(data))
    return STATUS_SUCCESS


def encrypt(thread: Thread, arguments: int) -> int:
    return _crypt(thread, arguments, encrypts=True)


def decrypt(thread: Thread, arguments: int) -> int:
    return _crypt(thread, arguments, encrypts=False)


def get_tag(thread: Thread, arguments: int) -> int:
    q = _question(thread, arguments, TagQuestion)
    tag = _keys(thread).state(thread, q.key).encrypting().tag()
    thread.process.space.write(q.tag, tag[: q.len])
    return STATUS_SUCCESS


FUNCTIONS: dict[int, UnixFunction] = {
    0: attach,
    1: attach,
    2: forget,
    3: set_auth_data,
    4: encrypt,
    5: decrypt,
    6: get_tag,
    7: forget,
}
