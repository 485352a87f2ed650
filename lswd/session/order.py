"""What a client of the socket wants run, and how that ended: the JSON in a memfd, and in the answer.

An order and five descriptors go with LAUNCH_PE: stdin, stdout, stderr, the working directory (O_PATH will do), and the
memfd that ``Order.to_bytes`` was written to. Only the user's own session reads the memfd, never the daemon.
Both classes are plain data and this module imports nothing slow: clients use it too.
"""

from __future__ import annotations

from lswd.ioctl.numbers import REASON_EXITED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any, Self

LARGEST_ORDER = 4 << 20
_VERSION = 1
_TEXTS = (
    "program", "confine", "cwd", "engine", "limit", "network", "prefix", "report", "trace", "userland",
    "windows_version",
)  # fmt: skip
_MAPPINGS = ("environ", "environment")
_MOST_WORDS = 100_000


class OrderError(ValueError):
    """The bytes are no order; the message says what is wrong."""


class Order:
    """One program to run. The descriptors travel beside it.

    Attributes:
        program, arguments: as on lswctl's command line.
        environ: the client's whole environment; replaces ``os.environ``.
        environment: ``--env``: variables of the program beyond those.
        confine: ``--confine``; "" for $LSW_CONFINE of ``environ``, or the default.
        cwd: ``--cwd``, relative to the working directory that was passed; "" for that directory itself.
        limit: ``--limit``, with commas between several; "" for $LSW_LIMIT of ``environ``.
        drives: ``--drive``, as (letter, path). prefix, engine, network, userland, windows_version: as in
            launch.Options, "" for the default.
        report: "" for none, else a path.
        trace: "" for none, "-" for standard error, else a path.
        umask: -1 keeps the session's.
    """

    __slots__ = (
        "arguments", "confine", "cwd", "drives", "engine", "environ", "environment", "limit", "network", "prefix",
        "program", "report", "trace", "umask", "userland", "verbose", "windows_version",
    )  # fmt: skip

    def __init__(
        self,
        program: str,
        arguments: Sequence[str] = (),
        *,
        environ: Mapping[str, str] | None = None,
        environment: Mapping[str, str] | None = None,
        confine: str = "",
        cwd: str = "",
        drives: Sequence[tuple[str, str]] = (),
        engine: str = "",
        limit: str = "",
        network: str = "",
        prefix: str = "",
        report: str = "",
        trace: str = "",
        umask: int = -1,
        userland: str = "",
        verbose: bool = False,
        windows_version: str = "",
    ) -> None:
        self.program = program
        self.arguments = list(arguments)
        self.environ = dict(environ or {})
        self.environment = dict(environment or {})
        self.confine = confine
        self.cwd = cwd
        self.drives = [(letter, path) for letter, path in drives]
        self.engine = engine
        self.limit = limit
        self.network = network
        self.prefix = prefix
        self.report = report
        self.trace = trace
        self.umask = umask
        self.userland = userland
        self.verbose = verbose
        self.windows_version = windows_version

    def to_bytes(self) -> bytes:
        """The order as JSON. Raises OrderError: larger than LARGEST_ORDER."""
        from lswd.session import plain_json as json

        data = json.dumps({"order": _VERSION, **{name: getattr(self, name) for name in self.__slots__}}).encode()
        if len(data) > LARGEST_ORDER:
            raise OrderError(f"arguments and environment are too large: {len(data)} bytes, {LARGEST_ORDER} are allowed")
        return data

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote, or what somebody hostile did. Raises OrderError."""
        values = _object(data, LARGEST_ORDER)
        if values.pop("order", None) != _VERSION:
            raise OrderError(f"not an order of version {_VERSION}")
        unknown = values.keys() - set(cls.__slots__)
        if unknown:
            raise OrderError(f"unknown field {min(unknown)!r}")
        for name in _TEXTS:
            _text(name, values.get(name, ""))
        if not values.get("program"):
            raise OrderError("program: empty")
        for name in _MAPPINGS:
            mapping = values.get(name, {})
            if not isinstance(mapping, dict):
                raise OrderError(f"{name}: not an object")
            for key, value in mapping.items():
                _text(name, key)
                _text(name, value)
                if not key or "=" in key[1:]:
                    raise OrderError(f"{name}: {key!r} is no name of a variable")
        for word in _list("arguments", values.get("arguments", [])):
            _text("arguments", word)
        drives = []
        for drive in _list("drives", values.get("drives", [])):
            if not isinstance(drive, list) or len(drive) != 2:
                raise OrderError("drives: not pairs")
            drives.append((_text("drives", drive[0]), _text("drives", drive[1])))
        umask = values.get("umask", -1)
        if type(umask) is not int or not -1 <= umask <= 0o777:
            raise OrderError("umask: out of range")
        if type(values.get("verbose", False)) is not bool:
            raise OrderError("verbose: neither true nor false")
        return cls(**{**values, "drives": drives})


class Ending:
    """How a program ended.

    Attributes:
        exit_status: all 32 bits. reason: one of ioctl.commands.REASON_*.
        exit_code: what a command that ran it should exit with (0-255; 120-125 are lswctl's own).
        message: why it could not be started, or "". The others: as in launch.Outcome.
    """

    __slots__ = (
        "exit_code", "exit_status", "failure", "import_error", "message", "missing_calls", "note", "phases", "reason",
        "system_calls",
    )  # fmt: skip

    def __init__(
        self, exit_status: int = 0, reason: int = REASON_EXITED, exit_code: int = 0, message: str = ""
    ) -> None:
        self.exit_status = exit_status
        self.reason = reason
        self.exit_code = exit_code
        self.message = message
        self.failure = ""
        self.import_error = ""
        self.missing_calls: dict[str, int] = {}
        self.note = ""
        self.system_calls = 0
        self.phases: list[tuple[str, float]] = []

    def to_bytes(self, limit: int) -> bytes:
        """As JSON of at most ``limit`` bytes (512 or more); details that do not fit are left out."""
        from lswd.session import plain_json as json

        values = {name: getattr(self, name) for name in self.__slots__}
        details: tuple[tuple[str, object], ...]
        details = ("missing_calls", {}), ("phases", []), ("note", ""), ("failure", ""), ("import_error", "")
        for name, shorter in details:
            data = json.dumps(values).encode()
            if len(data) <= limit:
                return data
            values[name] = shorter
        values["message"] = self.message[: limit // 16]
        return json.dumps(values).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Self:
        """Read what ``to_bytes`` wrote. Raises OrderError."""
        values = _object(data, 1 << 20)
        ending = cls()
        for name in cls.__slots__:
            value, default = values.get(name), getattr(ending, name)
            if type(value) is not type(default):
                raise OrderError(f"{name}: missing or of the wrong type")
            setattr(ending, name, value)
        numbers = (*ending.missing_calls.values(), ending.exit_status, ending.exit_code, ending.reason)
        if not all(type(n) is int and 0 <= n <= 0xFFFF_FFFF for n in numbers):
            raise OrderError("a number is out of range")
        if not all(isinstance(p, list) and len(p) == 2 and isinstance(p[0], str) for p in ending.phases):
            raise OrderError("phases: not pairs")
        try:
            ending.phases = [(name, float(seconds)) for name, seconds in ending.phases]
        except (TypeError, ValueError):
            raise OrderError("phases: not a number") from None
        return ending


def _object(data: bytes, limit: int) -> dict[str, Any]:
    from lswd.session import plain_json as json

    if len(data) > limit:
        raise OrderError(f"larger than {limit} bytes")
    try:
        values = json.loads(data)
    except (ValueError, RecursionError):
        raise OrderError("not valid JSON") from None
    if not isinstance(values, dict):
        raise OrderError("not an object")
    return values


def _text(field: str, value: object) -> str:
    if not isinstance(value, str) or "\0" in value:
        raise OrderError(f"{field}: not a text without NUL")
    return value


def _list(field: str, value: object) -> list[Any]:
    if not isinstance(value, list) or len(value) > _MOST_WORDS:
        raise OrderError(f"{field}: not a list, or too long")
    return value
