"""Locales and NLS tables: NtInitializeNlsFiles, NtGetNlsSectionPtr, NtQueryDefaultLocale and their kin.

Source: Microsoft "ZwQueryDefaultLocale", "ZwSetDefaultLocale", "GetSystemDefaultLCID", "GetUserDefaultUILanguage".
"""

from __future__ import annotations

from lswd.kernel.nls import CODE_PAGE, Locales, map_table, table_name
from lswd.nt.declare import Call, Out, syscall
from lswd.ntdef.status import STATUS_INVALID_PARAMETER, STATUS_SUCCESS
from lswd.ntdef.types import BOOLEAN, LARGE_INTEGER, NTSTATUS, PVOID, SIZE_T, ULONG, USHORT


def locales(call: Call) -> Locales:
    """The locales of the caller's system."""
    return call.process.system.part(Locales)


@syscall
def NtInitializeNlsFiles(
    call: Call, BaseAddress: Out[PVOID], DefaultLocaleId: Out[ULONG], DefaultCasingTableSize: Out[LARGE_INTEGER] | None
) -> NTSTATUS:
    """Map the table of all locales; says where, the system's locale, and the table's size."""
    address, size = map_table(call.process, "locale.nls")
    DefaultLocaleId.set(locales(call).system_locale)
    if DefaultCasingTableSize is not None:
        DefaultCasingTableSize.set(size)
    BaseAddress.set(address)
    return STATUS_SUCCESS


@syscall
def NtGetNlsSectionPtr(
    call: Call,
    SectionType: ULONG,
    SectionData: ULONG,
    ContextData: PVOID,
    SectionPointer: Out[PVOID],
    SectionSize: Out[SIZE_T],
) -> NTSTATUS:
    if SectionType == CODE_PAGE and SectionData > 0xFFFF:
        return STATUS_INVALID_PARAMETER
    address, size = map_table(call.process, table_name(SectionType, SectionData))
    SectionPointer.set(address)
    SectionSize.set(size)
    return STATUS_SUCCESS


@syscall
def NtQueryDefaultLocale(call: Call, UserProfile: BOOLEAN, DefaultLocaleId: Out[ULONG]) -> NTSTATUS:
    found = locales(call)
    DefaultLocaleId.set(found.user_locale if UserProfile else found.system_locale)
    return STATUS_SUCCESS


@syscall
def NtSetDefaultLocale(call: Call, UserProfile: BOOLEAN, DefaultLocaleId: ULONG) -> NTSTATUS:
    found = locales(call)
    if UserProfile:
        found.user_locale = DefaultLocaleId
    else:
        found.system_locale = DefaultLocaleId
        found.user_language = DefaultLocaleId & 0xFFFF
    return STATUS_SUCCESS


@syscall
def NtQueryInstallUILanguage(call: Call, InstallUILanguageId: Out[USHORT]) -> NTSTATUS:
    InstallUILanguageId.set(locales(call).install_language)
    return STATUS_SUCCESS


@syscall
def NtQueryDefaultUILanguage(call: Call, DefaultUILanguageId: Out[USHORT]) -> NTSTATUS:
    DefaultUILanguageId.set(locales(call).user_language)
    return STATUS_SUCCESS


@syscall
def NtSetDefaultUILanguage(call: Call, DefaultUILanguageId: USHORT) -> NTSTATUS:
    locales(call).user_language = DefaultUILanguageId
    return STATUS_SUCCESS
