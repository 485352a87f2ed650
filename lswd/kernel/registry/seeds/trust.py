"""Which DLL decides whether a file is to be trusted, and which ones know kinds of files, objects and stores.

Without these keys wintrust knows nobody to ask, and WinVerifyTrust calls everything trustworthy. The DLLs would write
them when they are registered.
Sources: Microsoft "WintrustAddActionID", "WintrustAddDefaultForUsage", "CryptSIPAddProvider",
"CryptRegisterOIDFunction"; mingw-w64's softpub.h, wintrust.h and mscat.h.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey

_WINTRUST = "WINTRUST.DLL"
_DIALOGS = "cryptdlg.dll"

# The steps of a verification, each by a function that wintrust exports, as most actions take them.
_STEPS = {
    "Initialization": "SoftpubInitialize",
    "Message": "SoftpubLoadMessage",
    "Signature": "SoftpubLoadSignature",
    "Certificate": "WintrustCertificateTrust",
    "CertCheck": "SoftpubCheckCert",
    "FinalPolicy": "SoftpubAuthenticode",
    "Cleanup": "SoftpubCleanup",
}
_HTTPS = "{573E31F8-AABA-11D0-8CCB-00C04FC295EE}"
_FILES = "{00AAC56B-CD44-11D0-8CC2-00C04FC295EE}"
# Actions, and the steps that they take in their own way.
_ACTIONS: dict[str, dict[str, str]] = {
    _FILES: {},  # WINTRUST_ACTION_GENERIC_VERIFY_V2
    "{189A3842-3041-11D1-85E1-00C04FC295EE}": {"Initialization": "SoftpubDefCertInit"},  # ..._GENERIC_CERT_VERIFY
    "{FC451C16-AC75-11D1-B4B8-00C04FB66EA0}": {  # WINTRUST_ACTION_GENERIC_CHAIN_VERIFY
        "Certificate": "GenericChainCertificateTrust",
        "FinalPolicy": "GenericChainFinalProv",
    },
    "{573E31F8-DDBA-11D0-8CCB-00C04FC295EE}": {"DiagnosticPolicy": "SoftpubDumpStructure"},  # ..._TRUSTPROVIDER_TEST
    _HTTPS: {"Certificate": "HTTPSCertificateTrust", "FinalPolicy": "HTTPSFinalProv"},  # HTTPSPROV_ACTION
    "{5555C2CD-17FB-11D1-85C4-00C04FC295EE}": {  # OFFICESIGN_ACTION_VERIFY
        "Initialization": "OfficeInitializePolicy",
        "Cleanup": "OfficeCleanupPolicy",
    },
    "{F750E6C3-38EE-11D1-85E5-00C04FC295EE}": {  # DRIVER_ACTION_VERIFY
        "Initialization": "DriverInitializePolicy",
        "FinalPolicy": "DriverFinalPolicy",
        "Cleanup": "DriverCleanupPolicy",
    },
    "{64B9D180-8DA2-11CF-8736-00AA00A485EB}": {},  # WIN_SPUB_ACTION_PUBLISHED_SOFTWARE
    "{C6B2E8D0-E005-11CF-A134-00C04FD7BF43}": {},  # WIN_SPUB_ACTION_PUBLISHED_SOFTWARE_NOBADUI
}
# CERT_CERTIFICATE_ACTION_VERIFY is cryptdlg's, but for one step.
_CERTIFICATE_ACTION = "{7801EBD0-CF4B-11D0-851F-0060979387EA}"
_CERTIFICATE_STEPS = {
    "Initialization": "CertTrustInit",
    "CertCheck": "CertTrustCertPolicy",
    "FinalPolicy": "CertTrustFinalPolicy",
    "Cleanup": "CertTrustCleanup",
}
# Usages of certificates for which HTTPSPROV_ACTION is the default: SGC, servers, clients, Netscape's SGC.
_HTTPS_USAGES = ("1.3.6.1.4.1.311.10.3.3", "1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2", "2.16.840.1.113730.4.1")
_CODE_SIGNING = "1.3.6.1.5.5.7.3.3"

# What a subject interface package does, for each kind of file: Java classes, cabinets, programs, catalogs, ...
_PACKAGE = ("CreateIndirectData", "GetSignedDataMsg", "PutSignedDataMsg", "RemoveSignedDataMsg", "VerifyIndirectData")
_SUBJECTS = (
    "{9BA61D3F-E73A-11D0-8CD2-00C04FC295EE}",
    "{C689AAB8-8E78-11D0-8C47-00C04FC295EE}",
    "{C689AAB9-8E78-11D0-8C47-00C04FC295EE}",
    "{C689AABA-8E78-11D0-8C47-00C04FC295EE}",
    "{DE351A42-8E59-11D0-8C47-00C04FC295EE}",
    "{DE351A43-8E59-11D0-8C47-00C04FC295EE}",
)
_INSTALLER_PACKAGE = "{000C10F1-0000-0000-C000-000000000046}"

# Structures of signatures: wintrust's name, and the numbers and object identifiers they go by (wintrust.h, mscat.h).
_SPC = "1.3.6.1.4.1.311.2.1"
_CATALOG = "1.3.6.1.4.1.311.12.2"
_STRUCTURES = {
    "SpcSpAgencyInfo": ("#2000", f"{_SPC}.10"),
    "SpcMinimalCriteriaInfo": ("#2001", f"{_SPC}.26"),
    "SpcFinancialCriteriaInfo": ("#2002", f"{_SPC}.27"),
    "SpcIndirectDataContent": ("#2003", f"{_SPC}.4"),
    "SpcPeImageData": ("#2004", f"{_SPC}.15"),
    "SpcLink": ("#2005", "#2008", "#2009", f"{_SPC}.20", f"{_SPC}.25", f"{_SPC}.28"),
    "SpcStatementType": ("#2006", f"{_SPC}.11"),
    "SpcSpOpusInfo": ("#2007", f"{_SPC}.12"),
    "SpcSigInfo": ("#2130", f"{_SPC}.30"),
    "CatNameValue": ("#2221", f"{_CATALOG}.1"),
    "CatMemberInfo": ("#2222", f"{_CATALOG}.2"),
}
_DIALOG_STRUCTURES = {"AttrSequence": "1.3.6.1.4.1.311.16.1.1", "RecipientID": "1.3.6.1.4.1.311.16.4"}
_FORMATS = {"FormatPKIXEmailProtection": "1.3.6.1.5.5.7.3.4", "FormatVerisignExtension": "2.5.29.32"}


def plant_providers(key: SeedKey) -> None:
    """Fill ``Cryptography\\Providers\\Trust``."""
    for action, own in _ACTIONS.items():
        for step, function in {**_STEPS, **own}.items():
            _provide(key, step, action, _WINTRUST, function)
    for step, function in _CERTIFICATE_STEPS.items():
        _provide(key, step, _CERTIFICATE_ACTION, _DIALOGS, function)
    _provide(key, "Certificate", _CERTIFICATE_ACTION, _WINTRUST, _STEPS["Certificate"])
    for usage in _HTTPS_USAGES:
        key.plant(
            {
                f"Usages\\{usage}": {
                    "$DLL": _WINTRUST,
                    "CallbackAllocFunction": "SoftpubLoadDefUsageCallData",
                    "CallbackFreeFunction": "SoftpubFreeDefUsageCallData",
                    "DefaultId": _HTTPS,
                }
            }
        )
    key.plant({f"Usages\\{_CODE_SIGNING}": {"DefaultId": _FILES}})


def _provide(key: SeedKey, step: str, action: str, dll: str, function: str) -> None:
    key.plant({f"{step}\\{action}": {"$DLL": dll, "$Function": function}})


def plant_functions(key: SeedKey) -> None:
    """Fill ``Cryptography\\OID``."""
    any_encoding, x509 = key.branch("EncodingType 0"), key.branch("EncodingType 1")
    for function in _PACKAGE:
        for subject in _SUBJECTS:
            _do(any_encoding, f"CryptSIPDll{function}", subject, _WINTRUST, f"CryptSIP{function}")
        _do(any_encoding, f"CryptSIPDll{function}", _INSTALLER_PACKAGE, "MSISIP.DLL", f"MsiSIP{function}")
    _do(any_encoding, "CryptSIPDllIsMyFileType2", _INSTALLER_PACKAGE, "MSISIP.DLL", "MsiSIPIsMyTypeOfFile")
    for store in ("Ldap", "#16"):  # CERT_STORE_PROV_LDAP_W
        _do(any_encoding, "CertDllOpenStoreProv", store, "cryptnet.dll", "LdapProvOpenStore")
    x509.plant({r"CertDllVerifyRevocation\DEFAULT": {"Dll": ["cryptnet.dll"]}})
    for way in ("Decode", "Encode"):
        for structure, names in _STRUCTURES.items():
            for name in names:
                _do(x509, f"CryptDll{way}Object", name, _WINTRUST, f"WVTAsn1{structure}{way}")
        for structure, name in _DIALOG_STRUCTURES.items():
            _do(x509, f"CryptDll{way}Object", name, _DIALOGS, f"{way}{structure}")
    for function, name in _FORMATS.items():
        _do(x509, "CryptDllFormatObject", name, _DIALOGS, function)


def _do(key: SeedKey, what: str, name: str, dll: str, function: str) -> None:
    key.plant({f"{what}\\{name}": {"Dll": dll, "FuncName": function}})
