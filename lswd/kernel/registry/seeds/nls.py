"""HKLM\\SYSTEM\\CurrentControlSet\\Control\\Nls: code pages, languages, sort orders.

Sources: Microsoft "Code Page Identifiers", "Language Identifier Constants and Strings", "Locale IDs"; the sort
identifiers are those in the userland's sortdefault.nls.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.seed import SeedKey

_CODE_PAGES = (
    "037 437 500 708 720 737 775 850 852 855 857 860 861 862 863 864 865 866 869 874 875 932 936 949 950 1026 1250 1251"
    " 1252 1253 1254 1255 1256 1257 1258 1361 10000 10001 10002 10003 10004 10005 10006 10007 10008 10010 10017 10021"
    " 10029 10079 10081 10082 20127 20866 20932 20949 21866 28591 28592 28593 28594 28595 28596 28597 28598 28599 28603"
    " 28605"
)

# Language group (LGRPID_*) to the locales in it.
_LANGUAGE_GROUPS = {
    "1": "0403 0406 0407 0409 040a 040b 040c 040f 0410 0413 0414 0416 0417 041d 0421 042d 042e 0430 0431 0432 0433"
    " 0434 0435 0436 0438 043a 043b 043d 043e 0441 0452 0455 0456 0458 045c 045d 045e 0462 0464 0466 0467 0468"
    " 046a 046b 046c 046e 046f 0470 0471 0472 0473 0474 0475 0476 0477 047a 047c 047e 0481 0482 0483 0484 0486"
    " 0487 0488 0491 0803 0807 0809 080a 080c 0810 0813 0814 0816 0818 0819 081d 0820 082e 0832 083b 083c 083e"
    " 085d 085f 0861 0867 086b 0873 0c07 0c09 0c0a 0c0c 0c3b 0c51 0c6b 1007 1009 100a 100c 103b 1407 1409 140a"
    " 140c 143b 1809 180a 180c 183b 1c09 1c0a 1c0c 1c3b 2009 200a 200c 203b 2409 240a 240c 243b 2809 280a 280c"
    " 2c09 2c0a 2c0c 3009 300a 300c 3409 340a 340c 3809 380a 380c 3c09 3c0a 3c0c 4009 400a 4409 440a 4809 480a"
    " 4c09 4c0a 500a 540a 580a 5c0a",
    "2": "0405 040e 0415 0418 041a 041b 041c 0424 042c 0442 0443 101a 141a 181a 241a 2c1a",
    "3": "0425 0426 0427",
    "4": "0408",
    "5": "0402 0419 0422 0423 0428 042f 043f 0440 0444 0450 046d 0485 082c 0843 1c1a 201a 281a 301a",
    "6": "041f",
    "7": "0411",
    "8": "0412",
    "9": "0404 0478 0c04 1404",
    "a": "0804 1004",
    "b": "041e",
    "c": "040d",
    "d": "0401 0420 0429 045a 0463 0465 0480 048c 0492 0801 0846 0859 0c01 1001 1401 1801 1c01 2001 2401 2801 2c01 3001"
    " 3401 3801 3c01 4001",
    "e": "042a",
    "f": "0439 0445 0446 0447 0448 0449 044a 044b 044c 044d 044e 044f 0451 0453 0454 0457 0459 045b 0461 0845 0849 0850"
    " 0860 0c50",
    "10": "0437",
    "11": "042b",
}

_ALTERNATE_SORTS = {
    "1": "0000040a 0001007f 00010407",
    "2": "0001040e",
    "7": "00040411",
    "9": "00021404 00030404 00040404 00040c04 00041404",
    "a": "00020804 00021004 00050804 00051004",
    "10": "00010437",
}

_NORMALIZATION = {"1": "normnfc.nls", "2": "normnfd.nls", "5": "normnfkc.nls", "6": "normnfkd.nls", "d": "normidna.nls"}

# First part of the sort identifier to the locales that sort by it; all others sort by 1.
_SORT_IDS = {
    0x02: "haw",
    0x03: "fr oc wo",
    0x04: "hu",
    0x05: "lv",
    0x06: "lv-LV_tradnl",
    0x07: "pa-Arab sd",
    0x08: "tk",
    0x09: "sah",
    0x0A: "mk",
    0x0B: "kk",
    0x0C: "km",
    0x0D: "tzm",
    0x0E: "co",
    0x0F: "br",
    0x10: "moh",
    0x11: "rm",
    0x12: "arn",
    0x13: "hsb",
    0x14: "mi",
    0x15: "ur",
    0x16: "prs ps",
    0x17: "ug",
    0x18: "sq",
    0x19: "bs hr sr",
    0x1A: "fi sv",
    0x1B: "se-FI se-SE sma smj smn sms",
    0x1C: "cs",
    0x1D: "pl",
    0x1E: "sl",
    0x1F: "da kl",
    0x20: "nb nn no",
    0x21: "se sma-NO smj-NO",
    0x22: "tr",
    0x23: "az",
    0x24: "ro",
    0x25: "is",
    0x26: "hu-HU_technl",
    0x27: "et",
    0x28: "lt",
    0x29: "sk",
    0x2A: "es-ES_tradnl",
    0x2B: "es quc qut",
    0x2C: "cy",
    0x2D: "mt",
    0x2E: "lo",
    0x2F: "th",
    0x30: "vi",
    0x31: "as",
    0x32: "bn gu hi kn kok ml mr or pa sa si ta te",
    0x33: "ne",
    0x34: "bo",
    0x35: "x-IV_mathan",
    0x36: "ja-JP_radstr",
    0x37: "zh-Hant zh-HK zh-MO zh-TW",
    0x38: "zh-TW_pronun",
    0x39: "zh-CN_stroke zh-SG_stroke",
    0x3A: "zh",
    0x3B: "zh-HK_radstr zh-MO_radstr zh-TW_radstr",
    0x3C: "ti",
    0x3D: "ba",
    0x3E: "fy",
    0x3F: "de-DE_phoneb",
    0x40: "uk",
    0x41: "fa",
    0x43: "tt",
    0x44: "syr",
    0x45: "dv",
    0x46: "ja",
    0x47: "ko",
    0x48: "ka-GE_modern",
    0x4A: "bg ky mn ru tg uz-Cyrl",
    0x4B: "zh-CN_phoneb zh-SG_phoneb",
}


def plant(key: SeedKey) -> None:
    """Fill ``Nls``."""
    pages = {page.lstrip("0"): f"c_{page}.nls" for page in _CODE_PAGES.split()}
    key.plant(
        {
            "CodePage": {**pages, "ACP": "1252", "OEMCP": "437", "MACCP": "10000", "OEMHAL": "vgaoem.fon"},
            "Language": {"Default": "0409", "InstallLanguage": "0409", "0409": "l_intl.nls"},
            "Language Groups": dict.fromkeys(_LANGUAGE_GROUPS, "1"),
            "Locale": {"": "00000409", **_inverted(_LANGUAGE_GROUPS, "0000")},
            r"Locale\Alternate Sorts": _inverted(_ALTERNATE_SORTS, ""),
            "Normalization": _NORMALIZATION,
            r"Sorting\Ids": {"": _sort_id(1)}
            | {locale: _sort_id(number) for number, locales in _SORT_IDS.items() for locale in locales.split()},
        }
    )


def _inverted(groups: dict[str, str], prefix: str) -> dict[str, str]:
    """``{group: "names"}`` as ``{prefix + name: group}``."""
    return {prefix + name: group for group, names in groups.items() for name in names.split()}


def _sort_id(number: int) -> str:
    return f"{{{number:08x}-57ee-1e5c-00b4-d0000bb1e11e}}"
