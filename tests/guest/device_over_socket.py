"""lswctl whose /dev/lsw is the daemon's socket: the commands and structs are the same, so that a launch "through the
device" can be tested on a host without CUSE. (The real device is tested in tests/vm.)

    python -m tests.guest.device_over_socket launch --via device PROGRAM
"""

from __future__ import annotations

import os
import socket
import threading
from pathlib import Path

from lswctl import device
from lswctl.via import paths
from lswd.device.packet import MAX_PACKET, REQUEST, Packet, unpack
from lswd.ioctl import commands as c

ROOT = Path(__file__).resolve().parent.parent.parent


class SocketDevice(device.Device):
    """The device's commands over one connection; threads may wait in different ones at once."""

    def __init__(self, path: str = "") -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._socket.connect(path or paths(os.environ)[0])
        self._sequence = 0
        self._answers: dict[int, Packet] = {}
        self._changed = threading.Condition()
        threading.Thread(target=self._read, daemon=True).start()

    def _read(self) -> None:
        while True:
            try:
                message = self._socket.recv(MAX_PACKET)
            except OSError:  # we have closed it
                return
            if not message:
                return
            with self._changed:
                packet = unpack(message)
                self._answers[packet.sequence] = packet
                self._changed.notify_all()

    def command(self, command: c.Command, argument: int = 0, data: bytes = b"") -> tuple[int, bytes]:
        with self._changed:
            self._sequence += 1
            sequence = self._sequence
            self._socket.send(Packet(command.number, REQUEST, sequence, argument, data).pack())
            while sequence not in self._answers:
                self._changed.wait()
            packet = self._answers.pop(sequence)
        if packet.result < 0:
            raise OSError(-packet.result, os.strerror(-packet.result))
        return packet.result, packet.data

    def close(self) -> None:
        self._socket.close()


def install() -> None:
    """Have lswctl use it, also when it starts itself anew."""
    device.Device = SocketDevice  # type: ignore[misc]
    here = f"sys.path.insert(0, {str(ROOT)!r}); import tests.guest.device_over_socket as over; over.install(); "
    device._AGAIN = here + device._AGAIN


if __name__ == "__main__":
    install()
    from lswctl.__main__ import run

    run()
