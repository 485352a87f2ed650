"""What a TLS connection was agreed on: what QueryContextAttributes asks of secur32's Unix half.

Source: Microsoft "SecPkgContext_ConnectionInfo", "SecPkgContext_CipherInfo"; the layouts are in the type information of
the DLL.
"""

from __future__ import annotations

from lswd.ntdef.status import NtError
from lswd.ntdef.types import LONG, PVOID, UCHAR, ULONG, ULONGLONG, Struct, array, raw
from lswd.unixlib.arguments import question
from lswd.unixlib.schannel_session import (
    ALPN,
    SEC_E_BUFFER_TOO_SMALL,
    SEC_E_INTERNAL_ERROR,
    SEC_E_OK,
    InfoQuestion,
    SessionQuestion,
    session_of,
)
from lswd.unixlib.tls import LARGEST_RECORD, Suite, TlsError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.thread import Thread

_VERSION_NUMBERS = {"TLSv1": 0x301, "TLSv1.1": 0x302, "TLSv1.2": 0x303, "TLSv1.3": 0x304}
_PROTOCOL_BITS = {"TLSv1": 0x80, "TLSv1.1": 0x200, "TLSv1.2": 0x800, "TLSv1.3": 0x2000}
CALG_3DES, CALG_AES_128, CALG_AES_256 = 0x6603, 0x660E, 0x6610
CALG_RSA_SIGN, CALG_ECDSA = 0x2400, 0x2203
CALG_RSA_KEYX, CALG_DH_EPHEM, CALG_ECDH_EPHEM = 0xA400, 0xAA02, 0xAE06
_HASHES = {"SHA": (0x8004, 160), "SHA256": (0x800C, 256), "SHA384": (0x800D, 384)}

_NEGOTIATED = 1  # SecApplicationProtocolNegotiationStatus_Success


class PeerQuestion(Struct):
    session: ULONGLONG
    buffer: PVOID
    bufsize: PVOID
    retcount: PVOID


class SecPkgContext_ConnectionInfo(Struct):
    dwProtocol: ULONG
    aiCipher: ULONG
    dwCipherStrength: ULONG
    aiHash: ULONG
    dwHashStrength: ULONG
    aiExch: ULONG
    dwExchStrength: ULONG


class SecPkgContext_CipherInfo(Struct):
    dwVersion: ULONG
    dwProtocol: ULONG
    dwCipherSuite: ULONG
    dwBaseCipherSuite: ULONG
    szCipherSuite: bytes = raw(128)
    szCipher: bytes = raw(128)
    dwCipherLen: ULONG
    dwCipherBlockLen: ULONG
    szHash: bytes = raw(128)
    dwHashLen: ULONG
    szExchange: bytes = raw(128)
    dwMinExchangeLen: ULONG
    dwMaxExchangeLen: ULONG
    szCertificate: bytes = raw(128)
    dwKeyType: ULONG


class SecPkgContext_ApplicationProtocol(Struct):
    ProtoNegoStatus: LONG
    ProtoNegoExt: LONG
    ProtocolIdSize: UCHAR
    ProtocolId: tuple[int, ...] = array(UCHAR, 255)


def get_application_protocol(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, InfoQuestion)
    client, answer = session_of(thread, q.session), SecPkgContext_ApplicationProtocol()
    try:
        name = (client.connection.selected_alpn_protocol() or "").encode()
    except (TlsError, ValueError):  # a server may choose what is no text
        return SEC_E_INTERNAL_ERROR
    if name:
        answer = SecPkgContext_ApplicationProtocol(
            ProtoNegoStatus=_NEGOTIATED, ProtoNegoExt=ALPN, ProtocolIdSize=len(name), ProtocolId=tuple(name)
        )
    thread.process.space.write(q.info, answer.pack(8))
    return SEC_E_OK


def _suite(thread: Thread, session: int) -> Suite:
    """
    Raises:
        NtError: SEC_E_INTERNAL_ERROR: there is no connection.
    """
    try:
        return Suite(session_of(thread, session))
    except TlsError:
        raise NtError(SEC_E_INTERNAL_ERROR) from None


def _block(suite: Suite) -> int:
    return 16 if suite.is_aes else 8 if suite.is_3des else 1


def _own_hash(suite: Suite) -> int:
    """Bits of the code that guards a record; 0 where the cipher itself does."""
    return 0 if suite.has_own_integrity else _HASHES.get(suite.hash, (0, 0))[1]


def get_connection_info(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, InfoQuestion)
    suite = _suite(thread, q.session)
    aes = CALG_AES_128 if suite.bits == 128 else CALG_AES_256
    info = SecPkgContext_ConnectionInfo(
        dwProtocol=_PROTOCOL_BITS.get(suite.version, 0),
        aiCipher=aes if suite.is_aes else CALG_3DES if suite.is_3des else 0,
        dwCipherStrength=suite.bits,
        aiHash=_HASHES.get(suite.hash, (0, 0))[0],
        dwHashStrength=_own_hash(suite),
        aiExch=CALG_ECDH_EPHEM if suite.is_elliptic else CALG_DH_EPHEM if suite.is_ephemeral else CALG_RSA_KEYX,
    )
    thread.process.space.write(q.info, info.pack(8))
    return SEC_E_OK


def get_cipher_info(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, InfoQuestion)
    suite = _suite(thread, q.session)
    cipher = "AES" if suite.is_aes else "3DES" if suite.is_3des else "CHACHA20_POLY1305"
    exchange = "ECDHE" if suite.is_elliptic else "DHE" if suite.is_ephemeral else "RSA"
    signed = "ECDSA" if suite.is_ecdsa else "RSA"
    mode = "GCM" if "GCM" in suite.words else "CCM" if suite.has_own_integrity else "CBC"
    name = f"TLS_{exchange}_{signed}_WITH_{cipher}_{suite.bits}_{mode}_{suite.hash}"
    if not suite.is_aes:
        name = f"TLS_{exchange}_{signed}_WITH_{cipher}_{suite.hash}"

    def wide(words: str) -> bytes:
        return words.encode("utf-16-le")

    info = SecPkgContext_CipherInfo(
        dwProtocol=_VERSION_NUMBERS.get(suite.version, 0),
        szCipherSuite=wide(name),
        szCipher=wide(cipher),
        dwCipherLen=suite.bits,
        dwCipherBlockLen=_block(suite),
        szHash=wide("SHA1" if suite.hash == "SHA" else suite.hash),
        dwHashLen=_own_hash(suite),
        szExchange=wide("ECDH" if suite.is_elliptic else exchange.removesuffix("E")),
        dwMaxExchangeLen=65536,
        szCertificate=wide(signed),
    )
    space = thread.process.space
    # The version is the caller's: he says which structure this is.
    info.dwVersion = space.read_u32(q.info)
    space.write(q.info, info.pack(8))
    return SEC_E_OK


def get_key_signature_algorithm(thread: Thread, arguments: int) -> int:
    """The result is the answer."""
    q = question(thread, arguments, SessionQuestion)
    return CALG_ECDSA if _suite(thread, q.session).is_ecdsa else CALG_RSA_SIGN


def get_max_message_size(thread: Thread, arguments: int) -> int:
    """The result is the answer."""
    return LARGEST_RECORD


def get_session_cipher_block_size(thread: Thread, arguments: int) -> int:
    """The result is the answer."""
    q = question(thread, arguments, SessionQuestion)
    return _block(_suite(thread, q.session))


def get_session_peer_certificate(thread: Thread, arguments: int) -> int:
    """The sizes of all certificates, then all certificates."""
    q = question(thread, arguments, PeerQuestion)
    space = thread.process.space
    try:
        found = session_of(thread, q.session).peer_certificates()
    except TlsError:
        return SEC_E_INTERNAL_ERROR
    sizes = b"".join(len(each).to_bytes(4, "little") for each in found)
    room = space.read_u32(q.bufsize)
    space.write_u32(q.bufsize, len(sizes) + sum(map(len, found)))
    if not q.buffer or room < len(sizes) + sum(map(len, found)):
        return SEC_E_BUFFER_TOO_SMALL
    space.write(q.buffer, sizes + b"".join(found))
    space.write_u32(q.retcount, len(found))
    return SEC_E_OK


def get_unique_channel_binding(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, PeerQuestion)
    space = thread.process.space
    try:
        binding = session_of(thread, q.session).connection.get_channel_binding("tls-unique")
    except (TlsError, ValueError):
        binding = None
    if not binding:
        return SEC_E_INTERNAL_ERROR
    room = space.read_u32(q.bufsize)
    space.write_u32(q.bufsize, len(binding))
    if not q.buffer or room < len(binding):
        return SEC_E_BUFFER_TOO_SMALL
    space.write(q.buffer, binding)
    return SEC_E_OK
