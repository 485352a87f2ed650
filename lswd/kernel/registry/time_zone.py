"""Time zones: Windows' names and rules for them, and the host's zone in Windows' terms.

A rule is written as POSIX writes it in TZ (``CET-1CEST,M3.5.0,M10.5.0/3``), which is also what ends every TZif file;
"Mm.w.d" means the same as the day-in-month form of Windows' transition dates.

Sources: POSIX.1 "Other Environment Variables" (TZ), tzfile(5), TIME_ZONE_INFORMATION (Microsoft), and Unicode CLDR's
windowsZones for which place lies in which Windows zone.
"""

from __future__ import annotations

import os
import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    # SYSTEMTIME: wYear, wMonth, wDayOfWeek, wDay (week of the month), wHour, wMinute, wSecond, wMilliseconds
    Transition = tuple[int, int, int, int, int, int, int, int]

NEVER: Transition = (0, 0, 0, 0, 0, 0, 0, 0)
ZONEINFO = "/usr/share/zoneinfo"


class Rule:
    """When clocks change in a zone. Biases are minutes: UTC = local time + bias (+ the season's bias).

    Attributes:
        bias, standard_bias, daylight_bias: as in TIME_ZONE_INFORMATION.
        standard_date, daylight_date: when the season begins, by the clocks of the season before; NEVER without one.
        standard_name, daylight_name: the abbreviations POSIX has.
    """

    __slots__ = (
        "bias",
        "daylight_bias",
        "daylight_date",
        "daylight_name",
        "standard_bias",
        "standard_date",
        "standard_name",
    )

    def __init__(
        self, name: str, bias: int, daylight_name: str, daylight_bias: int, daylight: Transition, standard: Transition
    ) -> None:
        self.bias = bias
        self.standard_bias = 0
        self.standard_name = name
        self.daylight_name = daylight_name
        self.daylight_bias = daylight_bias
        self.daylight_date = daylight
        self.standard_date = standard

    @property
    def tzi(self) -> bytes:
        """REG_TZI_FORMAT, the registry's TZI value."""
        biases = (self.bias, self.standard_bias, self.daylight_bias)
        return struct.pack("<3i16H", *biases, *self.standard_date, *self.daylight_date)


class Zone:
    """A zone as Windows knows it.

    Attributes:
        key: name of the registry key, TIME_ZONE_INFORMATION's TimeZoneKeyName.
        display: what the user picks from a list.
        standard_name, daylight_name: of the seasons.
        rule: when clocks change.
    """

    __slots__ = ("daylight_name", "display", "key", "rule", "standard_name")

    def __init__(self, key: str, display: str, standard_name: str, daylight_name: str, rule: Rule) -> None:
        self.key = key
        self.display = display
        self.standard_name = standard_name
        self.daylight_name = daylight_name
        self.rule = rule


def parse_rule(text: str) -> Rule | None:
    """A POSIX TZ rule; None if it is none, or one Windows cannot express (a date counted in days of the year)."""
    zone, _, dates = text.partition(",")
    name, zone = _name(zone)
    offset, zone = _offset(zone)
    if not name or offset is None:
        return None
    if not zone:
        return Rule(name, offset // 60, name, 0, NEVER, NEVER)
    daylight_name, zone = _name(zone)
    daylight = offset - 3600
    if zone:
        given, zone = _offset(zone)
        if given is None:
            return None
        daylight = given
    begin, _, end = (dates or "M3.2.0,M11.1.0").partition(",")
    first, second = _transition(begin), _transition(end)
    if not daylight_name or zone or first is None or second is None:
        return None
    if daylight > offset:  # Ireland: "daylight" time is winter's
        return Rule(daylight_name, daylight // 60, name, (offset - daylight) // 60, second, first)
    return Rule(name, offset // 60, daylight_name, (daylight - offset) // 60, first, second)


def _name(text: str) -> tuple[str, str]:
    if text.startswith("<"):
        name, _, rest = text[1:].partition(">")
        return name, rest
    end = 0
    while end < len(text) and text[end].isalpha():
        end += 1
    return text[:end], text[end:]


def _offset(text: str) -> tuple[int | None, str]:
    """Seconds of ``[+-]hh[:mm[:ss]]`` and what follows."""
    end = 0
    while end < len(text) and text[end] in "+-0123456789:":
        end += 1
    return _seconds(text[:end]), text[end:]


def _seconds(text: str) -> int | None:
    sign = -1 if text.startswith("-") else 1
    parts = text.lstrip("+-").split(":")
    if len(parts) > 3 or not all(part.isascii() and part.isdigit() and len(part) <= 3 for part in parts):
        return None
    hours, minutes, seconds = (*map(int, parts), 0, 0)[:3]
    return sign * (hours * 3600 + minutes * 60 + seconds)


def _transition(text: str) -> Transition | None:
    date, slash, time = text.partition("/")
    seconds = _seconds(time) if slash else 7200
    parts = date.removeprefix("M").split(".")
    if seconds is None or not date.startswith("M") or len(parts) != 3 or not all(part.isdigit() for part in parts):
        return None
    month, week, weekday = map(int, parts)
    if not (1 <= month <= 12 and 1 <= week <= 5 and 0 <= weekday <= 6):
        return None
    # Windows has no times beyond the day: take the same weekday's neighbour, as Windows' own zones do.
    days, seconds = divmod(seconds, 86400)
    hours, rest = divmod(seconds, 3600)
    return (0, month, (weekday + days) % 7, week, hours, rest // 60, rest % 60, 0)


def zone_names() -> list[str]:
    """Keys of the Windows zones we declare."""
    return [key for key, _, _, _ in _ZONES]


def known_zone(key: str) -> Zone:
    """The declared zone with this key, exactly as ``zone_names`` has it."""
    display, text = next((display, text) for name, display, text, _ in _ZONES if name == key)
    rule = parse_rule(text)
    assert rule is not None
    standard = "Coordinated Universal Time" if key == "UTC" else key
    if not key.startswith("UTC") and rule.daylight_date == NEVER:
        rule.daylight_bias = -60  # as Windows has it; no clock changes by it
    return Zone(key, display, standard, standard.replace("Standard", "Daylight"), rule)


def host_zone(environment: dict[str, str] | None = None, localtime: str = "/etc/localtime") -> Zone:
    """The zone the host's C library would use: TZ if set, else ``localtime``; UTC if neither makes sense.

    A place Windows has a zone for gets that zone's names; any other rule that a declared zone has too gets that
    zone's; and else the place's own name serves as key.
    """
    setting = (os.environ if environment is None else environment).get("TZ")
    place, text = "", ""
    if setting is None:
        place, text = _place(os.path.realpath(localtime)), _footer(localtime)
    elif setting:
        file = setting.removeprefix(":")
        file = file if file.startswith("/") else f"{ZONEINFO}/{file}"
        place, text = _place(file), _footer(file)
        if not text and not setting.startswith(":"):
            place, text = "", setting
    rule = parse_rule(text)
    if rule is None:
        return known_zone("UTC")
    for key, _, _, places in _ZONES:
        if place and place in places and place in places.split():
            return _with_rule(known_zone(key), rule)
    seasons = (rule.bias, rule.standard_date, rule.daylight_date)
    for zone in map(known_zone, zone_names()):
        if (zone.rule.bias, zone.rule.standard_date, zone.rule.daylight_date) == seasons:
            return zone
    sign, minutes = "-" if rule.bias > 0 else "+", abs(rule.bias)
    name = (place or text).replace("\\", "/")[:127]
    display = f"(UTC{sign}{minutes // 60:02}:{minutes % 60:02}) {name}"
    return Zone(name, display, rule.standard_name, rule.daylight_name, rule)


def _with_rule(zone: Zone, rule: Rule) -> Zone:
    """A Windows zone by the host's rule, which may be newer than ours."""
    if rule.daylight_date == NEVER:
        rule.daylight_bias = zone.rule.daylight_bias
    return Zone(zone.key, zone.display, zone.standard_name, zone.daylight_name, rule)


def _place(file: str) -> str:
    return file.partition("/zoneinfo/")[2].removeprefix("posix/").removeprefix("right/")


def _footer(file: str) -> str:
    """The TZ rule at the end of a TZif file, "" if there is none."""
    try:
        with open(file, "rb", buffering=0) as tzif:
            content = tzif.read(1 << 20)
    except OSError:
        return ""
    lines = content.rsplit(b"\n", 2)
    if not content.startswith(b"TZif") or len(lines) != 3 or lines[2]:
        return ""
    return lines[1].decode("ascii", "replace")


_EU = "M3.5.0,M10.5.0/3"
_US = "M3.2.0,M11.1.0"

# Key, display name, rule, places. A selection: where most people live, and one zone at least for each full hour.
_ZONES = (
    ("UTC", "(UTC) Coordinated Universal Time", "UTC0", "UTC Etc/UTC Etc/UCT Etc/GMT GMT Etc/Greenwich Zulu Universal"),
    (
        *("GMT Standard Time", "(UTC+00:00) Dublin, Edinburgh, Lisbon, London", "GMT0BST,M3.5.0/1,M10.5.0"),
        "Europe/London Europe/Dublin Europe/Lisbon Europe/Jersey Europe/Guernsey Europe/Isle_of_Man Europe/Belfast"
        " Atlantic/Canary Atlantic/Faroe Atlantic/Madeira GB Eire Portugal WET",
    ),
    (
        *("Greenwich Standard Time", "(UTC+00:00) Monrovia, Reykjavik", "GMT0"),
        "Atlantic/Reykjavik Africa/Abidjan Africa/Accra Africa/Dakar Africa/Monrovia Iceland",
    ),
    (
        *(
            "W. Europe Standard Time",
            "(UTC+01:00) Amsterdam, Berlin, Bern, Rome, Stockholm, Vienna",
            f"CET-1CEST,{_EU}",
        ),
        "Europe/Berlin Europe/Amsterdam Europe/Vienna Europe/Zurich Europe/Rome Europe/Stockholm Europe/Oslo"
        " Europe/Luxembourg Europe/Monaco Europe/Malta Europe/Vaduz Europe/San_Marino Europe/Vatican Europe/Andorra"
        " Europe/Gibraltar Europe/Busingen Arctic/Longyearbyen CET",
    ),
    (
        *("Romance Standard Time", "(UTC+01:00) Brussels, Copenhagen, Madrid, Paris", f"CET-1CEST,{_EU}"),
        "Europe/Paris Europe/Brussels Europe/Madrid Europe/Copenhagen Africa/Ceuta",
    ),
    (
        *("Central Europe Standard Time", "(UTC+01:00) Belgrade, Bratislava, Budapest, Ljubljana, Prague"),
        *(f"CET-1CEST,{_EU}", "Europe/Budapest Europe/Prague Europe/Belgrade Europe/Bratislava Europe/Ljubljana"),
    ),
    (
        *("Central European Standard Time", "(UTC+01:00) Sarajevo, Skopje, Warsaw, Zagreb", f"CET-1CEST,{_EU}"),
        "Europe/Warsaw Europe/Sarajevo Europe/Skopje Europe/Zagreb Poland",
    ),
    (
        *("W. Central Africa Standard Time", "(UTC+01:00) West Central Africa", "WAT-1"),
        "Africa/Lagos Africa/Algiers Africa/Tunis Africa/Kinshasa Africa/Luanda",
    ),
    (
        *("GTB Standard Time", "(UTC+02:00) Athens, Bucharest", "EET-2EEST,M3.5.0/3,M10.5.0/4"),
        "Europe/Bucharest Europe/Athens Asia/Nicosia",
    ),
    (
        *("FLE Standard Time", "(UTC+02:00) Helsinki, Kyiv, Riga, Sofia, Tallinn, Vilnius"),
        "EET-2EEST,M3.5.0/3,M10.5.0/4",
        "Europe/Kiev Europe/Kyiv Europe/Helsinki Europe/Sofia Europe/Riga Europe/Tallinn Europe/Vilnius"
        " Europe/Mariehamn EET",
    ),
    (
        *("South Africa Standard Time", "(UTC+02:00) Harare, Pretoria", "SAST-2"),
        "Africa/Johannesburg Africa/Harare Africa/Maputo Africa/Lusaka",
    ),
    (
        *("Israel Standard Time", "(UTC+02:00) Jerusalem", "IST-2IDT,M3.4.4/26,M10.5.0"),
        "Asia/Jerusalem Asia/Tel_Aviv Israel",
    ),
    ("Turkey Standard Time", "(UTC+03:00) Istanbul", "<+03>-3", "Europe/Istanbul Asia/Istanbul Turkey"),
    ("Arab Standard Time", "(UTC+03:00) Kuwait, Riyadh", "<+03>-3", "Asia/Riyadh Asia/Kuwait Asia/Qatar Asia/Bahrain"),
    ("Russian Standard Time", "(UTC+03:00) Moscow, St. Petersburg", "MSK-3", "Europe/Moscow W-SU"),
    ("E. Africa Standard Time", "(UTC+03:00) Nairobi", "EAT-3", "Africa/Nairobi Africa/Addis_Ababa Africa/Kampala"),
    ("Iran Standard Time", "(UTC+03:30) Tehran", "<+0330>-3:30", "Asia/Tehran Iran"),
    ("Arabian Standard Time", "(UTC+04:00) Abu Dhabi, Muscat", "<+04>-4", "Asia/Dubai Asia/Muscat"),
    ("West Asia Standard Time", "(UTC+05:00) Ashgabat, Tashkent", "<+05>-5", "Asia/Tashkent Asia/Ashgabat"),
    ("Pakistan Standard Time", "(UTC+05:00) Islamabad, Karachi", "PKT-5", "Asia/Karachi"),
    (
        *("India Standard Time", "(UTC+05:30) Chennai, Kolkata, Mumbai, New Delhi", "IST-5:30"),
        "Asia/Kolkata Asia/Calcutta",
    ),
    ("Nepal Standard Time", "(UTC+05:45) Kathmandu", "<+0545>-5:45", "Asia/Kathmandu Asia/Katmandu"),
    ("Bangladesh Standard Time", "(UTC+06:00) Dhaka", "<+06>-6", "Asia/Dhaka"),
    (
        *("SE Asia Standard Time", "(UTC+07:00) Bangkok, Hanoi, Jakarta", "<+07>-7"),
        "Asia/Bangkok Asia/Ho_Chi_Minh Asia/Saigon Asia/Jakarta Asia/Phnom_Penh Asia/Vientiane",
    ),
    (
        *("China Standard Time", "(UTC+08:00) Beijing, Chongqing, Hong Kong, Urumqi", "CST-8"),
        "Asia/Shanghai Asia/Chongqing Asia/Hong_Kong Asia/Macau PRC Hongkong",
    ),
    (
        *("Singapore Standard Time", "(UTC+08:00) Kuala Lumpur, Singapore", "<+08>-8"),
        "Asia/Singapore Asia/Kuala_Lumpur Asia/Manila Singapore",
    ),
    ("Taipei Standard Time", "(UTC+08:00) Taipei", "CST-8", "Asia/Taipei ROC"),
    ("W. Australia Standard Time", "(UTC+08:00) Perth", "AWST-8", "Australia/Perth"),
    ("Tokyo Standard Time", "(UTC+09:00) Osaka, Sapporo, Tokyo", "JST-9", "Asia/Tokyo Japan"),
    ("Korea Standard Time", "(UTC+09:00) Seoul", "KST-9", "Asia/Seoul ROK"),
    (
        *("Cen. Australia Standard Time", "(UTC+09:30) Adelaide", "ACST-9:30ACDT,M10.1.0,M4.1.0/3"),
        "Australia/Adelaide Australia/Broken_Hill",
    ),
    ("E. Australia Standard Time", "(UTC+10:00) Brisbane", "AEST-10", "Australia/Brisbane Australia/Lindeman"),
    (
        *("AUS Eastern Standard Time", "(UTC+10:00) Canberra, Melbourne, Sydney", "AEST-10AEDT,M10.1.0,M4.1.0/3"),
        "Australia/Sydney Australia/Melbourne Australia/Canberra",
    ),
    ("Central Pacific Standard Time", "(UTC+11:00) Solomon Is., New Caledonia", "<+11>-11", "Pacific/Guadalcanal"),
    (
        *("New Zealand Standard Time", "(UTC+12:00) Auckland, Wellington", "NZST-12NZDT,M9.5.0,M4.1.0/3"),
        "Pacific/Auckland NZ",
    ),
    ("Tonga Standard Time", "(UTC+13:00) Nuku'alofa", "<+13>-13", "Pacific/Tongatapu"),
    ("Azores Standard Time", "(UTC-01:00) Azores", "<-01>1<+00>,M3.5.0/0,M10.5.0/1", "Atlantic/Azores"),
    ("UTC-02", "(UTC-02:00) Coordinated Universal Time-02", "<-02>2", "Etc/GMT+2 America/Noronha"),
    ("E. South America Standard Time", "(UTC-03:00) Brasilia", "<-03>3", "America/Sao_Paulo Brazil/East"),
    (
        *("Argentina Standard Time", "(UTC-03:00) City of Buenos Aires", "<-03>3"),
        "America/Argentina/Buenos_Aires America/Buenos_Aires",
    ),
    ("Newfoundland Standard Time", "(UTC-03:30) Newfoundland", f"NST3:30NDT,{_US}", "America/St_Johns"),
    (
        *("Atlantic Standard Time", "(UTC-04:00) Atlantic Time (Canada)", f"AST4ADT,{_US}"),
        "America/Halifax Atlantic/Bermuda America/Moncton Canada/Atlantic",
    ),
    (
        *("SA Western Standard Time", "(UTC-04:00) Georgetown, La Paz, Manaus, San Juan", "<-04>4"),
        "America/La_Paz America/Puerto_Rico America/Manaus America/Guyana",
    ),
    (
        *("Eastern Standard Time", "(UTC-05:00) Eastern Time (US & Canada)", f"EST5EDT,{_US}"),
        "America/New_York America/Detroit America/Toronto America/Montreal US/Eastern US/Michigan Canada/Eastern"
        " EST5EDT",
    ),
    (
        *("SA Pacific Standard Time", "(UTC-05:00) Bogota, Lima, Quito, Rio Branco", "<-05>5"),
        "America/Bogota America/Lima America/Guayaquil America/Panama America/Jamaica EST",
    ),
    (
        *("Central Standard Time", "(UTC-06:00) Central Time (US & Canada)", f"CST6CDT,{_US}"),
        "America/Chicago America/Winnipeg US/Central Canada/Central CST6CDT",
    ),
    (
        *("Central Standard Time (Mexico)", "(UTC-06:00) Guadalajara, Mexico City, Monterrey", "CST6"),
        "America/Mexico_City America/Monterrey Mexico/General",
    ),
    (
        *("Mountain Standard Time", "(UTC-07:00) Mountain Time (US & Canada)", f"MST7MDT,{_US}"),
        "America/Denver America/Boise America/Edmonton US/Mountain Canada/Mountain MST7MDT",
    ),
    ("US Mountain Standard Time", "(UTC-07:00) Arizona", "MST7", "America/Phoenix US/Arizona MST"),
    (
        *("Pacific Standard Time", "(UTC-08:00) Pacific Time (US & Canada)", f"PST8PDT,{_US}"),
        "America/Los_Angeles America/Vancouver US/Pacific Canada/Pacific PST8PDT",
    ),
    ("Alaskan Standard Time", "(UTC-09:00) Alaska", f"AKST9AKDT,{_US}", "America/Anchorage America/Juneau US/Alaska"),
    ("Hawaiian Standard Time", "(UTC-10:00) Hawaii", "HST10", "Pacific/Honolulu US/Hawaii HST"),
    ("UTC-11", "(UTC-11:00) Coordinated Universal Time-11", "<-11>11", "Etc/GMT+11 Pacific/Pago_Pago Pacific/Midway"),
    ("Dateline Standard Time", "(UTC-12:00) International Date Line West", "<-12>12", "Etc/GMT+12"),
)
