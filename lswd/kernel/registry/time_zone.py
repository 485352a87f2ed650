"""Time zones: Windows' names and rules for them, and the host's zone in Windows' terms.

A rule is written as POSIX writes it in TZ (``CET-1CEST,M3.5.0,M10.5.0/3``), which is also what ends every TZif file;
"Mm.w.d" means the same as the day-in-month form of Windows' transition dates.

Sources: POSIX.1 "Other Environment Variables" (TZ), tzfile(5), TIME_ZONE_INFORMATION (Microsoft), and Unicode CLDR's
windowsZones for which place lies in which Windows zone.
"""

from __future__ import annotations

import os
import struct

from lswd.host.regular_file import open_regular
from lswd.kernel.registry.zone_table import ZONES

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
    return [key for key, _, _, _ in ZONES]


def known_zone(key: str) -> Zone:
    """The declared zone with this key, exactly as ``zone_names`` has it."""
    display, text = next((display, text) for name, display, text, _ in ZONES if name == key)
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
    for key, _, _, places in ZONES:
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
        with open(open_regular(file), "rb", buffering=0) as tzif:
            content = tzif.read(1 << 20)
    except OSError:
        return ""
    lines = content.rsplit(b"\n", 2)
    if not content.startswith(b"TZif") or len(lines) != 3 or lines[2]:
        return ""
    return lines[1].decode("ascii", "replace")
