"""The host's time zone in the classes of NtQuerySystemInformation.

Source: Microsoft "DYNAMIC_TIME_ZONE_INFORMATION".
"""

from __future__ import annotations

from lswd.nt.declare import Call, encode_wide
from lswd.nt.system_information import (
    QUERY,
    SystemCurrentTimeZoneInformation,
    SystemDynamicTimeZoneInformation,
)
from lswd.ntdef.types import (
    BOOLEAN,
    LONG,
    USHORT,
    Struct,
    array,
    raw,
)


class RTL_DYNAMIC_TIME_ZONE_INFORMATION(Struct):
    Bias: LONG
    StandardName: bytes = raw(64)
    StandardDate: tuple[int, ...] = array(USHORT, 8)  # SYSTEMTIME
    StandardBias: LONG
    DaylightName: bytes = raw(64)
    DaylightDate: tuple[int, ...] = array(USHORT, 8)
    DaylightBias: LONG
    TimeZoneKeyName: bytes = raw(256)
    DynamicDaylightTimeDisabled: BOOLEAN


@QUERY.answers(SystemDynamicTimeZoneInformation)
def _dynamic_time_zone(call: Call, subject: object, address: int) -> RTL_DYNAMIC_TIME_ZONE_INFORMATION:
    from lswd.kernel.registry.time_zone import host_zone

    zone = host_zone()
    return RTL_DYNAMIC_TIME_ZONE_INFORMATION(
        Bias=zone.rule.bias,
        StandardName=encode_wide(zone.standard_name)[:62],
        StandardDate=zone.rule.standard_date,
        StandardBias=zone.rule.standard_bias,
        DaylightName=encode_wide(zone.daylight_name)[:62],
        DaylightDate=zone.rule.daylight_date,
        DaylightBias=zone.rule.daylight_bias,
        TimeZoneKeyName=encode_wide(zone.key)[:254],
    )


@QUERY.answers(SystemCurrentTimeZoneInformation)
def _time_zone(call: Call, subject: object, address: int) -> bytes:
    """RTL_TIME_ZONE_INFORMATION: the same up to the key's name."""
    whole = _dynamic_time_zone(call, subject, address)
    return whole.pack(call.word)[: whole.offset(call.word, "TimeZoneKeyName")]
