"""A TCP echo between a guest program and this host, or another guest process, checksummed by both sides.

`python -m tests.guest.echo [MIB]` does it with the guest as client, as server and as both (64 MiB without an
argument), over IPv4 and IPv6, and prints how long each took; the tests do the same.
"""

from __future__ import annotations

import functools
import os
import socket
import subprocess
import sys
import threading
import time
import zlib
from pathlib import Path

from .build import build
from .cases import Program

PROGRAM = Program("echo", ("sockets/echo.c",), ("-O2", "-lws2_32"))
HOSTS = {4: "127.0.0.1", 6: "::1"}
_BLOCK = 1 << 16


@functools.cache
def _mebibyte() -> bytes:
    """What a small linear congruential generator says, its top byte each time."""
    random = 1
    data = bytearray(1 << 20)
    for i in range(len(data)):
        random = (random * 1664525 + 1013904223) & 0xFFFFFFFF
        data[i] = random >> 24
    return bytes(data)


def pattern(size: int) -> bytes:
    """The bytes the guest's client sends."""
    return (_mebibyte() * (size // (1 << 20) + 1))[:size]


def summary(data: bytes) -> str:
    """The line that the guest prints of what it has received."""
    return f"{len(data)} bytes, {zlib.crc32(data):08x}\n"


def _family(version: int) -> socket.AddressFamily:
    return socket.AF_INET6 if version == 6 else socket.AF_INET


def _name(role: str, version: int) -> str:
    return f"{role}6" if version == 6 else role


def _serve(listening: socket.socket, received: bytearray) -> None:
    """Echo one connection, keeping what arrived."""
    connection, _ = listening.accept()
    with connection:
        while data := connection.recv(_BLOCK):
            received += data
            connection.sendall(data)


def guest_as_client(
    command: list[str], size: int, environment: dict[str, str], timeout: float, version: int = 4
) -> tuple[str, bytes]:
    """Echo `size` bytes that a guest sends; what it printed, and what arrived here."""
    received = bytearray()
    with socket.create_server((HOSTS[version], 0), family=_family(version)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, received), daemon=True)
        thread.start()
        arguments = [_name("client", version), str(listening.getsockname()[1]), str(size)]
        done = subprocess.run([*command, str(build(PROGRAM)), *arguments], env=environment, capture_output=True,
                              text=True, check=False, timeout=timeout)
        thread.join(timeout)
    return done.stdout + done.stderr, bytes(received)


def guest_as_server(
    command: list[str], data: bytes, environment: dict[str, str], timeout: float, version: int = 4
) -> tuple[str, bytes]:
    """Have a guest echo `data`; what it printed, and what came back."""
    back = bytearray()
    process = subprocess.Popen([*command, str(build(PROGRAM)), _name("server", version)], env=environment,
                               stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        port = int(process.stdout.readline().removeprefix("port "))
        with socket.create_connection((HOSTS[version], port), timeout) as connection:
            def send() -> None:
                connection.sendall(data)
                connection.shutdown(socket.SHUT_WR)

            thread = threading.Thread(target=send, daemon=True)
            thread.start()
            while piece := connection.recv(_BLOCK):
                back += piece
            thread.join(timeout)
        rest, _ = process.communicate(timeout=timeout)
    finally:
        process.kill()
    return rest, bytes(back)


def two_guests(command: list[str], size: int, environment: dict[str, str], timeout: float, version: int = 4) -> str:
    """Echo `size` bytes between a guest and the process it starts; what they printed."""
    done = subprocess.run([*command, str(build(PROGRAM)), _name("both", version), str(size)], env=environment,
                          capture_output=True, text=True, check=False, timeout=timeout)
    return done.stdout + done.stderr


def main(arguments: list[str]) -> int:
    """Do it all ways round; 0 when everything arrived as it was sent."""
    data = pattern((int(arguments[0]) if arguments else 64) << 20)
    root = Path(__file__).resolve().parent.parent.parent
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "lswctl", "launch"]
    line = summary(data)
    failures = 0

    def report(what: str, began: float, good: bool, said: str) -> None:
        nonlocal failures
        failures += not good
        print(f"{what}: {'good' if good else said}, {time.monotonic() - began:.1f} s")

    for version in HOSTS:
        began = time.monotonic()
        said, arrived = guest_as_client(command, len(data), environment, 3600, version)
        good = f"the same came back: yes\n{line}" == said and arrived == data
        report(f"IPv{version}, guest as client", began, good, said)
        began = time.monotonic()
        said, back = guest_as_server(command, data, environment, 3600, version)
        report(f"IPv{version}, guest as server", began, line == said and back == data, said)
        began = time.monotonic()
        said = two_guests(command, len(data), environment, 3600, version)
        report(f"IPv{version}, two guests", began, f"the same came back: yes\n{line}{line}" == said, said)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
