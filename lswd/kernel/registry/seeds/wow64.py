"""HKLM\\SOFTWARE\\Wow6432Node: what 32-bit programs see as HKLM\\SOFTWARE.

Keys both widths share are links. Source: Microsoft "Registry Keys Affected by WOW64".
"""

from __future__ import annotations

from lswd.kernel.registry.seeds.software import NO_DEBUGGER, current_version, directories, plant_cryptography

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey
    from lswd.kernel.registry.seeds.facts import SeedFacts

_SHARED = (
    "Classes",
    "Clients",
    r"Microsoft\COM3",
    r"Microsoft\Cryptography\Calais\Current",
    r"Microsoft\Cryptography\Calais\Readers",
    r"Microsoft\Cryptography\Services",
    r"Microsoft\EnterpriseCertificates",
    r"Microsoft\EventSystem",
    r"Microsoft\Ole",
    r"Microsoft\Rpc",
    r"Microsoft\SystemCertificates",
    r"Microsoft\TermServLicensing",
    r"Microsoft\Windows\CurrentVersion\App Paths",
    r"Microsoft\Windows\CurrentVersion\Explorer",
    r"Microsoft\Windows\CurrentVersion\Group Policy",
    r"Microsoft\Windows\CurrentVersion\Policies",
    r"Microsoft\Windows\CurrentVersion\Setup",
    r"Microsoft\Windows\CurrentVersion\Telephony\Locations",
    r"Microsoft\Windows NT\CurrentVersion\Console",
    r"Microsoft\Windows NT\CurrentVersion\FontDpi",
    r"Microsoft\Windows NT\CurrentVersion\FontLink",
    r"Microsoft\Windows NT\CurrentVersion\FontMapper",
    r"Microsoft\Windows NT\CurrentVersion\Fonts",
    r"Microsoft\Windows NT\CurrentVersion\FontSubstitutes",
    r"Microsoft\Windows NT\CurrentVersion\Gre_Initialize",
    r"Microsoft\Windows NT\CurrentVersion\Image File Execution Options",
    r"Microsoft\Windows NT\CurrentVersion\LanguagePack",
    r"Microsoft\Windows NT\CurrentVersion\NetworkCards",
    r"Microsoft\Windows NT\CurrentVersion\Perflib",
    r"Microsoft\Windows NT\CurrentVersion\Ports",
    r"Microsoft\Windows NT\CurrentVersion\Print",
    r"Microsoft\Windows NT\CurrentVersion\ProfileList",
    r"Microsoft\Windows NT\CurrentVersion\Time Zones",
    "Policies",
    "RegisteredApplications",
)


def plant(key: SeedKey, facts: SeedFacts) -> None:
    """Fill ``Wow6432Node``."""
    key.plant_links({path: rf"\REGISTRY\MACHINE\SOFTWARE\{path}" for path in _SHARED})
    plant_cryptography(key.branch(r"Microsoft\Cryptography"))
    key.plant(
        {
            r"Microsoft\Windows NT\CurrentVersion": current_version(facts),
            r"Microsoft\Windows NT\CurrentVersion\AeDebug": NO_DEBUGGER,
            r"Microsoft\Windows\CurrentVersion": directories(wow64=True),
            r"Microsoft\Windows\CurrentVersion\Run": {},
            r"Microsoft\Windows\CurrentVersion\RunOnce": {},
            r"Microsoft\Windows\CurrentVersion\Uninstall": {},
        }
    )
