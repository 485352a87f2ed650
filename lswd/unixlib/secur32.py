"""The Unix half of secur32 (Wine 8): Schannel's TLS, by Python's ``ssl``. Clients only, as in the DLL; no DTLS.

The guest brings what has come from the network and carries away what is to be sent: nothing here touches a socket.
Source: Microsoft "Schannel"; the layouts and the numbers of the functions are in the type information of the DLL.
"""

from __future__ import annotations

from lswd.ntdef.status import (
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_NOT_SUPPORTED,
    STATUS_SUCCESS,
)
from lswd.ntdef.types import PVOID, ULONG, ULONGLONG, Struct
from lswd.unixlib.arguments import question, text
from lswd.unixlib.handles import Handles
from lswd.unixlib.schannel_attributes import (
    get_application_protocol,
    get_cipher_info,
    get_connection_info,
    get_key_signature_algorithm,
    get_max_message_size,
    get_session_cipher_block_size,
    get_session_peer_certificate,
    get_unique_channel_binding,
)
from lswd.unixlib.schannel_session import (
    ALPN,
    SEC_E_ALGORITHM_MISMATCH,
    SEC_E_BUFFER_TOO_SMALL,
    SEC_E_ILLEGAL_MESSAGE,
    SEC_E_INTERNAL_ERROR,
    SEC_E_OK,
    SEC_E_UNSUPPORTED_FUNCTION,
    SEC_I_CONTINUE_NEEDED,
    InfoQuestion,
    SessionQuestion,
    Sessions,
    session_of,
)
from lswd.unixlib.security_buffers import (
    SECBUFFER_DATA,
    SECBUFFER_EMPTY,
    SECBUFFER_STREAM_HEADER,
    SECBUFFER_STREAM_TRAILER,
    SECBUFFER_TOKEN,
    Buffers,
)
from lswd.unixlib.tls import (
    RECORD_HEADER,
    VERSIONS,
    ClientCertificate,
    TlsClient,
    TlsError,
    available,
)

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread
    from lswd.unixlib import UnixFunction

SECPKG_CRED_OUTBOUND = 2
# The bits of VERSIONS: SP_PROT_TLS1_0_CLIENT to SP_PROT_TLS1_3_CLIENT.
_PROTOCOLS = dict(zip((0x80, 0x200, 0x800, 0x2000), VERSIONS, strict=True))

# Why a handshake failed, by OpenSSL's name: no version, or no cipher, that both sides speak. Anything else is an
# internal error, as in Wine.
_FAILURES = {
    "NO_PROTOCOLS_AVAILABLE": SEC_E_UNSUPPORTED_FUNCTION,
    "UNSUPPORTED_PROTOCOL": SEC_E_UNSUPPORTED_FUNCTION,
    "TLSV1_ALERT_PROTOCOL_VERSION": SEC_E_UNSUPPORTED_FUNCTION,
    "TLSV1_ALERT_INSUFFICIENT_SECURITY": SEC_E_ALGORITHM_MISMATCH,
    "SSLV3_ALERT_HANDSHAKE_FAILURE": SEC_E_ILLEGAL_MESSAGE,
}

_LONGEST = 1 << 20
_LONGEST_NAME = 255


class SchanCredentials(Struct):
    credential_use: ULONG
    enabled_protocols: ULONG
    credentials: ULONGLONG


class CredentialsQuestion(Struct):
    c: PVOID
    cert_encoding: ULONG
    cert_size: ULONG
    cert_blob: PVOID
    key_size: ULONG
    key_blob: PVOID


class CreateQuestion(Struct):
    cred: PVOID
    session: PVOID


class HandshakeQuestion(Struct):
    session: ULONGLONG
    input: PVOID
    input_size: ULONG
    output: PVOID
    input_offset: PVOID
    output_buffer_idx: PVOID
    output_offset: PVOID
    control_token: ULONG


class RecvQuestion(Struct):
    session: ULONGLONG
    input: PVOID
    input_size: ULONG
    buffer: PVOID
    length: PVOID


class SendQuestion(Struct):
    session: ULONGLONG
    output: PVOID
    buffer: PVOID
    length: ULONG
    output_buffer_idx: PVOID
    output_offset: PVOID


class ProtocolsQuestion(Struct):
    session: ULONGLONG
    buffer: PVOID
    buflen: ULONG


class Credentials(Handles["ClientCertificate | bool"]):
    """What clients show: a certificate, or (True) nothing. A part of the System."""


async def allocate_certificate_credentials(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, CredentialsQuestion)
    space = thread.process.space
    shown: ClientCertificate | bool = True
    if q.cert_blob:
        from lswd.unixlib.rsa_blob import is_large, unpack
        from lswd.unixlib.rsa_check import is_sound

        if q.cert_size > _LONGEST or q.key_size > _LONGEST or not q.key_blob:
            return STATUS_INVALID_PARAMETER
        try:
            certificate, blob = space.read(q.cert_blob, q.cert_size), space.read(q.key_blob, q.key_size)
            large = is_large(blob)
            if large and not await is_sound(lambda: unpack(blob)):
                return STATUS_INVALID_PARAMETER
            shown = ClientCertificate(certificate, unpack(blob, sound=large))
        except ValueError:
            return STATUS_INVALID_PARAMETER
        except OSError:
            return STATUS_NO_MEMORY
    place = q.c + SchanCredentials.offset(space.word, "credentials")
    space.probe_write(place, 8)
    space.write_u64(place, thread.process.system.part(Credentials).add(thread.process, shown))
    return STATUS_SUCCESS


def free_certificate_credentials(thread: Thread, arguments: int) -> int:
    space = thread.process.space
    known = question(thread, space.read_pointer(arguments), SchanCredentials)
    thread.process.system.part(Credentials).remove(thread.process, known.credentials)
    return STATUS_SUCCESS


def create_session(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, CreateQuestion)
    process = thread.process
    credentials = question(thread, q.cred, SchanCredentials)
    versions = [version for bit, version in _PROTOCOLS.items() if credentials.enabled_protocols & bit]
    if not versions or credentials.credential_use != SECPKG_CRED_OUTBOUND:
        return STATUS_NOT_SUPPORTED
    shown = process.system.part(Credentials).get(process, credentials.credentials)
    process.space.probe_write(q.session, 8)
    client = TlsClient(versions, shown if isinstance(shown, ClientCertificate) else None)
    process.space.write_u64(q.session, process.system.part(Sessions).add(process, client))
    return STATUS_SUCCESS


def dispose_session(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, SessionQuestion)
    thread.process.system.part(Sessions).remove(thread.process, q.session)
    return STATUS_SUCCESS


def set_session_target(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, InfoQuestion)
    name = text(thread.process.space, q.info, _LONGEST_NAME)
    session_of(thread, q.session).host = name.decode("utf-8", "replace") or None
    return STATUS_SUCCESS


def set_application_protocols(thread: Thread, arguments: int) -> int:
    """SEC_APPLICATION_PROTOCOLS: one list of names, each with its length before it."""
    q = question(thread, arguments, ProtocolsQuestion)
    if not 10 <= q.buflen <= 1 << 16:
        return STATUS_INVALID_PARAMETER
    data = thread.process.space.read(q.buffer, q.buflen)
    if int.from_bytes(data[4:8], "little") != ALPN:
        return STATUS_NOT_SUPPORTED
    size = int.from_bytes(data[8:10], "little")
    listed, names, at = data[10 : 10 + size], [], 0
    while at < len(listed):
        name = listed[at + 1 : at + 1 + listed[at]]
        if not name or len(name) < listed[at] or not name.isascii():
            return STATUS_INVALID_PARAMETER
        names.append(name.decode())
        at += 1 + len(name)
    if not names or len(listed) < size:
        return STATUS_INVALID_PARAMETER
    session_of(thread, q.session).protocols = names
    return STATUS_SUCCESS


def handshake(thread: Thread, arguments: int) -> int:
    """One step: takes the input up to the end of the handshake, gives as much output as there is room for."""
    q = question(thread, arguments, HandshakeQuestion)
    space, client = thread.process.space, session_of(thread, q.session)
    if q.input_size > _LONGEST:
        return STATUS_INVALID_PARAMETER
    data = b""
    if q.input and q.input_size:
        data = Buffers(space, q.input).read(SECBUFFER_TOKEN, q.input_size)
    taken, status = len(data), SEC_E_OK
    try:
        if q.control_token:
            client.close()
        elif client.handshake(data):
            taken = max(0, taken - client.give_back())
        else:
            status = SEC_I_CONTINUE_NEEDED
    except TlsError as error:
        status = _FAILURES.get(error.reason, SEC_E_INTERNAL_ERROR)
    space.write_u32(q.input_offset, taken)
    used, size = -1, 0
    if q.output:
        buffers = Buffers(space, q.output)
        index = buffers.find(SECBUFFER_TOKEN)
        if index < 0:
            index = buffers.find(SECBUFFER_EMPTY)
        if index >= 0 and (out := client.output(buffers.room(index))):
            buffers.write(index, out)
            used, size = index, len(out)
    space.write_u32(q.output_buffer_idx, used & 0xFFFFFFFF)
    space.write_u32(q.output_offset, size)
    return status


def send(thread: Thread, arguments: int) -> int:
    """Encrypt: the record runs through the buffers for header, data and trailer, one after the other.

    What is refused for lack of room has not been encrypted, so the caller may repeat it.
    """
    q = question(thread, arguments, SendQuestion)
    space, client = thread.process.space, session_of(thread, q.session)
    if q.length > _LONGEST:
        return STATUS_INVALID_PARAMETER
    buffers = Buffers(space, q.output)
    wanted = (SECBUFFER_STREAM_HEADER, SECBUFFER_DATA, SECBUFFER_STREAM_TRAILER)
    if buffers.find(SECBUFFER_STREAM_HEADER) < 0:
        wanted = (SECBUFFER_TOKEN, SECBUFFER_DATA, SECBUFFER_TOKEN)
    places = buffers.in_order(wanted)
    try:
        most = client.most_encrypted(q.length)
        if sum(buffers.room(index) for index in places) < most:
            return SEC_E_BUFFER_TOO_SMALL
        for index in places:
            buffers.probe_write(index, most)
        space.probe_write(q.output_buffer_idx, 4)
        space.probe_write(q.output_offset, 4)
        record = client.encrypt(space.read(q.buffer, q.length))
    except TlsError:
        return SEC_E_INTERNAL_ERROR
    index, size = -1, 0
    for index in places:
        part, record = record[: buffers.room(index)], record[buffers.room(index) :]
        buffers.write(index, part)
        size = len(part)
        if not record:
            break
    space.write_u32(q.output_buffer_idx, index & 0xFFFFFFFF)
    space.write_u32(q.output_offset, size)
    return SEC_E_OK


def recv(thread: Thread, arguments: int) -> int:
    """Decrypt whole records, if there is room for what they can carry."""
    q = question(thread, arguments, RecvQuestion)
    space, client = thread.process.space, session_of(thread, q.session)
    room = space.read_u32(q.length)
    if q.input_size > _LONGEST:
        return STATUS_INVALID_PARAMETER
    if room < q.input_size - RECORD_HEADER:
        return SEC_E_BUFFER_TOO_SMALL
    space.probe_write(q.buffer, min(room, _LONGEST))
    try:
        plain = client.decrypt(Buffers(space, q.input).read(SECBUFFER_DATA, q.input_size))
    except TlsError:
        return SEC_E_INTERNAL_ERROR
    if len(plain) > room:
        return SEC_E_BUFFER_TOO_SMALL
    space.write(q.buffer, plain)
    space.write_u32(q.length, len(plain))
    return SEC_E_OK


def get_enabled_protocols(thread: Thread, arguments: int) -> int:
    """What can be spoken here; the DLL refuses credentials for anything else. The result is the answer."""
    return sum(bit for bit, version in _PROTOCOLS.items() if version in available())


FUNCTIONS: dict[int, UnixFunction] = {
    2: allocate_certificate_credentials,
    3: create_session,
    4: dispose_session,
    5: free_certificate_credentials,
    6: get_application_protocol,
    7: get_cipher_info,
    8: get_connection_info,
    9: get_enabled_protocols,
    10: get_key_signature_algorithm,
    11: get_max_message_size,
    12: get_session_cipher_block_size,
    13: get_session_peer_certificate,
    14: get_unique_channel_binding,
    15: handshake,
    16: recv,
    17: send,
    18: set_application_protocols,
    20: set_session_target,
}
