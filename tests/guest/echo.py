"""A TCP echo between a guest program and this host, or another guest process, checksummed by both sides.

`python -m tests.guest.echo [MIB]` does it with the guest as client, as server and as both (64 MiB without an
argument) and prints how long each took; the tests do a small slice of it.
"""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from pathlib import Path

from .build import build
from .cases import Program

PROGRAM = Program("echo", ("sockets/echo.c",), ("-O2", "-lws2_32"))
_BLOCK = 1 << 16
_MASK = (1 << 64) - 1


def pattern(size: int) -> bytes:
    """The bytes the guest's client sends: what a small linear congruential generator says, its top byte each time."""
    random = 1
    data = bytearray(size)
    for i in range(size):
        random = (random * 1664525 + 1013904223) & 0xFFFFFFFF
        data[i] = random >> 24
    return bytes(data)


def fnv(data: bytes) -> int:
    """FNV-1a with 64 bits, as the guest computes it."""
    total = 14695981039346656037
    for byte in data:
        total = ((total ^ byte) * 1099511628211) & _MASK
    return total


def _serve(listening: socket.socket, received: bytearray) -> None:
    """Echo one connection, keeping what arrived."""
    connection, _ = listening.accept()
    with connection:
        while data := connection.recv(_BLOCK):
            received += data
            connection.sendall(data)


def guest_as_client(command: list[str], size: int, environment: dict[str, str], timeout: float) -> tuple[str, bytes]:
    """Echo `size` bytes that a guest sends; what it printed, and what arrived here."""
    received = bytearray()
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=_serve, args=(listening, received), daemon=True)
        thread.start()
        port = listening.getsockname()[1]
        done = subprocess.run([*command, str(build(PROGRAM)), "client", str(port), str(size)], env=environment,
                              capture_output=True, text=True, check=False, timeout=timeout)
        thread.join(timeout)
    return done.stdout + done.stderr, bytes(received)


def guest_as_server(command: list[str], data: bytes, environment: dict[str, str], timeout: float) -> tuple[str, bytes]:
    """Have a guest echo `data`; what it printed, and what came back."""
    back = bytearray()
    process = subprocess.Popen([*command, str(build(PROGRAM)), "server"], env=environment, stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True)
    assert process.stdout is not None
    try:
        first = process.stdout.readline()
        with socket.create_connection(("127.0.0.1", int(first.removeprefix("port "))), timeout) as connection:
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


def two_guests(command: list[str], size: int, environment: dict[str, str], timeout: float) -> str:
    """Echo `size` bytes between a guest and the process it starts; what they printed."""
    done = subprocess.run([*command, str(build(PROGRAM)), "both", str(size)], env=environment, capture_output=True,
                          text=True, check=False, timeout=timeout)
    return done.stdout + done.stderr


def main(arguments: list[str]) -> int:
    """Do it both ways round; 0 when everything arrived as it was sent."""
    size = (int(arguments[0]) if arguments else 64) << 20
    root = Path(__file__).resolve().parent.parent.parent
    environment = os.environ | {"PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "lswctl", "launch"]
    data = pattern(1 << 20) * (size >> 20)
    began = time.monotonic()
    said, arrived = guest_as_client(command, size, environment, 3600)
    good = "the same came back: yes" in said and f"{fnv(arrived):016x}" in said and len(arrived) == size
    print(f"guest as client: {'good' if good else said}, {time.monotonic() - began:.1f} s with the checksum here")
    began = time.monotonic()
    said, back = guest_as_server(command, data, environment, 3600)
    good_too = back == data and f"{fnv(data):016x}" in said
    print(f"guest as server: {'good' if good_too else said}, {time.monotonic() - began:.1f} s with the checksum here")
    began = time.monotonic()
    said = two_guests(command, size, environment, 3600)
    line = f"{size} bytes, {fnv(arrived):016x}\n"
    good_again = f"the same came back: yes\n{line}{line}" == said
    print(f"two guests: {'good' if good_again else said}, {time.monotonic() - began:.1f} s with the checksum here")
    return 0 if good and good_too and good_again else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
