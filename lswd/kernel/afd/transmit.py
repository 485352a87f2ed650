"""Sending a file over a connection: IOCTL_AFD_WINE_TRANSMIT.

Source: Microsoft "TransmitFile".
"""

from __future__ import annotations

import os
import socket

from lswd.kernel.afd import protocol as afd
from lswd.kernel.afd.transfer import failure, send
from lswd.kernel.afd.watch import HostWait
from lswd.kernel.file import FileObject
from lswd.kernel.file_disk import DiskFile
from lswd.ntdef.file import FILE_READ_DATA, FILE_USE_FILE_POINTER_POSITION
from lswd.ntdef.status import STATUS_INVALID_CONNECTION, STATUS_INVALID_PARAMETER, NtError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from lswd.kernel.afd.controls import Control
    from lswd.kernel.afd.endpoint import Socket
    from lswd.kernel.thread import Thread

_CHUNK = 1 << 18
_FARTHEST = 1 << 62


async def transmit(sock: Socket, control: Control) -> int:
    """IOCTL_AFD_WINE_TRANSMIT: what stands before the file, the file, what stands behind it."""
    p = control.input(afd.TransmitParameters)
    thread = control.thread
    if not sock.is_stream:
        raise NtError(STATUS_INVALID_CONNECTION)
    sock.require_connection()
    done = 0
    if p.head_len:
        done += await send(sock, thread, [(p.head_ptr, p.head_len)], waits=True)
    if p.file:
        file = thread.process.handles.get(p.file, FileObject, FILE_READ_DATA)
        assert isinstance(file, FileObject)
        position = p.position
        pointed = file if isinstance(file, DiskFile) and position == FILE_USE_FILE_POINTER_POSITION else None
        if pointed is not None:
            position = pointed.position
        if not 0 <= position <= _FARTHEST:
            raise NtError(STATUS_INVALID_PARAMETER)
        count = await _send_file(sock, thread, file, position, p.file_len)
        if pointed is not None:
            pointed.position = position + count
        done += count
    if p.tail_len:
        done += await send(sock, thread, [(p.tail_ptr, p.tail_len)], waits=True)
    if p.flags & afd.TF_DISCONNECT:
        sock.host.shutdown(socket.SHUT_WR)
        sock.send_shut = True
    return done


async def _send_file(sock: Socket, thread: Thread, file: FileObject, offset: int, length: int) -> int:
    """``length`` bytes of a file from ``offset``, or all the rest of it."""
    fd = file.section_fd()
    done = 0
    turn = sock.writing.join()
    try:
        with HostWait(thread) as wait:
            while not length or done < length:
                if not sock.writing.is_first(turn):
                    await wait.until_turn(sock, sock.writing, turn)
                    continue
                wanted = min(_CHUNK, length - done) if length else _CHUNK
                try:
                    count = os.sendfile(sock.fileno(), fd, offset + done, wanted)
                except BlockingIOError:
                    await wait.until_turn(sock, sock.writing, turn)
                    continue
                except OSError as error:
                    raise failure(sock, error) from None
                if not count:
                    break
                done += count
    finally:
        sock.leave(sock.writing, turn)
        os.close(fd)
    return done
