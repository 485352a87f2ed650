"""Every guest program of this suite and every way it is run: plain data, read by the builder, the reference run
under Wine and the tests."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Literal

from . import authority, servers


@dataclass(frozen=True)
class Library:
    """A DLL of ours, built beside the programs that use it."""

    name: str
    sources: tuple[str, ...]
    definition: str = ""
    """The .def file with its exports, if they are not marked in the source."""
    linked: Literal["import", "delay", "no"] = "import"
    """How programs refer to it: import table, delay-load table, or only by LoadLibrary."""
    flags: tuple[str, ...] = ()
    libraries: tuple[Library, ...] = ()
    """The DLLs it imports itself."""
    lost: bool = False
    """Linked against, but missing when the program runs."""


@dataclass(frozen=True)
class Program:
    """A guest executable: sources below fixtures/ (.c, .cpp, .S, .rc) and the flags that matter."""

    name: str
    sources: tuple[str, ...]
    flags: tuple[str, ...] = ()
    libraries: tuple[Library, ...] = ()


@dataclass(frozen=True)
class Case:
    """One run of a program and what must come of it; its standard output is expected/NAME.out."""

    name: str
    program: Program
    args: tuple[str, ...] = ()
    stdin: bytes = b""
    env: tuple[tuple[str, str], ...] = ()
    files: tuple[tuple[str, bytes | Callable[[], bytes]], ...] = ()
    """Files the program finds in its working directory; what makes them where that takes time."""
    leaves: tuple[tuple[str, bytes], ...] = ()
    """Files which must be in the working directory afterwards, by their Linux names."""
    streams: Literal["pipe", "file"] = "pipe"
    exit_code: int = 0
    server: Callable[[], AbstractContextManager[int]] | None = None
    """What runs on this host meanwhile; its port is the program's last argument."""
    stderr: bool = False
    """Whether standard error is compared too (expected/NAME.err)."""
    newer: str = ""
    """What makes its output another under a newer Wine than 8, if anything does; it is not compared then."""
    why_not_wine: str = ""
    """Why the expectation is not what Wine does; such an expectation is written by hand."""


def _c(name: str, *flags: str) -> Program:
    """A program of one C file: fixtures/FAMILY/NAME.c given as "FAMILY/NAME"."""
    return Program(name.rpartition("/")[2], (f"{name}.c",), flags)


def _cpp(name: str, *flags: str) -> Program:
    """A program of one C++ file, with the C++ library inside."""
    return Program(name.rpartition("/")[2], (f"{name}.cpp",), (*flags, "-static"))


_HELLO = ("start/hello.c",)
_ARGS = _c("start/args", "-municode")
_EXIT = _c("start/exit")

START = (
    Case("hello", Program("hello", _HELLO)),
    Case("hello-stripped", Program("hello_stripped", _HELLO, ("-s",))),
    Case("hello-no-relocations", Program("hello_fixed", _HELLO,
                                         ("-Wl,--disable-dynamicbase,--disable-reloc-section",))),
    Case("hello-low-base", Program("hello_low", _HELLO, ("-Wl,--image-base,0x400000",))),
    Case("hello-static", Program("hello_static", _HELLO, ("-static", "-O2"))),
    Case("args-none", _ARGS),
    Case("args-plain", _ARGS, ("one", "two", "--three=4", "/five"), exit_code=4),
    Case("args-spaces", _ARGS, ("one two", " leading", "trailing ", "tab\there"), exit_code=4),
    Case("args-empty", _ARGS, ("", "between", ""), exit_code=3),
    Case("args-quotes", _ARGS, ('"', 'a"b', '"quoted whole"', 'say "hi" twice'), exit_code=4),
    Case("args-backslashes", _ARGS,
         ("C:\\dir\\", "C:\\a dir\\", 'ends\\"', 'two\\\\"x', "\\\\server\\share", "\\"), exit_code=6),
    Case("args-unicode", _ARGS, ("žluťoučký kůň", "日本", "😀"), exit_code=3),
    Case("args-metacharacters", _ARGS, ("%PATH%", "^&|<>", "$HOME", "'single'", "(x)", "!"), exit_code=6),
    Case("args-long", _ARGS, ("x" * 700, "y y" * 300), exit_code=2),
    Case("args-narrow", _c("start/args_narrow"), ("plain", "two words", "", "b\\ack"), env=(("GUEST_NARROW", "v 1"),)),
    Case("environment", _c("start/environment"),
         env=(("GUEST_PLAIN", "plain"), ("GUEST_SPACES", " a  b "), ("GUEST_EQUALS", "a=b=c"),
              ("GUEST_UNICODE", "žír"))),
    Case("environment-system", _c("start/system_environment")),
    Case("exit-return-0", _EXIT, ("return", "0")),
    Case("exit-return-42", _EXIT, ("return", "42"), exit_code=42),
    Case("exit-exit-255", _EXIT, ("exit", "255"), exit_code=255),
    Case("exit-exit-minus-1", _EXIT, ("exit", "0xffffffff"), exit_code=255),
    Case("exit-_exit-9", _EXIT, ("_exit", "9"), exit_code=9),
    Case("exit-ExitProcess-42", _EXIT, ("ExitProcess", "42"), exit_code=42),
    Case("exit-ExitProcess-0xc0000005", _EXIT, ("ExitProcess", "0xc0000005"), exit_code=5),
    Case("exit-ExitProcess-256", _EXIT, ("ExitProcess", "256"), exit_code=1,
         why_not_wine="a failing code whose low 8 bits are 0 must not look like success to a shell"),
    Case("exit-TerminateProcess-77", _EXIT, ("TerminateProcess", "77"), exit_code=77),
    Case("exit-abort", _EXIT, ("abort",), exit_code=3),
    Case("exit-fault", _EXIT, ("fault",), exit_code=5),
    Case("exit-fault-quietly", _EXIT, ("fault-quietly", "16"), exit_code=5),
    Case("exit-divide", _EXIT, ("divide",), exit_code=0x94),
    Case("exit-raise", _EXIT, ("raise", "0xe0001234"), exit_code=0x34),
    Case("exit-fastfail", _EXIT, ("fastfail", "7"), exit_code=9),
    Case("exit-ExitThread", _EXIT, ("ExitThread", "6"), exit_code=6),
    Case("exit-other-thread", _EXIT, ("other-thread", "8"), exit_code=8),
    Case("output-and-error", _c("start/output"), exit_code=7, stderr=True),
    Case("output-to-files", _c("start/output"), exit_code=7, stderr=True, streams="file"),
)

_STDIN = _c("stdio/stdin_lines")
_READFILE = _c("stdio/stdin_readfile")
_LINES = b"first\r\nsecond\n\r\n" + b"long " * 20 + b"\nlast without newline"
_NUMBERS = b"42 beef -1.5e3 word\r\n x123skipped letters 9223372036854775807\r\nnot-a-number\n"
_BULK = bytes(range(256)) * 800

STDIO = (
    Case("printf-msvcrt", Program("printf_msvcrt", ("stdio/printf.c",), ("-D__USE_MINGW_ANSI_STDIO=0", "-Wno-format"))),
    Case("printf-mingw", Program("printf_mingw", ("stdio/printf.c",), ("-D__USE_MINGW_ANSI_STDIO=1", "-Wno-format"))),
    Case("scanf", _c("stdio/scanf", "-Wno-format"), stdin=_NUMBERS),
    Case("wide-output", _c("stdio/wide_output")),
    Case("stdin-lines", _STDIN, ("lines",), stdin=_LINES),
    Case("stdin-lines-of-a-file", _STDIN, ("lines",), stdin=_LINES, streams="file"),
    Case("stdin-empty", _STDIN, ("lines",)),
    Case("stdin-ctrl-z", _STDIN, ("lines",), stdin=b"before\r\n\x1aafter\r\n"),
    Case("stdin-characters", _STDIN, ("characters",), stdin=_LINES * 50),
    Case("stdin-blocks", _STDIN, ("blocks",), stdin=_BULK),
    Case("stdin-blocks-of-a-file", _STDIN, ("blocks",), stdin=_BULK, streams="file"),
    Case("stdin-readfile", _READFILE, stdin=b"hello world, " * 30),
    Case("stdin-readfile-of-a-file", _READFILE, stdin=b"hello world, " * 30, streams="file"),
    Case("redirected-to-pipes", _c("stdio/redirected")),
    Case("redirected-to-files", _c("stdio/redirected"), streams="file"),
    Case("c-files", _c("stdio/files")),
)

FILES = (
    Case("file-create", _c("files/create")),
    Case("file-contents", _c("files/contents"), leaves=(("contents.bin", b"left behind\n"),)),
    Case("file-sharing", _c("files/sharing")),
    Case("file-attributes", _c("files/attributes")),
    Case("file-readonly", _c("files/readonly"),
         why_not_wine="Wine run by root opens read-only files for writing; Windows refuses everyone"),
    Case("file-search", _c("files/search"), newer="Wine 10 asks the kernel with DOS wildcards: ?.? finds the dot"),
    Case("directories", _c("files/directories")),
    Case("file-moving", _c("files/moving")),
    Case("paths", _c("files/paths")),
    Case("wide-names", _c("files/wide_names"), files=(("š.in", b"hello from Linux"),),
         leaves=(("ž.out", b"seen from outside\n"),)),
    Case("file-locks", _c("files/locks")),
    Case("file-locks-enforced", _c("files/locks_enforced"),
         why_not_wine="Wine keeps locks with fcntl, which lets other handles read and write regardless"),
    Case("file-mapping", _c("files/mapping")),
    Case("overlapped", _c("files/overlapped")),
    Case("replaced-port", _c("files/replaced_port"), why_not_wine="Wine 8 does not let go of a completion port"),
    Case("polled", _c("files/polled")),
    Case("volumes", _c("files/volumes")),
    Case("file-links", _c("files/links")),
    Case("symbolic-links", _c("files/symbolic_links"), why_not_wine="Wine says that it has made a link and makes none"),
    Case("file-flush", _c("files/flush", "-lntdll"), why_not_wine="Wine 8 has no NtFlushBuffersFileEx"),
    Case("file-by-handle", _c("files/by_handle"),
         why_not_wine="Wine 8 knows neither allocation nor deleting and renaming with flags"),
    Case("file-by-name", _c("files/by_name"), why_not_wine="Wine 8 has no GetFileInformationByName"),
    Case("file-copy-2", _c("files/copy_2"), why_not_wine="Wine 8 has no CopyFile2"),
    Case("file-large", _c("files/large")),
    Case("file-views", Program("views", ("files/views.c", "processes/start.c"))),
    Case("file-deletion", _c("files/deletion"),
         why_not_wine="Wine 8 opens and lists a file that is to be deleted; Windows refuses and then deletes it"),
    Case("file-notify", _c("files/notify")),
    Case("file-notify-tree", _c("files/notify"), ("tree",),
         why_not_wine="Wine without its services' directory does not see into trees; Windows does"),
)

MEMORY = (
    Case("virtual-memory", _c("memory/virtual")),
    Case("guard-pages", _c("memory/guard_pages")),
    Case("stack-growth", _c("memory/stack_growth"), why_not_wine="Wine commits a thread's whole stack at once"),
    Case("generated-code", _c("memory/generated_code")),
    Case("heap", _c("memory/heap")),
    Case("prefetch", _c("memory/prefetch")),
    Case("memory-at-once", _c("memory/at_once")),
    Case("memory-freed", _c("memory/freed")),
)

REGISTRY = (
    Case("registry-keys", _c("registry/keys")),
    Case("registry-machine", _c("registry/machine")),
    Case("registry-files", _c("registry/files"), newer="reg.exe of Wine 10 does not expand what it shows"),
)

SHELL = (
    Case("shell-folders", _c("shell/folders", "-luserenv", "-lole32", "-lshell32", "-luuid")),
)

LOCALE = (
    Case("locales", _c("locale/locales")),
    Case("code-pages", _c("locale/code_pages")),
    Case("dates", _c("locale/dates")),
    Case("time-zones", _c("locale/zones", "-ladvapi32")),
    Case("clocks", _c("locale/clocks")),
    Case("clock-reads", _c("locale/clock_reads")),
)

_UNHANDLED = _c("exceptions/unhandled")


def _guarded(name: str) -> Program:
    """A program that needs __try, which lies in an assembly file."""
    return Program(name, (f"exceptions/{name}.c", "exceptions/guarded.S"))


EXCEPTIONS = (
    Case("setjmp", _c("exceptions/setjmp")),
    Case("vectored", _guarded("vectored")),
    Case("structured", _guarded("structured")),
    Case("unwinding", _guarded("unwinding")),
    Case("stack-overflow", _guarded("stack_overflow"),
         why_not_wine="Wine 8 leaves less stack below the guard page than delivering the exception takes"),
    Case("signals", _c("exceptions/signals"), exit_code=33),
    Case("unhandled-handle", _UNHANDLED, ("handle",), exit_code=5),
    Case("unhandled-repair", _UNHANDLED, ("repair",)),
    Case("unhandled-decline", _UNHANDLED, ("decline",), exit_code=5),
    Case("unhandled-in-a-thread", _UNHANDLED, ("thread",), exit_code=5),
)

CXX = (
    Case("cxx-exceptions", _cpp("cxx/exceptions"), exit_code=44),
    Case("cxx-streams", _cpp("cxx/streams"), stdin=b"word 17 rest of it\r\nsecond\r\nthird", exit_code=6, stderr=True),
    Case("cxx-library", _cpp("cxx/library")),
)

THREADS = (
    Case("threads", _c("threads/threads")),
    Case("events", _c("threads/events")),
    Case("waits", _c("threads/waits")),
    Case("locks", _c("threads/locks", "-lsynchronization")),
    Case("fairness", _c("threads/fairness")),
    Case("stopping", _c("threads/stopping"), exit_code=5),
    Case("stress", _c("threads/stress", "-lsynchronization"), ("1500",)),
    Case("timers", _c("threads/timers")),
    Case("calls", _c("threads/calls")),
    Case("multimedia-timers", _c("threads/multimedia", "-lwinmm")),
    Case("pool", _c("threads/pool")),
    Case("cancel", _c("threads/cancel")),
    Case("wait-packets", _c("threads/wait_packets"), why_not_wine="Wine 8 has no wait completion packets"),
    Case("storage", _c("threads/storage", "-Wno-array-bounds")),
    Case("fibers", _c("threads/fibers")),
)

_PLUGIN_DEF = "dll/plugin.def"
_COMPANION = Library("companion", ("dll/companion.c",), linked="no")
_PLUGIN = Library("plugin", ("dll/plugin.c",), _PLUGIN_DEF)
_LOST = Library("lost", ("dll/lost.c",), lost=True)
_DELAYED_PLUGIN = Library("plugin", ("dll/plugin.c",), _PLUGIN_DEF, linked="delay")
_DELAYED_LOST = Library("lost", ("dll/lost.c",), "dll/lost.def", linked="delay", lost=True)
_BY_HAND = (
    Library("plugin", ("dll/plugin.c",), _PLUGIN_DEF, linked="no"),
    _COMPANION,
    Library("refusing", ("dll/refusing.c",), linked="no"),
    Library("orphan", ("dll/orphan.c",), linked="no", libraries=(_LOST,)),
)
_MISSING_DELAYED = Program("missing_delayed", ("dll/missing_delayed.c",), libraries=(_DELAYED_LOST,))

DLL = (
    Case("dll-explicit", Program("explicit", ("dll/explicit.c",), libraries=_BY_HAND)),
    Case("dll-implicit", Program("implicit", ("dll/implicit.c",), libraries=(_PLUGIN,)), exit_code=2),
    Case("dll-same-base", Program("same_base", ("dll/implicit.c",), ("-Wl,--image-base,0x180000000",),
                                  (Library("plugin", ("dll/plugin.c",), _PLUGIN_DEF,
                                           flags=("-Wl,--image-base,0x180000000",)),)), exit_code=2),
    Case("dll-delayed", Program("delayed", ("dll/delayed.c",), libraries=(_DELAYED_PLUGIN,))),
    Case("dll-missing-delayed", _MISSING_DELAYED, ("call",), exit_code=21),
    Case("dll-missing-delayed-unused", _MISSING_DELAYED),
    Case("resources", Program("resources", ("dll/resources.c", "dll/resources.rc"), ("-lversion",))),
)

SYSTEM = (
    Case("messages", _c("system/messages")),
    Case("information", _c("system/information", "-lpsapi")),
    Case("tokens", _c("system/tokens")),
    Case("snapshots", _c("system/snapshots", "-lpsapi")),
    Case("handles", _c("system/handles")),
    Case("pipes", _c("system/pipes")),
    Case("processors", _c("system/processors"), why_not_wine="in Wine 8 these functions say that they do not exist"),
    Case("newer-calls", _c("system/newer_calls"), why_not_wine="Wine 8 has none of them"),
    Case("mitigation", _c("system/mitigation"),
         why_not_wine="Wine 8 says that it has told, and leaves the buffer as it was"),
    Case("temporary-directory", _c("system/temporary"), why_not_wine="Wine 8 has no GetTempPath2"),
    Case("user-profile", _c("user/profile", "-lsecur32", "-luserenv", "-lnetapi32", "-lshell32")),
)


def _socket(name: str) -> Program:
    """A program that uses Winsock."""
    return _c(f"sockets/{name}", "-lws2_32")


NETWORK = (
    Case("sockets-tcp", _socket("tcp")),
    Case("sockets-udp", _socket("udp")),
    Case("sockets-nonblocking", _socket("nonblocking")),
    Case("sockets-events", _socket("events")),
    Case("sockets-overlapped", _socket("overlapped")),
    Case("sockets-truncated", _socket("truncated"),
         why_not_wine="Wine 8 does not say how much it received of a datagram that was there before"),
    Case("sockets-gather", _socket("gather"), why_not_wine="Wine 8 refuses more buffers than Linux takes at once"),
    Case("sockets-exclusive-polls", _c("sockets/exclusive_polls", "-lws2_32", "-lntdll")),
    Case("sockets-options", _socket("options")),
    Case("sockets-names", _socket("names")),
    Case("sockets-keep-alive", _socket("keep_alive"), why_not_wine="Wine 8 does not have these options"),
    Case("sockets-multicast", _socket("multicast")),
    Case("sockets-multicast-sources", _socket("multicast"), ("sources",),
         why_not_wine="Wine hands the structure to Linux, which has its fields in another order"),
    Case("sockets-ioctls", _socket("ioctls")),
    Case("sockets-unknown-ioctl", _socket("unknown_ioctl"),
         why_not_wine="Wine 8 ends the request, but sets no event"),
    Case("network-addresses", _c("network/addresses", "-lws2_32", "-liphlpapi")),
    Case("sockets-transmit", Program("transmit", ("sockets/transmit.c",), ("-lws2_32", "-lmswsock"))),
)


_CERTIFICATES: tuple[tuple[str, Callable[[], bytes]], ...] = (
    ("root.der", lambda: authority.root().der),
    ("middle.der", lambda: authority.middle().der),
    ("leaf.der", lambda: authority.server().der),
    ("expired.der", lambda: authority.expired().der),
    ("elliptic_root.der", lambda: authority.elliptic_root().der),
    ("elliptic.der", lambda: authority.elliptic_server().der),
    ("identity.pfx", authority.client_pfx),
)

_SCHANNEL = _c("tls/schannel", "-lws2_32", "-lsecur32", "-lcrypt32")
_WINHTTP = _c("tls/winhttp", "-lwinhttp", "-lcrypt32")
_WININET = _c("tls/wininet", "-lwininet")

CRYPTOGRAPHY = (
    Case("ciphers", _c("crypt/ciphers", "-lbcrypt")),
    Case("keys", _c("crypt/keys", "-lbcrypt")),
    Case("signatures", _c("crypt/signatures", "-municode", "-lwintrust", "-lcrypt32", "-lncrypt")),
    Case("certificates", _c("tls/certificates", "-lcrypt32"), files=_CERTIFICATES),
    Case("certificates-incomplete", _c("tls/certificates", "-lcrypt32"), ("incomplete",), files=_CERTIFICATES,
         why_not_wine="Wine 8 takes a chain without an end for good"),
    Case("schannel", _SCHANNEL, server=servers.https),
    Case("schannel-ecdsa", _SCHANNEL, server=servers.https_by_ecdsa),
    Case("schannel-client-certificate", _SCHANNEL, ("certificate",), files=_CERTIFICATES[-1:],
         server=servers.https_for_known_clients),
    Case("winhttp", _WINHTTP, ("http",), server=servers.http),
    Case("winhttp-secure", _WINHTTP, ("https",), server=servers.https),
    Case("wininet", _WININET, ("http",), server=servers.http),
    Case("wininet-secure", _WININET, ("https",), server=servers.https),
)


def _family(name: str, *flags: str) -> Program:
    """A program that starts itself again, as all of processes/ do but the shell."""
    return Program(name, (f"processes/{name}.c", "processes/start.c"), flags)


PROCESSES = (
    Case("process-create", _family("create")),
    Case("process-terminate", _family("terminate", "-lpsapi")),
    Case("process-inherit", _family("inherit")),
    Case("process-token", _c("processes/other_token")),
    Case("process-debugger", _family("debugger")),
    Case("process-debug-family", _family("debug_family")),
    Case("process-frozen", _family("frozen")),
    Case("process-remote", _family("remote")),
    Case("process-remote-running", _family("remote_running")),
    Case("process-named-objects", _family("named")),
    Case("process-named-pipes", _family("named_pipes")),
    Case("process-input-idle", _c("processes/input_idle")),
    Case("process-pipe-names", _c("processes/pipe_names")),
    Case("process-files", _family("files")),
    Case("process-jobs", _family("jobs")),
    Case("process-runtime", _c("processes/crt_children")),
    Case("process-shell", _c("processes/shell"), newer="cmd.exe of Wine 10 has more commands and other levels"),
)

CRT = (
    Case("algorithms", _c("crt/algorithms")),
    Case("wide-text", _c("crt/wide_text")),
    Case("mathematics", _c("crt/mathematics")),
)

SESSION = (
    Case("session-display", _c("session/display", "-luser32")),
    Case("session-messages", _c("session/messages", "-luser32")),
    Case("windows-apartments", _c("windows/apartments", "-lole32", "-luuid", "-Wno-unused-parameter")),
    Case("windows-callbacks", _c("windows/callbacks", "-luser32", "-Wno-unused-parameter")),
    Case("windows-classes", _c("windows/classes", "-luser32")),
    Case("windows-clipboard", _c("windows/clipboard", "-luser32")),
    Case("windows-accelerators", _c("windows/accelerators", "-luser32")),
    Case("windows-contexts", _c("windows/contexts", "-luser32", "-lgdi32")),
    Case("windows-devices", _c("windows/devices", "-luser32")),
    Case("windows-focus", _c("windows/focus", "-luser32")),
    Case("windows-life", _c("windows/life", "-luser32")),
    Case("windows-hooks", _c("windows/hooks", "-luser32")),
    Case("windows-idle", _c("windows/idle", "-luser32", "-mwindows")),
    Case("windows-hostile", _c("windows/hostile", "-luser32", "-Wno-unused-parameter"),
         why_not_wine="Wine's kernel half runs in the program, and dies of what it is given"),
    Case("windows-processes", _c("windows/processes", "-luser32")),
    Case("windows-sockets", _c("windows/sockets", "-lws2_32", "-luser32", "-Wno-unused-parameter")),
    Case("windows-sending", _c("windows/sending", "-luser32", "-Wno-unused-parameter")),
    Case("windows-no-opengl", _c("windows/no_opengl", "-luser32", "-lopengl32")),
    Case("windows-painting", _c("windows/painting", "-luser32", "-lgdi32")),
    Case("windows-programs", _c("windows/programs", "-luser32")),
    Case("windows-relations", _c("windows/relations", "-luser32", "-Wno-unused-parameter")),
)

GRAPHICS = (
    Case("graphics-objects", _c("graphics/objects", "-lgdi32")),
    Case("graphics-regions", _c("graphics/regions", "-lgdi32")),
    Case("graphics-shapes", _c("graphics/shapes", "-lgdi32")),
    Case("graphics-text", _c("graphics/text", "-lgdi32")),
    Case("graphics-hostile", _c("graphics/hostile", "-lgdi32", "-lmsimg32"), why_not_wine="Wine draws for minutes"),
    Case("graphics-paths", _c("graphics/paths", "-lgdi32")),
    Case("graphics-blits", _c("graphics/blits", "-lgdi32", "-luser32", "-lmsimg32")),
)

CASES: tuple[Case, ...] = (
    *START, *STDIO, *FILES, *MEMORY, *REGISTRY, *SHELL, *LOCALE, *EXCEPTIONS, *CXX, *THREADS, *DLL, *SYSTEM, *NETWORK,
    *CRYPTOGRAPHY, *PROCESSES, *CRT, *SESSION, *GRAPHICS,
)

PARALLEL = _c("threads/parallel")  # not a case: it says the same everywhere only where threads run at the same time
