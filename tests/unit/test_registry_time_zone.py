"""Time zones: POSIX rules in Windows' terms, and the host's zone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lswd.kernel.registry.time_zone import NEVER, host_zone, known_zone, parse_rule, zone_names


def sunday(month: int, week: int, hour: int, minute: int = 0, weekday: int = 0) -> tuple[int, ...]:
    return (0, month, weekday, week, hour, minute, 0, 0)


def test_central_european_time_is_what_windows_has() -> None:
    # HKLM\...\Time Zones\W. Europe Standard Time, TZI, as every Windows has it.
    tzi = "c4ffffff 00000000 c4ffffff 00000a0000000500030000000000000000000300000005000200000000000000"
    assert bytes.fromhex(tzi.replace(" ", "")) == known_zone("W. Europe Standard Time").rule.tzi


def test_a_zone_without_seasons_has_no_dates() -> None:
    rule = parse_rule("JST-9")
    assert rule is not None
    assert (-540, NEVER, NEVER, "JST") == (rule.bias, rule.standard_date, rule.daylight_date, rule.standard_name)


def test_a_rule_gives_bias_names_and_dates() -> None:
    rule = parse_rule("PST8PDT,M3.2.0,M11.1.0")
    assert rule is not None
    assert (480, -60, "PST", "PDT") == (rule.bias, rule.daylight_bias, rule.standard_name, rule.daylight_name)
    assert (sunday(3, 2, 2), sunday(11, 1, 2)) == (rule.daylight_date, rule.standard_date)


def test_a_rule_without_dates_has_those_of_the_united_states() -> None:
    with_dates, without = parse_rule("EST5EDT,M3.2.0,M11.1.0"), parse_rule("EST5EDT")
    assert with_dates is not None and without is not None
    assert with_dates.tzi == without.tzi


def test_names_may_be_numbers_in_angle_brackets() -> None:
    rule = parse_rule("<+1030>-10:30<+11>-11,M10.1.0,M4.1.0")
    assert rule is not None
    assert (-630, -30, "+1030", "+11") == (rule.bias, rule.daylight_bias, rule.standard_name, rule.daylight_name)


def test_irish_winter_time_is_standard_time_to_windows() -> None:
    rule = parse_rule("IST-1GMT0,M10.5.0,M3.5.0/1")
    assert rule is not None
    assert (0, -60, "GMT", "IST") == (rule.bias, rule.daylight_bias, rule.standard_name, rule.daylight_name)
    assert (sunday(3, 5, 1), sunday(10, 5, 2)) == (rule.daylight_date, rule.standard_date)


def test_times_beyond_the_day_fall_on_the_day_they_reach() -> None:
    rule = parse_rule("<-02>2<-01>,M3.5.0/-1,M10.4.4/50:30")
    assert rule is not None
    assert (sunday(3, 5, 23, weekday=6), sunday(10, 4, 2, 30, weekday=6)) == (rule.daylight_date, rule.standard_date)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            "5",
            "EST",
            "EST5EDT,J60,J300",
            "EST5EDT,M13.1.0,M1.1.0",
            "EST5EDT,M3.6.0,M1.1.0",
            "EST5EDT,M3.1.7,M1.1.0",
        ),
        *("EST5EDT,M3.2", "EST5EDT,M3.2.0", "EST5:x", "EST5EDT4:", "EST1:2:3:4", "<EST", "EST9999", "EST²", "Mm.w.d"),
    ],
)
def test_what_is_no_rule_is_refused(text: str) -> None:
    assert parse_rule(text) is None


def test_all_declared_zones_have_rules_and_names_of_their_own() -> None:
    zones = [known_zone(name) for name in zone_names()]
    assert len(zones) == len({zone.key.upper() for zone in zones})
    assert len(zones) == len({zone.display for zone in zones})
    for zone in zones:
        hours, minutes = divmod(abs(zone.rule.bias), 60)
        sign = "-" if zone.rule.bias > 0 else "+"
        assert zone.display.startswith("(UTC)" if zone.key == "UTC" else f"(UTC{sign}{hours:02}:{minutes:02})")
        assert max(len(zone.key), len(zone.standard_name), len(zone.daylight_name)) < 32  # WCHAR[32] in the API


def test_coordinated_universal_time_has_its_own_name() -> None:
    zone = known_zone("UTC")
    assert ("Coordinated Universal Time", bytes(44)) == (zone.standard_name, zone.rule.tzi)


# -- the host


def tzif(path: Path, rule: str) -> Path:
    """A file with the parts of a TZif file that count here."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"TZif2" + bytes(39) + b"\n" + rule.encode() + b"\n")
    return path


def linked(tmp_path: Path, place: str, rule: str) -> str:
    """An /etc/localtime that names a place."""
    target = tzif(tmp_path / "usr" / "share" / "zoneinfo" / place, rule)
    link = tmp_path / "localtime"
    link.symlink_to(target)
    return str(link)


def test_a_known_place_has_windows_names_for_its_zone(tmp_path: Path) -> None:
    zone = host_zone({}, linked(tmp_path, "Europe/Paris", "CET-1CEST,M3.5.0,M10.5.0/3"))
    assert ("Romance Standard Time", "Romance Standard Time") == (zone.key, zone.standard_name)
    assert known_zone("Romance Standard Time").rule.tzi == zone.rule.tzi


def test_the_hosts_rule_counts_where_it_is_another_than_ours(tmp_path: Path) -> None:
    zone = host_zone({}, linked(tmp_path, "Europe/Paris", "CET-1"))
    assert ("Romance Standard Time", NEVER) == (zone.key, zone.rule.daylight_date)


def test_an_unknown_place_has_the_first_zone_with_its_rule(tmp_path: Path) -> None:
    zone = host_zone({}, linked(tmp_path, "Moon/Tranquility", "MST7"))
    assert "US Mountain Standard Time" == zone.key


def test_an_unknown_rule_makes_a_zone_of_its_own(tmp_path: Path) -> None:
    zone = host_zone({}, linked(tmp_path, "Mars/Olympus", "<+1015>-10:15<+1045>-10:45,M10.1.0,M4.1.0"))
    assert ("Mars/Olympus", "(UTC+10:15) Mars/Olympus") == (zone.key, zone.display)
    assert ("+1015", "+1045") == (zone.standard_name, zone.daylight_name)


def test_a_plain_file_without_a_place_will_do(tmp_path: Path) -> None:
    assert "Tokyo Standard Time" == host_zone({}, str(tzif(tmp_path / "localtime", "JST-9"))).key


@pytest.mark.parametrize("content", [b"", b"garbage", b"TZif\nEST5EDT,J1,J2\n", b"TZif\n\n"])
def test_a_host_without_a_usable_zone_is_at_utc(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "localtime").write_bytes(content)
    assert "UTC" == host_zone({}, str(tmp_path / "localtime")).key


def test_a_host_without_a_zone_is_at_utc(tmp_path: Path) -> None:
    assert "UTC" == host_zone({}, str(tmp_path / "none")).key


def test_tz_comes_before_localtime(tmp_path: Path) -> None:
    localtime = linked(tmp_path, "Europe/Paris", "CET-1CEST,M3.5.0,M10.5.0/3")
    place = tzif(tmp_path / "usr" / "share" / "zoneinfo" / "Asia" / "Tokyo", "JST-9")
    assert "Tokyo Standard Time" == host_zone({"TZ": f":{place}"}, localtime).key
    assert "Tokyo Standard Time" == host_zone({"TZ": str(place)}, localtime).key
    assert "Hawaiian Standard Time" == host_zone({"TZ": "HST10"}, localtime).key
    assert "UTC" == host_zone({"TZ": ""}, localtime).key
    assert "UTC" == host_zone({"TZ": ":HST10"}, localtime).key


def test_a_name_in_tz_is_looked_up_among_the_systems_zones(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tzif(tmp_path / "zoneinfo" / "Asia" / "Seoul", "KST-9")
    monkeypatch.setattr("lswd.kernel.registry.time_zone.ZONEINFO", os.fspath(tmp_path / "zoneinfo"))
    assert "Korea Standard Time" == host_zone({"TZ": "Asia/Seoul"}).key


def test_a_rule_of_ones_own_serves_as_key_without_backslashes() -> None:
    assert "<a/b>1:23" == host_zone({"TZ": "<a\\b>1:23"}).key
