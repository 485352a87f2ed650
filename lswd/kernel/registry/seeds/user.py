"""HKEY_CURRENT_USER and HKEY_USERS\\.DEFAULT: the user's settings, American English as Windows is delivered.

Sources: Microsoft "Control Panel\\International" (LOCALE_* constants name the values), CSIDL/KNOWNFOLDERID, "Console
Registry Settings".
"""

from __future__ import annotations

from lswd.kernel.registry.values import Expand

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey
    from lswd.kernel.registry.seeds.facts import SeedFacts

_INTERNATIONAL = {
    "Locale": "00000409",
    "LocaleName": "en-US",
    "NumShape": "1",
    "iCalendarType": "1",
    "iCountry": "1",
    "iCurrDigits": "2",
    "iCurrency": "0",
    "iDate": "0",
    "iDigits": "2",
    "iFirstDayOfWeek": "6",
    "iFirstWeekOfYear": "0",
    "iLZero": "1",
    "iMeasure": "1",
    "iNegCurr": "0",
    "iNegNumber": "1",
    "iPaperSize": "1",
    "iTLZero": "0",
    "iTime": "0",
    "iTimePrefix": "0",
    "s1159": "AM",
    "s2359": "PM",
    "sCountry": "United States",
    "sCurrency": "$",
    "sDate": "/",
    "sDecimal": ".",
    "sGrouping": "3;0",
    "sLanguage": "ENU",
    "sList": ",",
    "sLongDate": "dddd, MMMM d, yyyy",
    "sMonDecimalSep": ".",
    "sMonGrouping": "3;0",
    "sMonThousandSep": ",",
    "sNativeDigits": "0123456789",
    "sNegativeSign": "-",
    "sPositiveSign": "",
    "sShortDate": "M/d/yyyy",
    "sShortTime": "h:mm tt",
    "sThousand": ",",
    "sTime": ":",
    "sTimeFormat": "h:mm:ss tt",
    "sYearMonth": "MMMM yyyy",
}

_START_MENU = r"\AppData\Roaming\Microsoft\Windows\Start Menu"
_FOLDERS = {
    "Administrative Tools": _START_MENU + r"\Programs\Administrative Tools",
    "AppData": r"\AppData\Roaming",
    "Cache": r"\AppData\Local\Microsoft\Windows\INetCache",
    "Cookies": r"\AppData\Local\Microsoft\Windows\INetCookies",
    "Desktop": r"\Desktop",
    "Favorites": r"\Favorites",
    "History": r"\AppData\Local\Microsoft\Windows\History",
    "Local AppData": r"\AppData\Local",
    "My Music": r"\Music",
    "My Pictures": r"\Pictures",
    "My Video": r"\Videos",
    "NetHood": r"\AppData\Roaming\Microsoft\Windows\Network Shortcuts",
    "Personal": r"\Documents",
    "PrintHood": r"\AppData\Roaming\Microsoft\Windows\Printer Shortcuts",
    "Programs": _START_MENU + r"\Programs",
    "Recent": r"\AppData\Roaming\Microsoft\Windows\Recent",
    "SendTo": r"\AppData\Roaming\Microsoft\Windows\SendTo",
    "Start Menu": _START_MENU,
    "Startup": _START_MENU + r"\Programs\StartUp",
    "Templates": r"\AppData\Roaming\Microsoft\Windows\Templates",
    "{374DE290-123F-4565-9164-39C4925E467B}": r"\Downloads",
    "{A520A1A4-1780-4FF6-BD18-167343C5AF16}": r"\AppData\LocalLow",
}


def plant(key: SeedKey, facts: SeedFacts) -> None:
    """Fill a user's key."""
    profile = facts.profile
    temp = Expand(r"%USERPROFILE%\AppData\Local\Temp")
    key.plant(
        {
            "Console": {
                "CodePage": 437,
                "QuickEdit": 1,
                "ScreenBufferSize": 9001 << 16 | 120,
                "WindowSize": 30 << 16 | 120,
            },
            r"Control Panel\Desktop": {"MenuShowDelay": "400", "ScreenSaveActive": "0", "Wallpaper": ""},
            r"Control Panel\International": _INTERNATIONAL,
            r"Control Panel\International\Geo": {"Name": "US", "Nation": "244"},
            r"Control Panel\Keyboard": {"KeyboardDelay": "1", "KeyboardSpeed": "31"},
            r"Control Panel\Mouse": {"DoubleClickSpeed": "500", "MouseSpeed": "1", "SwapMouseButtons": "0"},
            "Environment": {"TEMP": temp, "TMP": temp},
            r"Keyboard Layout\Preload": {"1": "00000409"},
            "Network": {},
            r"Software\Classes": {},
            r"Software\Microsoft\Command Processor": {"CompletionChar": 9, "DefaultColor": 0, "PathCompletionChar": 9},
            r"Software\Microsoft\Windows\CurrentVersion\Explorer\Shell Folders": {
                **{name: profile + path for name, path in _FOLDERS.items()},
                "Fonts": r"C:\windows\Fonts",
            },
            r"Software\Microsoft\Windows\CurrentVersion\Explorer\User Shell Folders": {
                name: Expand("%USERPROFILE%" + path) for name, path in _FOLDERS.items()
            },
            r"Software\Microsoft\Windows\CurrentVersion\Internet Settings": {"ProxyEnable": 0},
            r"Software\Microsoft\Windows\CurrentVersion\Policies\Explorer": {},
            r"Software\Microsoft\Windows\CurrentVersion\Run": {},
            r"Software\Microsoft\Windows\CurrentVersion\RunOnce": {},
            r"Software\Microsoft\Windows NT\CurrentVersion\Winlogon": {},
            r"Software\Policies": {},
        }
    )
    key.plant(
        {
            "Volatile Environment": {
                "APPDATA": profile + r"\AppData\Roaming",
                "HOMEDRIVE": "C:",
                "HOMEPATH": profile[2:],
                "LOCALAPPDATA": profile + r"\AppData\Local",
                "LOGONSERVER": rf"\\{facts.computer_name}",
                "USERDOMAIN": facts.computer_name,
                "USERNAME": facts.user_name,
                "USERPROFILE": profile,
            }
        },
        volatile=True,
    )
