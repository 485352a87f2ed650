"""The Unix half of crypt32 (Wine 8): the certificates this host trusts, and what PKCS #12 files hold.

The DLL copies the former into its own store (Root, in the registry) and does all judging itself.
Source: Microsoft "PFXImportCertStore"; the layouts and the numbers of the functions are in the type information of the
DLL.
"""

from __future__ import annotations

from lswd.host.trusted_certificates import trusted_certificates
from lswd.ntdef.status import (
    STATUS_BUFFER_TOO_SMALL,
    STATUS_INVALID_PARAMETER,
    STATUS_NO_MEMORY,
    STATUS_NO_MORE_ENTRIES,
    STATUS_SUCCESS,
)
from lswd.ntdef.types import PVOID, ULONG, ULONGLONG, Struct
from lswd.unixlib.arguments import question, wide_text
from lswd.unixlib.handles import Handles

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.process import Process
    from lswd.kernel.system import System
    from lswd.kernel.thread import Thread
    from lswd.unixlib import UnixFunction

_LONGEST = 1 << 24
_LONGEST_PASSWORD = 1024
_MOST_SECONDS = 10  # of a processor, for a file: what Windows writes takes a hundredth of one


class DataBlob(Struct):
    cbData: ULONG
    pbData: PVOID


class OpenQuestion(Struct):
    pfx: PVOID
    password: PVOID
    data_ret: PVOID


class KeyQuestion(Struct):
    data: ULONGLONG
    buf: PVOID
    buf_size: PVOID


class CertQuestion(Struct):
    data: ULONGLONG
    index: ULONG
    buf: PVOID
    buf_size: PVOID


class RootQuestion(Struct):
    buffer: PVOID
    room: ULONG
    needed: PVOID


class Pfx:
    """What a PKCS #12 file holds: one key, and its certificate before the others."""

    def __init__(self, key: bytes, certificates: list[bytes]) -> None:
        self.key = key
        self.certificates = certificates


async def open_pfx(data: bytes, password: str | None) -> Pfx | None:
    """None: not such a file, another password, no RSA key in it; or so many rounds of hashing are between the password
    and the key that nobody can mean it.

    Raises:
        OSError: the host has no room for what it takes.
    """
    import marshal
    import warnings

    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
    from cryptography.hazmat.primitives.serialization import Encoding
    from cryptography.hazmat.primitives.serialization.pkcs12 import load_pkcs12

    from lswd.kernel.copied import in_copy
    from lswd.unixlib.rsa_blob import pack

    def parse() -> bytes:
        warnings.simplefilter("ignore")  # they would be among the program's own words
        found = load_pkcs12(data, (password or "").encode("utf-8", "surrogatepass"))
        if not isinstance(found.key, RSAPrivateKey):
            return b""
        known = [found.cert, *found.additional_certs] if found.cert is not None else found.additional_certs
        return marshal.dumps((pack(found.key), [each.certificate.public_bytes(Encoding.DER) for each in known]))

    parsed = await in_copy(parse, _MOST_SECONDS)
    return Pfx(*marshal.loads(parsed)) if parsed else None


class OpenFiles(Handles[Pfx]):
    """A part of the System."""


class RootCertificates:
    """Where each process is in the enumeration. A part of the System."""

    def __init__(self, system: System) -> None:
        self._left: dict[Process, list[bytes]] = {}

    def left(self, process: Process) -> list[bytes]:
        """Those which the process has not been told of, the next one last."""
        left = self._left.get(process)
        if left is None:
            left = self._left[process] = trusted_certificates()[::-1]
            process.on_close.append(lambda: self.forget(process))
        return left

    def forget(self, process: Process) -> None:
        self._left.pop(process, None)


async def open_cert_store(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, OpenQuestion)
    space = thread.process.space
    blob = question(thread, q.pfx, DataBlob)
    if blob.cbData > _LONGEST:
        return STATUS_INVALID_PARAMETER
    password = wide_text(space, q.password, _LONGEST_PASSWORD) if q.password else None
    try:
        opened = await open_pfx(space.read(blob.pbData, blob.cbData), password)
    except OSError:
        return STATUS_NO_MEMORY
    if opened is None:
        return STATUS_INVALID_PARAMETER
    space.probe_write(q.data_ret, 8)
    space.write_u64(q.data_ret, thread.process.system.part(OpenFiles).add(thread.process, opened))
    return STATUS_SUCCESS


def _give(thread: Thread, data: bytes, buffer: int, size_at: int) -> int:
    """Put ``data`` into the caller's buffer, or tell how much it takes."""
    space = thread.process.space
    if not buffer or space.read_u32(size_at) < len(data):
        space.write_u32(size_at, len(data))
        return STATUS_BUFFER_TOO_SMALL
    space.write(buffer, data)
    return STATUS_SUCCESS


def import_store_key(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, KeyQuestion)
    opened = thread.process.system.part(OpenFiles).get(thread.process, q.data)
    return _give(thread, opened.key, q.buf, q.buf_size)


def import_store_cert(thread: Thread, arguments: int) -> int:
    q = question(thread, arguments, CertQuestion)
    opened = thread.process.system.part(OpenFiles).get(thread.process, q.data)
    if q.index >= len(opened.certificates):
        return STATUS_NO_MORE_ENTRIES
    return _give(thread, opened.certificates[q.index], q.buf, q.buf_size)


def close_cert_store(thread: Thread, arguments: int) -> int:
    number = thread.process.space.read_u64(arguments)
    thread.process.system.part(OpenFiles).remove(thread.process, number)
    return STATUS_SUCCESS


def enum_root_certs(thread: Thread, arguments: int) -> int:
    """The next certificate. One that does not fit is the next one again."""
    q = question(thread, arguments, RootQuestion)
    space, roots = thread.process.space, thread.process.system.part(RootCertificates)
    left = roots.left(thread.process)
    if not left:
        roots.forget(thread.process)
        return STATUS_NO_MORE_ENTRIES
    space.write_u32(q.needed, len(left[-1]))
    if len(left[-1]) <= q.room:
        space.write(q.buffer, left[-1])
        left.pop()
    return STATUS_SUCCESS


FUNCTIONS: dict[int, UnixFunction] = {
    2: open_cert_store,
    3: import_store_key,
    4: import_store_cert,
    5: close_cert_store,
    6: enum_root_certs,
}
