"""Symmetric keys: AES and 3DES, by the package ``cryptography``.

Source: Microsoft "BCryptEncrypt", "BCRYPT_AUTHENTICATED_CIPHER_MODE_INFO".
"""

from __future__ import annotations

from lswd.kernel.loop import event_loop
from lswd.ntdef.status import (
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
    STATUS_UNSUCCESSFUL,
    NtError,
)
from lswd.ntdef.types import PVOID, ULONG, Struct
from lswd.unixlib.arguments import question
from lswd.unixlib.bcrypt.key import ALG_3DES, ALG_AES, MODE_CBC, MODE_CFB, MODE_ECB, MODE_GCM, symmetric_key

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from typing import Any

    from cryptography.hazmat.primitives.ciphers import Cipher

    from lswd.kernel.process import Process
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread
    from lswd.memory.space import AddressSpace
    from lswd.unixlib.bcrypt.key import AnySymmetricKey

_MODES = {ALG_AES: (MODE_CBC, MODE_ECB, MODE_CFB, MODE_GCM), ALG_3DES: (MODE_CBC, MODE_ECB)}
_SECRETS = {ALG_AES: (16, 24, 32), ALG_3DES: (24,)}
_BLOCKS = {ALG_AES: 16, ALG_3DES: 8}
_MOST_KEYS = 1 << 14
_LONGEST_VECTOR = 128
_LONGEST = 1 << 30
_QUICK = 1 << 24  # less than a second, which is not worth an event loop
_PIECE = 1 << 21


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


def _cipher(algorithm: int, mode: int, secret: bytes, vector: bytes) -> Cipher[Any]:
    from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
    from cryptography.hazmat.decrepit.ciphers.modes import CFB8
    from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

    chaining: dict[int, Any] = {MODE_CBC: modes.CBC, MODE_CFB: CFB8, MODE_GCM: modes.GCM}
    kind = TripleDES if algorithm == ALG_3DES else algorithms.AES
    return Cipher(kind(secret), chaining[mode](vector) if mode in chaining else modes.ECB())


class KeyState:
    """What a key is in the middle of, since its vector was set: a stream in either direction."""

    def __init__(self, key: AnySymmetricKey, secret: bytes, vector: bytes) -> None:
        """
        Raises:
            NtError: STATUS_NOT_SUPPORTED, STATUS_INVALID_PARAMETER (its vector).
        """
        if key.mode not in _MODES.get(key.alg_id, ()) or len(secret) not in _SECRETS[key.alg_id]:
            raise NtError(STATUS_NOT_SUPPORTED)
        block = _BLOCKS[key.alg_id]
        self._block = block if key.mode in (MODE_CBC, MODE_ECB) else 1
        self._authenticated = key.mode == MODE_GCM
        try:
            vector = vector if self._authenticated else vector[:block]
            self._cipher = _cipher(key.alg_id, key.mode, secret, vector)
        except ValueError:
            raise NtError(STATUS_INVALID_PARAMETER) from None
        self._encrypting: Any = None
        self._decrypting: Any = None
        self._tag: bytes | None = None

    def _encryptor(self) -> Any:
        if self._encrypting is None:
            self._encrypting = self._cipher.encryptor()
        if self._tag is not None:
            raise NtError(STATUS_UNSUCCESSFUL)  # the stream has ended
        return self._encrypting

    def authenticate(self, data: bytes) -> None:
        """GCM: data that counts for the tag and is not encrypted; comes first.

        Raises:
            NtError: STATUS_UNSUCCESSFUL: too late, or not this kind of key.
        """
        from cryptography.exceptions import AlreadyUpdated

        if not self._authenticated:
            raise NtError(STATUS_UNSUCCESSFUL)
        try:
            self._encryptor().authenticate_additional_data(data)
        except AlreadyUpdated:
            raise NtError(STATUS_UNSUCCESSFUL) from None

    def encrypt(self, data: bytes) -> bytes:
        """
        Raises:
            NtError: STATUS_INVALID_PARAMETER for a part of a block.
        """
        self.check(len(data))
        encrypted: bytes = self._encryptor().update(data)
        return encrypted

    def decrypt(self, data: bytes) -> bytes:
        """The same backwards. The tag of GCM is that of the plain text, so that is encrypted again on the side."""
        self.check(len(data))
        if self._decrypting is None:
            self._decrypting = self._cipher.decryptor()
        plain: bytes = self._decrypting.update(data)
        if self._authenticated:
            self._encryptor().update(plain)
        return plain

    def tag(self) -> bytes:
        """GCM: the end of the stream.

        Raises:
            NtError: STATUS_UNSUCCESSFUL: not this kind of key.
        """
        if not self._authenticated:
            raise NtError(STATUS_UNSUCCESSFUL)
        if self._tag is None:
            encryptor = self._encryptor()
            encryptor.finalize()
            self._tag = encryptor.tag
        return self._tag

    def check(self, size: int) -> None:
        """
        Raises:
            NtError: STATUS_INVALID_PARAMETER: ``size`` bytes are a part of a block.
        """
        if size % self._block:
            raise NtError(STATUS_INVALID_PARAMETER)


class Keys:
    """The keys in use, by process and address. A part of the System."""

    def __init__(self, system: System) -> None:
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
            process.on_close.append(lambda: self._forget_process(process))
        state = states.get(address)
        if state is None:
            if len(states) >= _MOST_KEYS:
                raise NtError(STATUS_NO_MEMORY)
            key = symmetric_key(thread, address)
            if key.secret_len > 64 or key.vector_len > _LONGEST_VECTOR:
                raise NtError(STATUS_INVALID_PARAMETER)
            space = process.space
            secret, vector = space.read(key.secret, key.secret_len), b""
            if key.vector and key.mode != MODE_ECB:
                vector = space.read(key.vector, key.vector_len)
            state = states[address] = KeyState(key, secret, vector)
        return state

    def forget(self, thread: Thread, address: int) -> None:
        """The key has another vector, or is gone."""
        self._states.get(thread.process, {}).pop(address, None)

    def _forget_process(self, process: Process) -> None:
        self._states.pop(process, None)


def _keys(thread: Thread) -> Keys:
    return thread.process.system.part(Keys)


def forget(thread: Thread, arguments: int) -> int:
    """key_symmetric_vector_reset and key_symmetric_destroy; the key itself is the argument."""
    _keys(thread).forget(thread, arguments)
    return STATUS_SUCCESS


def set_auth_data(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, AuthDataQuestion)
    if not q.auth_data:
        return STATUS_SUCCESS
    if q.len > _LONGEST:
        return STATUS_INVALID_PARAMETER
    _keys(thread).state(thread, q.key).authenticate(thread.process.space.read(q.auth_data, q.len))
    return STATUS_SUCCESS


def _crypt(thread: Thread, arguments: int, *, encrypts: bool) -> int | Coroutine[Any, Any, int]:
    q = question(thread, arguments, CipherQuestion)
    space = thread.process.space
    if q.input_len > _LONGEST or q.output_len < q.input_len:
        return STATUS_INVALID_PARAMETER
    space.probe_write(q.output, q.input_len)
    state = _keys(thread).state(thread, q.key)
    work = state.encrypt if encrypts else state.decrypt
    if q.input_len > _QUICK:
        return _crypt_in_pieces(space, state, work, q)
    space.write(q.output, work(space.read(q.input, q.input_len)))
    return STATUS_SUCCESS


async def _crypt_in_pieces(space: AddressSpace, state: KeyState, work: Callable[[bytes], bytes], q: Any) -> int:
    """Other threads get their turns between two pieces: a GiB may take minutes."""
    state.check(q.input_len)
    space.readable(q.input, q.input_len)
    await event_loop()
    import trio

    for at in range(0, q.input_len, _PIECE):
        space.write(q.output + at, work(space.read(q.input + at, min(_PIECE, q.input_len - at))))
        await trio.lowlevel.checkpoint()
    return STATUS_SUCCESS


def encrypt(thread: Thread, arguments: int) -> int | Coroutine[Any, Any, int]:
    return _crypt(thread, arguments, encrypts=True)


def decrypt(thread: Thread, arguments: int) -> int | Coroutine[Any, Any, int]:
    return _crypt(thread, arguments, encrypts=False)


def get_tag(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, TagQuestion)
    tag = _keys(thread).state(thread, q.key).tag()
    thread.process.space.write(q.tag, tag[: q.len])
    return STATUS_SUCCESS
