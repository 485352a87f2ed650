"""HKLM\\SYSTEM: control sets. ``CurrentControlSet`` is a link to ``ControlSet001``, as on every Windows.

Source: Microsoft "Registry Trees and Keys" (CurrentControlSet\\Control, Session Manager, Select), winnt.h.
"""

from __future__ import annotations

import time

from lswd.kernel.registry.seeds.facts import processor_count
from lswd.kernel.registry.values import Expand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey
    from lswd.kernel.registry.seeds.facts import SeedFacts

_SYSTEM_PATH = r"%SystemRoot%\system32;%SystemRoot%;%SystemRoot%\system32\wbem"


def plant(key: SeedKey, facts: SeedFacts) -> None:
    """Fill ``SYSTEM``, but for the Nls branch."""
    key.plant_links({"CurrentControlSet": r"\REGISTRY\MACHINE\SYSTEM\ControlSet001"})
    key.plant(
        {
            "MountedDevices": {},
            "Select": {"Current": 1, "Default": 1, "Failed": 0, "LastKnownGood": 1},
            "Setup": {"CmdLine": "", "SetupType": 0, "SystemSetupInProgress": 0},
            r"ControlSet001\Enum": {},
            r"ControlSet001\Hardware Profiles\0001": {},
        }
    )
    key.plant_links(
        {
            r"ControlSet001\Hardware Profiles\Current": (
                r"\REGISTRY\MACHINE\SYSTEM\CurrentControlSet\Hardware Profiles\0001"
            )
        }
    )
    control = key.branch(r"ControlSet001\Control")
    _plant_control(control, facts)
    _plant_session_manager(control.branch("Session Manager"), facts)
    _plant_services(key.branch(r"ControlSet001\Services"), facts)


def _plant_control(key: SeedKey, facts: SeedFacts) -> None:
    windows = facts.windows
    key.plant(
        {
            "": {"CurrentUser": "USERNAME", "SystemBootDevice": "multi(0)disk(0)rdisk(0)partition(1)"},
            r"Class": {},
            r"ComputerName\ComputerName": {"ComputerName": facts.computer_name},
            "CrashControl": {"AutoReboot": 1, "CrashDumpEnabled": 0},
            "FileSystem": {
                "LongPathsEnabled": 0,
                "NtfsDisable8dot3NameCreation": 1,
                "NtfsDisableLastAccessUpdate": 1,
                "Win31FileSystem": 0,
                "Win95TruncatedExtensions": 1,
            },
            r"Keyboard Layouts\00000409": {"Layout File": "KBDUS.DLL", "Layout Text": "US"},
            "Lsa": {"LimitBlankPasswordUse": 1, "Security Packages": ['""']},
            r"MUI\UILanguages\en-US": {"LCID": 0x409, "Type": 0x91},
            r"Print\Printers": {},
            "PriorityControl": {"Win32PrioritySeparation": 2},
            "ProductOptions": {"ProductSuite": ["Terminal Server"], "ProductType": "WinNT"},
            "SafeBoot": {"AlternateShell": "cmd.exe"},
            "SecurityProviders": {"SecurityProviders": ""},
            r"SecurityProviders\SCHANNEL\Protocols": {},
            "ServiceGroupOrder": {"List": ["System Reserved", "Base", "File System", "TDI"]},
            "Terminal Server": {"ProductVersion": "5.1", "TSAppCompat": 0, "fDenyTSConnections": 1},
            "Windows": {
                "CSDBuildNumber": 0,
                "CSDReleaseType": 0,
                "CSDVersion": windows.service_pack << 8,
                "ComponentizedBuild": 1,
                "Directory": Expand("%SystemRoot%"),
                "ErrorMode": 0,
                "NoInteractiveServices": 1,
                "SystemDirectory": Expand(r"%SystemRoot%\system32"),
            },
        }
    )
    key.plant(
        {
            r"ComputerName\ActiveComputerName": {"ComputerName": facts.computer_name},
            "hivelist": {},
            # In memory, because the host's zone counts: the userland writes here at each start.
            "TimeZoneInformation": {
                "ActiveTimeBias": lambda: -time.localtime().tm_gmtoff // 60 & 0xFFFFFFFF,
                "Bias": lambda: facts.zone.rule.bias & 0xFFFFFFFF,
                "DaylightBias": lambda: facts.zone.rule.daylight_bias & 0xFFFFFFFF,
                "DaylightName": lambda: facts.zone.daylight_name,
                "DaylightStart": lambda: facts.zone.rule.tzi[28:44],
                "DynamicDaylightTimeDisabled": 0,
                "StandardBias": lambda: facts.zone.rule.standard_bias & 0xFFFFFFFF,
                "StandardName": lambda: facts.zone.standard_name,
                "StandardStart": lambda: facts.zone.rule.tzi[12:28],
                "TimeZoneKeyName": lambda: facts.zone.key,
            },
        },
        volatile=True,
    )


def _plant_session_manager(key: SeedKey, facts: SeedFacts) -> None:
    key.plant(
        {
            "": {
                "BootExecute": ["autocheck autochk *"],
                "CriticalSectionTimeout": 2592000,
                "ExcludeFromKnownDlls": [],
                "GlobalFlag": 0,
                "HeapDeCommitFreeBlockThreshold": 0,
                "HeapDeCommitTotalFreeThreshold": 0,
                "HeapSegmentCommit": 0,
                "HeapSegmentReserve": 0,
                "NumberOfInitialSessions": 2,
                "ObjectDirectories": [r"\Windows", r"\RPC Control"],
                "ProcessorControl": 2,
                "ProtectionMode": 1,
                "ResourceTimeoutCount": 0x9E340,
                "RunLevelExecute": [],
            },
            "Environment": {
                "ComSpec": Expand(r"%SystemRoot%\system32\cmd.exe"),
                "DriverData": r"C:\windows\system32\drivers\DriverData",
                "NUMBER_OF_PROCESSORS": lambda: str(processor_count()),
                "OS": "Windows_NT",
                "Path": Expand(_SYSTEM_PATH),
                "PATHEXT": ".COM;.EXE;.BAT;.CMD;.VBS;.VBE;.JS;.JSE;.WSF;.WSH;.MSC",
                "PROCESSOR_ARCHITECTURE": facts.architecture,
                "PROCESSOR_IDENTIFIER": lambda: f"{facts.processor.identifier}, {facts.processor.vendor}",
                "PROCESSOR_LEVEL": lambda: str(facts.processor.family),
                "PROCESSOR_REVISION": lambda: f"{facts.processor.revision:04x}",
                "TEMP": Expand(r"%SystemRoot%\TEMP"),
                "TMP": Expand(r"%SystemRoot%\TEMP"),
                "USERNAME": "SYSTEM",
                "windir": Expand("%SystemRoot%"),
            },
            "Executive": {},
            # DLLs are found by the loader's search alone: there are no sections in \KnownDlls.
            "KnownDLLs": {"DllDirectory": Expand(r"%SystemRoot%\system32")},
            "Memory Management": {"LargeSystemCache": 0, "PagingFiles": [r"?:\pagefile.sys"]},
            "SubSystems": {"Optional": [], "Required": ["Debug", "Windows"]},
        }
    )


def _plant_services(key: SeedKey, facts: SeedFacts) -> None:
    drivers_etc = Expand(r"%SystemRoot%\system32\drivers\etc")
    key.plant(
        {
            r"EventLog\Application": {},
            r"EventLog\Security": {},
            r"EventLog\System": {},
            r"Tcpip\Parameters": {
                "DataBasePath": drivers_etc,
                "Domain": "",
                "Hostname": facts.host_name,
                "NV Hostname": facts.host_name,
                "SearchList": "",
            },
            r"Tcpip\Parameters\Interfaces": {},
            r"WinSock2\Parameters": {"WinSock_Registry_Version": "2.0"},
            r"Winsock\Parameters": {"Transports": ["Tcpip6", "Tcpip"]},
        }
    )
