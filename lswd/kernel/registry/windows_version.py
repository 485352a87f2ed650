"""The Windows versions we can be: the one place that says what a version's numbers and names are.

Sources: Microsoft "Operating System Version" and "Windows 10/11 release information"; BuildLab strings are those of
the released systems.
"""

from __future__ import annotations


class WindowsVersion:
    """A release of Windows.

    Attributes:
        name: what configuration calls it, "win10".
        product: ProductName in the registry. Windows 11 still calls itself Windows 10 there.
        major, minor, build: as RtlGetVersion tells.
        service_pack: its number.
        branch: what follows the base build in BuildLab.
        base_build: the build BuildLab speaks of (enablement packages raise ``build`` only).
        edition: EditionID.
        release: ReleaseId, "" before Windows 10.
        display: DisplayVersion, "" before Windows 10 20H2.
        revision: UBR, 0 before Windows 10.
    """

    __slots__ = (
        "base_build",
        "branch",
        "build",
        "display",
        "edition",
        "major",
        "minor",
        "name",
        "product",
        "release",
        "revision",
        "service_pack",
    )

    def __init__(
        self,
        name: str,
        product: str,
        version: tuple[int, int, int],
        branch: str,
        *,
        edition: str = "Professional",
        service_pack: int = 0,
        base_build: int = 0,
        release: str = "",
        display: str = "",
        revision: int = 0,
    ) -> None:
        self.name = name
        self.product = product
        self.major, self.minor, self.build = version
        self.branch = branch
        self.edition = edition
        self.service_pack = service_pack
        self.base_build = base_build or self.build
        self.release = release
        self.display = display
        self.revision = revision

    @property
    def csd(self) -> str:
        """CSDVersion: "Service Pack 1", or ""."""
        return f"Service Pack {self.service_pack}" if self.service_pack else ""


VERSIONS = {
    version.name: version
    for version in (
        WindowsVersion("winxp", "Microsoft Windows XP", (5, 1, 2600), "xpsp.080413-2111", edition="", service_pack=3),
        WindowsVersion(
            "winxp64", "Microsoft Windows XP", (5, 2, 3790), "srv03_sp2_rtm.070216-1710", edition="", service_pack=2
        ),
        WindowsVersion(
            *("vista", "Windows Vista (TM) Business", (6, 0, 6002), "lh_sp2rtm.090410-1830"),
            edition="Business",
            service_pack=2,
        ),
        WindowsVersion("win7", "Windows 7 Professional", (6, 1, 7601), "win7sp1_rtm.101119-1850", service_pack=1),
        WindowsVersion("win8", "Windows 8 Pro", (6, 2, 9200), "win8_rtm.120725-1247"),
        WindowsVersion("win81", "Windows 8.1 Pro", (6, 3, 9600), "winblue_rtm.130821-1623"),
        WindowsVersion(
            *("win10", "Windows 10 Pro", (10, 0, 19045), "vb_release.191206-1406"),
            base_build=19041,
            display="22H2",
            release="2009",
            revision=3803,
        ),
        WindowsVersion(
            *("win11", "Windows 10 Pro", (10, 0, 22631), "ni_release.220506-1250"),
            base_build=22621,
            display="23H2",
            release="2009",
            revision=2861,
        ),
    )
}

DEFAULT = VERSIONS["win10"]
_ALIASES = {"xp": "winxp", "xp64": "winxp64"}


def named(name: str) -> WindowsVersion | None:
    """The release that configuration calls ``name``."""
    lowered = name.lower()
    return VERSIONS.get(_ALIASES.get(lowered, lowered))
