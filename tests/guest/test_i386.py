"""The same programs built for 32-bit Windows do the same.

There is no 32-bit Wine to compare with: what is expected is what the 64-bit program prints under 64-bit Wine, so the
programs here are those whose output does not depend on the word size (fixtures see to that with `#ifdef`).
"""

from __future__ import annotations

import os
import shutil
import signal
import struct
import subprocess
from pathlib import Path

import pytest

from lswd.image.exports import export_table
from lswd.image.pe import parse
from lswd.image.rva import OnDisk
from lswd.nt.catalogue import load_families
from lswd.nt.declare import DECLARED
from lswd.userland.discovery import find
from lswd.userland.stubs import argument_bytes, read_stubs

from .build import build
from .cases import CASES, Case
from .verdict import verify

# Cases whose output depends on the word size, and what cannot be built.
NOT_FOR_32_BITS = {
    "environment-system": "ProgramFiles and the processor are others",
    "information": "prints the range of addresses and the processor",
    "mathematics": "the x87 unit rounds differently",
    "shell-folders": "the directory of programs is another",
    "unwinding": "tables of functions are a matter of 64-bit code",
    "process-remote": "reads and writes registers of 64-bit code",
    "process-named-pipes": "two processes print at the same time: the order differs",
    "windows-hostile": "calls functions with more arguments than they take",
    "dll-same-base": "the base is above 4 GiB",
    "dll-delayed": "dlltool of binutils 2.40 leaves the addresses of delayed imports 0",
    "dll-missing-delayed": "the same",
}
HELLO = next(case.program for case in CASES if case.name == "hello")


@pytest.mark.parametrize(
    "case", [case for case in CASES if case.name not in NOT_FOR_32_BITS], ids=lambda case: case.name
)
def test_a_32_bit_program_behaves_as_the_64_bit_one(
    case: Case, lswctl: list[str], lsw_prefix: Path, tmp_path: Path
) -> None:
    verify(case, [*lswctl, "launch"], lsw_prefix, tmp_path, "i386")


def test_what_is_left_out_are_cases() -> None:
    assert set() == set(NOT_FOR_32_BITS) - {case.name for case in CASES}


def launch(lswctl: list[str], *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*lswctl, "launch", *arguments], env=os.environ | {"LC_ALL": "C.UTF-8"} | variables,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=120,
    )  # fmt: skip


@pytest.mark.parametrize(("dll", "at_least"), [("ntdll.dll", 150), ("win32u.dll", 20)])
def test_every_declaration_takes_as_many_bytes_as_the_userlands_stub_drops(dll: str, at_least: int) -> None:
    path = find(os.environ).i386.native(dll)
    assert path is not None
    data = Path(path).read_bytes()
    image = parse(data, dll)
    reader = OnDisk(data, image)
    exports = export_table(reader, image).names
    load_families()
    declared, dropped = {}, {}
    for name in read_stubs(reader, exports).values():
        call = DECLARED.get(name)
        if call is not None and name != "wine_server_call":  # whose caller drops its argument
            declared[name] = struct.calcsize("<" + "".join(p.code32 for p in call.parameters))
            dropped[name] = argument_bytes(reader.read(exports[name], 16))
    assert len(declared) > at_least
    assert dropped == declared


def test_without_a_32_bit_userland_one_line_says_what_to_install(lswctl: list[str], tmp_path: Path) -> None:
    done = launch(lswctl, str(build(HELLO, "i386")), LSW_USERLAND_I386=str(tmp_path))
    assert (121, "", 1) == (done.returncode, done.stdout, done.stderr.count("\n"))
    assert "a 32-bit program, but LSW_USERLAND_I386: " in done.stderr
    assert "i386-windows" in done.stderr


STARTER = r"""
#include <windows.h>
#include <stdio.h>
int main(int argc, char **argv)
{
    STARTUPINFOA start = {sizeof(start)};
    PROCESS_INFORMATION info;
    DWORD code;
    char path[MAX_PATH];
    if (argc < 2) {
        GetSystemDirectoryA(path, sizeof(path));
        printf("%d bits, a pipe's worth of %d bytes\n", (int)sizeof(void *) * 8, (int)(GetFileAttributesA(path) & 16));
        return 40 + (int)sizeof(void *);
    }
    printf("%d bits\n", (int)sizeof(void *) * 8);
    fflush(stdout);
    if (!CreateProcessA(NULL, argv[1], NULL, NULL, TRUE, 0, NULL, NULL, &start, &info)) {
        printf("error %lu\n", GetLastError());
        return 1;
    }
    WaitForSingleObject(info.hProcess, INFINITE);
    GetExitCodeProcess(info.hProcess, &code);
    return code;
}
"""


@pytest.fixture(scope="module")
def starters(tmp_path_factory: pytest.TempPathFactory) -> dict[int, Path]:
    directory = tmp_path_factory.mktemp("starters")
    (directory / "s.c").write_text(STARTER)
    made = {}
    for bits, prefix in ((64, "x86_64"), (32, "i686")):
        compiler = shutil.which(f"{prefix}-w64-mingw32-gcc")
        assert compiler is not None
        made[bits] = directory / f"s{bits}.exe"
        subprocess.run([compiler, "-O1", str(directory / "s.c"), "-o", str(made[bits])], check=True)
    return made


@pytest.mark.parametrize(("parent", "child"), [(64, 32), (32, 64), (32, 32)])
def test_programs_of_either_word_size_start_each_other(
    parent: int, child: int, starters: dict[int, Path], lswctl: list[str]
) -> None:
    done = launch(lswctl, str(starters[parent]), f"Z:{starters[child]}".replace("/", "\\"))
    assert f"{parent} bits\n{child} bits, a pipe's worth of 16 bytes\n" == done.stdout, done.stderr
    assert 40 + child // 8 == done.returncode


DEBUGGER = r"""
#include <stdio.h>
#include <windows.h>

static WOW64_CONTEXT registers;

static void turn(const char *when, HANDLE thread)
{
    registers.ContextFlags = WOW64_CONTEXT_FULL;
    printf("%s: %d", when, Wow64GetThreadContext(thread, &registers));
    printf(" cs %lx", registers.SegCs);
    registers.Esi = 0x12345678;
    registers.ContextFlags = WOW64_CONTEXT_INTEGER;
    printf(" %d", Wow64SetThreadContext(thread, &registers));
    registers.Esi = 0;
    Wow64GetThreadContext(thread, &registers);
    printf(" esi %lx\n", registers.Esi);
}

int main(int argc, char **argv)
{
    STARTUPINFOA start = {sizeof(start)};
    PROCESS_INFORMATION child;
    DEBUG_EVENT event;
    HANDLE blind;

    if (!CreateProcessA(NULL, argv[1], NULL, NULL, FALSE, DEBUG_PROCESS, NULL, NULL, &start, &child))
        return 1;
    turn("new", child.hThread);
    blind = OpenThread(THREAD_QUERY_LIMITED_INFORMATION, FALSE, child.dwThreadId);
    printf("blind: %d", Wow64GetThreadContext(blind, &registers));
    printf(" %lu", GetLastError());
    printf(", of our own: %d", Wow64GetThreadContext(GetCurrentThread(), &registers));
    printf(" %lu\n", GetLastError());
    while (WaitForDebugEvent(&event, 20000)) {
        if (event.dwDebugEventCode == EXCEPTION_DEBUG_EVENT) {
            turn("at a breakpoint", child.hThread);
            printf("eip is behind it: %d\n",
                   registers.Eip - 1 == (DWORD)(ULONG_PTR)event.u.Exception.ExceptionRecord.ExceptionAddress);
            return !TerminateProcess(child.hProcess, 0);
        }
        ContinueDebugEvent(event.dwProcessId, event.dwThreadId, DBG_CONTINUE);
    }
    return 2;
}
"""


def test_a_64_bit_debugger_reads_and_changes_the_registers_of_a_32_bit_program(
    starters: dict[int, Path], lswctl: list[str], tmp_path: Path
) -> None:
    (tmp_path / "debugger.c").write_text(DEBUGGER)
    compiler = shutil.which("x86_64-w64-mingw32-gcc")
    assert compiler is not None
    subprocess.run([compiler, "-O1", tmp_path / "debugger.c", "-o", tmp_path / "debugger.exe"], check=True)
    done = launch(lswctl, str(tmp_path / "debugger.exe"), f"Z:{starters[32]}".replace("/", "\\"))
    assert [
        "new: 1 cs 23 1 esi 12345678",
        "blind: 0 5, of our own: 0 87",
        "at a breakpoint: 1 cs 23 1 esi 12345678",
        "eip is behind it: 1",
    ] == done.stdout.splitlines(), done.stderr
    assert 0 == done.returncode


def test_ctrl_c_ends_a_32_bit_program(lswctl: list[str], tmp_path: Path) -> None:
    (tmp_path / "c.c").write_text(
        "#include <windows.h>\n#include <stdio.h>\n"
        'static BOOL WINAPI tell(DWORD event) { printf("event %lu\\n", event);'
        " fflush(stdout); return FALSE; }\nint main(void) { SetConsoleCtrlHandler(tell, TRUE); printf(\"ready\\n\");"
        " fflush(stdout); Sleep(60000); return 0; }\n"
    )
    compiler = shutil.which("i686-w64-mingw32-gcc")
    assert compiler is not None
    subprocess.run([compiler, str(tmp_path / "c.c"), "-o", str(tmp_path / "c.exe")], check=True)
    command = [*lswctl, "launch", str(tmp_path / "c.exe")]
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert b"ready\r\n" == process.stdout.readline()
        process.send_signal(signal.SIGINT)
        assert b"event 0\r\n" == process.stdout.read()
    assert 0x3A == process.returncode  # of STATUS_CONTROL_C_EXIT


@pytest.mark.parametrize("pointer", ["0", "4", "8192", "0x7fffffff", "0xfffffffc"])
@pytest.mark.parametrize("instruction", ["ud2", "movl %eax, 16", "pushl %eax"])
def test_a_fault_without_a_stack_ends_the_program_with_its_code(
    pointer: str, instruction: str, lswctl: list[str], tmp_path: Path
) -> None:
    (tmp_path / "s.c").write_text(
        f'int main(void) {{ __asm__ volatile("movl ${pointer}, %esp\\n\\t{instruction}"); return 0; }}\n'
    )
    compiler = shutil.which("i686-w64-mingw32-gcc")
    assert compiler is not None
    subprocess.run([compiler, str(tmp_path / "s.c"), "-o", str(tmp_path / "s.exe")], check=True)
    done = launch(lswctl, str(tmp_path / "s.exe"))
    assert (0x1D if instruction == "ud2" else 5) == done.returncode, done.stderr
    assert "no stack left to handle it on" in done.stderr


def test_a_program_aware_of_large_addresses_gets_those_above_2_gib(lswctl: list[str], tmp_path: Path) -> None:
    source = tmp_path / "large.c"
    source.write_text(
        '#include <windows.h>\n#include <stdio.h>\nint main(void) { char *p = VirtualAlloc((void *)0x90000000, 4096, '
        'MEM_RESERVE | MEM_COMMIT, PAGE_READWRITE); printf("%d\\n", p != NULL); if (p) p[4095] = 1; return 0; }\n'
    )
    compiler = shutil.which("i686-w64-mingw32-gcc")
    assert compiler is not None
    outputs = []
    for flag in ("-Wl,--large-address-aware", "-Wl,--disable-large-address-aware"):
        subprocess.run([compiler, str(source), flag, "-o", str(tmp_path / "large.exe")], check=True)
        outputs.append(launch(lswctl, str(tmp_path / "large.exe")).stdout)
    assert ["1\n", "0\n"] == outputs


def test_a_32_bit_rust_program_finds_the_supplements(lswctl: list[str], tmp_path: Path) -> None:
    source = tmp_path / "prng.c"
    source.write_text(
        '#include <windows.h>\n#include <stdio.h>\nint main(void) { BOOL (WINAPI *prng)(BYTE *, SIZE_T) = (void *)'
        'GetProcAddress(LoadLibraryA("bcryptprimitives.dll"), "ProcessPrng"); BYTE b[64] = {0}; int i, n = 0;\n'
        'for (i = 0; i < 10000; i++) prng(b, 64);\nfor (i = 0; i < 64; i++) n += b[i] != 0; printf("%d\\n", n > 32);'
        ' return 0; }\n'
    )
    compiler = shutil.which("i686-w64-mingw32-gcc")
    assert compiler is not None
    subprocess.run([compiler, str(source), "-o", str(tmp_path / "prng.exe")], check=True)
    assert "1\n" == launch(lswctl, str(tmp_path / "prng.exe")).stdout
