"""What the seeds need to know about the user, the machine and the Windows we are."""

from __future__ import annotations

from lswd.host.processors import usable
from lswd.kernel.registry.windows_version import DEFAULT

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.registry.time_zone import Zone
    from lswd.kernel.registry.windows_version import WindowsVersion


class SeedFacts:
    """Facts for one user's registry; what has to be found out is found out when a seed asks.

    Attributes:
        user_sid: SID of the user, the name of the user's key.
        user_name: also the name of the directory below ``C:\\users``.
        computer_name: NetBIOS name.
        host_name: DNS name.
        windows: the release we are.
        architecture: PROCESSOR_ARCHITECTURE of 64-bit programs.
    """

    def __init__(
        self,
        user_sid: str,
        user_name: str,
        *,
        computer_name: str = "LSW",
        host_name: str = "",
        windows: WindowsVersion = DEFAULT,
        architecture: str = "AMD64",
    ) -> None:
        self.user_sid = user_sid
        self.user_name = user_name
        self.computer_name = computer_name
        self.host_name = host_name or computer_name.lower()
        self.windows = windows
        self.architecture = architecture
        self._zone: Zone | None = None
        self._processor: Processor | None = None

    def given(self) -> tuple[object, ...]:
        """All that is not found out."""
        return (
            self.user_sid, self.user_name, self.computer_name, self.host_name, self.windows, self.architecture
        )  # fmt: skip

    @property
    def profile(self) -> str:
        """The user's directory."""
        return rf"C:\users\{self.user_name}"

    @property
    def zone(self) -> Zone:
        """The host's time zone."""
        if self._zone is None:
            from lswd.kernel.registry.time_zone import host_zone

            self._zone = host_zone()
        return self._zone

    @property
    def processor(self) -> Processor:
        """The host's processor."""
        if self._processor is None:
            self._processor = read_processor()
        return self._processor


class Processor:
    """A processor as the registry describes it."""

    __slots__ = ("family", "mhz", "model", "name", "stepping", "vendor")

    def __init__(self, vendor: str, name: str, family: int, model: int, stepping: int, mhz: int) -> None:
        self.vendor = vendor
        self.name = name
        self.family = family
        self.model = model
        self.stepping = stepping
        self.mhz = mhz

    @property
    def identifier(self) -> str:
        """``Intel64 Family 6 Model 158 Stepping 10``."""
        kind = "Intel64" if self.vendor == "GenuineIntel" else "AMD64"
        return f"{kind} Family {self.family} Model {self.model} Stepping {self.stepping}"

    @property
    def revision(self) -> int:
        """Model and stepping as SYSTEM_INFO.wProcessorRevision has them."""
        return (self.model & 0xFF) << 8 | self.stepping & 0xFF


def read_processor(path: str = "/proc/cpuinfo") -> Processor:
    """The first processor in ``path``; what is missing or unreadable there is made up."""
    found: dict[str, str] = {}
    try:
        with open(path, encoding="utf-8", errors="replace") as lines:
            for line in lines:
                name, colon, value = line.partition(":")
                if not colon:
                    break  # the end of the first processor
                found[name.strip()] = value.strip()
    except OSError:
        pass

    def number(name: str, default: int) -> int:
        text = found.get(name, "").partition(".")[0]
        return int(text) if text.isascii() and text.isdigit() else default

    return Processor(
        found.get("vendor_id", "GenuineIntel"),
        found.get("model name", "x86-64 processor"),
        number("cpu family", 6),
        number("model", 0),
        number("stepping", 0),
        number("cpu MHz", 2000),
    )


def processor_count() -> int:
    """Processors a program can use."""
    return len(usable())
