"""CertVerifyCertificateChainPolicy for TLS: Wine 8's takes a chain whose end is missing for good, so that programs
which ask no further would trust anybody.

Source: Microsoft "CertVerifyCertificateChainPolicy", "HTTPSPolicyCallbackData", "CERT_TRUST_STATUS"; RFC 6125 (names).
"""

from __future__ import annotations

from lswd.ntdef.status import NtError
from lswd.ntdef.types import BOOL, LONG, PVOID, ULONG, Struct
from lswd.userland.supplements.declare import supplement

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from lswd.userland.supplements.declare import ProcessCall

# [winerror.h]
TRUST_E_CERT_SIGNATURE = 0x80096004
CERT_E_EXPIRED = 0x800B0101
CERT_E_CRITICAL = 0x800B0105
CERT_E_UNTRUSTEDROOT = 0x800B0109
CERT_E_CHAINING = 0x800B010A
CERT_E_REVOKED = 0x800B010C
CERT_E_REVOCATION_FAILURE = 0x800B010E
CERT_E_CN_NO_MATCH = 0x800B010F
CERT_E_WRONG_USAGE = 0x800B0110

# SECURITY_FLAG_IGNORE_*
_REVOCATION, _UNKNOWN_CA, _WRONG_USAGE, _CERT_CN, _CERT_DATE = 0x80, 0x100, 0x200, 0x1000, 0x2000
# CERT_CHAIN_POLICY_*: what of dwFlags waives what fdwChecks can; then, where revocation may be unknown.
_WAIVERS = ((0x1, _CERT_DATE), (0x10, _UNKNOWN_CA), (0x20, _WRONG_USAGE), (0x40, _CERT_CN))
_END_UNKNOWN, _CA_UNKNOWN, _ROOT_UNKNOWN = 0x100, 0x400, 0x800
_OFFLINE_REVOCATION = 0x1000000
# What is wrong with a chain (CERT_TRUST_*), what the verdict is then, which of fdwChecks waives it; first come first.
_JUDGEMENTS = (
    (0x8, TRUST_E_CERT_SIGNATURE, 0),
    (0x20, CERT_E_UNTRUSTEDROOT, _UNKNOWN_CA),
    (0x10080, CERT_E_CHAINING, _UNKNOWN_CA),  # partial or cyclic
    (0x1, CERT_E_EXPIRED, _CERT_DATE),
    (0x10, CERT_E_WRONG_USAGE, _WRONG_USAGE),
    (0x4, CERT_E_REVOKED, _REVOCATION),
    (_OFFLINE_REVOCATION, CERT_E_REVOCATION_FAILURE, _REVOCATION),
    (0x8000000, CERT_E_CRITICAL, 0),
)
_LARGEST_CERTIFICATE = 1 << 20
_LONGEST_NAME = 1024
_MOST = 100


class ChainContext(Struct):
    """CERT_CHAIN_CONTEXT and CERT_SIMPLE_CHAIN begin alike: with trust and an array of pointers."""

    cbSize: ULONG
    dwErrorStatus: ULONG
    dwInfoStatus: ULONG
    count: ULONG
    items: PVOID


class ChainElement(Struct):
    cbSize: ULONG
    pCertContext: PVOID
    dwErrorStatus: ULONG
    dwInfoStatus: ULONG


class CertContext(Struct):
    dwCertEncodingType: ULONG
    pbCertEncoded: PVOID
    cbCertEncoded: ULONG


class PolicyParameters(Struct):
    cbSize: ULONG
    dwFlags: ULONG
    pvExtraPolicyPara: PVOID


class PolicyStatus(Struct):
    cbSize: ULONG
    dwError: ULONG
    lChainIndex: LONG
    lElementIndex: LONG


class HTTPSPolicyCallbackData(Struct):
    cbStruct: ULONG
    dwAuthType: ULONG
    fdwChecks: ULONG
    pwszServerName: PVOID


class _Reader:
    """Structures of the guest's."""

    def __init__(self, call: ProcessCall) -> None:
        self._space = call.space
        self._word = call.word

    def structure(self, address: int, kind: type[Any]) -> Any:
        return kind.unpack(self._word, self._space.read(address, kind.size(self._word)))

    def pointer(self, array: int, index: int) -> int:
        return int.from_bytes(self._space.read(array + index * self._word, self._word), "little")

    def data(self, address: int, size: int) -> bytes:
        return self._space.read(address, size)

    def text(self, address: int) -> str:
        characters = b""
        while len(characters) < 2 * _LONGEST_NAME and (unit := self._space.read(address, 2)) != b"\0\0":
            characters += unit
            address += 2
        return characters.decode("utf-16-le", "replace")


@supplement("crypt32.dll", partial="of the policies the one for TLS (CERT_CHAIN_POLICY_SSL)")
def CertVerifyCertificateChainPolicy(
    call: ProcessCall, pszPolicyOID: PVOID, pChainContext: PVOID, pPolicyPara: PVOID, pPolicyStatus: PVOID
) -> BOOL:
    """TRUE: there is a verdict, in the status."""
    reader = _Reader(call)
    try:
        flags, extra = 0, HTTPSPolicyCallbackData(fdwChecks=0, pwszServerName=0)
        if pPolicyPara:
            parameters = reader.structure(pPolicyPara, PolicyParameters)
            flags = parameters.dwFlags
            if parameters.pvExtraPolicyPara:
                extra = reader.structure(parameters.pvExtraPolicyPara, HTTPSPolicyCallbackData)
        checks = extra.fdwChecks
        for flag, check in _WAIVERS:
            checks |= check if flags & flag else 0
        status = _verdict(reader, pChainContext, checks, flags, extra.pwszServerName)
        status.cbSize = reader.structure(pPolicyStatus, PolicyStatus).cbSize
        call.space.write(pPolicyStatus, status.pack(call.word))
    except NtError:
        return 0
    return 1


def _verdict(reader: _Reader, chain: int, checks: int, flags: int, server_name: int) -> PolicyStatus:
    context = reader.structure(chain, ChainContext)
    for wrong, error, waived in _JUDGEMENTS:
        if context.dwErrorStatus & wrong and not checks & waived:
            if wrong == _OFFLINE_REVOCATION and _may_be_unknown(reader, context, flags):
                continue
            where = _where(reader, context, wrong)
            return PolicyStatus(dwError=error, lChainIndex=where[0], lElementIndex=where[1])
    if server_name and not checks & _CERT_CN and not _has_name(_leaf(reader, context), reader.text(server_name)):
        return PolicyStatus(dwError=CERT_E_CN_NO_MATCH)
    return PolicyStatus(lChainIndex=-1, lElementIndex=-1)


def _may_be_unknown(reader: _Reader, context: Any, flags: int) -> bool:
    """Does the caller put up with it wherever nobody could be asked about revocation?"""
    for i in range(min(context.count, _MOST)):
        simple = reader.structure(reader.pointer(context.items, i), ChainContext)
        for j in range(min(simple.count, _MOST)):
            accepted = _END_UNKNOWN if not j else _ROOT_UNKNOWN if j == simple.count - 1 else _CA_UNKNOWN
            element = reader.structure(reader.pointer(simple.items, j), ChainElement)
            if element.dwErrorStatus & _OFFLINE_REVOCATION and not flags & accepted:
                return False
    return bool(flags & (_END_UNKNOWN | _CA_UNKNOWN | _ROOT_UNKNOWN))


def _where(reader: _Reader, context: Any, wrong: int) -> tuple[int, int]:
    """Chain and element where it goes wrong; -1 where no single one is to blame."""
    for i in range(min(context.count, _MOST)):
        simple = reader.structure(reader.pointer(context.items, i), ChainContext)
        if simple.dwErrorStatus & wrong:
            for j in range(min(simple.count, _MOST)):
                if reader.structure(reader.pointer(simple.items, j), ChainElement).dwErrorStatus & wrong:
                    return i, j
            return i, -1
    return -1, -1


def _leaf(reader: _Reader, context: Any) -> bytes:
    """The certificate that the chain is about; empty when there is none."""
    simple = reader.structure(reader.pointer(context.items, 0), ChainContext) if context.count else None
    if simple is None or not simple.count:
        return b""
    element = reader.structure(reader.pointer(simple.items, 0), ChainElement)
    certificate = reader.structure(element.pCertContext, CertContext)
    return reader.data(certificate.pbCertEncoded, min(certificate.cbCertEncoded, _LARGEST_CERTIFICATE))


def _has_name(certificate: bytes, name: str) -> bool:
    """Is it a certificate of ``name``: a host's name, or an address? Names beside the subject's count before it."""
    import ipaddress
    import warnings

    from cryptography import x509
    from cryptography.x509.oid import NameOID

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # they would be among the program's own words
            known = x509.load_der_x509_certificate(certificate)
        try:
            others = known.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
            names = others.get_values_for_type(x509.DNSName)
            addresses = others.get_values_for_type(x509.IPAddress)
        except x509.ExtensionNotFound:
            names = [str(each.value) for each in known.subject.get_attributes_for_oid(NameOID.COMMON_NAME)]
            addresses = []
    except (ValueError, x509.InvalidVersion, x509.DuplicateExtension, x509.UnsupportedGeneralNameType):
        return False
    try:
        if ipaddress.ip_address(name) in addresses:
            return True
    except ValueError:
        pass
    return any(_matches(pattern, name) for pattern in names)


def _matches(pattern: str, name: str) -> bool:
    """Are they the same, or is it one of ``*.domain``? The asterisk is the whole first label."""
    pattern, name = pattern.rstrip(".").casefold(), name.rstrip(".").casefold()
    if pattern.startswith("*."):
        first, dot, rest = name.partition(".")
        return bool(first and dot) and "." in rest and rest == pattern[2:]
    return bool(name) and pattern == name
