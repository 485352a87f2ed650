"""The host's power supply. Source: the kernel's Documentation/power/power_supply_class.rst."""

from __future__ import annotations

import os

_ROOT = "/sys/class/power_supply"


class PowerSupply:
    """Mains and batteries together; capacities in mWh, rates in mW. A machine that tells nothing runs on mains."""

    __slots__ = ("battery", "charging", "discharging", "full", "mains", "rate", "remaining")

    def __init__(self, root: str = _ROOT) -> None:
        self.mains = True
        self.battery = self.charging = self.discharging = False
        self.full = self.remaining = self.rate = 0
        try:
            supplies = sorted(os.listdir(root))
        except OSError:
            return
        mains_seen = False
        for name in supplies:
            at = f"{root}/{name}"
            kind = _text(f"{at}/type")
            if kind == "Mains":
                online = _text(f"{at}/online") == "1"
                self.mains = online or (mains_seen and self.mains)
                mains_seen = True
            elif kind == "Battery" and _text(f"{at}/scope") != "Device":
                self.battery = True
                status = _text(f"{at}/status")
                self.charging |= status == "Charging"
                self.discharging |= status == "Discharging"
                self.full += _milli(at, "energy_full", "charge_full")
                self.remaining += _milli(at, "energy_now", "charge_now")
                self.rate += _milli(at, "power_now", "current_now")
        if not mains_seen and self.discharging:
            self.mains = False

    @property
    def seconds_left(self) -> int:
        """How long the batteries last; -1 when that is not known."""
        return self.remaining * 3600 // self.rate if self.discharging and self.rate else -1


def _text(path: str) -> str:
    try:
        with open(path, encoding="ascii", errors="replace") as file:
            return file.read(64).strip()
    except OSError:
        return ""


def _milli(at: str, energy: str, charge: str) -> int:
    """A figure in thousandths; one given in ampere-hours is turned into watt-hours by the battery's voltage."""
    text = _text(f"{at}/{energy}")
    if text.isdigit():
        return int(text) // 1000
    text, volts = _text(f"{at}/{charge}"), _text(f"{at}/voltage_now")
    return int(text) * int(volts) // 10**9 if text.isdigit() and volts.isdigit() else 0
