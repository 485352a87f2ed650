"""HKLM\\SOFTWARE: who we say we are, and where things are.

Sources: Microsoft "Windows NT CurrentVersion", KNOWNFOLDERID, "Image File Execution Options", CryptAcquireContext.
"""

from __future__ import annotations

from lswd.kernel.registry.values import Expand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey
    from lswd.kernel.registry.seeds.facts import SeedFacts
    from lswd.kernel.registry.values import SeedValue

PRODUCT_ID = "00330-80000-00000-AA000"
_INSTALLED = 1_704_067_200  # 2024-01-01


# No debugger for programs that crash. Wine's kernelbase starts its own when none is named in AeDebug.
NO_DEBUGGER: dict[str, SeedValue] = {"Auto": "1", "Debugger": ""}


def plant(key: SeedKey, facts: SeedFacts) -> None:
    """Fill ``SOFTWARE``, but for the Time Zones, Classes and Wow6432Node branches."""
    microsoft = key.branch("Microsoft")
    microsoft.branch("Windows NT\\CurrentVersion").plant({"": current_version(facts)})
    microsoft.branch("Windows\\CurrentVersion").plant({"": directories()})
    _plant_windows_nt(microsoft.branch("Windows NT\\CurrentVersion"), facts)
    _plant_windows(microsoft.branch("Windows\\CurrentVersion"))
    plant_cryptography(microsoft.branch("Cryptography"))
    key.plant(
        {
            r"Clients\Mail": {},
            r"Clients\StartMenuInternet": {},
            r"Microsoft\COM3": {"Com+Enabled": 0},
            r"Microsoft\Command Processor": {
                "CompletionChar": 0x40,
                "DefaultColor": 0,
                "EnableExtensions": 1,
                "PathCompletionChar": 0x40,
            },
            r"Microsoft\Ole": {"EnableDCOM": "N"},
            r"Microsoft\Rpc": {},
            r"Microsoft\Windows Script Host\Settings": {},
            r"Policies\Microsoft\Windows": {},
            "RegisteredApplications": {},
        }
    )


def current_version(facts: SeedFacts) -> dict[str, SeedValue]:
    """Values of ``Windows NT\\CurrentVersion``."""
    windows = facts.windows
    bits = "amd64" if facts.architecture == "AMD64" else "x86"
    values: dict[str, SeedValue] = {
        "BuildLab": f"{windows.base_build}.{windows.branch}",
        "BuildLabEx": f"{windows.base_build}.1.{bits}fre.{windows.branch}",
        "CurrentBuild": str(windows.build),
        "CurrentBuildNumber": str(windows.build),
        "CurrentType": "Multiprocessor Free",
        # Microsoft's Windows 10 has "6.3" here. Wine's ntdll takes the process's version from this value, and would
        # have every program believe in Windows 8.1.
        "CurrentVersion": f"{windows.major}.{windows.minor}",
        "InstallDate": _INSTALLED,
        "InstallationType": "Client",
        "PathName": r"C:\windows",
        "ProductId": PRODUCT_ID,
        "ProductName": windows.product,
        "RegisteredOrganization": "",
        "RegisteredOwner": facts.user_name,
        "SoftwareType": "System",
        "SystemRoot": r"C:\windows",
    }
    if windows.edition:
        values["EditionID"] = windows.edition
    if windows.service_pack:
        values["CSDVersion"] = windows.csd
    if windows.major >= 10:
        values["CurrentMajorVersionNumber"] = windows.major
        values["CurrentMinorVersionNumber"] = windows.minor
        values["ReleaseId"] = windows.release
        values["DisplayVersion"] = windows.display
        values["UBR"] = windows.revision
    return values


def directories(*, wow64: bool = False) -> dict[str, SeedValue]:
    """Values of ``Windows\\CurrentVersion`` that 64-bit programs see, or 32-bit ones (``wow64``)."""
    native = r"C:\Program Files"
    x86 = r"C:\Program Files (x86)"
    own = x86 if wow64 else native
    return {
        "CommonFilesDir": rf"{own}\Common Files",
        "CommonFilesDir (x86)": rf"{x86}\Common Files",
        "CommonW6432Dir": rf"{native}\Common Files",
        "DevicePath": Expand(r"%SystemRoot%\inf"),
        "MediaPathUnexpanded": Expand(r"%SystemRoot%\Media"),
        "ProgramFilesDir": own,
        "ProgramFilesDir (x86)": x86,
        "ProgramFilesPath": Expand("%ProgramFiles%"),
        "ProgramW6432Dir": native,
        "SM_GamesName": "Games",
    }


def _plant_windows_nt(key: SeedKey, facts: SeedFacts) -> None:
    key.plant(
        {
            "AeDebug": NO_DEBUGGER,
            "Console": {},
            "Drivers32": {},
            "FontLink\\SystemLink": {},
            "FontMapper": {},
            "FontSubstitutes": {"Helv": "MS Sans Serif", "MS Shell Dlg 2": "Tahoma", "Tms Rmn": "MS Serif"},
            "Image File Execution Options": {},
            r"IniFileMapping\win.ini": {},
            "NetworkCards": {},
            r"Perflib\009": {},
            "Ports": {},
            "Print": {},
            "ProfileList": {
                "Default": Expand(r"%SystemDrive%\users\Default"),
                "ProfilesDirectory": Expand(r"%SystemDrive%\users"),
                "ProgramData": Expand(r"%SystemDrive%\ProgramData"),
                "Public": Expand(r"%SystemDrive%\users\Public"),
            },
            f"ProfileList\\{facts.user_sid}": {
                "Flags": 0,
                "ProfileImagePath": Expand(facts.profile),
                "State": 0,
            },
            "Schedule": {},
            "SvcHost": {},
            "Windows": {"AppInit_DLLs": "", "LoadAppInit_DLLs": 0},
            "Winlogon": {
                "DefaultUserName": facts.user_name,
                "Shell": "explorer.exe",
                "Userinit": r"C:\windows\system32\userinit.exe,",
            },
        }
    )


def _plant_windows(key: SeedKey) -> None:
    programs = r"\Microsoft\Windows\Start Menu\Programs"
    folders = {
        "Common Administrative Tools": ("ProgramData", programs + r"\Administrative Tools"),
        "Common AppData": ("ProgramData", ""),
        "Common Desktop": ("PUBLIC", r"\Desktop"),
        "Common Documents": ("PUBLIC", r"\Documents"),
        "Common Programs": ("ProgramData", programs),
        "Common Start Menu": ("ProgramData", r"\Microsoft\Windows\Start Menu"),
        "Common Startup": ("ProgramData", programs + r"\StartUp"),
        "Common Templates": ("ProgramData", r"\Microsoft\Windows\Templates"),
        "CommonMusic": ("PUBLIC", r"\Music"),
        "CommonPictures": ("PUBLIC", r"\Pictures"),
        "CommonVideo": ("PUBLIC", r"\Videos"),
    }
    roots = {"ProgramData": r"C:\ProgramData", "PUBLIC": r"C:\users\Public"}
    key.plant(
        {
            "App Paths": {},
            r"Explorer\Shell Folders": {name: roots[root] + rest for name, (root, rest) in folders.items()},
            r"Explorer\User Shell Folders": {name: Expand(f"%{root}%{rest}") for name, (root, rest) in folders.items()},
            r"Group Policy": {},
            r"Internet Settings": {},
            r"Policies\Explorer": {},
            r"Policies\System": {"ConsentPromptBehaviorAdmin": 5, "EnableLUA": 1, "PromptOnSecureDesktop": 1},
            "Run": {},
            "RunOnce": {},
            "Setup": {"BootDir": "C:\\", "SystemPartition": r"\Device\HarddiskVolume3"},
            r"Shell Extensions\Approved": {},
            "SideBySide": {},
            "Uninstall": {},
        }
    )
    known = key.branch(r"Explorer\FolderDescriptions")
    for identifier, (name, category, parent, relative) in _KNOWN_FOLDERS.items():
        values: dict[str, SeedValue] = {"Category": category, "Name": name}
        if parent:
            values["ParentFolder"] = parent
        if relative:
            values["RelativePath"] = relative
        known.plant({identifier: values})


_PROFILE = "{5E6C858F-0E22-4760-9AFE-EA3317B67173}"
_PROGRAM_DATA = "{62AB5D82-FDC1-4DC3-A9DD-070D1D495D97}"

# KNOWNFOLDERID: canonical name, category (KF_CATEGORY: 2 fixed, 3 common, 4 per user), parent, relative path.
_KNOWN_FOLDERS = {
    "{1AC14E77-02E7-4E5D-B744-2EB1AE5198B7}": ("System", 2, "", ""),
    "{33E28130-4E1E-4676-835A-98395C3BC3BB}": ("My Pictures", 4, _PROFILE, "Pictures"),
    "{374DE290-123F-4565-9164-39C4925E467B}": ("Downloads", 4, _PROFILE, "Downloads"),
    "{3EB685DB-65F9-4CF6-A03A-E3EF65729F3D}": ("AppData", 4, _PROFILE, r"AppData\Roaming"),
    "{4BD8D571-6D19-48D3-BE97-422220080E43}": ("My Music", 4, _PROFILE, "Music"),
    _PROFILE: ("Profile", 2, "", ""),
    _PROGRAM_DATA: ("Common AppData", 2, "", ""),
    "{6D809377-6AF0-444B-8957-A3773F02200E}": ("ProgramFilesX64", 2, "", ""),
    "{7C5A40EF-A0FB-4BFC-874A-C0F2E0B9FA8E}": ("ProgramFilesX86", 2, "", ""),
    "{905E63B6-C1BF-494E-B29C-65B732D3D21A}": ("ProgramFiles", 2, "", ""),
    "{A520A1A4-1780-4FF6-BD18-167343C5AF16}": ("LocalAppDataLow", 4, _PROFILE, r"AppData\LocalLow"),
    "{B4BFCC3A-DB2C-424C-B029-7FE99A87C641}": ("Desktop", 4, _PROFILE, "Desktop"),
    "{DFDF76A2-C82A-4D63-906A-5644AC457385}": ("Public", 2, "", ""),
    "{F1B32785-6FBA-4FCF-9D55-7B8E7F157091}": ("Local AppData", 4, _PROFILE, r"AppData\Local"),
    "{F38BF404-1D43-42F2-9305-67DE0B28FC23}": ("Windows", 2, "", ""),
    "{FDD39AD0-238F-46AF-ADB4-6C85480369C7}": ("Personal", 4, _PROFILE, "Documents"),
}

# Name to type and DLL (PROV_*, wincrypt.h).
_PROVIDERS = {
    "Microsoft Base Cryptographic Provider v1.0": (1, "rsaenh"),
    "Microsoft Base DSS Cryptographic Provider": (3, "dssenh"),
    "Microsoft Base DSS and Diffie-Hellman Cryptographic Provider": (13, "dssenh"),
    "Microsoft DH SChannel Cryptographic Provider": (18, "dssenh"),
    "Microsoft Enhanced Cryptographic Provider v1.0": (1, "rsaenh"),
    "Microsoft Enhanced DSS and Diffie-Hellman Cryptographic Provider": (13, "dssenh"),
    "Microsoft Enhanced RSA and AES Cryptographic Provider": (24, "rsaenh"),
    "Microsoft RSA SChannel Cryptographic Provider": (12, "rsaenh"),
    "Microsoft Strong Cryptographic Provider": (1, "rsaenh"),
}

# Type to the provider that serves it by default, and what it is called.
_PROVIDER_TYPES = {
    1: ("Microsoft Strong Cryptographic Provider", "RSA Full (Signature and Key Exchange)"),
    3: ("Microsoft Base DSS Cryptographic Provider", "DSS Signature"),
    12: ("Microsoft RSA SChannel Cryptographic Provider", "RSA SChannel"),
    13: (
        "Microsoft Enhanced DSS and Diffie-Hellman Cryptographic Provider",
        "DSS Signature with Diffie-Hellman Key Exchange",
    ),
    18: ("Microsoft DH SChannel Cryptographic Provider", "Diffie-Hellman SChannel"),
    24: ("Microsoft Enhanced RSA and AES Cryptographic Provider", "RSA Full and AES"),
}


def plant_cryptography(key: SeedKey) -> None:
    """Fill ``Microsoft\\Cryptography``: the machine's identifier, the providers of CryptoAPI, and who trusts."""
    key.plant({"": {"MachineGuid": machine_guid}})
    for name, (kind, dll) in _PROVIDERS.items():
        path = rf"C:\windows\system32\{dll}.dll"
        # Any four bytes: nobody checks the signature of a DLL that comes with the system.
        key.plant({f"Defaults\\Provider\\{name}": {"Image Path": path, "Signature": bytes(4), "Type": kind}})
    for kind, (name, description) in _PROVIDER_TYPES.items():
        key.plant({f"Defaults\\Provider Types\\Type {kind:03}": {"Name": name, "TypeName": description}})
    key.branch(r"Providers\Trust", _trust_providers)
    key.branch("OID", _trust_functions)


def _trust_providers(key: SeedKey) -> None:
    from lswd.kernel.registry.seeds.trust import plant_providers

    plant_providers(key)


def _trust_functions(key: SeedKey) -> None:
    from lswd.kernel.registry.seeds.trust import plant_functions

    plant_functions(key)


def machine_guid(path: str = "/etc/machine-id") -> str:
    """An identifier that stays with the host and does not give its machine-id away (see machine-id(5))."""
    import hashlib

    try:
        with open(path, "rb") as file:
            secret = file.read(256).strip()
    except OSError:
        secret = b""
    digits = hashlib.sha256(b"lswd MachineGuid " + secret).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-8{digits[17:20]}-{digits[20:32]}"
